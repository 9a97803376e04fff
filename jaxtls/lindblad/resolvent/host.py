"""Finds the state at rest from the whole matrix of M, by LAPACK on the host: the last resort for known numbers."""

from __future__ import annotations

import numpy as np
import scipy.linalg

REFINEMENTS = 2


def at_rest(matrix: np.ndarray, n: int, scale: float) -> tuple[np.ndarray, float]:
    """Finds the packed elements of rho from the matrix of -L on them; the smallest singular value of M over `scale`."""
    # In double precision whatever the model's, as the sparse factors are.
    weights, matrix = np.eye(n).reshape(-1), np.asarray(matrix, float)
    system = matrix + scale / n * np.outer(weights, weights)
    factors = scipy.linalg.lu_factor(system, check_finite=False)
    solve = lambda b, trans=0: scipy.linalg.lu_solve(factors, b, trans=trans, check_finite=False)
    b = scale / n * weights
    x = solve(b)
    for _ in range(REFINEMENTS):
        x = x + solve(b - system @ x)
    vector, growth = np.random.default_rng(0).normal(size=n * n), 0.0
    for _ in range(3):
        vector = solve(solve(vector / np.linalg.norm(vector)), 1)
        growth = float(np.linalg.norm(vector))
    return x, 1 / (growth**0.5 * scale) if np.isfinite(growth) else 0.0
