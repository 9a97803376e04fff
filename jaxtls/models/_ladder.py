"""Applies ladder operators of an oscillator as shifts: a product with x or p costs one pass, not a matrix product."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, DTypeLike


def roots(n_levels: int, dtype: DTypeLike) -> Array:
    """Gives sqrt(0), sqrt(1), ..., sqrt(n-1), sqrt(n) -> 0: the ladder's elements, closed at the cut-off, (n+1,)."""
    steps = np.sqrt(np.arange(n_levels + 1.0))
    steps[-1] = 0.0
    return jnp.asarray(steps, dtype)


def from_left(rho: Array, lower: Array | float, raise_: Array | float) -> Array:
    """Returns the product (lower a + raise_ a^dagger) rho, for rho of shape (..., n, m)."""
    n = rho.shape[-2]
    r = roots(n, rho.real.dtype)[:, None]
    zero = jnp.zeros_like(rho[..., :1, :])
    up, down = (
        r[1:] * jnp.concatenate([rho[..., 1:, :], zero], -2),
        r[:-1] * jnp.concatenate([zero, rho[..., :-1, :]], -2),
    )
    return lower * up + raise_ * down


def from_right(rho: Array, lower: Array | float, raise_: Array | float) -> Array:
    """Returns rho (lower a + raise_ a^dagger), for rho of shape (..., m, n)."""
    n = rho.shape[-1]
    r = roots(n, rho.real.dtype)
    zero = jnp.zeros_like(rho[..., :1])
    up, down = r[:-1] * jnp.concatenate([zero, rho[..., :-1]], -1), r[1:] * jnp.concatenate([rho[..., 1:], zero], -1)
    return lower * up + raise_ * down


def ladder_means(rho: Array) -> tuple[Array, Array, Array]:
    """Returns Tr a rho, Tr a^2 rho and Tr a^dagger a rho, with the ladder of an oscillator that is not cut."""
    n = rho.shape[-1]
    k = np.arange(n)
    # <k|a rho|k> = sqrt(k+1) rho_(k+1,k)
    first = jnp.sum(np.sqrt(k[1:]).astype(rho.real.dtype) * jnp.diagonal(rho, -1, -2, -1), -1)
    second = jnp.sum(np.sqrt(k[2:] * (k[2:] - 1.0)).astype(rho.real.dtype) * jnp.diagonal(rho, -2, -2, -1), -1)
    return first, second, jnp.sum(k.astype(rho.real.dtype) * jnp.diagonal(rho, 0, -2, -1).real, -1)
