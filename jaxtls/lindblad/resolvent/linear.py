"""Linear equations with a Lindbladian: (s - L) X = R, by one factorisation where small or sparse, else by GMRES.

L has a null vector, so what is solved is M X = s X - L X + m Tr(X) 1/n, which is regular for Re s >= 0, s = 0 included,
if and only if the steady state is unique. The trace of the equation gives (s + m) Tr X = Tr R: a traceless R has the
X that M was to find.

GMRES is preconditioned with the motion between jumps, y -> s y - A y - y A†, inverted in the eigenvectors of A.
Derivatives, forward and reverse, are those of the implicit function theorem (`jax.lax.custom_linear_solve`); the
transposed equation is solved with the transposed factors or preconditioner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
from jaxtyping import Array

from ..lindbladian import Lindbladian
from ..rhs.fields import HIGHEST
from . import sparse

# Up to this many levels (n^2 unknowns) the equation is written as a dense matrix. On a CPU larger LU factorisations
# that run side by side have been seen to wait for each other for ever (JAX 0.10.2, two cores).
DENSE_LEVELS = {"cpu": 10}
DENSE_LEVELS_ELSEWHERE = 20
RESTART = 60
MAX_RESTARTS = 30
# Damping added to what no jump leaves, as a share of the mean loss.
FLOOR = 0.05


class Resolvent(eqx.Module):
    """M for a time-independent Lindbladian, with what does not depend on s or R made once."""

    lindbladian: Lindbladian
    scale: Array
    # dense: the matrix of M at s = 0, (n^2, n^2); sparse: none; iterative: eigenvalues and eigenvectors of A and their
    # inverse.
    tables: tuple[Array, ...]
    kind: str = eqx.field(static=True)

    @classmethod
    def build(cls, lindbladian: Lindbladian, kind: str) -> Resolvent:
        n = lindbladian.n
        fixed = jax.lax.stop_gradient(lindbladian)
        generator = fixed.ket_generator()(0.0, jnp.eye(n, dtype=fixed.terms.values.dtype))
        scale = 2 * jnp.sqrt(jnp.mean(jnp.sum(jnp.abs(generator) ** 2, 0)))
        scale = jnp.where(scale > 0, scale, 1.0)
        tables: tuple[Array, ...] = ()
        if kind == "dense":
            basis = jnp.eye(n * n, dtype=generator.dtype).reshape(-1, n, n)
            columns = jax.vmap(lambda x: cls(fixed, scale, (), kind).apply(x))(basis).reshape(n * n, n * n)
            tables = (columns.T,)
        elif kind == "iterative":
            # A little damping keeps what no jump leaves (dark states) away from 0.
            values, vectors = jnp.linalg.eig(generator)
            values = values - 0.5 * FLOOR * jnp.mean(-2 * values.real)
            tables = (values, vectors, jnp.linalg.inv(vectors))
        return cls(lindbladian, scale, tables, kind)

    def apply(self, x: Array, s: Any = 0.0) -> Array:
        """M x."""
        n = self.lindbladian.n
        trace = jnp.trace(x) * jnp.eye(n, dtype=x.dtype) / n
        return s * x - self.lindbladian.generator()(0.0, x, None) + self.scale * trace

    def factors(self, s: Any) -> tuple[Array, Array]:
        """LU factors of M, dense only."""
        matrix = self.tables[0]
        return jax.scipy.linalg.lu_factor(matrix + s * jnp.eye(matrix.shape[0], dtype=matrix.dtype))

    def solve(self, rhs: Array, s: Any = 0.0, rtol: float | None = None, factors: Any = None) -> Array:
        """X with M X = rhs, (n, n) complex."""
        matvec = lambda x: self.apply(x, s)
        if self.kind == "dense":
            factors = self.factors(jax.lax.stop_gradient(s)) if factors is None else factors
            forward, transposed = _by_factors(factors, 0), _by_factors(factors, 1)
        elif self.kind == "sparse":
            by = lambda flag: lambda _, b: sparse.solve(self.lindbladian, self.scale, s, b, flag)
            forward, transposed = by(False), by(True)
        else:
            rtol = 100 * float(jnp.finfo(rhs.dtype).eps) if rtol is None else rtol
            forward = _by_gmres(lambda r: self._between_jumps(r, jax.lax.stop_gradient(s)), rtol)
            flipped = lambda r: jax.linear_transpose(lambda x: self._between_jumps(x, jax.lax.stop_gradient(s)), r)(r)[
                0
            ]
            transposed = _by_gmres(flipped, rtol)
        return jax.lax.custom_linear_solve(matvec, rhs, forward, transposed)

    def _between_jumps(self, r: Array, s: Any) -> Array:
        """The preconditioner: y with s y - A y - y A† = r."""
        values, vectors, inverse = self.tables
        product = lambda a, b: jnp.matmul(a, b, precision=HIGHEST)
        inner = product(product(inverse, r), inverse.conj().T)
        inner = inner / (s - values[:, None] - values.conj()[None, :])
        return product(product(vectors, inner), vectors.conj().T)


def kind_of(lindbladian: Lindbladian, method: str) -> str:
    """ "dense" or "sparse" factors, or "iterative", for a method "direct", "iterative" or "auto"."""
    if method == "iterative":
        return method
    if lindbladian.n <= DENSE_LEVELS.get(jax.default_backend(), DENSE_LEVELS_ELSEWHERE):
        return "dense"
    return "sparse" if method == "direct" or sparse.pays(sparse.Structure.of(lindbladian)) else "iterative"


def _by_factors(factors: Any, transposed: int) -> Callable[[Callable, Array], Array]:
    def solve(matvec: Callable, b: Array) -> Array:
        once = lambda r: jax.scipy.linalg.lu_solve(factors, r.reshape(-1), trans=transposed).reshape(b.shape)
        x = once(b)
        # One step of refinement: the factors of an ill-conditioned M lose digits that this regains.
        return x + once(b - matvec(x))

    return solve


def _by_gmres(preconditioner: Callable, rtol: float) -> Callable[[Callable, Array], Array]:
    def solve(matvec: Callable, b: Array) -> Array:
        like = jax.ShapeDtypeStruct(b.shape, b.dtype)
        operator = lx.FunctionLinearOperator(matvec, like)
        helper = lx.FunctionLinearOperator(preconditioner, like)
        solver = lx.GMRES(rtol=rtol, atol=rtol * 1e-3, restart=RESTART, max_steps=MAX_RESTARTS * RESTART)
        found = lx.linear_solve(operator, b, solver, options={"preconditioner": helper}, throw=False)
        return found.value

    return solve
