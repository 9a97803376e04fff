"""Converts and checks shapes for this room: what counts as a ket, a density matrix, a list of dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._checks import require, size
from .foreign import is_column, unwrapped


def inexact(name: str, value: object) -> Array:
    """Makes a real or complex floating array, of another library's numbers too."""
    try:
        array = jnp.asarray(unwrapped(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"Argument `{name}` must be an array of numbers, but got {value!r}.") from error
    return array.astype(jnp.result_type(array.dtype, float)) if array.dtype.kind in "iub" else array


def as_complex(array: Array) -> Array:
    """Makes the array complex in its own precision."""
    return array.astype(jnp.result_type(array.dtype, jnp.complex64))


def square(name: str, value: object, remedy: str = "") -> Array:
    """Checks a (..., n, n) array."""
    array = inexact(name, value)
    good = array.ndim >= 2 and array.shape[-1] == array.shape[-2]
    require(good, name, "have shape (..., n, n)", f"shape {array.shape}", remedy)
    return array


def density_matrix(name: str, value: object) -> Array:
    """Makes a (..., n, n) array, |psi><psi| of a ket."""
    array, is_ket = state(name, value)
    return array[..., :, None] * array[..., None, :].conj() if is_ket else array


def state(name: str, value: object, ket: bool | None = None) -> tuple[Array, bool]:
    """Checks the state and says whether it is a ket: (n,), or (..., n) where the caller says so; else (..., n, n)."""
    array = inexact(name, value)
    if is_column(value):
        return array[..., 0], True
    if ket or (ket is None and array.ndim == 1):
        require(array.ndim >= 1, name, "be a ket of shape (..., n)", f"shape {array.shape}")
        return array, True
    good = array.ndim >= 2 and array.shape[-1] == array.shape[-2]
    # A batch of n kets of n levels looks like one density matrix, so batches of kets are never guessed.
    remedy = "A batch of kets (..., n) is not guessed from its shape: pass ket=True or use jax.vmap."
    require(good, name, "be a ket (n,) or density matrices (..., n, n)", f"shape {array.shape}", remedy)
    return array, False


def subsystems(dims: Sequence[int] | np.ndarray, dimension: int) -> tuple[int, ...]:
    """Checks subsystem dimensions as ints whose product is the dimension of the state."""
    require(isinstance(dims, Sequence | np.ndarray), "dims", "list the subsystem dimensions", repr(dims))
    checked = tuple(size("dims", d) for d in dims)
    require(math.prod(checked) == dimension, "dims", f"multiply to the state's dimension {dimension}", checked)
    return checked


def trace_product(a: Array, b: Array) -> Array:
    """Computes Tr(a b) over the last two axes."""
    return jnp.sum(a * jnp.swapaxes(b, -1, -2), axis=(-1, -2))
