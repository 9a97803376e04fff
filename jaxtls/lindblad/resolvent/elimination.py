"""Does block elimination of a block-tridiagonal matrix: inverses by one scan, solutions by two, also of the transpose.

    before_k x_{k-1} + D_k x_k + after_k x_{k+1} = b_k,   S_k = D_k - before_k S_{k-1}^-1 after_{k-1}

One program whatever the number of blocks; under jax.vmap each step works on all lanes at once. The S_k are inverted by
Gauss & Jordan in leaves of at most 30 unknowns, pivoted inside a leaf alone: everything else is a product. LAPACK's
triangular solutions of 32 columns and more start threads, which beside XLA's own are thirty times slower and have been
seen to wait for each other for ever (JAX 0.10.2, two cores). What is lost is regained by the refinement.

Source: G. H. Golub and C. F. Van Loan, Matrix Computations (4th ed.), sections 3.2 and 4.5.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...numerics import lapack
from ...numerics.products import matmul

LEAF = 30


class Elimination(eqx.Module):
    """Holds S_k^-1 (K, P, P), and what stands beside the blocks."""

    inverses: Array
    before: Array
    after: Array

    @classmethod
    def of(cls, blocks: Array) -> Elimination:
        """Eliminates the blocks (K, 3, P, P): what stands before, on and after the diagonal."""
        before, diagonal, after = blocks[:, 0], blocks[:, 1], blocks[:, 2]
        if blocks.shape[0] == 1:
            return cls(inverse(diagonal[0])[None], before[:, :0], after[:, :0])

        def step(carried: Array, entry: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            left, own, right = entry
            found = inverse(own - matmul(left, carried))
            return matmul(found, right), found

        _, inverses = jax.lax.scan(step, jnp.zeros_like(diagonal[0]), (before, diagonal, after))
        return cls(inverses, before, after)

    def solve(self, b: Array, *, transposed: bool = False) -> Array:
        """Solves M x = b for x, or with the transpose of M, both (K, P)."""
        flip = lambda x: jnp.swapaxes(x, 1, 2)
        inverses = flip(self.inverses) if transposed else self.inverses
        if b.shape[0] == 1:
            return matmul(inverses[0], b[0])[None]
        before, after = self.before, self.after
        if transposed:
            # Row k of the transpose holds after_{k-1}^T before its diagonal and before_{k+1}^T behind it.
            before, after = jnp.roll(flip(after), 1, 0), jnp.roll(flip(before), -1, 0)

        def down(last: Array, entry: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            found, left, own = entry
            rest = own - matmul(left, last)
            return matmul(found, rest), rest

        def up(following: Array, entry: tuple[Array, Array, Array]) -> tuple[Array, Array]:
            found, right, rest = entry
            x = matmul(found, rest - matmul(right, following))
            return x, x

        _, rest = jax.lax.scan(down, jnp.zeros_like(b[0]), (inverses, before, b))
        return jax.lax.scan(up, jnp.zeros_like(b[0]), (inverses, after, rest), reverse=True)[1]


def leaf_of(width: int) -> int:
    """Returns the size of the leaves in which a block of so many unknowns is inverted."""
    return -(-width // -(-width // LEAF))


def inverse(matrix: Array) -> Array:
    """Returns the inverse of (P, P), P a multiple of its leaf: block after block replaced in place."""
    size = matrix.shape[0]
    leaf = leaf_of(size)
    if size == leaf:
        return _small(matrix)

    def replace(k: Array, a: Array) -> Array:
        start = k * leaf
        column = jax.lax.dynamic_slice(a, (0, start), (size, leaf))
        row = jax.lax.dynamic_slice(a, (start, 0), (leaf, size))
        pivot = _small(jax.lax.dynamic_slice(column, (start, 0), (leaf, leaf)))
        row = jax.lax.dynamic_update_slice(matmul(pivot, row), pivot, (0, start))
        rest = jax.lax.dynamic_update_slice(a, jnp.zeros_like(column), (0, start)) - matmul(column, row)
        return jax.lax.dynamic_update_slice(rest, row, (start, 0))

    return jax.lax.fori_loop(0, size // leaf, replace, matrix)


def _small(matrix: Array) -> Array:
    return lapack.inv(matrix)
