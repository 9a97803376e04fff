"""Coefficients of Eq. 23: closed forms against mpmath, quadrature, limits, fluctuation relations, gradients."""

import warnings

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.models._thermal import coth_half
from jaxtls.models.spin_bath.coefficients import principal_value

NAMES = ("frequency_shift", "damping", "diffusion", "anomalous")
G0, L, W, M = 0.05, 9.0, 1.3, 1.7


def ohmic(bath="spin", temperature=0.25, g0=G0, cutoff=L, omega_0=W, mass=M, **options):
    density = jt.OhmicSpectralDensity(gamma_0=g0, cutoff=cutoff, mass=mass)
    return jt.SpinBathOscillator(omega_0, density, temperature, mass=mass, bath=bath, **options)


def stacked(coefficients):
    return jnp.stack([getattr(coefficients, name) for name in NAMES])


def reference(bath, T):
    """Eqs. 24-28 in mpmath: the Matsubara sum with its tail, and digamma functions."""
    g0, l, w, m = map(mp.mpf, (G0, L, W, M))
    share = g0 * l**2 / (l**2 + w**2)
    tanh = mp.tanh(w / (2 * T)) if T else mp.mpf(1)
    if bath == "spin":
        if T == 0:
            shift = -2 * g0 * l**3 / (l**2 + w**2)
        else:

            def term(k):
                v = (2 * k + 1) * mp.pi * T
                return l**2 * mp.log(v / l) / (v**2 - l**2) + w**2 * mp.log(v / w) / (v**2 + w**2)

            shift = -16 * g0 * T / mp.pi * l**2 / (l**2 + w**2) * mp.nsum(term, [0, mp.inf], method="euler-maclaurin")
        return [shift, share * tanh, m * share * w, 2 * share / mp.pi * mp.log(l / w)]
    shift = -2 * g0 * l**3 / (l**2 + w**2)
    anomalous = 2 * share / mp.pi * mp.log(l / w)
    if T:
        psi = mp.re(mp.digamma(1 + 1j * w / (2 * mp.pi * T))) - mp.digamma(1 + l / (2 * mp.pi * T))
        anomalous = -2 * g0 * T * l / (l**2 + w**2) * (1 + l / (mp.pi * T) * psi)
    return [shift, share, m * share * w / tanh, anomalous]


@pytest.mark.parametrize("bath", ["spin", "oscillator"])
@pytest.mark.parametrize("temperature", [0.0, 0.01, 0.25, 0.5, 3.0, 100.0])
def test_ohmic_against_mpmath(bath, temperature):
    expected = [float(v) for v in reference(bath, temperature)]
    assert_allclose(stacked(ohmic(bath, temperature).coefficients), expected, rtol=1e-11)


def test_matsubara_terms_alone_would_miss_the_tail():
    # What the quadrature is for: 1e4 terms of the sum leave more than 1e-4 of S.
    v = (2 * np.arange(10_000) + 1) * np.pi * 0.25
    terms = L**2 * np.log(v / L) / (v**2 - L**2) + W**2 * np.log(v / W) / (v**2 + W**2)
    cut = -16 * G0 * 0.25 / np.pi * L**2 / (L**2 + W**2) * terms.sum()
    assert abs(cut / float(reference("spin", mp.mpf(0.25))[0]) - 1) > 1e-4


@pytest.mark.parametrize("bath", ["spin", "oscillator"])
@pytest.mark.parametrize("temperature", [0.0, 0.25, 3.0])
def test_callable_density_gives_the_closed_form(bath, temperature):
    closed = ohmic(bath, temperature)
    free = jt.SpinBathOscillator(
        W, lambda w: 2 * M * G0 / jnp.pi * w / (1 + (w / L) ** 2), temperature, mass=M, bath=bath
    )
    assert_allclose(stacked(free.coefficients), stacked(closed.coefficients), rtol=1e-10)


@pytest.mark.parametrize("power", [1, 3])
def test_other_densities_against_mpmath(power):
    # Super-Ohmic with an exponential cut-off, and a Gaussian peak: principal values to 1e-6 and better.
    T = 0.4

    def exponential(w):
        return w**power * jnp.exp(-w / 4.0)

    def peak(w):
        return w * jnp.exp(-(((w - 2.0) / 0.4) ** 2))

    for density, scalar in (
        (exponential, lambda w: w**power * mp.exp(-w / 4)),
        (peak, lambda w: w * mp.exp(-(((w - 2) / mp.mpf("0.4")) ** 2))),
    ):
        found = jt.SpinBathOscillator(W, density, T).coefficients

        def smooth(w, f=scalar):
            return f(w) * mp.tanh(w / (2 * T)) * w / (w + W)

        # the pole by symmetric folding about W
        integral = mp.quad(lambda v: (smooth(W + v) - smooth(W - v)) / v, [0, W / 2, W]) + mp.quad(
            lambda w: smooth(w) / (w - W), [2 * W, 4, 10, 200]
        )
        assert_allclose(float(found.frequency_shift), float(-2 * integral), rtol=1e-7)


