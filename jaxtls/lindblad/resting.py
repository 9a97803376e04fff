"""Gives what is said of an equation whose steady state is not found: several of them, or no convergence."""

from __future__ import annotations

import numpy as np

from .generator import AbstractGenerator

SEVERAL = (
    "steady_state found no unique steady state: the equation has several, or one that it approaches more slowly than "
    "the precision can tell. A conserved quantity (an operator Q with L†Q = 0: a parity, a number, an idle level or "
    "subsystem) splits the states. Give rho0, the state to start from; keep one of its sectors; or add the jump that "
    "breaks it."
)
UNCONVERGED = (
    "steady_state did not converge: the residual stays too large. This says nothing of how many steady states there "
    'are. Use method="direct" if its factors fit into memory, or x64 precision.'
)
# Levels up to which conserved quantities are looked for.
DESCRIBED = 12


def describe(model: AbstractGenerator) -> str:
    """Says how many steady states a small equation has, and where its conserved quantities live."""
    n = model.n
    if n > DESCRIBED:
        return ""
    # Rows of the transpose are L applied to one element: its right null vectors are the transposes of the Q.
    matrix = np.asarray(model.matrix()).T
    _, sizes, rows = np.linalg.svd(matrix)
    null = rows[sizes <= 1e3 * n * np.finfo(matrix.dtype).eps * max(sizes[0], 1e-300)]
    if len(null) < 2:
        return ""
    weight = np.abs(null.reshape(-1, n, n)).sum(0)
    levels = ", ".join(f"{value:.2f}" for value in np.diagonal(weight))
    return f" Here {len(null)} states are steady; weight of the levels in the conserved quantities: {levels}."
