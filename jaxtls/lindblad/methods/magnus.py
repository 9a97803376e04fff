"""`Magnus`: few levels under functions of time, the propagators of all intervals between output times side by side.

For two or three levels a step of any method is a few dozen numbers, and what it costs is that it comes after another.
Here one batch holds a step of each interval; an interval whose step was too long, or that needs several, takes part in
the next batch. Hermitian matrices are n^2 real numbers, on which L(t) is real, a sum of constant matrices.
"""

from __future__ import annotations

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ...dynamics import intervals
from ...dynamics.methods.base import AbstractMethod, AbstractPlan
from ...dynamics.problem import Problem, as_solution
from ...dynamics.rule import Kind, ruled
from ...dynamics.solution import Solution
from ...numerics import magnus
from ...numerics.hermitian import from_unknowns, unknowns
from ...numerics.products import tensordot
from ...numerics.replay import Loop, replayed
from ..equation import MasterEquation
from ..generator import AbstractGenerator
from ..lindbladian import Lindbladian, operators_of
from ..pulses import fewest_steps
from ..rhs.moving import groups_of

# Most levels of the method "auto".
LEVELS = 3
# Intervals of a batch: fewer take as long.
LEAST = 192
# Samples of each coefficient that look for pulses, beside those of the first batch.
SAMPLES = 2048
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
    return law.has_operators and law.is_sum and law.is_modulated


def _law(problem: Problem) -> Lindbladian:
    assert isinstance(problem.model, MasterEquation)
    return operators_of(problem.model.law)


class Side(eqx.Module):
    """What the batches need."""

    law: Lindbladian
    matrices: Array  # (G, d, d): the share of each real coefficient
    knots: Array
    least: Array


class Walk(eqx.Module):
    """Where each interval stands: its propagator so far, (d, d, N), the share of it that is done, the next step."""

    propagators: Array
    share: Array
    step: Array
    steps: Array


@eqx.filter_jit
def _run(problem: Problem, name: str) -> Solution:
    extra = () if problem.discontinuities is None else (problem.discontinuities,)
    numbers, rest = eqx.partition((problem, extra), eqx.is_array)

    def made(numbers: PyTree) -> tuple[Problem, Side, Array]:
        problem, extra = eqx.combine(numbers, rest)
        return problem, *_side(problem, extra)

    def run(numbers: PyTree) -> tuple[PyTree, tuple]:
        problem, side, places = made(numbers)
        walk, turns = _searched(side, problem)
        low, span = side.knots[:-1], jnp.diff(side.knots)
        done = _are_done(walk, span)
        reached = jnp.min(jnp.where(done, side.knots[-1], low + walk.share * span))
        found = turns, jnp.sum(walk.steps), reached, jnp.all(done), walk
        return _records(problem, side, places, walk.propagators), jax.lax.stop_gradient(found)

    def repeated(numbers: PyTree, known: tuple, kind: Kind) -> PyTree:
        problem, side, places = made(numbers)
        return _records(problem, side, places, _repeated(side, problem, known[0], known[-1], kind))

    records, (_, steps, reached, finished, _) = ruled(run, repeated, numbers)
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


def _side(problem: Problem, extra: tuple[Array, ...]) -> tuple[Side, Array]:
    law, rho = _law(problem), problem.y0
    knots, places = intervals.divided(problem.ts, extra, LEAST)
    groups = groups_of(law)
    units = np.zeros((len(groups), 1 + len(law.envelopes) + len(law.jump_envelopes)), complex)
    units[np.arange(len(groups)), [g.index for g in groups]] = [1j if g.imaginary else 1 for g in groups]
    parts, basis = law.parts(), from_unknowns(jnp.eye(law.n**2, dtype=rho.real.dtype), True)

    def image(c: Array, b: Array) -> Array:
        half = parts.left(c)(b) + parts.jumps(c)(b) / 2
        return half + half.conj().T

    matrices = []
    for c in jnp.asarray(units, rho.dtype):
        images = jax.vmap(lambda b, c=c: image(c, b))(basis)
        matrices.append(unknowns(images, True).T)
    return Side(law, jnp.stack(matrices), knots, fewest_steps(law.moving, knots, problem.max_step, SAMPLES)), places


def _are_done(walk: Walk, span: Array) -> Array:
    return (walk.share >= 1.0) | (span <= 0)


