"""Solves linear equations with a generator: (s - L) X = R, by elimination, by sparse factors, or by iteration.

L has a null vector, so what is solved is M X = s X - L X + m Tr(X) 1/n, which is regular for Re s >= 0, s = 0 included,
if and only if the steady state is unique and nothing oscillates undamped at Im s. The trace of the equation gives
(s + m) Tr X = Tr R: a traceless R has the X that M was to find.

Factors are those of M + floor, with a small damping that keeps them finite where M, or a part of it that is eliminated
first, is singular; refinement with M itself takes its effect away. Derivatives, forward and reverse, are those of the
implicit function theorem (`jax.lax.custom_linear_solve`); the transposed equation is solved with the same factors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import in_transformation, inside_jit, is_traced
from ..._platform import platform
from ...numerics.hermitian import from_unknowns, unknowns
from ..generator import AbstractGenerator
from ..lindbladian import operators_of
from . import assembly, levels, sparse
from .between import BetweenJumps
from .elimination import Elimination
from .refinement import minimal_residuals

# Multiplications up to which elimination is chosen before SciPy's sparse factors, and up to which at all.
FEW, MANY = 5e7, 2e9
# A generator of unknown structure is written as a matrix up to this many levels.
MATRIX_LEVELS = 32
# Most steps, and the directions that are remembered: where factors are refined, and where they stand in for M alone.
ITERATIONS, REFINED, KEPT = 400, 24, 60

Solve = Callable[[Array], Array]
T = TypeVar("T", bound=PyTree)


class Kind(NamedTuple):
    """Says how the equation is solved: "blocks", "dense" (one block), "sparse" or "iterative"; in which order.

    "banded": arrays whose numbers are traced are taken to couple neighbouring levels, as `structure` says. Where the
    running program finds that they do, the blocks are exact; where not, the motion between jumps stands in for them.
    """

    name: str
    order: levels.Order | None = None
    structure: sparse.Structure | None = None
    # What solves it where a compiled program does not run on a CPU: "sparse" factors are the host's.
    elsewhere: Kind | None = None

    @property
    def is_exact(self) -> bool:
        """Says whether there are factors of all of M."""
        return self.name not in ("iterative", "banded")

    def where_it_runs(self, solve: Callable[[Kind], T]) -> T:
        """Calls `solve(self)`, or that of the kind for other devices, as the program's own device decides."""
        other = self.elsewhere
        if other is None:
            return solve(self)
        return jax.lax.platform_dependent(cpu=lambda: solve(self), default=lambda: solve(other))


