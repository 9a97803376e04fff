r"""Coherence of a qubit under fluctuators: D = prod_k (1, 1) E(h/2) ... E*(h) E(h/2) (p+, p-)^T.

A pulse turns the sign of a, and with it E = e^{L tau} into its complex conjugate.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from .chunks import product
from .propagators import propagate

Matrix = tuple[Array, Array, Array, Array]  # (++, +-, -+, --), elements of any one shape


def _times(a: Matrix, b: Matrix) -> Matrix:
    return (
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
    )


def _conjugate(a: Matrix) -> Matrix:
    return jnp.conj(a[0]), jnp.conj(a[1]), jnp.conj(a[2]), jnp.conj(a[3])


def _power(a: Matrix, exponent: int) -> Matrix:
    """a^exponent, exponent >= 1, by repeated squaring."""
    if exponent == 1:
        return a
    half = _power(a, exponent // 2)
    square = _times(half, half)
    return _times(square, a) if exponent % 2 else square


def factors(amplitude: Array, up: Array, down: Array, ts: Array, pulses: int) -> Array:
    """One factor for each fluctuator and time, (k,) and (T,) -> (k, T); real for one pulse.

    Acting on the stationary state, L leaves i a (p+, -p-), and (1, 1) L = i a (1, -1): the ends of the product are
    P ± i a S. With one pulse it is a sum of squares, as the two halves are independent given the state between them.
    """
    a, u, d = amplitude[:, None], up[:, None], down[:, None]
    rate = u + d
    high, low = u / rate, d / rate
    p, s = propagate(rate, a * jnp.asarray(a - 1j * (u - d)), ts / (2 * max(pulses, 0.5)))
    turned = 1j * a * s
    if pulses == 0:
        return p + (high - low) * turned
    plus, minus = p + turned, p - turned
    if pulses == 1:
        return high * _square(plus) + low * _square(minus)
    half: Matrix = (p + s * (1j * a - d), u * s, d * s, p - s * (1j * a + u))
    full = _times(half, half)
    back = _conjugate(full)
    right = high * plus, low * minus
    if pulses % 2:
        middle = _power(_times(full, back), pulses // 2)
        left = jnp.conj(plus), jnp.conj(minus)
    else:
        middle = back if pulses == 2 else _times(back, _power(_times(full, back), pulses // 2 - 1))
        left = plus, minus
    ahead = middle[0] * right[0] + middle[1] * right[1], middle[2] * right[0] + middle[3] * right[1]
    return left[0] * ahead[0] + left[1] * ahead[1]


def _square(z: Array) -> Array:
    return z.real**2 + z.imag**2


@eqx.filter_jit
def coherence(amplitudes: Array, up: Array, down: Array, ts: Array, pulses: int) -> Array:
    """Product of all factors, (K,) and (T,) -> (T,), complex."""
    value = product(
        lambda a, u, d: factors(a, u, d, ts, pulses), (amplitudes, up, down), (0.0, 1.0, 1.0), ts.size
    )
    return value + 0j
