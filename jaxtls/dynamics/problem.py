"""What is to be solved, apart from how: model, state, times, what to record and how exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PyTree

from .model import AbstractModel
from .solution import Solution
from .stepping import Recorder


class Problem(eqx.Module):
    """An initial value problem. `observables` are names among the model's own, or name -> function of the state."""

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
        """Whether all that is recorded is the model's own."""
        return isinstance(self.observables, tuple)

    def recorder(self, model: AbstractModel | None = None) -> Recorder:
        """What is kept at each time; `model` may be a resized one."""
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
    records: dict, ts: Array, stats: dict, diagnostics: dict, limits: Mapping[str, float], success: Array
) -> Solution:
    """A `Solution` whose `success` also says that all that is recorded is finite."""
    for leaf in jax.tree.leaves((records["observables"], records["states"])):
        success = success & jnp.all(jnp.isfinite(leaf))
    limits = {name: limit for name, limit in limits.items() if name in diagnostics}
    return Solution(ts, records["observables"], records["states"], stats, diagnostics, success, limits)


def worst(diagnostics: Mapping[str, Array]) -> dict[str, Array]:
    """The value over the run that is worst of each diagnostic: the smallest of what is called so, else the largest."""
    return {
        name: jnp.min(value) if name.startswith("smallest") else jnp.max(jnp.abs(value))
        for name, value in diagnostics.items()
    }
