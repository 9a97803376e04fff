"""Samples TLSs drawn from the standard tunnelling distribution, and Eq. 28 as a sum over them."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import positive, random_key, require, size
from ..._types import Numbers
from .._constants import BOLTZMANN
from . import response
from .material import TunnellingSolid


class TLSSample(eqx.Module):
    """Holds TLSs that take part at (omega, T), each standing for `weights` TLSs.

    Attributes:
        energies: E, (N,) [K] (divided by k, to stay within single precision).
        rates: Gamma, (N,) [1/s].
        shares: Gamma/Gamma_max = (Lambda/E)^2, (N,).
        weights: TLSs per volume that each one stands for, in units of Pbar k T, (N,).
        temperature: T [K].
    """

    energies: Array
    rates: Array
    shares: Array
    weights: Array
    temperature: Array


def sample(solid: TunnellingSolid, key: Array, n_tls: int, omega: Numbers, temperature: Numbers) -> TLSSample:
    """Draw TLSs with omega < Gamma < Gamma_max(E) and E < kT from P(E, Gamma).

    E is drawn evenly, and t = artanh sqrt(1 - Gamma/Gamma_max), in which P is flat, evenly up to its largest value; the
    weight carries the rest.

    Arguments:
        solid: the material.
        key: a JAX random key.
        n_tls: how many to draw.
        omega: slowest rate counted [rad/s].
        temperature: T [K].

    Returns:
        A `TLSSample`.

    Raises:
        ValueError: if no TLS below kT is as fast as omega.

    Example:
        >>> from jaxtls.models.solid import sample
        >>> drawn = sample(jt.TunnellingSolid.preset("silica"), jax.random.key(0), 1000, omega=1e6, temperature=0.5)
        >>> drawn.rates.shape, bool(jnp.all(drawn.rates > 1e6)), bool(jnp.all(drawn.energies < 0.5))
        ((1000,), True, True)

    Source: Wang & Taylor, below Eq. 28.
    """
    key, n_tls = random_key("key", key), size("n_tls", n_tls, least=2)
    omega, temperature = positive("omega", omega), positive("temperature", temperature)
    scale = solid._rate_scale() * temperature**3
    b = omega / scale
    y_min = response.slowest_energy(b)
    if not isinstance(y_min, jax.core.Tracer):
        require(
            bool(y_min < 1), "omega", f"be below Gamma_max(kT) = {scale * response.rate_shape(jnp.ones(()))}", omega,
            "Raise the temperature.",
        )  # fmt: skip
    first, second = jax.random.split(key)
    y = y_min + (1 - y_min) * jax.random.uniform(first, (n_tls,), dtype=b.dtype)
    fastest = scale * response.rate_shape(y)
    longest = jnp.arctanh(jnp.sqrt(jnp.clip(1 - omega / fastest, 0.0, 1 - 1e-16)))
    t = longest * jax.random.uniform(second, (n_tls,), dtype=b.dtype)
    shares = 1 / jnp.cosh(t) ** 2
    weights = (1 - y_min) * longest / n_tls
    return TLSSample(y * temperature, fastest * shares, shares, weights, temperature)


def sampled_entropic_ratio(
    solid: TunnellingSolid,
    key: Array,
    n_tls: int,
    omega: Numbers,
    temperature: Numbers,
    polarization: str = "longitudinal",
) -> tuple[Array, Array]:
    """Gives R_S of Eq. 28 as a sum over sampled TLSs, and its standard error.

    Arguments:
        solid, key, n_tls, omega, temperature: as for `sample`.
        polarization: "longitudinal" or "transverse".

    Returns:
        (R_S, standard error), to be compared with `TunnellingSolid.entropic_ratio`.

    Example:
        >>> from jaxtls.models.solid import sampled_entropic_ratio
        >>> solid = jt.TunnellingSolid.preset("silica")
        >>> value, error = sampled_entropic_ratio(solid, jax.random.key(1), 10_000, 1e6, 0.5)
        >>> bool(abs(value - solid.entropic_ratio(1e6, 0.5)) < 3 * error)
        True

    Source: Wang & Taylor, Eq. 28, with sum_j over TLSs of coupling g_j^2 proportional to Gamma_j/Gamma_max.
    """
    drawn = sample(solid, key, n_tls, omega, temperature)
    y = drawn.energies / drawn.temperature
    # omega_j^2/omega_p^2 per TLS is c (Gamma/Gamma_max)/(E/kT), c = (2/pi^2) Pbar gamma^2/(rho v^2).
    strength = solid._entropic_strength(polarization)
    each = strength * drawn.weights * drawn.shares / y
    stiff, soft = each * y * jax.nn.sigmoid(y) * jax.nn.sigmoid(-y), each * jnp.tanh(y / 2) / 2
    top, bottom = jnp.sum(stiff), 1 - jnp.sum(soft)
    square = top / bottom
    # delta method for the ratio of two sums of independent terms
    influence = stiff * n_tls / bottom + soft * n_tls * top / bottom**2
    error = jnp.std(influence, ddof=1) / np.sqrt(n_tls)
    ratio = jnp.sqrt(square)
    return ratio, error / (2 * ratio)


def per_volume(solid: TunnellingSolid, drawn: TLSSample) -> Array:
    """Counts the TLSs per cubic metre that each TLS of a sample stands for, (N,) [1/m^3]."""
    return drawn.weights * (solid.p_bar * BOLTZMANN) * drawn.temperature
