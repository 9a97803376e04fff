"""Solves a driven equation of few levels by affine maps from output to output, all intervals side by side.

Hermitian matrices are n^2 real numbers, one of them the trace, which no equation changes: on the others L(t) is an
affine map, a sum of constant ones. One batch holds a step of each interval; an interval whose step was too long, or
that needs several, takes part in the next batch.
"""

from __future__ import annotations

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, DTypeLike, PyTree

from ..._platform import platform
from ...dynamics import intervals
from ...dynamics.rule import Kind
from ...numerics import magnus
from ...numerics.hermitian import from_unknowns, unknowns
from ...numerics.replay import KEPT_BYTES, Loop, replayed
from ..lindbladian import Lindbladian
from ..pulses import steps_that_see
from ..rhs.moving import groups_of

# Intervals of a batch: fewer take as long.
LEAST = 192
# Bytes of walks that reverse mode keeps at one distance on a GPU, where a thousand lanes of a vmap keep theirs.
KEPT_BYTES_OF_A_LANE = 2**18
# Batches that a second derivative can follow.
BOUND = 256
SAFETY, SHRINK, GROW = 0.9, 0.2, 5.0
# What of that difference is taken for the error: measured on driven qubits, a tenth of it and less.
SHARE = 0.05


class Side(eqx.Module):
    """Holds what the batches need."""

    law: Lindbladian
    maps: Array  # (G, d, d + 1): the share of each real coefficient
    knots: Array
    longest: Array  # (N,) steps, as shares of their intervals


class Walk(eqx.Module):
    """Says where each interval stands: its propagator so far, less 1, and what is done and comes next."""

    propagators: Array  # (d, d + 1, N)
    progress: Array  # (3, N): the share that is done, the next step, steps

    @property
    def share(self) -> Array:
        """Gives the share of each interval that is done."""
        return self.progress[0]

    @property
    def step(self) -> Array:
        """Gives the next step of each interval."""
        return self.progress[1]

    @property
    def steps(self) -> Array:
        """Counts the steps of each interval."""
        return self.progress[2]


def side_of(
    law: Lindbladian, ts: Array, edges: tuple[Array, ...], max_step: float | None = None, least: int = LEAST
) -> tuple[Side, Array | None]:
    """Makes the side, and the place of each output among the knots; None where they are evenly so many knots apart."""
    knots, places = intervals.divided(ts, edges, least)
    span = jax.lax.stop_gradient(jnp.diff(knots))
    longest = jnp.ones_like(span)
    if max_step is not None:
        longest = 1 / jnp.maximum(jnp.ceil(span / max_step - 1e-9), 1.0)
    return Side(law, maps_of(law, knots.dtype), knots, longest), places if edges else None


def maps_of(law: Lindbladian, dtype: DTypeLike) -> Array:
    """Gives the share that each real coefficient of L(t) has in the affine map of all packed elements but the last."""
    groups = groups_of(law)
    units = np.zeros((len(groups), 1 + len(law.envelopes) + len(law.jump_envelopes)), complex)
    units[np.arange(len(groups)), [g.index for g in groups]] = [1j if g.imaginary else 1 for g in groups]
    parts, basis = law.parts(), from_unknowns(jnp.asarray(np.eye(law.n**2), dtype), True)

    def image(c: Array, b: Array) -> Array:
        half = parts.left(c)(b) + parts.jumps(c)(b) / 2
        return half + half.conj().T

    def one(c: Array) -> Array:
        whole = unknowns(jax.vmap(lambda b: image(c, b))(basis), True).T[:-1]
        matrix, last = whole[:, :-1], whole[:, -1:]
        return jnp.concatenate([matrix - last * _diagonal(law.n), last], 1)

    return jnp.stack([one(c) for c in jnp.asarray(units, basis.dtype)])


def _diagonal(n: int) -> np.ndarray:
    """Mark which of all packed elements but the last lie on the diagonal."""
    return np.eye(n).reshape(-1)[:-1]


def are_done(share: Array, span: Array) -> Array:
    return (share >= 1.0) | (span <= 0)


def _begun(side: Side) -> Walk:
    count = side.knots.shape[0] - 1
    progress = jnp.zeros((3, count), side.knots.dtype).at[1].set(1.0)
    return Walk(jnp.zeros((*side.maps.shape[1:], count), side.maps.dtype), progress)


