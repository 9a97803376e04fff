"""Computes the reduced density matrix of any k sites, exact.

With d_i = (s_i - s'_i)/2 in {0, 1, -1}, everything but the kept populations depends on s, s' through d alone:

    <s|rho_A|s'> = g(d) prod_{k in A, d_k = 0} [e^{M_k t} p_k]_{s_k},   phi_k = 4 sum_i J_ik d_i,
    g(d) = prod_{d_i = ±1} c_i^± e^{±i nu_i t - G_i t/2} prod_{k not in A} (1,1) e^{M_k t} p_k

so 3^k tables of N factors make the 4^k elements. (Couplings inside A drop out between two coherent sites.)
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...numerics.decays import decay
from ...numerics.products import matmul
from .pairs import lone_sites
from .relaxation import Sites, kept, traced_out

MAX_SITES = 13
# Table and matrix elements that one step of a loop over times or bubbles may hold; on a CPU what lies in its cache:
# 1.4 times faster at 14 TLSs than with 2^20.
BATCH_ELEMENTS = {"cpu": 2**18, "gpu": 2**20, "tpu": 2**20}


def subsystem_matrix(sites: Sites, shifts: Array, t: Array, order: Array, k: int) -> Array:
    """Gives rho of the sites order[:k], others order[k:] traced out: (2^k, 2^k), first site slowest, ++...+ first."""
    inside, outside = sites.take(order[:k]), sites.take(order[k:])
    d = jnp.asarray(_differences(k), shifts.dtype)  # (3^k, k)
    phi = matmul(d, shifts[order[:k]][:, order])  # (3^k, N)
    ts = t[None]

    rate, amplitude, w = traced_out(outside.along(1, 2), phi[:, k:], t)
    factor = decay(-rate * t) * (1 + amplitude * (decay(2 * w * t) - 1))
    weight = _product(factor)
    up, down = kept(inside.along(1, 3), phi[:, :k, None], ts, t)
    alone = lone_sites(inside, ts)[2][:, 0]
    # For each site the factor of (s, s') = (+,+), (-,-), (+,-) or (-,+) as d allows.
    coherent = jnp.where(d > 0, alone[None, :], alone.conj()[None, :])
    table = jnp.stack([jnp.where(d == 0, x[..., 0], coherent) for x in (up, down)], axis=-1)  # (3^k, k, 2)

    difference, state = _element_indices(k)
    rho = weight[difference]
    for site in range(k):
        flat = table[:, site].reshape(-1)
        rho = rho * flat.at[2 * difference + state[site][:, None]].get(mode="promise_in_bounds")
    return rho


def _product(factor: Array) -> Array:
    """Multiply over the last axis of (n, m), with derivatives where factors are zero."""
    step = lambda product, x: (product * x, None)
    return jax.lax.scan(step, jnp.ones(factor.shape[0], factor.dtype), factor.T)[0]


def _differences(k: int) -> np.ndarray:
    """List all d in {0, 1, -1}^k, (3^k, k)."""
    grid = np.indices((3,) * k).reshape(k, -1).T
    return np.array([0, 1, -1])[grid]


def _element_indices(k: int) -> tuple[Array, Array]:
    """Give the row of `_differences` of each element (s, s'), (2^k, 2^k), and s as bits (0: +), (k, 2^k).

    Computed in the program: as constants they would be most of it.
    """
    places = jnp.arange(k - 1, -1, -1, dtype=jnp.int32)
    bits = (jnp.arange(2**k, dtype=jnp.int32) >> places[:, None]) & 1
    difference = jnp.zeros((2**k, 2**k), jnp.int32)
    for bit in bits:
        # (+,+) and (-,-): 0; (+,-): 1; (-,+): 2
        difference = 3 * difference + (bit[None, :] - bit[:, None]) % 3
    return difference, bits
