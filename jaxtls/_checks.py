"""Checks what users give. Every message names the argument, shows its value and says what to do."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
from jax.extend.core import get_opaque_trace_state
from jaxtyping import Array, ArrayLike, PyTree

T = TypeVar("T", bound=PyTree)


def concrete(value: object) -> np.ndarray | None:
    """Gives the value as a NumPy array, or None while it is being traced (jit, grad, vmap)."""
    if isinstance(value, jax.core.Tracer):
        return None
    return np.asarray(value)


# What the state of JAX's transformations is outside all of them.
_OUTSIDE = get_opaque_trace_state(convention="nnx")


def in_transformation() -> bool:
    """Returns True inside jit, vmap, grad and the like, where functions may close over tracers."""
    return get_opaque_trace_state(convention="nnx") != _OUTSIDE


def inside_jit() -> bool:
    """Returns True where a program is being made: all that is computed goes into it, of known numbers, too."""
    return in_transformation() and isinstance(jax.lax.neg(np.float32(0)), jax.core.Tracer)


def known_array(value: object) -> Array:
    """Makes an array, of known numbers one that stays known inside jit."""
    with nullcontext() if is_traced(value) else jax.ensure_compile_time_eval():
        return jnp.asarray(value)


def is_traced(*trees: PyTree) -> bool:
    """Returns True if any leaf of the trees is a tracer."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(trees))


def precision_of(*trees: PyTree) -> str:
    """Says "single" or "double": of the numbers of results; "single" where any of them is."""
    arrays = (leaf for leaf in jax.tree.leaves(trees) if isinstance(leaf, jax.Array | np.ndarray))
    kinds = [array.dtype for array in arrays if jnp.issubdtype(array.dtype, jnp.inexact)]
    return "single" if any(jnp.finfo(kind).bits < 64 for kind in kinds) else "double"


# A line for what prints a result.
SINGLE = 'precision    single; jax.config.update("jax_enable_x64", True) makes it double'


def require(condition: bool, name: str, must: str, value: object, remedy: str = "") -> None:
    """Raise `ValueError("Argument `name` must ..., but got value. remedy")` unless the condition holds."""
    if not condition:
        raise ValueError(f"Argument `{name}` must {must}, but got {value}." + (f" {remedy}" if remedy else ""))


# Files of ours, and of what stands between a call and our functions: Equinox, and checkers of types at run time.
_OURS = (*(str(Path(file).parent) + os.sep for file in (__file__, eqx.__file__, jaxtyping.__file__)), "<@beartype")


