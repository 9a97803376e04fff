"""States against closed forms taken with big logarithms or factorials in NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg as sl
import scipy.special as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls.quantum as jq


@pytest.mark.parametrize("alpha", [0.3, 5 + 2j, 15.0, -20j])
def test_coherent_state_closed_form(alpha):
    k = np.arange(400)
    logs = -(abs(alpha) ** 2) / 2 + k * np.log(abs(alpha)) - sp.gammaln(k + 1) / 2
    want = np.exp(logs + 1j * k * np.angle(alpha))
    np.testing.assert_allclose(jq.coherent_state(400, alpha), want, atol=1e-13)
    single = jq.coherent_state(400, jnp.asarray(alpha, jnp.complex64))
    assert single.dtype == jnp.complex64
    np.testing.assert_allclose(single, want, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.floats(-2, 2), st.floats(-2, 2))
def test_coherent_state_is_a_displaced_vacuum(re, im):
    alpha, n = re + 1j * im, 80
    a = np.diag(np.sqrt(np.arange(1, n)), 1)
    want = sl.expm(alpha * a.T - np.conj(alpha) * a)[:, 0]
    np.testing.assert_allclose(jq.coherent_state(n, alpha)[:40], want[:40], atol=1e-12)


def test_coherent_state_derivatives_at_zero():
    def state(a):
        return jq.coherent_state(4, a).real

    at_zero = jnp.asarray(0.0)
    np.testing.assert_allclose(state(at_zero), [1, 0, 0, 0])
    np.testing.assert_allclose(jax.jit(jax.jacfwd(state))(at_zero), [0, 1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(jax.jit(jax.jacrev(state))(at_zero), [0, 1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(jax.jacfwd(state)))(at_zero), [-1, 0, np.sqrt(2), 0], atol=1e-14)
    # complex amplitude: d/d(Im alpha) = i
    through = jax.jit(jax.jacfwd(lambda b: jq.coherent_state(3, 1j * b)))(0.0)
    np.testing.assert_allclose(through, [0, 1j, 0], atol=1e-15)


def test_coherent_state_batches():
    alphas = jnp.array([[0.0, 1j], [2.0, -1.0]])
    both = jq.coherent_state(7, alphas)
    assert both.shape == (2, 2, 7)
    np.testing.assert_allclose(both[0, 1], jq.coherent_state(7, 1j))
    np.testing.assert_allclose(jax.jit(jax.vmap(lambda a: jq.coherent_state(7, a)))(alphas[1]), both[1])
    assert jq.coherent_state(1, 0.5).shape == (1,)


def test_thermal_state():
    m = 0.7
    want = np.diag((m / (1 + m)) ** np.arange(60.0))
    np.testing.assert_allclose(jq.thermal_state(60, m), want / np.trace(want), atol=1e-15)
    np.testing.assert_allclose(jq.expect(jq.number(60), jq.thermal_state(60, m)), m, atol=1e-12)
    np.testing.assert_allclose(jq.thermal_state(3, 0.0), np.diag([1, 0, 0]))

    def populations(m):
        return jnp.diag(jq.thermal_state(4, m)).real

    np.testing.assert_allclose(jax.jit(jax.jacfwd(populations))(0.0), [-1, 1, 0, 0])
    np.testing.assert_allclose(jax.jit(jax.jacrev(populations))(0.0), [-1, 1, 0, 0])
    assert jq.thermal_state(4, jnp.array([0.1, 0.2])).shape == (2, 4, 4)
    assert jq.thermal_state(4, jnp.float32(0.1)).dtype == jnp.complex64


def test_position_basis():
    n = 40
    nodes, _ = jq.hermite_dvr(n)
    psi = jq.coherent_state(n, 0.8 - 0.5j)
    on_nodes = jq.to_position_basis(psi)
    x, p = np.sqrt(2) * 0.8, -np.sqrt(2) * 0.5
    # ratio to the amplitudes of the vacuum is free of quadrature weights
    vacuum = jq.to_position_basis(jq.fock_state(n, 0))
    inner = np.abs(nodes) < 3
    want = np.exp(-((nodes - x) ** 2) / 2 + nodes**2 / 2 + 1j * p * nodes - 1j * p * x / 2)
    np.testing.assert_allclose((on_nodes / vacuum)[inner], want[inner], rtol=1e-9)
    rho = jq.to_density_matrix(psi)
    np.testing.assert_allclose(jq.to_position_basis(rho), np.outer(on_nodes, np.conj(on_nodes)), atol=1e-14)
    np.testing.assert_allclose(jq.from_position_basis(jq.to_position_basis(rho)), rho, atol=1e-13)
    kets = jnp.stack([psi, 2 * psi])
    np.testing.assert_allclose(jq.to_position_basis(kets, ket=True)[1], 2 * on_nodes, atol=1e-14)
    np.testing.assert_allclose(jq.to_density_matrix(kets, ket=True)[1], 4 * rho, atol=1e-14)
    assert jq.to_position_basis(psi.astype(jnp.complex64)).dtype == jnp.complex64


def test_hermite_functions():
    x = np.array([-7.0, -0.3, 0.0, 2.0, 20.0])
    got = jq.hermite_functions(12, x)
    for k in range(12):
        norm = np.sqrt(2.0**k * sp.factorial(k) * np.sqrt(np.pi))
        np.testing.assert_allclose(
            got[:, k], sp.eval_hermite(k, x) * np.exp(-(x**2) / 2) / norm, rtol=1e-11, atol=1e-80
        )
    # far out in float32: exp(-x²/2) underflows at x = 16, phi_140(16) does not
    double, single = jq.hermite_functions(160, 16.0), jq.hermite_functions(160, jnp.float32(16.0))
    assert float(jnp.abs(double[140])) > 0.05
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, double, atol=1e-4)
    # phi_k' = sqrt(k/2) phi_{k-1} - sqrt((k+1)/2) phi_{k+1}
    slope = jax.jacfwd(lambda x: jq.hermite_functions(6, x))(0.7)
    phi = jq.hermite_functions(7, 0.7)
    k = np.arange(1, 6)
    np.testing.assert_allclose(slope[1:], np.sqrt(k / 2) * phi[:5] - np.sqrt((k + 1) / 2) * phi[2:], atol=1e-14)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="`k` must be below n_levels = 3, but got 3"):
        jq.fock_state(3, 3)
    with pytest.raises(ValueError, match="`k`"):
        jq.fock_state(3, -1)
    with pytest.raises(ValueError, match="`alpha` must be finite"):
        jq.coherent_state(3, np.nan)
    with pytest.raises(ValueError, match="`mean_number`"):
        jq.thermal_state(3, -0.1)
    with pytest.raises(ValueError, match="`psi`"):
        jq.to_density_matrix(np.ones((2, 3)))
    with pytest.raises(ValueError, match="`x` must be real"):
        jq.hermite_functions(3, 1j)
