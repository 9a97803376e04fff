"""`Faber` solves constant Lindblad equations by Faber expansion on the part of the density matrix that they fill.

Where all numbers are known (under an eager jax.grad their values are) sizes are chosen by looking: the window of basis
states that the population reaches, enlarged until what arrives at its edge is far below atol; the number of terms, more
where the last ones are not small. Where they are not (jit, vmap) a plan says so, or the whole basis and as many terms
and steps as the numbers ask for are used.
"""

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
from ..._checks import concrete, require
from ..._platform import platform
from ...dynamics import faber, stepping, sweep
from ...dynamics.methods.base import AbstractMethod, AbstractPlan
from ...dynamics.model import AbstractModel
from ...dynamics.problem import Problem, as_solution
from ...dynamics.rule import Kind, lanes_apart, lanes_together, ruled
from ...dynamics.solution import Solution
from ...numerics.namespace import namespace
from ..equation import MasterEquation
from ..lindbladian import Lindbladian, operators_of
from ..rhs import framed
from ..rhs.blocked import BlockField, BlockPlan, diagonals
from ..rhs.bounds import spectral_ellipse
from ..rhs.framed import FramedField
from ..rhs.sectors import Blocks
from ..schroedinger import SchroedingerEquation
from ..storage.diagonals import Pattern
from ..storage.family import Skeleton
from . import ket
from .exponential import constant_only
from .records import Weights, recorder, records_of
from .structure import filled_by, first_window, for_states, of_equation, structure

# Most terms of a macro step.
TERMS = 96
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
        return f"{self.levels} levels ({self.form.layout}); up to {TERMS} terms a macro step, steps by the numbers"


class KetPlan(AbstractPlan):
    """For kets nothing has to be chosen: terms and steps are counted inside the program."""

    bound: int = eqx.field(static=True)

    def describe(self) -> str:
        """Tells the most terms."""
        return f"up to {faber.TRACED_TERMS} terms a macro step, as many steps as the numbers ask for"


class Faber(AbstractMethod):
    """Computes exp(h L) rho by Faber polynomials of L, for Lindbladians that do not depend on time.

    Example:
        >>> jt.Faber().name
        'Faber expansion'

    Source: see `dynamics.faber`.
    """

    @property
    def name(self) -> str:
        """Says "Faber expansion"."""
        return "Faber expansion"

    def refusal(self, problem: Problem) -> str | None:
        """It wants a constant Lindbladian."""
        found = constant_only(problem)
        if found is None and isinstance(problem.model, MasterEquation) and not problem.model.law.has_operators:
            return "be jt.MatrixExponential() or a diffrax solver for this generator: an expansion wants a Lindbladian"
        return found

    def plan(self, problem: Problem) -> AbstractPlan:
        """Chooses the first window, and the terms that its spectrum asks for; by structure alone for traced numbers."""
        if isinstance(problem.model, SchroedingerEquation):
            return KetPlan(problem.max_steps or 0)
        if problem.traced:
            return self._unknown(problem)
        return self._known(problem, 0)

    def _known(self, problem: Problem, window: int) -> FaberPlan:
        model, rho, ts = jax.tree.map(_known, (problem.model, problem.y0, problem.ts))
        law, filled = _lindbladian(model), filled_by(problem.y0)
        skeletons = law.terms.skeleton, law.jumps.skeleton
        form, found, edge, levels = structure(*skeletons, filled, window)
        span = float(ts[-1] - ts[0])

        def around(found: Blocks) -> faber.Ellipse:
            # NumPy numbers, not Python's: those would be compiled in.
            return jax.tree.map(lambda x: np.asarray(x, rho.real.dtype), spectral_ellipse(law, found, 1e-3 / span))

        ellipse = around(found)
        total = int(np.ceil(span * ellipse.capacity / faber.reach(TERMS, _share(problem))))
        most = problem.max_steps or MAX_MACRO_STEPS
        require(
            total <= most,
            "max_steps",
            f"be at least the {total} macro steps that this run needs (spectrum of width {float(ellipse.width):.3g})",
            most,
            "Raise max_steps, shorten the run, or pass method=jt.MatrixExponential().",
        )
        part = first_window(*skeletons, filled) if window == 0 and edge is None else None
        first = _first(part, skeletons, filled, around)
        return FaberPlan(form, edge, ellipse, skeletons, filled, levels, window, first)

    def _unknown(self, problem: Problem) -> FaberPlan:
        law = _lindbladian(problem.model)
        skeletons = law.terms.skeleton, law.jumps.skeleton
        filled = filled_by(problem.y0)
        form, _, _, levels = structure(*skeletons, filled, None)
        first = _first(first_window(*skeletons, filled), skeletons, filled, lambda found: None)
        return FaberPlan(form, None, None, skeletons, filled, levels, first=first)

    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """Makes macro steps from output to output."""
        known = concrete(problem.ts)
        uniform = None if known is None else stepping.equally_spaced(np.diff(known))
        if isinstance(plan, KetPlan):
            return ket.by_expansion(problem, uniform, plan.bound)
        assert isinstance(plan, FaberPlan)
        assert isinstance(problem.model, MasterEquation)
        of_equation(plan.form.n, plan.skeletons, problem.y0, _lindbladian(problem.model))
        plan = _for_model(plan, problem.model)
        with _progress.shown(problem.progress, len(problem.ts) - 1, "mesolve"):
            if problem.traced:
                return _prepare_and_run(problem, plan, uniform)
            model, rho = jax.tree.map(_known, (problem.model, problem.y0))
            return _run(_prepare(model, rho, plan), problem, plan, uniform)

    def judge(self, problem: Problem, plan: AbstractPlan, solution: Solution, attempt: int) -> FaberPlan | None:
        """Takes a larger window where population arrived at its edge, more terms where the last ones are not small."""
        if not isinstance(plan, FaberPlan) or plan.window is None:
            return None
        if float(solution.diagnostics.get("pattern_error", 0.0)) > 0:
            # A plan of something else.
            return self._known(problem, 0)
        if plan.edge is None or float(solution.diagnostics["truncation"]) <= 0.1 * problem.atol:
            return None
        return self._known(problem, plan.window + 1)


