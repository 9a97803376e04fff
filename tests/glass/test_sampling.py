"""The sampler's distributions, units and gradients; random states."""

import jax
import numpy as np
import pytest

import jaxtls as jt

EV, HBAR = 1.602176634e-19, 1.054571817e-34


def draws(n_tls, count, **options):
    keys = jax.random.split(jax.random.key(0), count)
    return jax.vmap(lambda k: jt.TLSGlass.sample(k, n_tls, **options))(keys)


@pytest.mark.slow
def test_moments():
    glasses = draws(8, 1500, tunnelling=0.2, decades=1.0)
    x = (np.arange(4000) + 0.5) / 4000
    delta = 0.2 * 10 ** (x - 0.5)
    nu = 2 * np.sqrt(x[:, None] ** 2 + delta**2)
    found = np.asarray(glasses.frequencies)
    assert abs(found.mean() - nu.mean()) < 5 * nu.std() / np.sqrt(found.size)
    # log chi² + chi²' of one degree each: chi² of two degrees, mean of the log ln 2 - Euler's gamma
    rate = 953.8101677380215 * delta**2 * nu
    want = np.mean(np.log(rate)) + np.log(2) - np.euler_gamma
    logs = np.log(np.asarray(glasses.rates))
    assert abs(logs.mean() - want) < 5 * logs.std() / np.sqrt(logs.size)
    J, positions = np.asarray(glasses.couplings), np.asarray(glasses.positions)
    np.testing.assert_array_equal(J, J.swapaxes(1, 2))
    assert positions.min() >= 0 and positions.max() <= 2.0
    np.testing.assert_allclose(glasses.box, 2.0)
    separation = positions[:, :, None] - positions[:, None]
    separation -= 2.0 * np.round(separation / 2.0)
    distance = np.linalg.norm(separation, axis=-1)[:, *np.triu_indices(8, 1)]
    pairs = J[:, *np.triu_indices(8, 1)] * distance**3
    bias = np.mean(x[:, None] ** 2 / nu**2)
    spread = 127.4971655037172**2 * 2 * bias**2
    assert abs(np.mean(pairs**2) / spread - 1) < 0.05
    assert abs(np.mean(np.sign(pairs))) < 0.03


def test_each_polarization_has_its_own_speed():
    """J is a sum over the two of 1/v², Y of 1/v⁵; an infinitely fast one adds nothing."""
    key, never = jax.random.key(2), 1e12
    sample = lambda v_l, v_t: jt.TLSGlass.sample(key, 5, speed_longitudinal=v_l, speed_transverse=v_t)
    both, first, second = sample(5000.0, 3000.0), sample(5000.0, never), sample(never, 3000.0)
    for name, power in (("couplings", 2), ("rates", 5)):
        got = lambda g, name=name: np.asarray(getattr(g, name))
        np.testing.assert_allclose(got(both), got(first) + got(second), rtol=1e-12)
        np.testing.assert_allclose(got(sample(10000.0, never)), got(first) / 2**power, rtol=1e-12)
        np.testing.assert_allclose(got(sample(never, 6000.0)), got(second) / 2**power, rtol=1e-12)


def test_units_and_polarizations():
    """J and Y in SI from their formulas, against a glass whose constants all differ from the defaults."""
    key = jax.random.key(5)
    default = jt.TLSGlass.sample(key, 4, dissipation=1.0)
    solid = {
        "energy_width": 0.5,
        "deformation_potential": 2.0,
        "density": 3000.0,
        "spacing": 2e-8,
        "compression": 500.0,
    }
    other = jt.TLSGlass.sample(key, 4, speed_longitudinal=6000.0, speed_transverse=6000.0, **solid)

    def scales(W, gamma, rho, l, v):
        W, gamma = W * EV, gamma * EV
        coupling = gamma**2 / (8 * np.pi * rho * l**3 * v**2) / W
        return coupling, gamma**2 * W**3 / (30 * np.pi * rho * HBAR**4 * v**5) / (W / HBAR)

    J0, Y0 = scales(1.0, 1.0, 2000.0, 1e-11, 5000.0)
    np.testing.assert_allclose([J0, Y0], [127.497166, 953.810168], rtol=1e-8)
    J1, Y1 = scales(0.5, 2.0, 3000.0, 4e-11, 6000.0)
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose((other.couplings / default.couplings)[off], J1 / J0, rtol=1e-12)
    np.testing.assert_allclose(other.rates / default.rates, Y1 / Y0, rtol=1e-12)
    # only the longitudinal half of the noise is left when the transverse sound is fast
    fast = jt.TLSGlass.sample(key, 4, speed_transverse=1e9)
    assert np.all(fast.rates < default.rates)


def test_temperature_is_the_bose_function():
    key = jax.random.key(0)
    glass = jt.TLSGlass.sample(key, 5, temperature=0.7)
    np.testing.assert_allclose(glass.occupation, 1 / np.expm1(glass.frequencies / 0.7))
    warm = lambda T: jt.TLSGlass.sample(key, 5, temperature=T).occupation.sum()
    slope = jax.grad(warm)
    np.testing.assert_allclose(slope(0.7), (warm(0.7 + 1e-6) - warm(0.7 - 1e-6)) / 2e-6, rtol=1e-7)
    assert slope(0.0) == 0 and slope(1e-9) == 0
    assert float(jax.jit(warm)(0.0)) == 0


def test_initial_states_are_uniform_on_the_sphere():
    v = np.asarray(jt.random_bloch_vectors(jax.random.key(0), 20000))
    np.testing.assert_allclose(np.linalg.norm(v, axis=1), 1)
    np.testing.assert_allclose(v.T @ v / len(v), np.eye(3) / 3, atol=0.01)


@pytest.mark.parametrize(
    "n, want", [(2, 3 * np.pi / 16), (4, 0.1255), pytest.param(5, 0.01442, marks=pytest.mark.slow)]
)
def test_random_states(n, want):
    found = jt.random_state_concurrence(jax.random.key(n), n, 40000)
    np.testing.assert_allclose(found, want, rtol=0.04)


def test_random_states_against_state_vectors():
    rng = np.random.default_rng(0)
    psi = rng.normal(size=(4000, 4, 8)) + 1j * rng.normal(size=(4000, 4, 8))
    psi /= np.linalg.norm(psi, axis=(1, 2), keepdims=True)
    c = np.asarray(jt.concurrence(psi @ psi.conj().swapaxes(1, 2)))
    found = jt.random_state_concurrence(jax.random.key(9), 5, 40000)
    assert abs(found - c.mean()) < 5 * c.std() / np.sqrt(len(c))


def test_fit_of_random_states():
    n = np.arange(2, 7)
    fit = jt.fit_random_states(n, np.exp(-0.2 * 2 ** (0.9 * n)), 1e-3 * np.exp(-0.2 * 2 ** (0.9 * n)))
    np.testing.assert_allclose([fit.a, fit.b], [0.2, 0.9], rtol=1e-10)
    assert 0 < fit.a_error < 0.01 and 0 < fit.b_error < 0.01
    for bad in ({"mean": [0.1, 0.2]}, {"mean": [0.1, 0.2, 0.0]}, {"sem": [1.0]}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            jt.fit_random_states(**({"n_tls": [2, 3, 4], "mean": [0.5, 0.3, 0.1]} | bad))
