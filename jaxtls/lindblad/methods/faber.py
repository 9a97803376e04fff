"""`Faber` solves constant Lindblad equations by Faber expansion on the part of the density matrix that they fill.

Where all numbers are known (under an eager jax.grad their values are) sizes are chosen by looking: the window of basis
states that the population reaches, enlarged until what arrives at its edge is far below atol; the number of terms, more
where the last ones are not small. Where they are not (jit, vmap) a plan says so, or the whole basis and as many terms
and steps as the numbers ask for are used.
"""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import numpy as np

from ... import _progress
from ..._checks import concrete, inside_jit, require
from ...dynamics import faber, stepping
from ...dynamics.methods.base import AbstractMethod, AbstractPlan
from ...dynamics.problem import Problem
from ...dynamics.solution import Solution
from ..equation import MasterEquation
from ..rhs.blocked import BlockPlan
from ..rhs.bounds import spectral_ellipse
from ..rhs.sectors import Blocks
from ..schroedinger import SchroedingerEquation
from . import ket
from .exponential import constant_only
from .faber_run import (
    MAX_MACRO_STEPS,
    FaberPlan,
    compiled,
    compiled_whole,
    first_part,
    lindbladian_of,
    prepared,
    prepared_and_run,
    share_of,
    terms_of,
)
from .structure import filled_by, first_window, for_states, is_small, of_equation, structure, with_known


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
        known = with_known(problem)
        model, rho, ts = known.model, known.y0, np.asarray(problem.ts)
        law, filled = lindbladian_of(model), filled_by(problem.y0)
        skeletons = law.terms.skeleton, law.jumps.skeleton
        form, found, edge, levels = structure(*skeletons, filled, window)
        span = float(ts[-1] - ts[0])

        def around(found: Blocks) -> faber.Ellipse:
            # NumPy numbers, not Python's: those would be compiled in.
            return jax.tree.map(lambda x: np.asarray(x, rho.real.dtype), spectral_ellipse(law, found, 1e-3 / span))

        ellipse = around(found)
        total = int(np.ceil(span * ellipse.capacity / faber.reach(terms_of(form.n), share_of(problem))))
        most = problem.max_steps or MAX_MACRO_STEPS
        require(
            total <= most,
            "max_steps",
            f"be at least the {total} macro steps that this run needs (spectrum of width {float(ellipse.width):.3g})",
            most,
            "Raise max_steps, shorten the run, or pass method=jt.MatrixExponential().",
        )
        part = first_window(*skeletons, filled) if window == 0 and edge is None else None
        first = first_part(part, skeletons, filled, around)
        return FaberPlan(form, edge, ellipse, skeletons, filled, levels, window, first)

    def _unknown(self, problem: Problem) -> FaberPlan:
        law = lindbladian_of(problem.model)
        skeletons = law.terms.skeleton, law.jumps.skeleton
        filled = filled_by(problem.y0)
        form, _, _, levels = structure(*skeletons, filled, None)
        first = first_part(first_window(*skeletons, filled), skeletons, filled, lambda found: None)
        return FaberPlan(form, None, None, skeletons, filled, levels, first=first)

    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """Makes macro steps from output to output."""
        known = concrete(problem.ts)
        uniform = None if known is None else stepping.equally_spaced(np.diff(known))
        if isinstance(plan, KetPlan):
            return ket.by_expansion(problem, uniform, plan.bound)
        assert isinstance(plan, FaberPlan)
        assert isinstance(problem.model, MasterEquation)
        of_equation(plan.form.n, plan.skeletons, problem.y0, lindbladian_of(problem.model))
        plan = _for_model(plan, problem.model)
        with _progress.shown(problem.progress, len(problem.ts) - 1, "mesolve"):
            mine = with_known(problem)
            if inside_jit() and is_small(plan.form):
                # What is known is made here, and no part of the program.
                return prepared_and_run(mine, plan, uniform)
            if problem.traced:
                return compiled_whole(problem, plan, uniform)
            assert isinstance(mine.model, MasterEquation)
            made = prepared(mine.model, mine.y0, plan)
            if concrete(made.outside) == 0:
                made = dataclasses.replace(made, outside=None)
            return compiled(made, problem, plan, uniform)

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
