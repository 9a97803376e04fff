"""Gives the discrete variable representation of the oscillator: the points on which functions of x are diagonal.

Hermite nodes xi_i and the orthogonal matrix that takes Fock amplitudes to amplitudes on the nodes,
    V[i, k] = sqrt(w_i) phi_k(xi_i),
for the oscillator of unit mass, frequency and hbar (x = xi / sqrt(M omega) otherwise). Both depend on the size alone,
so they are NumPy constants and no eigenproblem is ever differentiated.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=64)
def hermite_dvr(n_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives nodes (n,) and the transform V (n, n) from the first n Fock states, V @ V.T = 1.

    Example:
        >>> nodes, V = hermite_dvr(4)
        >>> bool(np.allclose(V.T @ np.diag(nodes**2) @ V, np.linalg.matrix_power(V.T @ np.diag(nodes) @ V, 2)))
        True

    Source: J. C. Light, I. P. Hamilton, J. V. Lill, J. Chem. Phys. 82, 1400 (1985).
    """
    x = np.diag(np.sqrt(np.arange(1, n_levels) / 2), 1)
    nodes, vectors = np.linalg.eigh(x + x.T)
    # eigh's signs are arbitrary. phi_(n-1) alternates in sign from node to node and is nowhere tiny (phi_0 is, at the
    # outer nodes).
    alternating = (-1.0) ** np.arange(n_levels - 1, -1, -1)
    vectors = vectors * np.sign(vectors[-1]) * alternating
    nodes = (nodes - nodes[::-1]) / 2
    return nodes, vectors.T.copy()


@lru_cache(maxsize=64)
def parity_dvr(n_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives nodes xi >= 0 (h,) and transforms (2, h, h) from the even and the odd Fock states, h = ceil(n/2).

    Operators that depend on x^2 alone act on both parities as the same diagonal. For odd n the node 0 has no odd
    partner: the last row and column of the odd transform are zero there, an empty level.
    """
    nodes, v = hermite_dvr(n_levels)
    half = (n_levels + 1) // 2
    first = n_levels - half
    transforms = np.zeros((2, half, half))
    kept = v[first:] * np.sqrt(2)
    if n_levels % 2:
        kept[0] /= np.sqrt(2)
    transforms[0] = kept[:, 0::2]
    odd = kept[:, 1::2]
    if n_levels % 2:
        # Node 0 comes first; the empty level is the last column.
        transforms[1, 1:, : odd.shape[1]] = odd[1:]
    else:
        transforms[1] = odd
    return nodes[first:], transforms
