r"""Inverts Laplace transforms of functions whose singularities fill a horizontal strip: a contour a window of times.

    f(t) = (1/2 pi i) int F(s) e^{st} ds,    singularities of F in  Re s <= 0, |Im s| <= H

The path passes the strip's end at a distance and then opens to the left, where e^{st} is small:

    s(u) t_w = ETA + i u - A [e^{(u - l)/BETA - i THETA} + e^{-(u + l)/BETA + i THETA}],   l = H t_w + OFFSET

For H = 0 it is a hyperbola, for large H t_w a line with two legs. The trapezoidal rule in u converges exponentially: 61
nodes and 2 H t_w/STEP more serve all times of a window t_w/RATIO <= t <= t_w to 3e-13, however far to the left the
singularities lie (stiffness costs nothing). Along the path |e^{st}| <= e^ETA, which amplifies rounding.

Sources: J. A. C. Weideman, SIAM J. Numer. Anal. 44, 2342 (2006); L. N. Trefethen, J. A. C. Weideman & T. Schmelzer,
BIT 46, 653 (2006). The numbers below were found by a search against dense matrix exponentials.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import is_traced
from ...numerics.products import matmul
from .chunks import SUMS

Policy = Callable[..., bool] | None  # of jax.checkpoint
RATIO = 8.0  # longest over shortest time of a window
WINDOWS = 24  # 8^24: shorter times share the last window
NODES = 64  # evaluated at once
MOST_BLOCKS = 4096  # of NODES, where their number is not known before the run
INNER = 64


class Shape(NamedTuple):
    """Holds the path's numbers, in units of 1/t_w."""

    eta: float
    a: float
    beta: float
    theta: float
    step: float
    offset: float
    cut: float  # e^-cut is left of e^{st} at the ends of the legs, for the shortest time of a window


DOUBLE = Shape(7.01, 9.77, 6.27, 0.21, 1.17, 13.86, 32.0)
SINGLE = Shape(3.5, 4.88, 3.13, 0.21, 1.17, 6.93, 16.0)  # e^7 would cost half the digits


class Windows(NamedTuple):
    """Says which window each time is in; of each window its longest time, l, and where its nodes end in the list."""

    of_time: Array
    longest: Array
    edges: Array
    ends: Array


def shape_for(dtype: np.dtype) -> Shape:
    """Gives the path for a precision."""
    return DOUBLE if jnp.finfo(dtype).bits == 64 else SINGLE


def windows(ts: Array, half_height: Array, folded: bool) -> Windows:
    """Finds windows of times [any unit; 0 is in none], for a strip of this half height [1/time]."""
    shape = shape_for(ts.dtype)
    latest = jnp.max(ts, initial=0.0)
    latest = jnp.where(latest > 0, latest, 1.0)
    behind = jnp.log(latest / jnp.where(ts > 0, ts, latest)) / math.log(RATIO)
    of_time = jnp.where(ts > 0, jnp.clip(jnp.floor(behind).astype(jnp.int32), 0, WINDOWS - 1), -1)
    longest = latest * RATIO ** -jnp.arange(WINDOWS, dtype=ts.dtype)
    edges = half_height * longest + shape.offset
    legs = shape.beta * math.log(shape.cut * RATIO / (shape.a * math.cos(shape.theta)))
    side = jnp.minimum(jnp.ceil((edges + legs) / shape.step), NODES * MOST_BLOCKS * 4.0).astype(jnp.int32)
    used = jnp.any(of_time == jnp.arange(WINDOWS)[:, None], axis=1)
    counts = jnp.where(used, side + 1 if folded else 2 * side + 1, 0)
    return Windows(of_time, longest, edges, jnp.cumsum(counts))


