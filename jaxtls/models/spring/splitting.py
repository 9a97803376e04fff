"""Makes the spring's Strang step: exact oscillator flow in Fock space, exact spin flow on nodes, parity blocks apart.

Every coupling depends on x^2, so even and odd oscillator states never mix on either side of rho: four blocks (parity of
the ket, parity of the bra), each h x h with h = n/2. A Hermitian c = R + i I is carried as the one real matrix K = R +
I; a flow that is a Hermitian phase or diagonal factor E acts as K -> Re E * K + Im E * K^T, and a real change of basis
as V K V^T, so no complex arithmetic is left and nothing can lose hermiticity.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...dynamics.extrapolation import AbstractSplitting
from ...numerics import hermitian
from ...numerics.products import matmul
from ...quantum.dvr import hermite_dvr, parity_dvr
from .hierarchy import IndexSet, SpinGenerator, symmetric_power_flow
from .pairs import Pair

Blocks = tuple[tuple[Array, ...], ...]  # [ket sector][bra sector], each (M, h, h)
# Below this size a step is a matter of the number of operations, not of their length: all levels then form one sector.
SPLIT_LEVELS = 16


def sector_dvr(n_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives nodes (h,) and transforms (sectors, h, h): the two parities, or all as one sector in a small basis."""
    if n_levels > SPLIT_LEVELS:
        return parity_dvr(n_levels)
    nodes, transform = hermite_dvr(n_levels)
    return nodes, transform[None]


class SpringSplitting(AbstractSplitting):
    """Makes the Strang step P(h/2) L(h) P(h/2) of the hierarchy: P oscillator phases, L spins at fixed (x, x')."""

    generators: tuple[SpinGenerator, ...]
    n_spins: tuple[Array, ...]
    frequency: Array
    rate: Array
    chains: np.ndarray
    inverse: np.ndarray
    n_levels: int

    def __init__(self, generators, n_spins, frequency, rate, indices: IndexSet, n_levels: int):
        self.generators, self.n_spins = generators, n_spins
        self.frequency, self.rate = frequency, rate
        self.chains, self.inverse = indices.chains, indices.inverse
        self.n_levels = n_levels

    @property
    def sectors(self) -> int:
        """Says how many parities are kept apart."""
        return 2 if self.n_levels > SPLIT_LEVELS else 1

    def pack(self, y: Array) -> Blocks:
        """Packs into real blocks, by the parities of ket and bra."""
        count = self.sectors
        odd = self.n_levels % count
        k = jnp.pad(hermitian.pack(y), ((0, 0), (0, odd), (0, odd)))
        return tuple(tuple(k[:, a::count, b::count] for b in range(count)) for a in range(count))

    def unpack(self, z: Blocks) -> Array:
        """Undoes `pack`, to coefficients."""
        modes, half, _ = z[0][0].shape
        count, n = self.sectors, self.n_levels
        k = jnp.stack([jnp.stack(row) for row in z])  # a b m i j
        k = k.transpose(2, 3, 0, 4, 1).reshape(modes, count * half, count * half)[:, :n, :n]
        return hermitian.unpack(k)

    def propagators(self, h: Array) -> tuple:
        """Gives phases of half a step, and each class' spin flow of a whole one."""
        count = self.sectors
        half = -(-self.n_levels // count)
        numbers = np.arange(half) * count + np.arange(count)[:, None]
        # Of whole numbers, which single precision holds: differences of energies would lose their last digits.
        apart = numbers[:, None, :, None] - numbers[None, :, None, :]
        angles = apart * (self.frequency * h / 2)
        length = self.chains.shape[-1]
        flows = [symmetric_power_flow(g, n, h, length) for g, n in zip(self.generators, self.n_spins)]
        if not by_changes(h):
            identity = jnp.eye(length)[:, :, None, None]
            flows = [Pair(flow.re + identity, flow.im) for flow in flows]
        return jnp.cos(angles), -jnp.sin(angles), flows

    def step(self, z: Blocks, propagators: tuple) -> Blocks:
        """Makes half a step of the oscillator, one of the spins, half a step of the oscillator."""
        cos, sin, flows = propagators
        v = jnp.asarray(sector_dvr(self.n_levels)[1], z[0][0].dtype)
        z = _phase(z, _transposed(z), cos, sin)
        zt = _transform(z, v)
        moved = _transform(self._spins(_transposed(zt), zt, flows), v.transpose(0, 2, 1))
        if not by_changes(z[0][0]):
            return _phase(_transposed(moved), moved, cos, sin)
        z = _sum(z, _transposed(moved))
        return _phase(z, _transposed(z), cos, sin)

    def bare(self) -> SpringSplitting:
        """Gives the same without generators, counts and frequencies."""
        read = lambda s: (s.generators, s.n_spins, s.frequency, s.rate)
        return eqx.tree_at(read, self, ((), (), None, None))

    def seen(self, z: Blocks) -> Blocks:
        """Gives the oscillator's part c_0."""
        return _map(lambda block: block[0], z)

    def size(self, part: Blocks) -> Array:
        """Gives its Frobenius norm."""
        return jnp.sqrt(sum(jnp.sum(block**2) for row in part for block in row))

    def _spins(self, z: Blocks, zt: Blocks, flows: list[Pair]) -> Blocks:
        """Give the blocks on nodes after the flow, or their change by it."""
        if len(flows) == 1:
            return _spin_flow(z, zt, flows[0])
        # Classes commute: one after the other, each along its own chains. The scan keeps compile time flat in their
        # number.
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *flows)
        tables = (stacked, jnp.asarray(self.chains), jnp.asarray(self.inverse))

        def one_class(z: Blocks, table: tuple) -> tuple[Blocks, None]:
            flow, chain, inverse = table

            def gather(block: Array) -> Array:
                padded = jnp.pad(block, ((0, 1), (0, 0), (0, 0)))
                return padded.at[chain].get(mode="promise_in_bounds")  # (rows, L, h, h)

            def scatter(block: Array) -> Array:
                return block.reshape(-1, *block.shape[2:]).at[inverse].get(mode="promise_in_bounds")

            chained = _map(gather, z)
            moved = _map(scatter, _spin_flow(chained, _transposed(chained), flow))
            return _sum(z, moved) if by_changes(z[0][0]) else moved, None

        end, _ = jax.lax.scan(one_class, z, tables)
        return _blocks(z, lambda a, b: end[a][b] - z[a][b]) if by_changes(z[0][0]) else end


