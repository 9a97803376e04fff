"""Single TLSs: finite-time coefficients against integrals and against exact small baths of spins."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from numpy.testing import assert_allclose

import jaxtls as jt

COUPLINGS, ASYMMETRIES, TUNNELLINGS = np.array([0.3, 0.3, 0.2]), np.array([0.4, -0.4, 0.0]), np.array([0.7, 0.7, 1.3])
T, W, M = 0.6, 1.1, 1.4


def density(scale=1.0):
    return jt.DiscreteSpectralDensity(scale * COUPLINGS, TUNNELLINGS, ASYMMETRIES)


def model(scale=1.0, **options):
    return jt.SpinBathOscillator(W, density(scale), T, mass=M, time_dependent=True, **options)


@pytest.mark.parametrize("bath", ["spin", "oscillator"])
@pytest.mark.parametrize("t", [0.0, 0.7, 12.0])
def test_finite_time_is_eq_24_cut_at_t(bath, t):
    w = np.hypot(ASYMMETRIES, TUNNELLINGS)
    weight = (COUPLINGS * TUNNELLINGS / w) ** 2
    tanh = np.tanh(w / (2 * T))
    c0 = np.sum((COUPLINGS * ASYMMETRIES / w) ** 2 * (1 - tanh**2)) if bath == "spin" else 0.0
    eta_w, nu_w = (weight * tanh, weight) if bath == "spin" else (weight, weight / tanh)

    def integral(f):
        return scipy.integrate.quad(f, 0, t, epsabs=1e-13, epsrel=1e-12, limit=500)[0]

    def eta(s):
        return np.sum(eta_w * np.sin(w * s))

    def nu(s):
        return c0 + np.sum(nu_w * np.cos(w * s))

    expected = {
        "frequency_shift": -2 / M * integral(lambda s: eta(s) * np.cos(W * s)),
        "damping": integral(lambda s: eta(s) * np.sin(W * s)) / (M * W),
        "diffusion": integral(lambda s: nu(s) * np.cos(W * s)),
        "anomalous": -integral(lambda s: nu(s) * np.sin(W * s)) / (M * W),
    }
    found = model(bath=bath).coefficients_at(t)
    for name, value in expected.items():
        assert_allclose(getattr(found, name), value, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("counter_term", [False, True])
def test_density_matrices_move_with_the_coefficients_of_their_time(counter_term):
    b = model(0.3, counter_term=counter_term)
    fock = b.fock(30)
    rho = fock.coherent_state(0.4 + 0.2j)
    early, late = (fock.moments(fock.vector_field(t, rho)) for t in (0.3, 5.0))
    for t, slope in ((0.3, early), (5.0, late)):
        assert_allclose(slope, b.vector_field(t, fock.moments(rho)), atol=1e-10)
    assert np.max(np.abs(early - late)) > 1e-3


def test_settled_coefficients_are_the_time_average():
    b = model()
    ts = jnp.linspace(0.0, 4000.0, 40_001)
    late = jax.vmap(b.coefficients_at)(ts)
    mean = b.coefficients
    for name in ("frequency_shift", "damping", "diffusion", "anomalous"):
        assert_allclose(np.mean(getattr(late, name)), getattr(mean, name), atol=2e-3, err_msg=name)


def test_on_resonance_nothing_diverges_at_finite_times():
    b = jt.SpinBathOscillator(1.0, jt.DiscreteSpectralDensity([0.1], [1.0]), 0.5, time_dependent=True)
    slope = jax.grad(lambda omega: jt.SpinBathOscillator(
        omega, jt.DiscreteSpectralDensity([0.1], [1.0]), 0.5, time_dependent=True
    ).coefficients_at(3.0).damping)(1.0)  # fmt: skip
    assert np.isfinite(slope) and np.isfinite(b.coefficients_at(3.0).damping)
    with pytest.raises(ValueError, match="exactly at omega_0"):
        _ = b.coefficients


def exact_small_bath(scale, ts, levels=14, alpha=0.5):
    """<X>, <P>, <X^2>, <P^2> of oscillator (x) spins by diagonalisation of the whole, in NumPy."""
    a = np.diag(np.sqrt(np.arange(1, levels)), 1)
    x, p = (a + a.T) / np.sqrt(2 * M * W), 1j * np.sqrt(M * W / 2) * (a.T - a)
    sz, sx, one = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.eye(2)

    def embed(op, j):
        out = np.eye(1)
        for i in range(3):
            out = np.kron(out, op if i == j else one)
        return out

    bath = sum(ASYMMETRIES[j] / 2 * embed(sz, j) + TUNNELLINGS[j] / 2 * embed(sx, j) for j in range(3))
    force = sum(scale * COUPLINGS[j] * embed(sz, j) for j in range(3))
    h = np.kron(W * np.diag(np.arange(levels)), np.eye(8)) + np.kron(np.eye(levels), bath) + np.kron(x, force)
    e, v = np.linalg.eigh(bath)
    thermal = (v * np.exp(-(e - e[0]) / T)) @ v.T
    k = np.arange(levels)
    ket = np.exp(-(alpha**2) / 2) * alpha**k / np.sqrt([float(np.prod(np.arange(1, n + 1))) for n in k])
    rho = np.kron(np.outer(ket, ket), thermal / np.trace(thermal))
    energy, vectors = np.linalg.eigh(h)
    rho = vectors.T @ rho @ vectors
    ops = [vectors.conj().T @ np.kron(op, np.eye(8)) @ vectors for op in (x, p, x @ x, (p @ p), x @ p + p @ x)]
    found = []
    for t in ts:
        phase = np.exp(-1j * energy * t)
        moved = phase[:, None] * rho * phase.conj()
        found.append([np.sum(op.T * moved).real for op in ops])
    return np.array(found)


@pytest.mark.slow
def test_finite_time_equation_is_exact_to_third_order():
    # The two asymmetric spins push against each other, so that the mean force is zero as Eq. 12 asks.
    ts = np.linspace(0.0, 4.0, 5)
    errors, effects = [], []
    for scale in (0.1, 0.05):
        b = model(scale)
        y0 = b.moments_state(x=0.5 * np.sqrt(2 / (M * W)))
        sol = jt.evolve(b, y0, jnp.asarray(ts), rtol=2e-8, atol=1e-12)
        found = np.stack([sol.observables[name] for name in ("x", "p", "x2", "p2", "xp")], 1)
        exact = exact_small_bath(scale, ts)
        free = exact_small_bath(0.0, ts)
        assert_allclose(found[0], exact[0], atol=1e-9)
        errors.append(np.abs(found - exact).max(0))
        effects.append(np.abs(exact - free).max(0))
    # effect ~ g^2, error ~ g^4 (odd orders vanish)
    assert np.all(np.log2(effects[0] / effects[1]) < 2.3)
    assert np.all(np.log2(errors[0] / errors[1]) > 3.7)


@pytest.mark.slow
def test_papers_constant_correlation_would_miss_the_second_order(monkeypatch):
    ts = np.linspace(0.0, 4.0, 5)
    b = model(0.1)
    exact = exact_small_bath(0.1, ts)
    y0 = b.moments_state(x=0.5 * np.sqrt(2 / (M * W)))

    def error():
        found = jt.evolve(b, y0, jnp.asarray(ts), rtol=2e-8, atol=1e-10).observables["p2"]
        return np.abs(found - exact[:, 3]).max()

    right = error()
    wt = np.hypot(ASYMMETRIES, TUNNELLINGS)
    printed = float(np.sum((0.1 * COUPLINGS * ASYMMETRIES / wt) ** 2))
    monkeypatch.setattr(jt.DiscreteSpectralDensity, "static_correlation", lambda self, T: jnp.asarray(printed))
    jax.clear_caches()
    assert error() > 10 * right


def test_gradients_through_the_finite_bath():
    def late(v):
        bath = jt.DiscreteSpectralDensity(v[:2], v[2:4], v[4:6])
        b = jt.SpinBathOscillator(v[6], bath, v[7], time_dependent=True)
        c = b.coefficients_at(3.0)
        return c.frequency_shift + c.damping + c.diffusion + c.anomalous

    at = jnp.array([0.1, 0.15, 0.8, 1.6, 0.3, -0.2, 1.0, 0.5])
    gradient = jax.jit(jax.grad(late))(at)
    f = jax.jit(late)
    for i in range(8):
        h = np.zeros(8)
        h[i] = 1e-4
        assert_allclose(gradient[i], (f(at + h) - f(at - h)) / 2e-4, rtol=1e-6, atol=1e-9)


def test_discretize_keeps_the_moments_of_j():
    J = jt.OhmicSpectralDensity(0.05, 5.0)
    found = jt.discretize(J, 800, scale=1.0)
    # int J/w = gamma_0 L, to the share of the tail beyond 1e5; int_0^10 J
    assert_allclose(jnp.sum(found.weights / found.splittings), 0.25, rtol=1e-4)
    low = found.splittings < 10.0
    assert_allclose(jnp.sum(found.weights * low), 0.05 / np.pi * 25 * np.log(1 + 4.0), rtol=0.02)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (([0.1, 0.2], [1.0]), "tunnellings"),
        (([0.1], [0.0]), "splitting"),
        (([0.1], [1.0], [0.1, 0.2]), "asymmetries"),
    ],
)
def test_bad_input(arguments, words):
    with pytest.raises(ValueError, match=words):
        jt.DiscreteSpectralDensity(*arguments)


def test_static_correlation_is_a_sum_over_states():
    bath = density()
    T = 0.6
    total = 0.0
    for signs in itertools.product([1, -1], repeat=3):
        # in eigenstates: <sz_i> = s cos(theta_i); variance of the diagonal force
        w = np.hypot(ASYMMETRIES, TUNNELLINGS)
        weight = np.prod(np.exp(-np.array(signs) * w / (2 * T)) / (2 * np.cosh(w / (2 * T))))
        total += weight * np.sum(COUPLINGS * ASYMMETRIES / w * (signs + np.tanh(w / (2 * T)))) ** 2
    assert_allclose(bath.static_correlation(T), total, rtol=1e-12)
