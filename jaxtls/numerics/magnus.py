"""Gives propagators of many small affine equations side by side: Magnus steps of order 6, real numbers, batch last.

    x' = M(t) x + b(t) c,   (x, c)(t + h) = exp(W) (x, c)(t),   A = (M, b) over a row of zeros
    W = a1 + a3/12 + [-20 a1 - a3 + C1, a2 + C2]/240,   C1 = [a1, a2],   C2 = -[a1, 2 a3 + C1]/60
    a1 = h A2,   a2 = sqrt(15)/3 h (A3 - A1),   a3 = 10/3 h (A3 - 2 A2 + A1)

with A1, A2, A3 at the three Gauss points of the step, and c a number that is conserved. W of order 4 is
a1 + a3/12 - C1/12; the difference, and that of the integral of A by Gauss' points and by Kronrod's, is the error.
The row of zeros is not kept: A, W and exp(W) - 1 are (d, d + 1, N). A product of such is one sum over a fused product,
the batch in its fastest index: no call for each matrix. A driven qubit takes .25 ms, by Runge-Kutta steps in a row 3.2.

Source: S. Blanes, F. Casas, J. A. Oteo, J. Ros, Phys. Rep. 470, 151 (2009), Eqs. 253 to 257.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, DTypeLike

from .._platform import platform
from .exponential import taylor
from .products import tensordot

# Of Kronrod's rule, the Gauss points of three with four more: places on [-1, 1] and weights, and Gauss' own weights.
# Those in the middle of gaps weigh nothing: with them, no pulse of a tenth of a step falls between two.
_KRONROD = np.array([0.0, 0.4342437493468026, 0.7745966692414834, 0.9604912687080202])
_PLACES = np.array([_KRONROD[0], _KRONROD[1] / 2, _KRONROD[1], (_KRONROD[1] + _KRONROD[2]) / 2, *_KRONROD[2:]])
_WEIGHTS = np.array([0.4509165386584741, 0.0, 0.4013974147759622, 0.0, 0.2684880898683334, 0.1046562260264673])
_GAUSS = np.array([8 / 9, 0.0, 0.0, 0.0, 5 / 9, 0.0])
# Places of a step at which A is asked for, as shares of it, and those among them that make W.
POINTS = (1 + np.concatenate([-_PLACES[:0:-1], _PLACES])) / 2
CHOSEN = np.array([1, 5, 9])
# What Kronrod's integral over a step has more than Gauss', of which W is made.
BEYOND = np.concatenate([(_WEIGHTS - _GAUSS)[:0:-1], _WEIGHTS - _GAUSS]) / 2
# Squarings in a group that is skipped as a whole, and groups: |W| up to 2^40.
GROUP, GROUPS = 4, 10
# Maps that are chained by doubling; more of them in blocks of so many.
TOGETHER = 128
# Sums of so many terms are written out on a CPU, where XLA makes of a reduction a kernel that waits for threads; on a
# GPU those of so few numbers, as a library call takes half a second to compile.
WRITTEN = 16
FEW = 64


def unknown_one(turn: Array, dtype: DTypeLike) -> Array:
    """Gives the number 1, of which XLA does not know that it is; `turn` counts from 0."""
    return jnp.minimum(turn + 1, 1).astype(dtype)


def ended(x: Array, one: Array) -> Array:
    """Gives x / 1. On a CPU XLA never computes a quotient twice: a kernel ends here.

    Without it each product is computed anew in all that take it, which take each other.
    """
    return x / one if platform() == "cpu" else x


def product(a: Array, b: Array, one: Array | None = None) -> Array:
    """Multiplies (d, d + 1, N) maps whose last row is zero; with `one` in a kernel of its own."""
    if not _written_out(a):
        return jnp.sum(a[:, :-1, None] * b[None], 1)
    found = summed([_column(a, k) * _row(b, k) for k in range(len(a))])
    return found if one is None else ended(found, one)


def followed(first: Array, second: Array, one: Array | None = None) -> Array:
    """Gives exp(W2) exp(W1) - 1 of maps exp(W) - 1."""
    return first + second + product(second, first, one)


def combined(maps: Array, c: Array) -> Array:
    """Sums (G, d, d + 1) maps times (G, N) numbers."""
    if len(maps) > WRITTEN or (platform() != "cpu" and maps.size > FEW):
        return tensordot(maps, c, ((0,), (0,)))
    return summed([m[..., None] * x for m, x in zip(maps, c)])


def exponent(a: Sequence[Array], h: Array, one: Array) -> tuple[Array, Array]:
    """Gives W of one step, (d, d + 1, N), and how an exponent of order 4 would differ, from A at the chosen points."""
    early, middle, late = a
    a1, a2 = ended(h * middle, one), ended(np.sqrt(15) / 3 * h * (late - early), one)
    a3 = ended(10 / 3 * h * (late - 2 * middle + early), one)
    c1 = _commutator(a1, a2, one)
    c2 = -_commutator(a1, ended(2 * a3 + c1, one), one) / 60
    rest = _commutator(ended(-20 * a1 - a3 + c1, one), ended(a2 + c2, one), one) / 240
    return ended(a1 + a3 / 12 + rest, one), rest + c1 / 12


def expm1(w: Array, one: Array) -> Array:
    """Computes exp(W) - 1 of (d, d + 1, N) maps, by as many squarings as the largest needs, of all N at once."""
    norm = jax.lax.stop_gradient(jnp.max(jnp.sum(jnp.abs(w), 0), initial=0.0))
    squarings = jnp.ceil(jnp.log2(jnp.maximum(norm, 1.0))).astype(int)
    squarings = jnp.where(jnp.isfinite(norm), jnp.minimum(squarings, GROUP * GROUPS), 0)
    times = functools.partial(product, one=one)
    small = taylor(ended(w * jnp.exp2(-squarings.astype(w.dtype)), one), times, lambda x: ended(x, one))

    def square(e: Array, k: Array) -> tuple[Array, None]:
        return jnp.where(k < squarings, followed(e, e), e), None

    def group(e: Array, start: Array) -> tuple[Array, None]:
        run = lambda e: jax.lax.scan(square, e, start + jnp.arange(GROUP))[0]
        return jax.lax.cond(eqxi.unvmap_any(start < squarings), run, lambda e: e, e), None

    def squared(e: Array) -> Array:
        # The host of a GPU looks at each group, longer than small maps take to be squared; two loops compile longer.
        if platform() != "cpu":
            return jax.lax.scan(square, e, jnp.arange(GROUP * GROUPS))[0]
        return jax.lax.scan(group, e, jnp.arange(GROUPS) * GROUP)[0]

    return jax.lax.cond(eqxi.unvmap_any(squarings > 0), squared, lambda e: e, small)


def folded(e: Array, parts: int) -> Array:
    """Joins maps exp(W) - 1 of so many neighbours, (d, d + 1, N / parts)."""
    rows = e.reshape(*e.shape[:-1], e.shape[-1] // parts, parts)
    while parts > 1:
        even = parts - parts % 2
        pairs = followed(rows[..., 0:even:2], rows[..., 1:even:2])
        rows = jnp.concatenate([pairs, rows[..., even:]], -1)
        parts = rows.shape[-1]
    return rows[..., 0]


def chained(e: Array) -> Array:
    """Joins maps exp(W_k) - 1, the first k together, k = 1 .. N: (d, d + 1, N).

    By doubling, log2(N) products of all; long chains in blocks.
    """
    count = e.shape[-1]
    if count > TOGETHER:
        blocks = -(-count // TOGETHER)
        padded = jnp.pad(e, ((0, 0), (0, 0), (0, blocks * TOGETHER - count)))
        inside = _doubled(padded.reshape(*e.shape[:2], blocks, TOGETHER))
        before = _shifted(chained(inside[..., -1]), 1)[..., None]
        return followed(before, inside).reshape(padded.shape)[..., :count]
    return _doubled(e)


def _doubled(e: Array) -> Array:
    reach = 1
    while reach < e.shape[-1]:
        e = followed(_shifted(e, reach), e)
        reach *= 2
    return e


def _shifted(e: Array, by: int) -> Array:
    """Put maps so many places later, the identity before them."""
    return jnp.pad(e, ((0, 0),) * (e.ndim - 1) + ((by, 0),))[..., : e.shape[-1]]


def moved(e: Array, x: Array, c: Array) -> Array:
    """Gives x, and where each map takes it: (N + 1, d)."""
    return jnp.concatenate([x[None], x + jnp.sum(e * jnp.append(x, c)[:, None], 1).T])


def summed(terms: Sequence[Array]) -> Array:
    """Sums the terms, written out."""
    return functools.reduce(operator.add, terms)


def _written_out(a: Array) -> bool:
    return platform() == "cpu" and 0 < len(a) <= WRITTEN


def _column(a: Array, k: int) -> Array:
    return jax.lax.slice_in_dim(a, k, k + 1, axis=1)


def _row(a: Array, k: int) -> Array:
    return jax.lax.slice_in_dim(a, k, k + 1, axis=0)


def _commutator(a: Array, b: Array, one: Array) -> Array:
    if not _written_out(a):
        return jnp.sum(a[:, :-1, None] * b[None] - b[:, :-1, None] * a[None], 1)
    return ended(summed([_column(a, k) * _row(b, k) - _column(b, k) * _row(a, k) for k in range(len(a))]), one)
