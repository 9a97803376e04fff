"""A Lindbladian with what to record, and the one way to move it: by expansion where constant, by diffrax where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from ..dynamics.evolve import evolve
from ..dynamics.solution import Solution
from . import constant
from .lindbladian import Lindbladian
from .rhs.fields import HIGHEST

# Options that ask for a diffrax solver.
DIFFRAX_OPTIONS = ("solver", "adjoint", "stepsize_controller", "dt0")
OPTIONS = ("rtol", "atol", "max_steps", "progress", "throw", *DIFFRAX_OPTIONS)


class MasterEquation(eqx.Module):
    """A Lindbladian with the operators to record: what `mesolve` hands to `evolve`."""

    lindbladian: Lindbladian
    operators: Array  # (n_ops, n, n)
    trace: Array
    hermitian: bool = eqx.field(static=True)

    @property
    def observables(self) -> dict[str, Callable]:
        return {"expects": self.expects}

    def expects(self, rho: Array) -> Array:
        return jnp.einsum("kij,ji->k", self.operators, rho, precision=HIGHEST)

    def diagnostics(self, rho: Array) -> dict[str, Array]:
        found = {"trace_error": jnp.abs(jnp.trace(rho) - self.trace)}
        return found | ({"hermiticity_error": jnp.max(jnp.abs(rho - rho.conj().T))} if self.hermitian else {})

    @property
    def diagnostic_limits(self) -> dict[str, float]:
        return {"trace_error": 1e-5, "hermiticity_error": 1e-5}

    def generator(self, y0: Array) -> Callable[[Any, Array, Any], Array]:
        return self.lindbladian.generator(hermitian=self.hermitian)

    def vector_field(self, t: Any, y: Array, args: Any = None) -> Array:
        return self.generator(y)(t, y, args)


def solve(
    equation: MasterEquation, rho: Any, ts: Array, *, save_states: bool, discontinuities: Any, **options: Any
) -> Solution:
    """`evolve` for a master equation; `options` are those of `evolve`."""
    unknown = [name for name in options if name not in OPTIONS]
    if unknown:
        raise TypeError(f"unexpected option {', '.join(unknown)}; there are {', '.join(OPTIONS)}")
    asked = any(options.get(name) is not None for name in DIFFRAX_OPTIONS)
    if equation.lindbladian.is_constant and discontinuities is None and not asked:
        options = {name: value for name, value in options.items() if name not in DIFFRAX_OPTIONS}
        return constant.solve(equation, rho, ts, save_states=save_states, **options)
    observables = ["expects"] if equation.operators.shape[0] else {}
    return evolve(
        equation, rho, ts, observables=observables, save_states=save_states, discontinuities=discontinuities, **options
    )
