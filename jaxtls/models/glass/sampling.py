"""Draws the disorder of the glass: positions, splittings, tunnelling amplitudes, dipole factors; and initial states.

Every draw is a fixed random number shaped by the parameters, so gradients flow through a sample to what shaped it.

Source: Artiaco, Balducci & Scardicchio, Section II B and Eqs. 2, 3, 7, 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, DTypeLike

from ..._checks import concrete, positive, random_key, real, require, size
from ..._types import Numbers
from ...numerics.products import tensordot
from .. import _thermal
from .._constants import ELECTRONVOLT, HBAR

# Reference solid: gamma = W = 1 eV, rho = 2 g/cm³, v = 5 km/s, mean distance 10 nm. Others scale from it by ratios, as
# powers of W in J would underflow in single precision.
_DENSITY, _SPEED, _SPACING = 2000.0, 5000.0, 1e-8
_COUPLING = ELECTRONVOLT / (8 * math.pi * _DENSITY * _SPACING**3 * _SPEED**2)  # J0 / W
_RATE = (ELECTRONVOLT / HBAR) ** 3 * ELECTRONVOLT / (30 * math.pi * _DENSITY * _SPEED**5)  # hbar Y0 / W


class Disorder(NamedTuple):
    """Holds one draw of the glass, in the units of `TLSGlass`."""

    frequencies: Array
    couplings: Array
    rates: Array
    positions: Array
    box: Array


def draw(
    key: Array,
    n_tls: int,
    *,
    tunnelling: Numbers,
    decades: Numbers,
    compression: Numbers,
    energy_width: Numbers,
    deformation_potential: Numbers,
    density: Numbers,
    speed_longitudinal: Numbers,
    speed_transverse: Numbers,
    spacing: Numbers,
) -> Disorder:
    """Makes one draw; arguments as in `TLSGlass.sample`."""
    key, n_tls = random_key("key", key), size("n_tls", n_tls, 2)
    values = {
        "tunnelling": tunnelling,
        "compression": compression,
        "energy_width": energy_width,
        "deformation_potential": deformation_potential,
        "density": density,
        "speed_longitudinal": speed_longitudinal,
        "speed_transverse": speed_transverse,
        "spacing": spacing,
    }
    scalars = {name: _scalar(name, positive(name, value)) for name, value in values.items()}
    decades = _scalar("decades", positive("decades", decades, zero=True))
    return _draw(key, n_tls, decades, scalars)


def _scalar(name: str, value: Array) -> Array:
    require(value.ndim == 0, name, "be a scalar", f"shape {value.shape}")
    return value


@partial(jax.jit, static_argnums=1)
def _draw(key: Array, n: int, decades: Array, s: dict[str, Array]) -> Disorder:
    keys = jax.random.split(key, 5)
    energy = _flat(jax.random.uniform, keys[0], n)
    delta = s["tunnelling"] * 10 ** (decades * (_flat(jax.random.uniform, keys[1], n) - 0.5))
    frequencies = 2 * jnp.sqrt(energy**2 + delta**2)

    box = jnp.asarray(float(n) ** (1 / 3))
    positions = box * _flat(jax.random.uniform, keys[2], n, 3)
    distance = jnp.sqrt(squared_distances(positions, box) + jnp.eye(n))  # the diagonal is not used

    gauss = jnp.triu(_flat(jax.random.normal, keys[3], 2, n, n), 1)
    dipoles = gauss + jnp.swapaxes(gauss, 1, 2)
    speeds = jnp.stack([s["speed_longitudinal"], s["speed_transverse"]]) / _SPEED
    width, potential = s["energy_width"], s["deformation_potential"]
    material = potential**2 * (_DENSITY / s["density"])
    strength = _COUPLING * material / width * (s["compression"] * _SPACING / s["spacing"]) ** 3
    bias = energy / frequencies
    couplings = -strength * tensordot(speeds**-2, dipoles, 1) * jnp.outer(bias, bias) / distance**3

    chi2 = _flat(jax.random.normal, keys[4], 2, n) ** 2
    rates = _RATE * material * width**2 * delta**2 * frequencies * tensordot(speeds**-5, chi2, 1)
    return Disorder(frequencies, couplings, rates, positions, box)


def _flat(sampler: Callable[..., Array], key: Array, *shape: int) -> Array:
    """Draw the same numbers as sampler(key, shape); drawn as one row they compile several times faster."""
    return sampler(key, (math.prod(shape),)).reshape(shape)


@jax.jit
def squared_distances(positions: Array, box: Array | None) -> Array:
    """Gives r_ij² by the nearest periodic images in a cube of side `box`, or in open space. (N, 3) -> (N, N)."""
    separation = positions[:, None] - positions[None]
    if box is not None:
        separation = separation - box * jnp.round(separation / box)
    return jnp.sum(separation**2, axis=-1)


@jax.jit
def bose(frequencies: Array, temperature: Array) -> Array:
    """Gives 1/(e^{nu/T} - 1), 0 at T = 0, with finite derivatives there."""
    cold = temperature <= 0
    # Beyond nu/T = 700 it is below the smallest normal number.
    x = jnp.minimum(frequencies / jnp.where(cold, 1.0, temperature), 700.0)
    occupied = ~cold & (x < 700.0)
    return jnp.where(occupied, _thermal.bose(jnp.where(occupied, x, 1.0)), 0.0)


def random_bloch_vectors(key: Array, n_tls: int) -> Array:
    """Draws random pure product states: each TLS at a uniform point of its Bloch sphere.

    Arguments:
        key: a JAX random key.
        n_tls: number of TLSs N.

    Returns:
        (N, 3) unit vectors in the (S^x, S^y, S^0) frame of each TLS, S^0 = +1 its ground state.

    Raises:
        ValueError: `n_tls` is not a positive int.

    Example:
        >>> bloch = random_bloch_vectors(jax.random.key(0), 5)
        >>> bool(jnp.allclose(jnp.linalg.norm(bloch, axis=1), 1.0))
        True

    Source: Artiaco, Balducci & Scardicchio, Section IV: uniform on the sphere reproduces their plateaus; a uniform
    polar angle does not.
    """
    return _directions(random_key("key", key), size("n_tls", n_tls))


@partial(jax.jit, static_argnums=1)
def _directions(key: Array, n: int) -> Array:
    vectors = _flat(jax.random.normal, key, n, 3)
    return vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)


def bloch_array(value: Numbers, n_tls: int, dtype: DTypeLike) -> Array:
    """Checks Bloch vectors (N, 3)."""
    bloch = real("bloch", value)
    require(bloch.shape == (n_tls, 3), "bloch", f"have shape ({n_tls}, 3), one vector per TLS", f"shape {bloch.shape}")
    known = concrete(bloch)
    if known is not None:
        longest = float(np.max(np.linalg.norm(known, axis=1)))
        good = longest <= 1 + 1e3 * float(np.finfo(np.float32).eps)
        require(good, "bloch", "hold finite vectors of length <= 1", f"a length of {longest:.6g}")
    return bloch.astype(dtype)
