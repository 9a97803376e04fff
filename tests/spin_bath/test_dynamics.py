"""Moments, Fock states and the exact Gaussian reference of `SpinBathOscillator`."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.models.spin_bath.model import symplectic_eigenvalue

NAMES = ("x", "p", "x2", "p2", "xp")


def bath(g0=0.05, cutoff=5.0, temperature=0.5, omega_0=1.2, mass=1.5, **options):
    density = jt.OhmicSpectralDensity(g0, cutoff, mass)
    return jt.SpinBathOscillator(omega_0, density, temperature, mass=mass, **options)


def table(sol):
    return np.stack([sol.observables[name] for name in NAMES], 1)


def dense_liouvillian(b, n):
    """Eq. 23 literally, with dense matrices, row-major vec: A rho B -> (A kron B^T)."""
    c = b.coefficients
    a = np.diag(np.sqrt(np.arange(1, n)), 1)
    W, M = float(b.omega_0), float(b.mass)
    x, p = (a + a.T) / np.sqrt(2 * M * W), 1j * np.sqrt(M * W / 2) * (a.T - a)
    h = W * np.diag(np.arange(n)) + M * float(c.frequency_shift) / 2 * x @ x
    eye = np.eye(n)
    left, right = (lambda o: np.kron(o, eye)), (lambda o: np.kron(eye, o.T))
    comm, anti = (lambda o: left(o) - right(o)), (lambda o: left(o) + right(o))
    g, d, f = float(c.damping), float(c.diffusion), float(c.anomalous)
    return -1j * comm(h) - 1j * g * comm(x) @ anti(p) - d * comm(x) @ comm(x) - f * comm(x) @ comm(p)


def test_fock_generator_is_eq_23():
    b = bath()
    n = 9
    rng = np.random.default_rng(0)
    rho = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))  # not Hermitian: both sides must be right
    found = b.fock(n).vector_field(0.0, jnp.asarray(rho))
    assert_allclose(found, (dense_liouvillian(b, n) @ rho.reshape(-1)).reshape(n, n), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", ["spin", pytest.param("oscillator", marks=pytest.mark.slow)])
def test_moments_agree_with_fock_and_with_the_exact_propagator(kind):
    b = bath(bath=kind)
    fock = b.fock(36)
    rho0 = fock.coherent_state(0.7 - 0.4j)
    ts = jnp.linspace(0.0, 5.0, 6)
    y0 = fock.moments(rho0)
    expected = b.propagate(y0, ts)
    assert_allclose(table(jt.evolve(b, y0, ts, rtol=2e-8, atol=1e-10)), expected, atol=1e-6)
    sol = jt.evolve(fock, rho0, ts, rtol=2e-8, atol=1e-10)
    assert_allclose(table(sol), expected, atol=1e-6)
    assert not sol.concerns()


def test_propagator_is_the_matrix_exponential_in_scipy():
    b = bath()
    c = b.coefficients
    m, k, g = 1.5, 1.5 * (1.44 + float(c.frequency_shift)), float(c.damping)
    a = np.zeros((6, 6))
    a[0, 1], a[1, :2] = 1 / m, (-k, -2 * g)
    a[2, 4], a[3, 3:5], a[4, 2:5] = 1 / m, (-4 * g, -k), (-2 * k, 2 / m, -2 * g)
    a[3, 5], a[4, 5] = 2 * float(c.diffusion), -2 * float(c.anomalous)
    y0 = b.moments_state(x=1.0, p=-0.5)
    ts = np.array([0.0, 0.3, 2.0, 40.0, 1e5])
    expected = [(scipy.linalg.expm(a * t) @ np.append(y0, 1))[:5] for t in ts]
    assert_allclose(b.propagate(y0, ts), expected, rtol=1e-8, atol=1e-9)
    assert_allclose(b.propagate(y0, ts)[-1], b.steady_state(), atol=1e-9)


def test_steady_state_of_weak_coupling_is_thermal():
    for kind in ("spin", "oscillator"):
        b = bath(g0=1e-7, bath=kind, temperature=0.8)
        n = 0.5 / np.tanh(1.2 / 1.6)
        assert_allclose(b.steady_state()[jnp.array([2, 3])], [n / (1.5 * 1.2), n * 1.5 * 1.2], rtol=1e-5)


def test_instability_is_refused_and_the_counter_term_helps():
    unstable = bath(cutoff=20.0, omega_0=1.0, mass=1.0, temperature=0.0)
    assert float(unstable.coefficients.frequency_shift) < -1  # the numbers themselves can be had
    for call in (unstable.moments_state, unstable.steady_state, lambda: unstable.fock(10)):
        with pytest.raises(ValueError, match=r"omega_0\^2 \+ frequency_shift must be > 0.*counter_term=True"):
            call()
    held = bath(cutoff=20.0, omega_0=1.0, mass=1.0, temperature=0.0, counter_term=True)
    assert_allclose(held.steady_state()[3], held.coefficients.diffusion / (2 * held.coefficients.damping))
    assert float(held.stiffness) == 1.0
    # the stated limit on gamma_0 is sharp
    limit = (25 + 1.44) * 1.44 / (2 * 125)
    assert bool(bath(g0=0.999 * limit, temperature=0.0).stable) and not bool(
        bath(g0=1.001 * limit, temperature=0.0).stable
    )


def test_instability_inside_jit_is_nan():
    @jax.jit
    def run(g0):
        b = bath(g0=g0, cutoff=20.0, omega_0=1.0, mass=1.0)
        return b.vector_field(0.0, jnp.ones(5))

    assert np.all(np.isfinite(run(0.001)))
    assert np.all(np.isnan(run(0.5)[1]))


def test_positivity_violation_is_reported():
    # A pure state goes negative at once iff 2 D Var x + 2 f Cov < gamma.
    squeezed = bath(temperature=0.0)
    c = squeezed.coefficients
    narrow = 0.2 * float(c.damping / (2 * c.diffusion))
    y0 = squeezed.moments_state(x2=narrow, p2=1 / (4 * narrow), xp=0.0)
    with pytest.warns(UserWarning, match="positivity_error"):
        sol = jt.evolve(squeezed, y0, jnp.linspace(0.0, 0.05, 4))
    assert float(sol.diagnostics["positivity_error"]) > 1e-6
    wide = squeezed.moments_state(x2=20 * narrow, p2=1 / (80 * narrow), xp=0.0)
    assert not jt.evolve(squeezed, wide, jnp.linspace(0.0, 0.05, 4)).concerns()

    # the criterion is the derivative of the determinant
    def determinant(t, y):
        return symplectic_eigenvalue(y + t * squeezed.vector_field(0.0, y)) ** 2

    y = squeezed.moments_state(x2=0.3, p2=(1 + 0.4**2) / 1.2, xp=0.4)
    slope = jax.grad(determinant)(0.0, y)
    assert_allclose(slope, 2 * c.diffusion * 0.3 + 2 * c.anomalous * 0.2 - c.damping, rtol=1e-9)


def test_wigner_function_has_the_moments_of_the_state():
    b = bath()
    fock = b.fock(16)
    rho = fock.coherent_state(0.4 + 0.3j)
    xs = jnp.linspace(-6, 6, 61)
    w = fock.wigner(rho, xs, xs)
    cell = 0.2**2
    unit = np.sqrt(1.5 * 1.2)
    assert_allclose(jnp.sum(w) * cell, 1.0, rtol=1e-8)
    assert_allclose(jnp.sum(w * xs[:, None]) * cell / unit, fock.moments(rho)[0], rtol=1e-7)
    assert_allclose(jnp.sum(w * xs[None, :] ** 2) * cell * unit**2, fock.moments(rho)[3], rtol=1e-7)


@pytest.mark.slow
def test_born_markov_error_falls_with_coupling():
    errors = []
    for g0 in (4e-3, 2e-3, 1e-3):
        b = bath(g0=g0)
        y0, ts = b.moments_state(x=1.0), jnp.linspace(0.0, 12.0, 7)
        exact = jt.exact_bath_moments(b, y0, ts)
        assert np.all(np.abs(exact[0] - y0) < 1e-10)
        errors.append(np.abs(exact - b.propagate(y0, ts)).max())
    assert np.all(np.array(errors) < [0.05, 0.025, 0.0125])
    assert_allclose(np.log2(errors[0] / errors[2]), 2.0, atol=0.35)


@pytest.mark.slow
def test_finite_time_coefficients_beat_the_markov_form():
    b = bath(g0=2e-3)
    y0, ts = b.moments_state(x=1.0), jnp.linspace(0.0, 12.0, 7)
    exact = jt.exact_bath_moments(b, y0, ts)
    density = jt.discretize(b.spectral_density, 400, scale=b.omega_0)
    timed = dataclasses.replace(b, spectral_density=density, time_dependent=True)
    found = table(jt.evolve(timed, y0, ts, rtol=2e-8, atol=1e-10))
    assert np.abs(found - exact).max() < np.abs(b.propagate(y0, ts) - exact).max() / 5


def test_exact_reference_against_brute_force_quadratures():
    """Two bath modes: symplectic exponential of the whole in SciPy."""
    density = jt.DiscreteSpectralDensity([0.2, 0.1], [0.7, 1.9])
    b = jt.SpinBathOscillator(1.2, density, 0.5, mass=1.5)
    w = np.array([0.7, 1.9])
    tanh = np.tanh(w / 1.0)
    c = np.sqrt(2 * w * np.array([0.04, 0.01]) * tanh)
    a = np.zeros((6, 6))  # X, q1, q2, P, p1, p2
    a[0, 3], a[1, 4], a[2, 5] = 1 / 1.5, 1, 1
    a[3, 0], a[3, 1:3] = -1.5 * 1.44, -c
    a[4, 0], a[5, 0] = -c
    a[4, 1], a[5, 2] = -(w**2)
    sigma = np.diag([1 / 3.6, *(1 / tanh / (2 * w)), 0.9, *(w / tanh / 2)])
    mean = np.array([1.0, 0, 0, 0.3, 0, 0])
    y0, ts = b.moments_state(x=1.0, p=0.3), np.array([0.0, 1.0, 5.0])
    for t, found in zip(ts, jt.exact_bath_moments(b, y0, ts)):
        e = scipy.linalg.expm(a * t)
        m, s = e @ mean, e @ sigma @ e.T
        expected = [m[0], m[3], s[0, 0] + m[0] ** 2, s[3, 3] + m[3] ** 2, 2 * (s[0, 3] + m[0] * m[3])]
        assert_allclose(found, expected, rtol=2e-8, atol=1e-10)


def test_exact_reference_refuses_times_beyond_recurrence():
    b = bath(g0=1e-3)
    with pytest.raises(ValueError, match=r"`ts` must span at most .* Raise n_modes"):
        jt.exact_bath_moments(b, b.moments_state(), jnp.linspace(0.0, 1e3, 3))


@pytest.mark.slow
def test_gradients_through_evolve_match_differences():
    ts = jnp.linspace(0.0, 3.0, 4)

    def late(v):
        b = bath(*v)
        return jt.evolve(b, b.moments_state(x=1.0), ts).observables["x2"][-1]

    def exact(v):
        return bath(*v).propagate(bath(*v).moments_state(x=1.0), ts)[-1, 2]

    at = jnp.array([0.03, 5.0, 0.4, 1.2, 1.5])
    gradient = jax.jit(jax.grad(exact))(at)
    f = jax.jit(exact)
    numeric = [(f(at + h) - f(at - h)) / 2e-4 for h in 1e-4 * np.eye(5)]
    assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-8)
    assert_allclose(jax.jit(jax.grad(late))(at), gradient, rtol=1e-3, atol=1e-6)


def test_bad_moments_are_refused():
    with pytest.raises(ValueError, match=r"Var X Var P"):
        bath().moments_state(x2=0.01, p2=0.01, xp=0.0)
    with pytest.raises(ValueError, match="DiscreteSpectralDensity"):
        bath().coefficients_at(1.0)
    with pytest.raises(ValueError, match="n_levels"):
        bath().fock(2)
