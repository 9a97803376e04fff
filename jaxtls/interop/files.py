"""`save` and `load` keep models, solutions and fits in a file that holds numbers and names, and no code.

The file is two lines of JSON and then the arrays, one after the other, each in NumPy's .npy format, as
`equinox.tree_serialise_leaves` writes them.

The first line has "format": "jaxtls"; "version": 1, of this description; "jaxtls", the version that wrote it; "bytes"
and "sha256" of all that follows the line. The second has
- "arrays": for each array its "dtype", "shape", "kind" ("jax", "numpy", or "scalar" for a NumPy scalar) and whether it
  is "weak", as an array that jax.numpy made of a Python number;
- "object": the tree. null, true, false, strings, integers and finite floats are themselves; all else is an object of
  one of these kinds: {"array": k}; {"list": [...]}, {"tuple": [...]}, {"dict": [[key, value], ...]};
  {"float": "nan" | "inf" | "-inf"}; {"complex": [re, im]}; {"count": n}, a static size;
  {"key": algorithm, "data": node}, a JAX random key; {"class": name, "fields": {...}}, static fields among them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pathlib
from importlib.metadata import version
from typing import Any

import equinox as eqx
from jaxtyping import PyTree

from ._registry import allowed
from ._tree import Reader, Writer

VERSION = 1
START = b'{"format": "jaxtls", '
MOST = 10_000  # bytes of the first line


def save(path: str | os.PathLike, obj: PyTree) -> None:
    """Write a model, a solution, a fit, or a tree of such, to a file that `load` reads.

    Arguments:
        path: of the file; one that is there is replaced once the new one is whole.
        obj: models, what `jt.evolve`, `jt.mesolve`, `jt.trajectories`, `jt.steady_state` and `jt.fit` return, your own
            `eqx.Module`s, dataclasses and named tuples; arrays, numbers and strings, in lists, tuples and dicts.

    Raises:
        ValueError: for what cannot be kept without code, as functions and `Lindbladian`s that hold some, naming where
            it is; while being traced (jit, grad, vmap).
        OSError: where the file cannot be written.

    Example:
        >>> import tempfile, os
        >>> path = os.path.join(tempfile.mkdtemp(), "spring.jaxtls")
        >>> spring = jt.EntropicSpring(omega=1.93, splitting=100.0, gamma=10.0, beta=0.01, n_spins=1000)
        >>> jt.save(path, spring)
        >>> jt.load(path).n_spins == spring.n_spins
        True
    """
    writer = Writer()
    tree = {"object": writer.node("obj", obj), "arrays": writer.described}
    body = io.BytesIO()
    body.write(json.dumps(tree, allow_nan=False).encode() + b"\n")
    eqx.tree_serialise_leaves(body, writer.arrays)
    rest = body.getvalue()
    header = {
        "format": "jaxtls",
        "version": VERSION,
        "jaxtls": version("jaxtls"),
        "bytes": len(rest),
        "sha256": _sum(rest),
    }
    target = pathlib.Path(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(json.dumps(header).encode() + b"\n" + rest)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def load(path: str | os.PathLike, *, like: PyTree = None) -> Any:
    """Read what `save` wrote. Nothing of the file is executed: it names classes, and only known ones are made.

    Arguments:
        path: of the file.
        like: your own classes in it, or instances of them: one, or a list.

    Returns:
        An equal object: the same classes, arrays, dtypes and static fields.

    Raises:
        ValueError: for a file that is not of this format, of a version that this jaxtls cannot read, cut short or
            changed; with a class that is neither jaxtls's nor in `like`, or whose fields are others by now; with double
            precision where JAX counts in single.
        OSError: where the file cannot be read.

    Example:
        >>> import equinox as eqx, tempfile, os
        >>> class Mine(eqx.Module):
        ...     rate: float
        >>> path = os.path.join(tempfile.mkdtemp(), "mine.jaxtls")
        >>> jt.save(path, [Mine(0.5), {"ts": jnp.arange(3.0)}])
        >>> jt.load(path, like=Mine)[0]
        Mine(rate=0.5)
    """
    with open(path, "rb") as file:
        first = file.readline(MOST) if file.read(len(START)) == START else b""
        rest = file.read()
    reader = Reader(path, allowed(like))
    reader.refuse(bool(first), "is not one that jt.save wrote")
    try:
        header = json.loads(START + first)
        known, writer = header["version"], header["jaxtls"]
        told = f"has version {known} of the format, and this jaxtls reads {VERSION}"
        reader.refuse(known == VERSION, f"{told}. Install jaxtls {writer}, which wrote it")
        whole = header["bytes"] == len(rest) and header["sha256"] == _sum(rest)
        reader.refuse(
            whole, f"is damaged: it should have {header['bytes']} bytes after its first line, and has {len(rest)}"
        )
        second, _, payload = rest.partition(b"\n")
        return reader.read(json.loads(second), payload)
    except (
        LookupError,
        TypeError,
        AttributeError,
        RuntimeError,
        RecursionError,
        EOFError,
        json.JSONDecodeError,
    ) as error:
        raise ValueError(f"The file {path} is damaged: {error!r}.") from error


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
