"""Runs Tsit5 for compiled programs: the loop of `dynamics.intervals`, for models that close over nothing.

A loop that serves all derivatives at once, as diffrax's bounded one does, asks the host at each of its nested turns,
and moves its state through all of them; here the run is a plain loop, and its derivative a rule.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .. import intervals
from ..problem import Problem, as_solution
from ..solution import Solution

# Most output times.
MOST_TIMES = 400


def fits(problem: Problem) -> bool:
    """Says whether a run is traced, and all that varies in it is a leaf of the problem."""
    model = problem.model
    own = problem.named and not model.closes_over and model.stops(problem.ts) is None
    plain = problem.discontinuities is None and problem.max_step is None and not problem.progress
    # Steps that end at each of many output times would cost more than an interpolation between longer ones.
    plain = plain and len(problem.ts) <= MOST_TIMES
    return problem.traced and own and plain


@eqx.filter_jit
def run(problem: Problem) -> Solution:
    """Moves the state through all output times."""
    numbers, rest = eqx.partition(problem, eqx.is_array)

    def make(numbers: PyTree) -> intervals.Task:
        whole = eqx.combine(numbers, rest)
        field = whole.model.generator(whole.y0)
        knots, places = intervals.divided(whole.ts, ())
        count = knots.shape[0] - 1
        grid = intervals.Grid(knots, jnp.zeros(count, bool), places, jnp.ones(count, int))

        def slope(t: Array, y: PyTree) -> PyTree:
            return field(t, y, None)

        return intervals.Task(
            slope, whole.y0, grid, whole.recorder(), lambda y: y, is_constant_map=whole.model.is_constant_map
        )

    records, steps, reached, done = intervals.solved(make, numbers, rtol=problem.rtol, atol=problem.atol)
    finished = done if problem.max_steps is None else done & (steps <= problem.max_steps)
    return as_solution(problem, records, {"steps": steps, "reached": reached}, finished)
