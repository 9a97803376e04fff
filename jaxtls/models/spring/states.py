"""Makes states of the entropic spring: methods of the model, in the Fock basis of the omega_eff oscillator."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ... import quantum
from ..._checks import amplitude, require
from ..._types import Numbers
from ...numerics import lapack
from . import sizes
from .parameters import AbstractSpring


def coherent_state(spring: AbstractSpring, alpha: Numbers) -> Array:
    """Makes Gibbs spins (x) coherent state |alpha> of the omega_eff oscillator: c_0 = |alpha><alpha|, all others 0.

    Arguments:
        alpha: amplitude, real or complex; <x> = sqrt(2/(M omega_eff)) Re alpha.

    Returns:
        y: (M, n, n) complex, coefficients c_m in the Fock basis of the omega_eff oscillator.

    Example:
        >>> spring = EntropicSpring(1.0, splitting=1.0, gamma=1.0, beta=1.0, n_spins=3, n_levels=16, n_modes=2)
        >>> spring.coherent_state(1.0).shape
        (3, 16, 16)

    Source: Wang & Taylor, Section IV (initial state of Fig. 1).
    """
    alpha = amplitude("alpha", alpha)
    require(alpha.ndim == 0, "alpha", "be a scalar", f"shape {alpha.shape}", "Use jax.vmap for several amplitudes.")
    n_levels = spring.n_levels or sizes.levels_for_amplitude(alpha)
    ket = quantum.coherent_state(n_levels, alpha)
    return product_state(spring, quantum.to_density_matrix(ket))


def product_state(spring: AbstractSpring, oscillator: Numbers) -> Array:
    """Makes Gibbs spins (x) any density matrix (n, n) of the oscillator, in the Fock basis of the omega_eff
    oscillator."""
    oscillator = amplitude("oscillator", oscillator)
    require(
        oscillator.ndim == 2 and oscillator.shape[0] == oscillator.shape[1],
        "oscillator",
        "be a square density matrix",
        f"shape {oscillator.shape}",
    )
    n_modes = spring.n_modes if isinstance(spring.n_modes, int) else sizes.starting_modes(spring)
    dtype = jnp.result_type(oscillator.dtype, spring.omega.dtype, jnp.complex64)
    return _alone(oscillator.astype(dtype), spring.indices(n_modes).size)


@partial(jax.jit, static_argnums=1)
def _alone(first: Array, count: int) -> Array:
    return jnp.zeros((count, *first.shape), first.dtype).at[0].set(first)


def oscillator_state(spring: AbstractSpring, y: Array) -> Array:
    """Gives the reduced density matrix of the oscillator, (n_levels, n_levels), in the Fock basis of the omega_eff
    oscillator."""
    return y[0]


def wigner(spring: AbstractSpring, y: Array, xs: Numbers, ps: Numbers) -> Array:
    """Gives the Wigner function of the oscillator, W(x, p) with dimensionless x = (a + a^dagger)/sqrt2, (len(xs),
    len(ps))."""
    return quantum.wigner(y[0], xs, ps)


def smallest_eigenvalue(spring: AbstractSpring, y: Array) -> Array:
    """Gives the smallest eigenvalue of the oscillator's reduced state: below zero where Eq. 21 has left the physical
    states."""
    return lapack.eigvalsh(y[0])[0]
