"""Gives exp(A) - 1 of many small matrices at a time, by a Taylor polynomial and as many squarings as the largest needs.

`jax.scipy.linalg.expm` under vmap runs all of its five Pade orders and all of its squarings for each matrix, since a
`switch` becomes a `select` (52 products where 12 do). Here the order is one, and squarings that no matrix of the batch
needs are skipped. Squaring E = exp(A) - 1 as 2 E + E^2 keeps the relative accuracy of its small entries, which exp(A)
itself would lose in 1 + E: slow rates beside fast ones, and what is conserved.

Source: C. Moler, C. Van Loan, SIAM Rev. 45, 3 (2003), method 3; M. S. Paterson, L. J. Stockmeyer, SIAM J. Comput. 2, 60
(1973).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .products import matmul

# |A|^17/17! is below 3e-15 for |A| <= 1.
ORDER = 16
BLOCK = 4
# Squarings in a group that is skipped as a whole, and groups: |A| up to 2^40.
GROUP = 4
GROUPS = 10


def expm1(matrix: Array) -> Array:
    """Computes exp(A) - 1 for A of shape (n, n), differentiable in both modes; vmap it for batches.

    Example:
        >>> bool(jnp.allclose(expm1(jnp.array([[0.0, 3.0], [0.0, 0.0]])), jnp.array([[0.0, 3.0], [0.0, 0.0]])))
        True
    """
    norm = jax.lax.stop_gradient(jnp.max(jnp.sum(jnp.abs(matrix), 0)))
    squarings = jnp.ceil(jnp.log2(jnp.maximum(norm, 1.0))).astype(int)
    squarings = jnp.where(jnp.isfinite(norm), jnp.minimum(squarings, GROUP * GROUPS), 0)
    scaled = matrix * jnp.exp2(-squarings.astype(matrix.real.dtype))
    small = taylor(scaled, matmul)

    def square(e: Array, k: Array) -> tuple[Array, None]:
        return jnp.where(k < squarings, 2 * e + matmul(e, e), e), None

    def group(e: Array, start: Array) -> tuple[Array, None]:
        run = lambda e: jax.lax.scan(square, e, start + jnp.arange(GROUP))[0]
        return jax.lax.cond(eqxi.unvmap_any(start < squarings), run, lambda e: e, e), None

    return jax.lax.scan(group, small, jnp.arange(GROUPS) * GROUP)[0]


def taylor(a: Array, product: Callable[[Array, Array], Array], factor: Callable[[Array], Array] = lambda x: x) -> Array:
    """Sums a^k/k!, k = 1 .. 16, by six products; `factor` is applied to sums that are factors."""
    powers = [a]
    for _ in range(BLOCK - 1):
        powers.append(product(powers[-1], a))
    weights = [1 / math.factorial(k) for k in range(ORDER + 1)]
    total = weights[ORDER] * powers[-1]
    for start in reversed(range(0, ORDER, BLOCK)):
        terms = [weights[start + k] * powers[k - 1] for k in range(1, BLOCK)]
        total = total + sum(terms[1:], terms[0])
        if start:
            total = product(powers[-1], factor(total)) + weights[start] * powers[-1]
    return total
