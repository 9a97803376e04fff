"""`evolve` is the one entry point that moves any model and records observables as it goes."""

from __future__ import annotations

import equinox as eqx
import numpy as np
from jaxtyping import PyTree

from .._checks import is_traced, refused, warn
from .._types import Numbers
from .methods.base import march
from .options import (
    EvolveOptions,
    GivenAdjoint,
    GivenController,
    GivenMethod,
    GivenObservables,
    GivenSolver,
    GivenStep,
    ModelLike,
    Tolerance,
)
from .plan import Plan
from .posing import posed
from .solution import Solution


def evolve(
    model: ModelLike,
    y0: PyTree,
    ts: Numbers,
    *,
    observables: GivenObservables = None,
    save_states: bool = False,
    discontinuities: Numbers | None = None,
    method: GivenMethod = "auto",
    plan: Plan | None = None,
    solver: GivenSolver = None,
    rtol: Tolerance = 1e-6,
    atol: Tolerance = 1e-8,
    max_steps: int | None = None,
    max_step: float | None = None,
    adjoint: GivenAdjoint = None,
    stepsize_controller: GivenController = None,
    dt0: GivenStep = None,
    progress: bool = False,
    throw: bool | None = None,
) -> Solution:
    """Move a model's state through the times `ts`, recording observables on the fly.

    dy/dt = model.vector_field(t, y, args), or the model's own exact splitting where it offers one and `solver` is None.

    Arguments:
        model: a jaxtls model, or any eqx.Module with `vector_field(t, y, args)`.
        y0: initial state, a pytree of arrays (from the model's `..._state`).
        ts: (T,) ascending times; may be uneven and may be traced.
        observables: name -> function of the state, or names among the model's own; None records `model.observables`.
            Functions are compiled in: define them once, not anew for each call.
        save_states: keep the states, with a leading time axis.
        discontinuities: (K,) times at which the vector field jumps: a step ends just before each, and the next starts
            just after it. May be traced and differentiated.
        method: "auto", `jt.Splitting()`, `jt.Faber()`, `jt.MatrixExponential()` or any diffrax solver. "auto"
            is the model's splitting if it has one, the expansion or exponential of a constant generator, else Tsit5
            (Dopri8 for rtol <= 1e-8); `.stats["method"]` says which, `.stats["why"]` why.
        plan: sizes and steps found by `jt.plan` at a representative point, for runs inside jit, vmap and grad.
        solver: any diffrax solver; the older name of `method`.
        rtol, atol: relative and absolute tolerance.
        max_steps: most steps to take. None: as many as needed; where parameters or times are
            traced, 1024 macro steps of a splitting in each interval or 65536 steps of a diffrax solver.
        max_step: longest step of a solver that controls its steps [time], for pulses that it would step over.
        adjoint: a diffrax adjoint, for diffrax solvers. None serves both jax.grad and jax.jvp. For reverse mode alone
            on long runs, diffrax.RecursiveCheckpointAdjoint() is faster.
        stepsize_controller, dt0: handed to diffrax, for solvers without an error estimate.
        progress: show a tqdm bar.
        throw: raise when the solver does not finish. None: eager calls do, and inside jit and vmap what it found is NaN
            and `success` False, so that nothing waits for the host; True: also inside jit; False: never.

    Returns:
        Solution: `.observables`, `.states`, `.stats`, `.diagnostics`, `.success`; print it to see whether to trust it.

    Raises:
        ValueError: naming the argument, its value and the remedy.
        RuntimeError: the solver did not finish and `throw` is not False.

    Example:
        >>> import jax.numpy as jnp
        >>> spring = EntropicSpring(omega=1.93, splitting=100.0, gamma=10.0, beta=0.01, n_spins=1000)
        >>> sol = evolve(spring, spring.coherent_state(1.0), jnp.linspace(0.0, 6.28, 11))
        >>> sol.observables["x"].shape
        (11,)

    Source: diffrax (P. Kidger, arXiv:2202.02435); the splitting is described in `dynamics.extrapolation`.
    """
    options: EvolveOptions = {
        "method": method,
        "plan": plan,
        "solver": solver,
        "rtol": rtol,
        "atol": atol,
        "max_steps": max_steps,
        "max_step": max_step,
        "adjoint": adjoint,
        "stepsize_controller": stepsize_controller,
        "dt0": dt0,
        "progress": progress,
    }
    run = posed(model, y0, ts, options, observables, save_states, discontinuities)
    found = march(run.choice.method, run.problem, run.settings, run.choice.why)
    return _checked(found, throw, run.problem.traced)


def _checked(solution: Solution, throw: bool | None, traced: bool) -> Solution:
    """Raise or warn where the run is not to be trusted; inside jit what it found becomes NaN."""
    remedy = (
        "evolve did not finish: it ran out of steps or met a number that is not finite (NaN or infinite)"
        f"{_reached(solution)}. Raise max_steps, shorten the run, or pass throw=False and look at Solution.success."
    )
    if traced or is_traced(solution.success):
        if throw is False:
            return solution
        found = solution.observables, solution.states
        kept = refused(found, ~solution.success, remedy, throw, RuntimeError)
        return eqx.tree_at(lambda s: (s.observables, s.states), solution, kept, is_leaf=lambda x: x is None)
    if throw is not False and not bool(np.all(np.asarray(solution.success))):
        raise RuntimeError(f"{remedy}\n{solution!r}")
    for concern in solution.concerns():
        warn(concern)
    return solution


def _reached(solution: Solution) -> str:
    """Say where a solver that did not finish stands, if that is known."""
    reached = solution.stats.get("reached")
    if reached is None or is_traced(reached) or np.ndim(reached) > 0:
        return ""
    return f" at t = {float(reached):.6g}"
