"""Holds states of a network: as small as the physics allows, each with what its form says and how it moves.

Each holds the populations of a product state, the `reference`, and the `excess` over it. A steady state is an excess
over the sites' own thermal states: weak couplings and small temperature differences keep their relative accuracy.
"""

from __future__ import annotations

import abc
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from ..._checks import refused, require
from ...numerics.products import matmul
from . import covariance, davies, populations, sectors
from .parameters import AbstractNetwork
from .sectors import Kept

# Of excesses of one form: d excess/dt.
Change = Callable[[Array], Array]


class AbstractNetworkState(eqx.Module):
    """Holds N TLSs in a form that the network's equations close in."""

    reference: eqx.AbstractVar[Array]
    excess: eqx.AbstractVar[Array]
    steady: eqx.AbstractVar[bool]

    @property
    @abc.abstractmethod
    def population_excess(self) -> Array:
        """Gives what the populations have over those of the reference, (N,)."""

    @property
    @abc.abstractmethod
    def coherences(self) -> Array:
        """Gives Re <a_i^dagger a_k> on coupled pairs, (N, N), zero diagonal."""

    @property
    def triple_coherences(self) -> Array | None:
        """Gives Re <a_i a_j^dagger a_k> of each three-body coupling, (K,); None where the form has none."""
        return None

    def global_currents(self, model: AbstractNetwork) -> Array | None:
        """Gives Tr(H L_n rho) of Davies' baths, (N,); None where they are the local ones."""
        return None

    @abc.abstractmethod
    def change(self, model: AbstractNetwork) -> Change:
        """Makes the right-hand side for excesses over this reference, with what does not move made once."""

    def require_steady(self) -> None:
        """Refuses a compact state in motion, whose correlations are not known."""
        remedy = "A state in motion holds no more than its own numbers; ask the steady state."
        require(self.steady, "state", "come from steady_state", type(self).__name__, remedy)


class PopulationState(AbstractNetworkState):
    """Holds populations alone: closed where every coupling is incoherent. `excess` (N,)."""

    reference: Array
    excess: Array
    steady: bool = eqx.field(static=True, default=False)

    @property
    def population_excess(self) -> Array:
        """Gives the excess itself, (N,)."""
        return self.excess

    @property
    def coherences(self) -> Array:
        """Gives zeros, (N, N)."""
        n = self.reference.shape[0]
        return jnp.zeros((n, n), self.reference.dtype)

    def change(self, model: AbstractNetwork) -> Change:
        """Makes the rate equations."""
        matrix = populations.relaxation(model.relaxation_rates, model.noise)
        away = model.relaxation_rates * (model.thermal_populations - self.reference)
        pull = away + populations.mixing(model.noise, self.reference)
        return lambda excess: pull - matmul(matrix, excess)


class CovarianceState(AbstractNetworkState):
    """Holds <c_i^dagger c_j> of Jordan-Wigner fermions on chains, baths at the ends. `excess` (N, N), by `pack`."""

    reference: Array
    excess: Array
    steady: bool = eqx.field(static=True, default=False)

    @property
    def population_excess(self) -> Array:
        """Gives the diagonal, (N,)."""
        return jnp.diagonal(self.excess)

    @property
    def coherences(self) -> Array:
        """Gives the real part off the diagonal, (N, N)."""
        real_part = (self.excess + self.excess.T) / 2
        return real_part - jnp.diag(jnp.diagonal(real_part))

    def global_currents(self, model: AbstractNetwork) -> Array:
        """Gives the currents from Davies' rates between modes of one excitation, (N,)."""
        grown = jnp.diag(self.reference) + (self.excess + self.excess.T) / 2
        return covariance.global_currents(model.modes(model.hopping), grown)

    def change(self, model: AbstractNetwork) -> Change:
        """Makes the quadratic master equation of the fermions."""
        fermions = model.fermions(self.reference)
        field, drive = covariance.linear_field(fermions), covariance.drive(fermions, self.reference)
        degrees = jnp.sum((model.symmetric(model.coherent) != 0) | (model.noise != 0), axis=1)
        open_chain = jnp.all(degrees <= jnp.where(model.bath_rates > 0, 1, 2))
        drive = refused(drive, ~open_chain, "A CovarianceState moves on chains with baths at their ends alone.")
        return lambda excess: field(excess) + drive


class DensityState(AbstractNetworkState):
    """Holds the density matrix, packed as in `sectors`: `excess` of the elements `kept`."""

    reference: Array
    excess: Array
    steady: bool = eqx.field(static=True, default=False)
    kept: Kept = eqx.field(static=True, default="sectors")

    @property
    def n_tls(self) -> int:
        """Gives the number of sites."""
        return self.reference.shape[-1]

    @property
    def packed(self) -> Array:
        """Gives the whole state, its reference included, packed as in `sectors`."""
        return sectors.product_state(self.n_tls, self.reference, self.kept) + self.excess

    @property
    def population_excess(self) -> Array:
        """Gives sums over the diagonal, (N,)."""
        return sectors.site_populations(self.n_tls, self.excess, self.kept)

    @property
    def coherences(self) -> Array:
        """Gives partial traces on pairs of sites, (N, N)."""
        return sectors.site_coherences(self.n_tls, self.excess, self.kept)

    @property
    def triple_coherences(self) -> Array | None:
        """Gives partial traces on the coupled triples, (K,), where they are kept."""
        return None if isinstance(self.kept, str) else sectors.triple_coherences(self.n_tls, self.excess, self.kept)

    def global_currents(self, model: AbstractNetwork) -> Array:
        """Gives the currents from Davies' rates between eigenstates of H, (N,)."""
        return davies.currents(self.n_tls, model.levels(), self.packed)

    def change(self, model: AbstractNetwork) -> Change:
        """Makes the master equation of the elements that are kept."""
        entries, extra = sectors.table(self.n_tls, self.kept), model.bath_generator()
        numbers, start = sectors.values(entries, model.sector_parameters()), self.packed - self.excess
        local = lambda m: sectors.apply(entries, numbers, m)
        return lambda excess: local(start + excess) + (0.0 if extra is None else matmul(extra, start + excess))


NetworkState = PopulationState | CovarianceState | DensityState
