"""Correlations and spectra: a decaying qubit in closed form, random equations by brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from numpy.testing import assert_allclose

import jaxtls as jt

from .oracle import kerr, null_state, random_problem, superoperator

SZ, SM, SX = np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
W, G, NB = 1.3, 0.4, 0.2
KAPPA, EXCITED = G * (2 * NB + 1) / 2, NB / (2 * NB + 1)
QUBIT = jt.Lindbladian(0.5 * W * SZ, [SM, SM.T], rates=[G * (NB + 1), G * NB])


@pytest.mark.parametrize("first", [0.0, 0.5])
def test_correlation_of_a_decaying_qubit(first):
    taus = jnp.linspace(first, 5.0, 6)
    found = jt.correlation(QUBIT, jt.steady_state(QUBIT), SM.T, SM, taus)
    assert_allclose(found, EXCITED * jnp.exp((1j * W - KAPPA) * taus), atol=1e-7)


def test_spectrum_of_a_decaying_qubit():
    omegas = jnp.linspace(-3, 3, 7)
    want = lambda w: 2 * EXCITED * KAPPA / (KAPPA**2 + (omegas - w) ** 2)
    rho = jt.steady_state(QUBIT)
    for method in ("direct", "iterative"):
        assert_allclose(jt.spectrum(QUBIT, rho, SM.T, SM, omegas, method=method), want(W), rtol=1e-8)
    # The connected part of sz: <sz>^2 is taken off, and the equation at omega = 0 is regular.
    variance = 1 - (2 * EXCITED - 1) ** 2
    found = jt.spectrum(QUBIT, rho, SZ, SZ, 0.0)
    assert found.shape == ()
    assert_allclose(found, 2 * variance / (2 * KAPPA), rtol=1e-8)


def test_correlations_and_spectra_of_random_equations():
    n, taus = 3, np.linspace(0.0, 60.0, 6001)
    h, jumps, _ = random_problem(n, 2, seed=1)
    jumps = [0.3 * op for op in jumps]
    h = 0.3 * h
    (a, b), omegas = np.random.default_rng(4).normal(size=(2, n, n)), np.array([-1.0, 0.0, 0.7])
    lindbladian = jt.Lindbladian(h, jumps)
    s = superoperator(h, jumps)
    rho = null_state(s)
    step, powers = scipy.linalg.expm(s * taus[1]), [(b @ rho).reshape(-1), (a.T @ rho).reshape(-1)]
    forward, backward = [], []
    for _ in taus:
        forward.append(np.trace(a @ powers[0].reshape(n, n)))
        backward.append(np.trace(b.T @ powers[1].reshape(n, n)))
        powers = [step @ v for v in powers]
    found = jt.correlation(lindbladian, rho, a, b, taus[:301:100])
    assert_allclose(found, np.array(forward)[:301:100], atol=1e-7)
    product = np.trace(a @ rho) * np.trace(b @ rho)
    forward, backward = np.array(forward) - product, (np.array(backward) - product.conj()).conj()
    assert abs(forward[-1]) < 1e-8
    wave = np.exp(-1j * np.outer(omegas, taus))
    simpson = scipy.integrate.simpson
    want = simpson(wave * forward, x=taus) + simpson(wave.conj() * backward, x=taus)
    assert_allclose(jt.spectrum(lindbladian, rho, a, b, omegas), want.real, atol=1e-6)


def test_power_spectra_are_positive_and_integrate_to_the_variance():
    lindbladian = jt.Lindbladian(*kerr(4))
    rho, x = jt.steady_state(lindbladian), np.diag(np.sqrt(np.arange(1.0, 4)), 1)
    x = x + x.T
    omegas = jnp.tan(jnp.linspace(-1, 1, 202)[1:-1] * jnp.pi / 2)
    found = jt.spectrum(lindbladian, rho, x, x, omegas)
    assert float(jnp.min(found)) > 0
    # d omega = (1 + omega^2) d angle: the Lorentzian tails become a smooth periodic function.
    total = jnp.sum(found * (1 + omegas**2)) * (jnp.pi / 201) / (2 * jnp.pi)
    # The trapezoid's two ends hold the tail's constant.
    total = total + found[0] * (1 + omegas[0] ** 2) * (jnp.pi / 201) / (2 * jnp.pi)
    variance = jnp.trace(x @ x @ rho) - jnp.trace(x @ rho) ** 2
    assert_allclose(total, variance.real, rtol=1e-3)


@pytest.mark.slow
def test_spectra_from_sparse_factors():
    lindbladian = jt.Lindbladian(*kerr(22))
    rho, a = jt.steady_state(lindbladian), np.diag(np.sqrt(np.arange(1.0, 22)), 1)
    found = [jt.spectrum(lindbladian, rho, a.T, a, jnp.array([-0.4, 1.0]), method=m) for m in ("auto", "iterative")]
    assert_allclose(*found, rtol=1e-8)


I2 = np.eye(2)


@pytest.mark.parametrize("method", ["direct", pytest.param("iterative", marks=pytest.mark.slow)])
def test_undamped_parts_that_a_and_b_do_not_see(method):
    """Pure dephasing keeps the populations; an idle qubit turns for ever beside a damped one."""
    dephasing, omegas = jt.Lindbladian(0 * SZ, [SZ], rates=[0.3]), np.array([0.0, 0.1])
    found = jt.spectrum(dephasing, I2 / 2, SM.T, SM, omegas, method=method)
    assert_allclose(found, 0.6 / (omegas**2 + 0.36), rtol=1e-7)
    pair, rho = idle_beside_damped(0.7), np.kron(np.diag([0.25, 0.75]), np.diag([0.4, 0.6]))
    omegas, lower = np.array([-0.7, 0.0, 0.7, 1.0]), np.kron(SM, I2)
    found = jt.spectrum(pair, rho, lower.T, lower, omegas, method=method)
    assert_allclose(found, 0.5 / ((omegas - 1) ** 2 + 1), rtol=1e-6)


def idle_beside_damped(idle, turn=None):
    operators = [0.5 * np.kron(SZ, I2) + idle / 2 * np.kron(I2, SZ), np.kron(SM, I2), np.kron(SM.T, I2)]
    h, *jumps = operators if turn is None else [turn @ op @ turn.T for op in operators]
    return jt.Lindbladian(h, jumps, rates=[1.5, 0.5])


def test_undamped_parts_in_a_basis_without_zeros():
    """B moves the idle qubit or A sees it, never both: no pattern tells."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    pair, rho = idle_beside_damped(0.7, turn), turn @ np.kron(np.diag([0.25, 0.75]), np.diag([0.4, 0.6])) @ turn.T
    lower, both = (turn @ op @ turn.T for op in (np.kron(SM, I2), np.kron(SM, I2 + 0.3 * SM) + np.kron(I2, SM)))
    omegas = np.array([-0.7, 0.0, 0.7, 1.0])
    found = jt.spectrum(pair, rho, lower.T, lower, omegas)
    assert_allclose(found, 0.5 / ((omegas - 1) ** 2 + 1), rtol=1e-6)
    for a, b in ((lower.T, both), (both.T, lower)):
        found = jt.spectrum(pair, rho, a, b, omegas)
        assert_allclose(found, 0.5 / ((omegas - 1) ** 2 + 1), rtol=1e-6)


