"""Moves the damped oscillator on Fock levels: pair creation in the instantaneous basis, Caldirola-Kanai in a fixed one.

Instantaneous basis |n; lambda>, of width sqrt(hbar/(m omega)) e^(-lambda), lambda = int alpha dt:
    H/hbar = omega (n + 1/2) + i (alpha/2) (a^dagger^2 - a^2) - (F sigma e^lambda/hbar) (a + a^dagger)
Fixed basis (that of lambda = 0):
    H/hbar = omega [cosh(2 lambda) (n + 1/2) + sinh(2 lambda)/2 (a^2 + a^dagger^2)] - (F sigma e^(2 lambda)/hbar)
    (a + a^dagger),   sigma = sqrt(hbar/(2 m omega)).
Both are bands of at most two off-diagonals, applied without a matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import concrete, require
from ..._types import Numbers
from ...numerics.products import matmul
from ...quantum.states import coherent_state
from .parameters import AbstractDampedOscillator
from .squeezing import Squeezing
from .transitions import block

BASES = ("instantaneous", "fixed")
# Where nothing is known (traced parameters), or where levels are populated without end (alpha >= omega).
DEFAULT_LEVELS, MAX_LEVELS = 128, 384


class FockState(NamedTuple):
    """Holds amplitudes (n_levels,) complex, and lambda = int alpha dt since the state was made."""

    amplitudes: Array
    contraction: Array


# --- the right-hand side ---------------------------------------------------------------------------------------------


def lowered(c: Array, by: int) -> Array:
    """Returns a^by c, on the levels kept: sqrt((n+1)..(n+by)) c_(n+by)."""
    return jnp.pad((jnp.asarray(_roots(c.shape[0], by), c.real.dtype) * c)[by:], (0, by))


def raised(c: Array, by: int) -> Array:
    """Returns the amplitudes of (a^dagger)^by c, on the levels kept."""
    return jnp.asarray(_roots(c.shape[0], by), c.real.dtype) * jnp.pad(c[: c.shape[0] - by], (by, 0))


def _roots(n_levels: int, by: int) -> np.ndarray:
    """Return sqrt(n (n-1) .. (n-by+1))."""
    n = np.arange(n_levels)
    return np.sqrt(np.prod([np.maximum(n - i, 0.0) for i in range(by)], axis=0))


def fock_field(model: AbstractDampedOscillator) -> Callable[[Any, FockState, Any], FockState]:
    """Makes vector_field(t, y, args) of the model's basis."""
    fixed = model.basis == "fixed"

    def vector_field(t: ArrayLike, y: FockState, args: PyTree = None) -> FockState:
        c, contraction = y
        omega, alpha, force = model.omega, model.damping_at(t), model.force_at(t)
        energies = omega * (np.arange(c.shape[0]) + 0.5)
        if fixed:
            pairs = -0.5j * omega * jnp.sinh(2 * contraction) * (raised(c, 2) + lowered(c, 2))
            dc = -1j * energies * jnp.cosh(2 * contraction) * c + pairs
        else:
            dc = -1j * energies * c + alpha / 2 * (raised(c, 2) - lowered(c, 2))
        if force is not None:
            growth = jnp.exp((2 if fixed else 1) * contraction)
            dc = dc + 1j * force * growth * model.zero_point / model.hbar * (raised(c, 1) + lowered(c, 1))
        return FockState(dc, jnp.asarray(alpha, contraction.dtype))

    return vector_field


# --- observables -----------------------------------------------------------------------------------------------------


class _Moments(NamedTuple):
    """Holds moments of X = (a + a^dagger)/sqrt2, P = -i(a - a^dagger)/sqrt2 in the basis of the amplitudes."""

    x: Array
    p: Array
    x2: Array
    p2: Array


def _moments(c: Array) -> _Moments:
    first = matmul(c.conj(), lowered(c, 1))
    second = matmul(c.conj(), lowered(c, 2))
    weight = jnp.abs(c) ** 2
    n_half = jnp.sum(weight * (np.arange(c.shape[0]) + 0.5))
    root2 = np.sqrt(2.0)
    return _Moments(root2 * first.real, root2 * first.imag, n_half + second.real, n_half - second.real)


