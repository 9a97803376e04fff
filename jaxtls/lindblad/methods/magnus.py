"""`Magnus`: few levels under functions of time, the propagators of all intervals between output times side by side.

For two or three levels a step of any method is a few dozen numbers, and what it costs is that it comes after another.
Here one batch holds a step of each interval; an interval whose step was too long, or that needs several, takes part in
the next batch. Hermitian matrices are n^2 real numbers, one of them the trace, which no equation changes: on the others
L(t) is an affine map, a sum of constant ones.
"""

from __future__ import annotations

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, DTypeLike, PyTree

from ...dynamics import intervals
from ...dynamics.methods.base import AbstractMethod, AbstractPlan
from ...dynamics.problem import Problem, as_solution
from ...dynamics.rule import Kind, ruled
from ...dynamics.solution import Solution
from ...numerics import magnus
from ...numerics.hermitian import from_unknowns, unknowns
from ...numerics.replay import Loop, replayed
from ..equation import MasterEquation
from ..generator import AbstractGenerator
from ..lindbladian import Lindbladian, operators_of
from ..pulses import steps_that_see
from ..rhs.moving import groups_of

# Most levels of the method "auto".
LEVELS = 3
# Intervals of a batch: fewer take as long.
LEAST = 192
# Batches that a second derivative can follow.
BOUND = 256
SAFETY, SHRINK, GROW = 0.9, 0.2, 5.0
# What of that difference is taken for the error: measured on driven qubits, a tenth of it and less.
SHARE = 0.05


class SidePlan(AbstractPlan):
    """Nothing has to be chosen: steps are found as the run goes."""

    n: int = eqx.field(static=True)

    def describe(self) -> str:
        """The size of the propagators."""
        return f"propagators of {self.n**2} x {self.n**2} real numbers; steps by the error"


class Magnus(AbstractMethod):
    """Magnus steps of order 6 in all intervals at once, for few levels and matrices times functions of time.

    Example:
        >>> Magnus().name
        'Magnus steps, all intervals at once'

    Source: see `numerics.magnus`.
    """

    @property
    def name(self) -> str:
        """The words "Magnus steps, all intervals at once"."""
        return "Magnus steps, all intervals at once"

    def refusal(self, problem: Problem) -> str | None:
        """It wants a Hermitian state, and matrices times functions of time."""
        model = problem.model
        if isinstance(model, MasterEquation) and model.hermitian and fits(model.law):
            return None
        return "be another for what is no density matrix, and where operators are functions of time themselves"

    def plan(self, problem: Problem) -> SidePlan:
        """The number of levels."""
        return SidePlan(_law(problem).n)

    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """Moves all intervals side by side."""
        return _run(problem, self.name)


def fits(law: AbstractGenerator) -> bool:
    """Whether all terms are matrices, some of them times functions of time."""
    return law.is_sum and law.is_modulated


def _law(problem: Problem) -> Lindbladian:
    assert isinstance(problem.model, MasterEquation)
    return operators_of(problem.model.law)


class Side(eqx.Module):
    """What the batches need."""

    law: Lindbladian
    maps: Array  # (G, d, d + 1): the share of each real coefficient
    knots: Array
    longest: Array  # (N,) steps, as shares of their intervals


class Walk(eqx.Module):
    """Where each interval stands: its propagator so far, less 1, the share of it that is done, the next step."""

    propagators: Array  # (d, d + 1, N)
    share: Array
    step: Array
    steps: Array


@eqx.filter_jit
def _run(problem: Problem, name: str) -> Solution:
    extra = () if problem.discontinuities is None else (problem.discontinuities,)
    numbers, rest = eqx.partition((problem, extra), eqx.is_array)

    def made(numbers: PyTree) -> tuple[Problem, Side, Array | None]:
        problem, extra = eqx.combine(numbers, rest)
        return problem, *_side(problem, extra)

    def run(numbers: PyTree) -> tuple[PyTree, tuple]:
        problem, side, places = made(numbers)
        walk, turns = _searched(side, problem)
        low, span = side.knots[:-1], jnp.diff(side.knots)
        done = _are_done(walk.share, span)
        reached = jnp.min(jnp.where(done, side.knots[-1], low + walk.share * span))
        found = turns, jnp.sum(walk.steps), reached, jnp.all(done)
        return _records(problem, places, walk.propagators), jax.lax.stop_gradient(found)

    def repeated(numbers: PyTree, known: tuple, kind: Kind) -> PyTree:
        problem, side, places = made(numbers)
        return _records(problem, places, _repeated(side, problem, known[0], kind))

    records, (_, steps, reached, finished) = ruled(run, repeated, numbers)
    if problem.max_steps is not None:
        finished = finished & (steps <= problem.max_steps)
    stats = {
        "method": name,
        "steps": steps.astype(int),
        "levels": _law(problem).n,
        "layout": "dense",
        "reached": reached,
    }
    return as_solution(problem, records, stats, finished)


