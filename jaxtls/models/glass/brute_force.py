"""The glass's master equation on the full 2^N x 2^N density matrix: an oracle for few TLSs, and flip-flop terms."""

from __future__ import annotations

from functools import reduce

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import require
from ..._types import Numbers
from ...numerics.products import HIGHEST

MAX_STATE = 10
MAX_MATRIX = 6


class GlassLindbladian(eqx.Module):
    """Brute force for few TLSs: d rho/dt = -i[H, rho] + sum_i G+_i D[s+_i] rho + G-_i D[s-_i] rho.

    s± are the ladder operators, G± the rates of `TLSGlass`; made by `TLSGlass.lindbladian`. `evolve` moves it.

    Arguments:
        hamiltonian: (2^N, 2^N), basis (S0 = +1, S0 = -1) per site, first site slowest [W].
        gain, loss: G+ and G-, (N,) each [W/hbar].

    Example:
        >>> glass = TLSGlass([1.0, 1.2], [[0.0, 0.5], [0.5, 0.0]], [0.1, 0.2])
        >>> model = glass.lindbladian()
        >>> sol = evolve(model, model.product_state([[1.0, 0, 0], [0, 1.0, 0]]), jnp.linspace(0.0, 1.0, 3))
        >>> sol.states.shape
        (3, 4, 4)

    Source: Artiaco, Balducci & Scardicchio, Eqs. 10-12 and App. D.
    """

    hamiltonian: Array
    gain: Array
    loss: Array

    @property
    def n_tls(self) -> int:
        return self.gain.shape[0]

    def vector_field(self, t: ArrayLike, y: Array, args: PyTree) -> Array:
        """d rho/dt for rho (2^N, 2^N)."""
        product = lambda a, b: jnp.matmul(a, b, precision=HIGHEST)
        change = -1j * (product(self.hamiltonian, y) - product(y, self.hamiltonian))
        for site in range(self.n_tls):
            change = change + self._jumps(y, site)
        return change

    def _jumps(self, y: Array, site: int) -> Array:
        gain, loss = self.gain[site], self.loss[site]
        before, after = 2**site, 2 ** (self.n_tls - site - 1)
        split = y.reshape(before, 2, after, before, 2, after)
        up, down = split[:, 0, :, :, 0], split[:, 1, :, :, 1]
        flow = gain * down - loss * up
        lost = -(gain + loss) / 2
        rows = (
            jnp.stack([flow, lost * split[:, 0, :, :, 1]], axis=3),
            jnp.stack([lost * split[:, 1, :, :, 0], -flow], axis=3),
        )
        return jnp.stack(rows, axis=1).reshape(y.shape)

    def product_state(self, bloch: Numbers) -> Array:
        """The product of the states with Bloch vectors (N, 3), as (2^N, 2^N)."""
        bloch = jnp.asarray(bloch)
        require(bloch.shape == (self.n_tls, 3), "bloch", f"have shape ({self.n_tls}, 3)", f"shape {bloch.shape}")
        x, y, z = (bloch[:, k] for k in range(3))
        rows = [jnp.stack([1 + z + 0j, x - 1j * y], axis=-1), jnp.stack([x + 1j * y, 1 - z + 0j], axis=-1)]
        return reduce(jnp.kron, jnp.stack(rows, axis=-2) / 2)

    def matrix(self) -> Array:
        """The superoperator on rho read row by row, (4^N, 4^N): an oracle by matrix exponentials, N <= 6."""
        memory = 16.0**self.n_tls * 16 / 2**30
        remedy = "Use evolve, which needs the (2^N, 2^N) state alone."
        require(self.n_tls <= MAX_MATRIX, "n_tls", f"be at most {MAX_MATRIX} ({memory:.3g} GiB)", self.n_tls, remedy)
        dimension = 2**self.n_tls
        basis = jnp.eye(dimension**2, dtype=self.hamiltonian.dtype).reshape(-1, dimension, dimension)
        moved = jax.jit(jax.vmap(lambda y: self.vector_field(0.0, y, None)))(basis)
        return moved.reshape(dimension**2, -1).T


@jax.jit
def hamiltonian(frequencies: Array, couplings: Array, flip_flop: Array | None, pair_flip: Array | None) -> Array:
    """H in the product basis; couplings symmetric with zero diagonal, the other two read above the diagonal."""
    n = frequencies.shape[0]
    s = 1.0 - 2.0 * ((jnp.arange(2**n) >> jnp.arange(n - 1, -1, -1)[:, None]) & 1)  # (N, 2^N)
    s = s.astype(frequencies.dtype)
    energy = -frequencies @ s / 2 + jnp.einsum("ia,ij,ja->a", s, couplings, s, precision=HIGHEST)
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