def test_a_line_without_width():
    """Both see the idle coherence: nothing beside the line, far more than any width gives on it."""
    rho, lower = np.kron(np.diag([0.25, 0.75]), np.diag([0.4, 0.6])), np.kron(I2, SM)
    found = jt.spectrum(idle_beside_damped(0.7), rho, lower.T, lower, np.array([0.5, 0.7]))
    assert abs(float(found[0])) < 1e-6 and float(found[1]) > 1e6


def test_a_state_that_moves_is_refused():
    with pytest.raises(ValueError, match=r"`rho` must be at rest"):
        jt.spectrum(QUBIT, np.array([1.0, 0]), SM.T, SM, 0.0)


def test_an_equation_that_depends_on_time():
    """<sz(t + tau) sz(t)> under H = cos(t) sx."""
    lindbladian = jt.Lindbladian(jt.modulated(jnp.cos, SX), [])
    taus, t = jnp.linspace(0.0, 2.0, 3), 0.6
    found = jt.correlation(lindbladian, jnp.array([1.0, 0.0]), SZ, SZ, taus, t=t)
    assert_allclose(found, jnp.cos(2 * (jnp.sin(t + taus) - jnp.sin(t))), atol=1e-7)


@pytest.mark.slow
def test_gradient_of_a_spectrum():
    def peak(g, omega):
        lindbladian = jt.Lindbladian(0.5 * W * SZ, [SM, SM.T], rates=jnp.stack([g * (NB + 1), g * NB]))
        return jt.spectrum(lindbladian, jt.steady_state(lindbladian), SM.T, SM, omega)

    want = lambda g, w: 2 * EXCITED * (g * 0.7) / ((g * 0.7) ** 2 + (w - W) ** 2)
    for k in (0, 1):
        assert_allclose(jax.grad(peak, k)(0.4, 1.0), jax.grad(want, k)(0.4, 1.0), rtol=1e-7)
    assert_allclose(jax.jvp(peak, (0.4, 1.0), (1.0, 0.0))[1], jax.grad(want)(0.4, 1.0), rtol=1e-7)


def test_refusals():
    rho = np.eye(2) / 2
    for call, name in (
        (lambda: jt.correlation(SZ, rho, SM, SM, [0.0, 1.0]), "lindbladian"),
        (lambda: jt.correlation(QUBIT, rho, SM, np.eye(3), [0.0, 1.0]), "b"),
        (lambda: jt.correlation(QUBIT, rho, SM, SM, [-1.0, 1.0]), "taus"),
        (lambda: jt.correlation(QUBIT, np.eye(3), SM, SM, [0.0, 1.0]), "rho"),
        (lambda: jt.spectrum(jt.Lindbladian(jt.modulated(jnp.cos, SZ), []), rho, SM, SM, 0.0), "lindbladian"),
        (lambda: jt.spectrum(QUBIT, rho, SM, SM, np.nan), "omegas"),
    ):
        with pytest.raises(ValueError, match=rf"`{name}`"):
            call()
