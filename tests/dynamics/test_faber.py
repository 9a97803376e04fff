"""The Faber expansion of an exponential: coefficients, numbers of terms, accuracy whatever the ellipse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxtls.dynamics.faber import SHARE, Ellipse, FaberExpansion, coefficients, plan, terms


def matrix(seed=0, n=8, damping=3.0, width=20.0):
    """A random matrix with its spectrum in the ellipse, one eigenvalue 0."""
    rng = np.random.default_rng(seed)
    values = -damping * rng.uniform(0, 1, n) + 1j * width * rng.uniform(-1, 1, n)
    # Inside the ellipse, not only its box.
    values = -damping / 2 + (values + damping / 2) * 0.7
    values[0] = 0
    vectors, _ = np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))
    return vectors @ np.diag(values) @ vectors.conj().T


def expansion(a, ellipse, count, grouped=False):
    reduced = lambda z: (a @ z - ellipse.centre * z) / ellipse.capacity
    still = lambda z: jnp.zeros(())
    return FaberExpansion(reduced, lambda z: z, still, ellipse, count, grouped, 1e-12)


@given(
    damping=st.floats(0.0, 30.0),
    width=st.floats(0.01, 60.0),
    h=st.floats(0.01, 2.0),
    rtol=st.sampled_from([1e-4, 1e-9]),
)
@settings(max_examples=40, deadline=None)
def test_terms_and_coefficients_reproduce_the_exponential_on_the_ellipse(damping, width, h, rtol):
    ellipse = Ellipse(damping, width)
    count = terms(ellipse, h, rtol)
    a = coefficients(ellipse, h, count)
    w = np.exp(2j * np.pi * np.arange(60) / 60)
    ratio = ellipse.skew / ellipse.capacity
    total = a[0] + sum(a[k] * (w**k + (ratio / w) ** k) for k in range(1, count))
    exact = np.exp(h * (ellipse.centre + ellipse.capacity * w + ellipse.skew / w))
    assert np.max(np.abs(total - exact)) < rtol + 1e-12


def test_plan_covers_every_interval():
    ellipse, durations = Ellipse(5.0, 300.0), np.array([0.01, 0.4, 3.0])
    count, steps = plan(ellipse, durations, 1e-6)
    assert np.all(steps >= 1) and steps[2] > steps[1] > 1
    assert all(terms(ellipse, d / k, SHARE * 1e-6) <= count for d, k in zip(durations, steps))


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(("damping", "width"), [(3.0, 20.0), (12.0, 30.0), (8.0, 60.0)])
def test_a_step_is_the_exponential_whatever_the_ellipse(damping, width, grouped):
    a, h = matrix(), 0.8
    ellipse = Ellipse(damping, width)
    z = np.random.default_rng(1).normal(size=8) + 0j
    stepper = expansion(jnp.asarray(a), ellipse, terms(ellipse, h, 1e-11), grouped)
    found, error = jax.jit(lambda z: stepper.step(z, stepper.propagators(jnp.asarray(h))))(z)
    np.testing.assert_allclose(found, scipy.linalg.expm(h * a) @ z, atol=1e-9)
    assert float(error[0]) < 1e-9


def test_too_small_an_ellipse_shows_in_the_last_terms():
    a, ellipse, h = matrix(), Ellipse(1.0, 4.0), 0.8
    stepper = expansion(jnp.asarray(a), ellipse, terms(ellipse, h, 1e-9))
    z = jnp.ones(8) + 0j
    found, error = stepper.step(z, stepper.propagators(jnp.asarray(h)))
    wrong = np.max(np.abs(found - scipy.linalg.expm(h * a) @ z))
    assert wrong > 1e-3 and float(error[0]) > 0.01 * wrong
