"""Inverts the motion between jumps, y -> s y - A y - y A†, approximately: what iterations are preconditioned with.

In the eigenvectors of H the diagonal of A is kept, A_kk = -i E_k - (Gamma_kk)/2: no eigenvectors of a matrix that is
not Hermitian, which no accelerator gives.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from ...numerics import lapack
from ...numerics.products import einsum, matmul

# Damping added to what no jump leaves, as a share of the mean loss.
FLOOR = 0.05
# Share of the losses that turns the eigenvectors of degenerate levels.
TURN = 1e-3


class BetweenJumps(eqx.Module):
    """Holds eigenvectors, (n, n) unitary, and the rates and frequencies at which they decay and turn, (n,) complex."""

    vectors: Array
    values: Array

    @classmethod
    def of(cls, effective: Array) -> BetweenJumps:
        """Finds the eigenvectors and their rates, from A."""
        hamiltonian = 0.5j * (effective - effective.conj().T)
        losses = -(effective + effective.conj().T)
        _, vectors = lapack.eigh(hamiltonian + TURN * losses)
        values = einsum("ik,ij,jk->k", vectors.conj(), effective, vectors)
        mean = jnp.mean(-2 * values.real)
        return cls(vectors, values - 0.5 * FLOOR * jnp.where(mean > 0, mean, 1.0))

    def solve(self, r: Array, s: ArrayLike) -> Array:
        """Solves s y - A y - y A† = r for y."""
        inner = matmul(matmul(self.vectors.conj().T, r), self.vectors)
        inner = inner / (s - self.values[:, None] - self.values.conj()[None, :])
        return matmul(matmul(self.vectors, inner), self.vectors.conj().T)
