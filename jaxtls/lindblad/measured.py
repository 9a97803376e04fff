"""`Measured` holds the operators whose expectation values are recorded, each taken at its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, DTypeLike, PyTree

from .._checks import concrete, is_traced, known_array, require
from ..numerics.products import applied, einsum, few, total
from . import foreign
from .operators import Operator, as_operator
from .storage.diagonals import Diagonals


class Measured(eqx.Module):
    r"""Holds operators, which may depend on time, and gives their expectation values.

        O_k(t) = sum_m e_m(t) M_m + f_k(t),   <O_k> = Tr(O_k(t) rho) or <psi| O_k(t) |psi>

    All matrices M_m stand in one stack, so constant operators cost one product however many they are.

    Attributes:
        names: those of a dict, else None.

    Example:
        >>> found = Measured.read("exp_ops", {"z": [[1, 0], [0, -1]], "turn": lambda t: jnp.eye(2) * t}, 2)
        >>> found.names, found(3.0, jnp.array([1.0, 0.0])).real.tolist()
        (('z', 'turn'), [1.0, 3.0])
    """

    matrices: Array | np.ndarray  # (M, n, n)
    envelopes: tuple[Callable | None, ...]  # of each matrix, None for 1
    functions: tuple[Callable, ...]
    # The operator that each matrix and each function belongs to.
    owners: tuple[int, ...] = eqx.field(static=True)
    function_owners: tuple[int, ...] = eqx.field(static=True)
    names: tuple[str, ...] | None = eqx.field(static=True)
    count: int = eqx.field(static=True)
    n: int = eqx.field(static=True)

    @classmethod
    def read(cls, name: str, ops: object, n: int) -> Measured:
        """Reads from whatever may stand for operators, checked by name: see `listed`."""
        names, found = listed(name, ops)
        places = range(len(found)) if names is None else map(repr, names)
        labels = [name] if len(found) == 1 and found[0] is ops else [f"{name}[{place}]" for place in places]
        operators = [as_operator(label, op, n) for label, op in zip(labels, found)]
        terms = [(k, term) for k, op in enumerate(operators) for term in op.terms]
        kept = [(k, term) for k, term in terms if term.base is not None]
        moving = [(k, term.function) for k, term in terms if term.function is not None]
        dense = [term.matrix.dense() if isinstance(term.matrix, Diagonals) else term.matrix for _, term in kept]
        return cls(
            matrices=_stacked(dense, n),
            envelopes=tuple(term.envelope for _, term in kept),
            functions=tuple(function for _, function in moving),
            owners=tuple(k for k, _ in kept),
            function_owners=tuple(k for k, _ in moving),
            names=names,
            count=len(found),
            n=n,
        )

    @property
    def is_constant(self) -> bool:
        """Returns True where none depends on time."""
        return not self.functions and all(envelope is None for envelope in self.envelopes)

    @property
    def is_diagonal(self) -> bool:
        """Returns True where all are known to be diagonal matrices that do not depend on time."""
        known = concrete(self.matrices)
        return self.is_constant and known is not None and not np.any(known[:, ~np.eye(self.n, dtype=bool)])

    @property
    def dtype(self) -> np.dtype:
        """Gives the complex type of the matrices."""
        return np.dtype(jnp.result_type(self.matrices.dtype, jnp.complex64))

    def astype(self, dtype: DTypeLike) -> Measured:
        """Converts the matrices to another type."""
        return eqx.tree_at(lambda m: m.matrices, self, self.matrices.astype(dtype))

    def __call__(self, t: ArrayLike, state: Array) -> Array:
        """Returns the values (K,) at time t in a density matrix (n, n) or a ket (n,), which is not normalised."""
        if state.ndim == 1:
            ket = state

            def expect(matrices: Array) -> Array:
                if few(self.n):
                    return jax.vmap(lambda op: total(ket.conj() * applied(op, ket)))(matrices)
                return einsum("i,kij,j->k", ket.conj(), matrices, ket)
        else:

            def expect(matrices: Array) -> Array:
                return einsum("kij,ji->k", matrices, state)

        return jnp.asarray(self._summed(t, lambda matrices: expect(jnp.asarray(matrices))))

    def at(self, t: ArrayLike) -> PyTree:
        """Returns the dense operators at time t, (K, n, n)."""
        return self._summed(t, lambda matrices: matrices)

    def _summed(self, t: ArrayLike, expect: Callable[[PyTree], Array]) -> PyTree:
        values = expect(self.matrices)
        if self.is_constant and self.owners == tuple(range(self.count)):
            return values
        shape = values.shape[1:]
        if any(envelope is not None for envelope in self.envelopes):
            numbers = [jnp.ones((), values.dtype) if e is None else _number(e(t), values.dtype) for e in self.envelopes]
            values = jnp.stack(numbers).reshape(-1, *(1 for _ in shape)) * values
        total = jnp.zeros((self.count, *shape), values.dtype).at[np.asarray(self.owners, int)].add(values)
        if self.functions:
            now = jnp.stack([jnp.asarray(foreign.as_matrix("exp_ops", f(t), self.n)) for f in self.functions])
            total = total.at[np.asarray(self.function_owners, int)].add(expect(now).astype(values.dtype))
        return total


def _stacked(matrices: list, n: int) -> Array:
    """Stack (n, n), known ones so that they stay known inside jit."""
    if is_traced(matrices):
        return jnp.stack(matrices)
    return known_array(np.stack([np.asarray(m) for m in matrices]) if matrices else np.zeros((0, n, n), complex))


def _number(value: ArrayLike, dtype: DTypeLike) -> Array:
    return jnp.asarray(value, dtype).reshape(())


def listed(name: str, ops: Any) -> tuple[tuple[str, ...] | None, list[Any]]:
    """Gives the names (of a dict) and operators of a list, a dict, a stack (K, n, n), one operator alone, or None.

    Raises:
        ValueError: `ops` is nothing of the kind.

    Example:
        >>> [len(listed("exp_ops", ops)[1]) for ops in ((), [[0, 1], [1, 0]], {"a": jnp.eye(2)}, jnp.ones((3, 2, 2)))]
        [0, 1, 1, 3]
    """
    if ops is None:
        return None, []
    if isinstance(ops, Mapping):
        return tuple(str(key) for key in ops), list(ops.values())
    if isinstance(ops, foreign.Dynamiqs):
        ops = ops.to_jax()
    if isinstance(ops, Operator) or foreign.is_foreign(ops) or foreign.is_callable(ops):
        return None, [ops]
    if isinstance(ops, Sequence) and not isinstance(ops, str):
        rows = [row for row in ops if isinstance(row, Sequence) and all(np.isscalar(x) for x in row)]
        # Rows of plain numbers are one matrix.
        return None, [ops] if len(ops) > 0 and len(rows) == len(ops) else list(ops)
    dimensions = np.ndim(ops) if not isinstance(ops, str) else 0
    must = "be a list or dict of operators, a stack (K, n, n), or one operator"
    require(dimensions in (2, 3), name, must, f"{type(ops).__name__} of {dimensions} dimensions")
    return None, [ops] if dimensions == 2 else list(ops)
