"""Mattis-Bardeen against quadrature and limits, the gap against its equation, saturations against their own words."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.models.resonator.mattis_bardeen import conductivity, gap_share
from jaxtls.models.resonator.saturation import FORMS, half_power_photons, reduction


def by_quadrature(w, gap, T):
    def fermi(E):
        return 1 / (np.exp(E / T) + 1)

    def s1(u):  # E = gap + u^2
        E = gap + u * u
        return 2 * (fermi(E) - fermi(E + w)) * (E * E + gap**2 + w * E) / np.sqrt((E + gap) * ((E + w) ** 2 - gap**2))

    def s2(angle):
        E = gap - w / 2 * (1 - np.cos(angle))
        return np.tanh((E + w) / 2 / T) * (E * E + gap**2 + w * E) / np.sqrt((gap + E) * (E + w + gap))

    end = np.sqrt(45 * T)
    pieces = [scipy.integrate.quad(s1, a, b, limit=200)[0] for a, b in ((0, 0.3), (0.3, end))]
    return 2 / w * sum(pieces), scipy.integrate.quad(s2, 0, np.pi)[0] / w


@pytest.mark.parametrize(("w", "gap", "T"), [(0.24, 2.1, 0.3), (0.24, 2.0, 0.8), (0.5, 10.0, 4.0), (1.5, 1.0, 0.5)])
def test_conductivity_is_its_integral(w, gap, T):
    found = conductivity(jnp.array(w), jnp.array(gap), jnp.array(T))
    assert_allclose(found, by_quadrature(w, gap, T), rtol=1e-7)


def test_gap_obeys_its_equation():
    for t in (0.1, 0.4, 0.7, 0.95):
        share = float(gap_share(jnp.array(t)))
        y = 1.7638769907 * share / t
        integral = scipy.integrate.quad(lambda u, y=y: 2 / (np.exp(y * np.cosh(u)) + 1), 0, np.arccosh(1 + 600 / y))[0]
        assert_allclose(-np.log(share), integral, rtol=1e-6, atol=1e-9)
        step = 1e-4 * t
        slope = (gap_share(jnp.array(t + step)) - gap_share(jnp.array(t - step))) / (2 * step)
        assert_allclose(jax.grad(gap_share)(jnp.array(t)), slope, rtol=1e-3, atol=1e-9)


def test_cold_limit_is_the_dilute_form():
    dilute = jt.ResonatorLoss(frequency=2e9, loss_tangent=0.0, critical_temperature=9.0, quasiparticle_amplitude=0.2)
    full = dataclasses.replace(dilute, quasiparticles="mattis-bardeen")
    T = jnp.array([0.5, 0.7])
    assert_allclose(full.quasiparticle_loss(T), dilute.quasiparticle_loss(T), rtol=0.06)
    assert_allclose(full.quasiparticle_shift(T), dilute.quasiparticle_shift(T), rtol=0.06)
    # the gap closes: the dilute form has too few quasiparticles near Tc
    assert full.quasiparticle_loss(7.0) > 2 * dilute.quasiparticle_loss(7.0)
    for value in (0.0, 0.1, 3.0, 8.9, 9.0, 20.0):
        gradient = jax.grad(lambda m, T=value: m.loss(T, 1.0) + m.frequency_shift(T))(full)
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("form", FORMS)
def test_saturations_are_their_formulas(form):
    n, T, seen, c, b1, b = np.array([0.0, 0.3, 5.0, 1e6]), 0.2, 0.6, 2.0, 0.7, 0.35
    expected = {
        "crowley": lambda: 1 / np.sqrt(1 + n**b * seen / (c * T**b1)),
        "standard": lambda: 1 / np.sqrt(1 + (n / c) ** b),
        "earnest": lambda: (1 + n / c) ** -b,
        "power": lambda: 1 / (1 + (n / c) ** b),
        "logarithmic": lambda: b * np.log(1 + (np.exp(1 / b) - 1) / np.sqrt(1 + n / c)),
        "none": lambda: np.ones(4),
    }[form]()
    law = (jnp.array(c), jnp.array(b1), jnp.array(b))
    assert_allclose(reduction(form, jnp.asarray(n), jnp.array(T), jnp.array(seen), *law), expected, rtol=1e-9)
    assert reduction(form, jnp.array(0.0), jnp.array(T), jnp.array(seen), *law) == 1
    if form != "none":
        half = half_power_photons(form, jnp.array(T), jnp.array(seen), *law)
        assert_allclose(reduction(form, half, jnp.array(T), jnp.array(seen), *law), np.sqrt(0.5), rtol=1e-9)
    gradient = jax.grad(lambda n, *law: reduction(form, n, jnp.array(T), jnp.array(seen), *law), (1, 2, 3))
    assert all(np.isfinite(part) for part in gradient(jnp.array(0.0), *law))


def test_photons_in_a_resonator():
    # one photon lost at rate omega/Q_l; at critical coupling by reflection all power is absorbed
    power, f, q = 1e-15, 5e9, 1e5
    n = jt.photon_number(10 * np.log10(power / 1e-3), q, q, f, coupling="reflection")
    assert_allclose(n * 6.62607015e-34 * f * 2 * np.pi * f / q, power, rtol=1e-6)
    with pytest.raises(ValueError, match="`coupling` must be one of 'notch'"):
        jt.photon_number(-80.0, 1e6, 1e6, 5e9, coupling="loop")
