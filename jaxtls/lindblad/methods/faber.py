"""`Faber`: constant Lindblad equations by Faber expansion on the part of the density matrix that they fill.

Where all numbers are known (under an eager jax.grad their values are) sizes are chosen by looking: the window of basis
states that the population reaches, enlarged until what arrives at its edge is far below atol; the number of terms, more
where the last ones are not small. Where they are not (jit, vmap) a plan says so, or the whole basis and as many terms
and steps as the numbers ask for are used.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ... import _progress
from ..._checks import concrete, require
from ...dynamics import faber, stepping
from ...dynamics.methods.base import AbstractMethod, AbstractPlan
from ...dynamics.model import AbstractModel
from ...dynamics.problem import Problem, as_solution
from ...dynamics.solution import Solution
from ...numerics.namespace import namespace
from ..equation import MasterEquation
from ..lindbladian import Lindbladian, operators_of
from ..rhs.blocked import BlockField
from ..rhs.bounds import spectral_ellipse
from ..schroedinger import SchroedingerEquation
from ..storage.family import Skeleton
from . import ket
from .exponential import constant_only
from .records import recorder
from .structure import filled_by, of_size, structure

TERMS_STEP = 16
WIDEN = 1.7


MAX_MACRO_STEPS = 2**20
# Macro steps over which the truncation error of all together is kept to a share of rtol.
UNSHARED_STEPS = 100


class FaberPlan(AbstractPlan):
    """The form of the state, the terms of a macro step and their number in each interval."""

    form: PyTree  # BlockPlan or WholeMatrix
    edge: np.ndarray | None  # (n,) which states end the window
    ellipse: faber.Ellipse | None  # None: made from the numbers of the run
    counts: np.ndarray | None  # (T - 1,); None: by the numbers of the run
    used: np.ndarray | None  # terms of a macro step, of `terms` that are compiled for
    skeletons: tuple[Skeleton, Skeleton] = eqx.field(static=True)
    terms: int = eqx.field(static=True)
    bound: int = eqx.field(static=True)
    levels: int = eqx.field(static=True)
    window: int | None = eqx.field(static=True, default=None)
    widen: float = eqx.field(static=True, default=1.0)

    def describe(self) -> str:
        """Levels, layout and terms."""
        steps = "by the numbers" if self.counts is None else f"{int(np.sum(self.counts))}"
        return f"{self.levels} levels ({self.form.layout}); {self.terms} terms a macro step; macro steps {steps}"


class KetPlan(AbstractPlan):
    """For kets nothing has to be chosen: terms and steps are counted inside the program."""

    bound: int = eqx.field(static=True)

    def describe(self) -> str:
        """The most terms."""
        return f"up to {faber.TRACED_TERMS} terms a macro step, as many steps as the numbers ask for"


class Faber(AbstractMethod):
    """exp(h L) rho by Faber polynomials of L, for Lindbladians that do not depend on time.

    Example:
        >>> jt.Faber().name
        'Faber expansion'

    Source: see `dynamics.faber`.
    """

    @property
    def name(self) -> str:
        """The words "Faber expansion"."""
        return "Faber expansion"

    def refusal(self, problem: Problem) -> str | None:
        """It wants a constant Lindbladian."""
        found = constant_only(problem)
        if found is None and isinstance(problem.model, MasterEquation) and not problem.model.law.has_operators:
            return "be jt.MatrixExponential() or a diffrax solver for this generator: an expansion wants a Lindbladian"
        return found

    def plan(self, problem: Problem) -> AbstractPlan:
        """The first window, and the terms that its spectrum asks for; structure alone where numbers are traced."""
        if isinstance(problem.model, SchroedingerEquation):
            return KetPlan(problem.max_steps or 0)
        if problem.traced:
            return self._unknown(problem)
        return self._known(problem, 0, 1.0)

    def _known(self, problem: Problem, window: int, widen: float) -> FaberPlan:
        model, rho, ts = jax.tree.map(_known, (problem.model, problem.y0, problem.ts))
        law, filled = _lindbladian(model), filled_by(problem.y0)
        skeletons = law.terms.skeleton, law.jumps.skeleton
        form, found, edge, levels = structure(*skeletons, filled, window)
        durations = np.diff(ts).astype(float)
        ellipse = spectral_ellipse(law, found, 1e-3 / np.max(durations))
        # NumPy numbers, not Python's: those would be compiled in.
        ellipse = jax.tree.map(lambda x: np.asarray(widen * x, rho.real.dtype), ellipse)
        used, counts = faber.plan(ellipse, durations, _tolerance(problem), UNSHARED_STEPS)
        total, most = int(np.sum(counts)), problem.max_steps or MAX_MACRO_STEPS
        require(
            total <= most,
            "max_steps",
            f"be at least the {total} macro steps that this run needs (spectrum of width {float(ellipse.width):.3g})",
            most,
            "Raise max_steps, shorten the run, or pass method=jt.MatrixExponential().",
        )
        return FaberPlan(
            form, edge, ellipse, counts, np.asarray(used), skeletons, faber.MAX_TERMS, 0, levels, window, widen
        )

    def _unknown(self, problem: Problem) -> FaberPlan:
        law = _lindbladian(problem.model)
        skeletons = law.terms.skeleton, law.jumps.skeleton
        form, _, _, levels = structure(*skeletons, filled_by(problem.y0), None)
        bound = problem.max_steps or 0
        return FaberPlan(form, None, None, None, None, skeletons, faber.TRACED_TERMS, bound, levels)

    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """Macro steps from output to output."""
        known = concrete(problem.ts)
        uniform = None if known is None else stepping.equally_spaced(np.diff(known))
        if isinstance(plan, KetPlan):
            return ket.by_expansion(problem, uniform, plan.bound)
        assert isinstance(plan, FaberPlan)
        of_size(plan.form.n, problem.y0)
        with _progress.shown(problem.progress, len(problem.ts) - 1, "mesolve"):
            if problem.traced:
                return _prepare_and_run(problem, plan, uniform)
            model, rho = jax.tree.map(_known, (problem.model, problem.y0))
            assert plan.ellipse is not None
            return _run(_prepare(model, rho, plan, plan.ellipse), problem, plan, uniform)

    def judge(self, problem: Problem, plan: AbstractPlan, solution: Solution, attempt: int) -> FaberPlan | None:
        """A larger window where population arrived at its edge, more terms where the last ones are not small."""
        if not isinstance(plan, FaberPlan) or plan.window is None:
            return None
        if float(solution.diagnostics.get("pattern_error", 0.0)) > 0:
            # A plan of something else.
            return self._known(problem, 0, 1.0)
        coarse = not float(solution.diagnostics["time_error"]) <= problem.rtol
        leaks = plan.edge is not None and not float(solution.diagnostics["truncation"]) <= 0.1 * problem.atol
        if not (leaks or coarse):
            return None
        # Too narrow a window fails first, and its growth may be what makes the terms large.
        return self._known(problem, plan.window + leaks, plan.widen * (WIDEN if coarse and not leaks else 1.0))

    def settled(self, plan: AbstractPlan) -> AbstractPlan:
        """With static numbers of terms and steps, rounded up so that other numbers seldom compile anew."""
        if not isinstance(plan, FaberPlan) or plan.used is None or plan.counts is None:
            return plan
        terms = -(-int(plan.used) // TERMS_STEP) * TERMS_STEP
        bound = 2 ** int(np.ceil(np.log2(max(1, int(np.max(plan.counts))))))
        return dataclasses.replace(plan, used=None, terms=terms, bound=bound)


def _lindbladian(model: AbstractModel) -> Lindbladian:
    assert isinstance(model, MasterEquation)
    return operators_of(model.law)


def _known(leaf: PyTree) -> PyTree:
    """NumPy's numbers; functions of time, which observables may hold, are left alone."""
    return leaf if callable(leaf) else np.asarray(leaf)


