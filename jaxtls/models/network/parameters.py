"""Says what a network is made of, and what its equations need to know of it: below everything that solves them."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete, refused
from ...dynamics.model import AbstractModel
from . import covariance, davies, sectors
from .checks import CROSSES
from .graph import Structure, mask_of
from .rates import boltzmann, relaxation_rate, symmetric, thermal_population


class AbstractNetwork(AbstractModel):
    """Holds frequencies, baths and couplings of N TLSs; `ThermalNetwork` says what they mean."""

    closes_over: ClassVar[bool] = False
    frequencies: Array
    betas: Array
    rates: Array
    incoherent: Array | None
    coherent: Array | None
    thermalizer: str = eqx.field(static=True)
    baths: tuple[int, ...] | None = eqx.field(static=True)
    edges: tuple[tuple[int, int], ...] | None = eqx.field(static=True)
    triples: tuple[tuple[int, int, int], ...] = eqx.field(static=True)
    triple_couplings: Array

    # --- parameters --------------------------------------------------------------------------------------------------

    @property
    def n_tls(self) -> int:
        """Gives the number of sites."""
        return self.frequencies.shape[-1]

    @property
    def thermal_populations(self) -> Array:
        """Gives f_n = x/(1 + x), x = e^(-beta_n w_n), (N,): of each site with its own bath alone."""
        return thermal_population(self.betas, self.frequencies)

    @property
    def relaxation_rates(self) -> Array:
        """Gives g_n = Gamma_n (1 + x_n), (N,) [1/time]."""
        return relaxation_rate(self.bath_rates, self.betas, self.frequencies)

    @property
    def bath_rates(self) -> Array:
        """Gives Gamma_n, zero off the declared baths."""
        if self.baths is None:
            return self.rates
        mask = jnp.asarray(np.isin(np.arange(self.n_tls), self.baths))
        declared = refused(self.rates, jnp.any(~mask & (self.rates != 0)), "rates must be zero off the declared baths.")
        return jnp.where(mask, declared, 0.0)

    def symmetric(self, couplings: Array | None) -> Array:
        """Makes couplings (N, N), zeros for None; traced ones are symmetrised, and refused off the declared edges."""
        n = self.n_tls
        if couplings is None:
            return jnp.zeros((n, n), self.frequencies.dtype)
        mask = mask_of(n, self.edges)
        if self.edges is not None:
            bad = jnp.any(~jnp.asarray(mask) & (couplings != 0))
            couplings = refused(couplings, bad, "Couplings must be zero off the declared edges.")
        return symmetric(couplings, mask)

    @property
    def noise(self) -> Array:
        """Gives Y, (N, N)."""
        return self.symmetric(self.incoherent)

    @property
    def hopping(self) -> Array:
        """Gives H within one excitation: diag(w) + K."""
        return jnp.diag(self.frequencies) + self.symmetric(self.coherent)

    def fermions(self, reference: Array) -> covariance.Fermions:
        """Gives the chain's quadratic master equation, for a reference with populations (N,)."""
        hopping, noise = self.hopping, self.noise
        if self.thermalizer == "global":
            return covariance.global_fermions(hopping, noise, reference, self.modes(hopping))
        away = self.thermal_populations - reference
        return covariance.local_fermions(hopping, self.relaxation_rates, noise, away)

    def modes(self, hopping: Array) -> covariance.Modes:
        """Gives modes of one excitation and Davies' rates at them."""
        modes = covariance.global_modes(hopping, self.bath_rates, self.betas)
        energies = refused(modes.energies, covariance.crosses_numbers(modes.energies), CROSSES)
        return modes._replace(energies=energies)

    def levels(self) -> davies.Levels:
        """Gives energies and vectors of H, and what the baths couple to."""
        coherent = self.symmetric(self.coherent)
        found = davies.levels(self.n_tls, self.frequencies, coherent, self.bath_rates, self.betas)
        energies = refused(found.energies, davies.crosses_numbers(self.n_tls, found), CROSSES)
        return found._replace(energies=energies)

    def sector_parameters(self) -> sectors.Parameters:
        """Gives what the table of `sectors` multiplies; global thermalizers are no part of it."""
        loss = self.bath_rates
        if self.thermalizer == "global":
            loss = jnp.zeros_like(loss)
        gain = loss * boltzmann(self.betas, self.frequencies)
        coherent, triple = self.symmetric(self.coherent), self.triple_couplings
        return sectors.Parameters(self.frequencies, coherent, loss, gain, self.noise, triple)

    def bath_generator(self) -> Array | None:
        """Gives Davies' baths as a matrix; None for local ones, which are part of the table."""
        return davies.site_generator(self.n_tls, self.levels()) if self.thermalizer == "global" else None


def structure(model: AbstractNetwork) -> Structure:
    """Says what may differ from zero: traced numbers may be anything, unless `baths` and `edges` name zeros."""
    n = model.n_tls
    allowed = mask_of(n, model.edges)
    rates, sites = concrete(model.rates), np.ones(n, bool)
    if rates is not None:
        sites = rates > 0
    elif model.baths is not None:
        sites = np.isin(np.arange(n), model.baths)

    def pairs(couplings: Array | None) -> np.ndarray:
        if couplings is None:
            return np.zeros((n, n), bool)
        known = concrete(couplings)
        return allowed if known is None else (known != 0) | (known.T != 0)

    return Structure(sites, pairs(model.coherent), pairs(model.incoherent), model.triples)
