"""`Splitting` is a model's own symmetric step with Richardson extrapolation, sizes and steps chosen by looking."""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ... import _progress
from ..._checks import concrete, is_traced, require
from ..._platform import platform
from .. import extrapolation, stepping
from ..corner import SHARE, Corner
from ..model import AbstractModel
from ..problem import Problem, as_solution
from ..solution import Solution
from .base import AbstractMethod, AbstractPlan

# Levels of the extrapolation where numbers are traced: on a CPU as many as cost least, up to so many, else always four.
MOST_TRACED, GPU_LEVELS = 6, 4
MAX_MACRO_STEPS = 2**20
# The error estimate is that of the lower order, some ten times the error of the result: accept this many times rtol.
ESTIMATE_SLACK = 30.0
MAX_RATE_FACTOR = 30.0
# Output times of a run that is short.
SHORT_RUN = 32


class SplittingPlan(AbstractPlan):
    """Holds the sizes of the state, and how macro steps are made."""

    sizes: tuple[int, ...] = eqx.field(static=True)  # (n_coefficients, n_levels)
    n_levels: int = eqx.field(static=True)  # of the extrapolation; 0: as many as cost least, by the numbers of the run
    rate_factor: float = eqx.field(static=True)
    # Most macro steps in an interval, for traced runs; 0: as many as the numbers say.
    bound: int = eqx.field(static=True)
    counts: tuple[int, ...] = eqx.field(static=True, default=())

    @property
    def order(self) -> str:
        """Says of which order the extrapolation is."""
        return f"order {2 * self.n_levels}" if self.n_levels else f"order up to {2 * MOST_TRACED}"

    def describe(self) -> str:
        """Tells the sizes, the order and the macro steps."""
        steps = f"{sum(self.counts)} macro steps" if self.counts else "macro steps by the numbers"
        return f"{self.sizes} coefficients and levels; {self.order}; {steps}"


class Splitting(AbstractMethod):
    """Takes the model's exact flows in turns, extrapolated; for models that offer `splitting_step`.

    Example:
        >>> jt.Splitting().name
        'Strang splitting'

    Source: see `dynamics.extrapolation`.
    """

    @property
    def name(self) -> str:
        """Says "Strang splitting"."""
        return "Strang splitting"

    def title(self, problem: Problem, plan: AbstractPlan) -> str:
        """Adds the order."""
        assert isinstance(plan, SplittingPlan)
        return f"{self.name}, {plan.order}"

    def refusal(self, problem: Problem) -> str | None:
        """It wants a model that splits, and no discontinuities."""
        if not problem.model.can_split:
            return "be one that fits: splitting wants a model with a splitting step"
        return None if problem.discontinuities is None else "be a diffrax solver where there are discontinuities"

    def plan(self, problem: Problem) -> SplittingPlan:
        """Takes the model's first sizes; the cheapest order and the macro steps, where numbers are known."""
        found = self._sized(problem, None, 0, None)
        assert found is not None
        return found

    def _sized(
        self, problem: Problem, last: SplittingPlan | None, attempt: int, diagnostics: Mapping[str, Array] | None
    ) -> SplittingPlan | None:
        """Give the plan of an attempt; None where neither sizes nor steps are to change."""
        factor, coarse = (1.0, False) if last is None else (last.rate_factor, False)
        if diagnostics is not None and problem.max_steps is None:
            accurate = float(diagnostics["time_error"]) <= ESTIMATE_SLACK * problem.rtol
            coarse = not accurate and factor < MAX_RATE_FACTOR
        model, y0 = (problem.model, problem.y0) if last is None else _resized(problem, last)
        proposal = model.resolve(y0, problem.ts, attempt, diagnostics)
        if proposal is None and not coarse:
            return None
        model, y0 = (model, y0) if proposal is None else proposal
        factor *= 1.7 if coarse else 1.0
        shape = jax.tree.leaves(y0)[0].shape
        sizes = (shape[0], shape[-1])
        durations = concrete(problem.ts)
        if durations is None or is_traced(problem) or problem.traced:
            return SplittingPlan(sizes, 0 if platform() == "cpu" else GPU_LEVELS, factor, problem.max_steps or 0)
        durations = np.diff(durations)
        # Known numbers stay known inside jit.
        with jax.ensure_compile_time_eval():
            rate = float(_rate(model.with_counts_as_data(y0))) * factor
        n_levels = extrapolation.cheapest_levels(durations, rate, problem.rtol)
        counts = extrapolation.macro_steps(durations, rate, problem.rtol, n_levels)
        total, most = int(np.sum(counts)), problem.max_steps or MAX_MACRO_STEPS
        require(
            total <= most,
            "max_steps",
            f"be at least the {total} macro steps that this run needs (fastest rate {rate:.3g})",
            most,
            "Raise max_steps, loosen rtol or shorten the run.",
        )
        return SplittingPlan(sizes, n_levels, factor, _bound(counts), tuple(counts.tolist()))

    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """Makes macro steps from output to output."""
        assert isinstance(plan, SplittingPlan)
        model, y0 = _resized(problem, plan)
        known = not problem.traced
        if known:
            # One program for all numbers of a like shape, where the model can hand over what it holds as structure.
            model = model.with_counts_as_data(y0)
        times = concrete(problem.ts)
        uniform = None if times is None else stepping.equally_spaced(np.diff(times))
        # Known counts reach the program as numbers, not as structure that would compile anew.
        static = (plan.n_levels, 0 if known else plan.bound, uniform, known)
        sized = eqx.tree_at(lambda p: (p.model, p.y0), problem, (model, y0))
        with _progress.shown(problem.progress, len(problem.ts) - 1, "evolve"):
            return _run(sized, jnp.asarray(plan.rate_factor), static)

    def judge(self, problem: Problem, plan: AbstractPlan, solution: Solution, attempt: int) -> SplittingPlan | None:
        """Takes larger sizes where the model sees the need, shorter steps where their error is too large."""
        assert isinstance(plan, SplittingPlan)
        return self._sized(problem, plan, attempt, solution.diagnostics)


