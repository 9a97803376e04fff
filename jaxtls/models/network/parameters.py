"""What a network is made of, and what its equations need to know of it: below everything that solves them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, get_args

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete, positive, real, refused, require
from ...dynamics.model import AbstractModel
from . import covariance, davies, sectors
from .checks import CROSSES, couplings, three_bodies
from .graph import checked_edges, checked_sites, mask_of
from .rates import boltzmann, relaxation_rate, symmetric, thermal_population
from .states import DensityState

Thermalizer = Literal["local", "global"]


class AbstractNetwork(AbstractModel):
    """Frequencies, baths and couplings of N TLSs; `ThermalNetwork` says what they mean."""

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

    def __init__(
        self,
        frequencies: Any,
        betas: Any,
        rates: Any,
        incoherent: Any = None,
        coherent: Any = None,
        thermalizer: str = "local",
        baths: Any = None,
        edges: Any = None,
        three_body: object = None,
    ):
        kinds = get_args(Thermalizer)
        require(thermalizer in kinds, "thermalizer", f"be one of {', '.join(map(repr, kinds))}", repr(thermalizer))
        self.thermalizer = thermalizer
        self.frequencies = positive("frequencies", frequencies)
        self.rates = positive("rates", rates, zero=True, remedy="A site without a bath has rate 0.")
        self.betas = real("betas", betas)
        require(
            self.frequencies.ndim == 1 and self.frequencies.shape[0] >= 1,
            "frequencies",
            "have shape (N,)",
            f"shape {self.frequencies.shape}",
            "Use jax.vmap for several networks.",
        )
        n = self.frequencies.shape[0]
        for name, value in (("betas", self.betas), ("rates", self.rates)):
            require(value.shape == (n,), name, f"have shape ({n},), one for each frequency", f"shape {value.shape}")
        known = concrete(self.betas)
        if known is not None:
            good = not bool(np.any(np.isnan(known) | (known == -np.inf)))
            require(good, "betas", "be numbers above -infinity", betas, "Zero temperature is beta = jnp.inf.")
        self.baths, self.edges = checked_sites(n, baths), checked_edges(n, edges)
        self.incoherent = couplings("incoherent", incoherent, n, self.edges, least=0.0)
        self.coherent = couplings("coherent", coherent, n, self.edges)
        self.triples, self.triple_couplings = three_bodies(n, three_body, self.frequencies.dtype)
        local = not self.triples or thermalizer == "local"
        remedy = "Build the equation with jt.BlochRedfield(H, couplings, secular='full')."
        require(local, "three_body", "be None with global thermalizers", f"{len(self.triples)} couplings", remedy)
        rate = concrete(self.rates)
        if rate is not None and self.baths is not None:
            others = np.delete(rate, self.baths)
            require(not np.any(others), "rates", "be zero off the declared baths", rates, "Add the sites to baths=.")

    # --- parameters --------------------------------------------------------------------------------------------------

    @property
    def n_tls(self) -> int:
        return self.frequencies.shape[-1]

    @property
    def thermal_populations(self) -> Array:
        """f_n = x/(1 + x), x = e^(-beta_n w_n), (N,): of each site with its own bath alone."""
        return thermal_population(self.betas, self.frequencies)

    @property
    def relaxation_rates(self) -> Array:
        """g_n = Gamma_n (1 + x_n), (N,) [1/time]."""
        return relaxation_rate(self.bath_rates, self.betas, self.frequencies)

    @property
    def bath_rates(self) -> Array:
        """Gamma_n, zero off the declared baths."""
        if self.baths is None:
            return self.rates
        mask = jnp.asarray(np.isin(np.arange(self.n_tls), self.baths))
        declared = refused(self.rates, jnp.any(~mask & (self.rates != 0)), "rates must be zero off the declared baths.")
        return jnp.where(mask, declared, 0.0)

    def symmetric(self, couplings: Array | None) -> Array:
        """(N, N) couplings, zeros for None; traced ones are symmetrised, and refused off the declared edges."""
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
        """Y, (N, N)."""
        return self.symmetric(self.incoherent)

    @property
    def hopping(self) -> Array:
        """H within one excitation: diag(w) + K."""
        return jnp.diag(self.frequencies) + self.symmetric(self.coherent)

    def fermions(self, reference: Array) -> covariance.Fermions:
        """The chain's quadratic master equation, for a reference with populations (N,)."""
        hopping, noise = self.hopping, self.noise
        if self.thermalizer == "global":
            return covariance.global_fermions(hopping, noise, reference, self.modes(hopping))
        away = self.thermal_populations - reference
        return covariance.local_fermions(hopping, self.relaxation_rates, noise, away)

    def modes(self, hopping: Array) -> covariance.Modes:
        """Modes of one excitation and Davies' rates at them."""
        modes = covariance.global_modes(hopping, self.bath_rates, self.betas)
        energies = refused(modes.energies, covariance.crosses_numbers(modes.energies), CROSSES)
        return modes._replace(energies=energies)

    def levels(self) -> davies.Levels:
        """Energies and vectors of H, and what the baths couple to."""
        coherent = self.symmetric(self.coherent)
        found = davies.levels(self.n_tls, self.frequencies, coherent, self.bath_rates, self.betas)
        energies = refused(found.energies, davies.crosses_numbers(self.n_tls, found), CROSSES)
        return found._replace(energies=energies)

    def sector_parameters(self) -> sectors.Parameters:
        """What the table of `sectors` multiplies; global thermalizers are no part of it."""
        loss = self.bath_rates
        if self.thermalizer == "global":
            loss = jnp.zeros_like(loss)
        gain = loss * boltzmann(self.betas, self.frequencies)
        return sectors.Parameters(self.frequencies, self.symmetric(self.coherent), loss, gain, self.noise)

    def bath_generator(self) -> Array | None:
        """Davies' baths as a matrix; None for local ones, which are part of the table."""
        return davies.site_generator(self.n_tls, self.levels()) if self.thermalizer == "global" else None

    def packed(self, state: DensityState) -> Array:
        return sectors.product_state(self.n_tls, state.reference) + state.excess
