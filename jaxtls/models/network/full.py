r"""Solves networks with three-body couplings: the whole density matrix, by the engine for Lindblad equations.

g (a_i a_j^dagger a_k + h.c.) turns |1 0 1> of the sites (i, j, k) into |0 1 0>: no number of excitations is
conserved, so no block of a given number closes. Basis (ground, excited) per site, first slowest.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import refused
from ...lindblad import CountingStatistics, Lindbladian, Operator, local
from ...lindblad.counting import several_counts
from ...numerics import lapack
from . import sectors
from .checks import NOT_UNIQUE
from .linear import singular
from .parameters import AbstractNetwork, structure
from .rates import boltzmann

# Elements of the density matrix for which counting solves dense equations.
MOST_REACHED = 8192
LOWER, NUMBER = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([0.0, 1.0])


class Parts(NamedTuple):
    """Holds H, and the jumps with their rates and the site whose bath makes them; -1 for the noise of a coupling."""

    hamiltonian: Operator
    jumps: list[Operator]
    rates: Array
    sites: np.ndarray


def parts(network: AbstractNetwork) -> Parts:
    """Writes the local master equation in operators: emission and absorption by each bath, then the noise's hops."""
    n = network.n_tls
    dims, shape = (2,) * n, structure(network)
    at = lambda factors: local(dims, factors)
    hamiltonian = sum((network.frequencies[i] * at({i: NUMBER}) for i in range(n)), at({0: np.zeros((2, 2))}))
    coherent, noise = network.symmetric(network.coherent), network.noise
    jumps: list[Operator] = []
    rates: list[Array] = []
    sites: list[int] = []
    gain = boltzmann(network.betas, network.frequencies)
    for i in np.nonzero(shape.baths)[0].tolist():
        jumps += [at({i: LOWER}), at({i: LOWER.T})]
        rates += [network.bath_rates[i], network.bath_rates[i] * gain[i]]
        sites += [i, i]
    for i, k in zip(*np.nonzero(np.triu(shape.edges))):
        hop = at({int(i): LOWER.T, int(k): LOWER})
        if shape.coherent[i, k]:
            hamiltonian = hamiltonian + coherent[i, k] * (hop + hop.dag())
        if shape.incoherent[i, k]:
            jumps += [hop, hop.dag()]
            rates += [noise[i, k], noise[i, k]]
            sites += [-1, -1]
    for (i, j, k), g in zip(network.triples, network.triple_couplings):
        turn = at({i: LOWER, j: LOWER.T, k: LOWER})
        hamiltonian = hamiltonian + g * (turn + turn.dag())
    stacked = jnp.stack(rates) if rates else jnp.zeros(0, network.frequencies.dtype)
    return Parts(hamiltonian, jumps, stacked, np.array(sites, int))


def lindbladian(network: AbstractNetwork) -> Lindbladian:
    """Gives the network's master equation with local thermalizers."""
    found = parts(network)
    return Lindbladian(found.hamiltonian, found.jumps, rates=found.rates)


@eqx.filter_jit
def _counted(kept: sectors.Moves, network: AbstractNetwork) -> tuple[Array, Array, Array]:
    """Find current, noise and a condition number by `counting_statistics`' formulas on elements that are reached."""
    n, thermal, parameters = network.n_tls, network.thermal_populations, network.sector_parameters()
    entries = sectors.table(n, kept)
    excess, condition = sectors.steady_excess(n, kept, parameters, None, thermal)
    rho = sectors.product_state(n, thermal, kept) + excess
    # The gain of a site: its jumps in (loss) and out (gain) are the entries that change its bit.
    flipped = entries.a[entries.rows] != entries.a[entries.columns]
    numbers, diagonal = sectors.values(entries, parameters), entries.diagonal
    start = n + n * n

    def moved(x: Array, site: Array, sign: float) -> Array:
        mine = flipped[:, None] * (entries.which[:, None] == start + np.array([0, n])[None, :] + site)
        weights = jnp.where(mine[:, 0], sign, jnp.where(mine[:, 1], 1.0, 0.0))
        return sectors.apply(entries, numbers * weights, x)

    sites, w = jnp.arange(n), network.frequencies
    into = jax.vmap(lambda k: w[k] * moved(rho, k, -1.0))(sites)
    current = jnp.sum(into[:, diagonal], 1)
    second = jax.vmap(lambda k: w[k] ** 2 * jnp.sum(moved(rho, k, 1.0)[diagonal]))(sites)
    generator = sectors.dense(entries, parameters)
    scale = jnp.max(jnp.abs(generator))
    row = int(diagonal[0])
    generator = generator.at[row].set(jnp.zeros(entries.size, rho.dtype).at[diagonal].set(scale))
    sources = (current[:, None] * rho - into).at[:, row].set(0.0)
    answers = lapack.solve(generator, sources.T).T
    drift = jax.vmap(lambda x, k: w[k] * jnp.sum(moved(x, k, -1.0)[diagonal]))(answers, sites)
    return current, second + 2 * drift, condition


def heat_statistics(network: AbstractNetwork) -> CountingStatistics:
    """Gives current and noise of w_i quanta from each bath into the system, (N,) each."""
    kept = structure(network).moves
    if len(sectors.pairs(network.n_tls, kept)[0]) <= MOST_REACHED:
        current, noise, condition = _counted(kept, network)
        current, noise = refused((current, noise), singular(condition), NOT_UNIQUE)
        return CountingStatistics(current, noise)
    found = parts(network)
    # An emission takes w from the system, an absorption brings it.
    emits = np.arange(len(found.sites)) % 2 == 0
    mine = found.sites[None, :] == np.arange(network.n_tls)[:, None]
    weights = network.frequencies[:, None] * jnp.where(emits, -1.0, 1.0) * mine
    equation = Lindbladian(found.hamiltonian, found.jumps, rates=found.rates)
    return several_counts(equation, weights)
