"""Computes entropies of the glass: half of the system around each TLS, single TLSs, and mutual information of pairs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..._platform import platform
from ...quantum.measures import von_neumann_entropy
from .pairs import lone_sites, one_coherent, pair_indices, pair_matrices
from .reduced import BATCH_ELEMENTS, subsystem_matrix
from .relaxation import Sites


@jax.jit
def bubbles(closeness: Array) -> Array:
    """Lists for each site all sites, nearest first, itself at the head: (N, N) from any measure of distance (N, N)."""
    n = closeness.shape[0]
    itself = jnp.eye(n, dtype=bool)
    return jnp.argsort(jnp.where(itself, -jnp.inf, closeness), axis=1)


def mean_half_system_entropy(sites: Sites, shifts: Array, ts: Array, orders: Array) -> Array:
    """Gives the entropy of the N//2 sites nearest to each site, averaged over the sites, (T,)."""
    n, n_times = shifts.shape[0], ts.shape[0]
    k = n // 2

    def one(at: Array) -> Array:
        rho = subsystem_matrix(sites, shifts, ts[at // n], orders[at % n], k)
        return von_neumann_entropy(rho)

    batch = max(1, min(n * n_times, BATCH_ELEMENTS[platform()] // (4**k + 3**k * n)))
    entropies = jax.lax.map(jax.checkpoint(one), jnp.arange(n_times * n), batch_size=batch)
    return jnp.mean(entropies.reshape(n_times, n), axis=1)


def site_entropies(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Gives the entropy of each TLS, (T, N)."""
    return von_neumann_entropy(site_matrices(sites, shifts, ts))


def site_matrices(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Gives the density matrices of the single TLSs, (T, N, 2, 2)."""
    up, down, alone = lone_sites(sites, ts)
    coherence = one_coherent(sites, shifts, ts, alone)[2]
    up, down = up + 0j, down + 0j
    rho = jnp.stack([jnp.stack([up, coherence]), jnp.stack([coherence.conj(), down])])
    return jnp.transpose(rho, (3, 2, 0, 1))


def mutual_information(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Gives S_i + S_j - S_ij of each pair i < j, (T, P)."""
    i, j = pair_indices(shifts.shape[0])
    single = von_neumann_entropy(site_matrices(sites, shifts, ts))
    joint = von_neumann_entropy(pair_matrices(sites, shifts, ts))
    return single[:, i] + single[:, j] - joint
