"""Several operators stacked into one array, so that a compiled program does not grow with their number."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete
from .diagonals import Diagonals, densified


class Family(eqx.Module):
    """`count` operators: dense, (count, n, n), or as diagonals (E, n), the e-th on offsets[e] of operator owners[e]."""

    values: Array
    count: int = eqx.field(static=True)
    # None: dense.
    offsets: tuple[int, ...] | None = eqx.field(static=True)
    owners: tuple[int, ...] | None = eqx.field(static=True)

    @classmethod
    def stack(cls, members: Sequence[Array | Diagonals], n: int, dense: bool, dtype: np.dtype) -> Family:
        if dense:
            arrays = [m.dense() if isinstance(m, Diagonals) else m for m in members]
            empty = jnp.zeros((0, n, n), dtype)
            return cls(jnp.stack(arrays).astype(dtype) if arrays else empty, len(arrays), None, None)
        parts = [m if isinstance(m, Diagonals) else Diagonals.from_array(m) for m in members]
        values = jnp.concatenate([jnp.zeros((0, n), dtype), *(part.values.astype(dtype) for part in parts)])
        owners = tuple(k for k, part in enumerate(parts) for _ in part.offsets)
        return cls(values, len(parts), tuple(d for part in parts for d in part.offsets), owners)

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
    if all(isinstance(m, Diagonals) for m in members):
        values = jnp.concatenate([jnp.zeros((0, n), dtype), *(m.values.astype(dtype) for m in members)])  # type: ignore
        return Diagonals.summed(values, [d for m in members for d in m.offsets])  # type: ignore
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
