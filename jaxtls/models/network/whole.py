"""Gives what no compact state holds, for each form of state: correlations of pairs, and the density matrix."""

from __future__ import annotations

import functools

import jax.numpy as jnp
from jaxtyping import Array

from ..._checks import refused, require
from ...numerics.hermitian import unpack
from . import populations, sectors, steady
from .checks import require_memory
from .parameters import AbstractNetwork, structure
from .rates import boltzmann
from .states import AbstractNetworkState, CovarianceState, DensityState, PopulationState

MAX_CLASSICAL_SITES = 12


@functools.singledispatch
def correlations(state: AbstractNetworkState, model: AbstractNetwork) -> Array:
    """Gives <n_i n_k>, (N, N); <n_i> on the diagonal."""
    raise ValueError(f"Argument `state` must be a state of a network, but got {state!r}.")


@correlations.register
def _(state: DensityState, model: AbstractNetwork) -> Array:
    return sectors.site_correlations(model.n_tls, state.packed, state.kept)


@correlations.register
def _(state: CovarianceState, model: AbstractNetwork) -> Array:
    """Give <n_i n_k> by Wick's theorem where no noise adds to it, else from the density matrix."""
    if structure(model).incoherent.any():
        state.require_steady()
        return correlations(steady.density(model, True, 2.0), model)
    n = state.reference + state.population_excess
    return _joined(n, -(jnp.abs(unpack(state.excess)) ** 2))


@correlations.register
def _(state: PopulationState, model: AbstractNetwork) -> Array:
    state.require_steady()
    n, g, noise = state.reference + state.population_excess, model.relaxation_rates, model.noise
    change = g * (model.thermal_populations - n) + populations.mixing(noise, n)
    speed = jnp.max(g + jnp.sum(noise, axis=1)) * jnp.sqrt(jnp.finfo(n.dtype).eps)
    n = refused(n, jnp.max(jnp.abs(change)) > speed, "The state is not the steady state of this network.")
    connected, residual = populations.connected_correlations(g, noise, n)
    return _joined(n, refused(connected, ~(residual < 1e-5), "The pair correlations did not converge; enable x64."))


def _joined(n: Array, connected: Array) -> Array:
    return jnp.outer(n, n) + connected + jnp.diag(n * (1 - n) - jnp.diagonal(connected))


@functools.singledispatch
def density_matrix(state: AbstractNetworkState, model: AbstractNetwork, max_memory: float) -> Array:
    """Gives the density matrix, (2^N, 2^N) complex, basis (ground, excited) per site, first site slowest."""
    raise ValueError(f"Argument `state` must be a state of a network, but got {state!r}.")


@density_matrix.register
def _(state: DensityState, model: AbstractNetwork, max_memory: float) -> Array:
    n = model.n_tls
    require_memory(64 * 4.0**n, f"the density matrix of {n}", max_memory)
    return unpack(sectors.matrix(n, state.packed, state.kept))


@density_matrix.register
def _(state: CovarianceState, model: AbstractNetwork, max_memory: float) -> Array:
    state.require_steady()
    noisy = bool(structure(model).incoherent.any())
    return density_matrix(steady.density(model, noisy, max_memory), model, max_memory)


@density_matrix.register
def _(state: PopulationState, model: AbstractNetwork, max_memory: float) -> Array:
    n = model.n_tls
    state.require_steady()
    require_memory(88 * 4.0**n, f"the 2^N = {2.0**n:.3g} populations of {n}", max_memory)
    require(n <= MAX_CLASSICAL_SITES, "frequencies", f"have at most {MAX_CLASSICAL_SITES} sites here", n)
    # With incoherent couplings alone, Davies' baths are the local ones.
    loss = model.bath_rates
    parameters = model.sector_parameters()._replace(loss=loss, gain=loss * boltzmann(model.betas, model.frequencies))
    excess, _ = sectors.steady_excess(n, "populations", parameters, None, model.thermal_populations)
    start = sectors.product_state(n, model.thermal_populations, "populations")
    return jnp.diag(start + excess) + 0j