def _tolerance(problem: Problem) -> float:
    return max(problem.rtol, float(np.finfo(problem.ts.dtype).eps) / faber.SHARE)


class Prepared(eqx.Module):
    """What a run needs, made from the equation and the state: in NumPy where numbers are known."""

    field: PyTree  # has ready() -> (L - c)/s on what the form splits
    start: ArrayLike
    weights: ArrayLike | None  # of the operators to record, where they are constant
    unit: ArrayLike  # of the trace
    outside: ArrayLike | None  # what lies outside the plan's patterns, where that is not known to be nothing
    at_edge: PyTree
    ellipse: faber.Ellipse


def _prepare(model: MasterEquation, rho: PyTree, plan: FaberPlan, ellipse: faber.Ellipse) -> Prepared:
    form = plan.form
    whole = _lindbladian(model)
    law = whole.patterned(*plan.skeletons)
    field = form.field(law, ellipse.centre, ellipse.capacity, hermitian=model.hermitian)
    unit = form.operators(np.eye(form.n, dtype=rho.dtype)[None])[0]
    at_edge = None if plan.edge is None else form.marked(plan.edge)
    weights = form.operators(model.operators.at(0.0)) if model.operators.is_constant else None
    outside = namespace(rho).maximum(whole.outside(*plan.skeletons), form.left_out(rho))
    known = concrete(outside)
    outside = None if known is not None and known == 0 else outside
    return Prepared(field, form.pack(rho), weights, unit, outside, at_edge, ellipse)


