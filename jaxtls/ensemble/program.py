"""Traces one realization once, and compiles the program that makes a batch of them on several devices.

Realization i depends on `jax.random.fold_in(key, i)` and on nothing else.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxpr_as_fun
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, DTypeLike, PyTree

from .._checks import is_traced, is_typed, random_key, require
from .fingerprint import fingerprint

AXIS = "realization"
KEPT = 8  # compiled batches
MOST = 2**32  # fold_in takes 32 bits of the index
BATCHED = ("rbg", "unsafe_rbg")  # generators of whose keys, as JAX says, a vmap uses one


def checked(key: Array) -> Array:
    """Checks one key, of `jax.random.key` or the raw bits of `jax.random.PRNGKey`."""
    outside = "Call ensemble outside jit, grad and vmap: it runs in batches, from Python."
    require(not is_traced(key, jnp.zeros(())), "key", "not be traced", "a tracer", outside)
    key = random_key("key", key)
    generator = written(key).partition(":")[0]
    remedy = 'Under vmap all draw from the first of their keys: use jax.random.key(seed, impl="threefry2x32").'
    require(generator not in BATCHED, "key", "draw a realization the same in any batch", f"{generator} keys", remedy)
    return key


def written(key: Array) -> str:
    """Writes the generator and the bits in hexadecimal, equal for equal keys."""
    typed = key if is_typed(key) else jax.random.wrap_key_data(key)
    words = np.asarray(jax.random.key_data(typed)).ravel()
    return f"{jax.random.key_impl(typed)}:" + "".join(f"{int(word):08x}" for word in words)


def packed(key: Array) -> tuple[str, np.ndarray]:
    """Packs a key for another process: its generator, or "" for raw bits, and the bits."""
    if not is_typed(key):
        return "", np.asarray(key)
    return str(jax.random.key_impl(key)), np.asarray(jax.random.key_data(key))


def unpacked(generator: str, bits: np.ndarray) -> Array:
    """Unpacks the key that was packed."""
    return jax.random.wrap_key_data(jnp.asarray(bits), impl=generator) if generator else jnp.asarray(bits)


def unwritten(text: str, is_typed: bool) -> Array:
    """Reads the key that was written."""
    generator, _, bits = text.rpartition(":")
    words = np.array([int(bits[at : at + 8], 16) for at in range(0, len(bits), 8)], np.uint32)
    return unpacked(generator if is_typed else "", words)


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """Holds a traced realization.

    Arguments:
        run: key -> list of leaves, without Python's part of the user's function.
        structure: of the pytree that the user's function returns.
        leaves: (shape, dtype) of each leaf, the dtype one of NumPy's own.
        names: one for each leaf, from its path in the pytree.
        fingerprint: hash of what the function computes.
        is_transparent: whether functions of equal hash are sure to be equal.
    """

    run: Callable[[Array], list[Array]]
    structure: Any
    leaves: tuple[tuple[tuple[int, ...], np.dtype], ...]
    names: tuple[str, ...]
    fingerprint: str
    is_transparent: bool

    @functools.cached_property
    def one(self) -> Callable[[Array, Any], list[Array]]:
        """Compiles (key, i) -> leaves of realization i."""
        return jax.jit(lambda key, i: self.run(jax.random.fold_in(key, i)))

    def tree(self, leaves: Sequence[Any]) -> PyTree:
        """Puts the leaves in the user's pytree."""
        return jax.tree.unflatten(self.structure, leaves)

    @property
    def outline(self) -> str:
        """Writes the pytree's shape as JSON, for `planted`; "" if it holds more than dicts, lists, tuples and None."""
        try:
            return json.dumps(_outlined(self.tree(range(len(self.names)))))
        except TypeError:  # a class of the user's: a store holds no code
            return ""


def planted(outline: str, leaves: Sequence[Any]) -> PyTree:
    """Puts leaves in the pytree of an outline."""

    def grown(node: PyTree) -> Any:
        if node is None or isinstance(node, int):
            return node if node is None else leaves[node]
        ((kind, inside),) = node.items()
        if kind == "dict":
            return {name: grown(part) for name, part in inside}
        return tuple(map(grown, inside)) if kind == "tuple" else list(map(grown, inside))

    return grown(json.loads(outline))


def _outlined(tree: PyTree) -> Any:
    if tree is None or type(tree) is int:
        return tree
    if type(tree) is dict and all(type(name) in (str, int) for name in tree):
        return {"dict": [[name, _outlined(part)] for name, part in tree.items()]}
    if type(tree) in (list, tuple):
        return {type(tree).__name__: [_outlined(part) for part in tree]}
    raise TypeError(type(tree))


