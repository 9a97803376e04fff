"""Counts photons in a driven resonator, from the power that reaches it."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ..._checks import finite, positive, require
from .._constants import HBAR

# How much of the coupling loss takes power in: all of it by reflection, half by a notch or by one of two equal ports.
COUPLINGS = {"notch": 2.0, "reflection": 4.0, "transmission": 2.0}


def photon_number(
    power: ArrayLike,
    quality_factor: ArrayLike,
    coupling_quality_factor: ArrayLike,
    frequency: ArrayLike,
    *,
    attenuation: ArrayLike = 0.0,
    coupling: str = "notch",
) -> Array:
    r"""Gives the mean photon number of a resonator driven at resonance.

        n = g Q_l^2 P / (Q_c hbar omega^2),   1/Q_l = 1/Q_i + 1/Q_c

    with g = 2 for a notch (hanger) and for transmission through two equal ports, 4 for reflection off one port.

    Arguments:
        power: at the source [dBm], any shape that broadcasts with the rest.
        quality_factor: Q_i, internal [1]; > 0.
        coupling_quality_factor: Q_c, of all ports together [1]; > 0.
        frequency: of the resonance [Hz]; > 0.
        attenuation: between the source and the resonator [dB].
        coupling: "notch", "reflection" or "transmission".

    Returns:
        n, dimensionless, in the broadcast shape.

    Raises:
        ValueError: if an argument is out of range or the coupling none of the three.

    Example:
        >>> round(float(jt.photon_number(-80.0, 1e6, 1e5, 5e9, attenuation=60.0)), 1)
        15.9

    Source: A. Bruno et al., Appl. Phys. Lett. 106, 182601 (2015) (notch); C. R. H. McRae et al., Rev. Sci. Instrum. 91,
    091101 (2020), section III (all three).
    """
    require(coupling in COUPLINGS, "coupling", f"be one of {', '.join(map(repr, COUPLINGS))}", repr(coupling))
    internal = positive("quality_factor", quality_factor)
    outer = positive("coupling_quality_factor", coupling_quality_factor)
    loaded = 1 / (1 / internal + 1 / outer)
    watt = 1e-3 * 10 ** ((finite("power", power) - finite("attenuation", attenuation)) / 10)
    # hbar omega^2 underflows in single precision: quanta a second first
    quanta = watt / (HBAR * 1e25) * 1e25 / (2 * np.pi * positive("frequency", frequency))
    return jnp.asarray(COUPLINGS[coupling] * loaded**2 / outer * quanta / (2 * np.pi * jnp.asarray(frequency)))
