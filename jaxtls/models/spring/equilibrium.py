"""Takes the spring at rest: partition function, free energy, entropy and entropic force (methods of `EntropicSpring`).

Leading order in 1/N, as in the paper; a constant force f enters as H_f = -f x. hbar = k_B = 1.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..._types import Numbers
from .parameters import AbstractSpring


def partition_function(spring: AbstractSpring, force: Numbers = 0.0) -> Array:
    """Gives log Z = sum_c N_c log(1 + e^(-beta B_c)) - log(2 sinh(beta omega_eff/2)) + beta f^2/(2 M omega_eff^2),
    Eq. 3.

    Arguments:
        force: constant force f [energy/length].

    Returns:
        log Z, a scalar: Z itself overflows at N ~ 1000.

    Example:
        >>> spring = EntropicSpring(omega=1.0, splitting=1.0, gamma=1.0, beta=1.0, n_spins=10)
        >>> f"{spring.partition_function():.4f}"
        '3.7781'

    Source: Wang & Taylor, Eq. 3 and the paragraph below it.
    """
    beta, eff = spring.beta, spring.effective_frequency
    spins = sum(n * jax.nn.softplus(-beta * b) for n, b in zip(spring.spin_counts, spring.class_splittings))
    half = beta * eff / 2
    log_sinh = half + jnp.log(-jnp.expm1(-2 * half))
    return spins - log_sinh + beta * jnp.asarray(force) ** 2 / (2 * spring.mass * eff**2)


def free_energy(spring: AbstractSpring, force: Numbers = 0.0) -> Array:
    """Gives A = -log(Z)/beta under a constant force, the Helmholtz free energy (below Eq. 3).

    Example:
        >>> spring = EntropicSpring(omega=1.0, splitting=1.0, gamma=1.0, beta=1.0, n_spins=10)
        >>> f"{spring.free_energy() - spring.free_energy(force=0.1):.4f}"
        '0.0186'
    """
    return -partition_function(spring, force) / spring.beta


def entropy(spring: AbstractSpring, force: Numbers = 0.0) -> Array:
    """Gives S = -dA/dT = log Z - beta dlog Z/dbeta, of oscillator and TLSs (below Eq. 3).

    Example:
        >>> spring = EntropicSpring(omega=1.0, splitting=1.0, gamma=1.0, beta=1.0, n_spins=10)
        >>> bool(spring.entropy(force=0.1) < spring.entropy())
        True
    """

    def log_z(beta: Array) -> Array:
        return partition_function(dataclasses.replace(spring, beta=beta), force)

    value, slope = jax.value_and_grad(log_z)(spring.beta)
    return value - spring.beta * slope


def spin_entropy_at(spring: AbstractSpring, x: Numbers) -> Array:
    """Gives S_TLS(x) = sum_c N_c h(p_c(x)), spins in equilibrium at fixed x; h(p) = -p log p - q log q. Eq. 5 is its
    x^2 term.

    Arguments:
        x: oscillator position [length], a scalar.

    Returns:
        The entropy in natural units, a scalar.

    Example:
        >>> spring = EntropicSpring(omega=1.0, splitting=1.0, gamma=1.0, beta=1.0, n_spins=10)
        >>> f"{spring.spin_entropy_at(0.0):.4f}"
        '5.8220'

    Source: Wang & Taylor, Eqs. 4 and 5.
    """
    energies = spring.class_splittings + spring.energy_shifts * jnp.asarray(x) ** 2
    exponents = spring.beta * energies
    per_spin = jax.nn.softplus(-exponents) + exponents * jax.nn.sigmoid(-exponents)
    return sum(n * s for n, s in zip(spring.spin_counts, per_spin))


def entropic_force(spring: AbstractSpring, x: Numbers) -> Array:
    """Gives F_S = T dS_TLS/dx = -M omega_S^2 x + O(x^3/N), Eq. 6 (whose last form lost the minus sign).

    Arguments:
        x: oscillator position [length], a scalar.

    Returns:
        The force, a scalar [energy/length].

    Example:
        >>> spring = EntropicSpring(omega=1.0, splitting=1.0, gamma=1.0, beta=1.0, n_spins=1000)
        >>> bool(abs(spring.entropic_force(0.1) / (-spring.entropic_frequency**2 * 0.1) - 1) < 1e-4)
        True
    """
    return jax.grad(lambda x: spin_entropy_at(spring, x))(jnp.asarray(x, spring.omega.dtype)) / spring.beta
