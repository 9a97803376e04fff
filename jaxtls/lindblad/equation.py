"""`MasterEquation` is a generator with what to record, the model that `evolve` moves for density matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from .._checks import concrete, require
from ..dynamics.model import AbstractModel, VectorField
from ..dynamics.user_model import as_model
from .foreign import as_state
from .generator import AbstractGenerator
from .lindbladian import operators_of
from .measured import Measured
from .schroedinger import SchroedingerEquation, ket_equation

# A matrix counts as Hermitian if it is so to this share of its largest element.
HERMITIAN = 1e-5


class MasterEquation(AbstractModel):
    """Joins a generator with the operators to record."""

    closes_over: ClassVar[bool] = False
    zeros_are_structure: ClassVar[bool] = True
    law: AbstractGenerator
    operators: Measured
    trace: Array
    hermitian: bool = eqx.field(static=True)
    # False for half of a correlation function, which is no state.
    is_state: bool = eqx.field(static=True, default=True)

    @property
    def observables(self) -> dict[str, Callable[[Array], Array]]:
        """Gives the expectation values, recorded by `measured` at their times."""
        return {"expects": lambda rho: self.operators(0.0, rho)} if self.operators.count else {}

    def measured(self, t: ArrayLike, y: Array, names: tuple[str, ...]) -> dict[str, Array]:
        """Gives the expectation values Tr(O(t) rho)."""
        return {name: self.operators(t, y) for name in names}

    def diagnostics(self, y: Array) -> dict[str, Array]:
        """Gives the generator's own diagnostics; how far the trace drifted, and how far a Hermitian start lost it."""
        found = {"trace_error": jnp.abs(jnp.trace(y) - self.trace)}
        if self.is_state:
            found = {**self.law.diagnostics(y), **found}
        return found | ({"hermiticity_error": jnp.max(jnp.abs(y - y.conj().T))} if self.hermitian else {})

    @property
    def diagnostic_limits(self) -> Mapping[str, float]:
        return {"trace_error": 1e-5, "hermiticity_error": 1e-5, **self.law.diagnostic_limits}

    def generator(self, y0: Array) -> VectorField:
        return self.law.generator(hermitian=self.hermitian)

    def vector_field(self, t: ArrayLike, y: Array, args: None = None) -> Array:
        return self.generator(y)(t, y, args)

    def stops(self, ts: Array) -> Array | None:
        return self.law.stops(ts)

    @property
    def stats(self) -> Mapping[str, int | str]:
        return {"levels": self.law.n, "layout": self.law.layout}

    @property
    def discontinuities(self) -> Sequence[Array]:
        return self.law.discontinuities

    def objection(self, ts: Array) -> str | None:
        return self.law.objection(ts)


def master_equation(law: AbstractGenerator, state: PyTree, operators: Measured) -> tuple[MasterEquation, PyTree]:
    """Returns the equation and the density matrix of a ket or a density matrix."""
    rho = state if state.ndim == 2 else state[:, None] * state.conj()
    rho = rho.astype(jnp.result_type(rho.dtype, law.dtype))
    known = concrete(rho)
    require(known is None or bool(np.all(np.isfinite(known))), "rho0", "be finite", state)
    # A matrix that is not Hermitian (half of a correlation function) has no mirror to save work with; a ket's is.
    close = lambda known: np.all(np.abs(known - known.conj().T) <= HERMITIAN * np.max(np.abs(known)))
    hermitian = state.ndim == 1 or (known is not None and bool(close(known)))
    return MasterEquation(law, operators, jnp.asarray(rho.trace()), hermitian), rho


def equation_of(
    law: AbstractGenerator, state: PyTree, operators: Measured, may_stay: bool = True
) -> tuple[MasterEquation | SchroedingerEquation, PyTree]:
    """Returns the equation and the state that it moves: a ket that nothing makes jump stays one, where it may."""
    if may_stay and state.ndim == 1 and law.has_operators and not law.has_jumps:
        return ket_equation(operators_of(law), state, operators)
    return master_equation(law, state, operators)


@as_model.register(AbstractGenerator)
def _(model: AbstractGenerator, y0: PyTree) -> tuple[MasterEquation | SchroedingerEquation, PyTree]:
    return equation_of(model, as_state("y0", y0, model.n), Measured.read("exp_ops", [], model.n))
