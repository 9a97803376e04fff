"""The entropic spring beside dynamiqs and QuTiP: the same finite problem, enough levels, work against precision."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from . import peers_spring, work
from .harness import RTOLS, Row, compare, errors, measure, run
from .settings import Settings

OBSERVED = ("x", "x2", "impurity")
CONVERGED = 1e-11
PERIOD = 2 * np.pi


def evolution(model: Any, ts: Any, **options: Any) -> Callable[[], dict]:
    y0, ts = model.coherent_state(1.0), jnp.asarray(ts)
    return lambda: jt.evolve(model, y0, ts, observables=OBSERVED, **options).observables


def strang_work(model: Any, ts: Any, **options: Any) -> dict[str, float]:
    stats = jt.evolve(model, model.coherent_state(1.0), jnp.asarray(ts), observables=OBSERVED, **options).stats
    return work.strang(stats)


def converged_answer(model: Any, ts: Any) -> dict:
    return measure(evolution(model, ts, rtol=CONVERGED), repeats=1)[1]


# --- against dynamiqs and QuTiP --------------------------------------------------------------------------------------

PEER_RTOL, PEER_ATOL = 1e-6, 1e-8
SHORT = 20  # a peer that would not fit its budget runs 1/20 of the span
OUR_RTOLS = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10)


def against_peers(settings: Settings) -> Iterator[Row]:
    """The same finite problem, Lindblad form, all N spins exact, on 2^N n dimensions for the peers.

    Ratios are given twice: to jaxtls at the same rtol, and to jaxtls at least as accurate as the peer proved to be.
    """
    intervals, periods = (20, 0.5) if settings.quick else (100, 5)
    full = np.linspace(0, periods * PERIOD, intervals + 1)
    yield _cross_check(peers_spring.Parameters(n_spins=1 if settings.quick else 2), full)
    for n_spins in (1, 2) if settings.quick else (2, 3, 4):
        yield from _beside_peers(settings, peers_spring.Parameters(n_spins=n_spins), full, peers_spring.FRAMES)


def converged(settings: Settings) -> Iterator[Row]:
    """Three spins for one period on levels enough for the physics: errors are against twice the levels.

    (At the 16 levels of `peers`, x is wrong by .005 after one period and by .25 after five: the spins heat the spring.)
    """
    n_spins, levels, periods = (1, 24, 0.1) if settings.quick else (3, 48, 1)
    parameters = peers_spring.Parameters(n_spins=n_spins, n_levels=levels)
    ts = np.linspace(0, periods * PERIOD, SHORT + 1)
    yield from _beside_peers(settings, parameters, ts, ("lab",), 2 * levels)


def _beside_peers(
    settings: Settings, parameters: Any, full: np.ndarray, frames: tuple[str, ...], levels: int | None = None
) -> Iterator[Row]:
    found = settings.found()
    ours = {id(full): _OurRuns(parameters, full, levels)}
    yield ours[id(full)].row(PEER_RTOL)
    short = full[: max(2, (len(full) - 1) // SHORT + 1)]
    for peer, frame in itertools.product(found, frames):
        solve, variant, estimate = _best_variant(peer, parameters, frame, short)
        fits = estimate <= settings.peer_budget
        ts = full if fits else short
        if id(ts) not in ours:
            ours[id(ts)] = _OurRuns(parameters, ts, levels)
            yield ours[id(ts)].row(PEER_RTOL)
        shortened = "" if fits else f"; {estimate:.0f} s expected for the full span"
        note = f"rtol={PEER_RTOL:g} {frame} frame, {variant}{shortened}"
        yield ours[id(ts)].peer_row(peer, solve, note)


def _best_variant(peer: str, parameters: Any, frame: str, short: np.ndarray) -> tuple[Callable, str, float]:
    """The fastest way of running a peer on the short span, warm, and the seconds it would need for the full one."""
    best: tuple[Callable, str, float] | None = None
    for variant in peers_spring.variants(peer):
        solve = peers_spring.solver(peer, parameters, variant, frame, PEER_RTOL, PEER_ATOL)
        call = partial(solve, short)
        run(call)
        seconds = min(run(call)[0] for _ in range(2)) * SHORT
        if best is None or seconds < best[2]:
            best = solve, variant, seconds
    assert best is not None
    return best


class _OurRuns:
    """jaxtls on one problem and span at the tolerances that comparisons ask for, each measured once.

    Errors are against the same finite problem, or that of more levels.
    """

    def __init__(self, parameters: Any, ts: np.ndarray, levels: int | None = None):
        self.parameters, self.ts, self.enough = parameters, ts, levels is not None
        self.model = _model_of(parameters)
        exact = self.model if levels is None else _model_of(replace(parameters, n_levels=levels))
        self.reference = converged_answer(exact, ts)
        self.rows: dict[float, Row] = {}

    def describe(self) -> tuple[str, dict]:
        levels = f"{self.parameters.n_levels} levels, " if self.enough else ""
        span = f"N = {self.parameters.n_spins}, {levels}span t = 0..{self.ts[-1]:.3g}"
        return f"entropic spring, {span}", {"N": self.parameters.n_spins, "levels": self.parameters.n_levels}

    def row(self, rtol: float) -> Row:
        if rtol not in self.rows:
            timing, found = measure(evolution(self.model, self.ts, rtol=rtol))
            case, size = self.describe()
            error, todo = errors(found, self.reference, OBSERVED), strang_work(self.model, self.ts, rtol=rtol)
            row = Row.timed(case, "jaxtls", timing, size=size, error=error, note=f"rtol={rtol:g}", work=todo)
            self.rows[rtol] = row
        return self.rows[rtol]

    def at_least_as_accurate(self, error: dict) -> tuple[float, Row]:
        """The loosest tolerance whose errors in x and x2 are no larger; the tightest, where the basis forbids it."""
        for rtol in OUR_RTOLS:
            row = self.row(rtol)
            if all(row.error[name] <= max(error[name], 1e-11) for name in ("x", "x2")):  # type: ignore[index]
                break
        return rtol, row

    def peer_row(self, peer: str, solve: Callable, note: str) -> Row:
        timing, found = measure(lambda: solve(self.ts), repeats=3)
        case, size = self.describe()
        error = errors(found, self.reference, OBSERVED)
        rtol, ours = self.at_least_as_accurate(error)
        assert ours.warm is not None
        extra = {"jaxtls_rtol": rtol, "jaxtls_warm": ours.warm, "jaxtls_error": ours.error}
        same = self.row(PEER_RTOL)
        assert same.warm is not None
        extra |= {"ratio_at_same_rtol": timing.warm / same.warm}
        note += f"; {extra['ratio_at_same_rtol']:.0f} times jaxtls at rtol={PEER_RTOL:g}"
        extra["first_call_ratio"] = timing.first / ours.first if ours.first else None
        return Row.timed(
            case,
            peer,
            timing,
            size={**size, "dimension": 2**self.parameters.n_spins * self.parameters.n_levels},
            error=error,
            ratio=timing.warm / ours.warm,
            ratio_to=f"jaxtls at rtol={rtol:g}, error {max(ours.error[k] for k in ('x', 'x2')):.0e}",  # type: ignore[index]
            note=note,
            extra=extra,
        )


def _model_of(parameters: Any) -> jt.EntropicSpring:
    options = asdict(parameters)
    del options["alpha"]
    return jt.EntropicSpring(**options, n_modes=parameters.n_spins, form="lindblad")


def _cross_check(parameters: Any, ts: np.ndarray) -> Row:
    """The converged answer against an independent one."""
    reference = converged_answer(_model_of(parameters), ts)
    seconds, independent = run(lambda: peers_spring.exact(parameters, ts))
    return Row(
        "entropic spring: the converged answer",
        "SciPy exp(t L)",
        {"N": parameters.n_spins, "levels": parameters.n_levels},
        first=seconds,
        error=errors(independent, reference, OBSERVED),
        note=f"against jaxtls at rtol={CONVERGED:g}, span t = 0..{ts[-1]:.3g}",
    )


def precision(settings: Settings) -> Iterator[Row]:
    """Work against precision: two spins over one period, each peer in its fastest variant."""
    found = settings.found()
    parameters = peers_spring.Parameters(n_spins=1 if settings.quick else 2)
    ts = np.linspace(0, (0.1 if settings.quick else 1) * PERIOD, 21)
    model, names = _model_of(parameters), ("x", "x2")
    reference = {name: value for name, value in converged_answer(model, ts).items() if name in names}
    variants = {peer: _best_variant(peer, parameters, "rotating", ts[:3])[1] for peer in found}
    for rtol in RTOLS[: 1 if settings.quick else None]:
        tight = {"rtol": rtol, "atol": 1e-2 * rtol}
        calls, todo = {"jaxtls": evolution(model, ts, **tight)}, {"jaxtls": strang_work(model, ts, **tight)}
        for peer, variant in variants.items():
            solve = peers_spring.solver(peer, parameters, variant, "rotating", **tight)
            calls[f"{peer}, {variant}"] = partial(solve, ts)
        size = {"N": parameters.n_spins, "levels": parameters.n_levels, "times": len(ts), "rtol": rtol}
        case = "work against precision: entropic spring, one period"
        yield from compare(case, calls, reference, size=size, repeats=5, work=todo)
