"""Wigner functions against closed forms and against displaced parity by matrix exponentials."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg as sl
import scipy.special as sp

import jaxtls.quantum as jq

wigner = jax.jit(jq.wigner)
XS, PS = np.linspace(-4, 4, 13), np.linspace(-3.5, 3.5, 11)


def test_coherent_state_sits_where_it_should():
    alpha = 1.1 - 0.7j
    want = np.exp(-((XS[:, None] - np.sqrt(2) * alpha.real) ** 2) - (PS - np.sqrt(2) * alpha.imag) ** 2) / np.pi
    psi = jq.coherent_state(30, alpha)
    np.testing.assert_allclose(wigner(psi, XS, PS), want, atol=1e-13)
    np.testing.assert_allclose(wigner(jq.to_density_matrix(psi), XS, PS), want, atol=1e-13)


def test_random_state_against_displaced_parity():
    """W(x, p) = Tr[rho D(alpha) (-1)^n D(alpha)†]/pi, alpha = (x + ip)/sqrt(2), in a larger space."""
    rng = np.random.default_rng(0)
    g = rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6))
    rho = g @ g.conj().T / np.trace(g @ g.conj().T).real
    n = 70
    a = np.diag(np.sqrt(np.arange(1, n)), 1)
    parity = np.diag((-1.0) ** np.arange(n))
    xs, ps = np.array([-1.3, 0.0, 0.9]), np.array([-0.4, 1.7])
    got = wigner(rho, xs, ps)
    assert got.shape == (3, 2)
    for i, x in enumerate(xs):
        for j, p in enumerate(ps):
            alpha = (x + 1j * p) / np.sqrt(2)
            d = sl.expm(alpha * a.T - np.conj(alpha) * a)
            want = np.trace(rho @ (d @ parity @ d.conj().T)[:6, :6]).real / np.pi
            np.testing.assert_allclose(got[i, j], want, atol=1e-13)
    marginal = wigner(rho, xs, np.linspace(-9, 9, 181)).sum(1) * 0.1
    phi = np.asarray(jq.hermite_functions(6, xs))
    np.testing.assert_allclose(marginal, np.einsum("xm,mn,xn->x", phi, rho, phi).real, atol=1e-12)


@pytest.mark.parametrize("n", [5, pytest.param(199, marks=pytest.mark.slow)])
def test_fock_states_out_to_the_far_field(n):
    grid = np.linspace(-30, 30, 25)
    r2 = grid[:, None] ** 2 + grid**2
    with np.errstate(all="ignore"):
        want = np.nan_to_num(np.exp(-r2 / 2) * sp.eval_laguerre(n, 2 * r2) * np.exp(-r2 / 2)) * (-1) ** n / np.pi
    psi = jq.fock_state(n + 1, n)
    np.testing.assert_allclose(wigner(psi, grid, grid), want, atol=1e-13)
    single = wigner(psi.astype(jnp.complex64), grid.astype(np.float32), grid.astype(np.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, want, atol=1e-5)


def test_integral_and_batches():
    grid = np.linspace(-8, 8, 81)
    cat = jq.coherent_state(40, 1.5) + jq.coherent_state(40, -1.5)
    rho = jnp.stack([jq.to_density_matrix(cat / jnp.linalg.norm(cat)), jq.thermal_state(40, 0.5)])
    w = jax.jit(jq.wigner)(rho, grid, grid)
    assert w.shape == (2, 81, 81)
    np.testing.assert_allclose(w.sum((1, 2)) * 0.2**2, [1, 1], atol=1e-12)
    assert float(w[0].min()) < -0.1
    mean = 0.5
    r2 = grid[:, None] ** 2 + grid**2
    np.testing.assert_allclose(w[1], np.exp(-r2 / (2 * mean + 1)) / np.pi / (2 * mean + 1), atol=1e-13)


def test_derivatives():
    def value(a):
        return wigner(jq.coherent_state(16, a), jnp.array([0.4]), jnp.array([0.3]))[0, 0]

    def exact(a):
        return jnp.exp(-((0.4 - jnp.sqrt(2) * a) ** 2) - 0.3**2) / jnp.pi

    slope = jax.jit(jax.grad(value))
    for a in (0.0, 0.6):
        np.testing.assert_allclose(slope(a), jax.grad(exact)(a), atol=1e-13)
    along_x = jax.grad(lambda x: wigner(jnp.array([1.0, 0.0]), x[None], jnp.array([0.2]))[0, 0])(jnp.asarray(0.5))
    np.testing.assert_allclose(along_x, -np.exp(-0.29) / np.pi, atol=1e-14)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="`xs` must be one-dimensional"):
        jq.wigner(np.eye(2), np.ones((2, 2)), PS)
    with pytest.raises(ValueError, match="`ps` must be real"):
        jq.wigner(np.eye(2), XS, PS * 1j)
    with pytest.raises(ValueError, match="`rho`"):
        jq.wigner(np.ones((2, 3)), XS, PS)
