"""Treats damping as squeezing: a(t) = u a + v a^dagger, smooth through critical damping and finite at all times.

The quadratures X = e^(lambda) x, P = e^(-lambda) p (lambda = int alpha dt, natural units) obey
    d(X, P)/dt = A (X, P),  A = [[alpha, omega], [-omega, -alpha]],  A^2 = (alpha^2 - omega^2) 1,
so e^(A t) = cosh(kappa t) 1 + sinh(kappa t)/kappa A, kappa^2 = alpha^2 - omega^2: entire functions of kappa^2 t^2.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PyTree

# |z| < 1: the first term left out is below 1/20!.
_COSH = tuple(1 / math.factorial(2 * k) for k in range(10))
_SINH = tuple(1 / math.factorial(2 * k + 1) for k in range(10))


class Flow(NamedTuple):
    """Holds e^(A t) = e^growth (even 1 + odd A); growth = |kappa t| where overdamped, so that even, odd stay finite."""

    even: Array
    odd: Array
    growth: Array


class Squeezing(NamedTuple):
    """Holds the Bogoliubov pair: conj(u) = exp(log_size + i angle), v = ratio exp(log_size), |u|^2 - |v|^2 = 1.

    `angle` is continuous in time (conj(u) winds around zero), so that sqrt(u) has a sign.
    """

    log_size: Array
    angle: Array
    ratio: Array


def damped_flow(omega: Array, damping: Array, t: Array) -> Flow:
    """Gives cosh(kappa t) and sinh(kappa t)/kappa, with the growing exponential taken out; smooth at kappa = 0.

    Arguments:
        omega, damping, t: broadcast against each other.

    Returns:
        The even and odd part, and the exponent that was taken out of both.

    Example:
        >>> flow = damped_flow(jnp.asarray(1.0), jnp.asarray(1.0), jnp.asarray(2.0))  # critical: 1 + A t
        >>> flow.even.item(), flow.odd.item(), flow.growth.item()
        (1.0, 2.0, 0.0)
    """
    z = (damping - omega) * (damping + omega) * t**2
    near = jnp.abs(z) < 1
    small = jnp.where(near, z, 0.0)
    even, odd = _polynomial(_COSH, small), _polynomial(_SINH, small)
    # Both branches of a `where` are differentiated: keep each square root away from its zero.
    phase = jnp.sqrt(jnp.where(z <= -1, -z, 1.0))
    even, odd = jnp.where(z <= -1, jnp.cos(phase), even), jnp.where(z <= -1, jnp.sin(phase) / phase, odd)
    exponent = jnp.sqrt(jnp.where(z >= 1, z, 1.0))
    fading = jnp.exp(-2 * exponent)
    even = jnp.where(z >= 1, (1 + fading) / 2, even)
    odd = jnp.where(z >= 1, (1 - fading) / (2 * exponent), odd)
    return Flow(even, t * odd, jnp.where(z >= 1, exponent, 0.0))


def _polynomial(coefficients: tuple[float, ...], z: Array) -> Array:
    value = jnp.zeros_like(z)
    for coefficient in reversed(coefficients):
        value = value * z + coefficient
    return value


@jax.jit
def damped_squeezing(omega: Array, damping: Array, t: Array) -> Squeezing:
    """Gives u = even - i omega odd, v = alpha odd: v^2 is the s^2 of the closed forms, ratio^2 = s^2/(1 + s^2) their T.

    Arguments:
        omega, damping, t: broadcast against each other.

    Returns:
        A `Squeezing` with a real ratio.

    Example:
        >>> s = damped_squeezing(jnp.asarray(1.0), jnp.asarray(1.0), jnp.asarray(2.0))  # s^2 = (omega t)^2 = 4
        >>> f"{s.ratio**2:.3f}, {jnp.exp(2 * s.log_size):.3f}"
        '0.800, 5.000'

    Source: Blacker & Tilbrook, Eqs. 27-29, with s, T for their parameters.
    """
    even, odd, growth = damped_flow(omega, damping, t)
    v = damping * odd
    square = even**2 + (omega * odd) ** 2
    grown = growth > 0
    # |u|^2 = 1 + v^2 keeps the digits of a small v; the scaled form those of a long time.
    log_size = jnp.where(grown, growth + jnp.log(square) / 2, jnp.log1p(jnp.where(grown, 0.0, v) ** 2) / 2)
    angle = jnp.arctan2(omega * odd, even)
    turned = jax.lax.stop_gradient(jnp.sqrt(jnp.maximum((omega - damping) * (omega + damping), 0.0)) * t)
    winding = jnp.round(jax.lax.stop_gradient((turned - angle) / (2 * jnp.pi)))
    return Squeezing(log_size, angle + 2 * jnp.pi * winding, v / jnp.sqrt(square))


class SqueezingState(NamedTuple):
    """Holds v/conj(u), log conj(u) and lambda = int alpha dt: they neither overflow nor wind."""

    xi: Array
    log_u: Array
    contraction: Array


class SqueezingFlow(eqx.Module):
    """Moves the Bogoliubov pair for a damping alpha(t): d xi/dt = -2i omega xi + alpha (1 - xi^2), d log conj(u)/dt = i
    omega + alpha xi, with xi = v/conj(u)."""

    omega: Array
    damping: Any

    def initial_state(self) -> SqueezingState:
        """Gives the pair without squeezing."""
        zero = jnp.zeros((), jnp.result_type(self.omega.dtype, jnp.complex64))
        return SqueezingState(zero, zero, zero.real)

    def vector_field(self, t: ArrayLike, y: SqueezingState, args: PyTree = None) -> SqueezingState:
        """Gives d/dt of the squeezing at time t."""
        alpha = self.damping(t)
        return SqueezingState(
            -2j * self.omega * y.xi + alpha * (1 - y.xi**2), 1j * self.omega + alpha * y.xi, jnp.asarray(alpha)
        )


def squeezing_of(state: SqueezingState) -> Squeezing:
    """Makes a `Squeezing` (with a complex ratio) of a state of `SqueezingFlow`."""
    angle = state.log_u.imag
    return Squeezing(state.log_u.real, angle, state.xi * jnp.exp(1j * angle))
