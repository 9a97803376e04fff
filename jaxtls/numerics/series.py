"""Sums polynomials of a linear map by a three-term recurrence, with a reverse of their own.

    y = sum_k w_k U_k,   U_{k+1} = A U_k - r U_{k-1},   U_0 = x,  U_{-1} = 0,   s_k = S U_k

The transpose is the same recurrence of the transposed map, Clenshaw's,
    b_k = w_k c + S^T c_k + A^T b_{k+1} - r b_{k+2},   x-bar = b_0,   w-bar_k = <c, U_k>,
and what A is made of collects the pairs (U_k, b_{k+1}). JAX's transpose of the bounded loop took 22 times the sum
itself (Kerr, 50 levels), this one takes 3 to 5.

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
from .turns import Kept, beyond, grouped

# Turns of a loop between two looks of a GPU's host.
TOGETHER = 8


def beyond_last() -> int:
    """Counts the weights beyond the last one that a loop may read."""
    return 2 + 2 * beyond(TOGETHER)


# Numbers that a linear map is made of, varied and others, x -> its image.
Map = Callable[[PyTree, PyTree, PyTree], PyTree]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def series(
    maps: tuple[Map, Map], varied: PyTree, others: PyTree, ratio: Array, weights: Array, x: PyTree, used: Array
) -> tuple[PyTree, PyTree]:
    """Sums the first `used` terms, with what is seen of each.

    Arguments:
        maps: varied numbers, other numbers, x -> A x; the same for S x; they may close over nothing that is traced.
        varied, others: what both are made of, and what is not differentiated of it.
        ratio: r, not differentiated.
        weights: (K,) w_k.
        x: pytree of arrays.
        used: at most K; the same for all lanes of a vmap.

    Returns:
        y, of the structure of x, and s_k, (K, ...), of use up to `used`.
    """
    apply, look = (functools.partial(m, varied, others) for m in maps)
    return summed(apply, look, ratio, weights, x, used)[:2]


def summed(
    apply: Callable, look: Callable, ratio: Array, weights: Array, x: PyTree, used: Array, spare: int = 0
) -> tuple[PyTree, PyTree, PyTree]:
    """Does what `series` does, by a plain loop, which forward mode takes; also gives the last two terms.

    Two terms a turn: what a turn hands on to the next need not change places, which would be copies. With `spare`, so
    many weights at the end are never used, and those beyond `used` are 0.
    """
    count = weights.shape[0]
    room = count if spare else count + beyond_last()
    if not spare:
        weights = jnp.where(jnp.arange(room) < used, jnp.pad(weights, (0, room - count)), 0)

    def turn(j: Array, carry: tuple, kept: Kept) -> tuple:
        before, now, total, seen = carry
        k = 2 * j + 1
        after = _next(apply(now), ratio, before)
        last = _next(apply(after), ratio, now)
        total = _plus(_plus(total, weights[k], after), weights[k + 1], last)
        return *kept((after, last), (before, now)), total, _put_two(seen, k, look(after), look(last))

    zero, first = jax.tree.map(jnp.zeros_like, x), look(x)
    seen = jax.tree.map(lambda s: jnp.zeros((room, *s.shape), s.dtype).at[0].set(s), first)
    begin = zero, x, _plus(zero, weights[0], x), seen
    before, now, total, seen = grouped(used // 2, turn, begin, TOGETHER)
    return total, seen if room == count else jax.tree.map(lambda s: s[:count], seen), (before, now)


def _plus(total: PyTree, weight: Array, term: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: a + weight * b, total, term)


def _next(applied: PyTree, ratio: Array, before: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: a - ratio * b, applied, before)


def _put(held: PyTree, k: Array, here: PyTree) -> PyTree:
    return jax.tree.map(lambda h, x: jax.lax.dynamic_update_index_in_dim(h, x, k, 0), held, here)


def _put_two(held: PyTree, k: Array, *two: PyTree) -> PyTree:
    put = lambda h, *x: jax.lax.dynamic_update_slice_in_dim(h, jnp.stack(x), k, 0)
    return jax.tree.map(put, held, *two)


def _forwards(maps: tuple[Map, Map], varied: PyTree, *rest: PyTree) -> tuple:
    moving, still = divided(varied)
    moving_weights, _ = divided(rest[2])
    plain = arrays_of(rest)
    found = series(maps, eqx.combine(moving, still), *plain)
    return found, (moving, still, moving_weights, *plain)


def _backwards(maps: tuple[Map, Map], residual: tuple, cts: tuple) -> tuple:
    apply, look = maps
    moving, still, moving_weights, others, ratio, weights, x, used = residual
    (ct, seen), zero = arrays_of(cts), jax.tree.map(jnp.zeros_like, x)
    varied = eqx.combine(moving, still)
    at = lambda held, k: jax.tree.map(lambda h: jax.lax.dynamic_index_in_dim(h, k, keepdims=False), held)

    def store(j: Array, carry: tuple, kept: Kept) -> tuple:
        before, now, held = carry
        after = _next(apply(varied, others, now), ratio, before)
        return *kept((now, after), (before, now)), _put(held, j + 1, after)

    room = weights.shape[0] + beyond(TOGETHER)
    held = jax.tree.map(lambda u: jnp.zeros((room, *u.shape), u.dtype).at[0].set(u), x)
    _, _, held = grouped(used - 1, store, (zero, x, held), TOGETHER)

    def pulled(f: Map, u: PyTree, ct: PyTree) -> tuple[PyTree, PyTree]:
        return jax.vjp(lambda moving, u: f(eqx.combine(moving, still), others, u), moving, u)[1](ct)

    def own(k: Array, u: PyTree) -> tuple[PyTree, PyTree]:
        """Gives what the sum and what is seen of it hand to term k."""
        more, found = pulled(look, u, at(seen, k))
        return more, _plus(found, weights[k], ct)

    def term(j: Array, carry: tuple, kept: Kept) -> tuple:
        later, now, found = carry  # b_{k+2}, b_{k+1}
        k = jnp.maximum(used - 2 - j, 0)
        u = at(held, k)
        of_map, applied = pulled(apply, u, now)
        of_look, given = own(k, u)
        more = jax.tree.map(lambda *a: sum(a[1:], a[0]), found, of_map, of_look)
        return kept((now, jax.tree.map(jnp.add, _next(applied, ratio, later), given), more), carry)

    found, last = own(used - 1, at(held, used - 1))
    _, first, found = grouped(used - 1, term, (zero, last, found), TOGETHER)
    slopes = None
    if moving_weights is not None:
        pairs = zip(jax.tree.leaves(ct), jax.tree.leaves(held))
        slopes = sum((tensordot(h, c, c.ndim) for c, h in pairs), jnp.zeros((), weights.dtype))
        slopes = jnp.where(jnp.arange(weights.shape[0]) < used, slopes[: weights.shape[0]], 0)
    return found, None, None, slopes, first, None


series.defvjp(_forwards, _backwards, symbolic_zeros=True)
