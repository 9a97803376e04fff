"""Levels, wavefunctions and transitions in closed form, against dense exponentials and high precision."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import jaxtls as jt

from .oracle import level, pair_creation

DAMPINGS = {"free": 0.0, "under": 0.3, "critical": 1.3, "over": 1.7}


def paper(ts, omega, alpha, initial, k):
    """P_(0->2k) and P_(2->2k) as physics has them."""
    if alpha < omega:
        s2 = (alpha / np.sqrt(omega**2 - alpha**2) * np.sin(np.sqrt(omega**2 - alpha**2) * ts)) ** 2
    elif alpha == omega:
        s2 = (omega * ts) ** 2
    else:
        kappa = np.sqrt(alpha**2 - omega**2)
        s2 = (alpha / kappa * np.sinh(kappa * ts)) ** 2
    b = np.prod([(2 * i - 1) / (2 * i) for i in range(1, k + 1)])
    big = s2 / (1 + s2)
    if initial == 0:
        return b * big**k / np.sqrt(1 + s2)
    if k == 0:
        return s2 / (2 * (1 + s2) ** 1.5)
    return b * big ** (k - 1) * (2 * k - s2) ** 2 / (2 * (1 + s2) ** 2.5)


@pytest.mark.parametrize("initial, alpha", list(itertools.product((0, 2), DAMPINGS)))
def test_the_papers_closed_forms(initial, alpha):
    alpha, ts = DAMPINGS[alpha], np.linspace(0.0, 4.0, 9)
    p = np.asarray(jt.DampedOscillator(1.3, alpha).transition_probabilities(ts, initial, 9))
    for k in range(5):
        want = paper(ts, 1.3, alpha, initial, k)
        assert_allclose(p[:, 2 * k], want, rtol=1e-11, atol=1e-15)
    assert np.all(p[:, 1::2] == 0)


@pytest.mark.parametrize("alpha, t, n_levels", [(0.3, 4.0, 160), (0.3, 41.0, 160), (1.0, 1.3, 500), (1.7, 0.8, 500)])
def test_amplitudes_with_their_phases(alpha, t, n_levels):
    d = jt.DampedOscillator(1.0, alpha)
    exact = pair_creation(1.0, alpha, t, n_levels)[:30, :30]
    assert_allclose(d.propagator(t, 30), exact, atol=1e-12)
    for n in (0, 1, 7):
        assert_allclose(d.transition_amplitudes(jnp.array([t]), n, 29)[0], exact[:, n], atol=1e-12)


def test_high_levels_lose_no_digits():
    """50-digit associated Legendre functions at l = (m+n)/2, order |m-n|/2 (mpmath, once)."""
    d = jt.DampedOscillator(1.0, 1.0)
    p = np.asarray(d.transition_probabilities(jnp.array(1.3), 500, 1000))
    assert_allclose(np.sqrt(p[1000]), 0.02595309259874534, rtol=1e-11)
    p = np.asarray(d.transition_probabilities(jnp.array(1.3), 200, 400))
    assert_allclose(np.sqrt(p[400]), 4.504834877852858e-05, rtol=1e-10)


def test_high_levels_in_single_precision():
    with jax.enable_x64(False):
        d = jt.DampedOscillator(jnp.float32(1.0), jnp.float32(1.0))
        p = d.transition_probabilities(jnp.float32(1.3), 500, 1000)
        assert p.dtype == jnp.float32
        assert_allclose(np.sqrt(p[1000]), 0.025953093, rtol=1e-3)


@settings(max_examples=20, deadline=None)
@given(
    alpha=st.one_of(st.floats(0.0, 0.6), st.sampled_from([0.7 - 1e-9, 0.7, 0.7 + 1e-9])),
    t=st.floats(0.0, 3.0),
    initial=st.sampled_from([0, 5]),
)
def test_normalisation_and_parity(alpha, t, initial):
    p = np.asarray(jt.DampedOscillator(0.7, alpha).transition_probabilities(jnp.array([t]), initial, 400))[0]
    assert np.all(p >= 0)
    assert_allclose(p.sum(), 1, atol=1e-9)
    assert np.all(p[(initial + 1) % 2 :: 2] == 0)


@settings(max_examples=15, deadline=None)
@given(alpha=st.floats(0.0, 3.0), t=st.floats(0.01, 3.0))
def test_microreversibility(alpha, t):
    p = np.abs(jt.DampedOscillator(1.1, alpha).propagator(t, 13)) ** 2
    assert_allclose(p, p.T, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("f", ["probabilities", "amplitudes", "energy", "trajectory"])
def test_critical_limit_from_both_sides(f):
    ts = jnp.array([0.0, 0.4, 2.0, 7.0])

    def of(alpha):
        d = jt.DampedOscillator(1.0, alpha)
        return {
            "probabilities": lambda: d.transition_probabilities(ts, 3, 7),
            "amplitudes": lambda: d.transition_amplitudes(ts, 3, 7),
            "energy": lambda: d.mean_energy(ts, 1),
            "trajectory": lambda: jnp.stack(d.trajectory(ts, 0.4, -1.0)),
        }[f]()

    at = of(1.0)
    slope = jax.jacfwd(of)(1.0)
    assert np.all(np.isfinite(slope))
    for step in (1e-7, -1e-7):
        assert_allclose(of(1.0 + step), at + step * slope, atol=1e-11)


def loss(alpha, omega, t):
    p = jt.DampedOscillator(omega, alpha).transition_probabilities(t, 2, 6)
    return jnp.sum(p * jnp.arange(1.0, 8.0))


value = jax.jit(loss)
reverse = jax.jit(jax.grad(loss, (0, 1, 2)))
forward = jax.jit(jax.jacfwd(loss, (0, 1, 2)))
second = jax.jit(jax.jacfwd(jax.grad(loss), (0, 2)))


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0 - 1e-10, 1.0, 1.0 + 1e-10, 2.5])
def test_gradients(alpha):
    """Reverse = forward = central differences, at critical damping as elsewhere; second derivatives finite."""
    for t in (0.0, 0.9, 6.0):
        at = (alpha, 1.0, t)
        assert_allclose(reverse(*at), forward(*at), rtol=1e-9, atol=1e-12)
        assert np.all(np.isfinite(jax.tree.leaves(second(*at))))
        for i in range(3):
            h = 1e-5
            if at[i] < h:
                continue
            up, down = (tuple(a + s * (j == i) for j, a in enumerate(at)) for s in (h, -h))
            assert_allclose(reverse(*at)[i], (value(*up) - value(*down)) / (2 * h), rtol=2e-6, atol=2e-8)


def test_long_times_overdamped_do_not_overflow():
    d = jt.DampedOscillator(1.0, 3.0)
    ts = jnp.array([50.0, 500.0, 5000.0])
    p, slope = d.transition_probabilities(ts, 2, 4), jax.grad(loss)(3.0, 1.0, ts)
    energy, (x, v) = d.mean_energy(ts), d.trajectory(ts, 1.0, 0.5)
    assert all(np.all(np.isfinite(found)) for found in (p, slope, energy, x, v))
    # the slow root: x -> e^(-(alpha - kappa) t) (kappa + alpha + v/x) / 2 kappa
    kappa = np.sqrt(8.0)
    assert_allclose(x[0], np.exp(-50 / (3 + kappa)) * (kappa + 3.5) / (2 * kappa), rtol=1e-12)
    assert_allclose(v[0] / x[0], -1 / (3 + kappa), rtol=1e-9)


def test_energies_and_wavefunctions():
    d = jt.DampedOscillator(0.8, 0.3, mass=2.0, hbar=0.5)
    ts = np.array([0.0, 1.0, 2.5])
    assert_allclose(d.energies(ts, 3), 0.5 * 0.8 * 3.5 * np.exp(-0.6 * ts), rtol=1e-14)
    assert d.energies(ts[:, None], np.arange(4)).shape == (3, 4)
    x = np.linspace(-8.0, 8.0, 2001)
    functions = np.array([[d.wavefunction(n, x, t) for n in range(4)] for t in ts])
    overlaps = np.einsum("tnx,tmx->tnm", functions.conj(), functions) * (x[1] - x[0])
    assert_allclose(overlaps, np.broadcast_to(np.eye(4), (3, 4, 4)), atol=1e-12)
    for i, t in enumerate(ts):
        width = np.sqrt(0.5 / (2.0 * 0.8)) * np.exp(-0.3 * t)
        phase = np.exp(-1j * 3.5 * 0.8 * t)
        assert_allclose(functions[i, 3], phase * level(3, x, width), atol=1e-12)
    assert np.all(np.isfinite(d.wavefunction(400, x, 1.0, phase=False)))


def test_mean_energy_is_that_of_the_populations():
    d = jt.DampedOscillator(1.2, 0.5, hbar=2.0)
    ts = np.linspace(0.0, 5.0, 7)
    p = np.asarray(d.transition_probabilities(ts, 2, 300))
    assert_allclose(d.mean_energy(ts, 2), np.sum(p * d.energies(ts[:, None], np.arange(301)), 1), rtol=1e-10)


def test_batched_by_vmap():
    alphas = jnp.array([0.2, 1.0, 1.5])
    ts = jnp.linspace(0.0, 3.0, 4)
    f = jax.jit(jax.vmap(lambda a: jt.DampedOscillator(1.0, a).transition_probabilities(ts, 1, 5)))
    for alpha, p in zip(alphas, f(alphas)):
        assert_allclose(p, jt.DampedOscillator(1.0, float(alpha)).transition_probabilities(ts, 1, 5), atol=1e-14)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(omega=0.0, damping=0.1), "`omega` must be finite and > 0"),
        (dict(omega=1.0, damping=-0.1), "`damping` must be finite and >= 0.*amplifier"),
        (dict(omega=[1.0, 2.0], damping=0.1), "`omega` must be a scalar.*vmap"),
        (dict(omega=1.0, damping=lambda t: jnp.ones(2)), "`damping` must return a scalar"),
        (dict(omega=1.0, damping=0.1, force=3.0), "`force` must be a function of time"),
        (dict(omega=1.0, damping=0.1, basis="fock"), "`basis` must be one of"),
        (dict(omega=1.0, damping=0.1, n_levels=2.5), "`n_levels` must be a plain int"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        jt.DampedOscillator(**arguments)


def test_refusals_of_methods():
    d = jt.DampedOscillator(1.0, 0.1)
    with pytest.raises(ValueError, match="`initial` must be at least 0"):
        d.transition_probabilities(jnp.ones(2), -1)
    with pytest.raises(ValueError, match="`n` must be ints >= 0"):
        d.energies(0.0, 0.5)
    with pytest.raises(ValueError, match="`ts` must be finite"):
        d.transition_probabilities(np.array([0.0, np.nan]))
    driven = jt.DampedOscillator(1.0, 0.1, force=lambda t: 1.0)
    with pytest.raises(ValueError, match=r"`force` must be None.*Use jt\.evolve"):
        driven.transition_probabilities(jnp.ones(2))
    varying = jt.DampedOscillator(1.0, lambda t: 0.1)
    with pytest.raises(ValueError, match=r"`damping` must be a number.*Use jt\.evolve"):
        varying.trajectory(jnp.ones(2), 1.0, 0.0)
    with pytest.raises(ValueError, match="ascend from a time >= 0"):
        varying.transition_probabilities(jnp.array([1.0, 0.5]))
