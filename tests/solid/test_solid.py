"""The standard tunnelling model: silica's known numbers, integrals against SciPy, limits, noise, samples, gradients."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.models.solid import PRESETS, per_volume, response, sample, sampled_entropic_ratio

K, EV, HBAR = 1.380649e-23, 1.602176634e-19, 6.62607015e-34 / (2 * np.pi)
SILICA = {"gamma_l": 1.04, "gamma_t": 0.65, "v_l": 5800.0, "v_t": 3800.0, "density": 2200.0, "p_bar": 8e44}


@pytest.fixture
def silica():
    return jt.TunnellingSolid.preset("silica")


def quad(f, lo, hi):
    return scipy.integrate.quad(f, lo, hi, epsabs=1e-13, epsrel=1e-11, limit=2000)[0]


def gamma_max(E, T):
    p = SILICA
    channels = (p["gamma_l"] * EV) ** 2 / p["v_l"] ** 5 + 2 * (p["gamma_t"] * EV) ** 2 / p["v_t"] ** 5
    return channels * E**3 / np.tanh(E / (2 * K * T)) / (2 * np.pi * p["density"] * HBAR**4)


# --- known numbers of silica -----------------------------------------------------------------------------------------


def test_relaxation_rates_in_si(silica):
    energies = K * np.array([0.01, 0.3, 1.0, 20.0])
    assert_allclose(silica.max_relaxation_rate(energies, 0.7), gamma_max(energies, 0.7), rtol=1e-12)
    at_kt = silica.max_relaxation_rate(K * np.array([0.5, 2.0]), np.array([0.5, 2.0]))
    assert_allclose(at_kt, 1.05e8 * np.array([0.5, 2.0]) ** 3, rtol=5e-3)
    assert_allclose(silica.relaxation_rate(K, 0.3 * K, 1.0), 0.09 * gamma_max(K, 1.0), rtol=1e-12)


def test_the_papers_rate_needs_larger_gammas(silica):
    scaled = jt.TunnellingSolid(**{**SILICA, "gamma_l": 1.65 * 1.04, "gamma_t": 1.65 * 0.65})
    assert_allclose(scaled.max_relaxation_rate(K, 1.0), 2.86e8, rtol=0.01)
    full = jt.TunnellingSolid(**SILICA, convention="derivative")
    assert_allclose(full.max_relaxation_rate(K, 1.0), silica.max_relaxation_rate(K, 1.0) / 4, rtol=1e-12)
    same = jt.TunnellingSolid(**{**SILICA, "gamma_l": 2.08, "gamma_t": 1.3}, convention="derivative")
    assert_allclose(same.entropic_ratio(1e6, 1.0), silica.entropic_ratio(1e6, 1.0), rtol=1e-12)


def test_silica_is_of_the_measured_size(silica):
    assert_allclose(silica.tunnelling_strength(), 3.0e-4, rtol=0.01)
    assert_allclose(silica.tunnelling_strength("transverse"), 2.73e-4, rtol=0.01)
    # linear specific heat 1.0-1.3e-3 J/(kg K^2), and the plateau of internal friction
    assert 1.0e-3 < float(silica.specific_heat(0.3)) / 0.3 < 1.4e-3
    assert_allclose(silica.internal_friction(1e3, 1.0), np.pi / 2 * 3.0e-4, rtol=0.02)
    # R_S: nothing below the line Gamma_max(kT) = omega, a few tenths of a percent at most
    ratio = silica.entropic_ratio(np.array([1e4, 1e6, 1.0e8, 1.1e8]), 1.0)
    assert np.all(ratio[:3] > 0) and ratio[3] == 0
    assert 2e-3 < float(jnp.max(ratio)) < 4.5e-3


def test_every_number_of_a_preset_has_a_source():
    for preset in PRESETS.values():
        assert set(preset.sources) == set(preset.parameters) and preset.note
        # what was not compared with the print is said to be so
        assert set(preset.unconfirmed) <= set(preset.parameters)
        assert bool(preset.unconfirmed) == ("From memory" in preset.note)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_glasses(name):
    """The source prints gamma, v, rho, Pbar and C: each preset gives both C, and is as glasses are."""
    solid = jt.TunnellingSolid.preset(name)
    for polarization, published in zip(("longitudinal", "transverse"), PRESETS[name].strengths, strict=True):
        strength = float(solid.tunnelling_strength(polarization))
        assert 1e-4 < strength < 1e-3
        assert_allclose(strength, published, rtol=0.1)
    # the universal ratio of the deformation potentials, and elastic stability
    assert 1.44 <= float(solid.gamma_l / solid.gamma_t) <= 1.84
    assert float(solid.v_l) > 1.42 * float(solid.v_t)
    # linear specific heat of glasses: 1e-3 J/(kg K^2) within a factor of 5
    assert 2e-4 < float(solid.specific_heat(0.3)) / 0.3 < 5e-3
    # R_S by quadrature and as a sum over TLSs, halfway (in logarithms) from 1e4 /s to the line Gamma_max(kT) = omega
    T = 0.5
    omega = float(jnp.sqrt(1e4 * solid.max_relaxation_rate(K * T, T)))
    value, error = sampled_entropic_ratio(solid, jax.random.key(0), 20_000, omega, T)
    expected = float(solid.entropic_ratio(omega, T))
    assert 0 < float(error) < 0.01 * expected and abs(float(value) - expected) < 3.5 * float(error)


# --- the distribution ------------------------------------------------------------------------------------------------


def test_distribution_holds_pbar_artanh_of_tls(silica):
    E, T = 0.7 * K, 0.4
    top = gamma_max(E, T)
    edges = top * np.array([1e-9, 1e-4, 0.3, 0.9])
    # flat in ln Gamma far below the top; artanh sqrt(1 - u) TLSs (in Pbar) are faster than u top
    nodes, weights = np.polynomial.legendre.leggauss(60)
    for low, high in itertools.pairwise(edges):
        half = np.log(high / low) / 2
        rates = np.sqrt(low * high) * np.exp(half * nodes)
        number = half * np.sum(weights * rates * np.asarray(silica.distribution(E, rates, T))) / 8e44
        faster = np.arctanh(np.sqrt(1 - np.array([low, high]) / top))
        assert_allclose(number, faster[0] - faster[1], rtol=1e-8)
    beyond = silica.distribution(E, np.array([1.0, 2.0]) * top * (1 + 1e-12), T)
    assert np.all(beyond == 0)
    slope = jax.grad(lambda rate: silica.distribution(E, rate, T))
    h = 1e-5 * edges[2]
    numeric = (silica.distribution(E, edges[2] + h, T) - silica.distribution(E, edges[2] - h, T)) / (2 * h)
    assert_allclose(slope(edges[2]), numeric, rtol=1e-6)
    assert slope(2 * top) == 0


# --- integrals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("a", [1e-6, 1e-3, 0.5, 3.0, 29.0, 31.0, 1e4])
def test_relaxation_response(a):
    # u = 1 - w^2 takes the root away
    def integral(f):
        return quad(lambda w: w**2 * f(1 - w**2) / (a**2 + (1 - w**2) ** 2), 0, 1)

    if a < 1e-4:
        expected = np.pi / 4 - a / 2 * (1 - np.log(a / 4)) / 2, None
        assert_allclose(response.relaxation_response(jnp.array(a))[0], expected[0], atol=1e-5)
        return
    loss, dispersion = response.relaxation_response(jnp.array(a))
    assert_allclose(loss, integral(lambda u: a), rtol=1e-9)
    assert_allclose(dispersion, integral(lambda u: u), rtol=1e-8)


def test_slowest_energy():
    b = jnp.geomspace(1e-12, 1e12, 49)
    y = response.slowest_energy(b)
    assert_allclose(response.rate_shape(y), b, rtol=1e-12)
    _, slope = jax.jvp(response.slowest_energy, (b,), (jnp.ones_like(b),))
    _, inverse = jax.jvp(response.rate_shape, (y,), (jnp.ones_like(y),))
    assert_allclose(slope * inverse, 1.0, rtol=1e-10)


@pytest.mark.parametrize("omega, T", [(1e4, 0.1), (1e7, 1.0), (5e7, 1.0)])
def test_entropic_ratio_is_eq_28(silica, omega, T):
    """Eq. 28 as integrals over E and Gamma of the distribution, straight from the text, with M = V rho."""
    gamma, v, rho = 1.04 * EV, 5800.0, 2200.0
    low = (
        K
        * T
        * float(response.slowest_energy(jnp.array(omega / gamma_max(K, 1.0) / T**3 * np.cosh(0.5) / np.sinh(0.5))))
    )

    def summed(weight):
        def over_rates(E):
            top = gamma_max(E, T)
            # Gamma = top (1 - w^2): dGamma/(2 Gamma sqrt(1 - u)) (Gamma/top) = dw
            return quad(lambda w: 1.0, 0, np.sqrt(max(0.0, 1 - omega / top)))

        # omega_j^2/omega_p^2 = 2 gamma^2 (Gamma/Gamma_max)/(pi^2 v^2 V rho E)
        def f(s):
            E = low + s**2 * (K * T - low)
            coupling = 2 * gamma**2 / (np.pi**2 * v**2 * rho * E)
            return 2 * s * (K * T - low) * 8e44 * coupling * weight(E / (K * T)) * over_rates(E)

        return quad(f, 0, 1)

    top = summed(lambda y: y * np.exp(y) / (1 + np.exp(y)) ** 2)
    bottom = 1 - summed(lambda y: np.tanh(y / 2) / 2)
    assert_allclose(silica.entropic_ratio(omega, T), np.sqrt(top / bottom), rtol=1e-6)


@pytest.mark.parametrize("omega, T", [(1e3, 0.02), (1e5, 0.5), (1e9, 0.5)])
def test_acoustics_against_brute_force(silica, omega, T):
    C = float(silica.tunnelling_strength())

    # P is flat in t, u = sech^2 t
    t = np.linspace(0.0, 40.0, 8001)
    u = 1 / np.cosh(t) ** 2
    y = np.exp(np.linspace(-9.0, 4.0, 400))

    def relaxing(weight):
        a = omega / gamma_max(y * K * T, T)[:, None]
        rates = np.trapezoid(np.tanh(t) ** 2 * u * weight(u, a) / (a**2 + u**2), t, axis=1)
        return np.trapezoid(y / np.cosh(y / 2) ** 2 * rates, np.log(y))

    resonant, relaxation = silica.internal_friction(omega, T, parts=True)
    assert_allclose(resonant, np.pi * C * np.tanh(HBAR * omega / (2 * K * T)), rtol=1e-10)
    assert_allclose(relaxation, C * relaxing(lambda u, a: a), rtol=2e-4)
    _, relaxation = silica.velocity_shift(omega, T, parts=True)
    assert_allclose(relaxation, -C / 2 * relaxing(lambda u, a: u), rtol=2e-4)


def test_acoustic_limits(silica):
    C = silica.tunnelling_strength()
    # far above the rates: Q^-1 ~ T^3/omega; far below: plateau; velocity: slopes C and -C/2 per ln T
    hot, cold = silica.internal_friction(1e3, np.array([2e-3, 1e-3]), parts=True)[1]
    assert_allclose(hot / cold, 8.0, rtol=0.01)
    assert_allclose(silica.internal_friction(1.0, 1.0, parts=True)[1], np.pi / 2 * C, rtol=1e-3)
    low = np.diff(silica.velocity_shift(1e4, np.array([1e-3, 2e-3]))) / np.log(2)
    high = np.diff(silica.velocity_shift(1e2, np.array([1.0, 2.0]))) / np.log(2)
    assert_allclose(low, C, rtol=0.02)
    assert_allclose(high, -C / 2, rtol=0.02)
    # resonance and loss are one response function: the superconducting resonator's
    resonator = jt.ResonatorLoss(frequency=5e9, loss_tangent=np.pi * C, saturation="none")
    omega = 2 * np.pi * 5e9
    T = np.array([0.02, 0.1, 1.0])
    assert_allclose(silica.internal_friction(omega, T, parts=True)[0], resonator.tls_loss(T, 0.0), rtol=1e-12)
    assert_allclose(silica.velocity_shift(omega, T, parts=True)[0], resonator.frequency_shift(T), rtol=1e-9)


def test_specific_heat(silica):
    T, t = 0.2, 1.0

    def states(E):
        top = gamma_max(E, T) * t
        return np.arctanh(np.sqrt(1 - 1 / top)) if top > 1 else 0.0

    expected = 8e44 / 2200 * K * quad(lambda y: states(y * K * T) * (y / 2 / np.cosh(y / 2)) ** 2, 1e-4, 80) * K * T
    assert_allclose(silica.specific_heat(T, t), expected, rtol=1e-4)
    # (pi^2/12) Pbar k^2 T ln t: what a decade of time adds
    gain = silica.specific_heat(T, 1e6) - silica.specific_heat(T, 1e5)
    assert_allclose(gain, np.pi**2 / 12 * 8e44 * K**2 * T * np.log(10) / 2200, rtol=1e-4)


def test_dephasing_noise(silica):
    T, volume, coupling = 0.1, 1e-18, 3.0
    f = np.array([1e-2, 1.0, 10.0])
    noise = silica.dephasing_noise(f, T, coupling, volume)
    assert_allclose(noise, coupling**2 * volume * 8e44 * K * T / (4 * f), rtol=0.03)
    # fluctuation and dissipation
    friction = silica.internal_friction(2 * np.pi * f, T, parts=True)[1]
    C = silica.tunnelling_strength()
    assert_allclose(noise, coupling**2 * volume * 8e44 * K * T * friction / (2 * np.pi * f * C), rtol=1e-12)
    # white below no rate, 1/f^2 above all
    fast = silica.dephasing_noise(np.array([1e7, 1e8]), T)
    assert_allclose(fast[0] / fast[1], 100.0, rtol=0.01)


# --- samples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "omega, T, polarization", [(1e4, 0.1, "longitudinal"), (3e6, 0.5, "transverse"), (9e7, 1.0, "longitudinal")]
)
def test_sampled_sum_agrees_with_the_integral(silica, omega, T, polarization):
    expected = silica.entropic_ratio(omega, T, polarization)
    draw = jax.jit(jax.vmap(lambda key: sampled_entropic_ratio(silica, key, 2000, omega, T, polarization)))
    values, errors = draw(jax.random.split(jax.random.key(0), 64))
    pulls = (values - expected) / errors
    assert abs(float(jnp.mean(pulls))) < 3.5 / 8 and 0.75 < float(jnp.std(pulls)) < 1.25
    assert float(jnp.mean(errors) / expected) < 0.02


def test_sample_follows_the_distribution(silica):
    omega, T = 1e5, 0.5
    drawn = sample(silica, jax.random.key(3), 100_000, omega, T)
    assert_allclose(drawn.rates, drawn.shares * gamma_max(np.asarray(drawn.energies) * K, T), rtol=1e-10)
    # number of TLSs per volume with Gamma > omega and E < kT
    low = T * float(response.slowest_energy(omega / silica.max_relaxation_rate(K, 1.0) / T**3 / np.tanh(0.5)))
    expected = 8e44 * K * quad(lambda e: np.arctanh(np.sqrt(max(0.0, 1 - omega / gamma_max(e * K, T)))), low, T)
    assert_allclose(jnp.sum(per_volume(silica, drawn)), expected, rtol=5e-3)
    with pytest.raises(ValueError, match="omega"):
        sample(silica, jax.random.key(3), 10, 1e10, 0.1)


# --- differentiation and precision -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_gradients_of_everything():
    names = tuple(SILICA)

    def quantities(v):
        solid = jt.TunnellingSolid(**dict(zip(names, v[:6])))
        T = v[6]
        return jnp.stack(
            [
                jnp.log(solid.entropic_ratio(1e6, T)),
                jnp.log(solid.internal_friction(1e5, T)),
                1e3 * solid.velocity_shift(1e5, T),
                jnp.log(solid.specific_heat(T)),
                jnp.log(solid.dephasing_noise(100.0, T)),
            ]
        )

    weights = jnp.array([1.0, 0.7, -0.6, 0.5, 1.3])
    at = jnp.array([*SILICA.values(), 0.4])
    f = jax.jit(lambda v: weights @ quantities(v))
    gradient = jax.jit(jax.grad(f))(at) * at
    numeric = [(f(at * (1 + h)) - f(at * (1 - h))) / 2e-5 for h in 1e-5 * np.eye(7)]
    assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7)
    _, tangent = jax.jvp(f, (at,), (at,))
    assert_allclose(tangent, jnp.sum(gradient), rtol=1e-9)
    # at and beyond the line the ratio is 0 with finite slopes
    slope = jax.grad(lambda T: jt.TunnellingSolid(**SILICA).entropic_ratio(1e8, T))
    assert all(np.isfinite(slope(T)) for T in (0.1, 0.98, 0.99, 1.0))


def test_single_precision_is_refused_with_the_remedy():
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64"):
        jt.TunnellingSolid(**SILICA)


def test_bad_input(silica):
    with pytest.raises(ValueError, match="convention"):
        jt.TunnellingSolid(**SILICA, convention="both")
    with pytest.raises(ValueError, match="v_t"):
        jt.TunnellingSolid(**{**SILICA, "v_t": 0.0})
    with pytest.raises(ValueError, match="polarization"):
        silica.entropic_ratio(1e6, 1.0, "sideways")
    with pytest.raises(ValueError, match="temperature"):
        silica.specific_heat(0.0)
    with pytest.raises(ValueError, match="'silica'"):
        jt.TunnellingSolid.preset("cheese")
