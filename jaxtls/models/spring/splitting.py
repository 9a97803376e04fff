"""The spring's Strang step: exact oscillator flow in the Fock basis, exact spin flow on position nodes, parity blocks
apart.

Every coupling depends on x^2, so even and odd oscillator states never mix on either side of rho: four blocks (parity of
the ket, parity of the bra), each h x h with h = n/2. A Hermitian c = R + i I is carried as the one real matrix K = R +
I; a flow that is a Hermitian phase or diagonal factor E acts as K -> Re E * K + Im E * K^T, and a real change of basis
as V K V^T, so no complex arithmetic is left and nothing can lose hermiticity.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...dynamics.splitting import AbstractSplitting
from ...quantum.dvr import hermite_dvr, parity_dvr
from .hierarchy import IndexSet, SpinGenerator, symmetric_power_flow
from .pairs import Pair

Blocks = tuple[tuple[Array, ...], ...]  # [ket sector][bra sector], each (h, M, h)
# Below this size a step is a matter of the number of operations, not of their length: all levels then form one sector.
SPLIT_LEVELS = 32


def sector_dvr(n_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (h,) and transforms (sectors, h, h): the two parities, or everything as one sector in a small basis."""
    if n_levels > SPLIT_LEVELS:
        return parity_dvr(n_levels)
    nodes, transform = hermite_dvr(n_levels)
    return nodes, transform[None]


class SpringSplitting(AbstractSplitting):
    """Strang step P(h/2) L(h) P(h/2) of the hierarchy: P oscillator phases, L spins at fixed (x, x')."""

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
        return 2 if self.n_levels > SPLIT_LEVELS else 1

    def pack(self, y: Array) -> Blocks:
        count = self.sectors
        odd = self.n_levels % count
        k = jnp.pad(y.real + y.imag, ((0, 0), (0, odd), (0, odd)))
        sectors = range(count)
        return tuple(tuple(k[:, a::count, b::count].transpose(1, 0, 2) for b in sectors) for a in sectors)

    def unpack(self, z: Blocks) -> Array:
        half, modes, _ = z[0][0].shape
        count, n = self.sectors, self.n_levels
        k = jnp.stack([jnp.stack(row) for row in z])  # a b i m j
        k = k.transpose(3, 2, 0, 4, 1).reshape(modes, count * half, count * half)[:, :n, :n]
        kt = k.swapaxes(-1, -2)
        return (k + kt) / 2 + 0.5j * (k - kt)

    def propagators(self, h: Array) -> tuple:
        count = self.sectors
        half = -(-self.n_levels // count)
        numbers = np.arange(half) * count + np.arange(count)[:, None]
        energies = self.frequency * (numbers + 0.5)
        angles = (energies[:, None, :, None] - energies[None, :, None, :]) * h / 2
        length = self.chains.shape[-1]
        flows = [symmetric_power_flow(g, n, h, length) for g, n in zip(self.generators, self.n_spins)]
        return jnp.cos(angles), -jnp.sin(angles), flows

    def step(self, z: Blocks, propagators: tuple) -> Blocks:
        cos, sin, flows = propagators
        v = jnp.asarray(sector_dvr(self.n_levels)[1], z[0][0].dtype)
        z = _phase(z, cos, sin)
        z = _change_basis(z, v)
        z = self._spins(z, flows)
        z = _change_basis(z, v.transpose(0, 2, 1))
        return _phase(z, cos, sin)

    def size(self, z: Blocks) -> Array:
        """Frobenius norm of the oscillator's part c_0."""
        return jnp.sqrt(sum(jnp.sum(block[:, 0] ** 2) for row in z for block in row))

    def _spins(self, z: Blocks, flows: list[Pair]) -> Blocks:
        if len(flows) == 1:
            return _spin_flow(z, flows[0])
        # Classes commute: one after the other, each along its own chains. The scan keeps compile time flat in their
        # number.
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *flows)
        tables = (stacked, jnp.asarray(self.chains), jnp.asarray(self.inverse))

        def one_class(z: Blocks, table: tuple) -> tuple[Blocks, None]:
            flow, chain, inverse = table
            rows, length = chain.shape

            def gather(block: Array) -> Array:
                padded = jnp.pad(block, ((0, 0), (0, 1), (0, 0)))
                taken = padded.at[:, chain.reshape(-1)].get(mode="promise_in_bounds")
                # (h, L, R, h): the chain index first, as _spin_flow expects, with its rows riding along
                return taken.reshape(block.shape[0], rows, length, -1).swapaxes(1, 2)

            def scatter(block: Array) -> Array:
                flat = block.swapaxes(1, 2).reshape(block.shape[0], rows * length, -1)
                return flat.at[:, inverse].get(mode="promise_in_bounds")

            return _map(scatter, _spin_flow(_map(gather, z), flow)), None

        z, _ = jax.lax.scan(one_class, z, tables)
        return z


def _blocks(z: Blocks, f: Callable[[int, int], Array]) -> Blocks:
    return tuple(tuple(f(a, b) for b in range(len(z))) for a in range(len(z)))


def _map(f: Callable[[Array], Array], z: Blocks) -> Blocks:
    return _blocks(z, lambda a, b: f(z[a][b]))


def _transpose(z: Blocks, a: int, b: int) -> Array:
    """Block (a, b) of K^T."""
    return jnp.swapaxes(z[b][a], 0, -1)


def _phase(z: Blocks, cos: Array, sin: Array) -> Blocks:
    return _blocks(z, lambda a, b: cos[a, b][:, None] * z[a][b] + sin[a, b][:, None] * _transpose(z, a, b))


def _change_basis(z: Blocks, v: Array) -> Blocks:
    def one(a: int, b: int) -> Array:
        h, modes, _ = z[a][b].shape
        left = jnp.matmul(v[a], z[a][b].reshape(h, modes * h), precision=jax.lax.Precision.HIGHEST)
        right = jnp.matmul(left.reshape(h * modes, h), v[b].T, precision=jax.lax.Precision.HIGHEST)
        return right.reshape(h, modes, h)

    return _blocks(z, one)


def _spin_flow(z: Blocks, flow: Pair) -> Blocks:
    """Blocks (h, L, h) or (h, L, R, h) through E[k, m](x, x')."""
    length = flow.re.shape[0]
    re, im = ([_split(row, 0) for row in _split(part, 0)] for part in (flow.re, flow.im))
    if z[0][0].ndim == 4:  # rows of a chain ride along between x and x'
        re, im = ([[e[:, None] for e in row] for row in part] for part in (re, im))

    def one(a: int, b: int) -> Array:
        x, xt = _split(z[a][b], 1), _split(_transpose(z, a, b), 1)
        return jnp.stack([sum(re[k][m] * x[m] + im[k][m] * xt[m] for m in range(length)) for k in range(length)], 1)

    return _blocks(z, one)


def _split(a: Array, axis: int) -> list[Array]:
    """The entries along an axis. (Slices one by one would each cost the backward pass a padded copy of the whole.)"""
    parts = jax.lax.split(a, [1] * a.shape[axis], axis)
    return [jnp.squeeze(part, axis) for part in parts]
