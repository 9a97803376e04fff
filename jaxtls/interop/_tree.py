"""Takes Python objects to JSON and a list of arrays, and back."""

from __future__ import annotations

import dataclasses
import io
import math
import os
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from .._checks import require
from ..models._counts import Count
from ._registry import name_of

PLAIN = (bool, int, str)
REMEDY = "A file holds numbers and names, no code: keep functions in fields of an eqx.Module of your own."


def fields_of(cls: type) -> list[str] | None:
    """Gives names of the fields of a dataclass (an `eqx.Module` is one) or named tuple; None for others.

    Example:
        >>> fields_of(jt.PowerLaw)
        ['exponent', 'exponent_sem', 'amplitude', 'since', 'until']
    """
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    return list(getattr(cls, "_fields", ())) or None


class Writer:
    """Turns an object into JSON, and collects its arrays."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self.described: list[dict[str, Any]] = []

    def node(self, where: str, value: PyTree) -> Any:
        """Gives the JSON of a value; `where` names it in errors."""
        if value is None or type(value) in PLAIN:
            return value
        known = not isinstance(value, jax.core.Tracer)
        require(known, where, "be known", "a tracer", "Call save outside jit, grad and vmap.")
        if isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
            return {"key": str(jax.random.key_impl(value)), "data": self.node(where, jax.random.key_data(value))}
        if isinstance(value, jax.Array | np.ndarray | np.generic):
            return self._array(where, value)
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if type(value) is complex:
            return {"complex": [self.node(where, part) for part in (value.real, value.imag)]}
        if type(value) in (list, tuple):
            return {type(value).__name__: [self.node(f"{where}[{i}]", part) for i, part in enumerate(value)]}
        if type(value) is Count:
            return {"count": int(value)}
        names = fields_of(type(value))
        if names is not None:
            found = {name: self.node(f"{where}.{name}", getattr(value, name)) for name in names}
            return {"class": name_of(type(value)), "fields": found}
        if isinstance(value, Mapping):
            good = all(type(key) in PLAIN for key in value)
            require(good, where, "have keys that are strings or whole numbers", list(value))
            return {"dict": [[key, self.node(f"{where}[{key!r}]", part)] for key, part in value.items()]}
        raise ValueError(f"Argument `{where}` must be something that a file can hold, but got {value!r}. {REMEDY}")

    def _array(self, where: str, value: PyTree) -> dict[str, int]:
        kind = "jax" if isinstance(value, jax.Array) else "scalar" if isinstance(value, np.generic) else "numpy"
        dtype = np.dtype(value.dtype)
        require(dtype.kind in "biufc" or dtype.kind == "U", where, "hold numbers or strings", f"dtype {value.dtype}")
        weak = bool(getattr(value, "weak_type", False))
        self.described.append({"dtype": dtype.str, "shape": list(np.shape(value)), "kind": kind, "weak": weak})
        self.arrays.append(value if kind == "jax" else np.asarray(value))
        return {"array": len(self.arrays) - 1}


class Reader:
    """Turns JSON and arrays into the object again.

    Arguments:
        path: of the file, for errors.
        classes: name to class, all that may be made.
    """

    def __init__(self, path: str | os.PathLike, classes: Mapping[str, type]) -> None:
        self.path, self.classes = path, classes
        self.arrays: list[Any] = []
        self.described: list[dict[str, Any]] = []

    def read(self, tree: dict[str, Any], payload: bytes) -> Any:
        """Makes the object of a file's second line and its arrays."""
        self.described = tree["arrays"]
        self.arrays = eqx.tree_deserialise_leaves(io.BytesIO(payload), self._skeleton())
        return self.node(tree["object"])

    def _skeleton(self) -> list[Any]:
        """Give arrays' shapes and dtypes, without their memory."""
        found: list[Any] = []
        for entry in self.described:
            dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
            if entry["kind"] == "jax":
                single = jax.dtypes.canonicalize_dtype(dtype) != dtype
                remedy = 'jax.config.update("jax_enable_x64", True) before you load it'
                self.refuse(not single, f"holds {dtype} numbers, and JAX counts in single precision here: {remedy}")
                found.append(jax.ShapeDtypeStruct(shape, dtype))
            else:
                found.append(np.broadcast_to(np.zeros((), dtype), shape))
        return found

    def refuse(self, good: bool, why: str) -> None:
        """Raise ValueError unless the condition holds."""
        if not good:
            raise ValueError(f"The file {self.path} {why}.")

    def node(self, tree: PyTree) -> Any:
        """Gives the value of a node."""
        if tree is None or type(tree) in (*PLAIN, float):
            return tree
        kind = next(iter(tree))
        if kind == "array":
            return self._array(tree[kind])
        if kind in ("list", "tuple"):
            return (list if kind == "list" else tuple)(self.node(part) for part in tree[kind])
        if kind == "dict":
            return {key: self.node(part) for key, part in tree[kind]}
        if kind in ("float", "count"):
            return (float if kind == "float" else Count)(tree[kind])
        if kind == "complex":
            return complex(*(self.node(part) for part in tree[kind]))
        if kind == "key":
            return jax.random.wrap_key_data(self.node(tree["data"]), impl=tree[kind])
        self.refuse(kind == "class", f"is damaged: it has a node of kind {kind!r}")
        return self._made(tree["class"], tree["fields"])

    def _array(self, at: int) -> Any:
        value, entry = self.arrays[at], self.described[at]
        if entry["kind"] == "scalar":
            return value[()]
        if entry["weak"] and value.ndim == 0:
            # A Python number that became an array: it still takes the precision of what it meets.
            weak = jnp.asarray(value.item())
            return weak if weak.dtype == value.dtype else value
        return value

    def _made(self, name: str, fields: dict[str, Any]) -> Any:
        """Make an object with these fields, put together as a pytree is: its constructor may take other things."""
        remedy = "Give it as like=" if ":" in name else "A later jaxtls may know it"
        self.refuse(name in self.classes, f"holds a {name}, which is not one of jaxtls's classes. {remedy}")
        cls = self.classes[name]
        wanted = fields_of(cls) or []
        told = f"has a {name} with fields {', '.join(fields)}, and here it has {', '.join(wanted)}"
        self.refuse(set(fields) == set(wanted), f"{told}: it was written by another version")
        values = {field: self.node(fields[field]) for field in wanted}
        if issubclass(cls, tuple):
            return cls(**values)
        made = object.__new__(cls)
        for field, value in values.items():
            object.__setattr__(made, field, value)
        for parent in reversed(cls.__mro__):
            if "__check_init__" in vars(parent):
                vars(parent)["__check_init__"](made)
        return made
