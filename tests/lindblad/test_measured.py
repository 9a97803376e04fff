"""Operators to record, in all forms they are given in, at their times, in kets and density matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.lindblad.measured import Measured, listed
from jaxtls.lindblad.operators import Operator

SX, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
KET = np.array([0.6, 0.8j])
RHO = np.outer(KET, KET.conj())


def test_values_are_those_of_the_operators_at_their_time():
    moving = jt.modulated(jnp.cos, SX) + SZ + jt.modulated(lambda t: 1j * t, SZ)
    mixed = jt.modulated(lambda t: jnp.exp(1j * t) * t, lambda t: jnp.sin(t) * SX) + 2.0 * SZ
    ops = [SZ, moving, lambda t: t * SX, mixed, jt.local((2,), {0: SX}), scipy.sparse.csr_array(SX)]
    found, t = Measured.read("exp_ops", ops, 2), 0.7
    want = [SZ, np.cos(t) * SX + SZ + 1j * t * SZ, t * SX, np.exp(1j * t) * t * np.sin(t) * SX + 2 * SZ, SX, SX]
    assert_allclose(found.at(t), want, atol=1e-12)
    assert_allclose(found(t, jnp.asarray(KET)), [KET.conj() @ op @ KET for op in want], atol=1e-12)
    assert_allclose(
        jax.jit(lambda t, rho: found(t, rho))(t, jnp.asarray(RHO)), [np.trace(op @ RHO) for op in want], atol=1e-12
    )
    assert not found.is_constant and Measured.read("exp_ops", [SX, SZ], 2).is_constant
    slope = jax.grad(lambda t: found(t, jnp.asarray(RHO))[1].real)(t)
    assert_allclose(slope, -np.sin(t) * np.trace(SX @ RHO).real, atol=1e-12)


def test_forms_that_a_list_may_have():
    for one in (
        SZ,
        jnp.asarray(SZ),
        [[1, 0], [0, -1]],
        lambda t: SZ,
        jt.local((2,), {0: SZ}),
        scipy.sparse.eye_array(2),
    ):
        assert len(listed("exp_ops", one)[1]) == 1
        assert Measured.read("exp_ops", one, 2).count == 1
    named = Measured.read("exp_ops", {"x": SX, "z": SZ}, 2)
    assert named.names == ("x", "z")
    assert_allclose(named(0.0, jnp.asarray(RHO)), [np.trace(SX @ RHO), np.trace(SZ @ RHO)], atol=1e-12)
    assert Measured.read("exp_ops", np.stack([SX, SZ]), 2).count == 2
    empty = Measured.read("exp_ops", (), 2)
    assert empty(0.0, jnp.asarray(RHO)).shape == (0,) and empty.at(0.0).shape == (0, 2, 2)
    # Without terms of its own an operator is 0.
    nothing = Measured.read("exp_ops", [Operator((), 2), SZ], 2)
    assert_allclose(nothing(0.0, jnp.asarray(KET)), [0.0, 0.36 - 0.64], atol=1e-12)


def test_numbers_traced_inside_an_envelope_are_differentiated():
    value = lambda w: (
        Measured.read("exp_ops", [jt.modulated(lambda t: jnp.cos(w * t), SX)], 2)(2.0, jnp.ones(2))[0].real
    )
    assert_allclose(jax.grad(value)(0.3), -2 * 2.0 * np.sin(0.6), atol=1e-12)


@pytest.mark.parametrize(
    ("ops", "name"),
    [("sz", "exp_ops"), (3.0, "exp_ops"), ({"a": np.eye(3)}, r"exp_ops\['a'\]"), ([SZ, None], r"exp_ops\[1\]")],
)
def test_what_is_no_operator_is_refused_by_name(ops, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        Measured.read("exp_ops", ops, 2)