def test_narrow_features_are_told_and_resolved_with_more_nodes():
    def narrow(w):
        return w * jnp.exp(-(((w - 2.0) / 0.01) ** 2))

    with pytest.warns(UserWarning, match="quadrature_step"):
        _ = jt.SpinBathOscillator(1.0, narrow, 0.5).coefficients
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = jt.SpinBathOscillator(1.0, narrow, 0.5, quadrature_step=0.001).coefficients
    # narrow line: weight 2 sqrt(pi) 0.01 at w = 2
    area = 2 * np.sqrt(np.pi) * 0.01
    assert_allclose(found.frequency_shift, -2 * area * np.tanh(2.0) * 2 / 3, rtol=1e-4)


@pytest.mark.parametrize("cutoff", [5.0, 20.0])
@pytest.mark.parametrize("shape", ["jump", "kink"])
def test_hard_cutoffs_are_told(shape, cutoff):
    def density(w):
        return jnp.where(w < cutoff, w if shape == "jump" else w * (1 - w / cutoff), 0.0)

    for omega in (0.3, 1.0, 1.7):
        with pytest.warns(UserWarning, match="jumps and kinks"):
            _ = jt.SpinBathOscillator(omega, density, 0.5).coefficients


@pytest.mark.parametrize("width", [0.02, 0.1, 0.12])
def test_what_is_not_warned_of_is_right_to_a_millionth(width):
    warned = []
    for centre in (0.6, 0.97, 1.0, 1.04, 2.0):

        def lorentzian(w, c=centre):
            detuning = (w**2 - c**2) / (2 * c)
            return w * (width * c) ** 2 / (detuning**2 + (width * c) ** 2) / (1 + (w / 20) ** 2)

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = jt.SpinBathOscillator(1.0, lorentzian, 0.5).coefficients
        warned.append(bool(caught))
        if caught:
            continue
        fine = jt.SpinBathOscillator(1.0, lorentzian, 0.5, quadrature_step=0.002).coefficients
        assert_allclose(stacked(found), stacked(fine), rtol=1e-6)
    assert sum(warned) == {0.02: 5, 0.1: 1, 0.12: 0}[width]


def test_delta_bath_is_the_limit_of_narrow_peaks():
    line = jt.SpinBathOscillator(1.0, jt.DiscreteSpectralDensity([0.1], [2.0]), 0.5).coefficients

    def narrow(w):
        return 0.01 * jnp.exp(-(((w - 2.0) / 0.01) ** 2)) / (np.sqrt(np.pi) * 0.01)

    broad = jt.SpinBathOscillator(1.0, narrow, 0.5, quadrature_step=0.001).coefficients
    assert_allclose(stacked(broad), stacked(line), rtol=1e-4, atol=1e-12)
    assert float(line.damping) == float(line.diffusion) == 0


def test_a_density_without_cutoff_is_refused():
    with pytest.raises(ValueError, match=r"`spectral_density` must fall .* cut-off"):
        _ = jt.SpinBathOscillator(1.0, lambda w: w, 0.5).coefficients
    with pytest.raises(ValueError, match=r"map a scalar to a scalar|map frequencies"):
        _ = jt.SpinBathOscillator(1.0, lambda w: jnp.ones(3), 0.5).coefficients


def test_fluctuation_dissipation():
    # Noise over damping: M W coth(W/2T) for both baths (detailed balance), whatever the density.
    for bath in ("spin", "oscillator"):
        for T in (0.1, 0.5, 5.0):
            k = jt.SpinBathOscillator(W, lambda w: w**2 * jnp.exp(-w), T, bath=bath).coefficients
            assert_allclose(k.diffusion / k.damping, W / np.tanh(W / (2 * T)), rtol=1e-12)


def test_surrogate_density_maps_one_bath_on_the_other():
    # Eq. 22: a spin bath J is an oscillator bath J tanh(w/2T).
    T = 0.6

    def J(w):
        return w / (1 + (w / 5) ** 2) ** 2

    spin = jt.SpinBathOscillator(W, J, T)
    oscillator = jt.SpinBathOscillator(W, lambda w: J(w) * jnp.tanh(w / (2 * T)), T, bath="oscillator")
    assert_allclose(stacked(spin.coefficients), stacked(oscillator.coefficients), rtol=1e-9)


def test_damping_is_the_loss_law_of_tls_resonators():
    # gamma(T)/gamma(0) = tanh(W/2T): the tanh(h f/2kT) of a superconducting resonator's loss
    kelvin = 0.2
    resonator = jt.ResonatorLoss(frequency=5e9, loss_tangent=1e-5, saturation="none")
    ratio = 1.380649e-23 * kelvin / (6.62607015e-34 * 5e9)  # T in units of W
    relative = ohmic(temperature=ratio * W).coefficients.damping / ohmic(temperature=0.0).coefficients.damping
    assert_allclose(relative, resonator.tls_loss(kelvin, 0.0) / 1e-5, rtol=1e-12)


