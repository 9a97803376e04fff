"""Operators against their matrices written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls.quantum as jq


def test_ladder_operators():
    a = np.zeros((5, 5))
    for k in range(1, 5):
        a[k - 1, k] = k**0.5
    np.testing.assert_allclose(jq.destroy(5), a)
    np.testing.assert_allclose(jq.create(5), a.T)
    np.testing.assert_allclose(jq.number(5), np.diag(np.arange(5.0)))
    np.testing.assert_allclose(jq.parity(5), np.diag([1, -1, 1, -1, 1]))
    np.testing.assert_allclose(jq.identity(5), np.eye(5))


def test_position_and_momentum_have_units():
    mass, omega = 2.0, 3.0
    x, p = jq.position(8, mass, omega), jq.momentum(8, mass, omega)
    np.testing.assert_allclose((x @ p - p @ x)[:7, :7], 1j * np.eye(7), atol=1e-14)
    energy = p @ p / (2 * mass) + mass * omega**2 * x @ x / 2
    np.testing.assert_allclose(energy[:7, :7], omega * np.diag(np.arange(7) + 0.5), atol=1e-13)
    slope = jax.grad(lambda w: jq.position(8, 2.0, w)[0, 1].real)(omega)
    np.testing.assert_allclose(slope, -0.5 / np.sqrt(2 * mass * omega) / omega)


def test_pauli_algebra():
    x, y, z = jq.sigma_x(), jq.sigma_y(), jq.sigma_z()
    np.testing.assert_array_equal(x @ y - y @ x, 2j * z)
    np.testing.assert_array_equal(jq.sigma_minus(), (x - 1j * y) / 2)
    np.testing.assert_array_equal(jq.sigma_plus(), (x + 1j * y) / 2)
    np.testing.assert_array_equal(jq.sigma_minus() @ np.array([1, 0]), [0, 1])


def test_tensor_is_kron():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(4, 2, 3)), rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
    batched = jq.tensor(a, b, c)
    for got, one in zip(batched, a):
        np.testing.assert_allclose(got, np.kron(np.kron(one, b), c))
    np.testing.assert_allclose(jq.tensor([1.0, 2.0], np.array([3.0, 4.0])), [3, 4, 6, 8])
    with pytest.raises(ValueError, match="`ops`"):
        jq.tensor(np.eye(2), np.ones(2))
    with pytest.raises(ValueError, match="`ops`"):
        jq.tensor()


def test_expect_on_kets_matrices_and_batches():
    rng = np.random.default_rng(1)
    op = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    psi = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
    rho = np.einsum("bi,bj->bij", psi, psi.conj())
    want = [v.conj() @ op @ v for v in psi]
    np.testing.assert_allclose(jq.expect(op, psi[0]), want[0])
    np.testing.assert_allclose(jq.expect(op, rho), want)
    np.testing.assert_allclose(jq.expect(op, psi, ket=True), want)
    np.testing.assert_allclose(jax.jit(jax.vmap(lambda v: jq.expect(op, v)))(psi), want)
    np.testing.assert_allclose(jq.expect(np.stack([op, 2 * op, 0 * op]), rho[0]), want[0] * np.array([1, 2, 0]))


def test_dag_and_precision():
    op = jnp.asarray([[1, 2j, 3]], jnp.complex64)
    np.testing.assert_array_equal(jq.dag(op), np.asarray(op).conj().T)
    assert jq.dag(op).dtype == jnp.complex64
    rho = jnp.eye(2, dtype=jnp.complex64) / 2
    assert jq.expect(rho, rho).dtype == jnp.complex64


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="`n_levels` must be at least 1, but got 0"):
        jq.destroy(0)
    with pytest.raises(ValueError, match="`mass`"):
        jq.position(3, mass=-1.0)
    with pytest.raises(ValueError, match="`op`"):
        jq.expect(np.ones((2, 3)), np.eye(2))
    with pytest.raises(ValueError, match="`rho` must have the operator's dimension 2"):
        jq.expect(np.eye(2), np.ones(3))
    with pytest.raises(ValueError, match="ket=True"):
        jq.expect(np.eye(2), np.ones((5, 2)))
    with pytest.raises(ValueError, match="`op`"):
        jq.dag(np.ones(3))