def warn(message: str) -> None:
    """Warns at the user's line: the nearest one outside of jaxtls that led here."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def real(name: str, value: object) -> Array:
    """Makes a real floating array from a number, an array or a tracer."""
    try:
        array = known_array(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Argument `{name}` must be a real number or array, but got {value!r}.") from error
    require(not jnp.iscomplexobj(array), name, "be real", value)
    if array.dtype.kind not in "iub":
        return array
    with nullcontext() if is_traced(array) else jax.ensure_compile_time_eval():
        return array.astype(jnp.result_type(array.dtype, float))


def positive(name: str, value: object, *, zero: bool = False, remedy: str = "") -> Array:
    """Makes a real array, finite and > 0 (or >= 0 with `zero`) wherever its value is known; where it is traced,
    NaN in place of other numbers."""
    array = real(name, value)
    known = concrete(array)
    if known is None:
        return jnp.where(((array >= 0) if zero else (array > 0)) & (array < jnp.inf), array, jnp.nan)
    good = np.isfinite(known) & ((known >= 0) if zero else (known > 0))
    require(bool(np.all(good)), name, f"be finite and {'>= 0' if zero else '> 0'}", value, remedy)
    return array


def finite(name: str, value: object, remedy: str = "") -> Array:
    """Makes a real array, finite wherever its value is known."""
    array = real(name, value)
    known = concrete(array)
    if known is not None:
        require(bool(np.all(np.isfinite(known))), name, "be finite", value, remedy)
    return array


def amplitude(name: str, value: object) -> Array:
    """Makes a real or complex array, finite wherever its value is known."""
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Argument `{name}` must be a number or array, but got {value!r}.") from error
    known = concrete(array)
    require(known is None or bool(np.all(np.isfinite(known))), name, "be finite", value)
    return array


def is_square(value: object, *ndims: int) -> bool:
    """Says whether a value is an array of (n, n) matrices, of one of so many dimensions."""
    if not isinstance(value, jax.Array):
        return False
    return value.ndim in ndims and value.shape[-1] == value.shape[-2]


def size(name: str, value: object, least: int = 1) -> int:
    """Gives a Python int >= least: sizes fix array shapes, so they cannot be traced."""
    require(
        not isinstance(value, jax.core.Tracer),
        name,
        "be a plain int",
        value,
        "Sizes fix array shapes: do not trace them.",
    )
    plain = int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None
    require(plain is not None, name, "be a plain int", repr(value))
    assert plain is not None
    require(plain >= least, name, f"be at least {least}", value)
    return plain


def is_typed(key: Array) -> bool:
    """Says whether a key is of `jax.random.key`, rather than raw bits."""
    return bool(jnp.issubdtype(key.dtype, jax.dtypes.prng_key))


def random_key(name: str, value: object) -> Array:
    """Takes one random key, of `jax.random.key` or the raw bits of `jax.random.PRNGKey`, which may be traced."""
    remedy = "Make one with jax.random.key(seed)."
    must = "be a JAX random key"
    if not isinstance(value, jax.Array | np.ndarray):
        raise ValueError(f"Argument `{name}` must {must}, but got {value!r}. {remedy}")
    key = jnp.asarray(value)
    if is_typed(key):
        split_less = f"Use {name}[0], or split less."
        require(key.shape == (), name, "be a single key", f"keys of shape {key.shape}", split_less)
        return key
    bits = jax.eval_shape(lambda: jax.random.key_data(jax.random.key(0))).shape
    fits = key.dtype == jnp.uint32 and key.shape == bits
    require(fits, name, must, f"an array of {key.dtype}, shape {key.shape}", remedy)
    return key


def tolerances(rtol: object, atol: object) -> None:
    """Refuse what are not positive finite Python numbers."""
    for name, value in (("rtol", rtol), ("atol", atol)):
        good = isinstance(value, int | float) and 0 < value < float("inf")
        require(good, name, "be a positive, finite Python number", repr(value))


def times(name: str, value: object) -> Array:
    """Makes a strictly ascending one-dimensional array of at least two finite times (order known only outside jit)."""
    array = real(name, value)
    require(
        array.ndim == 1 and array.shape[0] >= 2,
        name,
        "be one-dimensional with at least two times",
        f"shape {array.shape}",
    )
    known = concrete(array)
    if known is not None:
        require(bool(np.all(np.isfinite(known))), name, "be finite", value)
        steps = np.diff(known)
        require(bool(np.all(steps > 0)), name, "be strictly ascending", value, "Sort the times and drop repeated ones.")
    return array


def refused(
    value: T, bad: ArrayLike, message: str, throw: bool | None = None, error: type[Exception] = ValueError
) -> T:
    """Gives the value, unless `bad`. Where that is known it raises; else each number of the value is NaN, which no
    program waits for, or with `throw` an error is raised at run time, by way of the host.
    """
    known = concrete(bad) if concrete(bad) is not None else concrete(jax.lax.stop_gradient(bad))
    if known is not None:
        if bool(np.any(known)):
            raise error(message)
        return value
    if throw:
        return eqx.error_if(value, bad, message)
    numeric = lambda leaf: jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)
    return jax.tree.map(lambda leaf: jnp.where(bad, jnp.nan, leaf) if numeric(leaf) else leaf, value)
