"""Exponentials of complex numbers in the right half-plane, as polynomials that compilers turn into vector code.

XLA's sine and cosine cost tens of multiplications each on a CPU in double precision; these cost about ten.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

# sin r = r + r^3 S(r^2) and cos r = 1 - r^2/2 + r^4 C(r^2) on |r| <= pi/4: coefficients of fdlibm (Sun, 1993).
_SIN = (
    -1.66666666666666324348e-01,
    8.33333333332248946124e-03,
    -1.98412698298579493134e-04,
    2.75573137070700676789e-06,
    -2.50507602534068634195e-08,
    1.58969099521155010221e-10,
)
_COS = (
    4.16666666666666019037e-02,
    -1.38888888888741095749e-03,
    2.48015872894767294178e-05,
    -2.75573143513906633035e-07,
    2.08757232129817482790e-09,
    -1.13596475577881948265e-11,
)
# (1 - e^-z)/z = sum (-z)^n/(n+1)!, to rounding where both parts of z are below the radius; beyond it is divided.
_RADIUS = 0.15
_SERIES = tuple((-1.0) ** n / math.factorial(n + 1) for n in range(11))


def _split_half_pi(dtype: np.dtype) -> tuple[float, ...]:
    """pi/2 as a sum of three numbers with short mantissas, so that small multiples of the first two are exact."""
    bits = 33 if dtype == np.float64 else 11
    first = math.ldexp(math.floor(math.ldexp(math.pi / 2, bits - 1)), 1 - bits)
    rest = (math.pi / 2 - first) + 6.123233995736766e-17  # what float64 leaves of pi/2
    second = math.ldexp(math.floor(math.ldexp(rest, 2 * bits)), -2 * bits)
    return first, second, rest - second


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    total = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def cos_sin(y: Array) -> tuple[Array, Array]:
    """cos y and sin y with an error of the order of y's own rounding; not to be differentiated."""
    quarter = jnp.round(y * (2 / math.pi))
    r = y
    for part in _split_half_pi(np.dtype(y.dtype)):
        r = r - quarter * part
    r2 = r * r
    sin = r + r * r2 * _polynomial(_SIN, r2)
    cos = 1 - r2 / 2 + r2 * r2 * _polynomial(_COS, r2)
    turn = quarter - 4 * jnp.floor(quarter / 4)
    odd = (turn == 1) | (turn == 3)
    cos, sin = jnp.where(odd, sin, cos), jnp.where(odd, cos, sin)
    return jnp.where((turn == 1) | (turn == 2), -cos, cos), jnp.where(turn >= 2, -sin, sin)


@jax.custom_jvp
def decay(z: Array) -> Array:
    """e^-z for complex z."""
    cos, sin = cos_sin(z.imag)
    size = jnp.exp(-z.real)
    return jax.lax.complex(size * cos, -size * sin)


@decay.defjvp
def _decay_jvp(primals, tangents):
    value = decay(*primals)
    return value, -value * tangents[0]


def mean_decay(z: Array, decayed: Array) -> Array:
    """(1 - e^-z)/z for complex z, the mean of e^-zu over u in (0, 1), from e^-z: 1 at z = 0, smooth there."""
    small = jnp.maximum(jnp.abs(z.real), jnp.abs(z.imag)) < _RADIUS
    series = _polynomial(_SERIES, jnp.where(small, z, 0.0))
    return jnp.where(small, series, (1 - decayed) / jnp.where(small, 1.0, z))
