"""A hash of what a traced function computes: equal in another process, different if any number in it differs.

It is the text of the program that XLA is given, which holds every value that the function closes over, reads from a
global or takes from a partial, to the last bit. Another version of JAX, another platform or another name of an inner
function may change the text where no number changes: the hash errs towards refusing. What a callback computes is not
in the text: there the Python code is hashed, with its closure and the globals that it reads; what cannot be compared is
never equal. Debugging callbacks and checks (`equinox.error_if`) change no value and do not count.
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
import types
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun
from jaxtyping import Array

NUMBERS = (bool, int, float, complex, np.number, np.ndarray, jax.Array)


def fingerprint(program: ClosedJaxpr, key: Array) -> tuple[str, bool]:
    """Hash a program that takes a key.

    Returns:
        The hash in hexadecimal, and whether it is the whole truth: False if the program calls Python.
    """
    text = jax.jit(jaxpr_as_fun(program)).lower(key).as_text()
    told, is_complete = hashlib.sha256(), True
    for line in text.splitlines():
        # A callback stands in the text with its address.
        told.update((re.sub(r"\d{6,}", "", line) if "callback" in line else line).encode())
    for primitive, function in _callbacks(program.jaxpr, set()):
        if not str(function.__module__).startswith("equinox._errors"):
            is_complete = False
            if not primitive.startswith("debug"):
                for part in _python(function, {}):
                    told.update(part if isinstance(part, bytes) else part.encode())
    return told.hexdigest()[:32], is_complete


def _callbacks(jaxpr: Jaxpr, seen: set[int]) -> Iterator[tuple[str, Callable]]:
    """The callbacks of a program and of the programs in it: (primitive, Python function)."""
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


def _python(value: Any, seen: dict[int, Any]) -> Iterator[str | bytes]:
    """What a Python object computes with: code, closures, defaults, arguments, numbers and functions of its module."""
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
        names: set[str] = set()
        for code in _codes(value.__code__):
            names.update(code.co_names)
            yield code.co_code
            yield str(code.co_names)
            held += [constant for constant in code.co_consts if not isinstance(constant, types.CodeType)]
        read = [value.__globals__[name] for name in sorted(names & value.__globals__.keys())]
        own = [f for f in read if isinstance(f, types.FunctionType) and f.__module__ == value.__module__]
        held += [
            value.__defaults__,
            value.__kwdefaults__,
            *own,
            *(number for number in read if isinstance(number, NUMBERS)),
        ]
        for cell in value.__closure__ or ():
            with contextlib.suppress(ValueError):  # nothing was put into it yet
                held.append(cell.cell_contents)
    elif isinstance(value, types.MethodType):
        held = [value.__func__, value.__self__]
    elif isinstance(value, functools.partial):
        held = [value.func, value.args, value.keywords]
    elif isinstance(value, type | types.ModuleType | types.BuiltinFunctionType | np.ufunc):
        yield value.__name__
    elif isinstance(value, dict):
        held = [part for item in value.items() for part in item]
    elif isinstance(value, tuple | list):
        held = list(value)
    elif isinstance(value, frozenset):
        held = sorted(map(repr, value))
    elif dataclasses.is_dataclass(value):
        held = [type(value).__dict__.get("__call__"), *(getattr(value, f.name) for f in dataclasses.fields(value))]
    else:
        try:
            yield pickle.dumps(value)
        except Exception:
            yield os.urandom(16)
    yield str(len(held))
    for part in held:
        yield from _python(part, seen)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function and of those defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)
