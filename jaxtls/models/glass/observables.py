"""What one asks of a glass, on a chunk of times: functions of (sites, shifts, ts) with times leading."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...quantum import _wootters
from .pairs import one_coherent, pair_indices, pair_matrices, populations
from .reduced import subsystem_matrix
from .relaxation import Sites

_PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


def pair_density_matrices(sites: Sites, shifts: Array, ts: Array) -> Array:
    """(T, P, 4, 4)."""
    return jnp.transpose(pair_matrices(sites, shifts, ts), (3, 2, 0, 1))


def pair_concurrences(sites: Sites, shifts: Array, ts: Array) -> Array:
    """(T, P)."""
    rho = pair_matrices(sites, shifts, ts)
    return _wootters.concurrence(rho.reshape(4, 4, -1)).reshape(rho.shape[2:]).T


def mean_concurrence(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Sum over pairs divided by N, (T,)."""
    return jnp.sum(pair_concurrences(sites, shifts, ts), axis=1) / shifts.shape[0]


def reduced_density_matrix(sites: Sites, shifts: Array, ts: Array, order: Array, k: int) -> Array:
    """(2^k, 2^k) at the first time."""
    return subsystem_matrix(sites, shifts, ts[0], order, k)


def bloch_vectors(sites: Sites, shifts: Array, ts: Array) -> Array:
    """(T, N, 3)."""
    coherence = one_coherent(sites, shifts, ts)[2]
    components = (2 * coherence.real, -2 * coherence.imag, _difference(sites, ts))
    return jnp.moveaxis(jnp.stack(components, axis=-1), 1, 0)


def polarization(sites: Sites, shifts: Array, ts: Array) -> Array:
    """(T, N)."""
    return _difference(sites, ts).T


def _difference(sites: Sites, ts: Array) -> Array:
    up, down = populations(sites, ts)
    return up - down


def correlations(sites: Sites, shifts: Array, ts: Array) -> Array:
    """(T, P, 3, 3)."""
    i, j = pair_indices(shifts.shape[0])
    rho = pair_matrices(sites, shifts, ts)
    vectors = bloch_vectors(sites, shifts, ts)
    operators = np.einsum("aij,bkl->abikjl", _PAULI, _PAULI).reshape(3, 3, 4, 4)
    joint = jnp.real(jnp.einsum("abij,jipt->tpab", operators, rho))
    return joint - vectors[:, i, :, None] * vectors[:, j, None, :]
