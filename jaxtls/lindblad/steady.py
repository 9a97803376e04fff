"""`steady_state`: where a Lindblad equation comes to rest, and how that moves with the parameters."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._checks import is_traced, require
from .lindbladian import Lindbladian
from .resolvent import sparse
from .resolvent.linear import Resolvent, kind_of

METHODS = ("auto", "direct", "iterative")
SEVERAL = (
    "steady_state found no unique steady state: the equation has several, or one that it approaches more slowly than "
    "the precision can tell. A conserved quantity (an operator Q with L†Q = 0: a parity, a number, an idle level or "
    "subsystem) splits the states. Keep one of its sectors, or add the jump that breaks it."
)
UNCONVERGED = (
    'steady_state did not converge: the residual stays too large. Use method="direct" if its factors fit into memory, '
    "or x64 precision."
)


class SteadyInfo(eqx.Module):
    """How well a steady state is known.

    Attributes:
        residual: |L rho| / scale, Frobenius norm, the scale being a typical rate of L.
        isolation: factors: smallest singular value of the equation over the scale; iterative: the share of a random
            right-hand side that can be met. Near 0 (factors) or below 1 (iterative) there are several steady states.
        method: "dense" or "sparse" factors, or "iterative".
    """

    residual: Array
    isolation: Array
    method: str = eqx.field(static=True)


def steady_state(model: Any, *, method: str = "auto", info: bool = False, throw: bool = True) -> Any:
    r"""Steady state of a time-independent Lindblad equation, L rho = 0 with Tr rho = 1.

    Directly by one factorisation where n is small or the operators are sparse (SciPy's, on the host), else by GMRES
    with the motion between jumps as preconditioner: n^3 work an iteration, and never a full n^2 x n^2 matrix.

    Arguments:
        model: a `Lindbladian`, or a model with a `lindbladian()` or a `steady_state()` of its own.
        method: "direct", dense for a few levels (10 on a CPU, else 20) and sparse beyond; "iterative"; or "auto":
            direct where a count of its work says that it pays.
        info: True also returns a `SteadyInfo`.
        throw: refuse where the state is not unique or the residual is too large; False leaves that to `info`.

    Returns:
        rho, (n, n) complex, Hermitian with trace 1; or (rho, SteadyInfo). jax.grad, jax.jvp and jax.vmap work;
        derivatives are those of the implicit function theorem.

    Raises:
        ValueError: the model depends on time, or has several steady states.
        RuntimeError: the iteration did not converge.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> L = jt.Lindbladian(jnp.diag(jnp.array([0.5, -0.5])), [lower, lower.T], rates=[1.2, 0.2])
        >>> round(float(steady_state(L)[0, 0].real), 4)
        0.1429

    Source: P. D. Nation, arXiv:1504.06768 (iterative steady states); the preconditioner and the derivatives are ours.
    """
    require(method in METHODS, "method", f"be one of {METHODS}", repr(method))
    if not isinstance(model, Lindbladian):
        if hasattr(model, "lindbladian") and isinstance(model.lindbladian(), Lindbladian):
            model = model.lindbladian()
        else:
            require(
                hasattr(model, "steady_state"),
                "model",
                "be a Lindbladian or offer steady_state() or lindbladian()",
                type(model).__name__,
            )
            require(not info, "info", "be False for a model with a steady_state of its own", info)
            return model.steady_state()
    require_constant(model, "model")
    kind = kind_of(model, method)
    direct = kind != "iterative"
    rho, residual, isolation = _solve(model, kind)
    dtype = np.dtype(rho.dtype)
    eps = float(np.finfo(dtype).eps)
    several = ~(isolation > (20 * model.n * eps if direct else 0.999))
    unconverged = ~(residual < eps**0.5)
    if throw and is_traced(rho):
        rho = eqx.error_if(rho, several, SEVERAL)
        rho = eqx.error_if(rho, unconverged, UNCONVERGED)
    elif throw:
        if bool(np.any(np.asarray(several))):
            raise ValueError(f"{SEVERAL}{_hint(model)}")
        if bool(np.any(np.asarray(unconverged))):
            raise RuntimeError(UNCONVERGED)
    return (rho, SteadyInfo(residual, isolation, kind)) if info else rho


def require_constant(model: Any, name: str) -> None:
    """Refuse a Lindbladian that depends on time."""
    require(isinstance(model, Lindbladian), name, "be a Lindbladian", type(model).__name__)
    require(
        model.is_constant, name, "not depend on time", "time-dependent terms", "Use mesolve, or average over a period."
    )


@eqx.filter_jit
def _solve(model: Lindbladian, kind: str) -> tuple[Array, Array, Array]:
    resolvent = Resolvent.build(model, kind)
    scale = resolvent.scale
    dtype = model.terms.values.dtype
    rhs = (scale / model.n * jnp.eye(model.n)).astype(dtype)
    factors = resolvent.factors(0.0) if resolvent.kind == "dense" else None
    rho = resolvent.solve(rhs, factors=factors)
    rho = (rho + rho.conj().T) / 2
    rho = rho / jnp.trace(rho).real
    fixed = jax.lax.stop_gradient(model)
    residual = jnp.linalg.norm(fixed.vector_field(0.0, jax.lax.stop_gradient(rho))) / scale
    still = eqx.tree_at(lambda r: r.lindbladian, resolvent, fixed)
    if resolvent.kind == "dense":
        isolation = _smallest(factors, scale, model.n, dtype)
    elif resolvent.kind == "sparse":
        isolation = sparse.smallest(fixed, scale) / scale
    else:
        isolation = _reached(still, dtype)
    return rho, residual, isolation


def _smallest(factors: Any, scale: Array, n: int, dtype: Any) -> Array:
    """Smallest singular value of M over its scale, by inverse iteration: one vector and its largest growth."""
    vector = jnp.asarray(np.random.default_rng(0).normal(size=n * n), dtype)
    growth = jnp.zeros(())
    for _ in range(3):
        vector = vector / jnp.linalg.norm(vector)
        vector = jax.scipy.linalg.lu_solve(factors, jax.scipy.linalg.lu_solve(factors, vector), trans=2)
        growth = jnp.linalg.norm(vector)
    found = 1 / (jnp.sqrt(growth) * scale)
    return jnp.where(jnp.isfinite(growth), found, 0.0)


def _reached(resolvent: Resolvent, dtype: Any) -> Array:
    """1 less the share of a traceless right-hand side that M does not reach: a second null vector leaves some."""
    n, rng = resolvent.lindbladian.n, np.random.default_rng(0)
    noise = rng.normal(size=(n, n)) / n + np.diag(rng.normal(size=n))
    noise = noise + noise.T
    noise -= np.eye(n) * np.trace(noise) / n
    rhs = jnp.asarray(noise, dtype) * resolvent.scale
    found = resolvent.solve(rhs, rtol=1e-5)
    return 1 - jnp.linalg.norm(resolvent.apply(found) - rhs) / jnp.linalg.norm(rhs)


def _hint(model: Lindbladian) -> str:
    """How many steady states a small equation has, and one of its conserved quantities."""
    if model.n > 12:
        return ""
    n = model.n
    basis = jnp.eye(n * n, dtype=model.terms.values.dtype).reshape(-1, n, n)
    matrix = np.asarray(jax.vmap(lambda y: model.generator()(0.0, y, None))(basis)).reshape(n * n, n * n)
    # Rows of `matrix` are L applied to one element: its right null vectors are the transposes of the Q with L†Q = 0.
    _, sizes, rows = np.linalg.svd(matrix)
    null = rows[sizes <= 1e3 * n * np.finfo(matrix.dtype).eps * max(sizes[0], 1e-300)]
    if len(null) < 2:
        return ""
    weight = np.abs(null.reshape(-1, n, n)).sum(0)
    levels = ", ".join(f"{value:.2f}" for value in np.diagonal(weight))
    return f" Here {len(null)} states are steady; weight of the levels in the conserved quantities: {levels}."
