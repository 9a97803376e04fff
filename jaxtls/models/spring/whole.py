"""Makes the spring's Strang step for GPUs: the four parity blocks in one array, so that a step is few kernels.

Levels are ordered by parity, and the change to position nodes is one block-diagonal matrix: its products with the zeros
cost nothing where a step is bound by the bytes that it moves, and on a CPU, where they do, blocks are apart
(`splitting`).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ...numerics import hermitian
from ...numerics.products import matmul
from .hierarchy import IndexSet
from .pairs import Pair
from .splitting import SpringSplitting, by_changes, sector_dvr


class WholeSplitting(SpringSplitting):
    """Does what `SpringSplitting` does, on K (M, S h, S h), S sectors of h levels one behind the other."""

    def __init__(self, generators, n_spins, frequency, rate, indices: IndexSet, n_levels: int):
        super().__init__(generators, n_spins, frequency, rate, indices, n_levels)

    def pack(self, y: PyTree) -> PyTree:
        """Packs into K = Re c + Im c, levels by parity."""
        k = self._padded(hermitian.pack(y))
        return self._interchanged(k, (k.shape[-1] // self.sectors, self.sectors))

    def unpack(self, z: PyTree) -> PyTree:
        """Undoes `pack`, to the coefficients c of K."""
        n = self.n_levels
        return hermitian.unpack(self._interchanged(z, (self.sectors, z.shape[-1] // self.sectors))[:, :n, :n])

    def propagators(self, h: Array) -> tuple:
        """Gives phases (S h, S h) and the spins' flows (L, L, h, h)."""
        cos, sin, flows = super().propagators(h)
        joined = lambda a: a.transpose(0, 2, 1, 3).reshape(a.shape[0] * a.shape[2], -1)
        return joined(cos), joined(sin), flows

    def step(self, z: PyTree, propagators: tuple) -> PyTree:
        """Makes the step P(h/2) L(h) P(h/2)."""
        cos, sin, flows = propagators
        z, zt = self._kicked(_turned(z, cos, sin), flows)
        return cos * z + sin * zt

    def enter(self, z: PyTree, propagators: tuple) -> PyTree:
        """Makes half a step of the oscillator."""
        cos, sin, _ = propagators
        return _turned(z, cos, sin)

    def inner(self, z: PyTree, propagators: tuple) -> PyTree:
        """Makes a step of the spins and a whole one of the oscillator, P(h) L(h): one kernel of ten less."""
        cos, sin, flows = propagators
        z, zt = self._kicked(z, flows)
        return (cos**2 - sin**2) * z + (2 * cos * sin) * zt

    def leave(self, z: PyTree, propagators: tuple) -> PyTree:
        """Takes half a step of the oscillator back."""
        cos, sin, _ = propagators
        return _turned(z, cos, -sin)

    def seen(self, z: PyTree) -> PyTree:
        """Gives the oscillator's part c_0."""
        return z[0]

    def size(self, part: PyTree) -> Array:
        """Gives its Frobenius norm."""
        return jnp.sqrt(jnp.sum(part**2))

    def _kicked(self, z: Array, flows: list[Pair]) -> tuple[Array, Array]:
        """Give K and K^T after a step of the spins."""
        v = jnp.asarray(self._transform(), z.dtype)
        zt = _changed(z, v)
        moved = _changed(self._moved(zt.swapaxes(-1, -2), zt, flows), v.T)
        zt = z.swapaxes(-1, -2) + moved if by_changes(z) else moved
        return zt.swapaxes(-1, -2), zt

    def _padded(self, k: Array) -> Array:
        odd = self.n_levels % self.sectors
        return jnp.pad(k, ((0, 0), (0, odd), (0, odd)))

    def _interchanged(self, k: Array, shape: tuple[int, int]) -> Array:
        """Give (M, n, n) with n = a b levels counted the other way round, b of a."""
        return k.reshape(-1, *shape, *shape).transpose(0, 2, 1, 4, 3).reshape(k.shape)

    def _transform(self) -> np.ndarray:
        blocks = sector_dvr(self.n_levels)[1]
        sectors, h, _ = blocks.shape
        whole = np.zeros((sectors, h, sectors, h))
        whole[np.arange(sectors), :, np.arange(sectors)] = blocks
        return whole.reshape(sectors * h, sectors * h)

    def _moved(self, z: Array, zt: Array, flows: list[Pair]) -> Array:
        """Give K on nodes after the flow, or its change by it."""
        if len(flows) == 1:
            return _flow(z, zt, flows[0], self.sectors)
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *flows)
        tables = (stacked, jnp.asarray(self.chains), jnp.asarray(self.inverse))

        def one_class(z: Array, table: tuple) -> tuple[Array, None]:
            flow, chain, inverse = table
            rows = jnp.pad(z, ((0, 1), (0, 0), (0, 0))).at[chain].get(mode="promise_in_bounds")
            rows = _flow(rows, rows.swapaxes(-1, -2), flow, self.sectors)
            moved = rows.reshape(-1, *rows.shape[2:]).at[inverse].get(mode="promise_in_bounds")
            return z + moved if by_changes(z) else moved, None

        end = jax.lax.scan(one_class, z, tables)[0]
        return end - z if by_changes(z) else end


def _turned(k: Array, cos: Array, sin: Array) -> Array:
    return cos * k + sin * k.swapaxes(-1, -2)


def _changed(k: Array, v: Array) -> Array:
    """Give the product (V K V^T)^T, from the right alone."""
    m, i, j = k.shape

    def times(k: Array) -> Array:
        return matmul(k.reshape(m * i, j), v.T).reshape(m, i, j)

    return times(times(k).swapaxes(-1, -2))


def _flow(z: Array, zt: Array, flow: Pair, sectors: int) -> Array:
    """Take arrays (..., L, S h, S h) through E[k, m](x, x'), the same in each block."""
    h = flow.re.shape[-1]
    apart = lambda a: a.reshape(*a.shape[:-2], sectors, h, sectors, h)
    x, xt = apart(z), apart(zt)
    re, im = (part[:, :, None, :, None, :] for part in (flow.re, flow.im))
    # A sum along an axis: terms that are sliced are as many kernels in the backward pass.
    spread = lambda a: a[..., None, :, :, :, :, :]
    return jnp.sum(re * spread(x) + im * spread(xt), axis=-5).reshape(z.shape)