class Resolvent(eqx.Module):
    """Holds M for a time-independent generator, with what does not depend on s or R made once."""

    model: AbstractGenerator
    scale: Array
    kind: Kind = eqx.field(static=True)
    # What the trace is multiplied with, over the scale: 1, or 0 where s itself keeps M regular.
    trace: float = eqx.field(static=True)

    @classmethod
    def build(cls, model: AbstractGenerator, kind: Kind, trace: float = 1.0) -> Resolvent:
        a = jax.lax.stop_gradient(model).effective()
        scale = 2 * jnp.sqrt(jnp.mean(jnp.sum(jnp.abs(a) ** 2, 0)))
        return cls(model, jnp.where(scale > 0, scale, 1.0), kind, trace)

    @property
    def hermitian(self) -> bool:
        """Says whether X is taken to be Hermitian."""
        return self.kind.order is not None and self.kind.order.hermitian

    def apply(self, x: Array, s: ArrayLike = 0.0) -> Array:
        """Returns the image M x of a matrix."""
        n = self.model.n
        moved = self.model.generator(hermitian=self.hermitian)(0.0, x, None)
        return s * x - moved + self.trace * self.scale * jnp.trace(x) * jnp.eye(n, dtype=x.dtype) / n

    def on_unknowns(self, s: ArrayLike = 0.0) -> Solve:
        """Does what `apply` does, on the vector of unknowns."""
        return lambda v: unknowns(self.apply(from_unknowns(v, self.hermitian), s), self.hermitian)

    def approximate(self, s: ArrayLike, floor: float) -> tuple[Solve, Solve]:
        """Makes approximate inverses of M and of its transpose, on vectors of unknowns; `floor` over the scale."""
        still, s = jax.lax.stop_gradient((self.model, s))
        n, order = still.n, self.kind.order
        shifted = s + floor * self.scale
        if order is not None:
            trace = self.trace * self.scale
            if order.count == 1:
                blocks = assembly.from_matrix(still.whole(), order, trace, shifted)
            else:
                law = operators_of(still)
                structure = self.kind.structure or sparse.Structure.of(law)
                blocks = assembly.from_operators(law, structure, order, trace, shifted)
            factors = Elimination.of(blocks)
            by = lambda flag: lambda v: order.gathered(factors.solve(order.spread(v), transposed=flag))
            if self.kind.structure is None:
                return by(False), by(True)
            fits, (other, other_transposed) = self.kind.structure.holds(operators_of(still)), self._between_jumps(s)
            either = lambda first, second: lambda v: jax.lax.cond(fits, first, second, v)
            return either(by(False), other), either(by(True), other_transposed)
        if self.kind.name == "sparse":
            law, trace = operators_of(still), self.trace * self.scale
            solve = lambda flag: lambda v: sparse.solve(law, trace, shifted, v.reshape(n, n), flag).reshape(-1)
            return solve(False), solve(True)
        return self._between_jumps(s)

    def _between_jumps(self, s: ArrayLike) -> tuple[Solve, Solve]:
        """Take the motion between jumps as an approximate inverse, and its transpose."""
        between = BetweenJumps.of(jax.lax.stop_gradient(self.model).effective())
        forward = lambda v: unknowns(between.solve(from_unknowns(v, self.hermitian), s), self.hermitian)
        return forward, lambda v: jax.linear_transpose(forward, v)(v)[0]

    def solve(
        self,
        rhs: Array,
        s: ArrayLike = 0.0,
        *,
        inverses: tuple[Solve, Solve] | None = None,
        floor: float = 0.0,
        rtol: float | None = None,
        steps: int | None = None,
    ) -> Array:
        """Solves M X = rhs for X, (n, n) complex; `steps` plain corrections, else as many as the residual asks for."""
        rtol = 100 * float(jnp.finfo(rhs.dtype).eps) if rtol is None else rtol
        forward, transposed = self.approximate(s, floor) if inverses is None else inverses
        iterative = not self.kind.is_exact
        # One step or two are enough, but where blocks that were eliminated without pivots between them know little.
        kept = KEPT if iterative else REFINED

        def by(inverse: Solve) -> Callable[[Solve, Array], Array]:
            def solved(apply: Solve, b: Array) -> Array:
                if steps is None or iterative:
                    return minimal_residuals(apply, inverse, b, rtol, ITERATIONS, kept)[0]
                x = inverse(b)
                for _ in range(steps):
                    x = x + inverse(b - apply(x))
                return x

            return solved

        b = unknowns(rhs, self.hermitian)
        x = jax.lax.custom_linear_solve(self.on_unknowns(s), b, by(forward), by(transposed))
        return from_unknowns(x, self.hermitian)


def kind_of(model: AbstractGenerator, method: str, hermitian: bool) -> Kind:
    """Says what solves the equation for a method "direct", "iterative" or "auto"."""
    if method == "iterative":
        return Kind("iterative")
    if not model.has_operators:
        few = model.n <= MATRIX_LEVELS or method == "direct"
        return _blocks(levels.one_block(model.n, hermitian)) if few else Kind("iterative")
    law = operators_of(model)
    structure = sparse.Structure.of(law)
    order = levels.order(structure, hermitian)
    if order.work <= FEW * (1 if hermitian else 0.25):
        return _blocks(order)
    unknown = is_traced(law.terms) or inside_jit()
    if method == "auto" and unknown and (guess := structure.banded()) is not None:
        return Kind("banded", levels.order(guess, hermitian), guess)
    found = _blocks(order) if method == "direct" or order.work <= MANY else Kind("iterative")
    if platform() == "cpu" and (method == "direct" or not levels.full(structure)) and sparse.pays(structure):
        return Kind("sparse", elsewhere=found if in_transformation() else None)
    return found


def dense_kind(n: int) -> Kind:
    """Takes the whole matrix, for equations at rest that an iteration does not meet."""
    return _blocks(levels.one_block(n, True))


def _blocks(order: levels.Order) -> Kind:
    return Kind("dense" if order.count == 1 else "blocks", order)


def smallest(inverses: tuple[Solve, Solve], count: int, scale: Array, dtype: jnp.dtype) -> Array:
    """Finds the smallest singular value of M over its scale, by inverse iteration: a vector and its largest growth."""
    vector = jnp.asarray(np.random.default_rng(0).normal(size=count), dtype)
    forward, transposed = inverses
    # The adjoint is the transpose of the conjugate.
    grown = lambda _, v: transposed(forward(v / jnp.linalg.norm(v)).conj()).conj()
    growth = jnp.linalg.norm(jax.lax.fori_loop(0, 3, grown, vector))
    found = 1 / (jnp.sqrt(growth) * scale)
    return jnp.where(jnp.isfinite(growth), found, 0.0)
