r"""Networks with three-body couplings: the whole density matrix, by the engine for Lindblad equations.

g (a_i a_j^dagger a_k + h.c.) turns |1 0 1> of the sites (i, j, k) into |0 1 0>: no number of excitations is
conserved, so no block of `sectors` closes. Basis (ground, excited) per site, first slowest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...lindblad import CountingStatistics, Lindbladian, Operator, local, steady_state
from ...lindblad.counting import several_counts
from ...numerics.hermitian import pack, unpack
from .parameters import AbstractNetwork, structure
from .rates import boltzmann
from .sectors import product_state

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


def steady_excess(network: AbstractNetwork, reference: Array) -> Array:
    """The steady state over the product of populations `reference`, packed (4^N,)."""
    rho = steady_state(lindbladian(network))
    return pack(rho).reshape(-1) - product_state(network.n_tls, reference, "all")


def motion(network: AbstractNetwork) -> Callable[[Array], Array]:
    """dM/dt of a packed state (4^N,)."""
    whole, size = lindbladian(network).generator(), 2**network.n_tls
    return lambda packed: pack(whole(0.0, unpack(packed.reshape(size, size)), None)).reshape(-1)


def heat_statistics(network: AbstractNetwork) -> CountingStatistics:
    """Current and noise of w_i quanta from each bath into the system, (N,) each."""
    found = parts(network)
    # An emission takes w from the system, an absorption brings it.
    emits = np.arange(len(found.sites)) % 2 == 0
    mine = found.sites[None, :] == np.arange(network.n_tls)[:, None]
    weights = network.frequencies[:, None] * jnp.where(emits, -1.0, 1.0) * mine
    equation = Lindbladian(found.hamiltonian, found.jumps, rates=found.rates)
    return several_counts(equation, weights)
