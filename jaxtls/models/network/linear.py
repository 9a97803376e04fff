"""Steady states solve linear systems that must not be singular: solve, and measure whether the answer was unique."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...numerics import lapack


def solve_probed(matrix: Array, right: Array) -> tuple[Array, Array]:
    """Gives matrix^-1 right, and an estimate of the condition number.

    One more right-hand side, fixed and without symmetry, meets any null direction.

    Example:
        >>> x, condition = solve_probed(jnp.array([[2.0, 0.0], [0.0, 4.0]]), jnp.array([2.0, 2.0]))
        >>> print(x, bool(condition < 10))
        [1.  0.5] True
    """
    probe = np.random.default_rng(0).standard_normal(right.shape[0])
    answers = lapack.solve(matrix, jnp.stack([right, jnp.asarray(probe, right.dtype)], axis=1))
    return answers[:, 0], jnp.max(jnp.abs(answers[:, 1])) * jnp.max(jnp.abs(matrix))


@jax.jit
def singular(condition: Array) -> Array:
    """Says whether rounding leaves no digit of the answer (or it is not a number)."""
    return ~(condition < 0.01 / jnp.finfo(condition.dtype).eps)
