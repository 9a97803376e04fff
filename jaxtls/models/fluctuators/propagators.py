r"""Computes the two functions that make up the propagator of one fluctuator's characteristic function.

L = [[-d + i a, u], [d, -u - i a]] has trace -Gamma and determinant n = a² - i a (u - d). By Cayley and Hamilton

    e^{L tau} = P I + S L,    S'' + Gamma S' + n S = 0,  S(0) = 0,  S'(0) = 1,    P = S' + Gamma S.

With the roots l± of l² + Gamma l + n, S = (e^{l+ tau} - e^{l- tau})/(l+ - l-). Where they meet (u = d, Gamma = 2a: an
exceptional point) S and P are smooth still, but the roots are not: the derivatives below never pass through a root.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..._platform import platform
from ...numerics.decays import cos_sin, exp_of_negative, fall, signed

# (x cosh x - sinh x)/(2 x³) in x² = w² tau², to rounding for |x²| < 1/4.
_CONVOLVED = tuple((k + 1) / math.factorial(2 * k + 3) for k in range(9))
_NEAR = 0.25


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    value = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


def _roots(rate: Array, n: Array) -> tuple[Array, Array, Array]:
    """Give w = (l+ - l-)/2 with Re w >= 0, kept off 0, -l+ (no cancellation for weak or fast fluctuators) and w²."""
    half = rate / 2
    square = half**2 - n
    # S and P are even in w: so close to the exceptional point any small w is as good.
    at_point = jnp.abs(square) <= 1e-24 * half**2
    w = jnp.where(at_point, 1e-12 * half, jnp.sqrt(jnp.where(at_point, half**2, square)))
    return w, n / (w + half), jnp.where(at_point, half**2, square)


def _waves(w: Array, plus: Array, tau: Array) -> tuple[Array, Array, Array]:
    """Give e^{l+ tau}, e^{l- tau} and S. l+ + l- is real: one cosine and one sine of real numbers serve both."""
    cos, sin, half_turns = cos_sin(w.imag * tau)
    size = signed(exp_of_negative(plus.real * tau), half_turns)
    apart = 2 * w.real * tau
    ratio = exp_of_negative(apart)
    s = jax.lax.complex(size * fall(apart, ratio) * cos, size * (1 + ratio) * sin) * (0.5 / w)
    faster = size * ratio
    return jax.lax.complex(size * cos, size * sin), jax.lax.complex(faster * cos, -faster * sin), s


@jax.custom_jvp
def _decays(w: Array, plus: Array, tau: Array) -> tuple[Array, Array]:
    """Give e^{l+ tau} and e^{l- tau}."""
    slow, fast, _ = _waves(w, plus, tau)
    return slow, fast


@_decays.defjvp
def _decays_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    w, plus, tau = primals
    dw, dplus, dtau = tangents
    slow, fast = _decays(w, plus, tau)
    dslow = -slow * (plus * dtau + tau * dplus)
    dfast = -fast * ((plus + 2 * w) * dtau + tau * (dplus + 2 * dw))
    return (slow, fast), (dslow, dfast)


def _solve(rate: Array, n: Array, tau: Array) -> tuple[Array, ...]:
    """Give P, S and the convolutions R = S * S and R' = S * S'."""
    p, s = propagate(rate, n, tau)
    half, w2 = rate / 2, (rate / 2) ** 2 - n
    x2 = w2 * tau**2
    near = jnp.abs(x2.real) + jnp.abs(x2.imag) < _NEAR

    # About the exceptional point
    r0 = jnp.exp(-half * tau) * tau**3 * _polynomial(_CONVOLVED, jnp.where(near, x2, 0.0))
    dr0 = (tau * s - rate * r0) / 2

    # Away from it
    w, plus, w2 = _roots(rate, n)
    slow, fast = _decays(w, plus, tau)
    inverse = 0.5 / w2
    r1 = (tau * (slow + fast) / 2 - s) * inverse
    dr1 = (half * s - tau * (plus * slow + (w + half) * fast) / 2) * inverse
    return p, s, jnp.where(near, r0, r1), jnp.where(near, dr0, dr1)


def _solve_apart(rate: Array, n: Array, tau: Array) -> tuple[Array, ...]:
    """Do what `_solve` does, on a CPU of many fluctuators (k, 1) in a loop of two turns.

    Only so that all four are finished before a derivative uses each of them several times: a compiler that fuses the
    two computes the exponentials anew for each use.
    """
    k = n.shape[0] if n.ndim == 2 else 1
    if k == 1 or rate.shape != n.shape or platform() != "cpu":
        return _solve(rate, n, tau)
    halves = tuple(jnp.pad(x, ((0, k % 2), (0, 0)), mode="edge").reshape(2, -1, x.shape[1]) for x in (rate, n))
    found = jax.lax.map(lambda half: _solve(half[0], half[1], tau), halves)
    return tuple(x.reshape(-1, x.shape[-1])[:k] for x in found)


@jax.custom_jvp
def propagate(rate: Array, n: Array, tau: Array) -> tuple[Array, Array]:
    """Gives P and S; `rate` is Gamma > 0 (real), n complex, tau >= 0 real; the three broadcast."""
    w, plus, _ = _roots(rate, n)
    slow, _, s = _waves(w, plus, tau)
    return slow + plus * s, s


@propagate.defjvp
def _propagate_jvp(
    primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """S answers a change of its equation as -S * (S dn + S' dGamma); P' = -n S."""
    rate, n, tau = primals
    drate, dn, dtau = tangents
    p, s, r, dr = _solve_apart(rate, n, tau)
    dp = -(dr + rate * r) * dn + n * r * drate - n * s * dtau
    ds = -r * dn - dr * drate + (p - rate * s) * dtau
    return (p, s), (dp, ds)
