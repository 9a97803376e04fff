"""What is kept of a density matrix in one of its forms: expectation values, what should stay small, itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PyTree

from ...dynamics.problem import Problem
from ...dynamics.stepping import Recorder
from ...numerics.products import tensordot
from ..equation import MasterEquation


def recorder(form: PyTree, weights: ArrayLike | None, unit: ArrayLike, problem: Problem) -> Recorder:
    """t, z -> records of a state in the form z.

    Arguments:
        form: a `BlockPlan` or `WholeMatrix`.
        weights: of the operators to record where they are constant, else None.
        unit: of the trace.

    Returns:
        The function that a run calls at each of its times.
    """
    model = problem.model
    assert isinstance(model, MasterEquation)
    unit = jnp.asarray(unit)

    def observed(t: ArrayLike, z: Array) -> dict:
        if not isinstance(problem.observables, tuple):
            return {name: f(form.unpack(z)) for name, f in problem.observables.items()}
        if not problem.observables:
            return {}
        found = form.operators(model.operators.at(t)) if weights is None else jnp.asarray(weights)
        return {"expects": tensordot(found, z, z.ndim)}

    def record(t: ArrayLike, z: Array) -> dict:
        found = {"trace_error": jnp.abs(jnp.sum(unit * z) - model.trace)}
        if model.hermitian:
            found["hermiticity_error"] = jnp.max(jnp.abs(z - form.conjugated(z)))
        return {
            "observables": observed(t, z),
            "diagnostics": jax.lax.stop_gradient(found),
            "states": form.unpack(z) if problem.save_states else None,
        }

    return record
