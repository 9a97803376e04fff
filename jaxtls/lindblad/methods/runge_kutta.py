"""`RungeKutta` takes coefficients that are functions of time, on the blocks and the window that the state fills."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ..._checks import inside_jit, is_traced, require
from ...dynamics import intervals
from ...dynamics.methods.base import AbstractMethod, AbstractPlan
from ...dynamics.problem import Problem, as_solution
from ...dynamics.solution import Solution
from ..equation import MasterEquation
from ..lindbladian import Lindbladian, operators_of
from ..pulses import fewest_steps
from ..rhs import superoperator
from ..rhs.blocked import BlockPlan
from ..rhs.moving import Group, MovingField, filled_arrays, groups_of, with_parts
from ..rhs.packed import PackedMatrix
from ..rhs.whole import WholeMatrix
from ..schroedinger import SchroedingerEquation
from ..storage.diagonals import Pattern
from ..storage.family import Skeleton
from .records import Weights, recorder
from .structure import ANEW, filled_by, for_states, is_small, of_equation, structure, with_known


class BlocksPlan(AbstractPlan):
    """Holds the form of the state; steps are found as the run goes."""

    form: PyTree  # BlockPlan or WholeMatrix
    edge: Array | np.ndarray | None  # (n,) which states end the window
    skeletons: tuple[Skeleton, Skeleton] = eqx.field(static=True)
    groups: tuple[Group, ...] = eqx.field(static=True)
    jump_groups: tuple[int, ...] = eqx.field(static=True)
    filled: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    levels: int = eqx.field(static=True)
    window: int | None = eqx.field(static=True, default=None)

    def describe(self) -> str:
        """Tells levels and layout."""
        return f"{self.levels} levels ({self.form.layout}); steps by the error"


class RungeKutta(AbstractMethod):
    """Runs Tsit5 on the blocks between sectors and, for known or planned numbers, on the window of levels in use.

    For Lindbladians whose terms are matrices times functions of time. Steps end at the output times.

    Example:
        >>> RungeKutta().name
        'Tsit5 on blocks'

    Source: see `numerics.tsit5`, `dynamics.intervals`.
    """

    @property
    def name(self) -> str:
        """Says "Tsit5 on blocks"."""
        return "Tsit5 on blocks"

    def refusal(self, problem: Problem) -> str | None:
        """It wants matrices times functions of time."""
        model = problem.model
        if isinstance(model, MasterEquation | SchroedingerEquation) and model.law.has_operators and model.law.is_sum:
            return None
        return "be a diffrax solver where operators are functions of time themselves"

    def plan(self, problem: Problem) -> BlocksPlan:
        """Chooses the first window; structure alone where numbers are traced. Kets are taken whole."""
        if isinstance(problem.model, SchroedingerEquation):
            law = _law(problem)
            skeletons = law.terms.skeleton, law.jumps.skeleton
            return BlocksPlan(WholeKet(law.layout), None, skeletons, (), (), (), law.n)
        return _planned(problem, None if problem.traced else 0)

    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """Loops once over all intervals."""
        assert isinstance(plan, BlocksPlan)
        if isinstance(plan.form, WholeKet):
            return _run(problem, plan, None)
        law = _law(problem)
        of_equation(plan.form.n, plan.skeletons, problem.y0, law)
        same = groups_of(law) == plan.groups and law.groups == plan.jump_groups
        require(same, "plan", "be one for coefficients of the same operators, real or complex", "one for others", ANEW)
        assert isinstance(problem.model, MasterEquation)
        packed = dataclasses.replace(plan, form=for_states(plan.form, problem.model.hermitian))
        if inside_jit() and isinstance(plan.form, BlockPlan) and is_small(plan.form):
            # What is known is made here, and no part of the program.
            problem = with_known(problem)
            return _moved(problem, packed, _left_out(problem, plan))
        outside = _outside(problem, plan)
        nothing = not problem.traced and float(outside) == 0
        return _run(problem, packed, None if nothing else outside)

    def judge(self, problem: Problem, plan: AbstractPlan, solution: Solution, attempt: int) -> BlocksPlan | None:
        """Takes a larger window where population arrived at the edge of this one."""
        assert isinstance(plan, BlocksPlan)
        if float(solution.diagnostics.get("pattern_error", 0.0)) > 0:
            # A plan of something else.
            return _planned(problem, 0)
        if plan.edge is None or float(solution.diagnostics["truncation"]) <= 0.1 * problem.atol:
            return None
        assert plan.window is not None
        return _planned(problem, plan.window + 1)


class WholeKet(eqx.Module):
    """Gives the form of a ket: itself."""

    layout: str = eqx.field(static=True)


def _law(problem: Problem) -> Lindbladian:
    assert isinstance(problem.model, MasterEquation | SchroedingerEquation)
    return operators_of(problem.model.law)


def _left_out(problem: Problem, plan: BlocksPlan) -> Array:
    """Find the largest number of the equation and the state that the plan has no place for."""
    found = jnp.maximum(_law(problem).outside(*plan.skeletons), plan.form.left_out(problem.y0))
    return jax.lax.stop_gradient(found)


_outside = eqx.filter_jit(_left_out)


def _planned(problem: Problem, window: int | None) -> BlocksPlan:
    law = _law(problem)
    assert isinstance(problem.model, MasterEquation)
    groups = groups_of(law)
    skeletons = with_parts(law.terms.skeleton, groups), law.jumps.skeleton
    hermitian = problem.model.hermitian
    form, edge, levels, filled = _forms(*skeletons, law.groups, groups, filled_by(problem.y0), window, hermitian)
    return BlocksPlan(form, edge, skeletons, groups, law.groups, filled, levels, window)


@functools.lru_cache(maxsize=128)
def _forms(
    terms: Skeleton,
    jumps: Skeleton,
    jump_groups: tuple[int, ...],
    groups: tuple[Group, ...],
    state: Pattern,
    window: int | None,
    hermitian: bool,
) -> tuple[PyTree, np.ndarray | None, int, tuple[tuple[int, ...], ...]]:
    n = state.mask.shape[0]
    if hermitian and n <= superoperator.LEVELS:
        return WholeMatrix(n), None, n, ()
    form, _, edge, levels = structure(terms, jumps, state, window)
    if not isinstance(form, BlockPlan):
        return form, edge, levels, ()
    return form, edge, levels, filled_arrays(form, terms, jumps, jump_groups, groups, hermitian)


def _moved(problem: Problem, plan: BlocksPlan, outside: Array | None) -> Solution:
    extra = () if problem.discontinuities is None else (problem.discontinuities,)
    numbers, rest = eqx.partition((problem, plan, extra), is_traced)

    def make(numbers: PyTree) -> intervals.Task:
        return _task(*eqx.combine(numbers, rest))

    records, steps, reached, done = intervals.solved(make, numbers, rtol=problem.rtol, atol=problem.atol)
    most = problem.max_steps
    finished = done if most is None else done & (steps <= most)
    stats = {
        "steps": steps,
        "levels": plan.levels,
        "layout": plan.form.layout,
        "reached": reached,
    }
    lacking = {} if outside is None or plan.window is None else {"pattern_error": jnp.asarray(outside)}
    return as_solution(problem, records, stats, finished, lacking)


_run = eqx.filter_jit(_moved)


def _task(problem: Problem, plan: BlocksPlan, extra: tuple[Array, ...]) -> intervals.Task:
    law = _law(problem).patterned(*plan.skeletons)
    knots, places = intervals.divided(problem.ts, extra)
    fresh = jnp.zeros(knots.shape[0] - 1, bool)
    if extra:
        fresh = jnp.isin(*jax.lax.stop_gradient((knots[:-1], jnp.concatenate(extra).reshape(-1))))
    grid = intervals.Grid(knots, fresh, places, fewest_steps(law.moving, knots, problem.max_step))
    if isinstance(plan.form, WholeKet):
        field = problem.model.generator(problem.y0)
        return intervals.Task(field, problem.y0, grid, problem.recorder(), lambda psi: psi)
    return _task_of_blocks(problem, plan, law, grid)


def _task_of_blocks(problem: Problem, plan: BlocksPlan, law: Lindbladian, grid: intervals.Grid) -> intervals.Task:
    model, form = problem.model, plan.form
    assert isinstance(model, MasterEquation)
    field, tidy = _field(form, law, plan, model.hermitian)
    kept = recorder(form, Weights.of(form, model, plan.edge, problem.y0.dtype), problem)
    record = lambda t, parts: kept(t, form.joined(parts))
    start = form.split(jnp.asarray(form.pack(problem.y0)))
    products = isinstance(field, superoperator.MatrixField)
    return intervals.Task(field, start, grid, record, tidy, products=products)


def _field(form: PyTree, law: Lindbladian, plan: BlocksPlan, hermitian: bool) -> tuple:
    """Make the right-hand side on the parts of a state, and what keeps them Hermitian."""
    if isinstance(form, PackedMatrix) and form.n <= superoperator.LEVELS:
        return superoperator.MatrixField.make(law, plan.groups), lambda parts: parts
    if isinstance(form, BlockPlan):
        field: Callable = MovingField.make(form, law, plan.groups, plan.filled, hermitian=hermitian)
    else:
        whole = law.generator(hermitian=hermitian)
        field = lambda t, parts: form.split(form.pack(whole(t, form.unpack(form.joined(parts)), None)))
    if not hermitian:
        return field, lambda parts: parts
    return field, lambda parts: form.split(form.hermitian_part(form.joined(parts)))
