"""`MatrixExponential` solves small constant equations by rho(t + h) = exp(h L) rho(t), at any rate, many at a time.

For a few levels exp(h L) of one interval costs less than a series at each, needs no bound on the spectrum and costs the
same however stiff the equation is. Hermitian matrices are n^2 real numbers, on which L is real.
"""

from __future__ import annotations

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...dynamics.problem import Problem, as_solution
from ...dynamics.solution import Solution
from ...dynamics.stepping import EQUAL
from ...numerics.exponential import expm1
from ...numerics.hermitian import from_unknowns, unknowns
from ...numerics.products import matmul
from ..equation import MasterEquation
from ..schroedinger import SchroedingerEquation

# Rounding in the exponent that is worth a warning.
ROUNDING = 1e-5


def constant_only(problem: Problem) -> str | None:
    """Says why a method for constant generators cannot solve a problem."""
    if not isinstance(problem.model, MasterEquation | SchroedingerEquation):
        return "be one that fits: this one wants a generator of density matrices or a Hamiltonian"
    # Where nothing depends on time, nothing jumps at discontinuities either.
    if not problem.model.law.is_constant:
        return "be a diffrax solver where the equation depends on time"
    return None


@eqx.filter_jit
def by_exponential(problem: Problem, uniform: bool | None) -> Solution:
    model, ts = problem.model, problem.ts
    assert isinstance(model, MasterEquation)
    n, rho = model.law.n, problem.y0
    start, field = unknowns(rho, model.hermitian), model.generator(rho)
    image = lambda v: unknowns(field(0.0, from_unknowns(v, model.hermitian), None), model.hermitian)
    generator = jax.vmap(image)(jnp.eye(n * n, dtype=start.dtype)).T
    found = jnp.concatenate([start[None], moved(generator, start, jnp.diff(ts), uniform)])
    states = from_unknowns(found, model.hermitian)
    records = jax.vmap(problem.recorder())(ts, states)
    rounding = jnp.finfo(ts.dtype).eps * (1 + (ts[-1] - ts[0]) * jnp.linalg.norm(generator))
    stats = {"steps": ts.shape[0] - 1, "layout": "dense"}
    return as_solution(problem, records, stats, jnp.array(True), {"time_error": rounding}, {"time_error": ROUNDING})


def moved(generator: Array, start: Array, durations: Array, uniform: bool | None) -> Array:
    """Returns the state after each interval, (T - 1, n^2)."""

    def shared(_: None) -> Array:
        step = expm1(durations[0] * generator)
        move = lambda x, _: (x + matmul(step, x),) * 2
        return jax.lax.scan(move, start, None, length=durations.shape[0])[1]

    def each(_: None) -> Array:
        move = lambda x, h: (x + matmul(expm1(h * generator), x),) * 2
        return jax.lax.scan(move, start, durations)[1]

    if uniform is None:
        still = jax.lax.stop_gradient(durations)
        equal = eqxi.unvmap_all(jnp.max(still) - jnp.min(still) <= EQUAL * jnp.max(still))
        return jax.lax.cond(equal, shared, each, None)
    return shared(None) if uniform else each(None)
