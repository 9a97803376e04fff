"""Several operators stacked into one array, so that a compiled program does not grow with their number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete
from .diagonals import Diagonals, Pattern, densified


class Entries(NamedTuple):
    """The elements of a family's operators that can differ from 0: operator, row, column, place in `values`."""

    owner: np.ndarray
    row: np.ndarray
    column: np.ndarray
    place: np.ndarray


class Family(eqx.Module):
    """`count` operators: dense, (count, n, n), or as diagonals (E, n), the e-th on offsets[e] of operator owners[e]."""

    values: Array
    count: int = eqx.field(static=True)
    # None: dense.
    offsets: tuple[int, ...] | None = eqx.field(static=True)
    owners: tuple[int, ...] | None = eqx.field(static=True)
    # Of the shape of `values`.
    pattern: Pattern = eqx.field(static=True)
    # No imaginary parts, whatever the type.
    is_real: bool = eqx.field(static=True)

    @classmethod
    def stack(cls, members: Sequence[Array | Diagonals], n: int, dense: bool, dtype: np.dtype) -> Family:
        is_real = all(_is_real(m) for m in members)
        if dense:
            arrays = [m.dense() if isinstance(m, Diagonals) else m for m in members]
            empty = jnp.zeros((0, n, n), dtype)
            masks = np.stack([_mask(m) for m in members]) if arrays else np.zeros((0, n, n))
            values = jnp.stack(arrays).astype(dtype) if arrays else empty
            return cls(values, len(arrays), None, None, Pattern(masks), is_real)
        parts = [m if isinstance(m, Diagonals) else Diagonals.from_array(m) for m in members]
        values = jnp.concatenate([jnp.zeros((0, n), dtype), *(part.values.astype(dtype) for part in parts)])
        owners = tuple(k for k, part in enumerate(parts) for _ in part.offsets)
        offsets = tuple(d for part in parts for d in part.offsets)
        masks = np.concatenate([np.zeros((0, n), bool), *(part.pattern.mask for part in parts)])
        return cls(values, len(parts), offsets, owners, Pattern(masks), is_real)

    def entries(self) -> Entries:
        """Where the operators can differ from 0."""
        found = np.nonzero(self.pattern.mask)
        place = np.ravel_multi_index(found, self.pattern.mask.shape) if self.pattern.mask.size else found[0]
        if self.offsets is None:
            owner, row, column = found
            return Entries(owner, row, column, place)
        diagonal, row = found
        owners, offsets = np.asarray(self.owners, int), np.asarray(self.offsets, int)
        return Entries(owners[diagonal], row, row + offsets[diagonal], place)

    @property
    def is_dense(self) -> bool:
        return self.offsets is None

    def dense(self) -> Array:
        """(count, n, n)."""
        if self.offsets is None:
            return self.values
        return densified(self.values, self.offsets, np.asarray(self.owners, int), self.count)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices (first, second) of all pairs of diagonals that belong to one operator."""
        owners = np.asarray(self.owners, int)
        first, second = np.nonzero(owners[:, None] == owners[None, :])
        return first, second


def total(members: Sequence[Array | Diagonals], n: int, dtype: np.dtype) -> Array | Diagonals:
    """The sum of operators, as diagonals where all of them are."""
    if len(members) == 1:
        return members[0]
    if all(isinstance(m, Diagonals) for m in members):
        values = [jnp.zeros((0, n)), *(m.values for m in members)]  # type: ignore
        masks = [np.zeros((0, n), bool), *(m.pattern.mask for m in members)]  # type: ignore
        offsets = [d for m in members for d in m.offsets]  # type: ignore
        return Diagonals.summed(jnp.concatenate(values), offsets, np.concatenate(masks))
    return sum((m.dense() if isinstance(m, Diagonals) else m for m in members), jnp.zeros((n, n), dtype))


def diagonals_of(matrix: Array | Diagonals) -> int:
    """How many diagonals the operator has; all of them where its numbers are being traced."""
    if isinstance(matrix, Diagonals):
        return len(matrix.offsets)
    known = concrete(matrix)
    if known is None:
        return 2 * matrix.shape[-1] - 1
    rows, columns = np.nonzero(known)
    return len(np.unique(columns - rows))


def _mask(member: Array | Diagonals) -> np.ndarray:
    """Which elements of an (n, n) operator can differ from 0."""
    if not isinstance(member, Diagonals):
        known = concrete(member)
        return np.ones(member.shape, bool) if known is None else known != 0
    n, offsets = member.n, np.asarray(member.offsets, int)
    diagonal, row = np.nonzero(member.pattern.mask)
    mask = np.zeros((n, n), bool)
    mask[row, row + offsets[diagonal]] = True
    return mask


def _is_real(member: Array | Diagonals) -> bool:
    values = member.values if isinstance(member, Diagonals) else member
    if not jnp.iscomplexobj(values):
        return True
    known = concrete(values)
    return known is not None and not np.any(known.imag)
