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

from ..._checks import concrete
from ...dynamics.methods.base import AbstractMethod, AbstractPlan
from ...dynamics.problem import Problem, as_solution, worst
from ...dynamics.solution import Solution
from ...dynamics.stepping import EQUAL, equally_spaced
from ...numerics.exponential import expm1
from ...numerics.products import matmul
from ..equation import MasterEquation

# Most levels of the method "auto": exponentials of 64 x 64 matrices.
LEVELS = 8


class ExponentialPlan(AbstractPlan):
    """Nothing has to be chosen: squarings are counted inside the program."""

    n: int = eqx.field(static=True)
    uniform: bool | None = eqx.field(static=True)

    def describe(self) -> str:
        """The size of the exponentials."""
        return f"exponentials of {self.n**2} x {self.n**2} matrices"


class MatrixExponential(AbstractMethod):
    """exp(h L) of one interval, or of each where they differ; for generators that do not depend on time.

    Its cost grows as n^6 and does not depend on rates and times: the choice for few levels and stiff equations.

    Example:
        >>> jt.MatrixExponential().name
        'matrix exponential'

    Source: C. Moler, C. Van Loan, SIAM Rev. 45, 3 (2003).
    """

    @property
    def name(self) -> str:
        """Matrix exponential."""
        return "matrix exponential"

    def refusal(self, problem: Problem) -> str | None:
        """It wants a constant generator."""
        return constant_only(problem)

    def plan(self, problem: Problem) -> ExponentialPlan:
        """Whether the times are equally spaced, where they are known."""
        assert isinstance(problem.model, MasterEquation)
        known = concrete(problem.ts)
        return ExponentialPlan(problem.model.law.n, None if known is None else equally_spaced(np.diff(known)))

    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """All times."""
        assert isinstance(plan, ExponentialPlan)
        known = concrete(problem.ts)
        return _run(problem, None if known is None else equally_spaced(np.diff(known)))


def constant_only(problem: Problem) -> str | None:
    """Why a method for constant generators cannot solve a problem."""
    if not isinstance(problem.model, MasterEquation):
        return "be one that fits: this one wants a generator of density matrices"
    if not problem.model.law.is_constant or problem.discontinuities is not None:
        return "be a diffrax solver where the equation depends on time"
    return None


@eqx.filter_jit
def _run(problem: Problem, uniform: bool | None) -> Solution:
    model, ts = problem.model, problem.ts
    assert isinstance(model, MasterEquation)
    n, rho = model.law.n, problem.y0
    known = _hermitian_basis(n) if model.hermitian else np.eye(n * n, dtype=complex).reshape(-1, n, n)
    basis = jnp.asarray(known, rho.dtype)
    field = model.generator(rho)
    moved = jax.vmap(lambda b: field(0.0, b, None))(basis)
    generator = _coordinates(basis, moved, model.hermitian).T
    start = _coordinates(basis, rho[None], model.hermitian)[0]
    found = jnp.concatenate([start[None], _moved(generator, start, jnp.diff(ts), uniform)])
    states = jnp.tensordot(found, basis, 1, precision="highest")
    records = jax.vmap(problem.recorder())(ts, states)
    rounding = jnp.finfo(ts.dtype).eps * (1 + (ts[-1] - ts[0]) * jnp.linalg.norm(generator))
    stats = {"method": "matrix exponential", "steps": ts.shape[0] - 1, "levels": n, "layout": "dense"}
    diagnostics = {**worst(records["diagnostics"]), "time_error": rounding}
    limits = {**model.diagnostic_limits, "time_error": 1e-5}
    return as_solution(records, ts, stats, jax.lax.stop_gradient(diagnostics), limits, jnp.array(True))


def _moved(generator: Array, start: Array, durations: Array, uniform: bool | None) -> Array:
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


def _hermitian_basis(n: int) -> np.ndarray:
    """(n^2, n, n): matrices of which every Hermitian one is a real combination, orthogonal, of norm 1."""
    found = np.zeros((n, n, n, n), complex)
    for i, j in np.ndindex(n, n):
        unit = np.zeros((n, n), complex)
        unit[i, j] = 1 if i <= j else 1j
        found[i, j] = (unit + unit.conj().T) / (2 if i == j else np.sqrt(2))
    return found.reshape(-1, n, n)


def _coordinates(basis: Array, matrices: Array, hermitian: bool) -> Array:
    """(K, n, n) -> (K, n^2), real where matrices and basis are Hermitian."""
    found = jnp.einsum("aij,kij->ka", basis.conj(), matrices, precision="highest")
    return found.real if hermitian else found
