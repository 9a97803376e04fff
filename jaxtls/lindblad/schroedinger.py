"""`SchroedingerEquation` is a Hamiltonian that moves kets, with what to record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from ..dynamics.model import AbstractModel, VectorField
from .lindbladian import Lindbladian
from .measured import Measured


class SchroedingerEquation(AbstractModel):
    """Moves by i d psi/dt = H(t) psi; neither phase nor norm is touched."""

    closes_over: ClassVar[bool] = False
    law: Lindbladian  # without jumps
    operators: Measured
    norm: Array

    @property
    def observables(self) -> dict[str, Callable[[Array], Array]]:
        """Gives the expectation values, recorded by `measured` at their times."""
        return {"expects": lambda psi: self.operators(0.0, psi)} if self.operators.count else {}

    def measured(self, t: ArrayLike, y: Array, names: tuple[str, ...]) -> dict[str, Array]:
        """Returns the expectation values <psi|O(t)|psi>."""
        return {name: self.operators(t, y) for name in names}

    def diagnostics(self, y: Array) -> dict[str, Array]:
        """Says how far the norm drifted."""
        return {"norm_error": jnp.abs(jnp.sum(jnp.abs(y) ** 2) - self.norm)}

    @property
    def diagnostic_limits(self) -> dict[str, float]:
        return {"norm_error": 1e-5}

    def generator(self, y0: Array) -> VectorField:
        field = self.law.ket_generator()
        return lambda t, psi, args=None: field(t, psi[:, None])[:, 0]

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


def ket_equation(law: Lindbladian, psi0: ArrayLike, operators: Measured) -> tuple[SchroedingerEquation, Array]:
    """Returns the equation and the ket in its type."""
    psi = jnp.asarray(psi0)
    psi = psi.astype(jnp.result_type(psi.dtype, law.dtype))
    return SchroedingerEquation(law, operators, jnp.sum(jnp.abs(psi) ** 2)), psi
