"""Stacks several operators into one array, so that a compiled program does not grow with their number."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, DTypeLike

from ..._checks import concrete, is_traced, known_array
from .diagonals import Diagonals, Pattern, densified


class Entries(NamedTuple):
    """Lists the elements of a family's operators that can differ from 0: operator, row, column, place in `values`."""

    owner: np.ndarray
    row: np.ndarray
    column: np.ndarray
    place: np.ndarray


@dataclass(frozen=True)
class Skeleton:
    """Says what is static of a family of operators; hashable."""

    count: int
    # None: dense.
    offsets: tuple[int, ...] | None
    owners: tuple[int, ...] | None
    # Of the shape of the values.
    pattern: Pattern
    # No imaginary parts, whatever the type.
    is_real: bool

    def entries(self) -> Entries:
        """Says where the operators can differ from 0."""
        found = np.nonzero(self.pattern.mask)
        shape = self.pattern.mask.shape
        place = np.asarray(np.ravel_multi_index(found, shape)) if self.pattern.mask.size else found[0]
        if self.offsets is None:
            owner, row, column = found
            return Entries(owner, row, column, place)
        diagonal, row = found
        owners, offsets = np.asarray(self.owners, int), np.asarray(self.offsets, int)
        return Entries(owners[diagonal], row, row + offsets[diagonal], place)


