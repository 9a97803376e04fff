r"""Networks with three-body couplings: the whole density matrix, by the engine for Lindblad equations.

g (a_i a_j^dagger a_k + h.c.) turns |1 0 1> of the sites (i, j, k) into |0 1 0>: no number of excitations is
conserved, so no block of `sectors` closes. Matrices are (2^N, 2^N), basis (ground, excited) per site, first slowest.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...lindblad import CountingStatistics, Lindbladian, Operator, local
from ...lindblad.counting import several_counts
from .parameters import AbstractNetwork, structure
from .rates import boltzmann

LOWER, NUMBER = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([0.0, 1.0])


class Parts(NamedTuple):
    """H, and the jumps with their rates and the site whose bath makes them; -1 for the noise of a coupling."""

    hamiltonian: Operator
    jumps: list[Operator]
    rates: Array
    sites: np.ndarray


def parts(network: AbstractNetwork) -> Parts:
    """The local master equation in operators: emission and absorption of each bath, then the hops of the noise."""
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
    """The network's master equation with local thermalizers."""
    found = parts(network)
    return Lindbladian(found.hamiltonian, found.jumps, rates=found.rates)


@eqx.filter_jit
def energy_flows(network: AbstractNetwork, rho: Array) -> tuple[Array, Array]:
    """Tr(H L_n rho) of each site's bath, (N,), and that of the noise."""
    found = parts(network)
    h = found.hamiltonian(0.0)

    def flow(site: int) -> Array:
        here = np.nonzero(found.sites == site)[0].tolist()
        if not here:
            return jnp.zeros((), network.frequencies.dtype)
        one = Lindbladian(
            local((2,) * network.n_tls, {}) * 0.0, [found.jumps[k] for k in here], found.rates[np.array(here)]
        )
        return jnp.sum(h * one.apply(rho).T).real

    return jnp.stack([flow(site) for site in range(network.n_tls)]), flow(-1)


def energy(network: AbstractNetwork, rho: Array) -> Array:
    """Tr H rho."""
    return jnp.sum(parts(network).hamiltonian(0.0) * rho.T).real


def coherences(n: int, rho: Array) -> Array:
    """Re <a_i^dagger a_k>, (N, N), zero diagonal."""
    found = jnp.zeros((n, n), rho.real.dtype)
    for i in range(n):
        for k in range(i + 1, n):
            hop = local((2,) * n, {i: LOWER.T, k: LOWER})(0.0)
            value = jnp.sum(hop * rho.T).real
            found = found.at[i, k].set(value).at[k, i].set(value)
    return found


def heat_statistics(network: AbstractNetwork) -> CountingStatistics:
    """Current and noise of w_i quanta from each bath into the system, (N,) each."""
    found = parts(network)
    # An emission takes w from the system, an absorption brings it.
    emits = np.arange(len(found.sites)) % 2 == 0
    mine = found.sites[None, :] == np.arange(network.n_tls)[:, None]
    weights = network.frequencies[:, None] * jnp.where(emits, -1.0, 1.0) * mine
    equation = Lindbladian(found.hamiltonian, found.jumps, rates=found.rates)
    return several_counts(equation, weights)
