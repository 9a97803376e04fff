"""Gives spectral densities of a bath: Ohmic with a Lorentz-Drude cut-off, and a list of single TLSs."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete, finite, positive, real, require, size
from ..._types import Numbers, SpectralDensity
from .._thermal import polarization


class OhmicSpectralDensity(eqx.Module):
    r"""Gives an Ohmic spectral density with a Lorentz-Drude cut-off: J(w) = (2 M gamma_0/pi) w L^2/(L^2 + w^2).

    Arguments:
        gamma_0: damping rate that an oscillator would see far below the cut-off [frequency], >= 0.
        cutoff: L [frequency], > 0.
        mass: M of the oscillator that is damped (1); give the model the same one.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> J = OhmicSpectralDensity(gamma_0=0.05, cutoff=5.0)
        >>> round(float(J(1.0)), 6)
        0.030607

    Source: Schlosshauer, Hines & Milburn, Eq. 25.
    """

    gamma_0: Array
    cutoff: Array
    mass: Array

    def __init__(self, gamma_0: Numbers, cutoff: Numbers, mass: Numbers = 1.0):
        self.gamma_0 = positive("gamma_0", gamma_0, zero=True)
        self.cutoff = positive("cutoff", cutoff)
        self.mass = positive("mass", mass)

    def __call__(self, w: Numbers) -> Array:
        """Gives J at frequencies w, any shape."""
        w = jnp.asarray(w)
        return 2 * self.mass * self.gamma_0 / np.pi * w / (1 + (w / self.cutoff) ** 2)


class DiscreteSpectralDensity(eqx.Module):
    r"""Lists named TLSs of a bath, H = sum_i (w_i/2 sz_i + D_i/2 sx_i) coupled by X sum_i g_i sz_i.

        J(w) = sum_i (g_i D_i/wt_i)^2 delta(w - wt_i),   wt_i = sqrt(w_i^2 + D_i^2)

    It has no Markov limit of its own: use `SpinBathOscillator(..., time_dependent=True)`.

    Arguments:
        couplings: g_i, (N,) [energy/length].
        tunnellings: D_i, (N,) [energy].
        asymmetries: w_i, (N,) or a number [energy]; at the default 0 the TLS splitting is D_i.

    Raises:
        ValueError: if shapes differ or a TLS has no splitting.

    Example:
        >>> bath = DiscreteSpectralDensity(couplings=[0.1, 0.2], tunnellings=[0.8, 1.5], asymmetries=[0.6, 0.0])
        >>> bath.splittings.tolist(), [round(float(s), 4) for s in bath.weights]
        ([1.0, 1.5], [0.0064, 0.04])

    Source: Schlosshauer, Hines & Milburn, Eqs. 2, 3 and 18. Their constant C_0 below Eq. 17 misses that the terms
    i != j leave -sum_i g_i^2 <sz_i>^2; with it C_0 = sum_i (g_i w_i/wt_i)^2 sech^2(wt_i/2T) (`static_correlation`).
    """

    couplings: Array
    tunnellings: Array
    asymmetries: Array

    def __init__(self, couplings: Numbers, tunnellings: Numbers, asymmetries: Numbers = 0.0):
        self.couplings = finite("couplings", couplings)
        self.tunnellings = finite("tunnellings", tunnellings)
        asymmetries = finite("asymmetries", asymmetries)
        shape = self.couplings.shape
        for name, value in (("tunnellings", self.tunnellings), ("asymmetries", asymmetries)):
            good = len(shape) == 1 and (value.shape == shape or (name == "asymmetries" and value.ndim == 0))
            require(good, name, "be one-dimensional like `couplings`", f"shapes {value.shape} and {shape}")
        self.asymmetries = jnp.broadcast_to(asymmetries, shape)
        known = concrete(self.splittings)
        if known is not None:
            require(bool(np.all(known > 0)), "tunnellings", "leave each TLS a splitting > 0", known, "Drop such TLSs.")

    @property
    def splittings(self) -> Array:
        """Gives wt_i, (N,) [energy]."""
        return jnp.sqrt(self.asymmetries**2 + self.tunnellings**2)

    @property
    def weights(self) -> Array:
        """Gives the area (g_i D_i/wt_i)^2 of each line of J, (N,)."""
        return (self.couplings * self.tunnellings / self.splittings) ** 2

    def static_correlation(self, temperature: Numbers) -> Array:
        """Gives C_0 at temperature T, the part of the bath's correlation that never decays."""
        w, temperature = self.splittings, positive("temperature", temperature, zero=True)
        return jnp.sum((self.couplings * self.asymmetries / w) ** 2 * (1 - polarization(w, temperature) ** 2))


def discretize(
    spectral_density: SpectralDensity, n_modes: int, scale: Numbers, max_frequency: Numbers | None = None
) -> DiscreteSpectralDensity:
    r"""Makes of a continuous spectral density single TLSs of no asymmetry: lines J(w_k) dw_k at w_k = scale sinh(v_k).

    The v_k are evenly spaced midpoints: lines are evenly spaced below `scale`, by about scale v_max/n_modes, and
    logarithmically above. Times must stay below half the recurrence time 2 pi/dw near the frequencies that matter.
    In the first instants the coefficients move as fast as the highest line: give `evolve` rtol = 1e-8 where small
    errors count.

    Arguments:
        spectral_density: J, a function of an array of frequencies.
        n_modes: number of lines.
        scale: frequency up to which spacing is even [frequency]; some omega_0.
        max_frequency: where the lines stop [frequency]; 1e5 scale by default, so that tails as slow as 1/w are kept.

    Returns:
        A `DiscreteSpectralDensity`.

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> bath = discretize(OhmicSpectralDensity(gamma_0=0.05, cutoff=5.0), 400, scale=1.0)
        >>> round(float(jnp.sum(bath.weights / bath.splittings)), 4)  # (2 gamma_0/pi) L pi/2
        0.25

    Source: the numerical counterpart of Schlosshauer, Hines & Milburn, Eq. 18.
    """
    n_modes = size("n_modes", n_modes, least=2)
    scale = positive("scale", scale)
    highest = 1e5 * scale if max_frequency is None else positive("max_frequency", max_frequency)
    step = jnp.arcsinh(highest / scale) / n_modes
    v = (jnp.arange(n_modes, dtype=step.dtype) + 0.5) * step
    w = scale * jnp.sinh(v)
    density = real("spectral_density", spectral_density(w))
    return DiscreteSpectralDensity(couplings=jnp.sqrt(density * scale * jnp.cosh(v) * step), tunnellings=w)
