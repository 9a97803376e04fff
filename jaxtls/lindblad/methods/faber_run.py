"""Makes the program of a Faber run: what it is made from, sums by an ellipse that is large enough, derivatives."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ... import _progress
from ..._checks import is_traced
from ..._platform import platform
from ...dynamics import faber, stepping, sweep
from ...dynamics.methods.base import AbstractPlan
from ...dynamics.model import AbstractModel
from ...dynamics.problem import Problem, as_solution
from ...dynamics.rule import Kind, lanes_apart, lanes_together, ruled
from ...dynamics.solution import Solution
from ...numerics.namespace import namespace
from ..equation import MasterEquation
from ..factored import MOST
from ..lindbladian import Lindbladian, operators_of
from ..rhs import framed
from ..rhs.blocked import BlockField, diagonals
from ..rhs.bounds import spectral_ellipse
from ..rhs.framed import FramedField
from ..storage.diagonals import Pattern
from ..storage.family import Skeleton
from .records import Weights, recorder, records_of
from .structure import first_window, structure

# Most terms of a macro step: longer steps take fewer terms in all, from so many levels on, where terms are dear.
TERMS, LONG_TERMS, LONG_FROM = 96, 160, 64
# An ellipse whose last terms are not small is made so much larger, up to a size.
WIDEN, WIDEST = 1.7, 5.0
MAX_MACRO_STEPS = 2**20


class FaberPlan(AbstractPlan):
    """Holds the form of the state and the ellipse; steps and their terms are counted inside the program."""

    form: PyTree  # BlockPlan or WholeMatrix
    edge: Array | np.ndarray | None  # (n,) which states end the window
    ellipse: faber.Ellipse | None  # None: made from the numbers of the run
    skeletons: tuple[Skeleton, Skeleton] = eqx.field(static=True)
    filled: Pattern = eqx.field(static=True)  # of the state
    levels: int = eqx.field(static=True)
    window: int | None = eqx.field(static=True, default=None)
    first: FaberPlan | None = None  # of part of the levels, tried first inside the program
    diagonal: bool = eqx.field(static=True, default=False)  # whether the diagonals of blocks are all that is recorded

    def describe(self) -> str:
        """Tells levels, layout and terms."""
        most = terms_of(self.form.n)
        return f"{self.levels} levels ({self.form.layout}); up to {most} terms a macro step, steps by the numbers"


def terms_of(n: int) -> int:
    """Says how many terms a macro step has at most, on so many levels."""
    return LONG_TERMS if n >= LONG_FROM else TERMS


def first_part(
    part: tuple | None, skeletons: tuple[Skeleton, Skeleton], filled: Pattern, around: Callable
) -> FaberPlan | None:
    """Gives the plan of a window that is tried first."""
    if part is None:
        return None
    form, found, edge, levels = part
    return FaberPlan(form, edge, around(found), skeletons, filled, levels)


def lindbladian_of(model: AbstractModel) -> Lindbladian:
    """Gives the operators of an equation."""
    assert isinstance(model, MasterEquation)
    return operators_of(model.law)


def share_of(problem: Problem) -> float:
    """Says what the terms of one step may leave out."""
    return faber.SHARE * max(problem.rtol, float(np.finfo(problem.ts.dtype).eps) / faber.SHARE)


class Prepared(eqx.Module):
    """Holds what a run needs, made from the equation and the state: in NumPy where numbers are known."""

    field: PyTree  # has ready() -> L on what the form splits
    start: ArrayLike
    weights: Weights
    outside: ArrayLike | None  # what lies outside the plan's patterns; None: nothing
    ellipse: faber.Ellipse
    first: Prepared | None


def prepared(model: MasterEquation, rho: PyTree, plan: FaberPlan) -> Prepared:
    """Makes what a run needs, of all levels and of those tried first."""
    form, ellipse, whole = plan.form, plan.ellipse, lindbladian_of(model)
    assert ellipse is not None
    field = form.field(whole.patterned(*plan.skeletons), hermitian=model.hermitian)
    outside = whole.outside(*plan.skeletons), form.left_out(rho)
    outside = namespace(*outside).maximum(*outside)
    first = None if plan.first is None else prepared(model, rho, plan.first)
    # All levels have an edge that holds none where part of them has one: what is recorded is alike.
    edge = np.zeros(form.n) if plan.edge is None and first is not None else plan.edge
    return Prepared(field, form.pack(rho), Weights.of(form, model, edge, rho.dtype), outside, ellipse, first)


def prepared_and_run(problem: Problem, plan: FaberPlan, uniform: bool | None) -> Solution:
    """Makes it where numbers are traced, and runs."""
    model, ts = problem.model, problem.ts
    assert isinstance(model, MasterEquation)
    still = _still(lindbladian_of(model).patterned(*plan.skeletons))

    def known(plan: FaberPlan, find: Callable) -> FaberPlan:
        """Adds an ellipse, of the numbers of the run unless it has one."""
        ellipse = plan.ellipse
        if ellipse is None:
            ellipse = spectral_ellipse(still, find(*plan.skeletons, plan.filled)[1], 1e-3 / (ts[-1] - ts[0]))
        first = None if plan.first is None else known(plan.first, first_window)
        return dataclasses.replace(plan, ellipse=_still(ellipse), first=first)

    plan = known(plan, functools.partial(structure, window=None))
    return _run(prepared(model, problem.y0, plan), problem, plan, uniform)


class Scaled(eqx.Module):
    """Gives factor * L + shift: of each image, as to scale what L is made of would be kernels of their own."""

    field: Callable
    factor: Array
    shift: Array

    def __call__(self, z: PyTree) -> PyTree:
        return jax.tree.map(lambda image, x: self.factor * image + self.shift * x, self.field(z), z)


def _still(tree: PyTree) -> PyTree:
    """Give numbers without derivatives; known ones are left alone, which else would be traced."""
    return jax.tree.map(lambda x: jax.lax.stop_gradient(x) if is_traced(x) else x, tree)


def _expansion(made: Prepared, problem: Problem, plan: FaberPlan, ellipse: faber.Ellipse) -> faber.FaberExpansion:
    form, model = plan.form, problem.model
    assert isinstance(model, MasterEquation)
    field = made.field.ready()
    # (L - c)/s
    scale = 1 / ellipse.capacity, -ellipse.centre / ellipse.capacity
    scaled = lambda field: Scaled(field, *scale)
    return faber.FaberExpansion(
        scaled(field),
        form.hermitian_part if model.hermitian else (lambda z: z),
        made.weights.at_edge,
        ellipse,
        terms_of(plan.form.n),
        False,
        share_of(problem),
        form.split,
        form.joined,
        scaled(field.wide()) if isinstance(field, BlockField) else None,
        FramedField.of(field, *scale) if platform() == "cpu" and framed.fits(field) else None,
    )


def _ellipse(made: Prepared, problem: Problem) -> faber.Ellipse:
    return jax.tree.map(lambda x: jnp.asarray(x, problem.ts.dtype), made.ellipse)


def _grid(ellipse: faber.Ellipse, problem: Problem, terms: int) -> tuple[sweep.Grid, Array]:
    """Make the steps of a run by an ellipse; count those it asks for."""
    span, capacity = jax.lax.stop_gradient((problem.ts[-1] - problem.ts[0], ellipse.capacity))
    share = share_of(problem)
    wanted = eqxi.unvmap_max(jnp.ceil(span * capacity / faber.reach(terms, share) - 1e-9))
    wanted = jnp.maximum(jnp.where(jnp.isfinite(wanted), wanted, 1.0), 1.0)
    steps = jnp.minimum(wanted, problem.max_steps or MAX_MACRO_STEPS).astype(int)
    return sweep.grid(ellipse, problem.ts, steps, terms, share), wanted


def _sweep(made: Prepared, problem: Problem, plan: FaberPlan, ellipse: faber.Ellipse, grid: sweep.Grid) -> sweep.Sweep:
    return sweep.Sweep(
        _expansion(made, problem, plan, ellipse),
        jnp.asarray(made.start),
        grid,
        _rows(made, problem, plan),
        diagonals if plan.diagonal and made.weights.are_enough(problem) else sweep.whole,
    )


def _rows(made: Prepared, problem: Problem, plan: FaberPlan) -> PyTree | None:
    if not made.weights.are_enough(problem):
        return None
    rows = plan.form.rows(made.weights.together())
    return jax.vmap(diagonals)(rows) if plan.diagonal else rows


class Found(eqx.Module):
    """Holds what a run found beside its records: how wide an ellipse, sizes of last terms and of leaks, steps,
    terms, and how many levels it kept.
    """

    widen: Array
    error: Array
    wanted: Array
    terms: Array
    levels: Array


Parts = list[tuple[Prepared, FaberPlan]]


def _parts(made: Prepared, plan: FaberPlan) -> Parts:
    """List what a run may be made on: part of the levels, if there is one that is tried first, and all."""
    if made.first is None or plan.first is None:
        return [(made, plan)]
    return [(made.first, plan.first), (made, plan)]


def _moved(
    parts: Parts, problem: Problem, place: Array, widen: Array, most: float | None = None, kind: Kind | None = None
) -> tuple[PyTree, Array, tuple[Array, Array]]:
    """Make the run on one part by an ellipse so many times as large: its records, its errors, steps and terms.

    What both parts share is compiled once: their steps and, where sums alone are recorded, all but a step.
    """
    ellipses, last = [_ellipse(made, problem) for made, _ in parts], len(parts) - 1
    chosen = jax.tree.map(lambda *sizes: jnp.stack(sizes)[place], *ellipses) if last else ellipses[0]
    grid, wanted = _grid(ellipse := chosen.widened(widen), problem, terms_of(parts[0][1].form.n))
    runs = [_sweep(made, problem, plan, ellipse, grid) for made, plan in parts]
    tell = lambda k, values: records_of(parts[k][1].form, parts[k][0].weights, problem, values)

    def of(k: int) -> tuple[PyTree, Array]:
        if kind == "reverse":
            return tell(k, sweep.reversible(runs[k])), jnp.zeros(2, grid.table.dtype)
        values, error = sweep.swept(runs[k], most, kind is None)
        return tell(k, values), error

    if last and kind != "reverse" and parts[0][0].weights.are_enough(problem):
        values, error = sweep.swept_by(runs, place, most, kind is None)
        return tell(last, values), error, (wanted, grid.used)
    records, error = jax.lax.cond(place == last, lambda: of(last), lambda: of(0)) if last else of(0)
    return records, error, (wanted, grid.used)


def _searched(made: Prepared, problem: Problem, plan: FaberPlan) -> tuple[PyTree, Found]:
    """Find the records by the first ellipse that is large enough, on part of the levels unless that proves too small.

    All attempts are turns of one loop, so that what they share is compiled once.
    """
    parts = _parts(made, plan)
    last, most = len(parts) - 1, 0.1 * problem.atol

    def attempt(carry: tuple) -> tuple:
        _, widen, place, _, _ = carry
        records, error, counts = _moved(parts, problem, place, widen, most if last else None)
        levels = jnp.asarray([plan.levels for _, plan in parts])[place]
        wider = eqxi.unvmap_any(~(error[0] <= problem.rtol)) & (WIDEN * widen <= WIDEST)
        leaked = _leaked(records, error, most) & (place < last) if last else False
        then = jnp.where(wider, WIDEN * widen, 1.0), jnp.where(wider, place, last)
        return wider | leaked, *then, records, Found(widen, error, *counts, levels)

    begin, here = jnp.ones((), problem.ts.dtype), jnp.zeros((), int)
    found = Found(begin, jnp.zeros(2, begin.dtype), jnp.zeros_like(begin), here, here)
    carry = jnp.array(True), begin, here, _no_records(made, problem, plan), found
    _, _, _, records, found = jax.lax.while_loop(lambda carry: carry[0], attempt, carry)
    return records, found


def _leaked(records: dict, error: Array, most: float) -> Array:
    """Say whether more than so much came to the edge of the levels, in any lane."""
    return eqxi.unvmap_any(~(jnp.maximum(jnp.max(records["diagnostics"]["truncation"]), error[1]) <= most))


def _no_records(made: Prepared, problem: Problem, plan: FaberPlan) -> PyTree:
    """Give zeros in the place of records."""
    kept = sweep.kept(made.start, _rows(made, problem, plan))
    values = jax.ShapeDtypeStruct((*problem.ts.shape, *kept.shape), kept.dtype)
    like = jax.eval_shape(lambda values: records_of(plan.form, made.weights, problem, values), values)
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like)


def _stepped(made: Prepared, problem: Problem, plan: FaberPlan, uniform: bool | None) -> tuple[PyTree, Found]:
    """Find the records by steps that end at each output, with functions of the user's or a bar of how far it is."""
    expansion = _expansion(made, problem, plan, _ellipse(made, problem).widened(WIDEN))
    expansion = dataclasses.replace(expansion, grouped=True)
    durations = jax.lax.stop_gradient(jnp.diff(problem.ts))
    counts = faber.counts_of(expansion, durations)
    if uniform:
        counts = jnp.broadcast_to(counts[0], counts.shape)
    record = recorder(plan.form, made.weights, problem)
    how: dict = {"counts": counts, "uniform": uniform, "tick": _progress.tick if problem.progress else None}
    start, wanted = jnp.asarray(made.start), jnp.sum(counts)
    if problem.traced:
        how["bound"] = problem.max_steps or 0
        records, error, done = stepping.integrate_traced(expansion, start, problem.ts, record, **how)
        wanted = jnp.where(done, wanted, jnp.inf)
    else:
        records, error = stepping.integrate(expansion, start, problem.ts, record, **how)
    return records, Found(
        jnp.asarray(WIDEN), error, wanted, jnp.asarray(terms_of(plan.form.n)), jnp.asarray(plan.levels)
    )


