"""Says where trajectories start: a ket, or the eigenvectors of a density matrix with their eigenvalues."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ..._checks import concrete, require
from ...numerics import lapack
from ...numerics.hermitian import hermitian_part
from .. import foreign

# What a batch of states is mapped over.
CALL = "jt.trajectories(hamiltonian, jump_ops, psi0, tsave, n, key, exp_ops).mean"
# A stream of its own: jumps are numbered from 0.
WHICH = np.uint32(2**32 - 1)
# Eigenvalues below this share of the largest are rounding.
NEGATIVE = 1e-6


class Start(eqx.Module):
    """Holds initial kets (M, n) with their weights (M,), which sum to 1."""

    kets: Array
    weights: Array

    @classmethod
    def read(cls, name: str, state: PyTree, n: int, dtype: jnp.dtype) -> Start:
        """Reads a ket (n,) or a density matrix (n, n), checked by name and normalised.

        Raises:
            ValueError: the state is 0, not finite, or no density matrix.
        """
        found = foreign.as_state(name, state, n, call=CALL)
        known = concrete(found)
        require(known is None or bool(np.any(known != 0)), name, "not be 0", state)
        found = jnp.asarray(found, jnp.result_type(found.dtype, dtype))
        if found.ndim == 1:
            return cls((found / jnp.linalg.norm(found))[None], jnp.ones(1, found.real.dtype))
        if known is not None:
            error, scale = np.max(np.abs(known - known.conj().T)), np.max(np.abs(known))
            require(bool(error <= NEGATIVE * scale), name, "be Hermitian", f"|rho - rho†| = {error:.1e}")
            lowest = np.linalg.eigvalsh(known)[0]
            require(bool(lowest >= -NEGATIVE * scale), name, "have no negative eigenvalue", f"{lowest:.1e}")
        weights, vectors = lapack.eigh(hermitian_part(found))
        weights = jnp.maximum(weights, 0)
        weights = jnp.where(weights > n * jnp.finfo(weights.dtype).eps * weights[-1], weights, 0)
        return cls(vectors.T, weights / jnp.sum(weights))

    def pick(self, seeds: Array, weights: Array) -> Array:
        """Picks a ket's number for each trajectory, by weights that need not sum to 1."""
        if self.kets.shape[0] == 1:
            return jnp.zeros(seeds.shape, int)
        sums = jnp.cumsum(weights)
        draw = lambda s: jax.random.uniform(
            jax.random.fold_in(s, WHICH), (), sums.dtype, minval=jnp.finfo(sums.dtype).tiny
        )
        drawn = jnp.searchsorted(sums, jax.vmap(draw)(seeds) * sums[-1], side="left")
        return jnp.clip(drawn, 0, self.kets.shape[0] - 1)
