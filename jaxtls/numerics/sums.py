"""Sums and counts a hundred numbers or so: on a CPU by products, which XLA takes from a library.

A reduction of more than 32 numbers is three kernels there, and a cumulative sum six, of some 15 ms to compile each.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._platform import platform
from .products import matmul


def count(these: Array) -> Array:
    """Counts how many of booleans (N,) are true.

    Example:
        >>> int(count(jnp.array([True, False, True])))
        2
    """
    if platform() != "cpu":
        return jnp.sum(these)
    # With a second column: a product of vectors would be a reduction again, and equal numbers a kernel to write them.
    return matmul(these.astype(float), np.tile([1.0, 0.0], (these.shape[0], 1)))[0].astype(int)


def weighted(x: Array, weights: Array) -> Array:
    """Sums (..., N) with weights (N,) along the last axis.

    Example:
        >>> weighted(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([1.0, 10.0])).tolist()
        [21.0, 43.0]
    """
    return jnp.sum(x * weights, -1) if platform() != "cpu" else matmul(x, weights)


def tails(x: Array) -> Array:
    """Gives for each of (N,) its sum with all that follow it.

    Example:
        >>> tails(jnp.array([1.0, 2.0, 3.0])).tolist()
        [6.0, 5.0, 3.0]
    """
    if platform() != "cpu":
        return jnp.cumsum(x[::-1])[::-1]
    n = x.shape[0]
    return matmul(np.triu(np.ones((n, n), x.dtype)), x)
