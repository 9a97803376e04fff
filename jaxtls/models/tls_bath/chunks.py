"""Sums over up to 10^6 TLSs a chunk at a time: no array is as large as (TLSs, times) or (TLSs, frequencies)."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, PyTree

from ..._platform import platform

SUMS = "sums over TLSs"  # the name of what `over_tls` returns, for a checkpoint that keeps it


def at_once() -> int:
    """Says how many TLSs are in a chunk, beside 64 nodes: what fits into a core's cache, or few kernels on a GPU."""
    return 2**12 if platform() == "cpu" else 2**17


def over_tls(
    term: Callable[[tuple[Array, ...]], PyTree[Array]], arrays: tuple[Array, ...], fills: tuple[float, ...], size: int
) -> PyTree[Array]:
    """Sums `term` over chunks of at most `size` TLSs, named SUMS.

    Arguments:
        term: arrays with a leading axis of a chunk's TLSs to sums over it; recomputed under reverse mode.
        arrays: leading axis J.
        fills: what stands for each array where the last chunk is not full; it must add nothing.
        size: TLSs in a chunk (static).

    Returns:
        The sums, of the structure that `term` gives.
    """
    count = arrays[0].shape[0]
    size = max(1, min(size, count))
    if size >= count:
        return checkpoint_name(term(arrays), SUMS)
    short = -count % size
    padded = [
        jnp.concatenate([a, jnp.full((short, *a.shape[1:]), fill, a.dtype)]) if short else a
        for a, fill in zip(arrays, fills, strict=True)
    ]
    rows = tuple(a.reshape(-1, size, *a.shape[1:]) for a in padded)
    shapes = jax.eval_shape(term, tuple(jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for a in rows))
    zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    step = jax.checkpoint(lambda total, row: (jax.tree.map(jnp.add, total, term(row)), None))
    return checkpoint_name(jax.lax.scan(step, zero, rows)[0], SUMS)
