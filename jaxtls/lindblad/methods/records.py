"""Says what is kept of a density matrix in one of its forms: expectation values, what should stay small, itself."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, DTypeLike, PyTree

from ...dynamics.problem import Problem
from ...dynamics.stepping import TOGETHER_BYTES, Recorder
from ...numerics.namespace import namespace
from ...numerics.products import tensordot
from ..equation import MasterEquation


class Weights(eqx.Module):
    """Weighs the elements of a state in what is recorded: Tr(O rho) is the sum of weights * z."""

    operators: ArrayLike | None  # (K, ...), None where they depend on time
    unit: ArrayLike
    edge: ArrayLike | None  # of the states that end the window

    @classmethod
    def of(cls, form: PyTree, model: MasterEquation, edge: ArrayLike | None, dtype: DTypeLike) -> Weights:
        """Makes the weights for a form (`BlockPlan` or `WholeMatrix`)."""
        constant = model.operators.is_constant
        alone = lambda matrix: form.operators(matrix.astype(dtype)[None])[0]
        return cls(
            form.operators(model.operators.at(0.0)) if constant else None,
            alone(np.eye(form.n)),
            None if edge is None else alone(namespace(edge).diag(edge)),
        )

    def are_enough(self, problem: Problem) -> bool:
        """Says whether all that is recorded is a sum of these."""
        return problem.named and not problem.save_states and (self.operators is not None or not problem.observables)

    def together(self) -> Array:
        """Puts all together, (K + 1 or 2, ...)."""
        more = [self.unit] if self.edge is None else [self.unit, self.edge]
        more = [jnp.asarray(x)[None] for x in more]
        return jnp.concatenate(more if self.operators is None else [jnp.asarray(self.operators), *more])

    def at_edge(self, z: Array) -> Array:
        """Gives the population of the states that end the window."""
        edge = self.edge
        if edge is None or (isinstance(edge, np.ndarray) and not np.any(edge)):
            return jnp.zeros((), z.real.dtype)
        rows = jnp.asarray(namespace(edge).stack([edge.real, edge.imag]))
        return jnp.hypot(*tensordot(rows, z, z.ndim))


def recorder(form: PyTree, weights: Weights, problem: Problem) -> Recorder:
    """Returns t, z -> records of a state in the form z, for a run to call at each of its times."""
    model = problem.model
    assert isinstance(model, MasterEquation)
    unit = jnp.asarray(weights.unit)

    def observed(t: ArrayLike, z: Array) -> dict:
        if not isinstance(problem.observables, tuple):
            return {name: f(form.unpack(z)) for name, f in problem.observables.items()}
        if not problem.observables:
            return {}
        known = weights.operators
        found = form.operators(model.operators.at(t)) if known is None else jnp.asarray(known)
        return {"expects": tensordot(found, z, z.ndim)}

    def record(t: ArrayLike, z: Array) -> dict:
        found = {"trace_error": jnp.abs(jnp.sum(unit * z) - model.trace)}
        if model.hermitian:
            found["hermiticity_error"] = 2 * jnp.max(jnp.abs(z - form.hermitian_part(z)))
        if weights.edge is not None:
            found["truncation"] = weights.at_edge(z)
        return {
            "observables": observed(t, z),
            "diagnostics": jax.lax.stop_gradient(found),
            "states": form.unpack(z) if problem.save_states else None,
        }

    return record


def records_of(form: PyTree, weights: Weights, problem: Problem, values: Array) -> dict:
    """Makes records at all times of the sums of `weights.together()`, real parts and imaginary ones, or of states."""
    model = problem.model
    assert isinstance(model, MasterEquation)
    if not weights.are_enough(problem):
        bytes_of_one = values[0].size * values.dtype.itemsize
        together = int(np.clip(TOGETHER_BYTES // bytes_of_one, 1, len(values)))
        record = recorder(form, weights, problem)
        return jax.lax.map(lambda inputs: record(*inputs), (problem.ts, values), batch_size=together)
    count = values.shape[1] // 2
    found = jax.lax.complex(values[:, :count], values[:, count:])
    known = 0 if weights.operators is None else np.shape(weights.operators)[0]
    small = {"trace_error": jnp.abs(found[:, known] - model.trace)}
    if model.hermitian:
        # A form that holds Hermitian states alone.
        small["hermiticity_error"] = jnp.zeros_like(small["trace_error"])
    if weights.edge is not None:
        small["truncation"] = jnp.abs(found[:, -1])
    observables = {"expects": found[:, :known]} if problem.observables else {}
    return {"observables": observables, "diagnostics": jax.lax.stop_gradient(small), "states": None}
