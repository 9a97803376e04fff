"""The oscillator in motion: Fock levels, moments, drives and damping that varies, against brute force."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import jaxtls as jt

from .oracle import caldirola_kanai, classical, level

X = np.linspace(-14.0, 14.0, 1024, endpoint=False)


class Ramp(eqx.Module):
    """alpha(t) = rate t/(1 + t)."""

    rate: jax.Array

    def __call__(self, t):
        return self.rate * t / (1 + t)


class Constant(eqx.Module):
    """alpha(t) = value."""

    value: jax.Array

    def __call__(self, t):
        return self.value


class Tones(eqx.Module):
    """F(t) = sum_i a_i cos(w_i t + p_i)."""

    amplitudes: jax.Array
    frequencies: jax.Array
    phases: jax.Array

    def __call__(self, t):
        return jnp.sum(self.amplitudes * jnp.cos(self.frequencies * t + self.phases))


def test_both_bases_agree_with_the_closed_forms():
    ts = jnp.linspace(0.0, 3.0, 4)
    names = ["populations", "amplitudes", "levels", "energy", "n", "x"]
    for basis, levels in (("instantaneous", 48), ("fixed", 160)):
        d = jt.DampedOscillator(1.2, 0.3, mass=2.0, hbar=0.7, n_levels=levels, basis=basis)
        sol = jt.evolve(d, d.fock_state(1), ts, rtol=1e-9, atol=1e-11, observables=names)
        found = sol.observables
        assert not sol.concerns()
        assert_allclose(found["populations"][:, :24], d.transition_probabilities(ts, 1, 23), atol=1e-7)
        assert_allclose(found["amplitudes"][:, :24], d.transition_amplitudes(ts, 1, 23), atol=1e-7)
        assert_allclose(found["levels"], d.energies(ts[:, None], np.arange(levels)), rtol=1e-6)
        assert_allclose(found["energy"], d.mean_energy(ts, 1), rtol=1e-6)
        assert_allclose(found["n"] + 0.5, 1.5 * d.mean_energy(ts, 1) / d.energies(ts, 1), rtol=1e-6)
        assert_allclose(found["x"], 0, atol=1e-12)


def test_truncation_is_reported():
    d = jt.DampedOscillator(1.0, 1.0, n_levels=24)
    with pytest.warns(UserWarning, match="truncation.*raise n_levels"):
        sol = jt.evolve(d, d.fock_state(0), jnp.linspace(0.0, 2.0, 3))
    exact = np.asarray(d.transition_probabilities(2.0, 0, 400))
    assert sol.diagnostics["truncation"] > 0.1 * exact[20:].sum()


def test_levels_that_the_library_chooses_suffice():
    for damping, n in ((0.0, 3), (0.1, 3), (0.5, 3), (0.7, 0)):
        d = jt.DampedOscillator(1.0, damping)
        n_levels = d.fock_state(n).amplitudes.shape[0]
        p = np.asarray(d.transition_probabilities(jnp.linspace(0.0, 6.0, 25), n, 600))
        assert np.max(p[:, n_levels - 4 :].sum(1)) < 1e-6, (damping, n, n_levels)


@pytest.mark.slow
def test_driven_displaced_and_varying_is_caldirola_kanai():
    """The whole wavefunction against a split-step solution on a grid: force, alpha(t) and a displaced level at once."""
    alpha, force = Ramp(jnp.asarray(0.4)), Tones(jnp.array([0.5]), jnp.array([1.7]), jnp.array([0.3]))
    d = jt.DampedOscillator(1.1, alpha, force=force, n_levels=64)
    start = d.displaced_state(1, 0.4 - 0.3j)
    sol = jt.evolve(d, start, jnp.array([0.0, 2.0]), rtol=1e-9, atol=1e-11, save_states=True)
    last = jax.tree.map(lambda leaf: leaf[-1], sol.states)
    psi = np.asarray(d.position_amplitude(start, X))
    psi = caldirola_kanai(psi, X, 2.0, 1.1, lambda t: float(alpha(t)), lambda t: 0.5 * np.cos(1.7 * t + 0.3), 1500)
    assert_allclose(d.position_amplitude(last, X), psi, atol=3e-6)
    ts = np.array([0.0, 2.0])
    x0, v0 = (float(sol.observables[name][0]) for name in "xv")
    x, v = classical(ts, x0, v0, 1.1, alpha, lambda t: 0.5 * np.cos(1.7 * t + 0.3))
    assert_allclose(sol.observables["x"], x, atol=1e-7)
    assert_allclose(sol.observables["v"], v, atol=1e-7)


def test_probabilities_on_a_grid():
    """P_(0->2), P_(2->2) from the projection of a split-step solution on the shrunk oscillator functions."""
    psi = caldirola_kanai(level(2, X, 1.0) + 0j, X, 1.5, 1.0, lambda t: 0.6, steps=1500)
    p = jt.DampedOscillator(1.0, 0.6).transition_probabilities(1.5, 2, 6)
    for m in range(7):
        overlap = np.sum(level(m, X, np.exp(-0.9)) * psi) * (X[1] - X[0])
        assert_allclose(abs(overlap) ** 2, p[m], atol=1e-6)


def test_displaced_states():
    d = jt.DampedOscillator(1.3, 0.1, mass=2.0, hbar=0.5)
    alpha = 0.7 - 0.4j
    for n in (0, 5):
        y = d.displaced_state(n, alpha)
        found = {name: float(f(y)) for name, f in d.observables.items() if name != "populations"}
        length = np.sqrt(0.5 / (2.0 * 1.3))
        assert_allclose(jnp.sum(jnp.abs(y.amplitudes) ** 2), 1, rtol=1e-10)
        assert_allclose(found["x"], np.sqrt(2) * length * alpha.real, rtol=1e-8)
        assert_allclose(found["v"], np.sqrt(2) * 1.3 * length * alpha.imag, rtol=1e-8)
        assert_allclose(found["x2"] - found["x"] ** 2, length**2 * (n + 0.5), rtol=1e-7)
        assert_allclose(found["n"], n + abs(alpha) ** 2, rtol=1e-8)


# --- damping that varies ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_constant_damping_as_a_function():
    """The integrated Bogoliubov pair against the closed form, phases included, around several windings."""
    ts = jnp.linspace(0.0, 12.0, 7)
    for alpha in (0.4, 1.0, 1.4):
        d, varying = jt.DampedOscillator(1.0, alpha), jt.DampedOscillator(1.0, Constant(jnp.asarray(alpha)))
        assert_allclose(varying.transition_amplitudes(ts, 3, 7), d.transition_amplitudes(ts, 3, 7), atol=3e-8)


@pytest.mark.slow
def test_varying_damping_at_a_scalar_time():
    d = jt.DampedOscillator(1.0, Ramp(jnp.asarray(0.5)))
    want = 0.5 * (3.0 - np.log(4.0))
    assert_allclose(d.contraction(3.0), want, rtol=1e-9)
    assert_allclose(eqx.filter_jit(d.contraction)(jnp.asarray(3.0)), want, rtol=1e-9)
    assert d.contraction(0.0) == 0
    assert d.energies(3.0, np.arange(4)).shape == (4,)
    x = np.linspace(-2.0, 2.0, 5)
    free = jt.DampedOscillator(1.0, want / 3.0)  # of the same widths at that time
    assert_allclose(d.wavefunction(1, x, 3.0), free.wavefunction(1, x, 3.0), atol=1e-9)


@pytest.mark.slow
def test_varying_damping_on_fock_levels():
    d = jt.DampedOscillator(1.0, Ramp(jnp.asarray(0.5)), n_levels=80)
    ts = jnp.linspace(0.0, 3.0, 3)
    sol = jt.evolve(d, d.fock_state(1), ts, rtol=1e-9, atol=1e-11)
    assert_allclose(sol.observables["populations"][:, :20], d.transition_probabilities(ts, 1, 19), atol=1e-7)
    assert_allclose(sol.observables["energy"], d.mean_energy(ts, 1), rtol=1e-6)
    assert_allclose(d.energies(ts[1:], 2), 2.5 * np.exp(-2 * d.contraction(ts[1:])), rtol=1e-9)
    assert_allclose(d.contraction(ts), 0.5 * (np.asarray(ts) - np.log1p(ts)), rtol=1e-9)


# --- moments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0, 2.0])
def test_moments_in_closed_form(alpha):
    g = jt.DampedOscillator(1.0, alpha, mass=1.5, hbar=0.8).gaussian
    ts = jnp.linspace(0.0, 4.0, 6)
    y = g.thermal_state(0.7, 0.5 + 1.0j)
    exact = g.solution(ts, y)
    sol = jt.evolve(g, y, ts, rtol=1e-9, atol=1e-12)
    for name, values in exact.items():
        assert_allclose(sol.observables[name], values, rtol=1e-6, atol=1e-9, err_msg=name)
    assert np.all(exact["uncertainty"] >= exact["uncertainty_bound"])
    # the area of the ellipse shrinks exactly as the bound does
    area = np.sqrt(exact["var_x"] * exact["var_v"] - exact["cov_xv"] ** 2) * 1.5
    assert_allclose(area[:3], 2.4 * exact["uncertainty_bound"][:3], rtol=1e-9)
    # a thermal mixture of levels has the mean energy (2 n_bar + 1) times that of the ground state
    thermal = g.solution(ts, g.thermal_state(0.7))["energy"]
    assert_allclose(thermal, 2.4 * g.oscillator.mean_energy(ts, 0), rtol=1e-9)


def test_coherent_state_on_fock_levels_has_the_moments():
    d = jt.DampedOscillator(1.0, 0.3, n_levels=64)
    ts = jnp.linspace(0.0, 3.0, 3)
    sol = jt.evolve(d, d.coherent_state(1.0 + 0.5j), ts, rtol=1e-9, atol=1e-11)
    exact = d.gaussian.solution(ts, d.gaussian.coherent_state(1.0 + 0.5j))
    for name in ("x", "v", "energy", "n"):
        assert_allclose(sol.observables[name], exact[name], atol=1e-6, err_msg=name)
    assert_allclose(sol.observables["x2"], exact["var_x"] + exact["x"] ** 2, atol=1e-6)


STATE = jnp.array([0.0, 1.3, 2.6, 4.0])


@eqx.filter_jit
def driven_mean(force, alpha, omega):
    d = jt.DampedOscillator(omega, alpha, force=force, n_levels=72)
    sol = jt.evolve(d, d.coherent_state(0.3), STATE, rtol=1e-8, atol=1e-10, observables=["x", "v"])
    moments = jt.evolve(d.gaussian, d.gaussian.coherent_state(0.3), STATE, rtol=1e-8, atol=1e-10)
    return sol.observables, moments.observables


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(
    amplitudes=st.lists(st.floats(-0.3, 0.3), min_size=3, max_size=3),
    frequencies=st.lists(st.floats(0.0, 3.0), min_size=3, max_size=3),
    phases=st.lists(st.floats(0.0, 6.0), min_size=3, max_size=3),
    rate=st.floats(0.0, 0.3),
    omega=st.floats(0.8, 1.2),
)
def test_means_are_classical_under_random_drives(amplitudes, frequencies, phases, rate, omega):
    force, alpha = Tones(*map(jnp.array, (amplitudes, frequencies, phases))), Ramp(jnp.asarray(rate))
    fock, moments = driven_mean(force, alpha, jnp.asarray(omega))
    plain = lambda t: np.sum(np.array(amplitudes) * np.cos(np.array(frequencies) * t + np.array(phases)))
    want = classical(np.asarray(STATE), np.sqrt(2 / omega) * 0.3, 0.0, omega, lambda t: rate * t / (1 + t), plain)
    for found in (fock, moments):
        assert_allclose([found["x"], found["v"]], want, atol=2e-6)


@pytest.mark.slow
def test_gradients_through_a_driven_run():
    """With respect to the drive, the varying damping and omega; reverse mode against differences."""

    @eqx.filter_jit
    def last(parameters):
        amplitude, rate, omega = parameters
        force = Tones(amplitude[None], jnp.array([0.9]), jnp.array([0.2]))
        g = jt.DampedOscillator(omega, Ramp(rate), force=force).gaussian
        sol = jt.evolve(g, g.coherent_state(0.5), jnp.array([0.0, 3.0]), rtol=1e-9, atol=1e-11, max_steps=256)
        return sol.observables["x"][-1] + sol.observables["energy"][-1]

    at = jnp.array([0.4, 0.3, 1.1])
    slope = jax.grad(last)(at)
    for i in range(3):
        h = 1e-4 * jnp.eye(3)[i]
        assert_allclose(slope[i], (last(at + h) - last(at - h)) / 2e-4, rtol=1e-5, atol=1e-7)


def test_gaussian_refusals():
    g = jt.DampedOscillator(1.0, 0.1, force=lambda t: 0.1).gaussian
    with pytest.raises(ValueError, match="`var_x` must leave"):
        g.state(x=0.0, v=0.0, var_x=0.1, var_v=0.1)
    with pytest.raises(ValueError, match=r"`force` must be None.*jt\.evolve"):
        g.solution(jnp.ones(2), g.coherent_state(1.0))
    assert g.state(x=0.0, v=0.0, var_x=0.25, var_v=1.0).var_x == 0.25
    with pytest.raises(ValueError, match="`n` must be below n_levels"):
        jt.DampedOscillator(1.0, 0.1, n_levels=5).fock_state(5)


@pytest.mark.slow
def test_single_precision():
    with jax.enable_x64(False):
        d = jt.DampedOscillator(1.0, 0.3, n_levels=32)
        y = d.fock_state(0)
        assert y.amplitudes.dtype == jnp.complex64
        sol = jt.evolve(d, y, jnp.linspace(0.0, 2.0, 3), rtol=1e-5, atol=1e-6)
        assert_allclose(sol.observables["populations"][:, 0], d.transition_probabilities(sol.ts, 0, 0)[:, 0], atol=1e-4)
        varying = jt.DampedOscillator(1.0, lambda t: 0.3)
        p = varying.transition_probabilities(jnp.linspace(0.0, 2.0, 3), 0, 4)
        assert p.dtype == jnp.float32
        assert_allclose(p, d.transition_probabilities(sol.ts, 0, 4), atol=1e-4)
