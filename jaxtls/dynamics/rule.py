"""Gives one derivative rule, for both modes, of a run that finds its steps as it goes.

A run gives its records and what it found, steps say. What is differentiated is the run with those held fixed:
`repeated`, forwards by a plain loop, in reverse by one that keeps states. Only numbers that vary take part. Where they
are few, reverse mode pushes each of them forwards: no state has to be kept, and two slopes cost less than one reverse.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, ArrayLike, PyTree

from .._platform import platform
from ..numerics.linear_rule import linear, mapped

# Forwards; in reverse; both, and again.
Kind = Literal["forwards", "reverse", "smooth"]
# Real numbers that reverse mode pushes forwards, unless a run says how many.
FEW = 2
# On a CPU the lanes of a batch run one after the other where a state has so many bytes.
APART_BYTES = 2**12
# Lanes of a group, where one state alone cannot be moved by vectors; up to so many bytes of one.
GROUP, GROUP_BYTES = 8, 2**15
# A group of which fewer are wanted is no gain.
LEAST = 6


def bytes_of(tree: PyTree) -> int:
    """Counts the bytes of all arrays together."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def lanes_apart(state: PyTree) -> bool:
    """Says whether lanes of such states run one after the other."""
    return platform() == "cpu" and bytes_of(state) >= APART_BYTES


def lanes_together(state: PyTree) -> int:
    """Says how many lanes run as one where a run has a form for several, their axis last."""
    return GROUP if bytes_of(state) <= GROUP_BYTES else 1


def ruled(
    run: Callable[[PyTree], tuple[PyTree, PyTree]],
    repeated: Callable[[PyTree, PyTree, Kind], PyTree],
    numbers: PyTree,
    *,
    apart: bool = False,
    together: int = 1,
    few: int = FEW,
) -> tuple[PyTree, PyTree]:
    """Gives `run(numbers)`, (records, known), with `repeated(numbers, known, kind)` for derivatives of the records.

    Arguments:
        run: a pure function of `numbers` alone; any loops.
        repeated: the records once more: with loops that jax.jvp takes ("forwards"), jax.vjp ("reverse"), or both at
            any order ("smooth").
        numbers: pytree of arrays.
        apart: whether the lanes of a vmap run one after the other: on a CPU each then takes the steps that it needs,
            and its state stays in the cache.
        together: how many of them `run` does at once even then.
        few: up to how many real numbers reverse mode pushes.

    Returns:
        The same pair; derivatives pass through the records alone.
    """
    if apart:
        run = _in_groups(run, together)

    @functools.partial(jax.custom_jvp)
    def whole(numbers: PyTree) -> tuple[PyTree, PyTree]:
        return run(numbers)

    def rule(primals: tuple, tangents: tuple) -> tuple:
        records, known = whole(*primals)
        leaves, structure = jax.tree.flatten(primals[0])
        slopes = jax.tree.leaves(tangents[0], is_leaf=lambda x: isinstance(x, SymbolicZero))
        varied = [k for k, t in enumerate(slopes) if not isinstance(t, SymbolicZero) and _is_inexact(leaves[k])]
        still = jax.tree.map(_no_tangent, known)
        if not varied:
            return (records, known), (jax.tree.map(_no_tangent, records), still)

        def held(given: tuple, kind: Kind) -> tuple[Callable[[list], PyTree], list]:
            leaves, known = given

            def of_varied(some: list) -> PyTree:
                whole = list(leaves)
                for k, x in zip(varied, some):
                    whole[k] = x
                return repeated(jax.tree.unflatten(structure, whole), known, kind)

            return of_varied, [leaves[k] for k in varied]

        def pushed(given: tuple, tangents: list, kind: Kind = "forwards") -> PyTree:
            f, at = held(given, kind)
            return jax.jvp(f, (at,), (tangents,))[1]

        def pulled(given: tuple, cts: PyTree, kind: Kind = "reverse") -> list:
            f, at = held(given, kind)
            if kind == "reverse" and _are_few(at, few):
                return _by_pushing(functools.partial(pushed, given), at, cts)
            of_asked = lambda at: [x for x, _ in _asked(f(at), cts)]
            return jax.vjp(of_asked, at)[1](jax.tree.leaves(cts))[0]

        again = functools.partial(pushed, kind="smooth"), functools.partial(pulled, kind="smooth")
        # Records and their slopes are alike, but for whole numbers.
        like = records if all(_is_inexact(x) for x in jax.tree.leaves(records)) else None
        moved = linear(
            pushed, pulled, (leaves, known), [slopes[k] for k in varied], again=again, apart=apart, like=like
        )
        return (records, known), (moved, still)

    whole.defjvp(rule, symbolic_zeros=True)
    return whole(numbers)