def _ruled(like: Prepared, problem: Problem, plan: FaberPlan, uniform: bool | None) -> tuple[PyTree, Found]:
    """Find the records of a run of traced numbers, with derivatives by a rule: in what the operators are made of."""
    numbers, rest = eqx.partition((problem, plan), is_traced)

    def whole(numbers: PyTree) -> tuple[Prepared, Problem, FaberPlan]:
        problem, plan = eqx.combine(numbers, rest)
        assert isinstance(problem.model, MasterEquation)
        return prepared(problem.model, problem.y0, plan), problem, plan

    def run(numbers: PyTree) -> tuple[PyTree, Found]:
        records, found = _searched(*whole(numbers))
        return records, jax.lax.stop_gradient(found)

    def repeated(numbers: PyTree, found: Found, kind: Kind) -> PyTree:
        made, problem, plan = whole(numbers)
        if kind == "smooth":
            return _stepped(made, problem, plan, uniform)[0]

        parts = _parts(made, plan)
        place = jnp.where(eqxi.unvmap_all(found.levels == plan.levels), len(parts) - 1, 0)
        return _moved(parts, problem, place, found.widen, kind=kind)[0]

    start = jnp.asarray(like.start)
    together = lanes_together(start) if framed.fits(like.field) else 1
    return ruled(run, repeated, numbers, apart=lanes_apart(start), together=together, few=MOST)


def _run(made: Prepared, problem: Problem, plan: FaberPlan, uniform: bool | None) -> Solution:
    form = plan.form
    if problem.progress or not problem.named:
        records, found = _stepped(made, problem, plan, uniform)
    elif problem.traced:
        records, found = _ruled(made, problem, plan, uniform)
    else:
        records, found = _searched(made, problem, plan)
    stats = {
        "terms": found.terms,
        "steps": jnp.minimum(found.wanted, MAX_MACRO_STEPS).astype(int),
        "levels": found.levels,
        "layout": form.layout,
    }
    diagnostics = {"time_error": found.error[0]}
    if plan.edge is not None or plan.first is not None:
        recorded = records["diagnostics"].pop("truncation", jnp.zeros(1))
        diagnostics["truncation"] = jnp.maximum(jnp.max(recorded), found.error[1])
    if made.outside is not None and plan.window is not None:
        diagnostics["pattern_error"] = jnp.asarray(made.outside)
    finished = found.wanted <= (problem.max_steps or MAX_MACRO_STEPS)
    return as_solution(problem, records, stats, finished, diagnostics, {"time_error": 10 * problem.rtol})


compiled, compiled_whole = eqx.filter_jit(_run), eqx.filter_jit(prepared_and_run)