def _for_model(plan: FaberPlan, model: MasterEquation) -> FaberPlan:
    first = None if plan.first is None else _for_model(plan.first, model)
    diagonal = isinstance(plan.form, BlockPlan) and model.operators.is_diagonal
    return dataclasses.replace(plan, form=for_states(plan.form, model.hermitian), first=first, diagonal=diagonal)


def _first(
    part: tuple | None, skeletons: tuple[Skeleton, Skeleton], filled: Pattern, around: Callable
) -> FaberPlan | None:
    """Return the plan of a window that is tried first."""
    if part is None:
        return None
    form, found, edge, levels = part
    return FaberPlan(form, edge, around(found), skeletons, filled, levels)


def _lindbladian(model: AbstractModel) -> Lindbladian:
    assert isinstance(model, MasterEquation)
    return operators_of(model.law)


def _known(leaf: PyTree) -> PyTree:
    """Give NumPy's numbers; functions of time, which observables may hold, are left alone."""
    return leaf if callable(leaf) else np.asarray(leaf)


def _share(problem: Problem) -> float:
    """Say what the terms of one step may leave out."""
    return faber.SHARE * max(problem.rtol, float(np.finfo(problem.ts.dtype).eps) / faber.SHARE)


class Prepared(eqx.Module):
    """Holds what a run needs, made from the equation and the state: in NumPy where numbers are known."""

    field: PyTree  # has ready() -> L on what the form splits
    start: ArrayLike
    weights: Weights
    outside: ArrayLike | None  # what lies outside the plan's patterns, where that is not known to be nothing
    ellipse: faber.Ellipse
    first: Prepared | None


def _prepare(model: MasterEquation, rho: PyTree, plan: FaberPlan) -> Prepared:
    form, ellipse, whole = plan.form, plan.ellipse, _lindbladian(model)
    assert ellipse is not None
    law = whole.patterned(*plan.skeletons)
    field = form.field(law, 0.0, 1.0, hermitian=model.hermitian)
    outside = namespace(rho).maximum(whole.outside(*plan.skeletons), form.left_out(rho))
    known = concrete(outside)
    outside = None if known is not None and known == 0 else outside
    first = None if plan.first is None else _prepare(model, rho, plan.first)
    return Prepared(field, form.pack(rho), Weights.of(form, model, plan.edge, rho.dtype), outside, ellipse, first)


