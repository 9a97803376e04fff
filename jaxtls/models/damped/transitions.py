"""Computes transition amplitudes between oscillator levels under squeezing: matrix elements of SU(1,1), for any levels.

For a(t) = u a + v a^dagger, k = |m - n|/2, l = (m + n)/2, y = v/|u|, x = 1/|u|,
    <m|U|n> = e^(-i (m + n + 1) arg(conj u)/2) R_mn,   |R_mn| = sqrt(x (l-k)!/(l+k)!) |P_l^k(x)|,
associated Legendre functions, raised in degree l at fixed order k: the direction in which their recurrence is stable.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .squeezing import Squeezing

# Where the recurrence grows past _BIG it is scaled down and the factor kept as a logarithm.
_BIG = 2.0**24
# Seeds y^k are carried as (y/g)^k g^k with g the size of y, or this where y vanishes.
_LEAST = 1e-6


def elements(squeezing: Squeezing, rows: np.ndarray, columns: np.ndarray) -> Array:
    """Gives <m|U|n> for pairs of levels.

    Arguments:
        squeezing: leaves of any one shape (...).
        rows: levels m, integers of any shape (E...).
        columns: levels n, integers of the same shape.

    Returns:
        (..., E...) complex.

    Example:
        >>> from jaxtls.models.damped.squeezing import damped_squeezing
        >>> s = damped_squeezing(jnp.asarray(1.0), jnp.asarray(1.0), jnp.asarray(2.0))  # s^2 = 4
        >>> p00 = abs(elements(s, np.array(0), np.array(0))) ** 2
        >>> f"{p00 * 5**0.5:.6f}"
        '1.000000'

    Source: K. Husimi, Prog. Theor. Phys. 9, 381 (1953); Blacker & Tilbrook, Eqs. 28 and 31, are n = 0 and 2.
    """
    signed = signed_sizes(squeezing, rows, columns)
    phases = -squeezing.angle[(..., *(None,) * rows.ndim)] * ((rows + columns + 1) / 2)
    return signed * jnp.exp(1j * phases)


@eqx.filter_jit
def column(squeezing: Squeezing, initial: int, n_max: int, phases: bool) -> Array:
    """Gives <m|U|initial> for m = 0..n_max, (..., n_max + 1): with their phases, or the sizes R alone."""
    rows, columns = np.arange(n_max + 1), np.full(n_max + 1, initial)
    return (elements if phases else signed_sizes)(squeezing, rows, columns)


@eqx.filter_jit
def block(squeezing: Squeezing, n_levels: int, phases: bool) -> Array:
    """Gives <m|U|n> for m, n < n_levels, (..., n_levels, n_levels): with their phases, or the sizes R alone."""
    rows, columns = np.meshgrid(np.arange(n_levels), np.arange(n_levels), indexing="ij")
    return (elements if phases else signed_sizes)(squeezing, rows, columns)


def signed_sizes(squeezing: Squeezing, rows: np.ndarray, columns: np.ndarray) -> Array:
    """Gives R_mn, real where `ratio` is real: amplitudes without u's phase. Zero between levels of unlike parity."""
    low, distance = np.minimum(rows, columns), np.abs(rows - columns)
    orders = distance // 2
    table = _legendre(squeezing, int(low.max(initial=0)), int(orders.max(initial=0)))
    found = jnp.moveaxis(table, 0, -2)[..., low, orders]
    # Downwards v is replaced by -conj(v).
    signs = np.where(orders % 2, -1.0, 1.0).astype(found.real.dtype)
    down = jnp.conj(found) * signs.reshape((1,) * (found.ndim - signs.ndim) + signs.shape)
    return jnp.where(distance % 2 == 1, 0.0, jnp.where(rows < columns, down, found))


def _legendre(squeezing: Squeezing, n_steps: int, n_orders: int) -> Array:
    """Give R_(j + 2k, j) for j = 0..n_steps and k = 0..n_orders, (n_steps + 1, ..., n_orders + 1).

    R_(2k, 0) = sqrt(x b_k) y^k, b_k = (2k)!/(4^k k!^2), and along a diagonal m - n = 2k
    sqrt((m+1)(n+1)) R_(m+1, n+1) = (m + n + 1) x R_mn - sqrt(m n) R_(m-1, n-1).
    """
    real, lead = squeezing.log_size.dtype, (1,) * squeezing.ratio.ndim
    k = np.arange(n_orders + 1)
    along = lambda row: jnp.asarray(row, real).reshape(lead + row.shape)
    ratio, log_size = squeezing.ratio[..., None], squeezing.log_size[..., None]
    scale = jax.lax.stop_gradient(jnp.maximum(jnp.abs(ratio), _LEAST))
    # Powers as products: lax.pow has no second derivative at 0.
    factors = jnp.where(along(k) > 0, ratio / scale, 1.0)
    powers = jax.lax.associative_scan(jnp.multiply, factors, axis=factors.ndim - 1)
    binomials = np.sqrt(np.cumprod(np.concatenate([[1.0], (2 * k[1:] - 1) / (2 * k[1:])])))
    now = along(binomials) * powers
    log_scale = -log_size / 2 + along(k) * jnp.log(scale)
    x = jnp.exp(-log_size)

    n = np.arange(n_steps)[:, None]
    m = n + 2 * k
    root = np.sqrt((m + 1.0) * (n + 1.0))
    tables = (jnp.asarray((m + n + 1) / root, real), jnp.asarray(np.sqrt(m * n) / root, real))

    def step(carry, coefficients):
        before, now, log_scale = carry
        up, down = (row.reshape(lead + row.shape) for row in coefficients)
        after = up * x * now - down * before
        large = jnp.abs(after) > _BIG
        shrink = jnp.where(large, 1 / _BIG, 1.0).astype(real)
        following = log_scale + jnp.where(large, math.log(_BIG), 0.0).astype(real)
        carry = (now * shrink, after * shrink, following)
        return carry, carry[1] * jnp.exp(following)

    first = now * jnp.exp(log_scale)
    _, later = jax.lax.scan(step, (jnp.zeros_like(now), now, log_scale), tables)
    return jnp.concatenate([first[None], later])