def _resized(problem: Problem, plan: SplittingPlan) -> tuple[AbstractModel, PyTree]:
    """Give model and state of the plan's sizes."""
    return problem.model.resized(problem.y0, plan.sizes)


def _bound(counts: np.ndarray) -> int:
    """Count macro steps of the longest interval, rounded up so that other numbers seldom compile anew."""
    return 2 ** int(np.ceil(np.log2(max(1, int(np.max(counts))))))


@eqx.filter_jit
def _rate(model: AbstractModel) -> Array:
    return model.splitting_rate()


def _march(problem: Problem, rate_factor: Array, static: tuple) -> stepping.March:
    """Make macro steps, count them in each interval, and make those of the first levels where these may do alone."""
    n_levels, _, uniform, _ = static
    model, y0 = problem.model, problem.y0
    splitting = model.splitting_step(y0)
    rate = jax.lax.stop_gradient(splitting.rate * rate_factor)
    durations = jax.lax.stop_gradient(jnp.diff(problem.ts))
    used = None
    if n_levels:
        counts = extrapolation.macro_steps(durations, rate, problem.rtol, n_levels)
    else:
        used, counts = extrapolation.cheapest(durations, rate, problem.rtol, MOST_TRACED)
    levels = tuple(range(1, (n_levels or MOST_TRACED) + 1))
    if uniform:
        counts = jnp.broadcast_to(counts[0], counts.shape)
    extrapolated = lambda splitting: extrapolation.Extrapolation(splitting, levels, used)
    # Intervals that differ ask for propagators each, which cost more than steps of few levels save; in a short run the
    # program of these would.
    few, corner = model.corner(y0) if uniform and problem.ts.shape[0] > SHORT_RUN else None, None
    if few is not None:
        narrow = model.splitting_step(few)
        shapes = tuple(x.shape for x in jax.tree.leaves(jax.eval_shape(narrow.pack, few)))
        corner = Corner(extrapolated(narrow), shapes, SHARE * problem.rtol)
    return stepping.March(extrapolated(splitting), y0, problem.ts, counts, problem.recorder(), corner)


@eqx.filter_jit
def _run(problem: Problem, rate_factor: Array, static: tuple) -> Solution:
    _, bound, uniform, known = static
    model, y0, ts = problem.model, problem.y0, problem.ts
    march = _march(problem, rate_factor, static)
    stepper, counts = march.stepper, march.counts
    assert isinstance(stepper, extrapolation.Extrapolation)
    tick = _progress.tick if problem.progress else None
    how: dict = {"counts": counts, "uniform": uniform, "tick": tick}
    finished = jnp.array(True)
    if known:
        records, error = stepping.integrate(stepper, y0, ts, march.record, corner=march.corner, **how)
    elif problem.named and not model.closes_over and not problem.progress:
        numbers, rest = eqx.partition((problem, rate_factor), eqx.is_array)

        def make(numbers: PyTree) -> stepping.March:
            problem, rate_factor = eqx.combine(numbers, rest)
            return _march(problem, rate_factor, static)

        records, error, finished = stepping.solved(make, numbers, uniform=uniform, bound=bound)
    else:
        # Functions of the user's may hold numbers that a rule would not see.
        records, error, finished = stepping.integrate_traced(stepper, y0, ts, march.record, bound=bound, **how)
    stats = {
        "steps": jnp.sum(counts) * jnp.sum(stepper.counts()),
        "n_levels": jax.tree.leaves(y0)[0].shape[-1],
        "n_coefficients": jax.tree.leaves(y0)[0].shape[0],
    }
    limits = {"time_error": ESTIMATE_SLACK * problem.rtol}
    return as_solution(problem, records, stats, finished, {"time_error": error}, limits)
