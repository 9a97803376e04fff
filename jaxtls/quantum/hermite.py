"""Computes Hermite functions, the oscillator's wavefunctions, by a recurrence that neither overflows nor underflows."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from .._checks import real, size
from .._types import Numbers

# Where the recurrence grows past _BIG it is scaled down and the factor kept as a logarithm.
_BIG = 2.0**24


def hermite_functions(n_levels: int, x: Shaped[Array, "*batch"] | Numbers) -> Float[Array, "*batch n"]:
    """Gives the wavefunctions phi_0 ... phi_{n-1} of the oscillator of unit mass, frequency and hbar.

    phi_k(x) = H_k(x) exp(-x²/2) / sqrt(2^k k! sqrt(pi)), from
    phi_{k+1} = sqrt(2/(k+1)) x phi_k - sqrt(k/(k+1)) phi_{k-1}.

    Arguments:
        n_levels: number of functions n.
        x: points (...), in units of sqrt(hbar / (M omega)).

    Returns:
        (..., n). Exact zeros only where the value is below the type's smallest number, also in float32.

    Raises:
        ValueError: `n_levels` is not a plain int >= 1, or `x` is not real.

    Example:
        >>> bool(jnp.allclose(hermite_functions(2, 1.0)[1], 2**0.5 * hermite_functions(2, 1.0)[0]))
        True

    Source: B. Bunck, BIT Numer. Math. 49, 281 (2009).
    """
    n = size("n_levels", n_levels)
    points = real("x", x)
    k = np.arange(n)
    up, down = np.sqrt(2 / (k + 1)), np.sqrt(k / (k + 1))

    def step(carry, coefficients):
        before, now, log_scale = carry
        a, b = coefficients
        after = a * points * now - b * before
        large = jnp.abs(after) > _BIG
        shrink = jnp.where(large, 1 / _BIG, 1.0).astype(points.dtype)
        log_scale_after = log_scale + jnp.where(large, math.log(_BIG), 0.0).astype(points.dtype)
        return (now * shrink, after * shrink, log_scale_after), now * jnp.exp(log_scale)

    start = (jnp.zeros_like(points), jnp.ones_like(points), -(points**2) / 2 - math.log(math.pi) / 4)
    _, values = jax.lax.scan(step, start, (jnp.asarray(up, points.dtype), jnp.asarray(down, points.dtype)))
    return jnp.moveaxis(values, 0, -1)
