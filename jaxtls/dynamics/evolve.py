"""`evolve`: one entry point that moves any model and records observables as it goes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .._checks import concrete, finite, holds_tracers, is_traced, require, size, times, tolerances
from . import _diffrax, splitting, stepping
from . import progress as progress_bar
from .solution import Solution

TRACED_LEVELS = 4
TRACED_MACRO_STEPS = 1024
MAX_MACRO_STEPS = 2**20
MAX_ATTEMPTS = 6
# The error estimate is that of the lower order, some ten times the error of the result: accept this many times rtol.
ESTIMATE_SLACK = 30.0


def evolve(
    model: Any,
    y0: PyTree,
    ts: Any,
    *,
    observables: Any = None,
    save_states: bool = False,
    solver: Any = None,
    rtol: Any = 1e-6,
    atol: Any = 1e-8,
    max_steps: Any = None,
    adjoint: Any = None,
    stepsize_controller: Any = None,
    dt0: Any = None,
    discontinuities: Any = None,
    progress: bool = False,
    throw: bool = True,
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
        solver: any diffrax solver. None: the model's splitting if it has one, else Tsit5 (Dopri8 for rtol <= 1e-8).
        rtol, atol: relative and absolute tolerance.
        max_steps: most steps to take. None: as many as needed; where parameters or times are
            traced, 1024 macro steps of a splitting or 4096 steps of a diffrax solver.
        adjoint: a diffrax adjoint, for diffrax solvers. None serves both jax.grad and jax.jvp. For reverse mode alone
            on long runs, diffrax.RecursiveCheckpointAdjoint() is faster.
        stepsize_controller, dt0: handed to diffrax, for solvers without an error estimate.
        discontinuities: (K,) times at which the vector field jumps: a step ends just before each, and the next starts
            just after it. May be traced and differentiated.
        progress: show a tqdm bar.
        throw: raise when the solver does not finish; False leaves `success` False (for ensembles).

    Returns:
        Solution: `.observables`, `.states`, `.stats`, `.diagnostics`, `.success`; print it to see whether to trust it.

    Raises:
        ValueError: naming the argument, its value and the remedy.
        RuntimeError: the solver did not finish and `throw` is True.

    Example:
        >>> import jax.numpy as jnp
        >>> spring = EntropicSpring(omega=1.93, splitting=100.0, gamma=10.0, beta=0.01, n_spins=1000)
        >>> sol = evolve(spring, spring.coherent_state(1.0), jnp.linspace(0.0, 6.28, 11))
        >>> sol.observables["x"].shape
        (11,)

    Source: diffrax (P. Kidger, arXiv:2202.02435); the splitting is described in `dynamics.splitting`.
    """
    ts = times("ts", ts)
    tolerances(rtol, atol)
    if max_steps is not None:
        max_steps = size("max_steps", max_steps)
    require(hasattr(model, "vector_field"), "model", "have a method vector_field(t, y, args)", type(model).__name__)
    y0 = _state(y0)
    ts = ts.astype(jnp.result_type(ts, *(leaf.real.dtype for leaf in jax.tree.leaves(y0))))
    # Steps in double precision would turn a state in single precision into double on the way.
    numeric = lambda leaf: jnp.issubdtype(leaf.dtype, jnp.inexact)
    y0 = jax.tree.map(lambda leaf: leaf.astype(jnp.result_type(leaf, ts.dtype)) if numeric(leaf) else leaf, y0)
    warn_below_precision(rtol, y0)
    chosen = _chosen_observables(model, observables)
    save_states = save_states or (observables is None and chosen is None)
    options = _Options(chosen, save_states, float(rtol), float(atol), progress)
    jumps = None if discontinuities is None else finite("discontinuities", discontinuities).reshape(-1).astype(ts.dtype)
    functions = [*observables.values()] if isinstance(observables, Mapping) else []
    # A Partial keeps its function as structure, not as a leaf.
    whole = lambda x: isinstance(x, jax.tree_util.Partial)
    functions += [leaf for leaf in jax.tree.leaves(model, is_leaf=whole) if callable(leaf)]
    extras = (solver, adjoint, stepsize_controller, dt0, jumps)
    traced = is_traced(model, y0, ts, extras) or holds_tracers(getattr(type(model), "vector_field", None), *functions)
    own = type(model).__module__.startswith(f"{__package__.partition('.')[0]}.")
    if adjoint is None and own and not functions and not traced:
        # Nothing of the user's runs inside, so nothing can be differentiated.
        extras = (solver, _diffrax.QUICKEST_TO_COMPILE, stepsize_controller, dt0, jumps)

    if solver is None and hasattr(model, "splitting_step") and jumps is None:
        return _evolve_splitting(model, y0, ts, options, max_steps, throw, traced)
    named = not isinstance(observables, Mapping)
    if solver is None and named and not save_states and not traced and hasattr(model, "window"):
        solution = _run_windowed(model, y0, ts, options, extras, max_steps)
    else:
        solution = _run_diffrax(model, y0, ts, options, extras, max_steps, traced)
    return checked(solution, throw, traced)