def trace(realization: Callable[[Array], PyTree], key: Array) -> Program:
    """Trace `realization(key)`; ValueError for what cannot be averaged."""
    require(callable(realization), "realization", "be a function of a key", repr(realization))
    outside = "Call ensemble outside jit, grad and vmap: it runs in batches, from Python."
    closed, shapes = jax.make_jaxpr(realization, return_shape=True)(key)
    require(not is_traced(closed.consts), "realization", "close over values, not tracers", "a tracer", outside)
    paths, structure = jax.tree_util.tree_flatten_with_path(shapes)
    require(bool(paths), "realization", "return at least one array", shapes)
    for path, leaf in paths:
        is_number = jnp.issubdtype(leaf.dtype, np.number) or leaf.dtype == jnp.bool_
        require(is_number, "realization", f"return numbers{jax.tree_util.keystr(path)}", f"an array of {leaf.dtype}")
    kinds = [_numpy_dtype(leaf.dtype) for _, leaf in paths]
    whole = jaxpr_as_fun(closed)

    def run(key: Array) -> list[Array]:
        return [jnp.asarray(leaf).astype(kind) for leaf, kind in zip(whole(key), kinds)]

    digest, is_transparent = fingerprint(closed, key)
    leaves = tuple((leaf.shape, kind) for (_, leaf), kind in zip(paths, kinds))
    return Program(run, structure, leaves, _names([path for path, _ in paths]), digest, is_transparent)


class Batch:
    """Runs the compiled batch: `lanes` realizations on each of the devices, each device by itself.

    Arguments:
        program: the traced realization.
        key: the key of the ensemble.
        devices: of this process.
        lanes: realizations at a time on one device.
    """

    def __init__(self, program: Program, key: Array, devices: tuple[jax.Device, ...], lanes: int):
        self.size = lanes * len(devices)
        self.lanes = lanes
        mesh = Mesh(np.array(devices), (AXIS,))
        self._spread = NamedSharding(mesh, PartitionSpec(AXIS))
        self._key = jax.device_put(key, NamedSharding(mesh, PartitionSpec()))
        self._call = _compiled(program, self._key, lanes, devices, mesh)

    @property
    def memory(self) -> int:
        """Counts the bytes that a call takes on each device."""
        found = self._call.memory_analysis()
        return int(found.temp_size_in_bytes + found.output_size_in_bytes)

    def __call__(self, start: int) -> list[Array]:
        """Begin realizations start .. start + size - 1; the leaves arrive later."""
        index = np.arange(start, start + self.size, dtype=np.int64).astype(np.uint32)  # beyond the last key: padding
        found: list[Array] = self._call(self._key, jax.device_put(index, self._spread))
        return found


_kept: dict[Any, Any] = {}
_keeping = threading.Lock()  # threads run ensembles of their own


def _compiled(program: Program, key: Array, lanes: int, devices: tuple[jax.Device, ...], mesh: Mesh) -> Any:
    """Compile the batch, or find it: the same program is often run again, with another key or a larger n."""
    name = (program.fingerprint, str(key.dtype), lanes, devices)
    with _keeping:
        found = _kept.get(name) if program.is_transparent else None
    if found is None:
        spread, same = PartitionSpec(AXIS), PartitionSpec()

        def lane(key: Array, i: Array) -> list[Array]:
            return program.run(jax.random.fold_in(key, i))

        def batch(key: Array, index: Array) -> list[Array]:
            if lanes == 1:  # vmap would turn every branch into a select and run both sides
                return [leaf[None] for leaf in lane(key, index[0])]
            return jax.vmap(lane, in_axes=(None, 0))(key, index)

        # Each device runs its own loops: a global vmap would make all of them wait in every while loop for the slowest.
        apart = jax.shard_map(batch, mesh=mesh, in_specs=(same, spread), out_specs=spread, check_vma=False)
        index = jax.ShapeDtypeStruct((lanes * len(devices),), np.uint32, sharding=NamedSharding(mesh, spread))
        found = jax.jit(apart).lower(key, index).compile()
        if program.is_transparent:
            with _keeping:
                while len(_kept) >= KEPT:
                    _kept.pop(next(iter(_kept)))
                _kept[name] = found
    return found


def _numpy_dtype(dtype: DTypeLike) -> np.dtype:
    """Give float32 for the short kinds that only JAX knows (bfloat16, float8, int4)."""
    return np.dtype(dtype) if np.dtype(dtype).kind in "biufc" else np.dtype(np.float32)


def _names(paths: list[Any]) -> tuple[str, ...]:
    """Give names fit for files and for xarray: "x", "spring.x2", "0"; "value" where the pytree is one array."""
    names: list[str] = []
    for path in paths:
        parts = (jax.tree_util.keystr((entry,), simple=True) for entry in path)
        name = re.sub(r"[^\w.-]", "_", ".".join(parts)).lstrip("._") or "value"
        while name in (*names, "status", "zarr.json", "parts"):
            name += "_"
        names.append(name)
    return tuple(names)