@eqx.filter_jit
def _prepare_and_run(problem: Problem, plan: FaberPlan, uniform: bool | None) -> Solution:
    model, ts = problem.model, problem.ts
    assert isinstance(model, MasterEquation)
    still = jax.lax.stop_gradient(_lindbladian(model).patterned(*plan.skeletons))

    def known(plan: FaberPlan, find: Callable) -> FaberPlan:
        """Adds an ellipse, of the numbers of the run unless it has one."""
        ellipse = plan.ellipse
        if ellipse is None:
            ellipse = spectral_ellipse(still, find(*plan.skeletons, plan.filled)[1], 1e-3 / (ts[-1] - ts[0]))
        ellipse = jax.tree.map(lambda x: jax.lax.stop_gradient(jnp.asarray(x, ts.dtype)), ellipse)
        first = None if plan.first is None else known(plan.first, first_window)
        return dataclasses.replace(plan, ellipse=ellipse, first=first)

    plan = known(plan, functools.partial(structure, window=None))
    return _run(_prepare(model, problem.y0, plan), problem, plan, uniform)


def _expansion(made: Prepared, problem: Problem, plan: FaberPlan, widen: ArrayLike) -> faber.FaberExpansion:
    """Take an ellipse so many times as large as the planned one."""
    form, model = plan.form, problem.model
    assert isinstance(model, MasterEquation)
    ellipse = jax.tree.map(lambda x: jnp.asarray(x, problem.ts.dtype), made.ellipse)
    # (L - w c)/(w s).
    scale = 1 / (widen * ellipse.capacity), -ellipse.centre / ellipse.capacity
    whole = made.field.ready()
    field = whole.scaled(*scale)
    return faber.FaberExpansion(
        field,
        form.hermitian_part if model.hermitian else (lambda z: z),
        made.weights.at_edge,
        ellipse.widened(widen),
        TERMS,
        False,
        _share(problem),
        None,
        form.split,
        form.joined,
        field.wide() if isinstance(field, BlockField) else None,
        FramedField.of(whole, *scale) if platform() == "cpu" and framed.fits(whole) else None,
    )


def _sweep(made: Prepared, problem: Problem, plan: FaberPlan, widen: ArrayLike) -> tuple[sweep.Sweep, Array]:
    """Make the run by an ellipse; count the steps it asks for."""
    expansion = _expansion(made, problem, plan, widen)
    span, capacity = jax.lax.stop_gradient((problem.ts[-1] - problem.ts[0], expansion.ellipse.capacity))
    wanted = eqxi.unvmap_max(jnp.ceil(span * capacity / faber.reach(TERMS, _share(problem)) - 1e-9))
    wanted = jnp.maximum(jnp.where(jnp.isfinite(wanted), wanted, 1.0), 1.0)
    steps = jnp.minimum(wanted, problem.max_steps or MAX_MACRO_STEPS).astype(int)
    expansion = eqx.tree_at(lambda e: e.used, expansion, expansion.enough(span / steps), is_leaf=lambda x: x is None)
    start = jnp.asarray(made.start)
    if not made.weights.are_enough(problem):
        return sweep.Sweep(expansion, start, problem.ts, steps, None), wanted
    rows = plan.form.rows(made.weights.together())
    if not plan.diagonal:
        return sweep.Sweep(expansion, start, problem.ts, steps, rows), wanted
    return sweep.Sweep(expansion, start, problem.ts, steps, jax.vmap(diagonals)(rows), diagonals), wanted


class Found(eqx.Module):
    """Holds what a run found beside its records: how wide an ellipse, sizes of last terms and of leaks, steps,
    terms, and how many levels it kept.
    """

    widen: Array
    error: Array
    wanted: Array
    terms: Array
    levels: Array


