"""Holds the standard tunnelling model of a disordered solid, in SI units."""

from __future__ import annotations

from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import positive, require
from ..._types import Numbers
from .._constants import BOLTZMANN, ELECTRONVOLT, HBAR
from .._special import digamma_excess
from .._thermal import coth_half
from .._thermal import polarization as thermal_polarization
from . import response

Convention = Literal["half-derivative", "derivative"]
Polarization = Literal["longitudinal", "transverse"]

# The constants of nature in Gamma_max: rates in 1/s for gamma in eV, v in km/s, rho in kg/m^3, E/k in K.
_RATE = ELECTRONVOLT**2 * BOLTZMANN**3 / (2 * np.pi * HBAR**4 * 1e15)


class TunnellingSolid(eqx.Module):
    r"""Models a disordered solid's tunnelling two-level systems: E = sqrt(Delta^2 + Lambda^2), one-phonon decay. SI.

        P(E, Gamma) = Pbar/(2 Gamma sqrt(1 - Gamma/Gamma_max)),   Gamma = Gamma_max (Lambda/E)^2
        Gamma_max(E, T) = (gamma_l^2/v_l^5 + 2 gamma_t^2/v_t^5) E^3 coth(E/2kT) / (2 pi rho hbar^4)

    Arguments:
        gamma_l, gamma_t: deformation potentials, longitudinal and transverse [eV]; > 0.
        v_l, v_t: sound velocities [m/s]; > 0.
        density: rho [kg/m^3]; > 0.
        p_bar: density of TLSs, Pbar [1/(J m^3)]; > 0. Some 1e44, which needs double precision.
        convention: what gamma is (static). "half-derivative": gamma = (1/2) dDelta/dstrain, as in the tables of Berret
            & Meissner, and the prefactor above. "derivative": gamma = dDelta/dstrain, as in Eq. 25 of Wang & Taylor; it
            is halved here, so that the prefactor becomes 1/(8 pi rho hbar^4).

    Raises:
        ValueError: if an argument is out of range.

    Example:
        >>> silica = TunnellingSolid.preset("silica")
        >>> print(f"{silica.max_relaxation_rate(1.380649e-23, 1.0):.3g}")  # E = kT at 1 K
        1.05e+08
        >>> print(f"{silica.entropic_ratio(6.3e7, 1.0):.2e}")
        1.10e-03

    Source: Wang & Taylor, Section V, where the text prints v^2 for v^5; P. W. Anderson, B. I. Halperin & C. M. Varma,
    Phil. Mag. 25, 1 (1972); W. A. Phillips, J. Low Temp. Phys. 7, 351 (1972); J. Jaeckle, Z. Phys. 257, 212 (1972).
    """

    gamma_l: Array
    gamma_t: Array
    v_l: Array
    v_t: Array
    density: Array
    p_bar: Array
    convention: str = eqx.field(static=True)

    def __init__(
        self,
        gamma_l: Numbers,
        gamma_t: Numbers,
        v_l: Numbers,
        v_t: Numbers,
        density: Numbers,
        p_bar: Numbers,
        convention: str = "half-derivative",
    ):
        self.gamma_l = positive("gamma_l", gamma_l)
        self.gamma_t = positive("gamma_t", gamma_t)
        self.v_l = positive("v_l", v_l)
        self.v_t = positive("v_t", v_t)
        self.density = positive("density", density)
        remedy = 'Single precision ends at 3e38: call jax.config.update("jax_enable_x64", True) first.'
        require(not _too_large(p_bar), "p_bar", "be finite in the precision used", p_bar, remedy)
        self.p_bar = positive("p_bar", p_bar)
        known = get_args(Convention)
        require(convention in known, "convention", f"be one of {', '.join(map(repr, known))}", repr(convention))
        self.convention = convention

    @classmethod
    def preset(cls, name: str) -> TunnellingSolid:
        """Makes a glass with published numbers: "silica", "BK7", "SF4", "As2S3" or "PMMA".

        `jaxtls.models.solid.PRESETS[name]` holds the source of each number, a note on what the numbers reproduce, and
        the names of those that are `unconfirmed`: all but silica's were written down from memory of the cited table
        (checked only for agreement with one another), so look them up before publishing with them.

        Arguments:
            name: one of the above.

        Returns:
            The solid with the numbers of `PRESETS[name]`.

        Raises:
            ValueError: for an unknown name.

        Example:
            >>> from jaxtls.models.solid import PRESETS
            >>> print(f"{TunnellingSolid.preset('PMMA').tunnelling_strength():.2g}", PRESETS["PMMA"].strengths[0])
            0.0002 0.0002
            >>> PRESETS["silica"].unconfirmed, PRESETS["BK7"].unconfirmed
            ((), ('gamma_l', 'gamma_t', 'v_l', 'v_t', 'p_bar'))

        Source: J.-F. Berret & M. Meissner, Z. Phys. B 70, 65 (1988).
        """
        from .presets import PRESETS

        require(name in PRESETS, "name", f"be one of {', '.join(map(repr, PRESETS))}", repr(name))
        parameters: dict[str, Any] = dict(PRESETS[name].parameters)
        return cls(**parameters)

    # --- rates and couplings -----------------------------------------------------------------------------------------

    def _half_gammas(self) -> tuple[Array, Array]:
        """Give gamma in the half-derivative convention [eV]."""
        half = 1.0 if self.convention == "half-derivative" else 0.5
        return half * self.gamma_l, half * self.gamma_t

    def _rate_scale(self) -> Array:
        """Give the A of Gamma_max = A T^3 y^3 coth(y/2), y = E/kT [1/(K^3 s)]."""
        gamma_l, gamma_t = self._half_gammas()
        v_l, v_t = self.v_l / 1e3, self.v_t / 1e3
        return _RATE / self.density * (gamma_l**2 / v_l**5 + 2 * gamma_t**2 / v_t**5)

    def max_relaxation_rate(self, energy: Numbers, temperature: Numbers) -> Array:
        """Gives Gamma_max(E, T) [1/s] of a symmetric TLS.

        Arguments:
            energy: E [J], any shape, > 0.
            temperature: T [K], broadcasts against it, > 0.

        Returns:
            Gamma_max, of the shape to which the arguments broadcast [1/s].

        Source: Wang & Taylor, below Eq. 28 (Gamma(E, E)), with v^5 for its v^2.
        """
        kelvin = positive("energy", energy) / BOLTZMANN
        temperature = positive("temperature", temperature)
        # T^3 y^3 coth(y/2) = kelvin^3 coth(kelvin/2T)
        return self._rate_scale() * kelvin**3 * coth_half(kelvin / temperature)

    def relaxation_rate(self, energy: Numbers, tunnelling: Numbers, temperature: Numbers) -> Array:
        """Gives Gamma = Gamma_max (Lambda/E)^2 [1/s] of a TLS of energy E and tunnelling element Lambda <= E [J]."""
        share = positive("tunnelling", tunnelling, zero=True) / positive("energy", energy)
        return share**2 * self.max_relaxation_rate(energy, temperature)

    def distribution(self, energy: Numbers, rate: Numbers, temperature: Numbers) -> Array:
        r"""Gives P(E, Gamma), TLSs per volume, energy and relaxation rate [s/(J m^3)].

            P = Pbar/(2 Gamma sqrt(1 - Gamma/Gamma_max(E, T))),   0 from Gamma_max on

        Arguments:
            energy: E [J], any shape, > 0.
            rate: Gamma [1/s], broadcasts against it, > 0.
            temperature: T [K], broadcasts against both, > 0.

        Returns:
            P; its root singularity at Gamma_max can be integrated: int_G^Gamma_max P = Pbar artanh sqrt(1-G/Gamma_max).

        Example:
            >>> slow = TunnellingSolid.preset("silica").distribution(1.380649e-23, jnp.array([1.0, 1e3]), 1.0)
            >>> print(f"{slow[0]:.3g} {slow[0] / slow[1]:.3f}")  # 1/Gamma far below Gamma_max
            4e+44 999.995

        Source: Wang & Taylor, Section V; J. Jaeckle, Z. Phys. 257, 212 (1972).
        """
        rate = positive("rate", rate)
        left = 1 - rate / self.max_relaxation_rate(energy, temperature)
        slow = left > 0
        return jnp.where(slow, self.p_bar / (2 * rate) / jnp.sqrt(jnp.where(slow, left, 1.0)), 0.0)

    def tunnelling_strength(self, polarization: str = "longitudinal") -> Array:
        """Gives C = Pbar gamma^2/(rho v^2) of a polarization, dimensionless: the number in every acoustic property.

        Example:
            >>> print(f"{TunnellingSolid.preset('silica').tunnelling_strength():.3g}")
            0.0003
        """
        forms = get_args(Polarization)
        require(polarization in forms, "polarization", f"be one of {', '.join(map(repr, forms))}", repr(polarization))
        gamma_l, gamma_t = self._half_gammas()
        gamma, v = (gamma_l, self.v_l) if polarization == "longitudinal" else (gamma_t, self.v_t)
        # p_bar alone is 1e45, beyond single precision with v^2 and the eV: bring the small factors in first.
        return self.p_bar * ELECTRONVOLT * (gamma / v) ** 2 * (ELECTRONVOLT / self.density)

    def _reduced(self, omega: Numbers, temperature: Numbers) -> tuple[Array, Array, Array]:
        """Give omega, T, and omega/(A T^3), the inverse of Gamma_max's scale at kT, broadcast together."""
        omega, temperature = positive("omega", omega), positive("temperature", temperature)
        b = omega / (self._rate_scale() * temperature**3)
        omega, temperature, b = jnp.broadcast_arrays(omega, temperature, b)
        return omega, temperature, b

    # --- the entropic spring, Eq. 28 ---------------------------------------------------------------------------------

    def entropic_ratio(self, omega: Numbers, temperature: Numbers, polarization: str = "longitudinal") -> Array:
        r"""Gives R_S of Eq. 28 for a standing wave of frequency omega, by quadrature.

            R_S^2 = c I_1/(1 - c I_2/2),  c = (2/pi^2) Pbar gamma^2/(rho v^2),  s = sqrt(1 - omega/Gamma_max)
            I_1 = int dE/E beta E e^(beta E)/(1 + e^(beta E))^2 s,   I_2 = int dE/E tanh(beta E/2) s

        over TLSs that follow, E from Gamma_max(E) = omega to kT: a lower bound. The volume drops out.

        Arguments:
            omega: angular frequency omega_p [rad/s], any shape, > 0.
            temperature: T [K], broadcasts against it, > 0.
            polarization: "longitudinal" or "transverse".

        Returns:
            R_S, dimensionless; 0 where Gamma_max(kT) <= omega. Differentiable, with slope 0 there.

        Example:
            >>> ratio = TunnellingSolid.preset("silica").entropic_ratio(1e7, jnp.array([0.01, 1.0]))
            >>> [f"{float(r):.4f}" for r in ratio]
            ['0.0000', '0.0027']

        Source: Wang & Taylor, Eq. 28 and below, with gamma in the half-derivative convention of the numbers that they
        insert; read as their Eq. 25 defines gamma, R_S would be twice this. No reachable set of silica parameters gives
        their Gamma_max(kT) = 2.86e8 T^3: see `PRESETS`.
        """
        _, _, b = self._reduced(omega, temperature)
        return _entropic_ratio(b, self._entropic_strength(polarization))

    def _entropic_strength(self, polarization: str) -> Array:
        """Give the number (2/pi^2) Pbar gamma^2/(rho v^2)."""
        return 2 / np.pi**2 * self.tunnelling_strength(polarization)

    # --- acoustics ---------------------------------------------------------------------------------------------------

    def internal_friction(
        self, omega: Numbers, temperature: Numbers, polarization: str = "longitudinal", parts: bool = False
    ) -> Any:
        r"""Gives Q^-1 of a sound wave at frequency omega: resonant absorption plus relaxation.

            resonant:   pi C tanh(hbar omega/2kT)
            relaxation: (C/kT) int dE sech^2(E/2kT) int dGamma sqrt(1-u)/(2 Gamma) omega Gamma/(omega^2 + Gamma^2)

        Arguments:
            omega: angular frequency [rad/s], any shape, > 0.
            temperature: T [K], broadcasts against it, > 0.
            polarization: "longitudinal" or "transverse".
            parts: True returns (resonant, relaxation).

        Returns:
            Q^-1, dimensionless; the relaxation part has the plateau pi C/2 where Gamma_max(kT) >> omega.

        Example:
            >>> solid = TunnellingSolid.preset("silica")
            >>> plateau = solid.internal_friction(1e4, 1.0) / solid.tunnelling_strength()
            >>> print(f"{plateau:.3f}")
            1.553

        Source: W. A. Phillips, Rep. Prog. Phys. 50, 1657 (1987), section 4; J. Jaeckle, Z. Phys. 257, 212 (1972).
        """
        omega, temperature, b = self._reduced(omega, temperature)
        resonant, relaxation = _friction(omega, temperature, b, self.tunnelling_strength(polarization))
        return (resonant, relaxation) if parts else resonant + relaxation

    def velocity_shift(
        self, omega: Numbers, temperature: Numbers, polarization: str = "longitudinal", parts: bool = False
    ) -> Any:
        r"""Gives the relative shift of the sound velocity by the TLSs, from its value at T = 0.

            resonant:   C [Re psi(1/2 + hbar omega/(2 pi i k T)) - ln(hbar omega/(2 pi k T))], about C ln T
            relaxation: -(C/2kT) int dE sech^2(E/2kT) int dGamma sqrt(1-u)/(2 Gamma) Gamma^2/(omega^2 + Gamma^2)

        Arguments, returns: as for `internal_friction`; dv/v rises as C ln T, then falls as -(C/2) ln T.

        Example:
            >>> solid = TunnellingSolid.preset("silica")
            >>> cold = solid.velocity_shift(1e4, jnp.array([0.001, 0.002])) / solid.tunnelling_strength()
            >>> print(f"{(cold[1] - cold[0]) / jnp.log(2.0):.2f}")
            1.00

        Source: S. Hunklinger & W. Arnold, in Physical Acoustics XII (1976); Phillips (1987), section 4.
        """
        omega, temperature, b = self._reduced(omega, temperature)
        resonant, relaxation = _velocity(omega, temperature, b, self.tunnelling_strength(polarization))
        return (resonant, relaxation) if parts else resonant + relaxation

    # --- thermodynamics and noise ------------------------------------------------------------------------------------

    def specific_heat(self, temperature: Numbers, time: Numbers = 1.0) -> Array:
        r"""Gives the specific heat of the TLSs that relax within the time of the measurement [J/(kg K)].

            c = (1/rho) int dE n(E) k (E/2kT)^2 sech^2(E/2kT),   n(E) = int_{1/t}^{Gamma_max} P dGamma

        Arguments:
            temperature: T [K], any shape, > 0.
            time: t [s] of the measurement, > 0; c grows as ln t.

        Returns:
            c, of the shape to which the arguments broadcast.

        Example:
            >>> print(f"{TunnellingSolid.preset('silica').specific_heat(1.0):.2e}")
            1.28e-03

        Source: Phillips, Rep. Prog. Phys. 50, 1657 (1987), section 3: c = (pi^2/12) Pbar k^2 T ln(4 t Gamma_max)/rho.
        """
        temperature, time = positive("temperature", temperature), positive("time", time)
        scale = self.p_bar * BOLTZMANN * (BOLTZMANN / self.density)
        return scale * temperature * _visible(1 / (self._rate_scale() * temperature**3 * time))

    def dephasing_noise(
        self, frequency: Numbers, temperature: Numbers, coupling: Numbers = 1.0, volume: Numbers = 1.0
    ) -> Array:
        r"""Gives the noise S(f) of a frequency that the flips of thermal TLSs shift, one-sided [(rad/s)^2/Hz].

            S(f) = coupling^2 V int dE int dGamma P (1 - u) sech^2(E/2kT)/4 * 4 Gamma/(Gamma^2 + (2 pi f)^2)

        Each TLS shifts the frequency by coupling Delta/E between its states, as a random telegraph. The spread of rates
        makes S = coupling^2 V Pbar kT/(4 f) below Gamma_max(kT): 1/f noise, with the internal friction as its
        dissipation, S = coupling^2 V Pbar kT Q^-1_rel/(2 pi f C).

        Arguments:
            frequency: f [Hz], any shape, > 0.
            temperature: T [K], broadcasts against it, > 0.
            coupling: shift of the observed angular frequency when a fully asymmetric TLS flips [rad/s].
            volume: V that holds the TLSs [m^3].

        Returns:
            S, of the shape to which the arguments broadcast.

        Example:
            >>> noise = TunnellingSolid.preset("silica").dephasing_noise(jnp.array([1.0, 10.0]), 0.1, volume=1e-18)
            >>> print(f"{noise[0] / noise[1]:.2f}")
            10.19

        Source: Wang & Taylor, Section V, which names the distribution for its 1/f noise; P. Dutta & P. M. Horn, Rev.
        Mod. Phys. 53, 497 (1981).
        """
        frequency, temperature = positive("frequency", frequency), positive("temperature", temperature)
        omega = 2 * np.pi * frequency
        omega, temperature, b = self._reduced(omega, temperature)
        # Pbar V is a number of TLSs per energy: with kT first, nothing leaves single precision.
        count = positive("volume", volume) * self.p_bar * BOLTZMANN * temperature
        loss, _ = _over_energies(b)
        return jnp.asarray(coupling) ** 2 * count * loss / omega


def _too_large(value: Numbers) -> bool:
    if not isinstance(value, int | float):
        return False
    return bool(float(jnp.finfo(jnp.result_type(float)).max) < float(value) < np.inf)


@jax.jit
def _entropic_ratio(b: Array, strength: Array) -> Array:
    entropic, softening = response.entropic_integrals(b)
    square = strength * entropic / (1 - strength * softening / 2)
    # the root has no slope at 0
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)


@jax.jit
def _friction(omega: Array, temperature: Array, b: Array, strength: Array) -> tuple[Array, Array]:
    resonant = np.pi * strength * thermal_polarization(HBAR / BOLTZMANN * omega, temperature)
    loss, _ = response.over_energies(b)
    return resonant, strength * loss


@jax.jit
def _velocity(omega: Array, temperature: Array, b: Array, strength: Array) -> tuple[Array, Array]:
    resonant = strength * digamma_excess(2 * np.pi * BOLTZMANN / HBAR * temperature / omega)
    _, dispersion = response.over_energies(b)
    return resonant, -strength * dispersion / 2


_visible = jax.jit(response.visible_states)
_over_energies = jax.jit(response.over_energies)