def _batch(side: Side, walk: Walk, turn: Array, rtol: float, atol: float) -> Walk:
    """Make one step of each interval that is not done."""
    low, span = side.knots[:-1], jnp.diff(side.knots)
    share, planned, steps = jax.lax.stop_gradient(tuple(walk.progress))
    done = jax.lax.stop_gradient(are_done(share, span))
    step = jax.lax.stop_gradient(jnp.minimum(jnp.minimum(planned, side.longest), 1 - share))
    # Once more than half of what is left is wanted, two equal steps are better.
    step = jnp.where((step < 1 - share) & (2 * step > 1 - share), (1 - share) / 2, step)
    h = step * span
    # Strictly inside: a pulse that begins at a knot is met behind it.
    times = low + share * span + magnus.POINTS[:, None] * h
    found = jax.lax.optimization_barrier(_coefficients(side.law, times))
    one = magnus.unknown_one(turn, found.dtype)
    w, error = magnus.exponent([magnus.combined(side.maps, found[:, k]) for k in magnus.CHOSEN], h, one)
    moved = magnus.followed(walk.propagators, magnus.expm1(w, one))
    error, found, length = jax.lax.stop_gradient((error, found, h))
    # The exponent is of order 6, its error far below the difference from one of order 4.
    beyond = length * magnus.summed([weight * found[:, k] for k, weight in enumerate(magnus.BEYOND) if weight])
    error = SHARE * jnp.abs(error) + jnp.abs(magnus.combined(side.maps, beyond))
    size = jnp.sqrt(jnp.sum(error**2, (0, 1))) / (rtol + atol)
    factor = jnp.clip(SAFETY * jnp.maximum(size, 1e-10) ** (-1 / 5), SHRINK, GROW)
    factor = jnp.where(jnp.isfinite(size), factor, SHRINK / 4)
    # At first, no step may see too little of what moves inside it.
    wanted = jnp.where(turn == 0, steps_that_see(found[1:], np.diff(magnus.POINTS), length), 1.0)
    good, factor = (size <= 1.0) & (wanted <= 1.0) & ~done, jnp.where(wanted > 1.0, 1 / wanted, factor)
    ends = good & (step >= 1 - share)
    share = jnp.where(ends, 1.0, jnp.where(good, share + step, share))
    progress = jnp.stack([share, jnp.where(done, planned, factor * step), steps + good])
    return Walk(jnp.where(good, moved, walk.propagators), progress)


def _coefficients(law: Lindbladian, times: Array) -> Array:
    """Return the real coefficients, (G, points, N)."""
    groups = groups_of(law)
    found = jax.vmap(jax.vmap(law.coefficients))(times)
    assert found is not None
    return jnp.stack([(found[..., g.index].imag if g.imaginary else found[..., g.index].real) for g in groups])


def searched(side: Side, rtol: float, atol: float) -> tuple[Walk, Array]:
    """Steps until all intervals are done, or stuck; counts the batches."""
    knots = side.knots
    span = jnp.diff(knots)
    shortest = 4 * jnp.finfo(knots.dtype).eps * jnp.maximum(knots[-1] - knots[0], jnp.max(jnp.abs(knots)))

    def one(carry: tuple) -> tuple:
        walk, turns, _ = carry
        walk = _batch(side, walk, turns, rtol, atol)
        left = ~are_done(walk.share, span)
        # Steps that rounding swallows have met a number that is not finite.
        stuck = walk.step * span <= shortest
        return walk, turns + 1, jnp.max(left * jnp.where(stuck, 2, 1)) == 1

    return jax.lax.while_loop(lambda carry: carry[2], one, (_begun(side), jnp.zeros((), int), jnp.any(span > 0)))[:2]


def repeated(side: Side, rtol: float, atol: float, turns: Array, known: Walk, kind: Kind) -> Array:
    """Makes the propagators once more, by so many batches, for derivatives; in reverse mode they are known."""
    start = _begun(side)
    if kind == "reverse":
        varied, rest = eqx.partition(side, eqx.is_inexact_array)
        others, static = eqx.partition(rest, eqx.is_array)

        def step(varied: PyTree, others: PyTree, i: Array, walk: Walk) -> Walk:
            return _batch(eqx.combine(varied, others[0], static), walk, i, rtol, atol)

        kept = KEPT_BYTES if platform() == "cpu" else KEPT_BYTES_OF_A_LANE
        last = Loop(step, lambda others, i: jnp.where(i == others[1] - 1, 0, 1), 1, kept=kept)
        known = jax.tree.map(lambda x: x[None], known)
        return replayed(last, varied, (others, turns), start, turns, known).propagators[0]
    bounded = kind == "smooth"
    found = eqxi.while_loop(
        lambda carry: carry[1] < turns,
        lambda carry: (_batch(side, *carry, rtol, atol), carry[1] + 1),
        (start, jnp.zeros((), int)),
        kind="bounded" if bounded else "lax",
        max_steps=BOUND if bounded else None,
    )[0].propagators
    # No silent derivative of half a run.
    return jnp.where(turns <= BOUND, found, jnp.nan) if bounded else found


def to_outputs(propagators: Array, places: Array | None, outputs: int) -> Array:
    """Returns the maps from the first time to each of so many outputs after it, less 1: (d, d + 1, outputs)."""
    if places is not None:
        return magnus.chained(propagators)[..., places[1:] - 1]
    return magnus.chained(magnus.folded(propagators, propagators.shape[-1] // outputs))


def coordinates(rho: Array) -> tuple[Array, Array]:
    """Returns all packed elements but the last of a Hermitian matrix, and the trace."""
    return unknowns(rho, True)[:-1], jnp.trace(rho).real


def matrices(x: Array, trace: ArrayLike) -> Array:
    """Returns the inverse of `coordinates` for (T, d) of them."""
    last = trace - jnp.sum(x * _diagonal(round(np.sqrt(x.shape[-1] + 1))), -1, keepdims=True)
    return from_unknowns(jnp.concatenate([x, last], -1), True)
