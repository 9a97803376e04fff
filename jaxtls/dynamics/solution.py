"""Says what an evolution returns: the recorded observables and everything that tells whether to trust them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, PyTree

from .._checks import SINGLE, is_traced, precision_of

# Diagnostics that grow when a basis or hierarchy was cut too early, and what to do about each.
REMEDIES = {
    "truncation": "population at the cut-off: raise n_levels",
    "hierarchy": "weight of the last kept excitation level: raise n_modes",
    "time_error": "estimated error of the time steps: lower rtol",
    "smallest_eigenvalue": "the state has a negative eigenvalue: the equation is not completely positive",
    "pattern_error": "operator or state has elements where the plan's had none: plan at a point that has them all",
    "trace_error": "the trace drifted: lower rtol",
    "positivity_error": "the state left the quantum states: the equation is not of Lindblad form; see the model's docs",
    "hermiticity_error": "the state lost hermiticity: lower rtol, or check that y0 is Hermitian",
}


@jax.tree_util.register_pytree_with_keys_class
class Stats(dict):
    """Holds what a method counts, arrays, and what it says, words, which are structure to JAX: a jitted function may
    return both."""

    def tree_flatten_with_keys(self) -> tuple[list, tuple]:
        """Gives the arrays with their names, and names and words."""
        counted = {name: value for name, value in sorted(self.items()) if not isinstance(value, str)}
        told = tuple((name, value) for name, value in sorted(self.items()) if isinstance(value, str))
        return [(jax.tree_util.DictKey(name), value) for name, value in counted.items()], (tuple(counted), told)

    @classmethod
    def tree_unflatten(cls, names: tuple, values: Iterable[Any]) -> Stats:
        """Puts arrays and words together again."""
        counted, told = names
        return cls({**dict(zip(counted, values)), **dict(told)})


class Solution(eqx.Module):
    """Holds the result of `evolve`.

    Attributes:
        ts: output times, (T,).
        observables: name -> array with a leading time axis.
        states: pytree with a leading time axis, or None unless `save_states`.
        stats: `method`, `why` it was that one, `steps` and whatever else the method counts.
        diagnostics: largest value over the run of each quantity that should be small (`trace_error`, `truncation`,
        ...).
        success: True where the solver reached the last time with finite numbers, and was given no NaN.
        limits: diagnostic -> value above which it is worth a warning.

    Example:
        >>> spring = jt.EntropicSpring(1.0, splitting=1.0, gamma=1.0, beta=1.0, n_spins=100, n_levels=16, n_modes=3)
        >>> sol = jt.evolve(spring, spring.coherent_state(0.1), jnp.linspace(0.0, 1.0, 3))
        >>> sol.observables["x"].shape, bool(sol.success), sol.concerns()
        ((3,), True, [])
    """

    ts: Array
    observables: dict[str, Array]
    states: PyTree | None
    stats: dict[str, Any]
    diagnostics: dict[str, Array]
    success: Array
    limits: dict[str, float] = eqx.field(static=True, default_factory=dict)

    def __check_init__(self) -> None:
        # A dict is not hashable, and static fields are compared and hashed by jit: keep sorted pairs behind the
        # mapping.
        if isinstance(self.limits, dict):
            object.__setattr__(self, "limits", _Limits(self.limits))
        if not isinstance(self.stats, Stats):
            object.__setattr__(self, "stats", Stats(self.stats))

    @property
    def precision(self) -> str:
        """Says "single" or "double": of the numbers that were computed with.

        Example:
            >>> jt.mesolve(jnp.eye(2), [], jnp.eye(2) / 2, jnp.array([0.0, 1.0])).solution.precision
            'double'
        """
        return precision_of(self.ts)

    def concerns(self) -> list[str]:
        """Gives a sentence for each diagnostic above its limit, naming the remedy; empty if there is nothing to report.

        Example:
            >>> sol.concerns()  # doctest: +SKIP
            ['truncation 3e-05 > 1e-06: population at the cut-off: raise n_levels']
        """
        if is_traced(self.diagnostics, self.success):
            return []
        found = []
        if not np.all(np.asarray(self.success)):
            found.append("the solver did not finish: see stats, raise max_steps or loosen rtol")
        for name, limit in self.limits.items():
            value, low = _extreme(name, self.diagnostics[name]), name.startswith("smallest")
            if not (value >= limit if low else value <= limit):
                sign = "<" if low else ">"
                found.append(f"{name} {value:.1e} {sign} {limit:.0e}: {REMEDIES.get(name, 'see the docs')}")
        return found

    def __repr__(self) -> str:
        if is_traced(self.ts, self.observables, self.diagnostics, self.success):
            return f"Solution({'; '.join(filter(None, ('traced', ', '.join(self.observables), self._told())))})"
        count = self.ts.shape[-1]
        batch = f"batch {self.ts.shape[:-1]}, " if self.ts.ndim > 1 else ""
        span = f"t = {float(np.min(self.ts)):g} .. {float(np.max(self.ts)):g}"
        lines = [f"Solution: {batch}{count} times, {span}; success {bool(np.all(np.asarray(self.success)))}"]
        lines.append("  observables  " + (" ".join(self.observables) or "none"))
        lines.append(f"  method       {self._told()}")
        if self.precision == "single":
            lines.append(f"  {SINGLE}")
        if self.states is not None:
            shapes = [str(leaf.shape) for leaf in jax.tree.leaves(self.states)]
            memory = sum(leaf.nbytes for leaf in jax.tree.leaves(self.states)) / 2**20
            lines.append(f"  states       {' '.join(shapes)}, {memory:.1f} MiB")
        counted = {name: value for name, value in self.stats.items() if name not in ("method", "why")}
        lines.append("  stats        " + ", ".join(f"{k} {_short(v)}" for k, v in counted.items()))
        if self.diagnostics:
            parts = (f"{k} {_extreme(k, v):.1e}" for k, v in self.diagnostics.items())
            lines.append("  diagnostics  " + ", ".join(parts))
        lines += [f"  WARNING      {text}" for text in self.concerns()]
        return "\n".join(lines)

    def _told(self) -> str:
        """Tell the method and the reason for it."""
        return ", ".join(str(self.stats[name]) for name in ("method", "why") if name in self.stats)


def _extreme(name: str, values: Array) -> float:
    """Give the worst of a batch: the smallest of what is called so, else the largest."""
    return float((np.min if name.startswith("smallest") else np.max)(np.asarray(values)))


class _Limits(dict):
    """Makes a dict hashable."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def _short(value: object) -> str:
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    return str(array) if array.ndim == 0 else f"{array.min()}..{array.max()}"
