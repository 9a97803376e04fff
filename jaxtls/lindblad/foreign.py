"""Operators of other libraries, recognised by what they offer; nothing of theirs is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeGuard, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from .._checks import concrete, require


@runtime_checkable
class Qutip(Protocol):
    """What is read of a QuTiP `Qobj`."""

    def full(self) -> np.ndarray:
        """The numbers as a dense array."""


@runtime_checkable
class Dynamiqs(Protocol):
    """What is read of a dynamiqs `QArray`."""

    def to_jax(self) -> jax.Array:
        """The numbers as a dense array."""


@runtime_checkable
class Sparse(Protocol):
    """What is read of a SciPy sparse matrix."""

    def toarray(self) -> np.ndarray:
        """The numbers as a dense array."""


@runtime_checkable
class DynamiqsTime(Protocol):
    """What is read of a dynamiqs `TimeQArray`."""

    discontinuity_ts: Any


def is_foreign(value: object) -> bool:
    """True for a SciPy sparse matrix, a QuTiP `Qobj` (has `full()`) or a dynamiqs `QArray` (has `to_jax()`)."""
    return isinstance(value, Sparse | Qutip | Dynamiqs)


def is_callable(value: object) -> TypeGuard[Callable]:
    """True for a function of time; a QuTiP `Qobj` and a JAX array are not."""
    return callable(value) and not is_foreign(value) and not isinstance(value, jax.Array | np.ndarray)


def as_array(name: str, value: object) -> Any:
    """A complex array from numbers, a SciPy sparse matrix, a `Qobj` or a `QArray`: NumPy's unless it is being traced.

    Known numbers stay NumPy's because jax.numpy would make tracers of them inside jit, and hide their zeros.

    Example:
        >>> as_array("hamiltonian", [[0, 1], [1, 0]]).shape
        (2, 2)
    """
    if isinstance(value, Dynamiqs):
        value = value.to_jax()
    elif isinstance(value, Qutip):
        value = value.full()
    elif isinstance(value, Sparse):
        value = value.toarray()
    try:
        array: Any = value if isinstance(value, jax.core.Tracer) else np.asarray(value)
    except (TypeError, ValueError, jax.errors.TracerArrayConversionError):
        # A list that holds tracers.
        try:
            array = jnp.asarray(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"Argument `{name}` must be an array of numbers, but got {value!r}.") from error
    require(array.dtype.kind in "biufc", name, "hold numbers", f"dtype {array.dtype}")
    known = concrete(array)
    good = known is None or bool(np.all(np.isfinite(known)))
    require(good, name, "be finite", f"{known is not None and np.sum(~np.isfinite(known))} entries that are not")
    # In single precision JAX warns of a double dtype that is asked for, as other libraries' numbers are.
    dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    return array.astype(jnp.result_type(dtype, jnp.complex64 if dtype.kind in "fc" else complex))


def as_matrix(name: str, value: object, n: int | None = None) -> Any:
    """A complex (n, n) array; n is free where it is None."""
    array = as_array(name, value)
    good = array.ndim == 2 and array.shape[0] == array.shape[1] and array.shape[0] > 0
    require(good, name, "be a square matrix (n, n)", f"shape {array.shape}")
    require(n is None or array.shape[0] == n, name, f"have shape ({n}, {n})", array.shape)
    return array


def as_state(name: str, value: object, n: int, *, ket: bool | None = None) -> Any:
    """A ket (n,) or a density matrix (n, n), complex; `ket` True or False allows only that one."""
    array = as_array(name, value)
    # Other libraries keep kets as columns.
    if array.shape == (n, 1) and n > 1:
        array = array[:, 0]
    shapes = [shape for shape, wanted in (((n,), True), ((n, n), False)) if ket is None or wanted is ket]
    must = " or ".join(str(shape) for shape in shapes)
    require(array.shape in shapes, name, f"have shape {must}", f"shape {array.shape}", "Use jax.vmap for batches.")
    return array
