"""Takes the free parameters of a model to one flat vector, and back."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from .._checks import is_traced, random_key, real, require
from ._hypercube import hypercube
from .transforms import AbstractTransform, Fixed, Positive


@runtime_checkable
class Named(Protocol):
    """Says what a NamedTuple is known by."""

    _fields: tuple[str, ...]


def field_names(node: PyTree) -> list[str]:
    """Gives the names under which a node keeps its parts: keys of a mapping, or fields."""
    if isinstance(node, Mapping):
        return [str(name) for name in node]
    if dataclasses.is_dataclass(node):
        return [field.name for field in dataclasses.fields(node)]
    return list(node._fields) if isinstance(node, Named) else []


def get_field(node: PyTree, path: str) -> Any:
    """Gives the value at a dotted path."""
    for name in path.split("."):
        node = node[name] if isinstance(node, Mapping) else getattr(node, name)
    return node


def _rebuilds(node: PyTree) -> bool:
    """Return True if calling the constructor with the node's own fields gives the node back."""
    named = {field.name: getattr(node, field.name) for field in dataclasses.fields(node) if field.init}
    try:
        inspect.signature(type(node)).bind(**named)
    except (TypeError, ValueError):
        return False
    with jax.ensure_compile_time_eval():
        again, numbers = dataclasses.replace(node), lambda tree: jax.tree.leaves(eqx.filter(tree, eqx.is_array_like))
        old, new = numbers(node), numbers(again)
        return len(old) == len(new) and all(_same(a, b) for a, b in zip(old, new))


def _same(a: ArrayLike, b: ArrayLike) -> bool:
    one, other = jnp.asarray(a), jnp.asarray(b)
    if is_traced(one, other) or any(jnp.issubdtype(leaf.dtype, jax.dtypes.extended) for leaf in (one, other)):
        return bool(eqx.tree_equal(one, other))
    # nothing is compiled for a comparison
    return one.dtype == other.dtype and np.array_equal(np.asarray(one), np.asarray(other))


def replace_fields(node: PyTree, values: Mapping[str, Any]) -> Any:
    """Makes a copy of the node with the values at dotted paths put in.

    A dataclass goes through its constructor, so derived fields follow; one whose constructor takes other arguments than
    its fields (a hand-written `__init__`) has the leaves exchanged instead.
    """
    heads: dict[str, dict[str, Any]] = {}
    changes: dict[str, Any] = {}
    for path, value in values.items():
        head, _, rest = path.partition(".")
        if rest:
            heads.setdefault(head, {})[rest] = value
        else:
            changes[head] = value
    for head, inner in heads.items():
        changes[head] = replace_fields(get_field(node, head), inner)
    if isinstance(node, Mapping):
        return type(node)({**node, **changes})  # type: ignore[call-arg]
    if not dataclasses.is_dataclass(node):
        return node._replace(**changes)  # type: ignore[attr-defined]
    if _rebuilds(node):
        return dataclasses.replace(node, **changes)  # type: ignore[type-var]
    names = list(changes)
    return eqx.tree_at(lambda tree: [getattr(tree, name) for name in names], node, [changes[name] for name in names])