def fock_observables(model: AbstractDampedOscillator) -> dict[str, Callable[[FockState], Array]]:
    """Gives x, v, x2, v2 (position, velocity, their squares), n, energy (mechanical), populations (instantaneous)."""
    length = jnp.sqrt(model.hbar / (model.mass * model.omega))
    fixed = model.basis == "fixed"

    def scaled(y: FockState) -> _Moments:
        """Gives the moments in the instantaneous basis: X grows and P shrinks by e^lambda."""
        found = _moments(y.amplitudes)
        if not fixed:
            return found
        grow = jnp.exp(y.contraction)
        return _Moments(found.x * grow, found.p / grow, found.x2 * grow**2, found.p2 / grow**2)

    def size(y: FockState, power: int = 1) -> Array:
        return (length * jnp.exp(-y.contraction)) ** power

    def number_half(y: FockState) -> Array:
        found = scaled(y)
        return (found.x2 + found.p2) / 2

    return {
        "x": lambda y: size(y) * scaled(y).x,
        "v": lambda y: model.omega * size(y) * scaled(y).p,
        "x2": lambda y: size(y, 2) * scaled(y).x2,
        "v2": lambda y: model.omega**2 * size(y, 2) * scaled(y).p2,
        "n": lambda y: number_half(y) - jnp.sum(jnp.abs(y.amplitudes) ** 2) / 2,
        "energy": lambda y: model.hbar * model.omega * jnp.exp(-2 * y.contraction) * number_half(y),
        "populations": lambda y: jnp.abs(instantaneous(y, fixed)) ** 2,
    }


def instantaneous(y: FockState, fixed: bool) -> Array:
    """Gives amplitudes on the instantaneous levels; from a fixed basis through the squeezing by lambda."""
    if not fixed:
        return y.amplitudes
    width = y.contraction
    # log cosh without overflow
    log_cosh = jnp.logaddexp(width, -width) - np.log(2.0)
    squeezed = Squeezing(log_cosh, jnp.zeros_like(width), jnp.tanh(width))
    matrix = block(squeezed, y.amplitudes.shape[0], False)
    return matmul(matrix.astype(y.amplitudes.dtype), y.amplitudes)


# --- initial states --------------------------------------------------------------------------------------------------


def displaced_ket(n_levels: int, n: int, alpha: Array) -> Array:
    """Gives D(alpha)|n> from D|k> = (a^dagger - conj(alpha)) D|k-1>/sqrt(k), (n_levels,).

    Example:
        >>> ket = displaced_ket(40, 2, jnp.asarray(0.5 + 0.5j))
        >>> f"{abs(ket[0])**2:.6f}"  # |<0|D|2>|^2 = e^(-1/2) (1/2)^2/2!
        '0.075816'
    """
    # Raising out of the basis would lose weight from below the cut: keep n more levels on the way.
    ket = coherent_state(n_levels + n, alpha)
    for k in range(1, n + 1):
        ket = (raised(ket, 1) - jnp.conj(alpha) * ket) / np.sqrt(float(k))
    return ket[:n_levels]


# --- sizes -----------------------------------------------------------------------------------------------------------


def enough_levels(n: int, reach: float, ratio: float | None) -> int:
    """Guesses levels for level n displaced by `reach` at r = alpha/omega (None: not known).

    Squeezing stretches energies by (1+r)/(1-r) and adds a tail r^2k.
    """
    occupied = (math.sqrt(n) + reach) ** 2 + 7 * reach + n / 2 + 8
    if ratio is None or ratio >= 1:
        return max(DEFAULT_LEVELS, min(2 * math.ceil(occupied), MAX_LEVELS))
    tail = 2 * math.log(1e-9) / (2 * math.log(ratio)) if ratio > 0 else 0.0
    return min(math.ceil(occupied * (1 + ratio) / (1 - ratio) + tail), MAX_LEVELS)


def level_numbers(name: str, n: Numbers) -> np.ndarray:
    """Reads known ints >= 0, as an array."""
    known = concrete(n)
    require(known is not None, name, "be known ints", n)
    levels = np.asarray(known)
    require(levels.dtype.kind in "iu" and bool(np.all(levels >= 0)), name, "be ints >= 0", n)
    return levels
