"""Treats three-body couplings T = a_i a_j^dagger a_k + h.c.: what local baths and noise take of their energy.

D is the dissipator in the Heisenberg picture. A local bath of site n in T: D(T) = -g_n T/2, as of any product with one
a_n. Noise between two sites hops where one of them is excited (P = 1 there, else 0): D(T) = -(P T + T P)/2.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...numerics.products import matmul

Triples = tuple[tuple[int, int, int], ...]


def of_sites(n: int, triples: Triples, values: Array) -> Array:
    """Gives the sum of the couplings' values at each of their sites, (N,)."""
    where = np.zeros((n, len(triples)))
    for column, sites in enumerate(triples):
        where[list(sites), column] = 1.0
    return matmul(jnp.asarray(where, values.dtype), values)


def dephasing(noise: Array, triples: Triples) -> Array:
    """Gives the rate at which the noise Y takes each coupling, (K,).

    With one site outside, one of the two is excited before T or after it: Y/2. Of i and j, or of j and k, one is
    before and after: Y. Of i and k both are, or none: 0.
    """
    found = []
    for i, j, k in triples:
        inside = np.isin(np.arange(noise.shape[0]), (i, j, k))
        outwards = jnp.sum(jnp.where(inside[:, None] & ~inside[None, :], noise, 0.0)) / 2
        found.append(outwards + noise[i, j] + noise[j, k])
    return jnp.stack(found) if found else jnp.zeros(0, noise.dtype)