@dataclasses.dataclass(frozen=True, eq=False)
class Parameters:
    """Holds the free fields of one model: names, transforms, shapes and starting values."""

    model: Any
    transforms: dict[str, AbstractTransform]
    start: dict[str, np.ndarray]

    @property
    def size(self) -> int:
        """Gives the number of free scalars."""
        return sum(value.size for value in self.start.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Gives one name for each free scalar: "gamma", or "g[2]" for an element of an array."""
        found: list[str] = []
        for name, value in self.start.items():
            if value.ndim == 0:
                found.append(name)
            else:
                found += [f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(value.shape)]
        return tuple(found)

    def split(self, flat: Array | np.ndarray) -> dict[str, Any]:
        """Gives the flat vector as a dictionary of fields."""
        fields, at = {}, 0
        for name, value in self.start.items():
            fields[name] = flat[at : at + value.size].reshape(value.shape)
            at += value.size
        return fields

    def join(self, fields: Mapping[str, Any]) -> Array:
        """Makes the flat vector of a dictionary of fields."""
        return jnp.concatenate([jnp.ravel(jnp.asarray(fields[name], float)) for name in self.start])

    def forward(self, u: Float[Array, " n"]) -> Float[Array, " n"]:
        """Gives physical values from unconstrained coordinates."""
        return self.join({name: self.transforms[name].forward(part) for name, part in self.split(u).items()})

    def inverse(self, v: Float[Array, " n"]) -> Float[Array, " n"]:
        """Gives unconstrained coordinates from physical values."""
        return self.join({name: self.transforms[name].inverse(part) for name, part in self.split(v).items()})

    def max_steps(self) -> np.ndarray:
        """Gives the longest step of each unconstrained coordinate."""
        return np.concatenate(
            [np.full(value.size, self.transforms[name].max_step) for name, value in self.start.items()]
        )

    def scales(self, v: np.ndarray) -> np.ndarray:
        """Gives the typical size of each free scalar at the values v."""
        parts = self.split(v)
        return np.concatenate(
            [self.transforms[name].scale(parts[name], self.start[name]).ravel() for name in self.start]
        )

    def logarithmic(self) -> np.ndarray:
        """Says which free scalars live on a log scale."""
        return np.concatenate(
            [np.full(value.size, isinstance(self.transforms[name], Positive)) for name, value in self.start.items()]
        )

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Gives the open range of each free scalar."""
        ends = [
            [np.broadcast_to(np.asarray(end, float), value.shape).ravel() for end in self.transforms[name].bounds()]
            for name, value in self.start.items()
        ]
        return np.concatenate([lo for lo, _ in ends]), np.concatenate([hi for _, hi in ends])

    def at_bound(self, values: np.ndarray, error: np.ndarray) -> tuple[str, ...]:
        """Names the parameters that a search pushed against a bound of their range."""
        lower, upper = self.bounds()
        margin = np.where(np.isfinite(upper - lower), 1e-5 * (upper - lower), 0.0)
        margin = np.maximum(margin, np.where(np.isfinite(error), 0.01 * error, 0.0))
        at = (values - lower < margin) | (upper - values < margin)
        return tuple(name for name, is_at in zip(self.names, at) if is_at)

    def starts(self, count: int, key: Array | None) -> np.ndarray:
        """Gives physical values (count, n): the given start, then points that fill the ranges evenly."""
        key = None if key is None else random_key("key", key)
        v0 = np.concatenate([np.ravel(value) for value in self.start.values()])[None]
        if count == 1:
            return v0
        return np.concatenate([v0, self.spread(hypercube(count - 1, self.size, key))])

    def spread(self, q: np.ndarray) -> np.ndarray:
        """Gives physical values (k, n) at the points q (k, n) of the unit cube."""

        def one(row: Array) -> Array:
            parts = self.split(row)
            return self.join({k: t.spread(parts[k], jnp.asarray(self.start[k])) for k, t in self.transforms.items()})

        return np.asarray(jax.vmap(one)(jnp.asarray(q, float)))

    def put(self, v: Array) -> Any:
        """Gives the model with the free values v."""
        return replace_fields(self.model, self.split(v))


def collect(model: PyTree, free: Mapping[str, Any]) -> Parameters:
    """Check `free` against the model and gather what is free."""
    remedy = 'For example free={"gamma": jt.Positive()}.'
    require(isinstance(free, Mapping), "free", "be a dictionary of field name to transform", repr(free), remedy)
    for path, transform in free.items():
        is_transform = isinstance(transform, AbstractTransform)
        require(is_transform, f'free["{path}"]', "be Positive(), Interval(lo, hi), Real() or Fixed()", repr(transform))
        node = model
        for name in path.split("."):
            known = field_names(node)
            what = f"name fields of the model (here one of {', '.join(known) or 'none'})"
            require(name in known, "free", what, repr(path), "Write nested fields with dots.")
            node = get_field(node, name)
    chosen = {path: transform for path, transform in free.items() if not isinstance(transform, Fixed)}
    require(bool(chosen), "free", "name at least one parameter to fit", dict(free), remedy)
    start = {}
    for path, transform in chosen.items():
        value = get_field(model, path)
        require(value is not None, f"model.{path}", "have a starting value", value, "Give it one in the model.")
        _require_leaf(model, path)
        transform.check(f"model.{path}", real(f"model.{path}", value))
        start[path] = np.asarray(value, dtype=jnp.result_type(float))
        try:
            shape = jax.eval_shape(transform.inverse, start[path]).shape
        except (TypeError, ValueError):
            shape = None
        fits = shape == start[path].shape
        require(fits, f'free["{path}"]', f"have bounds that broadcast to shape {start[path].shape}", transform)
    return Parameters(model, chosen, start)


def _require_leaf(model: PyTree, path: str) -> None:
    """Refuse static fields: they are part of the structure, and no derivative reaches them."""
    parent_path, _, name = path.rpartition(".")
    parent = get_field(model, parent_path) if parent_path else model
    if dataclasses.is_dataclass(parent):
        static = {field.name for field in dataclasses.fields(parent) if field.metadata.get("static", False)}
        remedy = "Static fields fix shapes and cannot be fitted."
        require(name not in static, "free", "name differentiable fields", f"{path!r}, which is static", remedy)
