"""`sweep` runs a function of many numbers, side by side in batches that the device's memory holds."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from .._checks import is_traced, require, size
from .devices import sized

KEPT = 8  # compiled batches
INSIDE = "Inside jit, grad and vmap use jax.lax.map(f, xs, batch_size=B): a batch cannot be chosen there."


def sweep(function: Callable[..., PyTree], *numbers: PyTree, batch_size: int | str = "auto") -> PyTree:
    r"""Computes `jax.vmap(function)(*numbers)`, in batches as large as the memory of the device lets them be.

        y_i = f(x_i),   i = 1 .. n

    A plain `jax.vmap` is one program for all n, and fails where they do not fit; gradients need most room. Here a small
    batch is compiled and asked for its memory, as `jt.ensemble` does. `jax.grad(loss)` is a function, too.

    Arguments:
        function: of one x; traced once for each size of a batch.
        numbers: pytrees of arrays with one leading axis of length n, one pytree for each argument of the function.
        batch_size: how many at a time; "auto": what fills at most half of the free memory of an accelerator, or 64 MiB
            of a CPU, which gains nothing from more.

    Returns:
        What the function returns as NumPy arrays with the leading axis n: results wait on the host.

    Raises:
        ValueError: for leading axes that differ, and inside jit, grad and vmap.

    Example:
        >>> omega = jnp.linspace(1.0, 2.0, 1000)
        >>> slopes = sweep(jax.grad(lambda x: jnp.sin(x) ** 2), omega)
        >>> slopes.shape, bool(np.allclose(slopes, np.sin(2 * omega)))
        ((1000,), True)

    Source: ours.
    """
    leaves, structure = jax.tree.flatten(numbers)
    require(bool(leaves), "numbers", "hold at least one array", numbers)
    require(not is_traced(*leaves), "numbers", "not be traced", "a tracer", INSIDE)
    arrays = [jnp.asarray(leaf) for leaf in leaves]
    lengths = {x.shape[0] if x.ndim else 0 for x in arrays}
    require(len(lengths) == 1 and 0 not in lengths, "numbers", "have one leading axis", sorted(lengths))
    [n] = lengths
    rows = tuple(jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for x in arrays)
    compile = functools.partial(_maker(function), function, structure, rows)
    if isinstance(batch_size, str):
        require(batch_size == "auto", "batch_size", 'be a number or "auto"', repr(batch_size))
        batch = sized(compile, n, jax.local_devices()[:1], pieces=1)
    else:
        batch = compile(min(size("batch_size", batch_size), n))
    # The next batch is begun before this one is waited for.
    waiting, parts = batch(arrays, 0), []
    for start in range(batch.lanes, n, batch.lanes):
        following = batch(arrays, start)
        parts.append(jax.tree.map(np.asarray, waiting))
        waiting = following
    parts.append(jax.tree.map(np.asarray, waiting))
    return jax.tree.map(lambda *found: np.concatenate(found)[:n], *parts)


class _Lanes:
    """Runs the compiled batch."""

    def __init__(self, call: Any, lanes: int):
        self.lanes, self.call = lanes, call
        found = call.memory_analysis()
        self.memory = int(found.temp_size_in_bytes + found.output_size_in_bytes + found.argument_size_in_bytes)

    def __call__(self, arrays: list, start: int) -> PyTree:
        """Begin those of so many numbers from `start` on; the last is repeated where there are no more."""
        end = min(start + self.lanes, len(arrays[0]))
        index = np.minimum(np.arange(start, start + self.lanes), end - 1)
        return self.call([x[index] for x in arrays])


def _compiled(function: Callable, structure: Any, rows: tuple, lanes: int) -> _Lanes:
    def batch(leaves: list) -> PyTree:
        if lanes == 1:  # vmap would turn every branch into a select and run both sides
            found = function(*jax.tree.unflatten(structure, [x[0] for x in leaves]))
            return jax.tree.map(lambda y: jnp.asarray(y)[None], found)
        return jax.vmap(lambda *one: function(*jax.tree.unflatten(structure, one)))(*leaves)

    wide = [jax.ShapeDtypeStruct((lanes, *row.shape), row.dtype) for row in rows]
    return _Lanes(jax.jit(batch).lower(wide).compile(), lanes)


_kept = functools.lru_cache(maxsize=KEPT)(_compiled)


def _maker(function: Callable) -> Callable[..., _Lanes]:
    """Choose the maker of batches, one that keeps them where a function can be told from others."""
    try:
        hash(function)
    except TypeError:
        return _compiled
    return _kept
