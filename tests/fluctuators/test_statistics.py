"""Moments, spectrum and Allan variance: closed forms against dense generators, quadrature and many digits."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.linalg import expm

import jaxtls as jt
from jaxtls.models.fluctuators import chunks

from . import oracle

A, U, D = np.array([0.7, -1.2]), np.array([0.4, 1.5]), np.array([1.1, 0.2])
F = jt.Fluctuators(A, U, D)


def test_mean_and_autocovariance_are_those_of_the_joint_process():
    xi, p, w = oracle.states(2) @ A, oracle.stationary(U, D), oracle.generator(U, D)
    np.testing.assert_allclose(F.mean, xi @ p, rtol=1e-13)
    for tau in (0.0, 0.3, -2.0):
        want = xi @ expm(w * abs(tau)) @ (xi * p) - (xi @ p) ** 2
        np.testing.assert_allclose(F.autocovariance(tau), want, rtol=1e-12)


def test_spectrum_is_the_transform_of_the_autocovariance():
    for w in (0.0, 0.5, 4.0):
        want = 2 * mpmath.quad(lambda t, w=w: float(F.autocovariance(float(t))) * mpmath.cos(w * t), [0, 5, 40])
        np.testing.assert_allclose(F.spectrum(w), float(want), rtol=1e-7)


@pytest.mark.parametrize("x", [1e-12, 1e-6, 1e-3, 0.4999, 0.5, 0.5001, 1.89, 30.0, 1e6, 1e12])
def test_allan_variance_loses_no_digits(x):
    """Against 60 digits, and its derivative by the rate too, on both sides of the change of form."""
    f = jt.Fluctuators(np.ones(1), 0.5 * np.ones(1), 0.5 * np.ones(1))

    def exact(x):
        x = mpmath.mpf(x)
        return (2 * x - 3 + 4 * mpmath.exp(-x) - mpmath.exp(-2 * x)) / x**2

    with mpmath.workdps(60):
        value, slope = float(exact(x)), float(mpmath.diff(exact, x, h=mpmath.mpf(x) * mpmath.mpf(10) ** -20))
    np.testing.assert_allclose(f.allan_variance(x), value, rtol=1e-13)
    np.testing.assert_allclose(jax.grad(f.allan_variance)(x), slope, rtol=1e-8)


def test_allan_variance_is_the_double_integral_of_the_autocovariance():
    """Half the variance of the difference of adjacent means, on a fine grid."""
    n, tau = 4000, 0.8
    mid = (np.arange(2 * n) + 0.5) * tau / n
    weight = np.where(np.arange(2 * n) < n, -1.0, 1.0) / n
    c = np.asarray(F.autocovariance(jnp.asarray(mid - mid[0])))
    lag = np.correlate(weight, weight, "full")[2 * n - 1 :]
    want = 0.5 * (lag[0] * c[0] + 2 * lag[1:] @ c[1:])
    np.testing.assert_allclose(F.allan_variance(tau), want, rtol=1e-6)


def test_edges():
    assert float(F.allan_variance(0.0)) == 0.0
    peak = np.linspace(1.8, 2.0, 2001)
    one = jt.Fluctuators(np.ones(1), np.array([0.5]), np.array([0.5]))
    assert abs(peak[np.argmax(np.asarray(one.allan_variance(peak)))] - 1.89) < 0.01
    frozen = jt.Fluctuators(np.ones(2), np.array([0.0, 1.0]), np.array([2.0, 0.0]))
    np.testing.assert_allclose(frozen.mean, 0.0, atol=1e-15)
    assert float(frozen.spectrum(0.3)) == 0.0
    gradient = jax.grad(lambda f: f.mean + f.spectrum(0.3) + f.allan_variance(0.0) + f.autocovariance(0.0))(frozen)
    assert all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(gradient))


@pytest.mark.slow
def test_chunks_do_not_change_answers(monkeypatch):
    """Value and gradient of 53 fluctuators in chunks of a few, the last one short."""
    f = jt.Fluctuators.sample_bath(
        jax.random.key(0), 53, slowest=1e-3, fastest=1e3, amplitude=0.05, temperature=1.0, max_energy=2.0
    )
    ts = jnp.array([0.3, 2.0, 9.0])

    def answers(f):
        return jnp.concatenate([f.spectrum(ts), f.coherence(ts, pulses=1).real])

    def both():
        return jax.jit(jax.value_and_grad(lambda f: jnp.arange(1.0, 7.0) @ answers(f)))(f)

    whole = both()
    jax.clear_caches()
    monkeypatch.setattr(chunks, "_elements", lambda: 60)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(both()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)
    jax.clear_caches()


def test_one_over_f():
    f = jt.Fluctuators.sample_bath(jax.random.key(0), 40_000, slowest=1e-4, fastest=1e4, amplitude=0.1)
    w = jnp.array([0.1, 1.0, 10.0])
    law = 40_000 * 0.01 * np.pi / (w * np.log(1e8))
    np.testing.assert_allclose(f.spectrum(w), law, rtol=0.1)
