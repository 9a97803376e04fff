"""Makes a hash of what a traced function computes: equal in another process, different if any number in it differs.

It is the text of the program that XLA is given, which holds every value that the function closes over, reads from a
global or takes from a partial, to the last bit. Another version of JAX, another platform or another name of an inner
function may change the text where no number changes: the hash errs towards refusing. What a callback computes is not
in the text: there the Python code is hashed, with its closure, the globals that it reads and the user's own functions
that it calls, of any module; libraries count by their names. What cannot be compared is never equal. Debugging
callbacks and checks (`equinox.error_if`) change no value and do not count.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import inspect
import os
import pickle
import re
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun
from jaxtyping import Array

UNKNOWABLE = "?"  # begins the hash of a function that cannot be compared
LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
OURS = __name__.partition(".")[0]


def fingerprint(program: ClosedJaxpr, key: Array) -> tuple[str, bool]:
    """Hash a program that takes a key.

    Returns:
        The hash in hexadecimal, after `UNKNOWABLE` where it is never that of another; and whether it is the whole
        truth: False if the program calls Python.
    """
    text = jax.jit(jaxpr_as_fun(program)).lower(key).as_text()
    told, is_complete, is_comparable = hashlib.sha256(), True, True
    for line in text.splitlines():
        # A callback stands in the text with its address.
        told.update((re.sub(r"\d{6,}", "", line) if "callback" in line else line).encode())
    for primitive, function in _callbacks(program.jaxpr, set()):
        if function.__module__ != eqx.error_if.__module__:
            is_complete = False
            if not primitive.startswith("debug"):
                for part in _python(function, {}):
                    is_comparable &= part is not None
                    told.update(os.urandom(16) if part is None else part if isinstance(part, bytes) else part.encode())
    return ("" if is_comparable else UNKNOWABLE) + told.hexdigest()[:32], is_complete


def _callbacks(jaxpr: Jaxpr, seen: set[int]) -> Iterator[tuple[str, Callable]]:
    """List the callbacks of a program and of the programs in it: (primitive, Python function)."""
    inner = (Jaxpr, ClosedJaxpr)
    for equation in jaxpr.eqns if id(jaxpr) not in seen else ():
        if "callback" in equation.params:
            found = equation.params["callback"]
            # JAX wraps the user's function, where it returns values, in a dataclass.
            names = [field.name for field in dataclasses.fields(found)] if dataclasses.is_dataclass(found) else []
            yield equation.primitive.name, found.callback_func if "callback_func" in names else found
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda leaf: isinstance(leaf, inner)):
            if isinstance(value, inner):
                yield from _callbacks(value.jaxpr if isinstance(value, ClosedJaxpr) else value, seen)
    seen.add(id(jaxpr))


def _is_library(module: str | None) -> bool:
    """Say whether a module was installed, so that its name stands for it; what a user writes is read."""
    name = (module or "").partition(".")[0]
    if name in (OURS, "builtins") or name in sys.builtin_module_names:
        return True
    file = vars(sys.modules[name]).get("__file__") if name in sys.modules else None
    return file is not None and str(file).startswith(LIBRARIES)


def _python(value: Any, seen: dict[int, Any], names: frozenset[str] = frozenset()) -> Iterator[str | bytes | None]:
    """Say what a Python object computes with: code, closures, defaults, arguments, and the globals that it reads.

    None for what cannot be compared. `names` are those that the code around it reads, of which a module gives its own.
    """
    if callable(value) and not isinstance(value, type):
        value = inspect.unwrap(value)
    yield type(value).__qualname__
    if isinstance(value, np.ndarray | jax.Array) and value.dtype != object:
        array = np.asarray(value)
        yield f"{array.shape} {array.dtype}"
        yield np.ascontiguousarray(array).tobytes()
        return
    if id(value) in seen:
        return
    seen[id(value)] = value
    held: list[Any] = []
    if isinstance(value, types.FunctionType):
        yield f"{value.__module__}.{value.__qualname__}" if _is_library(value.__module__) else ""
        if _is_library(value.__module__):
            return
        for code in _codes(value.__code__):
            names |= frozenset(code.co_names)
            yield code.co_code
            yield str(code.co_names)
            held += [constant for constant in code.co_consts if not isinstance(constant, types.CodeType)]
        read = [value.__globals__[name] for name in sorted(names & value.__globals__.keys())]
        held += [value.__defaults__, value.__kwdefaults__, *read]
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):  # nothing was put into it yet
                held.append(cell.cell_contents)
    elif isinstance(value, types.MethodType):
        held = [value.__func__, value.__self__]
    elif isinstance(value, functools.partial):
        held = [value.func, value.args, value.keywords]
    else:
        words, held = _parts(value, names)
        yield from words
    yield str(len(held))
    for part in held:
        yield from _python(part, seen, names)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """List the code of a function and of those defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _parts(value: Any, names: frozenset[str]) -> tuple[list[str | bytes | None], list[Any]]:
    """Give words for an object that is no function, and the objects that it holds."""
    words: list[str | bytes | None] = []
    held: list[Any] = []
    if isinstance(value, types.ModuleType):
        words.append(value.__name__)
        if not _is_library(value.__name__):
            held = [vars(value)[name] for name in sorted(names & vars(value).keys())]
    elif isinstance(value, type):
        words.append(f"{value.__module__}.{value.__qualname__}")
        if not _is_library(value.__module__):
            methods = (types.FunctionType, classmethod, staticmethod, property)
            held = [vars(value)[name] for name in sorted(vars(value)) if isinstance(vars(value)[name], methods)]
            held += value.__bases__
    elif isinstance(value, classmethod | staticmethod):
        held = [value.__func__]
    elif isinstance(value, property):
        held = [value.fget]
    elif isinstance(value, types.BuiltinFunctionType | np.ufunc):
        words.append(value.__name__)
    elif isinstance(value, dict):
        held = [part for item in value.items() for part in item]
    elif isinstance(value, tuple | list):
        held = list(value)
    elif isinstance(value, frozenset):
        held = sorted(map(repr, value))
    elif dataclasses.is_dataclass(value):
        held = [type(value), *(getattr(value, f.name) for f in dataclasses.fields(value))]
    else:
        try:
            words.append(pickle.dumps(value))
        except Exception:
            words.append(None)
    return words, held
