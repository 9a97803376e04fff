"""Says what the frequencies and rates of a spring come from, one program each."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._thermal import coth_half


@partial(jax.jit, static_argnames="classes")
def effective_stiffness(omega_0: Array, softening: Array, omega: Array, b: Array, beta: Array, classes: int) -> Array:
    """Gives omega_eff^2 from each class' omega and splitting b, or one for all."""
    springs = jnp.broadcast_to(omega**2 * jax.nn.sigmoid(-beta * b), (classes,))
    return omega_0**2 - softening + jnp.sum(springs)


@partial(jax.jit, static_argnames="classes")
def entropic_stiffness(omega: Array, b: Array, beta: Array, classes: int) -> Array:
    """Gives the entropic stiffness omega_S^2."""
    p = jax.nn.sigmoid(-beta * b)
    return jnp.sum(jnp.broadcast_to(omega**2 * beta * b * p * (1 - p), (classes,)))


@jax.jit
def fastest_relaxation(rates: Array, b: Array, beta: Array) -> Array:
    """Gives the largest gamma coth(beta B/2), from the rates of all classes at one point, (C, 1)."""
    return jnp.max(rates[:, 0] * coth_half(beta * b))
