"""`MatrixExponential`: small constant equations by rho(t + h) = exp(h L) rho(t), at any rate and for many at a time.

For a few levels exp(h L) of one interval costs less than a series at each, needs no bound on the spectrum and costs the
same however stiff the equation is. Hermitian matrices are n^2 real numbers, on which L is real.
"""

from __future__ import annotations

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...dynamics.problem import Problem, as_solution, worst
from ...dynamics.solution import Solution
from ...dynamics.stepping import EQUAL
from ...numerics.exponential import expm1
from ...numerics.products import matmul
from ..equation import MasterEquation
from ..schroedinger import SchroedingerEquation


def constant_only(problem: Problem) -> str | None:
    """Why a method for constant generators cannot solve a problem."""
    if not isinstance(problem.model, MasterEquation | SchroedingerEquation):
        return "be one that fits: this one wants a generator of density matrices or a Hamiltonian"
    if not problem.model.law.is_constant or problem.discontinuities is not None:
        return "be a diffrax solver where the equation depends on time"
    return None


@eqx.filter_jit
def by_exponential(problem: Problem, uniform: bool | None) -> Solution:
    model, ts = problem.model, problem.ts
    assert isinstance(model, MasterEquation)
    n, rho = model.law.n, problem.y0
    known = hermitian_basis(n) if model.hermitian else np.eye(n * n, dtype=complex).reshape(-1, n, n)
    basis = jnp.asarray(known, rho.dtype)
    field = model.generator(rho)
    images = jax.vmap(lambda b: field(0.0, b, None))(basis)
    generator = coordinates(basis, images, model.hermitian).T
    start = coordinates(basis, rho[None], model.hermitian)[0]
    found = jnp.concatenate([start[None], moved(generator, start, jnp.diff(ts), uniform)])
    states = jnp.tensordot(found, basis, 1, precision="highest")
    records = jax.vmap(problem.recorder())(ts, states)
    rounding = jnp.finfo(ts.dtype).eps * (1 + (ts[-1] - ts[0]) * jnp.linalg.norm(generator))
    stats = {"method": "matrix exponential", "steps": ts.shape[0] - 1, "levels": n, "layout": "dense"}
    diagnostics = {**worst(records["diagnostics"]), "time_error": rounding}
    limits = {**model.diagnostic_limits, "time_error": 1e-5}
    return as_solution(records, ts, stats, jax.lax.stop_gradient(diagnostics), limits, jnp.array(True))


def moved(generator: Array, start: Array, durations: Array, uniform: bool | None) -> Array:
    """The state after each interval, (T - 1, n^2)."""

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


def hermitian_basis(n: int) -> np.ndarray:
    """(n^2, n, n): matrices of which every Hermitian one is a real combination, orthogonal, of norm 1."""
    found = np.zeros((n, n, n, n), complex)
    for i, j in np.ndindex(n, n):
        unit = np.zeros((n, n), complex)
        unit[i, j] = 1 if i <= j else 1j
        found[i, j] = (unit + unit.conj().T) / (2 if i == j else np.sqrt(2))
    return found.reshape(-1, n, n)


def coordinates(basis: Array, matrices: Array, hermitian: bool) -> Array:
    """(K, n, n) -> (K, n^2), real where matrices and basis are Hermitian."""
    found = jnp.einsum("aij,kij->ka", basis.conj(), matrices, precision="highest")
    return found.real if hermitian else found
