"""Says what one asks of a glass, on a chunk of times: functions of (sites, shifts, ts) with times leading."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...numerics.products import einsum
from ...quantum import _wootters
from .pairs import lone_sites, one_coherent, pair_entries, pair_indices, pair_matrices, pair_rows
from .reduced import subsystem_matrix
from .relaxation import Sites

_PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def pair_concurrences(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Gives the concurrence of each pair, (T, P)."""
    return pair_rows(_concurrences(sites, shifts, ts)).T


def mean_concurrence(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Gives the sum over pairs divided by N, (T,)."""
    return jnp.sum(_concurrences(sites, shifts, ts), axis=(0, 1)) / shifts.shape[0]


def _concurrences(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Give the concurrences C_ij for i < j, zero elsewhere, (N, N, T)."""
    n = shifts.shape[0]
    diagonal, above = pair_entries(sites, shifts, ts)
    pair = (jnp.arange(n)[:, None] < jnp.arange(n))[:, :, None]
    # Below the diagonal stands the identity matrix, which passes the test for separability and costs nothing more.
    diagonal = tuple(jnp.where(pair, x, 1.0).reshape(-1) for x in diagonal)
    above = tuple(jnp.where(pair, x, 0.0).reshape(-1) for x in above)
    return _wootters.concurrence((diagonal, above)).reshape(n, n, -1)


def reduced_density_matrix(sites: Sites, shifts: Array, ts: Array, order: Array, k: int) -> Array:
    """Gives the density matrix of k TLSs at the first time, (2^k, 2^k)."""
    return subsystem_matrix(sites, shifts, ts[0], order, k)


def bloch_vectors(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Gives the Bloch vector of each TLS, (T, N, 3)."""
    up, down, alone = lone_sites(sites, ts)
    coherence = one_coherent(sites, shifts, ts, alone)[2]
    components = (2 * coherence.real, -2 * coherence.imag, up - down)
    return jnp.moveaxis(jnp.stack(components, axis=-1), 1, 0)


def polarization(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Gives the mean of S^0 of each TLS, (T, N)."""
    up, down, _ = lone_sites(sites, ts)
    return (up - down).T


def correlations(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Gives the connected correlations of each pair's spins, (T, P, 3, 3)."""
    i, j = pair_indices(shifts.shape[0])
    rho = pair_matrices(sites, shifts, ts)
    vectors = bloch_vectors(sites, shifts, ts)
    operators = np.einsum("aij,bkl->abikjl", _PAULI, _PAULI).reshape(3, 3, 4, 4)
    joint = jnp.real(einsum("abij,tpji->tpab", operators, rho))
    return joint - vectors[:, i, :, None] * vectors[:, j, None, :]
