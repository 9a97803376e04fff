"""Sums of polynomials of a linear map by a three-term recurrence, with a reverse of their own.

    y = sum_k w_k U_k,   U_{k+1} = A U_k - r U_{k-1},   U_0 = x,  U_{-1} = 0

The transpose is the same recurrence of the transposed map, Clenshaw's,
    b_k = w_k c + A^T b_{k+1} - r b_{k+2},   x-bar = b_0,   w-bar_k = <c, U_k>,
and what A is made of collects the pairs (U_k, b_{k+1}).

Source: C. W. Clenshaw, Math. Tables Aids Comput. 9, 118 (1955).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .perturbed import arrays_of, divided
from .products import tensordot

# Numbers that A is made of, x -> A x.
Map = Callable[[PyTree, PyTree, PyTree], PyTree]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def series(apply: Map, varied: PyTree, others: PyTree, ratio: Array, weights: Array, x: PyTree, used: Array) -> PyTree:
    """The sum of the first `used` terms.

    Arguments:
        apply: varied numbers, other numbers, x -> A x; it may close over nothing that is traced.
        varied, others: what A is made of, and what is not differentiated of it.
        ratio: r, not differentiated.
        weights: (K,) w_k.
        x: pytree of arrays.
        used: at most K; the same for all lanes of a vmap.

    Returns:
        y, of the structure of x.
    """

    def term(k: Array, carry: tuple) -> tuple:
        before, now, total = carry
        after = _next(apply(varied, others, now), ratio, before)
        return now, after, _plus(total, weights[k], after)

    zero = jax.tree.map(jnp.zeros_like, x)
    return jax.lax.fori_loop(1, used, term, (zero, x, _plus(zero, weights[0], x)))[2]


def _plus(total: PyTree, weight: Array, term: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: a + weight * b, total, term)


def _next(applied: PyTree, ratio: Array, before: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: a - ratio * b, applied, before)


def _forwards(apply: Map, varied: PyTree, *rest: PyTree) -> tuple:
    moving, still = divided(varied)
    moving_weights, _ = divided(rest[2])
    plain = arrays_of(rest)
    found = series(apply, eqx.combine(moving, still), *plain)
    return found, (moving, still, moving_weights, *plain)


def _backwards(apply: Map, residual: tuple, ct: PyTree) -> tuple:
    moving, still, moving_weights, others, ratio, weights, x, used = residual
    ct, zero = arrays_of(ct), jax.tree.map(jnp.zeros_like, x)
    whole = lambda moving: eqx.combine(moving, still)

    def store(k: Array, carry: tuple) -> tuple:
        before, now, held = carry
        after = _next(apply(whole(moving), others, now), ratio, before)
        kept = jax.tree.map(lambda h, u: jax.lax.dynamic_update_index_in_dim(h, u, k, 0), held, after)
        return now, after, kept

    held = jax.tree.map(lambda u: jnp.zeros((weights.shape[0], *u.shape), u.dtype).at[0].set(u), x)
    _, _, held = jax.lax.fori_loop(1, used - 1, store, (zero, x, held))

    def term(j: Array, carry: tuple) -> tuple:
        later, now, found = carry  # b_{k+2}, b_{k+1}
        k = used - 2 - j
        u = jax.tree.map(lambda h: jax.lax.dynamic_index_in_dim(h, k, keepdims=False), held)
        more, applied = jax.vjp(lambda moving, u: apply(whole(moving), others, u), moving, u)[1](now)
        found = jax.tree.map(jnp.add, found, more)
        return now, _plus(_next(applied, ratio, later), weights[k], ct), found

    last = jax.tree.map(lambda c: weights[used - 1] * c, ct)
    _, first, found = jax.lax.fori_loop(0, used - 1, term, (zero, last, jax.tree.map(jnp.zeros_like, moving)))
    slopes = None
    if moving_weights is not None:
        pairs = zip(jax.tree.leaves(ct), jax.tree.leaves(held))
        slopes = sum((tensordot(h, c, c.ndim) for c, h in pairs), jnp.zeros((), weights.dtype))
        slopes = slopes.at[used - 1].set(_dot(ct, apply, whole(moving), others, held, ratio, used))
    return found, None, None, slopes, first, None


def _dot(ct: PyTree, apply: Map, varied: PyTree, others: PyTree, held: PyTree, ratio: Array, used: Array) -> Array:
    """<c, U_{used - 1}>, the term that is not kept."""
    at = lambda k: jax.tree.map(lambda h: h[k], held)
    before = jax.tree.map(lambda h: jnp.where(used > 2, h, 0), at(jnp.maximum(used - 3, 0)))
    last = _next(apply(varied, others, at(jnp.maximum(used - 2, 0))), ratio, before)
    last = jax.tree.map(lambda a, b: jnp.where(used > 1, a, b), last, at(0))
    pairs = zip(jax.tree.leaves(ct), jax.tree.leaves(last))
    return sum((jnp.sum(c * u) for c, u in pairs), jnp.zeros((), ratio.dtype))


series.defvjp(_forwards, _backwards, symbolic_zeros=True)
