r"""Makes global thermalizers of any network of few sites: Davies' generator in the eigenbasis of H with its couplings.

Bath n couples through sigma_x of its site. A_n(W) takes states down in energy by W:

    L rho = sum_n sum_W r_n(W) [A_n(W) rho A_n(W)^dagger - {A_n(W)^dagger A_n(W), rho}/2],
    r_n(W) = Gamma_n for W >= 0, Gamma_n e^(-beta_n |W|) for W < 0.

Transitions of equal W act together, so a degenerate H keeps the coherences it must. Where H has no equal levels of one
number, its populations close by themselves (the Pauli equation), 2^N unknowns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...numerics.products import matmul
from . import sectors
from .linear import solve_probed
from .rates import davies_rate, degenerate, eigh


class Levels(NamedTuple):
    """Holds energies (2^N,), eigenvectors (2^N, 2^N) in the site basis, each site's sigma_x in theirs (N, 2^N, 2^N)."""

    energies: Array
    vectors: Array
    flips: Array
    rates: Array
    betas: Array


@eqx.filter_jit
def levels(n: int, frequencies: Array, coherent: Array, rates: Array, betas: Array) -> Levels:
    """Diagonalise H number by number."""
    h = _hamiltonian(n, frequencies, coherent)
    count = sectors.bits(n).sum(axis=1)
    energies = jnp.zeros(2**n, h.dtype)
    vectors = jnp.zeros_like(h)
    for k in range(n + 1):
        states = np.nonzero(count == k)[0]
        e, v = eigh(h[np.ix_(states, states)])
        energies = energies.at[states].set(e)
        vectors = vectors.at[np.ix_(states, states)].set(v)
    flipped = [vectors[np.arange(2**n) ^ (1 << (n - 1 - i))] for i in range(n)]
    flips = jnp.stack([matmul(vectors.T, v) for v in flipped])
    return Levels(energies, vectors, flips, rates, betas)


def _hamiltonian(n: int, frequencies: Array, coherent: Array) -> Array:
    excited = sectors.bits(n)
    h = jnp.diag(matmul(jnp.asarray(excited, frequencies.dtype), frequencies))
    for i in range(n):
        for k in range(i + 1, n):
            s = np.nonzero(excited[:, i] != excited[:, k])[0]
            h = h.at[s, s ^ ((1 << (n - 1 - i)) | (1 << (n - 1 - k)))].add(coherent[i, k])
    return h


@eqx.filter_jit
def crosses_numbers(n: int, found: Levels) -> Array:
    """Says whether equal levels differ by two excitations: Davies' bath would join them, and blocks would not do."""
    count = sectors.bits(n).sum(axis=1)
    apart = np.abs(count[:, None] - count[None, :]) == 2
    return jnp.any(degenerate(found.energies, found.energies) & apart)


@eqx.filter_jit
def degenerate_pairs(n: int, found: Levels) -> Array:
    """Marks which levels (2^N, 2^N) are different, of one number and of equal energy."""
    count = sectors.bits(n).sum(axis=1)
    same = (count[:, None] == count[None, :]) & ~np.eye(2**n, dtype=bool)
    return degenerate(found.energies, found.energies) & same


def generator(found: Levels, a: Any, b: Any) -> Array:
    """Gives the baths' part on the eigenbasis elements (a, b), as a (len(a), len(a)) matrix."""
    energies = found.energies
    equal = degenerate(energies, energies).astype(energies.dtype)
    released = energies[None, :] - energies[:, None]
    first, second = released[a[:, None], a[None, :]], released[b[:, None], b[None, :]]
    scale = jnp.max(jnp.abs(energies))
    together = jnp.abs(first - second) <= _tolerance(energies) * scale
    here_a = jnp.asarray(a[:, None] == a[None, :])
    here_b = jnp.asarray(b[:, None] == b[None, :])

    def one(bath: tuple[Array, Array, Array]) -> Array:
        flip, rate, beta = bath
        jump = (
            davies_rate(rate, beta, (first + second) / 2) * flip[a[:, None], a[None, :]] * flip[b[:, None], b[None, :]]
        )
        loss = matmul(flip.T, davies_rate(rate, beta, released) * flip)
        loss = equal * (loss + loss.T) / 2
        left, right = loss[a[:, None], a[None, :]] * here_b, loss[b[:, None], b[None, :]] * here_a
        return jnp.where(together, jump, 0.0) - (left + right) / 2

    def add(total: Array, bath: tuple[Array, Array, Array]) -> tuple[Array, None]:
        return total + one(bath), None

    start = jnp.zeros((len(a), len(a)), energies.dtype)
    return jax.lax.scan(add, start, (found.flips, found.rates, found.betas))[0]


def _tolerance(energies: Array) -> float:
    return float(2e6 * jnp.finfo(energies.dtype).eps) if energies.dtype.itemsize > 4 else 2e-5


@eqx.filter_jit
def site_generator(n: int, found: Levels) -> Array:
    """Gives the baths' part on packed density matrices of the site basis, (C(2N, N), C(2N, N))."""
    a, b = sectors.pairs(n)
    rotation = found.vectors[a[:, None], a[None, :]] * found.vectors[b[:, None], b[None, :]]
    return matmul(matmul(rotation, generator(found, a, b)), rotation.T)


@eqx.filter_jit
def steady_matrix(n: int, found: Levels, a: Any, b: Any) -> tuple[Array, Array]:
    """Finds the steady state on sites, packed (C(2N, N),), from the eigenbasis elements (a, b), and a condition number.

    (a, b) are the populations and, for a degenerate H, the elements between equal levels of one number.
    """
    matrix = generator(found, a, b)
    scale = jnp.max(jnp.abs(matrix))
    trace = scale * jnp.asarray(a == b, matrix.dtype)
    right = jnp.zeros(len(a), matrix.dtype).at[0].set(scale)
    elements, condition = solve_probed(matrix.at[0].set(trace), right)
    full = jnp.zeros_like(found.vectors).at[a, b].set(elements)
    return matmul(matmul(found.vectors, full), found.vectors.T)[sectors.pairs(n)], condition


@eqx.filter_jit
def currents(n: int, found: Levels, packed: Array) -> Array:
    """Gives Tr(H L_i rho) of each bath, (N,): a transition that releases W takes W from the system."""
    full = sectors.matrix(n, packed)
    real = (full + full.T) / 2
    energies = found.energies
    rho = matmul(matmul(found.vectors.T, real), found.vectors)
    rho = jnp.where(degenerate(energies, energies), rho, 0.0)
    released = energies[None, :] - energies[:, None]

    def one(bath: tuple[Array, Array, Array]) -> Array:
        flip, rate, beta = bath
        weights = davies_rate(rate, beta, released) * released * flip
        return -jnp.sum(matmul(flip.T, weights) * rho)

    return jax.lax.map(one, (found.flips, found.rates, found.betas))
