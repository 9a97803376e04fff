"""Static integers that live inside a model without being leaves of it."""

from __future__ import annotations

import jax


@jax.tree_util.register_static
class Count(int):
    """An int that jit, vmap and grad treat as structure: a model's `n_spins` when it is not traced."""

    __slots__ = ()
