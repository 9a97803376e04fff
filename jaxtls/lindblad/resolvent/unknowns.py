"""What an equation for a matrix is solved for: its elements, or the real numbers of a Hermitian one.

A generator keeps Hermitian matrices Hermitian, so n^2 real numbers say all that n^2 complex ones do there: the real
parts of the elements (i, j), i >= j, then the imaginary parts of those with i > j. The factors cost a quarter.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


class Places(NamedTuple):
    """Where the n^2 elements are among the unknowns: index of the real and (-1 on the diagonal) the imaginary part."""

    real: np.ndarray
    imaginary: np.ndarray
    # +1 where the element is its own, -1 where it is the conjugate of what is kept.
    sign: np.ndarray


@functools.lru_cache(maxsize=64)
def places(n: int) -> Places:
    """Places of a Hermitian matrix's elements, each (n, n)."""
    rows, columns = np.indices((n, n))
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    real = high * (high + 1) // 2 + low
    imaginary = n * (n + 1) // 2 + high * (high - 1) // 2 + low
    return Places(real, np.where(rows == columns, -1, imaginary), np.where(rows >= columns, 1, -1))


def pack(x: Array, hermitian: bool) -> Array:
    """(n, n) to the vector of unknowns, (n^2,)."""
    if not hermitian:
        return x.reshape(-1)
    real, imaginary = _kept(x.shape[0])
    return jnp.concatenate([x.real.reshape(-1)[real], x.imag.reshape(-1)[imaginary]])


def unpack(v: Array, n: int, hermitian: bool) -> Array:
    """The vector of unknowns to (n, n) complex."""
    if not hermitian:
        return v.reshape(n, n)
    real, imaginary, sign = places(n)
    off = (sign * (imaginary >= 0)).astype(v.dtype)
    return v[real] + 1j * off * v[np.maximum(imaginary, 0)]


def in_real_numbers(matrix: Array, n: int) -> Array:
    """An (n^2, n^2) matrix on elements that keeps Hermitian matrices Hermitian, on their real numbers."""
    real, imaginary = _kept(n)
    where = np.arange(n * n).reshape(n, n)
    mirror = where.T.reshape(-1)
    # x_kl = a + i b and x_lk = a - i b: the column of a adds both elements', that of b takes one from the other.
    own, other = matrix[:, real], matrix[:, mirror[real]]
    sums = jnp.where(_diagonal(n)[real], own, own + other)
    differences = 1j * (matrix[:, imaginary] - matrix[:, mirror[imaginary]])
    columns = jnp.concatenate([sums, differences], 1)
    return jnp.concatenate([columns[real].real, columns[imaginary].imag], 0)


@functools.lru_cache(maxsize=64)
def _kept(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of the elements whose real parts and whose imaginary parts are kept."""
    rows, columns = np.tril_indices(n)
    strict_rows, strict_columns = np.tril_indices(n, -1)
    return rows * n + columns, strict_rows * n + strict_columns


def _diagonal(n: int) -> np.ndarray:
    return np.eye(n, dtype=bool).reshape(-1)


def trace_of(n: int) -> np.ndarray:
    """What the real numbers of a Hermitian matrix are weighted with in its trace, (n^2,)."""
    weights = np.zeros(n * n)
    weights[np.diagonal(places(n).real)] = 1.0
    return weights