def blocks(ts: Array | np.ndarray, half_height: Array | np.ndarray, folded: bool = False) -> int:
    """Counts blocks of nodes to be compiled for: a power of two where the arguments are known, else MOST_BLOCKS.

    Times of any shape; what is a constant of a program that is being traced is known.
    """
    ts, half_height = undifferentiated(ts), undifferentiated(half_height)
    if is_traced(ts, half_height):
        return MOST_BLOCKS
    with jax.ensure_compile_time_eval():
        needed = -(-int(_count(jnp.ravel(ts), jnp.asarray(half_height), folded)) // NODES)
    # A power of two, and never few, so that other numbers compile nothing.
    return 2 ** max(4, math.ceil(math.log2(max(needed, 1))))


def undifferentiated(x: Array | np.ndarray) -> Array | np.ndarray:
    """Gives the value without its derivative; a known one stays known."""
    return jax.lax.stop_gradient(x) if is_traced(x) else x


@partial(jax.jit, static_argnames="folded")
def _count(ts: Array, half_height: Array, folded: bool) -> Array:
    return windows(ts, half_height, folded).ends[-1]


def invert(
    transform: Callable[[Array, Array], tuple[Array, Array]],
    ts: Array,
    half_height: Array,
    centre: Array,
    most: int,
    *,
    folded: bool = False,
) -> Array:
    r"""Computes f(t) of F(s) = transform(Re s, Im s), singular only where Re s <= 0 and |Im s - centre| <= half_height.

    Arguments:
        transform: real and imaginary parts of nodes (B,) to those of F, (B,).
        ts: (T,) >= 0; the value at 0 is not used (return the start there).
        half_height, centre: of the strip [1/time].
        most: what `blocks` gave for these arguments.
        folded: F(conj s) = conj F(s) and centre = 0: half the nodes, real result (static).

    Returns:
        (T,) complex, or real where folded; NaN where more than `most` blocks would be needed.
    """
    half_height, centre = jax.lax.stop_gradient((half_height, centre))
    fixed = windows(jax.lax.stop_gradient(ts), half_height, folded)
    kind = ts.dtype if folded else jnp.result_type(ts.dtype, jnp.complex64)

    def block(index: Array) -> Array:
        s, weight, window = _nodes(fixed, index, folded, ts.dtype)
        re, im = transform(s.real, s.imag + centre)
        here = window == fixed.of_time[:, None]
        power = jnp.where(here, (s + 1j * centre) * ts[:, None], 0.0)
        terms = matmul(jnp.where(here, jnp.exp(power), 0.0), weight * jax.lax.complex(re, im))
        return terms.real if folded else terms

    total = fixed.ends[-1]
    # Reverse mode keeps a few numbers a node, and so adds up over all TLSs once. Blocks beyond the count have their
    # place, too: where there may be thousands it adds up again.
    policy = jax.checkpoint_policies.save_only_these_names(SUMS) if most <= INNER else None
    value = _sum(block, -(-total // NODES), most, jnp.zeros(ts.shape, kind), policy)
    return jnp.where(total <= most * NODES, value, jnp.nan)


def _nodes(fixed: Windows, index: Array, folded: bool, dtype: np.dtype) -> tuple[Array, Array, Array]:
    """Give nodes s, weights ds/(2 pi i), and the window of each, of the block `index` of the list of all nodes."""
    shape = shape_for(dtype)
    place = index * NODES + jnp.arange(NODES, dtype=jnp.int32)
    window = jnp.clip(jnp.searchsorted(fixed.ends, place, side="right"), 0, WINDOWS - 1)
    valid = place < fixed.ends[-1]
    # In single precision the squares of another window's nodes may overflow.
    window = jnp.where(valid, window, 0)
    start = jnp.where(window > 0, fixed.ends[window - 1], 0)
    count = fixed.ends[window] - start
    k = jnp.where(valid, place - start - (0 if folded else count // 2), 0)
    u = k.astype(dtype) * shape.step
    edge, unit = fixed.edges[window], fixed.longest[window]
    right = shape.a * jnp.exp((u - edge) / shape.beta - 1j * shape.theta)
    left = shape.a * jnp.exp(-(u + edge) / shape.beta + 1j * shape.theta)
    s = (shape.eta + 1j * u - right - left) / unit
    slope = (1j - right / shape.beta + left / shape.beta) / unit
    share = shape.step / (2j * math.pi) * valid
    if folded:
        share = share * jnp.where(k == 0, 1.0, 2.0)
    return s, share * slope, window


def _sum(term: Callable[[Array], Array], count: Array, most: int, zero: Array, policy: Policy) -> Array:
    """Sum term(0), ..., term(count - 1), count <= most being known at run time: forward and reverse derivatives.

    Terms beyond the count are skipped, in two levels where there may be many. Checkpoints stand outside of the
    branches, which else would hand what they close over to reverse mode, a copy for each term; `policy` says what they
    keep.
    """

    def some(first: Array, length: int, evaluate: Callable[[Array], Array], stride: int, keep: Policy) -> Array:
        def one(i: Array) -> Array:
            at = first + i * stride
            return jax.lax.cond(eqxi.unvmap_any(at < count), evaluate, lambda at: jnp.zeros_like(zero), at)

        again = jax.checkpoint(one, policy=keep)
        step = lambda total, i: (total + again(i), None)
        return jax.lax.scan(step, zero, jnp.arange(length, dtype=jnp.int32))[0]

    start = jnp.zeros((), jnp.int32)
    if most <= INNER:
        return some(start, most, term, 1, policy)
    return some(start, most // INNER, lambda at: some(at, INNER, term, 1, policy), INNER, None)
