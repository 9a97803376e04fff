"""Checks of what the bath is given."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ..._checks import concrete, finite, positive, real, require

Numbers = ArrayLike | Sequence[object]  # lists, too
MOST_FLUCTUATORS = 12  # averages run over 2^M states of each TLS


def number(name: str, value: Numbers, *, zero: bool = True) -> Array:
    """Checks a real scalar, > 0 or >= 0."""
    checked = positive(name, value, zero=zero)
    require(checked.ndim == 0, name, "be a number", f"shape {checked.shape}", "Use jax.vmap for several.")
    return checked


def per_tls(name: str, value: Numbers, count: int) -> Array:
    """Checks a number or one for each TLS, (J,); >= 0."""
    checked = positive(name, value, zero=True)
    good = checked.shape in ((), (count,))
    require(good, name, f"be a number or have shape ({count},), as `frequencies`", f"shape {checked.shape}")
    return checked


def probability(name: str, value: Numbers, shape: tuple[int, ...] = ()) -> Array:
    """Checks numbers in [0, 1] of this shape, or one number."""
    checked = positive(name, value, zero=True)
    require(checked.shape in ((), shape), name, f"be a number or have shape {shape}", f"shape {checked.shape}")
    known = concrete(checked)
    require(known is None or bool(np.all(known <= 1)), name, "be a probability, from 0 to 1", value)
    return checked


def qubit_frequencies(name: str, value: Numbers) -> Array:
    """Checks finite angular frequencies, () or (W,)."""
    checked = finite(name, value)
    require(checked.ndim <= 1, name, "be a number or have shape (W,)", f"shape {checked.shape}")
    return checked


def instants(name: str, value: Numbers) -> Array:
    """Checks times >= 0 of any shape and order."""
    return positive(name, value, zero=True)


def ascending(name: str, value: Numbers) -> Array:
    """Checks times (T,) in ascending order, equal ones included."""
    checked = finite(name, value)
    require(checked.ndim == 1 and checked.size > 0, name, "have shape (T,), T >= 1", f"shape {checked.shape}")
    known = concrete(checked)
    require(known is None or bool(np.all(np.diff(known) >= 0)), name, "be ascending", value, "Sort the times.")
    return checked


def fluctuators(
    count: int, shifts: Numbers | None, up: Numbers | None, down: Numbers | None
) -> tuple[Array | None, Array | None, Array | None]:
    """Checks shifts and rates (J, M), all given or all None."""
    if shifts is None and up is None and down is None:
        return None, None, None
    remedy = "Give shifts, rates_up and rates_down together."
    if shifts is None or up is None or down is None:
        name = "shifts" if shifts is None else "rates_up" if up is None else "rates_down"
        raise ValueError(f"Argument `{name}` must be an array where the others are, but got None. {remedy}")
    moves = finite("shifts", shifts)
    good = moves.ndim == 2 and moves.shape[0] == count and moves.shape[1] > 0
    require(good, "shifts", f"have shape ({count}, M), M fluctuators for each TLS", f"shape {moves.shape}")
    rates = {"rates_up": positive("rates_up", up, zero=True), "rates_down": positive("rates_down", down, zero=True)}
    for name, rate in rates.items():
        good = rate.shape in ((), moves.shape)
        require(good, name, f"be a number or have shape {moves.shape}, as `shifts`", f"shape {rate.shape}")
    first, second = (concrete(rate) for rate in rates.values())
    if first is not None and second is not None:
        remedy = "What never switches has no stationary state: move the TLS's frequency instead."
        require(bool(np.all(first + second > 0)), "rates_up", "be > 0 where `rates_down` is 0", up, remedy)
    full_up, full_down = (jnp.broadcast_to(rate, moves.shape) for rate in rates.values())
    return moves, full_up, full_down


def spin_states(value: Numbers, shape: tuple[int, ...]) -> Array:
    """Checks states ±1, (..., J, M)."""
    checked = real("states", value)
    good = checked.ndim >= 2 and checked.shape[-2:] == shape
    require(good, "states", f"have shape (..., {shape[0]}, {shape[1]}), as `shifts`", f"shape {checked.shape}")
    known = concrete(checked)
    require(known is None or bool(np.all(np.abs(known) == 1)), "states", "hold +1 and -1 alone", value)
    return checked


def band_and_cut(band: tuple[Numbers, Numbers], min_tunnelling: Numbers) -> tuple[Array, Array, Array]:
    """Checks lowest and highest frequency of a band, and u_min in (0, 1)."""
    require(len(band) == 2, "band", "be a pair (lowest, highest)", band)
    low, high = (finite("band", end) for end in band)
    require(low.ndim == 0 == high.ndim, "band", "be a pair of numbers", f"shapes {low.shape} and {high.shape}")
    first, second = concrete(low), concrete(high)
    require(first is None or second is None or bool(first < second), "band", "ascend", band)
    least = number("min_tunnelling", min_tunnelling, zero=False)
    known = concrete(least)
    require(known is None or bool(known < 1), "min_tunnelling", "be below 1", min_tunnelling)
    return low, high, least
