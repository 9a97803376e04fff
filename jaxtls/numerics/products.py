"""Multiplies matrices in the precision of their type, on any device."""

from __future__ import annotations

import functools
import operator

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from .._platform import platform

# Products ask for full precision themselves (a GPU's default would be TF32); no global flag is touched.
HIGHEST = jax.lax.Precision.HIGHEST
# Sums over so few levels are written out on a GPU: a reduction or a product would end the kernel that XLA fuses there.
FEW = 4


def matmul(a: ArrayLike, b: ArrayLike) -> Array:
    """Multiplies a @ b; devices would else round single precision to fewer bits."""
    return jnp.matmul(a, b, precision=HIGHEST)


def einsum(subscripts: str, *operands: ArrayLike) -> Array:
    """Takes Einstein's sum of the operands."""
    return jnp.einsum(subscripts, *operands, precision=HIGHEST)


def tensordot(a: ArrayLike, b: ArrayLike, axes: int | tuple[tuple[int, ...], tuple[int, ...]]) -> Array:
    """Sums over axes that two arrays share."""
    return jnp.tensordot(a, b, axes, precision=HIGHEST)


def few(n: int) -> bool:
    """Says whether sums over n levels are written out; on a CPU, where a product is no kernel, they are not."""
    return 0 < n <= FEW and platform() != "cpu"


def applied(a: Array, x: Array) -> Array:
    """Multiplies a @ x of (m, n) and (n,); column by column where these are few."""
    n = a.shape[-1]
    if not few(n):
        return matmul(a, x)
    return functools.reduce(operator.add, [a[:, k] * x[k] for k in range(n)])


def total(x: Array) -> Array:
    """Sums over the last axis, term by term where these are few."""
    n = x.shape[-1]
    return functools.reduce(operator.add, [x[..., k] for k in range(n)]) if few(n) else jnp.sum(x, -1)


def length(x: Array) -> Array:
    """Takes the Euclidean norm along the last axis."""
    return jnp.sqrt(total(jnp.abs(x) ** 2)) if few(x.shape[-1]) else jnp.linalg.norm(x, axis=-1)
