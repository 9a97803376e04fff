"""`steady_state` says where a quantum master equation comes to rest, and how that moves with the parameters."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .._checks import concrete, is_traced, refused, require
from .._platform import platform
from ..dynamics.model import AbstractModel
from ..dynamics.user_model import UserModel
from ..numerics.hermitian import from_unknowns, hermitian_part, on_unknowns, unknowns
from ..quantum import to_density_matrix
from . import foreign
from .generator import AbstractGenerator
from .lindbladian import operators_of
from .operators import StateLike
from .resolvent import sparse
from .resolvent.host import at_rest
from .resolvent.linear import ITERATIONS, KEPT, Kind, Resolvent, Solve, dense_kind, kind_of, smallest
from .resolvent.refinement import minimal_residuals
from .resting import SEVERAL, UNCONVERGED, describe

METHODS = ("auto", "direct", "iterative")
# Levels up to which an iteration that did not converge is repeated with the whole matrix, where numbers are known.
REPEATED_LEVELS = 64
# Damping of the factors, over the typical rate and the precision.
FLOOR = 1e3
# exp(tL) rho0 for long t: applications of s (s - L)^-1 with s = precision^POWER times the typical rate.
APPLICATIONS, POWER = 8, 0.4


class SteadyInfo(eqx.Module):
    """Says how well a steady state is known.

    Attributes:
        residual: |L rho| / scale, Frobenius norm, the scale being a typical rate of L.
        isolation: factors: smallest singular value of the equation over the scale; iterative: 1 where a random
            right-hand side can be met, else the smallest |M x| / |x| met on the way. At the precision (factors) or its
            root (iterative) there are several steady states. inf with `rho0`.
        unique: the isolation is large enough, or `rho0` chooses among the states.
        converged: the residual is small enough.
        method: "dense", "blocks" or "sparse" factors, "banded" ones with iteration, or "iterative".
    """

    residual: Array
    isolation: Array
    unique: Array
    converged: Array
    method: str = eqx.field(static=True)


def steady_state(
    model: object,
    rho0: StateLike | None = None,
    *,
    method: str = "auto",
    info: bool = False,
    throw: bool | None = None,
) -> PyTree:
    r"""Finds the steady state of a time-independent master equation, L rho = 0 with Tr rho = 1.

    Where there are several, `rho0` chooses: the long-time mean of exp(t L) rho0, which is its limit unless coherences
    oscillate for ever.

    Where the levels form a ladder the equation is eliminated block by block, from the fastest coherences to the
    populations; sparse operators on a CPU are factorised by SciPy, on the host; small or full ones as a whole; what is
    larger is iterated, preconditioned with the motion between jumps: n^3 work a step, never an n^2 x n^2 matrix.

    Arguments:
        model: a `Lindbladian` or any other `AbstractGenerator`, or a model with a `lindbladian()` or a
            `steady_state()` of its own.
        rho0: (n, n) state or (n,) ket to start from.
        method: "direct", "iterative", or "auto": direct where a count of its work says that it pays.
        info: True also returns a `SteadyInfo`.
        throw: refuse where the state is not unique or the residual is too large. None: eager calls do, and inside jit
            such a state is NaN, so that nothing waits for the host; True: also inside jit; False: leave it to `info`.

    Returns:
        rho, (n, n) complex, Hermitian with trace 1; or (rho, SteadyInfo). jax.grad, jax.jvp and jax.vmap work;
        derivatives are those of the implicit function theorem.

    Raises:
        ValueError: the model depends on time, or has several steady states and no `rho0` is given.
        RuntimeError: the solution did not converge.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> L = jt.Lindbladian(jnp.diag(jnp.array([0.5, -0.5])), [lower, lower.T], rates=[1.2, 0.2])
        >>> round(float(steady_state(L)[0, 0].real), 4)
        0.1429
        >>> dephasing = jt.Lindbladian(jnp.zeros((2, 2)), [jnp.diag(jnp.array([1.0, -1.0]))])
        >>> [round(float(p), 4) for p in steady_state(dephasing, jnp.array([0.6, 0.8])).real.diagonal()]
        [0.36, 0.64]

    Source: P. D. Nation, arXiv:1504.06768 (iterative steady states); V. V. Albert and L. Jiang, Phys. Rev. A 89,
    022118 (2014) (conserved quantities); the order of elimination and the derivatives are ours.
    """
    require(method in METHODS, "method", f"be one of {METHODS}", repr(method))
    if not isinstance(model, AbstractGenerator):
        whole = model if isinstance(model, AbstractModel) else UserModel(model)
        # A way of the model's own comes first: a network's state is smaller than its density matrix.
        own = whole.steady_state()
        offered = whole.lindbladian() if own is None else None
        if not isinstance(offered, AbstractGenerator):
            return _own(own, type(model).__name__, rho0, info)
        model = offered
    require_constant(model, "model")
    start = None if rho0 is None else to_density_matrix(foreign.as_state("rho0", rho0, model.n)).astype(model.dtype)
    kind = kind_of(model, method, hermitian=True)
    rho, found = _judged(model, start, kind)
    repeatable = not kind.is_exact and method == "auto" and model.n <= REPEATED_LEVELS and start is None
    if repeatable and not is_traced(rho) and not bool(found.converged & found.unique):
        rho, found = _repeated(model)
    if throw is not False:
        rho = _refused(rho, found, model, throw)
    return (rho, found) if info else rho


def require_constant(model: AbstractGenerator, name: str) -> None:
    """Refuse what is no generator, and one that depends on time."""
    wanted = "be a Lindbladian or another AbstractGenerator"
    require(isinstance(model, AbstractGenerator), name, wanted, type(model).__name__)
    require(
        model.is_constant, name, "not depend on time", "time-dependent terms", "Use mesolve, or average over a period."
    )


def _own(found: PyTree, name: str, rho0: PyTree, info: bool) -> PyTree:
    """Take the state that a model found itself."""
    wanted = "be an AbstractGenerator or offer steady_state() or lindbladian()"
    remedy = "Where it has a lindbladian() all the same, pass that."
    require(found is not None, "model", wanted, name, remedy)
    require(not info, "info", "be False for a model with a steady_state of its own", info)
    require(rho0 is None, "rho0", "be left out for a model with a steady_state of its own", "a state")
    return found


def _refused(rho: Array, found: SteadyInfo, model: AbstractGenerator, throw: bool | None) -> Array:
    """Give the state, if it may be trusted."""
    known = concrete(found.unique)
    several = SEVERAL if known is None or np.all(known) else f"{SEVERAL}{describe(jax.lax.stop_gradient(model))}"
    rho = refused(rho, ~found.unique, several, throw)
    return refused(rho, ~found.converged, UNCONVERGED, throw, RuntimeError)


def _repeated(model: AbstractGenerator) -> tuple[Array, SteadyInfo]:
    """Solve for known numbers once more, with the whole matrix."""
    kind = dense_kind(model.n)
    if platform() != "cpu":
        return _judged(model, None, kind)
    matrix, scale = _matrix(model)
    x, isolation = at_rest(np.asarray(matrix), model.n, float(scale))
    rho = from_unknowns(jnp.asarray(x), hermitian=True).astype(model.dtype)
    rho = rho / jnp.trace(rho).real
    residual, known, unique, converged = _trust(model, rho, jnp.asarray(isolation), kind)
    return rho, SteadyInfo(residual, known, unique, converged, method=kind.name)


@eqx.filter_jit
def _matrix(model: AbstractGenerator) -> tuple[Array, Array]:
    """Make -L on the packed elements of a Hermitian matrix, and the scale."""
    return on_unknowns(-model.whole(), model.n), Resolvent.build(model, dense_kind(model.n)).scale


@eqx.filter_jit
def _judged(model: AbstractGenerator, rho0: Array | None, kind: Kind) -> tuple[Array, SteadyInfo]:
    def by(kind: Kind) -> tuple[Array, ...]:
        rho, isolation = _solved(model, kind) if rho0 is None else _reached(model, rho0, kind)
        return rho, *_trust(model, rho, isolation, kind)

    rho, residual, isolation, unique, converged = kind.where_it_runs(by)
    return rho, SteadyInfo(residual, isolation, unique, converged, method=kind.name)


@eqx.filter_jit
def _trust(model: AbstractGenerator, rho: Array, isolation: Array, kind: Kind) -> tuple[Array, ...]:
    """Judge residual, isolation, whether it is unique and whether it converged."""
    eps = float(np.finfo(np.dtype(rho.dtype)).eps)
    fixed, still = jax.lax.stop_gradient((model, rho))
    scale = Resolvent.build(fixed, kind).scale
    residual = jnp.linalg.norm(fixed.generator()(0.0, still, None)) / scale
    least = {"sparse": 20 * model.n * eps}.get(kind.name, 10 * FLOOR * eps) if kind.is_exact else eps**0.5
    return residual, isolation, isolation > least, residual < eps**0.5


def _solved(model: AbstractGenerator, kind: Kind) -> tuple[Array, Array]:
    """Solve for the one state at rest, and its isolation."""
    resolvent = Resolvent.build(model, kind)
    scale, dtype = resolvent.scale, model.dtype
    rhs = (scale / model.n * jnp.eye(model.n)).astype(dtype)
    floor = FLOOR * float(jnp.finfo(dtype).eps) if kind.order is not None else 0.0
    inverses = resolvent.approximate(0.0, floor)
    rho = hermitian_part(resolvent.solve(rhs, inverses=inverses))
    rho = rho / jnp.trace(rho).real
    if kind.is_exact and kind.order is not None:
        real = jnp.finfo(dtype).dtype if resolvent.hermitian else dtype
        return rho, smallest(inverses, model.n**2, scale, real)
    still = eqx.tree_at(lambda r: r.model, resolvent, jax.lax.stop_gradient(model))
    if kind.name == "sparse":
        return rho, sparse.smallest(operators_of(still.model), scale) / scale
    return rho, _met(still, inverses[0])


def _met(resolvent: Resolvent, inverse: Solve) -> Array:
    """Give 1 where M reaches a random traceless matrix; else the smallest |M x| / |x| met on the way, over scale."""
    n, rng = resolvent.model.n, np.random.default_rng(0)
    noise = rng.normal(size=(n, n)) / n + np.diag(rng.normal(size=n))
    noise = noise + noise.T
    noise -= np.eye(n) * np.trace(noise) / n
    rhs = unknowns(jnp.asarray(noise, resolvent.model.dtype) * resolvent.scale, resolvent.hermitian)
    apply = resolvent.on_unknowns()
    found, shrunk = minimal_residuals(apply, inverse, rhs, 1e-5, ITERATIONS, KEPT)
    met = jnp.linalg.norm(apply(found) - rhs) < 1e-3 * jnp.linalg.norm(rhs)
    return jnp.where(met, 1.0, shrunk / resolvent.scale)


def _reached(model: AbstractGenerator, rho0: Array, kind: Kind) -> tuple[Array, Array]:
    """Find the long-time mean of exp(t L) rho0: s (s - L)^-1 leaves what rests, damps the rest by s / |s - lambda|."""
    resolvent = Resolvent.build(model, kind, trace=0.0)
    s = resolvent.scale * float(jnp.finfo(model.dtype).eps) ** POWER
    inverses = resolvent.approximate(s, 0.0)

    def apply(rho: Array, _: None) -> tuple[Array, None]:
        found = resolvent.solve(s * rho, s, inverses=inverses)
        return found / jnp.trace(found).real, None

    rho = hermitian_part(jax.lax.scan(apply, hermitian_part(rho0), None, length=APPLICATIONS)[0])
    return rho / jnp.trace(rho).real, jnp.asarray(jnp.inf)
