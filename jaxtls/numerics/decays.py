"""Gives exponentials of complex numbers in the right half-plane, as polynomials that compilers turn into vector code.

XLA's exponential, sine and cosine cost tens of multiplications each on a CPU in double precision; these cost about ten.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._platform import platform
from .quotients import reciprocal

# sin r = r + r^3 S(r^2) and cos r = 1 - r^2/2 + r^4 C(r^2) on |r| <= pi/2, e^r on |r| <= log(2)/2: minimax, to 1e-17.
_SIN = (
    -0.16666666666666666,
    0.008333333333333316,
    -0.00019841269841254966,
    2.7557319219160833e-06,
    -2.505210761669045e-08,
    1.6058977292642743e-10,
    -7.643969663988074e-13,
    2.7314368769379893e-15,
)
_COS = (
    0.041666666666666664,
    -0.001388888888888888,
    2.4801587301579848e-05,
    -2.755731922156836e-07,
    2.0876756602722215e-09,
    -1.1470712262813793e-11,
    4.77787760803859e-14,
    -1.5218598818596388e-16,
)
_EXP = (
    1.0,
    1.0,
    0.5000000000000019,
    0.1666666666666668,
    0.04166666666648795,
    0.008333333333319589,
    0.0013888888952352863,
    0.00019841269890076403,
    2.4801485441561313e-05,
    2.755724088722987e-06,
    2.763265472252779e-07,
    2.5110049204818658e-08,
)
_PI = (math.pi, 1.2246467991473532e-16)  # with what float64 leaves of it
_LOG_2 = (math.log(2), 2.3190468138462996e-17)
# (1 - e^-z)/z = sum (-z)^n/(n+1)!, to rounding where both parts of z are below the radius; beyond it is divided.
_RADIUS = 0.15
_SERIES = tuple((-1.0) ** n / math.factorial(n + 1) for n in range(11))


def _remainder(x: Array, count: Array, unit: tuple[float, float]) -> Array:
    """Take x - count unit, the unit as a sum of three numbers with short mantissas: small multiples of two of them are
    exact."""
    bits = 33 if x.dtype == np.float64 else 11
    bits -= math.frexp(unit[0])[1]
    first = math.ldexp(math.floor(math.ldexp(unit[0], bits)), -bits)
    rest = (unit[0] - first) + unit[1]
    second = math.ldexp(math.floor(math.ldexp(rest, 2 * bits)), -2 * bits)
    for part in (first, second, rest - second):
        x = x - count * part
    return x


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    total = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def _integer_bits(count: Array) -> Array:
    """Read a whole number in the low bits of an integer, those of the mantissa of a large number plus it: conversions
    would be scalar code on processors without AVX-512."""
    info = jnp.finfo(count.dtype)
    return jax.lax.bitcast_convert_type(count + 1.5 * 2.0**info.nmant, jnp.int64 if info.bits == 64 else jnp.int32)


def cos_sin(y: Array) -> tuple[Array, Array, Array]:
    """Gives cos r, sin r and n for y = r + n pi, |r| <= pi/2, with an error of the order of y's own rounding."""
    half_turns = jnp.round(y * (1 / math.pi))
    r = _remainder(y, half_turns, _PI)
    r2 = r * r
    sin = r + r * r2 * _polynomial(_SIN, r2)
    cos = 1 - r2 / 2 + r2 * r2 * _polynomial(_COS, r2)
    return cos, sin, half_turns


def signed(x: Array, half_turns: Array) -> Array:
    """Gives x, negative if the number is odd, for x >= 0."""
    odd = _integer_bits(half_turns) << (jnp.finfo(x.dtype).bits - 1)
    return jax.lax.bitcast_convert_type(jax.lax.bitcast_convert_type(x, odd.dtype) | odd, x.dtype)


def exp_of_negative(x: Array) -> Array:
    """Gives e^-x for x >= 0 (or above it by rounding), zero where that is less than the smallest normal number."""
    info = jnp.finfo(x.dtype)
    x = jnp.minimum(x, -math.log(info.tiny) + 1.0)
    doublings = jnp.round(x * (-1 / math.log(2)))
    scale = jax.lax.bitcast_convert_type((_integer_bits(doublings) + (1 - info.minexp)) << info.nmant, x.dtype)
    value = _polynomial(_EXP, _remainder(-x, doublings, _LOG_2)) * scale
    return jnp.where(doublings < info.minexp, 0.0, value)


@jax.custom_jvp
def decay(z: Array) -> Array:
    """Gives e^-z for complex z; by JAX on a GPU, which gains nothing from polynomials that take long to compile."""
    if platform() != "cpu":
        return jnp.exp(-z)
    cos, sin, half_turns = cos_sin(z.imag)
    size = signed(exp_of_negative(z.real), half_turns)
    return jax.lax.complex(size * cos, -size * sin)


@decay.defjvp
def _decay_jvp(primals, tangents):
    value = decay(*primals)
    return value, -value * tangents[0]


def fall(x: Array, decayed: Array) -> Array:
    """Gives 1 - e^-x for real x >= 0, from e^-x, without cancellation."""
    small = x < _RADIUS
    x = jnp.where(small, x, 0.0)
    return jnp.where(small, x * _polynomial(_SERIES, x), 1 - decayed)


def mean_decay(z: Array, decayed: Array) -> Array:
    """Gives the mean (1 - e^-z)/z of e^-zu over u in (0, 1), for complex z, from e^-z: 1 at z = 0, smooth there."""
    small = jnp.maximum(jnp.abs(z.real), jnp.abs(z.imag)) < _RADIUS
    series = _polynomial(_SERIES, jnp.where(small, z, 0.0))
    return jnp.where(small, series, (1 - decayed) * reciprocal(jnp.where(small, 1.0, z)))
