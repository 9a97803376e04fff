"""This is the one file that meets diffrax: complex states, step control, adjoints and step limits are decided here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import diffrax
import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ... import _progress
from ..._checks import is_traced
from ..model import AbstractModel
from ..problem import Problem, as_solution
from ..solution import Solution
from . import plain_steps
from .base import AbstractMethod, AbstractPlan

# One adjoint does not serve both jax.grad and jax.jvp except DirectAdjoint, whose bounded loop grows with max_steps.
TRACED_MAX_STEPS = 16**4
MAX_STEPS = 2**20
# The relative tolerance from which on eight orders pay.
FINE = 1e-8
# For runs that nobody differentiates.
QUICKEST_TO_COMPILE = diffrax.ForwardMode()


Solver = diffrax.AbstractSolver
# What diffrax takes for a time.
Time = int | float | Array | np.ndarray
Adjoint = diffrax.AbstractAdjoint
StepSizeController = diffrax.AbstractStepSizeController
if TYPE_CHECKING:
    SplitModel: TypeAlias = AbstractModel
else:
    # What is wrong is refused in words that name the argument, also where a checker of types at run time is on.
    SplitModel = object


def as_real(tree: PyTree) -> PyTree:
    """Makes complex leaves real arrays with a leading axis (Re, Im): every diffrax solver takes them, implicit ones
    included."""
    return jax.tree.map(lambda z: jnp.stack([z.real, z.imag]) if jnp.iscomplexobj(z) else z, tree)


def from_real(tree: PyTree, like: PyTree) -> PyTree:
    """Undoes `as_real`; `like` tells which leaves were complex."""
    return jax.tree.map(lambda r, z: r[0] + 1j * r[1] if jnp.iscomplexobj(z) else r, tree, like)


def default_solver(rtol: float) -> diffrax.AbstractSolver:
    """Takes Tsit5, or Dopri8 where eight orders pay."""
    return diffrax.Tsit5() if rtol > FINE else diffrax.Dopri8()


def integrate(
    vector_field: Callable[[Any, PyTree, Any], PyTree],
    y0: PyTree,
    ts: Array,
    record: Callable[[Any, PyTree], PyTree],
    *,
    solver: diffrax.AbstractSolver | None,
    rtol: float,
    atol: float,
    max_steps: int | None,
    adjoint: diffrax.AbstractAdjoint | None,
    stepsize_controller: diffrax.AbstractStepSizeController | None,
    dt0: Any,
    jumps: Array | None = None,
    traced: bool,
    stops: Array | None = None,
    max_step: float | None = None,
    progress: bool = False,
) -> tuple[PyTree, dict[str, Any], Array]:
    """Solve, recording `record(y)` at ts. Returns (records, stats, success)."""

    edges = None if jumps is None or jumps.shape[0] == 0 else jnp.sort(jumps)
    start = ts[0]
    clock = None
    if edges is not None:
        clock = _clock(edges, ts) if traced else None
        edges, ts = jax.lax.stop_gradient((edges, ts))
        # A pulse written with a strict t > t0 is 0 at t0: begin just behind an edge.
        start = jnp.where(jnp.any(edges == ts[0]), eqxi.nextafter(ts[0]), ts[0])
        ts = jnp.maximum(ts, start)

    def field(t: Time, y: PyTree, args: PyTree) -> PyTree:
        t, speed = (t, None) if clock is None else clock(jnp.asarray(t))
        # A user's float64 constants must not raise the precision of a float32 state.
        dy = jax.tree.map(lambda d, z: jnp.asarray(d, z.dtype), vector_field(t, from_real(y, y0), args), y0)
        return as_real(dy if speed is None else jax.tree.map(lambda d: speed.astype(d.real.dtype) * d, dy))

    solver = default_solver(rtol) if solver is None else solver
    if adjoint is None:
        adjoint = diffrax.DirectAdjoint() if traced else diffrax.RecursiveCheckpointAdjoint()
    if max_steps is None:
        max_steps = TRACED_MAX_STEPS if traced else MAX_STEPS
    if stepsize_controller is None:
        # Steps that become shorter than rounding have met a number that is not finite: the run ends there.
        span = jax.lax.stop_gradient(jnp.maximum(ts[-1] - ts[0], jnp.max(jnp.abs(ts))))
        shortest = 4 * jnp.finfo(ts.dtype).eps * span
        stepsize_controller = diffrax.PIDController(
            rtol=rtol, atol=atol, dtmin=shortest, force_dtmin=False, dtmax=max_step
        )
        if isinstance(solver, StrangSolver):
            # Its interpolation is linear, so land on the output times.
            stepsize_controller = diffrax.ClipStepSizeController(stepsize_controller, step_ts=ts)
    if edges is not None or stops is not None:
        stepsize_controller = diffrax.ClipStepSizeController(stepsize_controller, step_ts=stops, jump_ts=edges)
    meter = Meter() if progress else diffrax.NoProgressMeter()
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(field),
        solver,
        t0=start,
        t1=ts[-1],
        dt0=dt0,
        y0=as_real(y0),
        saveat=diffrax.SaveAt(
            subs=[
                diffrax.SubSaveAt(ts=ts, fn=lambda t, y, args: record(t, from_real(y, y0))),
                diffrax.SubSaveAt(t1=True, fn=lambda t, y, args: t),
            ]
        ),
        stepsize_controller=stepsize_controller,
        adjoint=adjoint,
        max_steps=max_steps,
        throw=False,
        progress_meter=meter,
    )
    stats = {
        "steps": solution.stats["num_steps"],
        "rejected": solution.stats["num_rejected_steps"],
        "reached": jax.lax.stop_gradient(solution.ts[1][0]),
    }
    return solution.ys[0], stats, solution.result == diffrax.RESULTS.successful


class Meter(diffrax.AbstractProgressMeter):
    """Moves the bar on standard error, a hundred times at most."""

    def init(self) -> Array:
        """Starts with nothing shown."""
        return jnp.array(0.0)

    def step(self, state: Array, progress: ArrayLike) -> Array:
        """Show it where it is a hundredth more than what was shown."""
        progress = jnp.asarray(progress)
        more = (progress - state >= 0.01) | (progress == 1)
        jax.lax.cond(more, _progress.reach, lambda fraction: None, progress)
        return jnp.where(more, progress, state).astype(state.dtype)

    def close(self, state: Array) -> None:
        """The bar is closed by who opened it."""


def _clock(edges: Array, ts: Array) -> Callable[[Array], tuple[Array, Array]]:
    """Give time and its speed as functions of the solver's own time, which rests where edges or outputs are varied.

    The values are those of t and 1. Between two knots time is stretched with them, so that derivatives with respect to
    the places of edges and outputs come out: a step controller would lose them.
    """
    knots = jnp.sort(jnp.concatenate([edges, ts]))
    fixed = jax.lax.stop_gradient(knots)

    def clock(t: Array) -> tuple[Array, Array]:
        k = jnp.clip(jnp.searchsorted(fixed, t, side="right") - 1, 0, knots.shape[0] - 2)
        span = fixed[k + 1] - fixed[k]
        span = jnp.where(span == 0, 1, span)
        stretch = (knots[k + 1] - knots[k]) / span
        moved = knots[k] + (t - fixed[k]) * stretch
        return t + (moved - jax.lax.stop_gradient(moved)), 1 + (stretch - jax.lax.stop_gradient(stretch))

    return clock


class StrangSolver(diffrax.AbstractSolver):
    """Makes a model's splitting step a diffrax solver, locally extrapolated to fourth order with an error estimate.

    y(h) = (4 S(h/2)^2 - S(h))/3, error estimate y - S(h/2)^2. Takes the model's exact flows, not the vector field, so
    it is for `evolve(model, ..., solver=StrangSolver(model))` or diffrax itself with states of the model's own form
    (`as_real`).

    Arguments:
        model: one that offers `splitting_step(y0)`.
        extrapolate: False gives the bare Strang step (second order, no error estimate: use a constant step size).

    Raises:
        ValueError: if the model has no splitting.

    Example:
        >>> evolve(spring, y0, ts, solver=StrangSolver(spring))  # doctest: +SKIP

    Source: G. Strang, SIAM J. Numer. Anal. 5, 506 (1968).
    """

    model: SplitModel
    extrapolate: bool = eqx.field(static=True, default=True)

    term_structure = diffrax.ODETerm
    interpolation_cls = diffrax.LocalLinearInterpolation

    def __check_init__(self) -> None:
        if not (isinstance(self.model, AbstractModel) and self.model.can_split):
            raise ValueError(
                f"Argument `model` must offer splitting_step(y0), but {type(self.model).__name__} does not. "
                "Use a diffrax solver instead."
            )

    def order(self, terms: PyTree) -> int:
        return 4 if self.extrapolate else 2

    def init(self, terms: Any, t0: Time, t1: Time, y0: PyTree, args: PyTree) -> None:
        return None

    def func(self, terms: Any, t0: Time, y0: PyTree, args: PyTree) -> PyTree:
        return terms.vf(t0, y0, args)

    def step(
        self, terms: Any, t0: Time, t1: Time, y0: PyTree, args: PyTree, solver_state: Any, made_jump: Any
    ) -> tuple:
        del terms, args, made_jump
        y = jax.tree.map(lambda r: r[0] + 1j * r[1], y0)
        splitting = self.model.splitting_step(y)
        z, h = splitting.pack(y), jnp.asarray(t1 - t0)
        full = splitting.step(z, splitting.propagators(h))
        if not self.extrapolate:
            y1, error = as_real(splitting.unpack(full)), None
        else:
            propagators = splitting.propagators(h / 2)
            half = splitting.step(splitting.step(z, propagators), propagators)
            best = jax.tree.map(lambda a, b: (4 * a - b) / 3, half, full)
            y1 = as_real(splitting.unpack(best))
            error = jax.tree.map(lambda a, b: a - b, y1, as_real(splitting.unpack(half)))
        dense = {"y0": y0, "y1": y1}
        return y1, error, dense, None, diffrax.RESULTS.successful


class StepPlan(AbstractPlan):
    """Holds the steps of a diffrax solver, and the part of the basis that is kept."""

    attempt: int | None = eqx.field(static=True)  # of `AbstractModel.window`; None: the whole basis
    levels: int | None = eqx.field(static=True)
    max_steps: int | None = eqx.field(static=True)

    def describe(self) -> str:
        """Tells the levels kept and the most steps."""
        kept = "the whole basis" if self.levels is None else f"{self.levels} levels"
        return f"{kept}; at most {self.max_steps or 'as many as needed'} steps"


class Diffrax(AbstractMethod):
    """Runs any diffrax solver, with what it is to be run with; `None` leaves a choice to `evolve`.

    Arguments:
        solver: a diffrax solver; None: Tsit5, or Dopri8 for rtol <= 1e-8.
        adjoint, stepsize_controller, dt0: handed to diffrax.

    Example:
        >>> Diffrax().name
        'Tsit5'
    """

    solver: diffrax.AbstractSolver | None = None
    adjoint: diffrax.AbstractAdjoint | None = None
    stepsize_controller: diffrax.AbstractStepSizeController | None = None
    dt0: Any = None

    @property
    def name(self) -> str:
        """Names the class of the solver."""
        return type(self.solver or diffrax.Tsit5()).__name__

    def title(self, problem: Problem, plan: AbstractPlan) -> str:
        """Names the class of the solver that runs at this tolerance."""
        return type(self.solver or default_solver(problem.rtol)).__name__

    def remark(self, problem: Problem) -> str:
        """Says why the order is eight, where that is not the user's choice."""
        return f"; of order 8, as rtol <= {FINE:g}" if self.solver is None and problem.rtol <= FINE else ""

    def plan(self, problem: Problem) -> StepPlan:
        """Takes the window that the model proposes, where only its own observables are wanted and numbers are known."""
        known = not is_traced(problem) and not problem.traced
        if known and problem.model.can_window and problem.named and not problem.save_states and self.solver is None:
            return self._windowed(problem, 0)
        return StepPlan(None, None, problem.max_steps)

    def _windowed(self, problem: Problem, attempt: int) -> StepPlan:
        found = problem.model.window(problem.y0, problem.ts, problem.atol, attempt)
        if found is None:
            return StepPlan(None, None, problem.max_steps)
        return StepPlan(attempt, jax.tree.leaves(found[1])[0].shape[-1], problem.max_steps)

    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """Calls diffrax once."""
        assert isinstance(plan, StepPlan)
        model, y0 = problem.model, problem.y0
        if plan.levels is not None:
            model, y0 = model.resized(y0, (plan.levels,))
        adjoint = self.adjoint
        untouched = (self.solver, adjoint, self.stepsize_controller, self.dt0) == (None,) * 4
        if untouched and plan.levels is None and problem.rtol > FINE and plain_steps.fits(problem):
            return plain_steps.run(problem)
        if adjoint is None and not problem.traced and not model.closes_over and problem.named:
            # Nothing of the user's runs inside, so nothing can be differentiated.
            adjoint = QUICKEST_TO_COMPILE
        method = eqx.tree_at(lambda m: m.adjoint, self, adjoint, is_leaf=lambda x: x is None)
        with _progress.shown(problem.progress, len(problem.ts) - 1, "evolve"):
            return _run(method, eqx.tree_at(lambda p: (p.model, p.y0), problem, (model, y0)), plan)

    def judge(self, problem: Problem, plan: AbstractPlan, solution: Solution, attempt: int) -> StepPlan | None:
        """Takes the next window, where more than a tenth of atol arrived at the edge of this one."""
        assert isinstance(plan, StepPlan)
        if plan.attempt is None or float(solution.diagnostics["truncation"]) <= 0.1 * problem.atol:
            return None
        return self._windowed(problem, plan.attempt + 1)


@eqx.filter_jit
def _run(method: Diffrax, problem: Problem, plan: StepPlan) -> Solution:
    model, y0 = problem.model, problem.y0
    solver = default_solver(problem.rtol) if method.solver is None else method.solver
    records, stats, success = integrate(
        model.generator(y0),
        y0,
        problem.ts,
        problem.recorder(),
        solver=solver,
        rtol=problem.rtol,
        atol=problem.atol,
        max_steps=plan.max_steps,
        adjoint=method.adjoint,
        stepsize_controller=method.stepsize_controller,
        dt0=method.dt0,
        jumps=problem.discontinuities,
        traced=problem.traced,
        stops=model.stops(problem.ts),
        max_step=problem.max_step,
    )
    if plan.levels is not None:
        stats["n_levels"] = plan.levels
    return as_solution(problem, records, stats, success)
