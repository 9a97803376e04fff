"""Solves the glass's master equation on the full 2^N x 2^N density matrix: an oracle for few TLSs, flip-flop terms."""

from __future__ import annotations

from functools import reduce

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...lindblad import Lindbladian, local
from ...numerics.products import einsum, matmul

MAX_STATE = 10
# |+><-| towards the ground state S0 = +1, which is the first of a TLS's two.
TO_GROUND = ((0.0, 1.0), (0.0, 0.0))
TO_EXCITED = ((0.0, 0.0), (1.0, 0.0))


def lindbladian(h: Array, gain: Array, loss: Array) -> Lindbladian:
    """Gives d rho/dt = -i[H, rho] + sum_i G+_i D[s+_i] rho + G-_i D[s-_i] rho, s± the ladder operators.

    Arguments:
        h: (2^N, 2^N), basis (S0 = +1, S0 = -1) per site, first site slowest [W].
        gain, loss: G+ and G-, (N,) each [W/hbar].

    Returns:
        The generator, with 2 N jumps.
    """
    dims = (2,) * gain.shape[0]
    jumps = [local(dims, {site: op}) for op in (TO_GROUND, TO_EXCITED) for site in range(len(dims))]
    return Lindbladian(h, jumps, rates=jnp.concatenate([gain, loss]))


@jax.jit
def product_state(bloch: Array) -> Array:
    """Makes the product of the states with Bloch vectors (N, 3), as (2^N, 2^N)."""
    x, y, z = (bloch[:, k] for k in range(3))
    rows = [jnp.stack([1 + z + 0j, x - 1j * y], axis=-1), jnp.stack([x + 1j * y, 1 - z + 0j], axis=-1)]
    return reduce(jnp.kron, jnp.stack(rows, axis=-2) / 2)


@jax.jit
def hamiltonian(frequencies: Array, couplings: Array, flip_flop: Array | None, pair_flip: Array | None) -> Array:
    """Gives H in the product basis; couplings symmetric with zero diagonal, the other two read above the diagonal."""
    n = frequencies.shape[0]
    s = 1.0 - 2.0 * ((jnp.arange(2**n) >> jnp.arange(n - 1, -1, -1)[:, None]) & 1)  # (N, 2^N)
    s = s.astype(frequencies.dtype)
    energy = -matmul(frequencies, s) / 2 + einsum("ia,ij,ja->a", s, couplings, s)
    h = jnp.diag(energy + 0j)
    raising = jnp.zeros((2, 2), h.dtype).at[0, 1].set(2.0)  # S+ = 2 |+><-|
    for strength, second in ((flip_flop, raising.T), (pair_flip, raising)):
        if strength is None:
            continue
        for i in range(n):
            for j in range(i + 1, n):
                factors = [raising if k == i else second if k == j else jnp.eye(2, dtype=h.dtype) for k in range(n)]
                term = strength[i, j] * reduce(jnp.kron, factors)
                h = h + term + term.conj().T
    return h
