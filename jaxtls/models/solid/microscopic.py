"""Models one phonon mode and a few tunnelling TLSs: Eq. 26 as it stands, and Eq. 27 that is made of it. hbar = 1."""

from __future__ import annotations

from functools import reduce

import jax.numpy as jnp
from jaxtyping import Array

from ..._checks import finite, positive, require, size
from ..._types import Numbers
from ...numerics.products import matmul
from ...quantum import destroy, identity, position, sigma_x, sigma_z, tensor

MOST_TLS = 6


def microscopic_hamiltonian(
    omega_p: Numbers, energies: Numbers, g_x: Numbers, g_z: Numbers, n_levels: int, mass: Numbers = 1.0
) -> Array:
    r"""Gives H = p^2/2M + M omega_p^2 x^2/2 + sum_j e_j/2 sz_j + x sum_j (g_xj sx_j + g_zj sz_j), Eq. 26.

    Arguments:
        omega_p: frequency of the phonon mode.
        energies: e_j, (N,) with N from 1 to 6.
        g_x, g_z: couplings, (N,) [energy/length]; in terms of Eq. 24 -g Lambda_j/e_j and g Delta_j/e_j.
        n_levels: Fock states of the omega_p oscillator.
        mass: M.

    Returns:
        (2^N n, 2^N n) Hermitian matrix, TLSs first (up, down each), the oscillator last; the energy of Fock levels is
        exact, x is cut.

    Raises:
        ValueError: if shapes differ.

    Example:
        >>> from jaxtls.models.solid import microscopic_hamiltonian
        >>> microscopic_hamiltonian(1.0, [50.0], [0.5], [0.2], n_levels=6).shape
        (12, 12)

    Source: Wang & Taylor, Eq. 26.
    """
    omega_p, energies, g_x, g_z, mass, n = _arguments(omega_p, energies, g_x, g_z, mass, n_levels)
    count = energies.shape[0]
    x = position(n, mass, omega_p)
    h = _embed(count, {}, _oscillator(n, omega_p))
    for j in range(count):
        h = h + energies[j] / 2 * _embed(count, {j: sigma_z()}, identity(n))
        h = h + _embed(count, {j: g_x[j] * sigma_x() + g_z[j] * sigma_z()}, x)
    return h


def effective_hamiltonian(
    omega_p: Numbers,
    energies: Numbers,
    g_x: Numbers,
    g_z: Numbers,
    n_levels: int,
    mass: Numbers = 1.0,
    ising: bool = True,
) -> Array:
    r"""Gives the transformed Hamiltonian of Eq. 27, in which the TLSs stiffen the oscillator: an entropic spring.

        H' = p^2/2M + M (omega_p^2 - wbar^2/2) x^2/2 + sum_j M w_j^2/2 (sz_j + 1)/2 x^2 + sum_j e_j/2 sz_j
             - sum_ij g_zi g_zj/(2 M omega_p^2) sz_i sz_j,    w_j^2 = 4 g_xj^2/(M e_j),  wbar^2 = sum_j w_j^2

    It holds for g_x, g_z (times the length 1/sqrt(2 M omega_p)) and omega_p far below e_j: with one TLS of w^2 = 0.4
    omega_p^2, the phonon's shift errs by 2 % at e = 10 omega_p and by 0.4 % at 80. Where g_x and g_z act together the
    spacings hold as well, but the last term has the bare omega_p where the exact energies have the softened one: with
    all TLSs down they lie lower by (sum_j g_zj)^2/(2M) [1/(omega_p^2 - wbar^2/2) - 1/omega_p^2], however large e_j is.

    Arguments:
        omega_p, energies, g_x, g_z, n_levels, mass: as for `microscopic_hamiltonian`.
        ising: False leaves out the last term, as the paper's thermodynamics does.

    Returns:
        (2^N n, 2^N n) Hermitian matrix in the same basis (of the transformed states).

    Raises:
        ValueError: if shapes differ.

    Example:
        >>> from jaxtls.models.solid import effective_hamiltonian, microscopic_hamiltonian
        >>> parameters = (1.0, [50.0], [1.0], [0.0])
        >>> exact, effective = (jnp.linalg.eigvalsh(build(*parameters, n_levels=12))
        ...                     for build in (microscopic_hamiltonian, effective_hamiltonian))
        >>> [round(float(e[1] - e[0]), 4) for e in (exact, effective)]  # the phonon beside a TLS that is down
        [0.9798, 0.9798]

    Source: Wang & Taylor, Eq. 27.
    """
    omega_p, energies, g_x, g_z, mass, n = _arguments(omega_p, energies, g_x, g_z, mass, n_levels)
    count = energies.shape[0]
    a = destroy(n + 2)
    # x^2 of the oscillator that is not cut
    x2 = matmul(a + a.T, a + a.T)[:n, :n] / (2 * mass * omega_p)
    squares = 4 * g_x**2 / (mass * energies)
    h = _embed(count, {}, _oscillator(n, omega_p))
    for j in range(count):
        h = h + energies[j] / 2 * _embed(count, {j: sigma_z()}, identity(n))
        h = h + mass * squares[j] / 4 * _embed(count, {j: sigma_z()}, x2)
    if ising:
        total = reduce(jnp.add, (g_z[j] * _embed(count, {j: sigma_z()}, identity(n)) for j in range(count)))
        h = h - matmul(total, total) / (2 * mass * omega_p**2)
    return h


def _arguments(
    omega_p: Numbers, energies: Numbers, g_x: Numbers, g_z: Numbers, mass: Numbers, n_levels: int
) -> tuple[Array, Array, Array, Array, Array, int]:
    energies = positive("energies", energies)
    shape = energies.shape
    require(len(shape) == 1 and 1 <= shape[0] <= MOST_TLS, "energies", f"hold 1 to {MOST_TLS} TLSs", f"shape {shape}")
    x, z = finite("g_x", g_x), finite("g_z", g_z)
    for name, value in (("g_x", x), ("g_z", z)):
        require(value.shape == shape, name, "have one entry for each of `energies`", f"shape {value.shape}")
    return positive("omega_p", omega_p), energies, x, z, positive("mass", mass), size("n_levels", n_levels, 2)


def _oscillator(n: int, omega: Array) -> Array:
    return omega * jnp.diag(jnp.arange(n) + 0.5).astype(complex)


def _embed(count: int, tls: dict[int, Array], oscillator: Array) -> Array:
    return reduce(tensor, [*(tls.get(j, identity(2)) for j in range(count)), oscillator])
