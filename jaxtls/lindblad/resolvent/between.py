"""The motion between jumps, y -> s y - A y - y A†, inverted approximately: what iterations are preconditioned with.

In the eigenvectors of H the diagonal of A is kept, A_kk = -i E_k - (Gamma_kk)/2: no eigenvectors of a matrix that is
not Hermitian, which no accelerator gives. Of a generator that is not a `Lindbladian` A is found by probing it.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ...numerics.products import HIGHEST
from ..generator import AbstractGenerator
from ..lindbladian import Lindbladian

# Damping added to what no jump leaves, as a share of the mean loss.
FLOOR = 0.05
# Share of the losses that turns the eigenvectors of degenerate levels.
TURN = 1e-3
PROBES = 4


class BetweenJumps(eqx.Module):
    """Eigenvectors, (n, n) unitary, and the rates and frequencies at which they decay and turn, (n,) complex."""

    vectors: Array
    values: Array

    @classmethod
    def of(cls, effective: Array) -> BetweenJumps:
        """From A."""
        hamiltonian = 0.5j * (effective - effective.conj().T)
        losses = -(effective + effective.conj().T)
        _, vectors = jnp.linalg.eigh(hamiltonian + TURN * losses)
        values = jnp.einsum("ik,ij,jk->k", vectors.conj(), effective, vectors, precision=HIGHEST)
        mean = jnp.mean(-2 * values.real)
        return cls(vectors, values - 0.5 * FLOOR * jnp.where(mean > 0, mean, 1.0))

    def solve(self, r: Array, s: ArrayLike) -> Array:
        """y with s y - A y - y A† = r."""
        product = lambda a, b: jnp.matmul(a, b, precision=HIGHEST)
        inner = product(product(self.vectors.conj().T, r), self.vectors)
        inner = inner / (s - self.values[:, None] - self.values.conj()[None, :])
        return product(product(self.vectors, inner), self.vectors.conj().T)


def effective(generator: AbstractGenerator) -> Array:
    """A of the part A y + y A† of a constant generator, (n, n)."""
    one = jnp.eye(generator.n, dtype=generator.dtype)
    return generator.ket_generator()(0.0, one) if isinstance(generator, Lindbladian) else _probed(generator, one)


def _probed(generator: AbstractGenerator, one: Array) -> Array:
    """sum_j <k| L(|i><j|) |j> = n A_ki + (Tr A)* delta_ki + what jumps leave behind; the sum by random signs."""
    n, field = generator.n, generator.generator()
    signs = jnp.asarray(np.random.default_rng(0).choice([-1.0, 1.0], (PROBES, n)), one.dtype)
    seen = lambda v: jax.lax.map(lambda ket: jnp.matmul(field(0.0, jnp.outer(ket, v), None), v, precision=HIGHEST), one)
    found = jnp.mean(jax.vmap(seen)(signs), 0).T / n
    return found - 0.5 * jnp.trace(found).conj() / n * one
