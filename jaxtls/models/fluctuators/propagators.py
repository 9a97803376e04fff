r"""The two functions that make up the propagator of one fluctuator's characteristic function.

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
from ..glass.exponentials import decay

# In x² = w² tau²: cosh x, sinh(x)/x and (x cosh x - sinh x)/(2 x³), to rounding for |x²| < 1/4.
_COSH = tuple(1 / math.factorial(2 * k) for k in range(9))
_SINHC = tuple(1 / math.factorial(2 * k + 1) for k in range(9))
_CONVOLVED = tuple((k + 1) / math.factorial(2 * k + 3) for k in range(9))
_NEAR = 0.25


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    value = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + coefficient
    return value


def _roots(rate: Array, n: Array) -> tuple[Array, Array, Array]:
    """w = (l+ - l-)/2 with Re w >= 0, kept off 0, -l+ and -l-; l+ without cancellation for weak or fast fluctuators."""
    half = rate / 2
    square = half**2 - n
    # Closer to the exceptional point the far form is never taken, unless all has decayed.
    at_point = jnp.abs(square) <= 1e-24 * half**2
    w = jnp.sqrt(jnp.where(at_point, half**2, square))
    return w, n / (w + half), w + half


def _solve(rate: Array, n: Array, tau: Array) -> tuple[Array, ...]:
    """P, S and the convolutions R = S * S and R' = S * S'."""
    half, w2 = rate / 2, (rate / 2) ** 2 - n
    x2 = w2 * tau**2
    near = jnp.abs(x2.real) + jnp.abs(x2.imag) < _NEAR
    w, plus, minus = _roots(rate, n)

    # About the exceptional point
    x2 = jnp.where(near, x2, 0.0)
    envelope = jnp.exp(-half * tau)
    s0 = envelope * tau * _polynomial(_SINHC, x2)
    p0 = envelope * _polynomial(_COSH, x2) + half * s0
    r0 = envelope * tau**3 * _polynomial(_CONVOLVED, x2)
    dr0 = (tau * s0 - rate * r0) / 2

    # Away from it
    slow, fast = decay(plus * tau), decay(minus * tau)
    s1 = (slow - fast) / (2 * w)
    p1 = (minus * slow - plus * fast) / (2 * w)
    r1 = (tau * (slow + fast) / 2 - s1) / (2 * w**2)
    dr1 = (half * s1 - tau * (plus * slow + minus * fast) / 2) / (2 * w**2)
    return tuple(jnp.where(near, a, b) for a, b in ((p0, p1), (s0, s1), (r0, r1), (dr0, dr1)))


def _solve_apart(rate: Array, n: Array, tau: Array) -> tuple[Array, ...]:
    """`_solve`, on a CPU of many fluctuators (k, 1) in a loop of two turns.

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
    """P and S; `rate` is Gamma > 0 (real), n complex, tau >= 0 real; the three broadcast."""
    p, s, _, _ = _solve(rate, n, tau)
    return p, s


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
