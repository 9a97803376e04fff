r"""Incoherent networks: populations and pair correlations obey closed linear equations of N and N^2 unknowns.

    dn_i/dt = g_i (f_i - n_i) + sum_j Y_ij (n_j - n_i),   g = Gamma (1 + x), x = e^(-beta w), f = x/(1 + x)

Connected correlations C_ij = <n_i n_j> - n_i n_j (i != j), with C_ii = 0 in the sums:

    dC_ij/dt = -(M C + C M)_ij + 2 Y_ij C_ij - Y_ij (n_i - n_j)^2,   M = diag(g_i + sum_k Y_ik) - Y

since the noise on (i, j) itself leaves n_i n_j alone. This is the symmetric exclusion process with reservoirs.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...numerics import lapack
from ...numerics.products import matmul
from .linear import solve_probed


def relaxation(g: Array, noise: Array) -> Array:
    """Gives M of dn/dt = -M n + g f, (N, N), symmetric."""
    return jnp.diag(g + jnp.sum(noise, axis=1)) - noise


@jax.jit
def mixing(noise: Array, populations: Array) -> Array:
    """Sums Y_ij (n_j - n_i) over j, from differences."""
    return jnp.sum(noise * (populations[None, :] - populations[:, None]), axis=1)


@eqx.filter_jit
def steady_excess(g: Array, noise: Array, thermal: Array) -> tuple[Array, Array]:
    """Gives n - f of the steady state, (N,), and the condition number of the equations."""
    matrix = relaxation(g, noise)
    # Scaled to a unit diagonal, slow and fast sites weigh alike and only a component without a bath is singular.
    diagonal = jnp.diagonal(matrix)
    scale = jnp.where(diagonal > 0, 1 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0)), 1.0)
    scaled = scale[:, None] * matrix * scale[None, :]
    answer, condition = solve_probed(scaled, scale * mixing(noise, thermal))
    return scale * answer, condition


@eqx.filter_jit
def connected_correlations(g: Array, noise: Array, populations: Array) -> tuple[Array, Array]:
    """Gives C of the steady state, (N, N) with a zero diagonal, and the relative residual of its equations.

    Conjugate gradients, preconditioned by particles that do not exclude each other: there the equation is
    M C + C M = R, solved in the eigenbasis of M. A few dozen products of N x N matrices.
    """
    matrix = relaxation(g, noise)
    off = 1.0 - jnp.eye(len(g), dtype=matrix.dtype)

    def operator(c: Array) -> Array:
        half = matmul(matrix, c)
        return off * (half + half.T) - 2 * noise * c

    source = -noise * (populations[:, None] - populations[None, :]) ** 2
    preconditioner = _free_particles(jax.lax.stop_gradient(matrix), off)
    eps = float(jnp.finfo(matrix.dtype).eps)
    found, _ = jax.scipy.sparse.linalg.cg(operator, source, tol=20 * eps, maxiter=400, M=preconditioner)
    size = jnp.max(jnp.abs(matrix)) * jnp.max(jnp.abs(found)) + jnp.max(jnp.abs(source))
    residual = jnp.max(jnp.abs(operator(found) - source)) / jnp.where(size > 0, size, 1.0)
    return (found + found.T) / 2, residual


def _free_particles(matrix: Array, off: Array) -> Callable[[Array], Array]:
    rates, modes = lapack.eigh(matrix)

    def apply(c: Array) -> Array:
        inner = matmul(matmul(modes.T, c), modes) / (rates[:, None] + rates[None, :])
        return off * matmul(matmul(modes, inner), modes.T)

    return apply
