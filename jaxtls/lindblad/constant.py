"""Constant Lindblad equations, by Faber expansion on the part of the density matrix that they fill.

Where all numbers are known (under an eager jax.grad their values are) sizes are chosen by looking: the window of basis
states that the population reaches, enlarged until what arrives at its edge is far below atol; the number of terms, more
where the last ones are not small. Where they are not (jit, vmap) the whole basis and a bounded number of steps are
used.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._checks import concrete, is_traced, require, size, tolerances
from ..dynamics import faber, stepping
from ..dynamics import progress as progress_bar
from ..dynamics.evolve import MAX_MACRO_STEPS, TRACED_MACRO_STEPS, as_solution, checked, warn_below_precision
from ..dynamics.solution import Solution
from . import small
from .rhs.blocked import BlockPlan
from .rhs.bounds import spectral_ellipse
from .rhs.sectors import Blocks, blocks, distances
from .rhs.whole import WholeMatrix
from .storage.diagonals import Pattern
from .storage.family import Skeleton

if TYPE_CHECKING:
    from .equation import MasterEquation

# A window is tried where more states than these are reached, and none is nearer than this to the farthest.
WINDOW_LEAST = 64
WINDOW_DISTANCE = 12
# Elements of shifted copies that take as long as an element's share of a product with an n x n matrix, over n.
COPY_COST = 0.5
MOST_COPIES = 256
MOST_ELEMENTS = 2**25
TERMS_STEP = 16
ATTEMPTS = 5
WIDEN = 1.7


class Settings(eqx.Module):
    """How to run: the form of the state, the terms of a macro step and their number in each interval."""

    form: Any  # BlockPlan or WholeMatrix
    edge: Any  # (n,) which states end the window
    ellipse: faber.Ellipse
    counts: Any  # (T - 1,)
    used: Any  # terms of a macro step, of `terms` that are compiled for
    terms: int = eqx.field(static=True)
    bound: int = eqx.field(static=True)
    uniform: bool = eqx.field(static=True)
    levels: int = eqx.field(static=True)
    known: bool = eqx.field(static=True)


class Options(eqx.Module):
    save_states: bool = eqx.field(static=True)
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)
    max_steps: int | None = eqx.field(static=True)
    progress: bool = eqx.field(static=True)


def solve(
    equation: MasterEquation,
    rho: Any,
    ts: Array,
    *,
    save_states: bool,
    rtol: Any = 1e-6,
    atol: Any = 1e-8,
    max_steps: Any = None,
    progress: bool = False,
    throw: bool = True,
) -> Solution:
    """As `evolve` with `observables=["expects"]`, for an equation that does not depend on time."""
    tolerances(rtol, atol)
    max_steps = None if max_steps is None else size("max_steps", max_steps)
    ts = ts.astype(rho.real.dtype)
    warn_below_precision(rtol, rho)
    options = Options(save_states, float(rtol), float(atol), max_steps, progress)
    problem = (equation, rho, ts)
    # Known numbers are left alone: inside jit even this would make tracers of them.
    fixed = jax.tree.map(lambda x: jax.lax.stop_gradient(x) if is_traced(x) else x, problem)
    # Where the state is varied, its derivative may fill what its value leaves empty.
    filled = Pattern(np.ones(rho.shape, bool) if is_traced(rho) else np.asarray(rho) != 0)
    with progress_bar.bar(len(ts) - 1, "mesolve") if progress else nullcontext():
        if is_traced(fixed) and small.suits(rho.shape[-1], concrete(ts)):
            return checked(_exponential(equation, rho, ts, save_states), throw, True)
        if is_traced(fixed):
            return checked(_prepare_and_run(problem, _unknown(fixed, filled, options), options), throw, True)
        settings, solution = _search(fixed, filled, options)
        if is_traced(problem):
            return checked(_prepare_and_run(problem, _for_derivatives(settings), options), throw, True)
    return checked(solution, throw, False)


_exponential = eqx.filter_jit(small.solve)


def _search(problem: tuple, filled: Pattern, options: Options) -> tuple[Settings, Solution]:
    """Settings that prove good enough, and what they gave."""
    known = jax.tree.map(np.asarray, problem)
    equation, rho, _ = known
    window, widen = 0, 1.0
    for attempt in range(ATTEMPTS):
        settings = _settings(known, filled, options, window, widen)
        solution = _run(_prepare(equation, rho, settings), problem[2], settings, options, False)
        steps = solution.diagnostics["time_error"]
        leaks = settings.edge is not None and not float(solution.diagnostics["truncation"]) <= 0.1 * options.atol
        coarse = not float(steps) <= options.rtol
        # Too narrow a window fails first, and its growth may be what makes the terms large.
        window, widen = window + leaks, widen * (WIDEN if coarse and not leaks else 1.0)
        if not (leaks or coarse) or attempt == ATTEMPTS - 1:
            break
    return settings, solution


def _settings(known: tuple, filled: Pattern, options: Options, window: int, widen: float) -> Settings:
    equation, rho, ts = known
    model = equation.lindbladian
    form, found, edge, levels = _structure(model.terms.skeleton, model.jumps.skeleton, filled, window)
    durations = np.diff(ts).astype(float)
    ellipse = spectral_ellipse(model, found, 1e-3 / np.max(durations))
    # NumPy numbers, not Python's: those would be compiled in.
    ellipse = jax.tree.map(lambda x: np.asarray(widen * x, rho.real.dtype), ellipse)
    used, counts = faber.plan(ellipse, durations, _tolerance(options, rho.dtype))
    total = int(np.sum(counts))
    require(
        total <= (options.max_steps or MAX_MACRO_STEPS),
        "max_steps",
        f"be at least the {total} macro steps that this run needs (spectrum of width {float(ellipse.width):.3g})",
        options.max_steps or MAX_MACRO_STEPS,
        "Raise max_steps or shorten the run.",
    )
    uniform = bool(np.ptp(durations) <= 1e-9 * np.max(durations))
    return Settings(form, edge, ellipse, counts, np.asarray(used), faber.MAX_TERMS, 0, uniform, levels, True)


def _for_derivatives(settings: Settings) -> Settings:
    """With static numbers of terms and steps, rounded up so that other numbers seldom compile anew."""
    terms = -(-int(settings.used) // TERMS_STEP) * TERMS_STEP
    bound = 2 ** int(np.ceil(np.log2(max(1, int(np.sum(settings.counts))))))
    return dataclasses.replace(settings, used=None, terms=terms, bound=bound)


def _unknown(problem: tuple, filled: Pattern, options: Options) -> Settings:
    """For numbers that are being traced by jit or vmap: structure alone."""
    equation, rho, ts = problem
    model, times = equation.lindbladian, concrete(ts)
    form, found, _, levels = _structure(model.terms.skeleton, model.jumps.skeleton, filled, None)
    steps = options.max_steps or max(TRACED_MACRO_STEPS, 2 * ts.shape[-1])
    uniform = times is not None and bool(np.ptp(np.diff(times)) <= 1e-9 * np.max(np.diff(times)))
    durations = jnp.diff(ts)
    # The corners of the bounding box lie outside its ellipse, and there is no second attempt.
    ellipse = spectral_ellipse(model, found, 1e-3 / jnp.max(durations)).widened(WIDEN)
    ellipse = jax.tree.map(lambda x: jnp.asarray(x, durations.dtype), ellipse)
    counts = faber.traced_counts(ellipse, durations, _tolerance(options, rho.dtype))
    return Settings(form, None, ellipse, counts, None, faber.TRACED_TERMS, steps, uniform, levels, False)


def _window(far: np.ndarray, attempt: int) -> tuple[np.ndarray, np.ndarray | None]:
    """States kept in an attempt, ascending, and which of them are at the edge; None where all are kept."""
    reached = np.nonzero(far >= 0)[0]
    farthest = int(np.max(far))
    if len(reached) <= WINDOW_LEAST or farthest < WINDOW_DISTANCE:
        return reached, None
    target = max(3 * WINDOW_LEAST // 4, len(reached) // 8) * 2**attempt
    within = np.cumsum(np.bincount(far[reached]))
    radius = int(np.searchsorted(within, target))
    if radius >= farthest - 1:
        return reached, None
    return np.nonzero((far >= 0) & (far <= radius))[0], far >= radius - 1


def _form(terms: Skeleton, jumps: Skeleton, found: Blocks) -> BlockPlan | WholeMatrix:
    plan = BlockPlan.make(terms, jumps, found)
    pairs, m, n = len(found.pairs), found.size, plan.n
    elements = plan.terms[0].shape[0] * pairs * m * m
    cheap = COPY_COST * plan.copies <= max(jumps.count, 1) * n**3 / 8
    if cheap and len(plan.groups) <= MOST_COPIES and elements <= MOST_ELEMENTS:
        return plan
    return WholeMatrix(n)


@functools.lru_cache(maxsize=128)
def _structure(
    terms: Skeleton, jumps: Skeleton, filled: Pattern, window: int | None
) -> tuple[BlockPlan | WholeMatrix, Blocks, np.ndarray | None, int]:
    """The form, its blocks, which states are at the edge of the window, and how many are kept."""
    n = filled.mask.shape[0]
    far = distances(terms.entries(), jumps.entries(), n, filled.mask)
    kept, edge = (np.nonzero(far >= 0)[0], None) if window is None else _window(far, window)
    found = blocks(terms.entries(), jumps.entries(), jumps.count, n, filled.mask, kept)
    form = _form(terms, jumps, found)
    return form, found, edge if isinstance(form, BlockPlan) else None, len(kept)


def _tolerance(options: Options, dtype: Any) -> float:
    return max(options.rtol, float(np.finfo(dtype).eps) / faber.SHARE)


class Prepared(eqx.Module):
    """What a run needs, made from the equation and the state: in NumPy where numbers are known."""

    field: Any  # has ready() -> (L - c)/s on what the form splits
    start: Any
    weights: Any  # of the operators to record
    unit: Any  # of the trace
    trace: Any
    at_edge: Any
    hermitian: bool = eqx.field(static=True)


def _prepare(equation: MasterEquation, rho: Any, settings: Settings) -> Prepared:
    form, ellipse = settings.form, settings.ellipse
    field = form.field(equation.lindbladian, ellipse.centre, ellipse.capacity, hermitian=equation.hermitian)
    weights, unit = form.operators(equation.operators), form.operators(np.eye(form.n, dtype=rho.dtype)[None])[0]
    at_edge = None if settings.edge is None else form.marked(settings.edge)
    return Prepared(field, form.pack(rho), weights, unit, equation.trace, at_edge, equation.hermitian)


@eqx.filter_jit
def _prepare_and_run(problem: tuple, settings: Settings, options: Options) -> Solution:
    equation, rho, ts = problem
    return _run(_prepare(equation, rho, settings), ts, settings, options, True)


@eqx.filter_jit
def _run(made: Prepared, ts: Array, settings: Settings, options: Options, traced: bool) -> Solution:
    form = settings.form
    ellipse = jax.tree.map(lambda x: jnp.asarray(x, ts.dtype), settings.ellipse)
    counts = jnp.asarray(settings.counts)
    if settings.uniform:
        counts = jnp.broadcast_to(counts[0], counts.shape)
    leak = lambda z: jnp.zeros((), z.real.dtype)
    if made.at_edge is not None:
        leak = lambda z: jnp.sum(jnp.where(made.at_edge, jnp.abs(form.populations(z)), 0.0))
    stepper = faber.FaberExpansion(
        made.field.ready(),
        (lambda z: (z + form.conjugated(z)) / 2) if made.hermitian else (lambda z: z),
        leak,
        ellipse,
        settings.terms,
        not settings.known,
        faber.SHARE * _tolerance(options, ts.dtype),
        settings.used,
        form.split,
        form.joined,
    )
    start, record = jnp.asarray(made.start), _recorder(made, form, options)
    how: dict = {"counts": counts, "uniform": settings.uniform, "tick": progress_bar.tick if options.progress else None}
    unfinished = jnp.array(False)
    if traced:
        found = stepping.integrate_traced(stepper, start, ts, record, bound=settings.bound, **how)
        records, error, unfinished = found
    else:
        records, error = stepping.integrate(stepper, start, ts, record, **how)
    stats = {
        "method": "Faber expansion",
        "terms": jnp.asarray(settings.terms if settings.used is None else settings.used),
        "steps": jnp.sum(counts),
        "levels": settings.levels,
        "layout": form.layout,
    }
    diagnostics = {k: jnp.max(v) for k, v in records["diagnostics"].items()} | {"time_error": error[0]}
    limits = {"trace_error": 1e-5, "hermiticity_error": 1e-5, "time_error": 10 * options.rtol}
    if made.at_edge is not None:
        diagnostics["truncation"] = error[1]
        limits["truncation"] = options.atol
    return as_solution(records, ts, stats, diagnostics, limits, ~unfinished)


def _recorder(made: Prepared, form: Any, options: Options) -> Callable[[Array], dict]:
    weights, unit = jnp.asarray(made.weights), jnp.asarray(made.unit)

    def record(z: Array) -> dict:
        found = {"trace_error": jnp.abs(jnp.sum(unit * z) - made.trace)}
        if made.hermitian:
            found["hermiticity_error"] = jnp.max(jnp.abs(z - form.conjugated(z)))
        return {
            "observables": {"expects": jnp.tensordot(weights, z, z.ndim)} if weights.shape[0] else {},
            "diagnostics": jax.lax.stop_gradient(found),
            "states": form.unpack(z) if options.save_states else None,
        }

    return record