@eqx.filter_jit
def _prepare_and_run(problem: Problem, plan: FaberPlan, uniform: bool | None) -> Solution:
    model, ts = problem.model, problem.ts
    assert isinstance(model, MasterEquation)
    ellipse = plan.ellipse
    if ellipse is None:
        still = jax.lax.stop_gradient(_lindbladian(model).patterned(*plan.skeletons))
        _, found, _, _ = structure(*plan.skeletons, filled_by(problem.y0), None)
        # The corners of the bounding box lie outside its ellipse, and there is no second attempt.
        ellipse = spectral_ellipse(still, found, 1e-3 / jnp.max(jnp.diff(ts))).widened(WIDEN)
    ellipse = jax.tree.map(lambda x: jax.lax.stop_gradient(jnp.asarray(x, ts.dtype)), ellipse)
    return _run(_prepare(model, problem.y0, plan, ellipse), problem, plan, uniform)


def _counts(made: Prepared, problem: Problem, plan: FaberPlan, uniform: bool | None) -> Array:
    """Macro steps in each interval."""
    if plan.counts is None:
        ellipse = jax.tree.map(lambda x: jnp.asarray(x, problem.ts.dtype), made.ellipse)
        durations = jax.lax.stop_gradient(jnp.diff(problem.ts))
        counts = faber.traced_counts(ellipse, durations, _tolerance(problem))
    else:
        counts = jnp.asarray(plan.counts)
    return jnp.broadcast_to(counts[0], counts.shape) if uniform else counts


def _march(made: Prepared, problem: Problem, plan: FaberPlan, counts: Array) -> stepping.March:
    form, model = plan.form, problem.model
    assert isinstance(model, MasterEquation)
    ellipse = jax.tree.map(lambda x: jnp.asarray(x, problem.ts.dtype), made.ellipse)
    leak = lambda z: jnp.zeros((), z.real.dtype)
    if made.at_edge is not None:
        leak = lambda z: jnp.sum(jnp.where(made.at_edge, jnp.abs(form.populations(z)), 0.0))
    field = made.field.ready()
    stepper = faber.FaberExpansion(
        field,
        (lambda z: (z + form.conjugated(z)) / 2) if model.hermitian else (lambda z: z),
        leak,
        ellipse,
        plan.terms,
        plan.counts is None,
        faber.SHARE * _tolerance(problem),
        plan.used,
        form.split,
        form.joined,
        field.wide() if isinstance(field, BlockField) else None,
    )
    record = recorder(form, made.weights, made.unit, problem)
    return stepping.March(stepper, jnp.asarray(made.start), problem.ts, counts, record)


@eqx.filter_jit
def _run(made: Prepared, problem: Problem, plan: FaberPlan, uniform: bool | None) -> Solution:
    form, ts = plan.form, problem.ts
    counts = _counts(made, problem, plan, uniform)
    tick = _progress.tick if problem.progress else None
    finished = jnp.array(True)
    if not problem.traced:
        march = _march(made, problem, plan, counts)
        records, error = stepping.integrate(
            march.stepper, march.start, ts, march.record, counts=counts, uniform=uniform, tick=tick
        )
    elif problem.named and not problem.progress:
        numbers, rest = eqx.partition((made, problem, plan, counts), eqx.is_array)
        make = lambda numbers: _march(*eqx.combine(numbers, rest))
        records, error, finished = stepping.solved(make, numbers, uniform=uniform, bound=plan.bound)
    else:
        # Functions of the user's may hold numbers that a rule would not see.
        march = _march(made, problem, plan, counts)
        records, error, finished = stepping.integrate_traced(
            march.stepper, march.start, ts, march.record, counts=counts, uniform=uniform, bound=plan.bound, tick=tick
        )
    stats = {
        "method": "Faber expansion",
        "terms": jnp.asarray(plan.terms if plan.used is None else plan.used),
        "steps": jnp.sum(counts),
        "levels": plan.levels,
        "layout": form.layout,
    }
    found = {"time_error": error[0]}
    if made.at_edge is not None:
        found["truncation"] = error[1]
    if made.outside is not None and plan.window is not None:
        found["pattern_error"] = jnp.asarray(made.outside)
    return as_solution(problem, records, stats, finished, found, {"time_error": 10 * problem.rtol})
