"""exp(A) - 1 against SciPy, 60-digit numbers, its functional equation and finite differences."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.linalg as sl
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from numpy.testing import assert_allclose

from jaxtls.numerics.exponential import expm1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(-4, 1.5))
def test_random_matrices_against_scipy(seed, scale):
    rng = np.random.default_rng(seed)
    a = 10**scale * (rng.normal(size=(5, 5)) + 1j * rng.normal(size=(5, 5)))
    want = sl.expm(a)
    assert_allclose(np.asarray(expm1(jnp.asarray(a))) + np.eye(5), want, atol=1e-12 * np.max(np.abs(want)))


def test_slow_rates_beside_fast_ones_keep_their_digits():
    """A chain of rates 1e9, 1 and 1e-6: no column of exp(A) loses probability, and slow states keep theirs."""
    rates = np.array([[-1e9, 1.0, 0.0], [1e9, -1.0 - 1e-6, 1e-6], [0.0, 1e-6, -1e-6]])
    with mpmath.workdps(60):
        want = np.array(mpmath.expm(mpmath.matrix(rates.tolist()) * 10).tolist(), float)
    found = np.asarray(expm1(jnp.asarray(10 * rates))) + np.eye(3)
    assert_allclose(found, want, atol=1e-6)
    assert_allclose(found.sum(0), 1.0, atol=1e-6)


def test_each_matrix_of_a_batch_has_its_own_squarings():
    a = jnp.asarray(np.random.default_rng(1).normal(size=(3, 4, 4))) * jnp.array([1e-8, 1.0, 30.0])[:, None, None]
    found = jax.vmap(expm1)(a)
    for one, want in zip(found, a):
        assert_allclose(one, expm1(want), rtol=1e-12, atol=0)
    assert_allclose(found[0], a[0], rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 4.0])
def test_derivatives_in_both_modes(scale):
    a = scale * (jnp.asarray(np.random.default_rng(2).normal(size=(3, 3))) - 3 * jnp.eye(3))
    check_grads(lambda a: jnp.sum(jnp.sin(expm1(jnp.asarray(a)))), (a,), order=1, modes=["fwd", "rev"], rtol=1e-5)
