"""A loop whose count is known only as it runs, and whose condition is no work of its own.

Whether it goes on is part of what it carries, found by the same kernel that counts: on a GPU, where the host looks at
it before each turn, a condition that is computed is one kernel more.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree


def turned(count: Array, body: Callable[[Array, PyTree], PyTree], start: PyTree) -> PyTree:
    """`jax.lax.fori_loop(0, count, body, start)`."""

    def one(carry: tuple) -> tuple:
        i, _, inner = carry
        return i + 1, i + 1 < count, body(i, inner)

    return jax.lax.while_loop(lambda carry: carry[1], one, (jnp.zeros_like(count), count > 0, start))[2]