def test_limits():
    # T -> 0: both baths agree. T -> infinity: the spin bath stops damping and shifting. L -> infinity: gamma_0.
    assert_allclose(stacked(ohmic(temperature=0.0).coefficients), stacked(ohmic("oscillator", 0.0).coefficients))
    hot = ohmic(temperature=1e6).coefficients
    assert float(hot.damping) < 1e-6 * G0 and abs(float(hot.frequency_shift)) < 1e-4
    wide = ohmic(temperature=0.5, cutoff=1e7).coefficients
    assert_allclose(wide.damping, G0 * np.tanh(W / 1.0), rtol=1e-12)
    assert_allclose(wide.diffusion, M * G0 * W, rtol=1e-12)


PARAMETERS = ("gamma_0", "cutoff", "omega_0", "mass", "temperature")


@pytest.mark.parametrize("bath", ["spin", "oscillator"])
@pytest.mark.parametrize("quadrature", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_gradients_of_every_coefficient(bath, quadrature):
    def coefficients(v):
        g0, cutoff, omega_0, mass, T = v
        density = jt.OhmicSpectralDensity(g0, cutoff, mass)
        return stacked(
            jt.SpinBathOscillator(
                omega_0, density.__call__ if quadrature else density, T, mass=mass, bath=bath
            ).coefficients
        )

    at = jnp.array([G0, L, W, M, 0.4])
    forward, reverse = jax.jit(jax.jacfwd(coefficients))(at), jax.jit(jax.jacrev(coefficients))(at)
    f = jax.jit(coefficients)
    eye = 1e-5 * np.eye(5)
    numeric = np.stack([(f(at + h) - f(at - h)) / 2e-5 for h in eye], 1)
    assert_allclose(forward, numeric, rtol=1e-6, atol=1e-9)
    assert_allclose(reverse, forward, rtol=1e-10, atol=1e-14)
    cold = jax.jit(jax.jacrev(coefficients))(at.at[4].set(0.0))
    assert np.all(np.isfinite(cold)) and np.all(np.abs(cold[:, 4]) < 1e-12)


def test_one_vmap_over_temperature_serves_both_baths():
    temperatures = jnp.linspace(0.0, 4.0, 9)
    for bath in ("spin", "oscillator"):
        rows = jax.vmap(lambda T, bath=bath: stacked(ohmic(bath, T).coefficients))(temperatures)
        assert_allclose(rows, [stacked(ohmic(bath, float(T)).coefficients) for T in temperatures], rtol=1e-12)


def test_single_precision():
    with jax.enable_x64(False):
        single = stacked(ohmic(temperature=0.25).coefficients)
        free = jt.SpinBathOscillator(W, lambda w: 2 * M * G0 / jnp.pi * w / (1 + (w / L) ** 2), 0.25, mass=M)
        quad = stacked(free.coefficients)
    expected = [float(v) for v in reference("spin", mp.mpf(0.25))]
    assert single.dtype == jnp.float32
    assert_allclose(single, expected, rtol=2e-5)
    assert_allclose(quad, expected, rtol=2e-5)


def test_principal_value_is_second_order_free():
    # error e^{-pi^2/h}: already round-off at h = 0.2
    for step in (0.2, 0.1):
        value = principal_value(lambda w: w / (4 + w**2), jnp.array(1.0), step)
        assert_allclose(value, np.log(2) / 5, rtol=1e-12)


def test_coth_has_finite_slopes_however_cold():
    x = jnp.array([1e-6, 1e-3, 1.0, 30.0, 800.0, 1e6])
    assert_allclose(coth_half(x), 1 / np.tanh(x / 2), rtol=1e-14)
    slopes = jax.vmap(jax.grad(coth_half))(x)
    assert_allclose(slopes, -0.5 / jnp.sinh(x / 2) ** 2, rtol=1e-9, atol=1e-14)


def test_thermal_occupation():
    assert_allclose(jt.thermal_occupation(2.0, 1.5), 1 / np.expm1(2 / 1.5), rtol=1e-14)
    assert jax.grad(lambda T: jt.thermal_occupation(2.0, T))(0.0) == 0


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "change, words",
    [
        ({"omega_0": 0.0}, "omega_0"),
        ({"temperature": -1.0}, "temperature"),
        ({"bath": "bosons"}, "bath"),
        ({"spectral_density": 3.0}, "spectral_density"),
        ({"time_dependent": True}, "discretize"),
        ({"quadrature_step": 1.0}, "quadrature_step"),
    ],
)
def test_bad_input(change, words):
    good = {"omega_0": 1.0, "spectral_density": jt.OhmicSpectralDensity(0.01, 5.0), "temperature": 0.5}
    with pytest.raises(ValueError, match=words):
        jt.SpinBathOscillator(**{**good, **change})
