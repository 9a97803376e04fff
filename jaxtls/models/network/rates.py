"""Gives thermal factors and heat of a TLS and its bath, an eigenbasis: derivatives finite at T = 0, equal levels."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...numerics import lapack
from ...numerics.products import matmul


@jax.jit
def boltzmann(beta: Array, energy: Array) -> Array:
    """Gives e^(-beta energy); 0 at beta = infinity, where the derivatives vanish too.

    Example:
        >>> print(boltzmann(jnp.array([0.0, jnp.inf]), jnp.array([1.0, 1.0])))
        [1. 0.]
    """
    cold = jnp.isinf(beta)
    return jnp.where(cold, 0.0, jnp.exp(-jnp.where(cold, 0.0, beta) * energy))


@jax.jit
def thermal_population(beta: Array, energy: Array) -> Array:
    """Gives f = x/(1 + x), x = e^(-beta energy)."""
    x = boltzmann(beta, energy)
    return x / (1 + x)


@jax.jit
def relaxation_rate(rate: Array, beta: Array, energy: Array) -> Array:
    """Gives Gamma (1 + x), x = e^(-beta energy): of a population."""
    return rate * (1 + boltzmann(beta, energy))


@jax.jit
def symmetric(couplings: Array, mask: Array | np.ndarray) -> Array:
    """Gives the symmetric part of couplings where the mask allows them."""
    return jnp.where(mask, (couplings + couplings.T) / 2, 0.0)


@jax.jit
def local_currents(g: Array, frequencies: Array, populations: tuple[Array, ...], bonds: tuple[Array, ...]) -> Array:
    """Gives heat from local baths: populations (reference, thermal, excess over reference), bonds (K, coherences)."""
    reference, thermal, excess = populations
    away = (reference - thermal) + excess
    return -g * (frequencies * away + jnp.sum(bonds[0] * bonds[1], axis=1))


def davies_rate(rate: Array, beta: Array, released: Array) -> Array:
    """Gives Gamma where the energy released to the bath is >= 0, Gamma e^(-beta |released|) where it is taken."""
    return rate * jnp.where(released < 0, boltzmann(beta, jnp.maximum(-released, 0.0)), 1.0)


@jax.jit
def degenerate(energies: Array, others: Array) -> Array:
    """Says which energies equal which others within what the precision of an eigenvalue can tell."""
    scale = jnp.maximum(jnp.max(jnp.abs(energies)), jnp.max(jnp.abs(others)))
    tolerance = 2e6 * jnp.finfo(energies.dtype).eps if energies.dtype.itemsize > 4 else 2e-5
    return jnp.abs(energies[:, None] - others[None, :]) <= tolerance * scale


@jax.custom_jvp
def eigh(matrix: Array) -> tuple[Array, Array]:
    """Finds eigenvalues and vectors of a real symmetric matrix.

    The derivative leaves out rotations among equal levels: right for whatever does not depend on the basis chosen
    there, and finite.
    """
    energies, vectors = lapack.eigh(matrix)
    return energies, vectors


@eigh.defjvp
def _eigh_jvp(primals: tuple, tangents: tuple) -> tuple:
    energies, vectors = eigh(primals[0])
    change = matmul(matmul(vectors.T, tangents[0] + tangents[0].T), vectors) / 2
    equal = degenerate(energies, energies)
    gap = jnp.where(equal, 1.0, energies[None, :] - energies[:, None])
    rotation = jnp.where(equal, 0.0, change / gap)
    return (energies, vectors), (jnp.diagonal(change), matmul(vectors, rotation))
