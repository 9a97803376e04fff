r"""Treats coherent chains with baths at their ends alone: free fermions, N^2 unknowns instead of 4^N.

Jordan-Wigner fermions c along each chain make hopping quadratic. The bath of the first site couples through c_1; that
of the last through c_N and the parity of all sites, which acts on even operators as a number. Baths inside a chain do
not close: the string of the bath at j turns what it does to c_k^dagger c_l, k < j < l, into a product with n_j.
Noise on a bond is a Hermitian quadratic jump and closes too. With G_ij = <c_i^dagger c_j>, s_i = sum_j Y_ij:

    dG/dt = i [h, G] - {kappa + s, G}/2 + diag(Y diag G) + sigma,   h = diag(w) + K

local thermalizers: kappa = diag(g), sigma = diag(g f);
global: in the modes nu of h, of energy E and amplitudes phi_i nu, grouped by equal E,
    kappa_nu mu = sum_i (r_i(E) + r_i(-E)) phi_i nu phi_i mu,   sigma_nu mu = sum_i r_i(-E) phi_i nu phi_i mu.

Matrices are packed as Re + Im: then i [h, G] is [h, G^T].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...numerics import lapack
from ...numerics.hermitian import hermitian_part, pack, unpack
from ...numerics.products import matmul
from .linear import solve_probed
from .populations import mixing
from .rates import davies_rate, degenerate, eigh

DENSE_SITES = 16
DENSE_NOISY_SITES = 40
MAX_DOUBLINGS = 100


class Fermions(NamedTuple):
    """Holds h, the matrix kappa of damping, Y, and sigma - {kappa, G0}/2 of the reference G0 = diag(populations)."""

    hopping: Array
    damping: Array
    noise: Array
    drive: Array


class Modes(NamedTuple):
    """Holds single-excitation energies and amplitudes, where they are equal, and baths' rates at them (N sites, N)."""

    energies: Array
    amplitudes: Array
    equal: Array
    down: Array
    up: Array


@eqx.filter_jit
def global_modes(hopping: Array, rates: Array, betas: Array) -> Modes:
    """Finds the modes of h and the Davies rates of every bath at their energies."""
    energies, amplitudes = eigh(hopping)
    rate = lambda released: davies_rate(rates[:, None], betas[:, None], released[None, :])
    return Modes(energies, amplitudes, degenerate(energies, energies), rate(energies), rate(-energies))


def local_fermions(hopping: Array, g: Array, noise: Array, away: Array) -> Fermions:
    """Takes `away`, thermal populations less those of the reference."""
    return Fermions(hopping, jnp.diag(g), noise, jnp.diag(g * away))


def global_fermions(hopping: Array, noise: Array, reference: Array, modes: Modes) -> Fermions:
    """Lets the baths act on the modes of h together."""
    phi = modes.amplitudes

    def total(rate: Array) -> Array:
        """Sums rate_i(E) phi_i nu phi_i mu over i among equal energies, back on sites."""
        half = matmul((rate * phi).T, phi)
        grouped = jnp.where(modes.equal, (half + half.T) / 2, 0.0)
        return matmul(matmul(phi, grouped), phi.T)

    damping, gain = total(modes.down + modes.up), total(modes.up)
    return Fermions(hopping, damping, noise, gain - damping * (reference[None, :] + reference[:, None]) / 2)


def linear_field(fermions: Fermions) -> Callable[[Array], Array]:
    """Gives the homogeneous part of dG/dt on packed matrices."""
    loss = fermions.damping + jnp.diag(jnp.sum(fermions.noise, axis=1))

    def apply(m: Array) -> Array:
        turn = matmul(fermions.hopping, m.T) - matmul(m.T, fermions.hopping)
        decay = (matmul(loss, m) + matmul(m, loss)) / 2
        return turn - decay + jnp.diag(matmul(fermions.noise, jnp.diagonal(m)))

    return apply


def drive(fermions: Fermions, reference: Array) -> Array:
    """Gives the inhomogeneous part of d(G - G0)/dt, packed: what the couplings do to G0, from differences."""
    turn = fermions.hopping * (reference[None, :] - reference[:, None])
    return turn + jnp.diag(mixing(fermions.noise, reference)) + fermions.drive


@eqx.filter_jit
def steady_excess(fermions: Fermions, reference: Array, noisy: bool) -> tuple[Array, Array]:
    """Gives G - G0 of the steady state, packed (N, N), and a condition number."""
    n = len(reference)
    field, source = linear_field(fermions), -drive(fermions, reference)
    if n <= (DENSE_NOISY_SITES if noisy else DENSE_SITES):
        columns = jax.vmap(lambda v: field(v.reshape(n, n)).reshape(-1))(jnp.eye(n * n, dtype=source.dtype))
        answer, condition = solve_probed(columns.T, source.reshape(-1))
        return answer.reshape(n, n), condition
    solve = lambda matvec, right: _lyapunov(fermions.hopping, fermions.damping, right)
    transposed = lambda matvec, right: _lyapunov(-fermions.hopping, fermions.damping, right)
    answer = jax.lax.custom_linear_solve(field, source, solve, transposed)
    residual = jnp.max(jnp.abs(field(answer) - source)) / jnp.maximum(jnp.max(jnp.abs(source)), 1e-30)
    return answer, residual / jnp.finfo(source.dtype).eps


def _lyapunov(hopping: Array, damping: Array, right: Array) -> Array:
    """Solve A X + X A^dagger = right for X, A = i hopping - damping/2, all packed: the Cayley transform, doubled.

    X = 2p sum_k S^k B S^dagger^k with S = (A + p)(A - p)^-1: each doubling squares the error.
    """
    n = hopping.shape[0]
    unit = jnp.eye(n, dtype=hopping.dtype)
    hopping = hopping - unit * jnp.mean(jnp.diagonal(hopping))
    generator = 1j * hopping - damping / 2
    shift = jnp.max(jnp.sum(jnp.abs(generator), axis=1))
    inverse = lapack.inv(generator - shift * unit)
    step = matmul(generator + shift * unit, inverse)
    total = -2 * shift * matmul(matmul(inverse, unpack(right)), inverse.conj().T)

    def unfinished(carry: tuple) -> Array:
        _, power, count = carry
        return (count < MAX_DOUBLINGS) & (jnp.max(jnp.abs(power)) > jnp.finfo(right.dtype).eps)

    def double(carry: tuple) -> tuple:
        x, power, count = carry
        return x + matmul(matmul(power, x), power.conj().T), matmul(power, power), count + 1

    found, _, _ = jax.lax.while_loop(unfinished, double, (total, step, jnp.array(0)))
    return pack(hermitian_part(found))


@eqx.filter_jit
def global_currents(modes: Modes, covariance: Array) -> Array:
    """Gives Tr(H L_i rho) of each bath, (N,), from Re G on sites."""
    phi = modes.amplitudes
    grouped = jnp.where(modes.equal, matmul(matmul(phi.T, covariance), phi), 0.0)
    flow = modes.up * phi - (modes.down + modes.up) * matmul(phi, grouped)
    return jnp.sum(modes.energies * phi * flow, axis=1)


@jax.jit
def crosses_numbers(energies: Array) -> Array:
    """Says whether two excitations together cost nothing: then Davies' bath makes coherences between numbers."""
    return jnp.any(degenerate(energies, -energies))
