"""Packs Hermitian states as real arrays, R + I of rho = R + i I: half the numbers of two parts, and half the work.

With P = R + I, and Q = R - I its transpose, for any map rho -> c rho of real c, or i c, the image is c P, or c Q:

    rho -> A rho + rho A†,  A = a + i b:    P -> a P + P a^T + b Q - Q b^T
    rho -> L rho L†,        L = l + i k:    P -> (l P + k Q) l^T + (k P - l Q) k^T

Nothing that rounding does can make such a state less Hermitian.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ..._platform import platform
from ...numerics import hermitian
from ...numerics.products import einsum, matmul
from .blocked import BlockField, BlockPlan, is_identity, is_unrolled, looped, taken
from .stencil import shifted_sum
from .whole import DenseField, WholeMatrix


class PackedBlocks(BlockPlan):
    """Does what `BlockPlan` does, for Hermitian states: z (P, m, m) real."""

    def pack(self, rho: Any) -> Any:
        return hermitian.pack(self.blocks_of(hermitian.hermitian_part(rho)))

    def unpack(self, z: Array) -> Array:
        return self.scattered(hermitian.unpack(z, self.mirrored(z)))

    def split(self, z: Array) -> PyTree:
        return z

    def joined(self, parts: PyTree) -> Array:
        return parts

    def operators(self, ops: Any) -> Any:
        weights = self.transposed_blocks_of(ops)
        return ((1 + 1j) * weights + (1 - 1j) * self.mirrored(weights)) / 2

    def hermitian_part(self, z: Array) -> Array:
        return z

    def mirrored(self, z: Any) -> Any:
        """Mirrors blocks (..., P, m, m): block (a, b) is the transpose of block (b, a)."""
        order = z if is_identity(self.mirror) else z[..., np.asarray(self.mirror), :, :]
        return order.swapaxes(-1, -2)

    @property
    def field_type(self) -> type[BlockField]:
        return PackedField


class PackedField(BlockField):
    """Gives the scaled right-hand side on z."""

    def __call__(self, parts: PyTree) -> PyTree:
        z, plan = parts, self.plan
        assert isinstance(plan, PackedBlocks)
        turned = plan.mirrored(z)
        if self.dense is not None and platform() == "cpu":
            # Made once: as part of a product, XLA takes a slower one for it.
            turned = jax.lax.optimization_barrier(turned)
        real, imag = self.local
        total = real * z if imag is None else real * z + imag * turned
        for (source, *chosen), weights, back in zip(plan.moves(), self.weights(), self.back):
            for w, b, shifts, part in zip(weights, back, self.shifts(chosen), (z, turned)):
                if is_unrolled(shifts):
                    total = total + shifted_sum(w, b, taken(part, source), shifts)
                elif shifts:
                    (total,) = looped((total,), (taken(part, source),), w, shifts)
        if self.dense is None:
            return total
        left, mirror = self.dense, np.asarray(plan.mirror)
        right = left if is_identity(plan.mirror) else jax.tree.map(lambda a: a[mirror], left)
        total = total + matmul(left[1], turned) - _from_right(turned, right[1])
        return total if left[0] is None else total + matmul(left[0], z) + _from_right(z, right[0])


def _from_right(z: Array, a: Array) -> Array:
    """Return the product z a^T."""
    return einsum("pij,pkj->pik", z, a)


class PackedMatrix(WholeMatrix):
    """Does what `WholeMatrix` does, for Hermitian states: z (n, n) real."""

    def pack(self, rho: Any) -> Any:
        return hermitian.pack(hermitian.hermitian_part(rho))

    def unpack(self, z: Array) -> Array:
        return hermitian.unpack(z)

    def split(self, z: Array) -> Array:
        return z

    def joined(self, parts: Array) -> Array:
        return parts

    def operators(self, ops: Any) -> Any:
        weights = ops.swapaxes(1, 2)
        return ((1 + 1j) * weights + (1 - 1j) * ops) / 2

    def rows(self, weights: Array) -> Array:
        return jnp.concatenate([weights.real, weights.imag])

    def hermitian_part(self, z: Array) -> Array:
        return z

    @property
    def field_type(self) -> type[DenseField]:
        return PackedDenseField


class PackedDenseField(DenseField):
    """Does the same on the whole matrix; A by three products, as Gauss multiplies complex numbers."""

    def __call__(self, z: Array) -> Array:
        turned = z.T
        a, b = self.effective
        both, even, odd = (matmul(*pair) for pair in ((a + b, z), (a, z + turned), (b, z - turned)))
        found = both - odd + (even - both).T
        count, parts, n, _ = self.operators.shape
        if count == 0:
            return found
        rows = [self.operators[:, k].transpose(1, 0, 2).reshape(n * count, n) for k in range(parts)]
        columns = [
            (self.rates[:, None, None] * self.operators[:, k]).transpose(0, 2, 1).reshape(count * n, n)
            for k in range(parts)
        ]
        if parts == 1:
            return found + matmul(matmul(rows[0], z).reshape(n, count * n), columns[0])
        l, k = rows
        first, second = matmul(l, z) + matmul(k, turned), matmul(k, z) - matmul(l, turned)
        return (
            found + matmul(first.reshape(n, count * n), columns[0]) + matmul(second.reshape(n, count * n), columns[1])
        )
