"""Runs loops whose count is known only as they run, as a GPU likes it: the host looks at their condition each turn.

Whether a loop goes on is part of what it carries, found by the same kernel that counts, as a condition that is computed
would be one kernel more; and several short turns, of a number that is known, may stand between two looks: a look takes
8 us, a term of an expansion 20 on an H200.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._platform import platform

# new, old -> new in turns that are wanted.
Kept = Callable[[PyTree, PyTree], PyTree]


def turned(count: Array, body: Callable[[Array, PyTree], PyTree], start: PyTree) -> PyTree:
    """Runs `jax.lax.fori_loop(0, count, body, start)`."""

    def one(carry: tuple) -> tuple:
        i, _, inner = carry
        return i + 1, i + 1 < count, body(i, inner)

    return jax.lax.while_loop(lambda carry: carry[1], one, (jnp.zeros_like(count), count > 0, start))[2]


def grouped(count: Array, body: Callable[[Array, PyTree, Kept], PyTree], start: PyTree, together: int) -> PyTree:
    """Does what `turned` does, on a GPU with so many turns between two looks.

    There turns are done up to a multiple of `together`: body(i, carry, kept) passes what they may not change through
    kept(new, old), and has room for what they write.
    """
    if platform() == "cpu":
        return jax.lax.fori_loop(0, count, lambda i, carry: body(i, carry, lambda new, old: new), start)

    def several(group: Array, carry: PyTree) -> PyTree:
        def one(k: Array, carry: PyTree) -> PyTree:
            i = group * together + k.astype(group.dtype)
            return body(i, carry, lambda new, old: jax.tree.map(lambda a, b: jnp.where(i < count, a, b), new, old))

        return jax.lax.fori_loop(0, together, one, carry)

    return turned(-(-count // together), several, start)


def beyond(together: int) -> int:
    """Counts turns that `grouped` may do beyond its count."""
    return 0 if platform() == "cpu" else together - 1
