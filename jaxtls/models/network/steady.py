"""Finds the steady state of a network: which equations close, and their solution."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from ..._checks import concrete, refused
from ...lindblad import steady_state
from ...numerics.hermitian import pack
from . import covariance, davies, full, populations, sectors
from .checks import NOT_UNIQUE, require_baths, require_memory
from .linear import singular
from .parameters import AbstractNetwork, structure
from .states import CovarianceState, DensityState, NetworkState, PopulationState

MAX_DAVIES_BLOCKS = 6
MAX_SITES = 10
# Density matrices that the iteration for a steady state keeps.
FULL_COPIES = 80
# Of the density matrix, beyond which what the populations reach saves nothing.
SMALL_SHARE = 0.1


def solve(model: AbstractNetwork, max_memory: float) -> NetworkState:
    """Solves in the smallest space that closes."""
    shape = structure(model)
    require_baths(shape)
    reference = model.thermal_populations
    if model.triples:
        return turning(model, max_memory)
    if not shape.coherent.any():
        excess, condition = populations.steady_excess(model.relaxation_rates, model.noise, reference)
        return PopulationState(reference, refused(excess, singular(condition), NOT_UNIQUE), True)
    noisy = bool(shape.incoherent.any())
    if shape.is_chains() and not (noisy and model.n_tls > covariance.DENSE_NOISY_SITES):
        excess, condition = covariance.steady_excess(model.fermions(reference), reference, noisy)
        return CovarianceState(reference, refused(excess, singular(condition), NOT_UNIQUE), True)
    return density(model, noisy, max_memory)


def turning(model: AbstractNetwork, max_memory: float) -> DensityState:
    """Solves with three-body couplings: the elements that the populations reach, or the whole matrix by iteration."""
    n, reference, kept = model.n_tls, model.thermal_populations, structure(model).moves
    places, whole = sectors.pairs(n, kept), 4.0**n
    size = len(places[0])
    if 3 * 8.0 * size**2 > max_memory * 2**30 and size > SMALL_SHARE * whole:
        require_memory(FULL_COPIES * 16 * whole, f"density matrices of {n}", max_memory)
        packed = pack(steady_state(full.lindbladian(model)))[places]
        return DensityState(reference, packed - sectors.product_state(n, reference, kept), True, kept)
    require_memory(3 * 8.0 * size**2 + 48 * whole, f"{size} coherences and populations of {n}", max_memory)
    excess, condition = sectors.steady_excess(n, kept, model.sector_parameters(), None, reference)
    return DensityState(reference, refused(excess, singular(condition), NOT_UNIQUE), True, kept)


def density(model: AbstractNetwork, noisy: bool, max_memory: float) -> DensityState:
    """Solves as a density matrix, whatever else would close."""
    n, reference = model.n_tls, model.thermal_populations
    is_global = model.thermalizer == "global"
    if is_global and not noisy and MAX_DAVIES_BLOCKS < n <= MAX_SITES:
        return _eigenstates(model, max_memory)
    size = sectors.dimension(n)
    copies = 12 if is_global else 3
    require_memory(copies * 8.0 * size**2, f"a generator of {size} x {size} for {n} coherently coupled", max_memory)
    parameters, extra = model.sector_parameters(), model.bath_generator()
    excess, condition = sectors.steady_excess(n, "sectors", parameters, extra, reference)
    return DensityState(reference, refused(excess, singular(condition), NOT_UNIQUE), True)


def _eigenstates(model: AbstractNetwork, max_memory: float) -> DensityState:
    """Solve Davies beyond the full blocks: populations of eigenstates, and coherences of those that are equal."""
    n, reference, found = model.n_tls, model.thermal_populations, model.levels()
    a = b = np.arange(2**n)
    equal = davies.degenerate_pairs(n, found)
    known = concrete(equal)
    if known is None:
        energies = refused(found.energies, jnp.any(equal), "H has equal levels: traced, they need N <= 6.")
        found = found._replace(energies=energies)
    else:
        rows, columns = np.nonzero(known)
        a, b = np.concatenate([a, rows]), np.concatenate([b, columns])
    require_memory(10 * 8.0 * len(a) ** 2 + 8 * n * 4.0**n, f"{len(a)} eigenstate elements of {n}", max_memory)
    packed, condition = davies.steady_matrix(n, found, a, b)
    packed = refused(packed, singular(condition), NOT_UNIQUE)
    return DensityState(reference, packed - sectors.product_state(n, reference), True)
