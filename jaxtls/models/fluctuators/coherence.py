r"""Computes the coherence of a qubit under fluctuators: D = prod_k (1, 1) E(h/2) ... E*(h) E(h/2) (p+, p-)^T.

A pulse turns the sign of a, and with it E = e^{L tau} into its complex conjugate.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from .chunks import product
from .propagators import propagate


class Power(NamedTuple):
    """Holds a power of Q = E(h) E*(h) = [[high, u mixed z], [d mixed z*, low]]: three real numbers, z being that of Q.

    E without its detailed balance is symmetric, so that Q without it is Hermitian and positive; powers of Q commute.
    """

    high: Array
    low: Array
    mixed: Array


def _times(a: Power, b: Power, weight: Array) -> Power:
    """Multiply two powers; weight = u d |z|²."""
    both = weight * a.mixed * b.mixed
    return Power(a.high * b.high + both, a.low * b.low + both, a.high * b.mixed + a.mixed * b.low)


def _power(a: Power, weight: Array, exponent: int) -> Power:
    """Give a^exponent, exponent >= 1, by repeated squaring."""
    if exponent == 1:
        return a
    half = _power(a, weight, exponent // 2)
    square = _times(half, half, weight)
    return _times(square, a, weight) if exponent % 2 else square


def factors(amplitude: Array, up: Array, down: Array, ts: Array, pulses: int) -> Array:
    """Gives one factor for each fluctuator and time, (k,) and (T,) -> (k, T); real for an odd number of pulses.

    Acting on the stationary state, L leaves i a (p+, -p-), and (1, 1) L = i a (1, -1): the ends of the product are
    P ± i a S. With one pulse it is a sum of squares, as the two halves are independent given the state between them.
    """
    a, u, d = amplitude[:, None], up[:, None], down[:, None]
    rate = u + d
    high, low = u / rate, d / rate
    n = a * jnp.asarray(a - 1j * (u - d))
    p, s = propagate(rate, n, ts / (2 * max(pulses, 0.5)))
    turned = 1j * a * s
    if pulses == 0:
        return p + (high - low) * turned
    plus, minus = p + turned, p - turned
    if pulses == 1:
        return high * _square(plus) + low * _square(minus)

    # E(h) = E(h/2)² by L² = -Gamma L - n, and its product with E*(h)
    p, s = p * p - n * s * s, s * (2 * p - rate * s)
    above, below = p + s * (1j * a - d), p - s * (1j * a + u)
    z = above * jnp.conj(s) + jnp.conj(below) * s
    switched = u * d * _square(s)
    once = Power(_square(above) + switched, _square(below) + switched, jnp.ones_like(switched))
    weight, share = u * d * _square(z), u * low
    if pulses % 2:
        inner = _power(once, weight, pulses // 2)
        crossed = inner.mixed * _real_of_product(z, jnp.conj(plus) * minus)
        return high * inner.high * _square(plus) + low * inner.low * _square(minus) + 2 * share * crossed
    # (x, y) = (1, 1) E(h/2) E*(h)
    x = plus * jnp.conj(above) + minus * (d * jnp.conj(s))
    y = plus * (u * jnp.conj(s)) + minus * jnp.conj(below)
    if pulses == 2:
        return high * x * plus + low * y * minus
    inner = _power(once, weight, pulses // 2 - 1)
    crossed = share * inner.mixed * (z * x * minus + jnp.conj(z) * y * plus)
    return (high * inner.high) * x * plus + (low * inner.low) * y * minus + crossed


def _square(z: Array) -> Array:
    return z.real**2 + z.imag**2


def _real_of_product(a: Array, b: Array) -> Array:
    return a.real * b.real - a.imag * b.imag


@eqx.filter_jit
def coherence(amplitudes: Array, up: Array, down: Array, ts: Array, pulses: int) -> Array:
    """Gives the product of all factors, (K,) and (T,) -> (T,), complex."""
    value = product(lambda a, u, d: factors(a, u, d, ts, pulses), (amplitudes, up, down), (0.0, 1.0, 1.0), ts.size)
    return value + 0j
