"""Computes mean, autocovariance, spectrum and Allan variance of independent telegraph processes.

Every one is a sum over fluctuators of a² (1 - m²) times a function of the total rate Gamma.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .chunks import total

# (2x - 3 + 4 e^-x - e^-2x)/x^2 = sum_{n>=3} (-1)^n (4 - 2^n) x^(n-2) / n!, to rounding for x < 1/2; n = 3 first.
_ALLAN = tuple((-1.0) ** n * (4.0 - 2.0**n) / math.factorial(n) for n in range(3, 22))
# A fluctuator without amplitude, for the last chunk.
_NOBODY = (0.0, 1.0)


@eqx.filter_jit
def variances(amplitudes: Array, up: Array, down: Array) -> Float[Array, " K"]:
    """Gives a² (1 - m²) = 4 a² u d / Gamma² of each fluctuator."""
    rate = up + down
    return 4 * amplitudes**2 * (up / rate) * (down / rate)


@eqx.filter_jit
def autocovariance(variance: Array, rate: Array, taus: Array) -> Array:
    """Gives sum variance e^(-Gamma |tau|), (K,), (K,), (T,) -> (T,)."""
    lag = jnp.abs(taus)
    return total(lambda v, g: v[:, None] * jnp.exp(-g[:, None] * lag[None, :]), (variance, rate), _NOBODY, taus.size)


@eqx.filter_jit
def spectrum(variance: Array, rate: Array, omegas: Array) -> Array:
    """Gives sum variance 2 Gamma / (Gamma² + omega²), (K,), (K,), (W,) -> (W,)."""

    def term(v: Array, g: Array) -> Array:
        return 2 * v[:, None] / (g[:, None] + omegas[None, :] * (omegas[None, :] / g[:, None]))

    return total(term, (variance, rate), _NOBODY, omegas.size)


@eqx.filter_jit
def allan_variance(variance: Array, rate: Array, taus: Array) -> Array:
    """Gives sum variance A(Gamma tau), (K,), (K,), (T,) -> (T,)."""
    return total(lambda v, g: v[:, None] * allan_function(g[:, None] * taus), (variance, rate), _NOBODY, taus.size)


def allan_function(x: Array) -> Array:
    """Gives (2x - 3 + 4 e^-x - e^-2x)/x² at x >= 0: 2x/3 at small x, where this cancels, 2/x at large x."""
    small = x < 0.5
    near = jnp.where(small, x, 0.0)
    series = jnp.full_like(near, _ALLAN[-1])
    for coefficient in _ALLAN[-2::-1]:
        series = series * near + coefficient
    far = jnp.where(small, 1.0, x)
    decay = jnp.exp(-far)
    closed = (2 - (3 - 4 * decay + decay**2) / far) / far
    return jnp.where(small, series * near, closed)
