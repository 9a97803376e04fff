"""Moves kets under a constant Hamiltonian: one exponential for few levels, else an expansion of exp(-i h H) psi."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...dynamics import faber, stepping
from ...dynamics.problem import Problem, as_solution
from ...dynamics.solution import Solution
from ...numerics import lapack
from ..lindbladian import Lindbladian
from ..schroedinger import SchroedingerEquation
from .exponential import ROUNDING, moved

# Hamiltonians up to this size are diagonalised for their spread; of larger ones Gershgorin's circles are taken.
DIAGONALISED = 256
# Room for rounding in the spread.
ROOM = 1.02


@eqx.filter_jit
def by_exponential(problem: Problem, uniform: bool | None) -> Solution:
    """Moves by psi(t + h) = exp(-i h H) psi(t)."""
    model, ts = _model(problem), problem.ts
    matrix = -1j * model.law.hamiltonian(0.0).astype(problem.y0.dtype)
    later = moved(matrix, problem.y0, jnp.diff(ts), uniform)
    states = jnp.concatenate([problem.y0[None], later])
    records = jax.vmap(problem.recorder())(ts, states)
    rounding = jnp.finfo(ts.dtype).eps * (1 + (ts[-1] - ts[0]) * jnp.linalg.norm(matrix))
    stats = {"steps": ts.shape[0] - 1, "layout": "dense"}
    return as_solution(problem, records, stats, jnp.array(True), {"time_error": rounding}, {"time_error": ROUNDING})


@eqx.filter_jit
def by_expansion(problem: Problem, uniform: bool | None, bound: int) -> Solution:
    """Moves by Faber's, on a segment of the imaginary axis Chebyshev's, polynomials of H about its middle."""
    model, ts = _model(problem), problem.ts
    middle, width = jax.lax.stop_gradient(_spectrum(model.law))
    durations = jnp.diff(ts)
    shortest = 1e-3 / jnp.max(jax.lax.stop_gradient(durations))
    ellipse = faber.Ellipse(jnp.zeros((), ts.dtype), jnp.maximum(ROOM * width, shortest).astype(ts.dtype))
    tolerance = max(problem.rtol, float(jnp.finfo(ts.dtype).eps) / faber.SHARE)
    counts = faber.traced_counts(ellipse, jax.lax.stop_gradient(durations), tolerance)
    if uniform:
        counts = jnp.broadcast_to(counts[0], counts.shape)
    field = model.law.ket_generator()

    def reduced(psi: Array) -> Array:
        return (field(0.0, psi[:, None])[:, 0] + 1j * middle * psi) / ellipse.capacity

    none = lambda z: jnp.zeros((), z.real.dtype)
    share = faber.SHARE * tolerance
    stepper = faber.FaberExpansion(reduced, lambda z: z, none, ellipse, faber.TRACED_TERMS, True, share)
    inner = problem.recorder()
    # The middle of the spectrum is a phase.
    record = lambda t, z: inner(t, jnp.exp(-1j * middle * (t - ts[0])).astype(z.dtype) * z)
    finished = jnp.array(True)
    if problem.traced:
        records, error, finished = stepping.integrate_traced(
            stepper, problem.y0, ts, record, counts=counts, uniform=uniform, bound=bound
        )
    else:
        records, error = stepping.integrate(stepper, problem.y0, ts, record, counts=counts, uniform=uniform)
    stats = {"terms": jnp.asarray(faber.TRACED_TERMS), "steps": jnp.sum(counts)}
    limits = {"time_error": 10 * problem.rtol}
    return as_solution(problem, records, stats, finished, {"time_error": error[0]}, limits)


def _model(problem: Problem) -> SchroedingerEquation:
    assert isinstance(problem.model, SchroedingerEquation)
    return problem.model


def _spectrum(law: Lindbladian) -> tuple[Array, Array]:
    """Return the middle and half width of the spectrum of H."""
    if law.n <= DIAGONALISED:
        energies = lapack.eigvalsh(law.hamiltonian(0.0))
        low, high = energies[0], energies[-1]
    else:
        diagonal, radii = law.gershgorin()
        low, high = jnp.min(diagonal - radii), jnp.max(diagonal + radii)
    return (low + high) / 2, (high - low) / 2