def _side(problem: Problem, extra: tuple[Array, ...]) -> tuple[Side, Array | None]:
    """Also the place of each output among the knots; None where they are evenly so many knots apart."""
    law, rho = _law(problem), problem.y0
    knots, places = intervals.divided(problem.ts, extra, LEAST)
    span = jax.lax.stop_gradient(jnp.diff(knots))
    longest = jnp.ones_like(span)
    if problem.max_step is not None:
        longest = 1 / jnp.maximum(jnp.ceil(span / problem.max_step - 1e-9), 1.0)
    return Side(law, maps_of(law, rho.real.dtype), knots, longest), places if extra else None


def maps_of(law: Lindbladian, dtype: DTypeLike) -> Array:
    """The share that each real coefficient of L(t) has in the affine map of all packed elements but the last."""
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
    """Which of all packed elements but the last lie on the diagonal."""
    return np.eye(n).reshape(-1)[:-1]


def _are_done(share: Array, span: Array) -> Array:
    return (share >= 1.0) | (span <= 0)


def _begun(side: Side) -> Walk:
    count, zero = side.knots.shape[0] - 1, jnp.zeros(side.knots.shape[0] - 1, side.knots.dtype)
    return Walk(jnp.zeros((*side.maps.shape[1:], count), side.maps.dtype), zero, zero + 1, zero)


def _batch(side: Side, walk: Walk, turn: Array, rtol: float, atol: float) -> Walk:
    """One step of each interval that is not done."""
    low, span = side.knots[:-1], jnp.diff(side.knots)
    share, done = jax.lax.stop_gradient((walk.share, _are_done(walk.share, span)))
    step = jax.lax.stop_gradient(jnp.minimum(jnp.minimum(walk.step, side.longest), 1 - share))
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
    return Walk(
        jnp.where(good, moved, walk.propagators),
        jnp.where(ends, 1.0, jnp.where(good, share + step, share)),
        jnp.where(done, walk.step, factor * step),
        walk.steps + good,
    )


def _coefficients(law: Lindbladian, times: Array) -> Array:
    """The real coefficients, (G, points, N)."""
    groups = groups_of(law)
    found = jax.vmap(jax.vmap(law.coefficients))(times)
    assert found is not None
    return jnp.stack([(found[..., g.index].imag if g.imaginary else found[..., g.index].real) for g in groups])


def _searched(side: Side, problem: Problem) -> tuple[Walk, Array]:
    """All intervals done, or stuck; and the number of batches."""
    knots = side.knots
    span = jnp.diff(knots)
    shortest = 4 * jnp.finfo(knots.dtype).eps * jnp.maximum(knots[-1] - knots[0], jnp.max(jnp.abs(knots)))

    def one(carry: tuple) -> tuple:
        walk, turns, _ = carry
        walk = _batch(side, walk, turns, problem.rtol, problem.atol)
        left = ~_are_done(walk.share, span)
        # Steps that rounding swallows have met a number that is not finite.
        stuck = walk.step * span <= shortest
        return walk, turns + 1, jnp.max(left * jnp.where(stuck, 2, 1)) == 1

    return jax.lax.while_loop(lambda carry: carry[2], one, (_begun(side), jnp.zeros((), int), jnp.any(span > 0)))[:2]


def _repeated(side: Side, problem: Problem, turns: Array, kind: Kind) -> Array:
    """The propagators once more, by so many batches, for derivatives."""
    rtol, atol, start = problem.rtol, problem.atol, _begun(side)
    if kind == "reverse":
        varied, rest = eqx.partition(side, eqx.is_inexact_array)
        others, static = eqx.partition(rest, eqx.is_array)

        def step(varied: PyTree, others: PyTree, i: Array, walk: Walk) -> Walk:
            return _batch(eqx.combine(varied, others[0], static), walk, i, rtol, atol)

        last = Loop(step, lambda others, i: jnp.where(i == others[1] - 1, 0, 1), 1)
        return replayed(last, varied, (others, turns), start, turns).propagators[0]
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


def _records(problem: Problem, places: Array | None, propagators: Array) -> PyTree:
    rho, n = problem.y0, problem.y0.shape[-1]
    start, trace = unknowns(rho, True)[:-1], jnp.trace(rho).real
    if places is None:
        propagators = magnus.folded(propagators, propagators.shape[-1] // (len(problem.ts) - 1))
    states = magnus.moved(magnus.chained(propagators), start, trace)
    states = states if places is None else states[places]
    last = trace - jnp.sum(states * _diagonal(n), -1, keepdims=True)
    found = from_unknowns(jnp.concatenate([states, last], -1), True)
    return jax.vmap(problem.recorder())(problem.ts, found)
