"""Holds states of a network: as small as the physics allows.

Each holds the populations of a product state, the `reference`, and the `excess` over it. A steady state is an excess
over the sites' own thermal states: weak couplings and small temperature differences keep their relative accuracy.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from .sectors import Kept


class PopulationState(eqx.Module):
    """Holds populations alone: closed where every coupling is incoherent. `excess` (N,)."""

    reference: Array
    excess: Array
    steady: bool = eqx.field(static=True, default=False)

    @property
    def population_excess(self) -> Array:
        """Gives what the populations have over those of the reference, (N,)."""
        return self.excess


class CovarianceState(eqx.Module):
    """Holds <c_i^dagger c_j> of Jordan-Wigner fermions on chains, baths at the ends. `excess` (N, N), by `pack`."""

    reference: Array
    excess: Array
    steady: bool = eqx.field(static=True, default=False)

    @property
    def population_excess(self) -> Array:
        """Gives what the populations have over those of the reference, (N,)."""
        return jnp.diagonal(self.excess)


class DensityState(eqx.Module):
    """Holds the density matrix, packed as in `sectors`: `excess` of the elements `kept`."""

    reference: Array
    excess: Array
    steady: bool = eqx.field(static=True, default=False)
    kept: Kept = eqx.field(static=True, default="sectors")


NetworkState = PopulationState | CovarianceState | DensityState
