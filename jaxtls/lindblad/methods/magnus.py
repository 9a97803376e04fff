"""`Magnus` solves few levels under functions of time: propagators of all intervals between outputs side by side.

For two or three levels a step of any method is a few dozen numbers, and what it costs is that it comes after another.
Here all intervals are moved at once, and their maps are then put one behind the other.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from ...dynamics.methods.base import AbstractMethod, AbstractPlan
from ...dynamics.problem import Problem, as_solution
from ...dynamics.rule import Kind, ruled
from ...dynamics.solution import Solution
from ...numerics import magnus
from ..equation import MasterEquation
from ..generator import AbstractGenerator
from ..lindbladian import Lindbladian, operators_of
from . import affine

# Most levels of the method "auto".
LEVELS = 3


class SidePlan(AbstractPlan):
    """Nothing has to be chosen: steps are found as the run goes."""

    n: int = eqx.field(static=True)

    def describe(self) -> str:
        """Tells the size of the propagators."""
        return f"propagators of {self.n**2} x {self.n**2} real numbers; steps by the error"


class Magnus(AbstractMethod):
    """Makes Magnus steps of order 6 in all intervals at once, for few levels and matrices times functions of time.

    Example:
        >>> Magnus().name
        'Magnus steps, all intervals at once'

    Source: see `numerics.magnus`.
    """

    @property
    def name(self) -> str:
        """Says "Magnus steps, all intervals at once"."""
        return "Magnus steps, all intervals at once"

    def refusal(self, problem: Problem) -> str | None:
        """It wants a Hermitian state, and matrices times functions of time."""
        model = problem.model
        if isinstance(model, MasterEquation) and model.hermitian and fits(model.law):
            return None
        return "be another for what is no density matrix, and where operators are functions of time themselves"

    def plan(self, problem: Problem) -> SidePlan:
        """Counts the levels."""
        return SidePlan(_law(problem).n)

    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """Moves all intervals side by side."""
        return _run(problem)


def fits(law: AbstractGenerator) -> bool:
    """Says whether all terms are matrices, some of them times functions of time."""
    return law.is_sum and law.is_modulated


def _law(problem: Problem) -> Lindbladian:
    assert isinstance(problem.model, MasterEquation)
    return operators_of(problem.model.law)


@eqx.filter_jit
def _run(problem: Problem) -> Solution:
    extra = () if problem.discontinuities is None else (problem.discontinuities,)
    numbers, rest = eqx.partition((problem, extra), eqx.is_array)

    def made(numbers: PyTree) -> tuple[Problem, affine.Side, Array | None]:
        problem, extra = eqx.combine(numbers, rest)
        return problem, *affine.side_of(_law(problem), problem.ts, extra, problem.max_step)

    def run(numbers: PyTree) -> tuple[PyTree, tuple]:
        problem, side, places = made(numbers)
        walk, turns = affine.searched(side, problem.rtol, problem.atol)
        low, span = side.knots[:-1], jnp.diff(side.knots)
        done = affine.are_done(walk.share, span)
        reached = jnp.min(jnp.where(done, side.knots[-1], low + walk.share * span))
        found = turns, jnp.sum(walk.steps), reached, jnp.all(done), walk
        return _records(problem, places, walk.propagators), jax.lax.stop_gradient(found)

    def repeated(numbers: PyTree, known: tuple, kind: Kind) -> PyTree:
        problem, side, places = made(numbers)
        again = affine.repeated(side, problem.rtol, problem.atol, known[0], known[-1], kind)
        return _records(problem, places, again)

    records, (_, steps, reached, finished, _) = ruled(run, repeated, numbers)
    if problem.max_steps is not None:
        finished = finished & (steps <= problem.max_steps)
    stats = {"steps": steps.astype(int), "layout": "dense", "reached": reached}
    return as_solution(problem, records, stats, finished)


def _records(problem: Problem, places: Array | None, propagators: Array) -> PyTree:
    start, trace = affine.coordinates(problem.y0)
    maps = affine.to_outputs(propagators, places, len(problem.ts) - 1)
    return jax.vmap(problem.recorder())(problem.ts, affine.matrices(magnus.moved(maps, start, trace), trace))
