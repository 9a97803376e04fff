"""Holds static integers that live inside a model without being leaves of it."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import concrete, positive, require


@jax.tree_util.register_static
class Count(int):
    """Holds an int that jit, vmap and grad treat as structure: a model's `n_spins` when it is not traced."""

    __slots__ = ()


def spin_counts(value: ArrayLike | Sequence[ArrayLike]) -> Count | Array | tuple[Count | Array, ...]:
    """Gives a `Count`, a number that may be traced, or a tuple of them, one per class."""
    if isinstance(value, Sequence):
        require(len(value) > 0, "n_spins", "hold at least one class", value)
        return tuple(_spin_count(n) for n in value)
    return _spin_count(value)


def _spin_count(value: ArrayLike) -> Count | Array:
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        require(bool(value >= 1), "n_spins", "be at least 1", value)
        return Count(value)
    array = positive("n_spins", value)
    require(
        array.ndim == 0,
        "n_spins",
        "be a number or a tuple of numbers",
        f"shape {array.shape}",
        "A tuple has one count per class.",
    )
    known = concrete(array)
    require(bool(known is None or known >= 1), "n_spins", "be at least 1", value)
    return array
