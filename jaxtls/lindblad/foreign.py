"""Reads operators of other libraries, recognised by what they offer; nothing of theirs is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeGuard, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import concrete, require, warn
from ..quantum.foreign import Dynamiqs as Dynamiqs
from ..quantum.foreign import Qutip as Qutip
from ..quantum.foreign import Sparse as Sparse
from ..quantum.foreign import is_column, unwrapped
from ..quantum.foreign import is_foreign as is_foreign
from ..quantum.foreign import is_plain as is_plain


@runtime_checkable
class DynamiqsTime(Protocol):
    """Names what is read of a dynamiqs `TimeQArray`."""

    discontinuity_ts: Any


@runtime_checkable
class Interpolation(Protocol):
    """Names what is read of a diffrax interpolation."""

    def evaluate(self, t0: ArrayLike) -> Array:
        """Returns the number at a time."""

    def derivative(self, t: ArrayLike) -> Array:
        """Returns its slope at a time."""


@runtime_checkable
class QutipTime(Protocol):
    """Names what is read of a QuTiP `QobjEvo`."""

    num_elements: int

    def to_list(self) -> list:
        """Lists terms: a `Qobj`, a pair of a `Qobj` and a `Coefficient`, or a pair of a function and its arguments."""


@runtime_checkable
class QutipCoefficient(Protocol):
    """Names what is read of a QuTiP `Coefficient`, a number of time."""

    def replace_arguments(self, arguments: dict) -> object:
        """Returns it with other arguments."""

    def __reduce__(self) -> tuple:
        """Says what it is made of: its class may be read there."""


def is_callable(value: object) -> TypeGuard[Callable]:
    """Returns True for a function of time; a QuTiP `Qobj` and a JAX array are not."""
    return callable(value) and not is_foreign(value) and not isinstance(value, jax.Array | np.ndarray)


def as_array(name: str, value: object) -> Any:
    """Makes a complex array of numbers, a SciPy sparse matrix, a `Qobj` or a `QArray`: NumPy's unless it is traced.

    Known numbers stay NumPy's because jax.numpy would make tracers of them inside jit, and hide their zeros.

    Example:
        >>> as_array("hamiltonian", [[0, 1], [1, 0]]).shape
        (2, 2)
    """
    value = unwrapped(value)
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
    """Returns a complex (n, n) array; n is free where it is None."""
    array = as_array(name, value)
    good = array.ndim == 2 and array.shape[0] == array.shape[1] and array.shape[0] > 0
    require(good, name, "be a square matrix (n, n)", f"shape {array.shape}")
    require(n is None or array.shape[0] == n, name, f"have shape ({n}, {n})", array.shape)
    return array


def as_state(name: str, value: object, n: int, *, ket: bool | None = None, call: str = "") -> Any:
    """Returns a ket (n,) or a density matrix (n, n), complex; `ket` True or False allows only that one.

    `call` is what a batch is told to be mapped over, as Python text.
    """
    array = as_array(name, value)
    # Other libraries keep kets as columns.
    kets = is_column(value)
    if kets or (array.shape == (n, 1) and n > 1):
        array = array[..., 0]
    several = kets and array.ndim > 1
    shapes = [shape for shape, wanted in (((n,), True), ((n, n), False)) if ket is None or wanted is ket]
    must = " or ".join(str(shape) for shape in shapes)
    remedy = ""
    if ket and array.shape == (n, n) and not several:
        remedy = "Density matrices are moved by jt.mesolve."
    elif several or any(array.ndim == len(shape) + 1 and array.shape[1:] == shape for shape in shapes):
        mapped = call or f"f({name})"
        remedy = f"For a batch: jax.vmap(lambda {name}: {mapped})({name})."
    require(array.shape in shapes and not several, name, f"have shape {must}", f"shape {array.shape}", remedy)
    return array


# How far a state may be from a trace of 1, and a population below 0: rounding of single precision, not a slip.
UNIT = 1e-4


def warn_of_no_state(name: str, state: ArrayLike) -> None:
    """Warns of known numbers that are no state: a trace that is not 1, populations or coherences that cannot be.

    A matrix that is not Hermitian is meant: half of a correlation function moves by the same equation.
    """
    known = concrete(state)
    if known is None or not np.all(np.isfinite(known)):
        return
    is_ket = known.ndim == 1
    if not is_ket and np.max(np.abs(known - known.conj().T)) > UNIT * np.max(np.abs(known)):
        return
    populations = np.abs(known) ** 2 if is_ket else np.diagonal(known).real
    weight = np.sum(populations)
    if abs(weight - 1) > UNIT:
        of, by = ("squared norm", np.sqrt(weight)) if is_ket else ("trace", weight)
        remedy = f" Divide it by {by:.6g}." if weight > UNIT else ""
        warn(
            f"Argument `{name}` has {of} {weight:.6g}, not 1, and so has every expectation value this factor.{remedy} "
            f"What is meant to be no state is moved by jt.evolve(L, {name}, ts)."
        )
    elif not is_ket and np.min(populations) < -UNIT:
        warn(f"Argument `{name}` has a population of {np.min(populations):.6g}: it is no density matrix.")
    elif not is_ket and np.max(np.abs(known) ** 2 - np.outer(populations, populations)) > UNIT:
        warn(f"Argument `{name}` has coherences larger than its populations allow: it is no density matrix.")