class Family(eqx.Module):
    """Holds `count` operators: dense, (count, n, n), or diagonals (E, n), the e-th on offsets[e] of operator
    owners[e]; where a few numbers multiply what is known, as `fixed` and what each number adds."""

    fixed: Any
    skeleton: Skeleton = eqx.field(static=True)
    factors: tuple = ()
    slopes: tuple = ()  # like `fixed`, of each factor

    @classmethod
    def stack(cls, members: Sequence[Any], n: int, dense: bool, dtype: np.dtype) -> Family:
        is_real = all(_is_real(m) for m in members)
        if dense:
            arrays = [m.dense() if isinstance(m, Diagonals) else m for m in members]
            masks = np.stack([_mask(m) for m in members]) if arrays else np.zeros((0, n, n), bool)
            values = _joined([a[None] for a in arrays], (0, n, n), dtype)
            return cls(values, Skeleton(len(arrays), None, None, Pattern(masks), is_real))
        parts = [m if isinstance(m, Diagonals) else Diagonals.from_array(m) for m in members]
        values = _joined([part.values for part in parts], (0, n), dtype)
        owners = tuple(k for k, part in enumerate(parts) for _ in part.offsets)
        offsets = tuple(d for part in parts for d in part.offsets)
        masks = np.concatenate([np.zeros((0, n), bool), *(part.pattern.mask for part in parts)])
        return cls(values, Skeleton(len(parts), offsets, owners, Pattern(masks), is_real))

    @property
    def values(self) -> Any:
        """Gives the numbers as they are stored."""
        return functools.reduce(_plus, zip(self.factors, self.slopes), self.fixed)

    @property
    def dtype(self) -> np.dtype:
        """Gives the type of the numbers."""
        return self.fixed.dtype

    @property
    def count(self) -> int:
        return self.skeleton.count

    @property
    def offsets(self) -> tuple[int, ...] | None:
        return self.skeleton.offsets

    @property
    def owners(self) -> tuple[int, ...] | None:
        return self.skeleton.owners

    def entries(self) -> Entries:
        """Says where the operators can differ from 0."""
        return self.skeleton.entries()

    @property
    def is_dense(self) -> bool:
        return self.offsets is None

    def dense(self) -> Any:
        """Returns the operators as dense matrices, (count, n, n)."""
        return self._dense(self.values)

    def _dense(self, values: Any) -> Any:
        if self.offsets is None:
            return values
        return densified(values, self.offsets, np.asarray(self.owners, int), self.count)

    def patterned(self, skeleton: Skeleton) -> Family:
        """Returns the same operators in the storage of another skeleton; what its pattern leaves out is dropped."""
        entries = skeleton.entries()
        shape = skeleton.pattern.mask.shape

        def placed(values: Any) -> Array:
            found = self._dense(values)[entries.owner, entries.row, entries.column]
            return jnp.zeros(int(np.prod(shape)), found.dtype).at[entries.place].set(found).reshape(shape)

        return Family(placed(self.fixed), skeleton, self.factors, tuple(placed(slope) for slope in self.slopes))

    def outside(self, skeleton: Skeleton) -> Array:
        """Returns the largest element that `patterned` leaves out, or imaginary part where the skeleton has none."""
        inside = np.zeros((skeleton.count, self.fixed.shape[-1], self.fixed.shape[-1]), bool)
        entries = skeleton.entries()
        inside[entries.owner, entries.row, entries.column] = True
        dense = self.dense()
        lost = jnp.where(inside, jnp.abs(dense.imag) if skeleton.is_real else 0.0, jnp.abs(dense))
        return jnp.max(lost, initial=0.0)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Lists indices (first, second) of all pairs of diagonals that belong to one operator."""
        owners = np.asarray(self.owners, int)
        first, second = np.nonzero(owners[:, None] == owners[None, :])
        return first, second


def total(members: Sequence[Any], n: int, dtype: np.dtype) -> Any:
    """Returns the sum of operators, as diagonals where all of them are."""
    if len(members) == 1:
        return members[0]
    if all(isinstance(m, Diagonals) for m in members):
        values = _joined([m.values for m in members], (0, n), None)
        masks = [np.zeros((0, n), bool), *(m.pattern.mask for m in members)]
        return Diagonals.summed(values, [d for m in members for d in m.offsets], np.concatenate(masks))
    return sum((m.dense() if isinstance(m, Diagonals) else m for m in members), np.zeros((n, n), dtype))


def _plus(total: Any, pair: tuple[Any, Any]) -> Any:
    """Add a real number times what it adds."""
    factor, slope = pair
    if is_traced(total, factor, slope):
        return total + jax.lax.complex(factor * slope.real, factor * slope.imag)
    found = np.asarray(total) + np.asarray(factor) * np.asarray(slope)
    # NumPy's arrays stay such, so that nothing is compiled for them.
    return found if isinstance(total, np.ndarray) else known_array(found)


def _joined(arrays: list, empty: tuple[int, ...], dtype: DTypeLike | None) -> Any:
    """Lay arrays end to end: in NumPy where all are known, then on the device if a type is given."""
    if not arrays:
        arrays = [np.zeros(empty, float if dtype is None else dtype)]
    if all(isinstance(a, np.ndarray) for a in arrays):
        known = np.concatenate(arrays)
        return known if dtype is None else known_array(known.astype(dtype))
    joined = jnp.concatenate(arrays)
    if dtype is None or joined.dtype == dtype:
        return joined
    # A cast from real to complex would warn in its transpose.
    return joined.astype(dtype) if jnp.iscomplexobj(joined) else jax.lax.complex(*_parts(joined, dtype))


def _parts(real: Array, dtype: DTypeLike) -> tuple[Array, Array]:
    real = real.astype(jnp.zeros((), dtype).real.dtype)
    return real, jnp.zeros_like(real)


def diagonals_of(matrix: Any) -> int:
    """Counts the diagonals that the operator has; all of them where its numbers are being traced."""
    if isinstance(matrix, Diagonals):
        return len(matrix.offsets)
    known = concrete(matrix)
    if known is None:
        return 2 * matrix.shape[-1] - 1
    rows, columns = np.nonzero(known)
    return len(np.unique(columns - rows))


def _mask(member: Any) -> np.ndarray:
    """Mark which elements of an (n, n) operator can differ from 0."""
    if not isinstance(member, Diagonals):
        known = concrete(member)
        return np.ones(member.shape, bool) if known is None else known != 0
    n, offsets = member.n, np.asarray(member.offsets, int)
    diagonal, row = np.nonzero(member.pattern.mask)
    mask = np.zeros((n, n), bool)
    mask[row, row + offsets[diagonal]] = True
    return mask


def _is_real(member: Any) -> bool:
    values = member.values if isinstance(member, Diagonals) else member
    if not jnp.iscomplexobj(values):
        return True
    known = concrete(values)
    return known is not None and not np.any(known.imag)
