"""Gives the layout of a TLS (x) oscillator state that Eq. 35 moves fastest: parity chains of real numbers.

The equation conserves the parity sx (-1)^n weakly. In the sector p = 0 (1) the TLS is up on even (odd) levels, so that
level n alone names a basis state and H is a tridiagonal n x n matrix,

    (H_p)_nn = W n + h s_p(n),   (H_p)_(n,n+1) = g sqrt(n+1),   s_p(n) = (-1)^(n+p).

The jumps s+- lead from (n, m) of the block (p, q) to (n, m) of the block (1-p, 1-q). States that start without
coherence between the sectors keep the blocks (0, 0) and (1, 1) alone: shape (2, n, n); others need (2, 2, n, n).

A Hermitian rho = S + iK, S symmetric and K antisymmetric, is kept as the real F = S + K. For a real H,

    -i[H, rho]  becomes  dF/dt = -[H, F^T],

and real jumps act on F as on rho. So F holds a Hermitian state by construction: no anti-Hermitian round-off can grow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ...numerics import hermitian
from .._ladder import roots


def signs(n_levels: int) -> np.ndarray:
    """Gives s_p(n), (2, n): +1 where the TLS is up."""
    return (-1.0) ** (np.arange(n_levels) + np.arange(2)[:, None])


def transposed(y: Array) -> Array:
    """Gives F^T: blocks (p, q) and levels (n, m) exchanged."""
    return jnp.swapaxes(y, -1, -2) if y.ndim == 3 else jnp.transpose(y, (1, 0, 3, 2))


def flipped(y: Array) -> Array:
    """Puts each block (p, q) in the place of (1-p, 1-q): where a jump of the TLS leads."""
    return y[::-1] if y.ndim == 3 else y[::-1, ::-1]


def rows_and_columns(values: Array | np.ndarray, ndim: int) -> tuple[Any, Any]:
    """Spreads a quantity of (sector, level), (2, n), as it multiplies the rows and the columns of F."""
    if ndim == 3:
        return values[:, :, None], values[:, None, :]
    return values[:, None, :, None], values[None, :, None, :]


def generator(
    y0: Array, omega: Array, h: Array, coupling: Array, gamma: Array, n_bar: Array
) -> Callable[[Any, Array, Any], Array]:
    """Gives the right-hand side of Eq. 35 for states of y0's shape, one stencil."""
    n, dtype = y0.shape[-1], y0.dtype
    up = signs(n) > 0
    energies = (omega * np.arange(n) + h * signs(n)).astype(dtype)
    left, right = rows_and_columns(energies, y0.ndim)
    # Columns less rows: the commutator -[H, G] = G H - H G.
    gaps = right - left
    downwards, upwards = gamma * (n_bar + 1), gamma * n_bar
    out = jnp.where(up, downwards, upwards).astype(dtype)
    out_left, out_right = rows_and_columns(out, y0.ndim)
    loss = (out_left + out_right) / 2
    up_left, up_right = rows_and_columns(up, y0.ndim)
    gain = jnp.where(up_left & up_right, upwards, jnp.where(~up_left & ~up_right, downwards, 0.0)).astype(dtype)
    step = coupling.astype(dtype) * roots(n, dtype)
    low, high = step[:-1], step[1:]
    padding = [(0, 0)] * (y0.ndim - 2) + [(1, 1), (1, 1)]

    def field(t: ArrayLike, y: Array, args: PyTree = None) -> Array:
        g = jnp.pad(transposed(y), padding)
        centre = g[..., 1:-1, 1:-1]
        hop = low * g[..., 1:-1, :-2] + high * g[..., 1:-1, 2:]
        hop = hop - low[:, None] * g[..., :-2, 1:-1] - high[:, None] * g[..., 2:, 1:-1]
        return gaps * centre + hop + gain * flipped(y) - loss * y

    return field


def places(n_levels: int) -> np.ndarray:
    """Gives the index of the TLS state (0 up, 1 down) at (sector, level), (2, n)."""
    return (np.arange(n_levels) + np.arange(2)[:, None]) % 2


@jax.jit
def pack(rho: Array) -> Array:
    """Packs a density matrix (2, n, 2, n), TLS first, as (2, 2, n, n) real numbers."""
    n = rho.shape[1]
    tls, level = places(n), np.arange(n)
    real = hermitian.pack(rho)
    return real[tls[:, None, :, None], level[:, None], tls[None, :, None, :], level[None, :]]


@jax.jit
def unpack(y: Array) -> Array:
    """Undoes `pack`, from either shape: (2, n, 2, n) complex."""
    if y.ndim == 3:
        zero = jnp.zeros_like(y[0])
        y = jnp.stack([jnp.stack([y[0], zero]), jnp.stack([zero, y[1]])])
    blocks = hermitian.unpack(y, transposed(y))
    n = y.shape[-1]
    tls, level = places(n), np.arange(n)
    full = jnp.zeros((2, n, 2, n), blocks.dtype)
    return full.at[tls[:, None, :, None], level[:, None], tls[None, :, None, :], level[None, :]].set(blocks)