def _state(y0: PyTree) -> PyTree:
    try:
        arrays = jax.tree.map(jnp.asarray, y0)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Argument `y0` must be a pytree of arrays, but got {y0!r}.") from error
    for leaf in jax.tree.leaves(arrays):
        known = concrete(leaf) if jnp.issubdtype(leaf.dtype, jnp.inexact) else None
        require(known is None or bool(np.all(np.isfinite(known))), "y0", "be finite", y0)
    return arrays


class _Options(eqx.Module):
    observables: Any  # names, or name -> callable
    save_states: bool = eqx.field(static=True)
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    progress: bool = eqx.field(static=True)

    def recorder(self, model: Any) -> Callable[[PyTree], dict]:
        functions = self.observables
        if isinstance(functions, tuple):
            known = {**getattr(model, "optional_observables", {}), **getattr(model, "observables", {})}
            functions = {name: known[name] for name in functions}
        functions = functions or {}

        def record(y: PyTree) -> dict:
            return {
                "observables": {name: jnp.asarray(f(y)) for name, f in functions.items()},
                "diagnostics": model.diagnostics(y) if hasattr(model, "diagnostics") else {},
                "states": y if self.save_states else None,
            }

        return record


def _chosen_observables(model: Any, observables: Any) -> Any:
    if isinstance(observables, Mapping):
        for name, f in observables.items():
            require(callable(f), "observables", "map names to functions of the state", f"{name}: {f!r}")
        return dict(observables)
    own = tuple(getattr(model, "observables", ()))
    if observables is None:
        return own or None
    require(
        not isinstance(observables, str), "observables", "be a list of names or a dict of functions", repr(observables)
    )
    known = (*own, *getattr(model, "optional_observables", ()))
    for name in observables:
        require(name in known, "observables", f"name some of {sorted(known)}", repr(name))
    return tuple(observables)


# --- the model's own splitting ---------------------------------------------------------------------------------------


def _evolve_splitting(
    model: Any, y0: PyTree, ts: Array, options: _Options, max_steps: int | None, throw: bool, traced: bool
) -> Solution:
    """Choose sizes and steps, run, look at the diagnostics, and enlarge what proved too small (only outside jit)."""
    rate_factor, attempt, sized, diagnostics = 1.0, 0, model, None
    solution = None
    while True:
        resolve = getattr(sized, "resolve", None)
        proposal = resolve(y0, ts, attempt, diagnostics) if resolve else ((sized, y0) if attempt == 0 else None)
        coarse = (
            diagnostics is not None
            and max_steps is None
            and not float(diagnostics["time_error"]) <= ESTIMATE_SLACK * options.rtol
            and rate_factor < 30
        )
        if coarse:
            rate_factor *= 1.7
        if (proposal is None and not coarse) or attempt >= MAX_ATTEMPTS:
            break
        if proposal is not None:
            sized, y0 = proposal
        solution = _run_splitting_sized(sized, y0, ts, options, max_steps, rate_factor, traced)
        if traced:
            break
        diagnostics = solution.diagnostics
        attempt += 1
    assert solution is not None
    return checked(solution, throw, traced)


def _run_splitting_sized(
    model: Any, y0: PyTree, ts: Array, options: _Options, max_steps: int | None, rate_factor: float, traced: bool
) -> Solution:
    known = concrete(ts)
    durations = None if known is None else np.diff(known)
    uniform = durations is not None and bool(np.ptp(durations) <= 1e-9 * np.max(durations))
    n_levels = TRACED_LEVELS
    bound = max_steps or TRACED_MACRO_STEPS
    if traced and known is not None:
        bound = max(bound, 2 * len(known))
    if not traced:
        assert durations is not None
        # One program for all numbers of a like shape, where the model can hand over what it holds as structure.
        model = model.with_counts_as_data(y0) if hasattr(model, "with_counts_as_data") else model
        rate = float(_splitting_rate(model)) * rate_factor
        n_levels = splitting.cheapest_levels(durations, rate, options.rtol)
        total = int(np.sum(splitting.macro_steps(durations, rate, options.rtol, n_levels)))
        require(
            total <= (max_steps or MAX_MACRO_STEPS),
            "max_steps",
            f"be at least the {total} macro steps that this run needs (fastest rate {rate:.3g})",
            max_steps or MAX_MACRO_STEPS,
            "Raise max_steps, loosen rtol or shorten the run.",
        )
        bound = 0
    static = (tuple(range(1, n_levels + 1)), int(bound), uniform, traced)
    with progress_bar.bar(len(ts) - 1, "evolve") if options.progress else nullcontext():
        return _run_splitting(model, y0, ts, options, jnp.asarray(rate_factor), static)


@eqx.filter_jit
def _splitting_rate(model: Any) -> Array:
    return model.splitting_rate()


