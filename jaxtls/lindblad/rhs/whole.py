"""Keeps a state as it is where no structure pays: the (n, n) matrix, moved by dense products of real matrices.

Within a macro step a state is z (n, 2, n): row, (Re, Im), column, so that a real matrix acts on both parts by one
product. Products of complex matrices run at a quarter of the rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...numerics.products import einsum, matmul
from ..lindbladian import Lindbladian


class WholeMatrix(eqx.Module):
    """Wears the face of `BlockPlan` on the matrix as it is."""

    n: int = eqx.field(static=True)

    @property
    def layout(self) -> str:
        return "dense"

    def pack(self, rho: Any) -> Any:
        return rho

    def left_out(self, rho: Any) -> float:
        return 0.0

    def unpack(self, z: Array) -> Array:
        return z

    def split(self, z: Array) -> Array:
        return jnp.stack([z.real, z.imag], 1)

    def joined(self, z: Array) -> Array:
        return jax.lax.complex(z[:, 0], z[:, 1])

    def conjugated(self, z: Array) -> Array:
        return z.conj().T

    def hermitian_part(self, z: Array) -> Array:
        return (z + self.conjugated(z)) / 2

    def operators(self, ops: Any) -> Any:
        return ops.swapaxes(1, 2)

    def rows(self, weights: Array) -> Array:
        real, imag = weights.real, weights.imag
        return jnp.concatenate([jnp.stack([real, -imag], 2), jnp.stack([imag, real], 2)])

    def field(self, model: Lindbladian, *, hermitian: bool) -> WholeField:
        return WholeField(model, hermitian, self.field_type)

    @property
    def field_type(self) -> type[DenseField]:
        """Gives the type of the right-hand side on this form."""
        return DenseField


class WholeField(eqx.Module):
    """Maps by L on (n, 2, n), once its constants are made."""

    model: Lindbladian
    hermitian: bool = eqx.field(static=True)
    kind: type[DenseField] = eqx.field(static=True)

    def ready(self) -> Callable[[Array], Array]:
        model = jax.tree.map(jnp.asarray, self.model)
        rates = model.rates[: model.jumps.count]
        operators = model.jumps.dense()
        loss = einsum("k,kji,kjl->il", rates, operators.conj(), operators)
        effective = -1j * model.hamiltonian(0.0) - 0.5 * loss
        left = jnp.stack([effective.real, effective.imag])
        real = model.jumps.skeleton.is_real
        first = operators.real[:, None] if real else jnp.stack([operators.real, operators.imag], 1)
        return self.kind(left, first, rates, self.hermitian)


class DenseField(eqx.Module):
    """Gives A z + z A† + sum_k r_k L_k z L_k†."""

    effective: Array  # (2, n, n): real and imaginary part
    operators: Array  # (K, 1 or 2, n, n)
    rates: Array
    hermitian: bool = eqx.field(static=True)

    def __call__(self, z: Array) -> Array:
        half = self._left(z) + self._jumps(z) / 2
        other = half if self.hermitian else self._left(_conjugated(z)) + self._jumps(_conjugated(z)) / 2
        return half + _conjugated(other)

    def _left(self, z: Array) -> Array:
        n = z.shape[0]
        found = matmul(self.effective.reshape(2 * n, n), z.reshape(n, 2 * n))
        found = found.reshape(2, n, 2, n)
        return found[0] + _turned(found[1])

    def _jumps(self, z: Array) -> Array:
        count, parts, n, _ = self.operators.shape
        if count == 0:
            return jnp.zeros_like(z)
        rows = self.operators.transpose(2, 0, 1, 3).reshape(n, count * parts, n)
        moved = matmul(rows.reshape(-1, n), z.reshape(n, 2 * n))
        moved = moved.reshape(n, count, parts, 2, n).transpose(0, 3, 1, 2, 4)  # row, part of z, jump, part of L, column
        if parts == 2:
            # (Lr + i Li) z
            real = moved[:, 0, :, 0] - moved[:, 1, :, 1]
            moved = jnp.stack([real, moved[:, 1, :, 0] + moved[:, 0, :, 1]], 1)[:, :, :, None]
        # L_k† from the right, with its rate: row, part, (jump, column).
        mirror = self.rates[:, None, None, None] * self.operators  # k, part, l, j
        mirror = mirror.transpose(1, 0, 3, 2).reshape(parts, count * n, n)
        flat = moved.reshape(2 * n, count * n)
        found = [matmul(flat, part).reshape(n, 2, n) for part in mirror]
        # times (Lr - i Li)^T
        return found[0] if parts == 1 else found[0] - _turned(found[1])


def _turned(z: Array) -> Array:
    """Multiply z by i."""
    return jnp.stack([-z[:, 1], z[:, 0]], 1)


def _conjugated(z: Array) -> Array:
    """Return z of the Hermitian conjugate."""
    flipped = jnp.swapaxes(z, 0, 2)
    return jnp.stack([flipped[:, 0], -flipped[:, 1]], 1)