def _searched(made: Prepared, problem: Problem, plan: FaberPlan, most: float | None = None) -> tuple[PyTree, Found]:
    """Find the records by the first ellipse that is large enough."""

    def attempt(carry: tuple) -> tuple:
        run, wanted = _sweep(made, problem, plan, widen := carry[0])
        values, error = sweep.swept(run, most, quick=True)
        return WIDEN * widen, values, Found(widen, error, wanted, run.expansion.used, jnp.asarray(plan.levels))

    def again(carry: tuple) -> Array:
        widen, _, found = carry
        coarse = eqxi.unvmap_any(~(found.error[0] <= problem.rtol))
        return (widen == 1.0) | ((widen <= WIDEST) & coarse)

    begin = jnp.ones((), problem.ts.dtype)
    kept = _sweep(made, problem, plan, begin)[0].kept()
    nothing = jnp.zeros_like(begin)
    found = Found(begin, jnp.zeros(2, begin.dtype), nothing, jnp.zeros((), int), jnp.asarray(plan.levels))
    carry = begin, jnp.zeros((*problem.ts.shape, *kept.shape), kept.dtype), found
    _, values, found = jax.lax.while_loop(again, attempt, carry)
    return records_of(plan.form, made.weights, problem, values), found


def _levels_searched(made: Prepared, problem: Problem, plan: FaberPlan) -> tuple[PyTree, Found]:
    """Find the records on part of the levels, or on all where that proves too small."""
    if plan.first is None or made.first is None:
        return _searched(made, problem, plan)
    most = 0.1 * problem.atol
    records, found = _searched(made.first, problem, plan.first, most)
    leak = jnp.maximum(jnp.max(records["diagnostics"].pop("truncation")), found.error[1])
    return jax.lax.cond(eqxi.unvmap_all(leak <= most), lambda: (records, found), lambda: _searched(made, problem, plan))


def _stepped(made: Prepared, problem: Problem, plan: FaberPlan, uniform: bool | None) -> tuple[PyTree, Found]:
    """Find the records by steps that end at each output, with functions of the user's or a bar of how far it is."""
    expansion = dataclasses.replace(_expansion(made, problem, plan, WIDEN), grouped=True)
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
    return records, Found(jnp.asarray(WIDEN), error, wanted, jnp.asarray(TERMS), jnp.asarray(plan.levels))


def _ruled(made: Prepared, problem: Problem, plan: FaberPlan, uniform: bool | None) -> tuple[PyTree, Found]:
    """Find the records of a run of traced numbers, with derivatives by a rule."""
    numbers, rest = eqx.partition((made, problem, plan), eqx.is_array)

    def run(numbers: PyTree) -> tuple[PyTree, Found]:
        records, found = _levels_searched(*eqx.combine(numbers, rest))
        return records, jax.lax.stop_gradient(found)

    def repeated(numbers: PyTree, found: Found, kind: Kind) -> PyTree:
        made, problem, plan = eqx.combine(numbers, rest)
        if kind == "smooth":
            return _stepped(made, problem, plan, uniform)[0]

        def again(made: Prepared, plan: FaberPlan) -> PyTree:
            run = _sweep(made, problem, plan, found.widen)[0]
            values = sweep.reversible(run) if kind == "reverse" else sweep.swept(run)[0]
            return records_of(plan.form, made.weights, problem, values)

        if plan.first is None or made.first is None:
            return again(made, plan)

        def on_part(made: Prepared, plan: FaberPlan) -> PyTree:
            records = again(made, plan)
            records["diagnostics"].pop("truncation")
            return records

        all_kept = eqxi.unvmap_all(found.levels == plan.levels)
        part = functools.partial(on_part, made.first, plan.first)
        return jax.lax.cond(all_kept, functools.partial(again, made, plan), part)

    start = jnp.asarray(made.start)
    together = lanes_together(start) if framed.fits(made.field) else 1
    return ruled(run, repeated, numbers, apart=lanes_apart(start), together=together)


@eqx.filter_jit
def _run(made: Prepared, problem: Problem, plan: FaberPlan, uniform: bool | None) -> Solution:
    form = plan.form
    if problem.progress or not problem.named:
        records, found = _stepped(made, problem, plan, uniform)
    elif problem.traced:
        records, found = _ruled(made, problem, plan, uniform)
    else:
        records, found = _levels_searched(made, problem, plan)
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