@eqx.filter_jit
def _run_splitting(model: Any, y0: PyTree, ts: Array, options: _Options, rate_factor: Array, static: tuple) -> Solution:
    levels, bound, uniform, traced = static
    stepper = splitting.Extrapolation(model.splitting_step(y0), levels)
    counts = splitting.macro_steps(jnp.diff(ts), stepper.splitting.rate * rate_factor, options.rtol, len(levels))
    record, tick = options.recorder(model), progress_bar.tick if options.progress else None
    if uniform:
        counts = jnp.broadcast_to(counts[0], counts.shape)
    unfinished = jnp.array(False)
    if traced:
        records, error, unfinished = stepping.integrate_traced(
            stepper, y0, ts, record, counts=counts, uniform=uniform, bound=bound, tick=tick
        )
    else:
        records, error = stepping.integrate(stepper, y0, ts, record, counts=counts, uniform=uniform, tick=tick)
    stats = {
        "method": f"Strang splitting, order {2 * len(levels)}",
        "steps": jnp.sum(counts) * sum(levels),
        "n_levels": jax.tree.leaves(y0)[0].shape[-1],
        "n_coefficients": jax.tree.leaves(y0)[0].shape[0],
    }
    diagnostics = {k: jnp.max(jnp.abs(v)) for k, v in records["diagnostics"].items()} | {"time_error": error}
    limits = {**getattr(model, "diagnostic_limits", {}), "time_error": ESTIMATE_SLACK * options.rtol}
    return as_solution(records, ts, stats, diagnostics, limits, ~unfinished)


# --- diffrax ---------------------------------------------------------------------------------------------------------


@eqx.filter_jit
def _run_diffrax(
    model: Any, y0: PyTree, ts: Array, options: _Options, extras: tuple, max_steps: int | None, traced: bool
) -> Solution:
    solver, adjoint, controller, dt0, jumps = extras
    field = model.generator(y0) if hasattr(model, "generator") else model.vector_field
    records, stats, success = _diffrax.integrate(
        field,
        y0,
        ts,
        options.recorder(model),
        solver=solver,
        rtol=options.rtol,
        atol=options.atol,
        max_steps=max_steps,
        adjoint=adjoint,
        stepsize_controller=controller,
        dt0=dt0,
        jumps=jumps,
        traced=traced,
        progress=options.progress,
    )
    stats = {"method": type(solver or _diffrax.default_solver(options.rtol)).__name__, **stats}
    diagnostics = {k: jnp.max(jnp.abs(v)) for k, v in records["diagnostics"].items()}
    return as_solution(records, ts, stats, diagnostics, getattr(model, "diagnostic_limits", {}), success)


def _run_windowed(model: Any, y0: PyTree, ts: Array, options: _Options, extras: tuple, max_steps: Any) -> Solution:
    """Run on the part of the basis that the state reaches, enlarged until what arrives at its edge is below atol.

    `model.window(y0, ts, atol, attempt)` gives a smaller model and state, or None where only the whole will do.
    """
    attempt = 0
    while True:
        found = model.window(y0, ts, options.atol, attempt)
        sized, start = (model, y0) if found is None else found
        solution = _run_diffrax(sized, start, ts, options, extras, max_steps, False)
        if found is None or float(solution.diagnostics["truncation"]) <= 0.1 * options.atol:
            levels = {"n_levels": jax.tree.leaves(start)[0].shape[-1]}
            return eqx.tree_at(lambda s: s.stats, solution, {**solution.stats, **levels})
        attempt += 1


# --- both ------------------------------------------------------------------------------------------------------------


def as_solution(records: dict, ts: Array, stats: dict, diagnostics: dict, limits: Mapping, success: Array) -> Solution:
    final = jax.tree.leaves((records["observables"], records["states"]))
    for leaf in final:
        success = success & jnp.all(jnp.isfinite(leaf))
    limits = {name: limit for name, limit in limits.items() if name in diagnostics}
    return Solution(ts, records["observables"], records["states"], stats, diagnostics, success, limits)


def checked(solution: Solution, throw: bool, traced: bool) -> Solution:
    remedy = (
        "evolve did not finish: it ran out of steps or met a non-finite number. Raise max_steps, shorten the run, "
        "or pass throw=False and look at Solution.success."
    )
    if traced:
        if not throw:
            return solution
        observables, states = eqx.error_if((solution.observables, solution.states), ~solution.success, remedy)
        return eqx.tree_at(
            lambda s: (s.observables, s.states), solution, (observables, states), is_leaf=lambda x: x is None
        )
    if throw and not bool(np.all(np.asarray(solution.success))):
        raise RuntimeError(f"{remedy}\n{solution!r}")
    for concern in solution.concerns():
        warnings.warn(concern, stacklevel=4)
    return solution


def warn_below_precision(rtol: float, y0: PyTree) -> None:
    for dtype in {leaf.dtype for leaf in jax.tree.leaves(y0) if jnp.issubdtype(leaf.dtype, jnp.inexact)}:
        epsilon = float(jnp.finfo(dtype).eps)
        if rtol < 8 * epsilon:
            warnings.warn(
                f"rtol = {rtol:g} is below what {dtype} can meet (eps {epsilon:.1e}): "
                'call jax.config.update("jax_enable_x64", True) first, or raise rtol.',
                stacklevel=3,
            )