def _in_groups(run: Callable[[PyTree], PyTree], together: int = 1) -> Callable[[PyTree], PyTree]:
    @jax.custom_batching.custom_vmap
    def whole(numbers: PyTree) -> PyTree:
        return run(numbers)

    def lanes(size: int, batched: list, numbers: PyTree) -> tuple[PyTree, PyTree]:
        leaves, structure = jax.tree.flatten(numbers)
        axes = [0 if moves else None for moves in jax.tree.leaves(batched[0])]
        if together == 1 or size < LEAST:
            found = mapped(lambda *some: whole(jax.tree.unflatten(structure, some)), axes, leaves)
        else:
            of_leaves = lambda *some: run(jax.tree.unflatten(structure, some))
            several = _in_groups(lambda some: jax.vmap(of_leaves, axes)(*some))
            found = _grouped(lambda *some: several(some), axes, leaves, size, together)
        return found, jax.tree.map(lambda _: True, found)

    whole.def_vmap(lanes)
    return whole


def _grouped(run: Callable[..., PyTree], axes: list, leaves: list, size: int, together: int) -> PyTree:
    """Run groups of lanes one after the other, the last one filled up by the last lane."""

    def parted(x: Array) -> Array:
        filled = jnp.concatenate([x, *[x[-1:]] * (-size % together)])
        return filled.reshape(-1, together, *x.shape[1:])

    found = mapped(run, axes, [x if axis is None else parted(x) for axis, x in zip(axes, leaves)])
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:size], found)


class _Pair(NamedTuple):
    result: Array
    cotangent: Array | None


def _asked(found: PyTree, cts: PyTree) -> list[tuple[Array, Array]]:
    """Pair results with their cotangents, None for those that are zero by construction, which are left out."""
    pairs = jax.tree.leaves(jax.tree.map(_Pair, found, cts), is_leaf=lambda x: isinstance(x, _Pair))
    return [(x, ct) for x, ct in pairs if ct is not None]


def _is_inexact(x: Array) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


def _no_tangent(x: Array) -> Array | np.ndarray:
    return jnp.zeros_like(x) if _is_inexact(x) else np.zeros(x.shape, jax.dtypes.float0)


def _are_few(at: list, few: int) -> bool:
    return all(not jnp.iscomplexobj(x) for x in at) and sum(x.size for x in at) <= few


def _by_pushing(pushed: Callable[[list], PyTree], at: list, cts: PyTree) -> list:
    """Apply the transpose of `pushed` to `cts`, a column at a time."""
    sizes = [x.size for x in at]
    columns = np.eye(sum(sizes))

    def column(row: ArrayLike) -> Array:
        parts = jnp.split(jnp.asarray(row), np.cumsum(sizes)[:-1])
        slopes = pushed([part.reshape(x.shape).astype(x.dtype) for part, x in zip(parts, at)])
        return sum((jnp.sum(s * c).real for s, c in _asked(slopes, cts)), jnp.zeros(()))

    found = column(columns[0])[None] if len(columns) == 1 else jax.vmap(column)(jnp.asarray(columns))
    parts = jnp.split(found, np.cumsum(sizes)[:-1])
    return [part.reshape(x.shape).astype(x.dtype) for part, x in zip(parts, at)]
