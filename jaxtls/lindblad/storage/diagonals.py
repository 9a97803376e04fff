"""Keeps matrices as a few diagonals: the form in which ladder operators and their Kronecker products are sparse.

Offset d and values v stand for the elements (i, i + d) = v_i. A value whose column does not exist is 0, so a shift of a
vector by d may wrap around: what comes in from the other end is multiplied by 0.

A static pattern says which values can differ from 0. It survives tracing: numbers that multiply an operator may be
traced, where its zeros are is known.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import DTypeLike

from ..._checks import concrete


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Pattern:
    """Says which elements of an array can differ from 0; hashable, so that compiled programs are found again by it."""

    mask: np.ndarray  # of booleans

    @functools.cached_property
    def _key(self) -> tuple[tuple[int, ...], bytes]:
        return self.mask.shape, np.packbits(self.mask).tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Pattern({np.count_nonzero(self.mask)} of {self.mask.shape})"


class Diagonals(eqx.Module):
    """Holds an (n, n) matrix as `values` (D, n) on static `offsets`: element (i, i + offsets[k]) = values[k, i].

    Example:
        >>> lower = Diagonals.from_array(jnp.diag(jnp.array([1.0, 2.0]), -1))
        >>> lower.offsets, lower.values.real.tolist()
        ((-1,), [[0.0, 1.0, 2.0]])
    """

    values: Any  # NumPy's where known, so that building operators calls no compiled code
    offsets: tuple[int, ...] = eqx.field(static=True)
    pattern: Pattern = eqx.field(static=True)

    @property
    def n(self) -> int:
        return self.values.shape[-1]

    @classmethod
    def from_array(cls, matrix: Any) -> Diagonals:
        """Takes all nonzero diagonals of a matrix; every diagonal where its numbers are being traced."""
        known = concrete(matrix)
        n = matrix.shape[-1]
        if known is None:
            offsets = np.arange(1 - n, n)
        else:
            matrix = known
            rows, columns = np.nonzero(known)
            offsets = np.unique(columns - rows)
        source = np.arange(n) + offsets[:, None]
        inside = (source >= 0) & (source < n)
        clipped = np.clip(source, 0, n - 1)
        values = matrix[np.arange(n), clipped]
        values = jnp.where(inside, values, 0) if known is None else np.where(inside, values, np.zeros((), known.dtype))
        if known is not None:
            inside &= values != 0
        return cls(values, tuple(int(d) for d in offsets), Pattern(inside))

    @classmethod
    def identity(cls, n: int, dtype: DTypeLike = float) -> Diagonals:
        return cls(np.ones((1, n), dtype), (0,), Pattern(np.ones((1, n), bool)))

    @classmethod
    def summed(cls, values: Any, offsets: Any, mask: np.ndarray) -> Diagonals:
        """Sums diagonals (D, n) of which several may share an offset; those outside the matrix are dropped."""
        n = values.shape[-1]
        offsets = np.asarray(offsets, int).reshape(-1)
        kept = np.nonzero(np.abs(offsets) < n)[0]
        found, place = np.unique(offsets[kept], return_inverse=True)
        if len(found) == len(offsets) and np.all(found == offsets):
            return cls(values, tuple(int(d) for d in found), Pattern(mask))
        total = added((len(found), n), place, values[kept])
        joined = np.zeros((len(found), n), bool)
        np.logical_or.at(joined, place, mask[kept])
        return cls(total, tuple(int(d) for d in found), Pattern(joined))

    def dense(self) -> Any:
        """Returns the (n, n) array."""
        return densified(self.values[None], self.offsets, np.zeros(len(self.offsets), int), 1)[0]

    def dag(self) -> Diagonals:
        """Returns the Hermitian conjugate: offset -d, row i + d holding conj(v_i)."""
        offsets = np.asarray(self.offsets, int)
        values = rolled(self.values, offsets).conj()
        return Diagonals.summed(values, -offsets, rolled(self.pattern.mask, offsets))

    def kron(self, other: Diagonals) -> Diagonals:
        """Returns the Kronecker product, this factor the slower index."""
        shape = (len(self.offsets) * len(other.offsets), self.n * other.n)
        values = self.values[:, None, :, None] * other.values[None, :, None, :]
        mask = self.pattern.mask[:, None, :, None] & other.pattern.mask[None, :, None, :]
        offsets = np.asarray(self.offsets, int)[:, None] * other.n + np.asarray(other.offsets, int)
        return Diagonals.summed(values.reshape(shape), offsets, mask.reshape(shape))


def rolled(values: Any, shifts: np.ndarray) -> Any:
    """Moves row k of `values` (D, n) up by shifts[k]: out[k, r] = values[k, r - shifts[k]], cyclic."""
    n = values.shape[-1]
    return values[np.arange(len(shifts))[:, None], (np.arange(n) - np.asarray(shifts)[:, None]) % n]


def added(shape: tuple[int, ...], index: Any, values: Any) -> Any:
    """Adds `values` to zeros at `index`: in NumPy where they are known."""
    if isinstance(values, np.ndarray):
        found = np.zeros(shape, values.dtype)
        np.add.at(found, index, values)
        return found
    return jnp.zeros(shape, values.dtype).at[index].add(values)


def densified(values: Any, offsets: Any, owners: np.ndarray, count: int) -> Any:
    """Makes a stack (count, n, n) of diagonals `values` (E, n), the e-th belonging to matrix owners[e]."""
    values = values.reshape(-1, values.shape[-1])
    n, offsets = values.shape[-1], np.asarray(offsets, int)
    rows = np.arange(n)
    # Values whose column does not exist are 0 and may land anywhere.
    columns = (rows + offsets[:, None]) % n
    return added((count, n, n), (np.asarray(owners, int)[:, None], rows, columns), values)
