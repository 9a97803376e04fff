"""Says what is to be solved, apart from how: model, state, times, what to record and how exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PyTree

from .model import AbstractModel
from .solution import Solution
from .stepping import Recorder


class Problem(eqx.Module):
    """Poses an initial value problem. `observables` are names of the model's own, or name -> function of the state."""

    model: AbstractModel
    y0: PyTree
    ts: Array
    observables: tuple[str, ...] | dict[str, Callable]
    discontinuities: Array | None = None
    save_states: bool = eqx.field(static=True, default=False)
    rtol: float = eqx.field(static=True, default=1e-6)
    atol: float = eqx.field(static=True, default=1e-8)
    max_steps: int | None = eqx.field(static=True, default=None)
    max_step: float | None = eqx.field(static=True, default=None)
    progress: bool = eqx.field(static=True, default=False)
    # Whether numbers of the problem are traced, seen or hidden in functions.
    traced: bool = eqx.field(static=True, default=False)

    @property
    def named(self) -> bool:
        """Says whether all that is recorded is the model's own."""
        return isinstance(self.observables, tuple)

    def recorder(self, model: AbstractModel | None = None) -> Recorder:
        """Makes what is kept at each time; `model` may be a resized one."""
        own = self.model if model is None else model

        def record(t: ArrayLike, y: PyTree) -> dict:
            if isinstance(self.observables, tuple):
                found = own.measured(t, y, self.observables)
            else:
                found = {name: f(y) for name, f in self.observables.items()}
            return {
                "observables": {name: jnp.asarray(value) for name, value in found.items()},
                "diagnostics": dict(own.diagnostics(y)),
                "states": y if self.save_states else None,
            }

        return record


def as_solution(
    problem: Problem,
    records: dict,
    stats: dict,
    finished: Array,
    found: Mapping[str, Array] = MappingProxyType({}),
    limits: Mapping[str, float] = MappingProxyType({}),
) -> Solution:
    """Assembles what a method gives.

    Arguments:
        problem: as it was run, its model resized or not.
        records: of all times, as `Problem.recorder` makes them.
        stats: `steps` and what else was counted, beside what the model says of itself.
        finished: whether the last time was reached.
        found: diagnostics of the run as a whole, beside the worst of what was recorded at each time.
        limits: of the diagnostics that the method alone can judge.

    Returns:
        Solution: its `success` also says that all that is recorded is finite, and that nothing it is made of is NaN:
            no step is made where their number is not known, and a state that never moved is finite.
    """
    for leaf in jax.tree.leaves(eqx.filter((problem.model, problem.y0, problem.ts), eqx.is_inexact_array)):
        finished = finished & ~jnp.any(jnp.isnan(jax.lax.stop_gradient(leaf)))
    for leaf in jax.tree.leaves((records["observables"], records["states"])):
        finished = finished & jnp.all(jnp.isfinite(leaf))
    diagnostics = jax.lax.stop_gradient({**worst(records["diagnostics"]), **found})
    # What has no place may be as large as the error that is allowed.
    known = {"truncation": problem.atol, "pattern_error": problem.atol, **problem.model.diagnostic_limits, **limits}
    kept = {name: limit for name, limit in known.items() if name in diagnostics}
    stats = {**problem.model.stats, **stats}
    return Solution(problem.ts, records["observables"], records["states"], stats, diagnostics, finished, kept)


def worst(diagnostics: Mapping[str, Array]) -> dict[str, Array]:
    """Gives the worst value over the run of each diagnostic: the smallest of what is called so, else the largest."""
    return {
        name: jnp.min(value) if name.startswith("smallest") else jnp.max(jnp.abs(value))
        for name, value in diagnostics.items()
    }
