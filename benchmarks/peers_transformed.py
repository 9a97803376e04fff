"""Equations that depend on one number x, moved by jaxtls and by dynamiqs inside the same transformations.

    H = fixed + f(t, x) slope,   f = x where there is no envelope

`answer(x)` of each solver is the expectation value at all times, a function that jit, vmap and grad take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxtls as jt

Array = np.ndarray
Answer = Callable[[Any], Any]
TIGHT: dict[str, float] = {"rtol": 1e-6, "atol": 1e-8}
LAYOUTS = ("dense", "dia")


@dataclass(frozen=True)
class Tuned:
    """One equation for each number x; the mean of `observed` from a ket, at the times `ts`."""

    fixed: Array
    slope: Array
    jumps: Sequence[Array]
    psi0: Array
    observed: Array
    ts: Array
    dims: tuple[int, ...]
    envelope: Callable[[Any, Any], Any] | None = None  # t, x -> number

    @property
    def size(self) -> int:
        return len(self.fixed)

    def coefficient(self, x: Any) -> Any:
        """What multiplies `slope`: x, or a function of time that knows it."""
        envelope = self.envelope
        return x if envelope is None else lambda t: envelope(t, x)


def of_jaxtls(problem: Tuned, **options: Any) -> Answer:
    """The list form, whose patterns are known where x is traced."""

    def answer(x: Any) -> Any:
        hamiltonian = [problem.fixed, (problem.slope, problem.coefficient(x))]
        return _expects(problem, hamiltonian, options)

    return answer


def of_plain_arrays(problem: Tuned, **options: Any) -> Answer:
    """fixed + x slope as an array, whose pattern a traced x hides."""
    fixed, slope = jnp.asarray(problem.fixed), jnp.asarray(problem.slope)
    return lambda x: _expects(problem, fixed + x * slope, options)


def _expects(problem: Tuned, hamiltonian: Any, options: dict[str, Any]) -> Any:
    found = jt.mesolve(
        hamiltonian, problem.jumps, problem.psi0, problem.ts, [problem.observed],
        save_states=False, **{**TIGHT, **options},
    )  # fmt: skip
    return found.expects[0].real


def planned(problem: Tuned, x: float, **options: Any) -> Any:
    """A plan made at x, for `plan=`."""
    law = jt.Lindbladian([problem.fixed, (problem.slope, problem.coefficient(x))], problem.jumps)
    return jt.plan(law, problem.psi0, problem.ts, **{**TIGHT, **options})


def of_dynamiqs(problem: Tuned, layout: str) -> Answer:
    """dynamiqs' Tsit5 with its own default adjoint."""
    import dynamiqs as dq

    dq.set_precision("double")

    def wrap(a: Array) -> Any:
        return dq.asqarray(a, dims=problem.dims, layout=getattr(dq, layout))

    fixed, slope, observed = (wrap(a) for a in (problem.fixed, problem.slope, problem.observed))
    jumps, psi0 = [wrap(a) for a in problem.jumps], dq.asqarray(problem.psi0[:, None].astype(complex), problem.dims)
    options = {
        "exp_ops": [observed],
        "method": dq.method.Tsit5(**TIGHT, max_steps=100_000),
        "save_states": False,
        "progress_meter": False,
    }

    def answer(x: Any) -> Any:
        coefficient = problem.coefficient(x)
        term = coefficient * slope if problem.envelope is None else dq.modulated(coefficient, slope)
        return dq.mesolve(fixed + term, jumps, psi0, problem.ts, **options).expects[0].real

    return answer
