"""Propagators of many small linear equations side by side: Magnus steps of order 6, real matrices, the batch last.

    y' = A(t) y,   y(t + h) = exp(W) y(t)
    W = a1 + a3/12 + [-20 a1 - a3 + C1, a2 + C2]/240,   C1 = [a1, a2],   C2 = -[a1, 2 a3 + C1]/60
    a1 = h A2,   a2 = sqrt(15)/3 h (A3 - A1),   a3 = 10/3 h (A3 - 2 A2 + A1)

with A1, A2, A3 at the three Gauss points of the step. W of order 4 is a1 + a3/12 - C1/12; the difference, and that of
the integral of A by Gauss' points and by Kronrod's, is the error.
A product of small matrices is one sum over a fused product, the batch in its fastest index: no call for each matrix.

Source: S. Blanes, F. Casas, J. A. Oteo, J. Ros, Phys. Rep. 470, 151 (2009), Eqs. 253 to 257.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .exponential import taylor

# Of Kronrod's rule, the Gauss points of three with four more: places on [-1, 1] and weights, and Gauss' own weights.
_PLACES = np.array([0.0, 0.4342437493468026, 0.7745966692414834, 0.9604912687080202])
_WEIGHTS = np.array([0.4509165386584741, 0.4013974147759622, 0.2684880898683334, 0.1046562260264673])
_GAUSS = np.array([8 / 9, 0.0, 5 / 9, 0.0])
# Places of a step at which A is asked for, as shares of it, and those among them that make W.
POINTS = (1 + np.concatenate([-_PLACES[:0:-1], _PLACES])) / 2
CHOSEN = np.array([1, 3, 5])
# What Kronrod's integral over a step has more than Gauss', of which W is made.
BEYOND = np.concatenate([(_WEIGHTS - _GAUSS)[:0:-1], _WEIGHTS - _GAUSS]) / 2
# Squarings in a group that is skipped as a whole, and groups: |W| up to 2^40.
GROUP, GROUPS = 4, 10


def product(a: Array, b: Array) -> Array:
    """Products of (d, d, N) matrices."""
    return jnp.sum(a[:, :, None] * b[None], 1)


def exponent(a: Sequence[Array], h: Array) -> tuple[Array, Array]:
    """W of one step, (d, d, N), and what an exponent of order 4 would differ by, from A at the chosen points."""
    early, middle, late = a
    a1, a2 = h * middle, np.sqrt(15) / 3 * h * (late - early)
    a3 = 10 / 3 * h * (late - 2 * middle + early)
    c1 = _commutator(a1, a2)
    c2 = -_commutator(a1, 2 * a3 + c1) / 60
    rest = _commutator(-20 * a1 - a3 + c1, a2 + c2) / 240
    return a1 + a3 / 12 + rest, rest + c1 / 12


def exponential(w: Array) -> Array:
    """exp of (d, d, N) matrices."""
    norm = jax.lax.stop_gradient(jnp.max(jnp.sum(jnp.abs(w), 0), 0))
    squarings = jnp.ceil(jnp.log2(jnp.maximum(norm, 1.0))).astype(int)
    squarings = jnp.where(jnp.isfinite(norm), jnp.minimum(squarings, GROUP * GROUPS), 0)
    eye = jnp.eye(w.shape[0], dtype=w.dtype)[..., None]
    small = taylor(w * jnp.exp2(-squarings.astype(w.dtype)), product, eye)

    def square(e: Array, k: Array) -> tuple[Array, None]:
        return jnp.where(k < squarings, 2 * e + product(e, e), e), None

    def group(e: Array, start: Array) -> tuple[Array, None]:
        run = lambda e: jax.lax.scan(square, e, start + jnp.arange(GROUP))[0]
        return jax.lax.cond(eqxi.unvmap_any(start < squarings), run, lambda e: e, e), None

    wanted = eqxi.unvmap_any(squarings > 0)
    squared = lambda e: jax.lax.scan(group, e, jnp.arange(GROUPS) * GROUP)[0]
    return eye + jax.lax.cond(wanted, squared, lambda e: e, small)


def chained(u: Array, x: Array) -> Array:
    """x, u_1 x, u_2 u_1 x, ... for (d, d, N) propagators: (N + 1, d), by some 2 sqrt(N) products in a row."""
    count = u.shape[-1]
    length = max(1, int(np.ceil(np.sqrt(count))))
    blocks = -(-count // length)
    eye = jnp.broadcast_to(jnp.eye(u.shape[0], dtype=u.dtype)[..., None], (*u.shape[:2], length * blocks - count))
    # Block k holds `length` propagators in a row; the blocks stand side by side.
    rows = jnp.concatenate([u, eye], -1).reshape(*u.shape[:2], blocks, length)

    def along(p: Array, row: Array) -> tuple[Array, Array]:
        p = product(row, p)
        return p, p

    first = jnp.broadcast_to(jnp.eye(u.shape[0], dtype=u.dtype)[..., None], (*u.shape[:2], blocks))
    last, partial = jax.lax.scan(along, first, jnp.moveaxis(rows, -1, 0))
    move = lambda x, p: (jnp.sum(p * x, 1), x)
    _, starts = jax.lax.scan(move, x, jnp.moveaxis(last, -1, 0))
    found = jnp.sum(partial * starts.T, 2)  # length, d, blocks
    found = jnp.moveaxis(found, -1, 0).reshape(length * blocks, -1)[:count]
    return jnp.concatenate([x[None], found])


def _commutator(a: Array, b: Array) -> Array:
    return jnp.sum(a[:, :, None] * b[None] - b[:, :, None] * a[None], 1)
