"""Hermitian matrices as real ones."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxtls.numerics.hermitian import from_unknowns, hermitian_part, on_unknowns, unknowns

RNG = np.random.default_rng(0)


def random(*shape):
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


@pytest.mark.parametrize("hermitian", [True, False])
def test_unknowns_say_all_and_keep_lengths(hermitian):
    x = random(3, 4, 4)
    x = hermitian_part(x) if hermitian else x
    v = unknowns(jnp.asarray(x), hermitian)
    assert v.shape == (3, 16) and jnp.iscomplexobj(v) is not hermitian
    assert_allclose(from_unknowns(v, hermitian), x, atol=1e-15)
    assert_allclose(jnp.sum(jnp.abs(v) ** 2, -1), np.sum(np.abs(x) ** 2, (1, 2)), rtol=1e-14)


def test_what_is_not_hermitian_is_projected():
    x = random(5, 5)
    assert_allclose(from_unknowns(unknowns(jnp.asarray(x), True), True), (x + x.conj().T) / 2, atol=1e-15)


def test_a_map_that_keeps_matrices_hermitian_is_real():
    a, b, x = random(4, 4), random(4, 4), hermitian_part(random(4, 4))
    matrix = np.kron(a, np.eye(4)) + np.kron(np.eye(4), a.conj()) + np.kron(b, b.conj())
    moved = on_unknowns(jnp.asarray(matrix), 4) @ unknowns(jnp.asarray(x), True)
    assert_allclose(from_unknowns(moved, True), a @ x + x @ a.conj().T + b @ x @ b.conj().T, atol=1e-13)
