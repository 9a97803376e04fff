"""Operators whose expectation values are recorded, at their times where they depend on time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from .._checks import require
from ..numerics.products import matmul
from .foreign import as_matrix, is_callable, is_foreign
from .operators import Operator, as_operator


class Measured(eqx.Module):
    """K operators: those that are constant stacked, the others as functions of time."""

    constant: Array  # (K, n, n), 0 where the operator moves
    moving: tuple[Operator, ...]
    places: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, name: str, ops: PyTree, n: int) -> Measured:
        """From a list or dict of operators, or a single one."""
        found = listed(name, ops)
        dense, moving, places = [], [], []
        for k, op in enumerate(found):
            label = f"{name}[{k}]"
            if is_callable(op) or isinstance(op, Operator):
                operator = as_operator(label, op, n)
                if not operator.is_constant:
                    moving.append(operator)
                    places.append(k)
                    dense.append(np.zeros((n, n), complex))
                    continue
                op = operator(0.0)
            dense.append(as_matrix(label, op, n))
        empty = jnp.zeros((0, n, n), jnp.result_type(complex))
        return cls(jnp.stack(dense) if dense else empty, tuple(moving), tuple(places))

    @property
    def count(self) -> int:
        """K."""
        return self.constant.shape[0]

    def at(self, t: ArrayLike) -> Array:
        """All of them at time t, (K, n, n)."""
        found = self.constant
        for place, op in zip(self.places, self.moving):
            found = found.at[place].set(op(t).astype(found.dtype))
        return found

    def expects(self, t: ArrayLike, rho: Array) -> Array:
        """Tr(O rho), (K,)."""
        return jnp.einsum("kij,ji->k", self.at(t), rho, precision="highest")

    def ket_expects(self, t: ArrayLike, psi: Array) -> Array:
        """<psi|O|psi>, (K,)."""
        return jnp.einsum("i,ki->k", psi.conj(), matmul(self.at(t), psi))


def listed(name: str, ops: PyTree) -> list:
    """The operators of a list, a dict, a stack (K, n, n), or a single one."""
    if isinstance(ops, Mapping):
        return [*ops.values()]
    if isinstance(ops, Sequence):
        return [*ops]
    if isinstance(ops, Operator) or is_callable(ops) or is_foreign(ops):
        return [ops]
    shape = np.shape(ops)
    require(len(shape) in (2, 3), name, "be a list of operators", type(ops).__name__)
    return [*ops] if len(shape) == 3 else [ops]
