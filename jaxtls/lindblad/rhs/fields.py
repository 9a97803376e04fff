"""Makes the right-hand side on the (n, n) matrix, dense or as a stencil of shifted copies. Never N^4.

    d rho/dt = A rho + rho A† + sum_k r_k L_k rho L_k†,   A = -i H - (1/2) sum_k r_k L_k† L_k

All operators are sums over groups, A = sum_g c_g(t) A_g and r_k -> c_g(k)(t) r_k, with c_0 = 1 and one group for each
modulated term; the A_g are made once. With `hermitian` the state is symmetrised on entry and one side mirrored: the
anti-Hermitian rounding error then does not move at all, where mirroring alone would let it grow.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...numerics.products import einsum, matmul, tensordot
from ...quantum import dag
from ..storage.diagonals import rolled
from ..storage.family import Family

# Up to this many shifted copies are written out and fused; more run in a loop, so that code does not grow.
UNROLLED = 8


class AbstractParts(eqx.Module):
    """Holds A and the jumps for given group coefficients c (G,), or None where only group 0 exists."""

    @abc.abstractmethod
    def left(self, c: Array | None) -> Callable[[Array], Array]:
        """Makes y -> A y, for y (n, m)."""

    def ket(self, c: Array | None) -> Callable[[Array], Array]:
        """Does what `left` does, for few columns."""
        return self.left(c)

    @abc.abstractmethod
    def both(self, c: Array | None) -> Callable[[Array], Array]:
        """Makes y -> A y + y A†, for y (n, n)."""

    @abc.abstractmethod
    def jumps(self, c: Array | None) -> Callable[[Array], Array]:
        """Makes y -> sum_k r_k L_k y L_k†."""


class DenseParts(AbstractParts):
    """Takes two products of stacked matrices for all jumps together."""

    effective: Array  # (G, n, n)
    operators: Array  # (K, n, n)
    rates: Array  # (K,)
    groups: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def build(cls, terms: Family, jumps: Family, rates: Array, groups: tuple[int, ...], n_groups: int) -> DenseParts:
        operators, loss = jumps.dense(), None
        effective = jnp.zeros((n_groups, *operators.shape[1:]), operators.dtype)
        effective = effective.at[: terms.count].add(-1j * terms.dense())
        if jumps.count:
            loss = einsum("kji,kjl->kil", operators.conj(), operators)
            effective = effective.at[np.asarray(groups)].add(-0.5 * rates[:, None, None] * loss)
        return cls(effective, operators, rates, groups)

    def matrix(self, c: Array | None) -> Array:
        return self.effective[0] if c is None else tensordot(c, self.effective, 1)

    def left(self, c: Array | None) -> Callable[[Array], Array]:
        matrix = self.matrix(c)
        return lambda y: matmul(matrix, y)

    def ket(self, c: Array | None) -> Callable[[Array], Array]:
        if c is None:
            return self.left(c)
        # Group by group: in a batch of different times the matrices stay shared.
        return lambda y: tensordot(c, matmul(self.effective, y), 1)

    def both(self, c: Array | None) -> Callable[[Array], Array]:
        matrix = self.matrix(c)
        mirror = dag(matrix)
        return lambda y: matmul(matrix, y) + matmul(y, mirror)

    def jumps(self, c: Array | None) -> Callable[[Array], Array]:
        count, n, _ = self.operators.shape
        if count == 0:
            return jnp.zeros_like
        weights = self.rates if c is None else self.rates * c[np.asarray(self.groups)].real
        rows = self.operators.reshape(count * n, n)
        mirror = (weights[:, None, None] * self.operators.conj()).astype(self.operators.dtype)

        def apply(y: Array) -> Array:
            moved = matmul(rows, y).reshape(count, n, n)
            return einsum("kij,klj->il", moved, mirror)

        return apply


class StencilParts(AbstractParts):
    """Sums shifted copies of y: (A y)_ij = sum_d a_d[i] y[i+d, j], and W_p[i,j] y[i+d_p, j+e_p] for the jumps."""

    effective: Array  # (E, n)
    weights: Array  # (P, n, n)
    offsets: tuple[int, ...] = eqx.field(static=True)
    owners: tuple[int, ...] = eqx.field(static=True)
    shifts: tuple[tuple[int, int], ...] = eqx.field(static=True)
    groups: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def build(cls, terms: Family, jumps: Family, rates: Array, groups: tuple[int, ...], n_groups: int) -> StencilParts:
        n, dtype = terms.values.shape[-1], terms.values.dtype
        first, second = jumps.pairs()
        offset, owner = np.asarray(jumps.offsets, int), np.asarray(jumps.owners, int)
        group_of_pair = np.asarray(groups, int)[owner[first]]
        pair_rates = rates[owner[first]]
        # (L†L): the pair (d, d') gives offset d' - d at the rows i + d.
        products = jumps.values[first].conj() * jumps.values[second]
        loss = -0.5 * pair_rates[:, None] * rolled(products, offset[first])
        values = jnp.concatenate([-1j * terms.values, loss.astype(dtype)])
        labels = [*zip(terms.owners or (), terms.offsets or ())]
        labels += [*zip(group_of_pair.tolist(), (offset[second] - offset[first]).tolist())]
        effective, found = _merged(values, labels)
        # L y L†: rows shifted by d, columns by d'.
        outer = jumps.values[first][:, :, None] * jumps.values[second].conj()[:, None, :]
        places = [*zip(group_of_pair.tolist(), offset[first].tolist(), offset[second].tolist())]
        weights, where = _merged((pair_rates[:, None, None] * outer).astype(dtype), places)
        return cls(
            effective.reshape(-1, n),
            weights.reshape(-1, n, n),
            tuple(d for _, d in found),
            tuple(g for g, _ in found),
            tuple((d, e) for _, d, e in where),
            tuple(g for g, _, _ in where),
        )

    def diagonals(self, c: Array | None) -> tuple[Array, tuple[int, ...]]:
        if c is None:
            return self.effective, self.offsets
        values = c[np.asarray(self.owners, int)][:, None] * self.effective
        merged, found = _merged(values, [(d,) for d in self.offsets])
        return merged, tuple(d for (d,) in found)

    def left(self, c: Array | None) -> Callable[[Array], Array]:
        values, offsets = self.diagonals(c)
        return lambda y: _shifted_sum(y, values[:, :, None], [(d, 0) for d in offsets])

    def both(self, c: Array | None) -> Callable[[Array], Array]:
        values, offsets = self.diagonals(c)
        left, right = [(d, 0) for d in offsets], [(0, d) for d in offsets]
        mirror = values.conj()

        def apply(y: Array) -> Array:
            return _shifted_sum(y, values[:, :, None], left) + _shifted_sum(y, mirror[:, None, :], right)

        return apply

    def jumps(self, c: Array | None) -> Callable[[Array], Array]:
        weights = self.weights
        if c is not None and self.shifts:
            weights = c[np.asarray(self.groups, int)][:, None, None] * weights
        return lambda y: _shifted_sum(y, weights, self.shifts)


def _merged(values: Array, labels: list) -> tuple[Array, list]:
    """Sum the entries of `values` (along the first axis) that share a label."""
    found = sorted(set(labels))
    place = {label: k for k, label in enumerate(found)}
    index = np.array([place[label] for label in labels], int)
    if len(found) == len(labels) and np.all(np.diff(index) > 0):
        return values, found
    return jnp.zeros((len(found), *values.shape[1:]), values.dtype).at[index].add(values), found


def _shifted_sum(y: Array, weights: Array, shifts: Any) -> Array:
    """Sum weights[p] * y[i + d_p, j + e_p] over p; shifts wrap around, where weights are 0."""
    if len(shifts) == 0:
        return jnp.zeros_like(y)
    places = np.asarray(shifts, int) % np.array(y.shape)
    tiled = y
    for axis in (0, 1):
        if np.any(places[:, axis]):
            tiled = jnp.concatenate([tiled, tiled], axis)
    if len(places) <= UNROLLED:
        parts = (w * tiled[d : d + y.shape[0], e : e + y.shape[1]] for w, (d, e) in zip(weights, places.tolist()))
        return sum(parts, jnp.zeros_like(y))

    def add(total: Array, entry: tuple) -> tuple[Array, None]:
        weight, place = entry
        return total + weight * jax.lax.dynamic_slice(tiled, (place[0], place[1]), y.shape), None

    return jax.lax.scan(add, jnp.zeros_like(y), (weights, jnp.asarray(places)))[0]
