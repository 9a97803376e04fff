r"""Makes a bath of a solid's TLSs and the field of a mode. SI units.

A TLS of dipole p at the field F (root mean square of the mode's zero-point fluctuations) couples by
hbar g = p F u |cos theta|, u = Delta_0/E. A volume V holds Pbar hbar dw V L of them in a band dw with u > u_min, so

    sum of g² per frequency = Pbar p² int F² dV sqrt(1 - u_min²)/(3 hbar)

and the golden rule gives 1/T1 = 2 pi times that = omega (filling factor) tan delta.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..._checks import positive, require
from .._constants import HBAR
from ..solid.material import TunnellingSolid
from . import checks, sampling
from .checks import Numbers

VACUUM = 8.8541878188e-12  # permittivity [F/m], CODATA 2022


def loss_tangent(
    solid: TunnellingSolid, dipole: Numbers, relative_permittivity: Numbers, min_tunnelling: Numbers = 0.0
) -> Array:
    r"""Gives the tan delta of a solid's TLSs, all in their ground states: cold (k T << hbar omega) and at low power.

        tan delta = pi Pbar p² sqrt(1 - u_min²)/(3 epsilon)

    Arguments:
        solid: the material; only p_bar enters.
        dipole: p [C m] (1 Debye = 3.33564e-30 C m), > 0.
        relative_permittivity: epsilon/epsilon_0 [1], > 0.
        min_tunnelling: u_min [1]; TLSs of smaller Delta_0/E are left out.

    Returns:
        tan delta, dimensionless.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> from jaxtls.models.tls_bath import loss_tangent
        >>> silica = jt.TunnellingSolid.preset("silica")
        >>> print(f"{loss_tangent(silica, 3.33564e-30, 3.9):.1e}")
        2.7e-04

    Source: J. M. Martinis et al., Phys. Rev. Lett. 95, 210503 (2005).
    """
    dipole, relative = positive("dipole", dipole), positive("relative_permittivity", relative_permittivity)
    least = positive("min_tunnelling", min_tunnelling, zero=True)
    # p_bar is some 1e44 and p² some 1e-59: bring them together before either meets a square
    return math.pi * (solid.p_bar * dipole) * dipole / (3 * VACUUM * relative) * jnp.sqrt(1 - least**2)


def filling_factor(fields: Numbers, volumes: Numbers, relative_permittivity: Numbers, frequency: Numbers) -> Array:
    r"""Gives the share of a mode's electric energy in a field map, 2 epsilon sum_k F_k² V_k/(hbar omega).

    Arguments:
        fields: F, (B,), root mean square of the zero-point field in each cell [V/m].
        volumes: V, (B,) [m³].
        relative_permittivity: of the material in these cells [1].
        frequency: omega [rad/s].

    Returns:
        The share [1]: a number between 0 and 1 if the map is that of one mode of this frequency.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> from jaxtls.models.tls_bath import filling_factor
        >>> print(f"{filling_factor([10.0], [1e-16], 10.0, 3e10):.2f}")
        0.56
    """
    f, v = field_map(fields, volumes)
    relative = positive("relative_permittivity", relative_permittivity)
    return 2 * VACUUM * relative * jnp.sum(f**2 * v) / HBAR / positive("frequency", frequency)


def field_map(fields: Numbers, volumes: Numbers) -> tuple[Array, Array]:
    """Checks a histogram of field over volume."""
    f, v = positive("fields", fields, zero=True), positive("volumes", volumes)
    require(f.ndim == 1, "fields", "have shape (B,), one field for each cell", f"shape {f.shape}")
    require(v.shape == f.shape, "volumes", "have one entry for each of `fields`", f"shape {v.shape}")
    return f, v


def expected_tls(
    solid: TunnellingSolid,
    *,
    volumes: Numbers,
    band: tuple[Numbers, Numbers],
    min_tunnelling: Numbers = 1e-2,
) -> Array:
    """Gives the mean number of TLSs that cells of a solid hold in a band, Pbar hbar dw V L, as in `TLSBath.from_solid`.

    Example:
        >>> from jaxtls.models.tls_bath import expected_tls
        >>> silica = jt.TunnellingSolid.preset("silica")
        >>> print(f"{expected_tls(silica, volumes=[1e-16], band=(2.8e10, 3.4e10)):.3g}")  # 100 um² of 1 um
        2.68e+05
    """
    low, high, least = checks.band_and_cut(band, min_tunnelling)
    return _expected(solid, positive("volumes", volumes), (low, high), least)


def _expected(solid: TunnellingSolid, volumes: Array, band: tuple[Array, Array], min_tunnelling: Array) -> Array:
    width = (band[1] - band[0]) * HBAR
    return solid.p_bar * width * jnp.sum(volumes) * sampling.logarithm(min_tunnelling)


def draw(
    key: Array,
    n: int,
    solid: TunnellingSolid,
    dipole: Array,
    cells: tuple[Array, Array],
    band: tuple[Array, Array],
    min_tunnelling: Array,
) -> tuple[Array, Array, Array]:
    """Draws frequencies [rad/s], couplings [rad/s], shares u of n TLSs that stand for the expected number, (n,)
    each."""
    where, which = jax.random.split(key)
    fields, volumes = cells
    drawn = sampling.draw(which, n, min_tunnelling)
    cell = jax.random.categorical(where, jnp.log(jax.lax.stop_gradient(volumes)), shape=(n,))
    # a cell is drawn by its share of the volume; the derivative by that share is carried by the weight
    weight = volumes / jnp.sum(volumes)
    weight = (weight / jax.lax.stop_gradient(weight))[cell]
    each = _expected(solid, volumes, band, min_tunnelling) / n * weight
    couplings = dipole / HBAR * fields[cell] * drawn.shares * drawn.cosines * jnp.sqrt(each)
    low, high = band
    return low + (high - low) * drawn.energies, couplings, drawn.shares


def phonon_relaxation(solid: TunnellingSolid, frequencies: Array, shares: Array, temperature: Array) -> Array:
    """Gives the one-phonon relaxation Gamma_max(hbar w, T) u² [1/s] of TLSs at w [rad/s] with u = Delta_0/E."""
    return solid.max_relaxation_rate(HBAR * frequencies, temperature) * shares**2
