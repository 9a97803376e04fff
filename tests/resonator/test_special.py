"""The special functions against SciPy: values, slopes and the ends of their ranges."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from numpy.testing import assert_allclose

from jaxtls.models._special import digamma_excess, scaled_k0


def test_digamma_on_the_critical_line():
    y = np.logspace(-4, 5, 400)
    expected = scipy.special.digamma(0.5 + 1j * y).real - np.log(y)
    assert_allclose(digamma_excess(jnp.asarray(1 / y)), expected, rtol=0, atol=1e-13)


def test_digamma_slope():
    # d/du Re psi(1/2 + i/u) by central differences of SciPy's function, at u where they are accurate.
    u = np.logspace(-1, 2, 60)
    step = 1e-5 * u

    def reference(u):
        return scipy.special.digamma(0.5 + 1j / u).real + np.log(u)

    expected = (reference(u + step) - reference(u - step)) / (2 * step)
    assert_allclose(jax.vmap(jax.grad(digamma_excess))(jnp.asarray(u)), expected, rtol=1e-5, atol=1e-8)


def test_digamma_at_zero():
    value, slope = jax.value_and_grad(digamma_excess)(jnp.asarray(0.0))
    assert value == 0 and slope == 0
    # The next term: Re psi(1/2 + iy) - ln y = -1/(24 y^2) - 7/(960 y^4) ... relative to the first, 7 * 24 / 960 u^2.
    u = 1e-3
    assert_allclose(digamma_excess(jnp.asarray(u)), -(u**2) / 24 * (1 + 0.175 * u**2), rtol=1e-12)


def test_scaled_k0_and_slope():
    x = np.logspace(-5, 5, 300)
    assert_allclose(scaled_k0(jnp.asarray(x)), scipy.special.k0e(x), rtol=1e-13)
    x = np.logspace(-5, 2, 100)
    slope = scipy.special.k0e(x) - scipy.special.k1e(x)
    assert_allclose(jax.vmap(jax.grad(scaled_k0))(jnp.asarray(x)), slope, rtol=1e-10)


def test_float32_stays_float32():
    for function in (digamma_excess, scaled_k0):
        x = jnp.logspace(-2, 2, 50, dtype=jnp.float32)
        assert function(x).dtype == jnp.float32
        assert_allclose(function(x), function(x.astype(jnp.float64)), rtol=2e-4)
