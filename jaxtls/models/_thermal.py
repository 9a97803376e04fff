"""Gives thermal factors that every bath, solid and resonator shares; exact, gradients too, at T = 0. hbar = k_B = 1."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._checks import positive
from .._types import Numbers

# Beyond w/T = 80 tanh(w/2T) is 1 to 1e-35 and every derivative by T is 0: colder counts as this cold.
_COLDEST = 80.0


def _over_temperature(w: Array, temperature: Array) -> Array:
    return w / jnp.maximum(temperature, w / _COLDEST)


def polarization(w: Array, temperature: Array) -> Array:
    """Returns tanh(w/2T), the population difference of a TLS of splitting w > 0; 1 at T = 0."""
    return jnp.tanh(_over_temperature(w, temperature) / 2)


def lost_polarization(w: Array, temperature: Array) -> Array:
    """Returns 1 - tanh(w/2T) = 2/(e^(w/T) + 1), without cancellation; 0 at T = 0."""
    return 2 * jax.nn.sigmoid(-_over_temperature(w, temperature))


def thermal_quanta(w: Array, temperature: Array) -> Array:
    """Returns coth(w/2T) - 1 = 2/(e^(w/T) - 1), without cancellation; 0 at T = 0."""
    return 2 * bose(_over_temperature(w, temperature))


def coth_half(x: Array) -> Array:
    """Gives coth(x/2) = 1 + 2/(e^x - 1), by which emission and absorption exceed emission at T = 0; x = w/T > 0."""
    # Not by `bose`, whose derivative overflows beyond x = 709.
    return 1 / jnp.tanh(x / 2)


def bose(x: Array) -> Array:
    """Returns 1/(e^x - 1), the mean number of quanta at x = w/T > 0."""
    return 1 / jnp.expm1(x)


def thermal_occupation(splitting: Numbers, temperature: Numbers) -> Array:
    """Returns the mean number of quanta of a bosonic bath at a splitting, n_bar = 1/(e^(splitting/T) - 1).

    Arguments:
        splitting: full gap of the TLS, any shape, > 0 [energy].
        temperature: T >= 0, broadcasts against it [energy]; 0 gives 0.

    Returns:
        n_bar, dimensionless.

    Raises:
        ValueError: if the splitting is not positive or the temperature is negative.

    Example:
        >>> round(float(thermal_occupation(2.0, 1.0)), 4), float(thermal_occupation(2.0, 0.0)) < 1e-30
        (0.1565, True)

    Source: Schlosshauer, Hines & Milburn, Eqs. 33 and 37, which disagree on the temperature: this is Eq. 33, so that
    the populations of the two levels stand as e^(-splitting/T).
    """
    return thermal_quanta(positive("splitting", splitting), positive("temperature", temperature, zero=True)) / 2
