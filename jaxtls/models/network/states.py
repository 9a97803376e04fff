"""States of a network: as small as the physics allows.

Each holds the populations of a product state, the `reference`, and the `excess` over it. A steady state is an excess
over the sites' own thermal states: weak couplings and small temperature differences keep their relative accuracy.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array


class PopulationState(eqx.Module):
    """Populations alone: closed where every coupling is incoherent. `excess` (N,)."""

    reference: Array
    excess: Array
    steady: bool = eqx.field(static=True, default=False)

    @property
    def population_excess(self) -> Array:
        """What the populations have over those of the reference, (N,)."""
        return self.excess


class CovarianceState(eqx.Module):
    """<c_i^dagger c_j> of Jordan-Wigner fermions on chains, baths at the ends alone. `excess` (N, N), by `pack`."""

    reference: Array
    excess: Array
    steady: bool = eqx.field(static=True, default=False)

    @property
    def population_excess(self) -> Array:
        """What the populations have over those of the reference, (N,)."""
        return jnp.diagonal(self.excess)


class DensityState(eqx.Module):
    """The density matrix, block by block in the number of excitations: `excess` (C(2N, N),), packed as in `sectors`."""

    reference: Array
    excess: Array
    steady: bool = eqx.field(static=True, default=False)


class MatrixState(eqx.Module):
    """The whole density matrix, for networks with three-body couplings: `matrix` (2^N, 2^N), as in `full`."""

    reference: Array
    matrix: Array
    steady: bool = eqx.field(static=True, default=False)

    @property
    def population_excess(self) -> Array:
        """What the populations have over those of the reference, (N,)."""
        n = self.reference.shape[-1]
        weights = jnp.diagonal(self.matrix).real.reshape((2,) * n)
        return jnp.stack([jnp.sum(jnp.take(weights, 1, axis=i)) for i in range(n)]) - self.reference


NetworkState = PopulationState | CovarianceState | DensityState | MatrixState
