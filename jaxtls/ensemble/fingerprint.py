"""A hash of what a traced function computes: equal in another process, different if any number in it differs.

The traced program holds every value that the function closes over, reads from a global or takes from a partial. Its
text cannot be hashed, because callbacks and custom rules print addresses; so operations, shapes and constants are
hashed one by one. What a callback computes is hidden from the program: there the Python code is hashed, with its
closure and the numbers that it reads from globals. Debugging callbacks and checks (`equinox.error_if`) change no
value and do not count.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import re
import types
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Of parameters: words for people, and rules for derivatives and vmap, which compute the same in another way.
SILENT = {"name", "debug_info", "jvp_jaxpr_fun", "jvp_jaxpr_thunk", "fwd_jaxpr_thunk", "fwd", "bwd", "rule", "ctx_mesh"}

ADDRESS = r"0x[0-9a-fA-F]+"
NUMBERS = (bool, int, float, complex, np.number, np.ndarray, jax.Array)


def fingerprint(program: Any) -> tuple[str, bool]:
    """Hash a closed jaxpr.

    Returns:
        The hash in hexadecimal, and whether it is the whole truth: False if the program holds callbacks, or objects
        whose content is not visible from outside.
    """
    found = _Hash()
    for flag in ("jax_threefry_partitionable", "jax_default_matmul_precision"):
        found.value(str(getattr(jax.config, flag, None)))
    found.value(program)
    return found.digest.hexdigest()[:32], found.is_complete


class _Hash:
    """A hash that grows; `known` remembers parts that a program holds many times."""

    def __init__(self, known: dict[int, Any] | None = None) -> None:
        self.digest = hashlib.sha256()
        self.is_complete = True
        self._known: dict[int, Any] = {} if known is None else known
        self._variables: dict[Any, int] = {}
        self._seen: dict[int, Any] = {}

    def say(self, *words: Any) -> None:
        self.digest.update(("\x1f".join(str(word) for word in words) + "\x1e").encode())

    def jaxpr(self, jaxpr: Any) -> None:
        for variable in (*jaxpr.constvars, *jaxpr.invars):
            self.bind(variable)
        for equation in jaxpr.eqns:
            self.say("eqn", equation.primitive.name)
            for atom in equation.invars:
                self.atom(atom)
            self.parameters(equation.primitive.name, equation.params)
            for variable in equation.outvars:
                self.bind(variable)
        self.say("out")
        for atom in jaxpr.outvars:
            self.atom(atom)

    def part(self, jaxpr: Any) -> None:
        """A jaxpr by its own hash, the same wherever it stands; it refers to nothing outside."""
        if id(jaxpr) not in self._known:
            inner = _Hash(self._known)
            inner.jaxpr(jaxpr)
            self._known[id(jaxpr)] = jaxpr, inner.digest.hexdigest(), inner.is_complete
        _, digest, is_complete = self._known[id(jaxpr)]
        self.is_complete &= is_complete
        self.say("jaxpr", digest)

    def bind(self, variable: Any) -> None:
        self._variables[variable] = len(self._variables)
        self.say("let", variable.aval)

    def atom(self, atom: Any) -> None:
        if hasattr(atom, "val"):
            self.say("literal", atom.aval)
            self.value(atom.val)
        else:
            self.say("var", self._variables[atom])

    def parameters(self, primitive: str, parameters: Mapping[str, Any]) -> None:
        if primitive == "debug_callback":
            self.is_complete = False
            return
        for name in sorted(set(parameters) - SILENT):
            self.say("param", name)
            if name != "callback":
                self.value(parameters[name])
                continue
            function = getattr(parameters[name], "callback_func", parameters[name])
            if (getattr(function, "__module__", None) or "").startswith("equinox._errors"):
                self.say(function.__qualname__)  # its closure holds the message and where the check stands
            else:
                self.is_complete = False
                self.code(function)

    def value(self, value: Any) -> None:
        if hasattr(value, "jaxpr") and hasattr(value, "consts"):
            for constant in value.consts:
                self.value(constant)
            self.part(value.jaxpr)
        elif hasattr(value, "eqns"):
            self.part(value)
        elif value is None or isinstance(value, bool | int | float | complex | str | bytes | slice | type(...)):
            self.say(repr(value))
        elif isinstance(value, enum.Enum):
            self.say(type(value).__name__, value.name)
        elif isinstance(value, np.dtype):
            self.say(value)
        elif isinstance(value, type):
            self.say(value.__module__, value.__qualname__)
        elif isinstance(value, Mapping):
            self.say("map", len(value))
            for key in sorted(value, key=repr):
                self.say(repr(key))
                self.value(value[key])
        elif isinstance(value, tuple | list):
            self.say("sequence", len(value))
            for part in value:
                self.value(part)
        elif hasattr(value, "__array__") or isinstance(value, jax.Array):
            self.array(value)
        elif isinstance(value, jax.core.ShapedArray):
            self.say(value)
        elif isinstance(value, jax.tree_util.PyTreeDef):
            text = re.sub(ADDRESS, "", str(value))
            self.is_complete &= text == str(value)
            self.say(text)
        else:
            # Shardings and meshes of one device, and effects: nothing that changes a number.
            harmless = type(value).__name__ in ("UnspecifiedValue", "Mesh", "AbstractMesh") or "Effect" in str(
                type(value)
            )
            self.is_complete &= harmless
            self.say(type(value).__module__, type(value).__qualname__)

    def array(self, value: Any) -> None:
        if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            self.say("key", jax.random.key_impl(value))
            value = jax.random.key_data(value)
        array = np.asarray(value)
        self.say("array", array.shape, array.dtype)
        if array.dtype.hasobject:
            self.is_complete = False
            return
        self.digest.update(np.ascontiguousarray(array).tobytes())

    def code(self, function: Any) -> None:
        """Bytecode, constants, defaults and closure of a Python function, and of those that it refers to."""
        if id(function) in self._seen:
            return
        self._seen[id(function)] = function
        if isinstance(function, functools.partial):
            self.captured((function.func, function.args, function.keywords))
        elif isinstance(function, types.MethodType):
            self.captured((function.__func__, function.__self__))
        elif isinstance(function, types.FunctionType):
            self.bytecode(function.__code__)
            cells = function.__closure__ or ()
            inside = [cell.cell_contents for cell in cells if _is_filled(cell)]
            self.captured((inside, function.__defaults__, function.__kwdefaults__))
            read = [function.__globals__.get(name) for name in function.__code__.co_names]
            self.captured([number for number in read if isinstance(number, NUMBERS)])
        elif hasattr(function, "__wrapped__"):
            self.captured(function.__wrapped__)
        else:
            self.say(getattr(function, "__qualname__", type(function).__qualname__))
            leaves = jax.tree.leaves(function)
            if leaves and leaves[0] is not function:
                self.captured(leaves)
                self.captured(type(function).__call__)

    def captured(self, value: Any) -> None:
        if isinstance(value, Mapping):
            value = [part for key in sorted(value, key=repr) for part in (repr(key), value[key])]
        if isinstance(value, tuple | list):
            self.say("sequence", len(value))
            for part in value:
                self.captured(part)
        elif callable(value) and not isinstance(value, type):
            self.code(value)
        else:
            self.value(value)

    def bytecode(self, code: types.CodeType) -> None:
        self.digest.update(code.co_code)
        self.say(*code.co_names)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self.bytecode(constant)
            else:
                self.say(sorted(map(repr, constant)) if isinstance(constant, frozenset) else repr(constant))


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