def _begun(side: Side) -> Walk:
    count, d = side.knots.shape[0] - 1, side.matrices.shape[-1]
    eye = jnp.broadcast_to(jnp.eye(d, dtype=side.matrices.dtype)[..., None], (d, d, count))
    least = jnp.maximum(side.least, 1.0).astype(side.knots.dtype)
    return Walk(eye, jnp.zeros(count, side.knots.dtype), 1 / least, jnp.zeros(count, side.knots.dtype))


def _batch(side: Side, walk: Walk, rtol: float, atol: float) -> Walk:
    """One step of each interval that is not done."""
    low, span = side.knots[:-1], jnp.diff(side.knots)
    share, step = jax.lax.stop_gradient((walk.share, jnp.minimum(walk.step, 1 - walk.share)))
    # Once more than half of what is left is wanted, two equal steps are better.
    step = jnp.where((step < 1 - share) & (2 * step > 1 - share), (1 - share) / 2, step)
    h = step * span
    # Strictly inside: a pulse that begins at a knot is met behind it.
    times = low + share * span + magnus.POINTS[:, None] * h
    found = jax.lax.optimization_barrier(_coefficients(side.law, times))
    summed = lambda c: tensordot(side.matrices, c, ((0,), (0,)))
    w, error = magnus.exponent([summed(found[:, k]) for k in magnus.CHOSEN], h)
    moved = magnus.product(magnus.exponential(w), walk.propagators)
    error, found, length = jax.lax.stop_gradient((error, found, h))
    # The exponent is of order 6, its error far below the difference from one of order 4.
    error = SHARE * jnp.abs(error) + jnp.abs(summed(length * tensordot(magnus.BEYOND, found, ((0,), (1,)))))
    size = jnp.sqrt(jnp.sum(error**2, (0, 1))) / (rtol + atol)
    done = jax.lax.stop_gradient(_are_done(walk, span))
    good = (size <= 1.0) & ~done
    factor = jnp.clip(SAFETY * jnp.maximum(size, 1e-10) ** (-1 / 5), SHRINK, GROW)
    factor = jnp.where(jnp.isfinite(size), factor, SHRINK / 4)
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

    def going(carry: tuple) -> Array:
        walk, _ = carry
        # Steps that rounding swallows have met a number that is not finite.
        stuck = walk.step * span <= shortest
        return jnp.any(~_are_done(walk, span)) & ~jnp.any(stuck & ~_are_done(walk, span))

    one = lambda carry: (_batch(side, carry[0], problem.rtol, problem.atol), carry[1] + 1)
    return jax.lax.while_loop(going, one, (_begun(side), jnp.zeros((), int)))


def _repeated(side: Side, problem: Problem, turns: Array, known: Walk, kind: Kind) -> Array:
    """The propagators once more, by so many batches, for derivatives; in reverse mode they are known."""
    rtol, atol, start = problem.rtol, problem.atol, _begun(side)
    if kind == "reverse":
        varied, rest = eqx.partition(side, eqx.is_inexact_array)
        others, static = eqx.partition(rest, eqx.is_array)

        def step(varied: PyTree, others: PyTree, i: Array, walk: Walk) -> Walk:
            return _batch(eqx.combine(varied, others[0], static), walk, rtol, atol)

        last = Loop(step, lambda others, i: jnp.where(i == others[1] - 1, 0, 1), 1)
        known = jax.tree.map(lambda x: x[None], known)
        return replayed(last, varied, (others, turns), start, turns, known).propagators[0]
    bounded = kind == "smooth"
    found = eqxi.while_loop(
        lambda carry: carry[1] < turns,
        lambda carry: (_batch(side, carry[0], rtol, atol), carry[1] + 1),
        (start, jnp.zeros((), int)),
        kind="bounded" if bounded else "lax",
        max_steps=BOUND if bounded else None,
    )[0].propagators
    # No silent derivative of half a run.
    return jnp.where(turns <= BOUND, found, jnp.nan) if bounded else found


def _records(problem: Problem, side: Side, places: Array, propagators: Array) -> PyTree:
    found = magnus.chained(propagators, unknowns(problem.y0, True))[places]
    return jax.vmap(problem.recorder())(problem.ts, from_unknowns(found, True))