def by_changes(x: Array) -> bool:
    """Says whether a step adds a change to what was there: in single precision, where roundings of the flow and of the
    basis, the same at each step, would add up."""
    return x.dtype != jnp.float64


def _blocks(z: Blocks, f: Callable[[int, int], Array]) -> Blocks:
    return tuple(tuple(f(a, b) for b in range(len(z))) for a in range(len(z)))


def _map(f: Callable[[Array], Array], z: Blocks) -> Blocks:
    return _blocks(z, lambda a, b: f(z[a][b]))


def _sum(y: Blocks, z: Blocks) -> Blocks:
    return _blocks(y, lambda a, b: y[a][b] + z[a][b])


def _transposed(z: Blocks) -> Blocks:
    """Give the blocks of K^T."""
    return _blocks(z, lambda a, b: jnp.swapaxes(z[b][a], -1, -2))


def _phase(z: Blocks, zt: Blocks, cos: Array, sin: Array) -> Blocks:
    return _blocks(z, lambda a, b: cos[a, b] * z[a][b] + sin[a, b] * zt[a][b])


def _transform(z: Blocks, v: Array) -> Blocks:
    """Give the product (V K V^T)^T, from the left alone: one product for all that stands behind a sector's rows."""

    def times(v: Array, parts: list[Array]) -> Array:
        rows = jnp.stack(parts, 1)
        return matmul(v, rows.reshape(rows.shape[0], -1)).reshape(rows.shape)

    sectors = range(len(z))
    kets = [times(v[a], [jnp.swapaxes(k, 0, 1) for k in z[a]]) for a in sectors]  # (i, b, m, j)
    bras = [times(v[b], [ket[:, b].transpose(2, 1, 0) for ket in kets]) for b in sectors]  # (j, a, m, i)
    return _blocks(z, lambda a, b: jnp.swapaxes(bras[a][:, b], 0, 1))


def _spin_flow(z: Blocks, zt: Blocks, flow: Pair) -> Blocks:
    """Take blocks (..., L, h, h) through E[k, m](x, x')."""
    re, im = _split(flow.re, 1), _split(flow.im, 1)

    def one(a: int, b: int) -> Array:
        x, xt = _split(z[a][b], -3), _split(zt[a][b], -3)
        terms = [re[m] * x[m][..., None, :, :] + im[m] * xt[m][..., None, :, :] for m in range(len(re))]
        return functools.reduce(jnp.add, terms)

    return _blocks(z, one)


def _split(a: Array, axis: int) -> list[Array]:
    """Split entries along an axis. (Slices one by one would cost the backward pass a padded copy of the whole,
    each.)"""
    parts = jax.lax.split(a, [1] * a.shape[axis], axis % a.ndim)
    return [jnp.squeeze(part, axis) for part in parts]
