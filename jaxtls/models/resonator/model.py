"""Models superconducting resonators: internal loss by saturable TLSs, quasiparticles and a constant. SI units.

1/Q_i(T, n) = TLS(T, n) + quasiparticles(T) + constant, and the pull of the resonance by the TLSs.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ... import _checks
from .._constants import BOLTZMANN, PLANCK
from .._special import digamma_excess, scaled_k0
from .._thermal import polarization
from .mattis_bardeen import conductivity, gap_share
from .saturation import FORMS, half_power_photons, reduction

GAP_RATIO = 1.76  # Delta(0) / k Tc of weak-coupling BCS

# Below hf/2kT = 1e4 the physics has stopped and 1/T overflows: colder temperatures count as that one.
COLDEST = 1e4
_CRYOGENIC = 1e-2  # of the gap: no quasiparticle is left at this temperature

QUASIPARTICLES = ("dilute", "mattis-bardeen")


class ResonatorLoss(eqx.Module):
    r"""Models the internal loss of a superconducting resonator against temperature T and mean photon number n.

    With x = h f / 2 k T,

        1/Q_i = TLS + quasiparticles + c
        TLS = F delta tanh(x) / sqrt(1 + n^beta2 tanh(x) / (D T^beta1))      saturation="crowley"
        TLS = F delta tanh(x) / sqrt(1 + (n / n_c)^beta2)                    saturation="standard", n_c = critical_power
        TLS = F delta tanh(x) (1 + n / n_c)^-beta2                           saturation="earnest"
        TLS = F delta tanh(x) / (1 + (n / n_c)^beta2)                        saturation="power"
        TLS = F delta tanh(x) beta2 ln[1 + (e^(1/beta2) - 1)/sqrt(1 + n/n_c)]    saturation="logarithmic"
        TLS = F delta tanh(x)                                                saturation="none"
        quasiparticles = A exp(-1.76 Tc/T) sinh(x) K_0(x)                    quasiparticles="dilute"
        quasiparticles = alpha sigma_1(T)/sigma_2(T), alpha = pi A/4         quasiparticles="mattis-bardeen"

    The first lets the critical photon number grow with temperature, as the TLSs relax faster; the others hold it. The
    two terms of quasiparticles are one for kT and hf far below the gap; the second holds up to Tc.

    Arguments:
        frequency: f [Hz], any shape that broadcasts with the rest; > 0.
        loss_tangent: F delta, filling factor times the TLS loss tangent at T = 0, n = 0 [1]; >= 0.
        critical_power: D [K^-beta1] ("crowley": n^beta2 tanh(x) is measured against D T^beta1), or the critical photon
            number n_c [1] (the others); > 0.
        temperature_exponent: beta1 [1]; used by "crowley" alone.
        photon_exponent: beta2 [1]; about 1 for a uniform field, less where the field varies over the TLSs.
        critical_temperature: Tc [K] of the superconductor; >= 0.
        quasiparticle_amplitude: A [1], 4/pi times the kinetic inductance fraction alpha; >= 0.
        constant_loss: c [1], what neither temperature nor power moves; >= 0.
        shift_offset: zero of the measured frequency shift [1]: shifts are read from some temperature, not from T = 0.
        saturation: one of the six names above (static).
        quasiparticles: "dilute" or "mattis-bardeen" (static).

    Raises:
        ValueError: if an argument is out of range, or `saturation` or `quasiparticles` is none of the names above.

    Example:
        >>> nb = ResonatorLoss(
        ...     frequency=5.62e9, loss_tangent=1.5e-6, critical_power=0.7, temperature_exponent=0.6,
        ...     photon_exponent=0.3, critical_temperature=6.0, quasiparticle_amplitude=2e-3, constant_loss=1.5e-8,
        ... )
        >>> cold, warm, hot = nb.quality_factor(jnp.array([0.1, 0.8, 1.6]), 1.0)
        >>> bool(warm > cold), bool(warm > hot)  # TLSs limit the cold end, quasiparticles the hot end
        (True, True)

    Source: K. D. Crowley et al., Phys. Rev. X 13, 041005 (2023) ("crowley", and the three terms); D. P. Pappas et al.,
    IEEE Trans. Appl. Supercond. 21, 871 (2011) ("standard"); `saturation.py` for the others; J. Gao, PhD thesis,
    Caltech (2008) (Mattis-Bardeen, pull).
    """

    frequency: Array
    loss_tangent: Array
    critical_power: Array
    temperature_exponent: Array
    photon_exponent: Array
    critical_temperature: Array
    quasiparticle_amplitude: Array
    constant_loss: Array
    shift_offset: Array
    saturation: str = eqx.field(static=True)
    quasiparticles: str = eqx.field(static=True)

    def __init__(
        self,
        *,
        frequency: ArrayLike,
        loss_tangent: ArrayLike,
        critical_power: ArrayLike = 1.0,
        temperature_exponent: ArrayLike = 0.0,
        photon_exponent: ArrayLike = 1.0,
        critical_temperature: ArrayLike = 0.0,
        quasiparticle_amplitude: ArrayLike = 0.0,
        constant_loss: ArrayLike = 0.0,
        shift_offset: ArrayLike = 0.0,
        saturation: str = "crowley",
        quasiparticles: str = "dilute",
    ):
        self.frequency = _checks.positive("frequency", frequency)
        self.loss_tangent = _checks.positive("loss_tangent", loss_tangent, zero=True)
        self.critical_power = _checks.positive("critical_power", critical_power)
        self.temperature_exponent = _checks.finite("temperature_exponent", temperature_exponent)
        self.photon_exponent = _checks.finite("photon_exponent", photon_exponent)
        self.critical_temperature = _checks.positive("critical_temperature", critical_temperature, zero=True)
        self.quasiparticle_amplitude = _checks.positive("quasiparticle_amplitude", quasiparticle_amplitude, zero=True)
        self.constant_loss = _checks.positive("constant_loss", constant_loss, zero=True)
        self.shift_offset = _checks.finite("shift_offset", shift_offset)
        for name, value, allowed in (
            ("saturation", saturation, FORMS),
            ("quasiparticles", quasiparticles, QUASIPARTICLES),
        ):
            _checks.require(value in allowed, name, f"be one of {', '.join(map(repr, allowed))}", repr(value))
        self.saturation, self.quasiparticles = saturation, quasiparticles

    def __repr__(self) -> str:
        names = [name for name in self.__dataclass_fields__ if name not in ("saturation", "quasiparticles")]
        values = [f"{name}={_shown(getattr(self, name))}" for name in names]
        words = [f"{name}={getattr(self, name)!r}" for name in ("saturation", "quasiparticles")]
        return f"ResonatorLoss({', '.join(values + words)})"

    def loss(self, temperature: ArrayLike, photon_number: ArrayLike) -> Array:
        """Gives 1/Q_i at temperature [K] (>= 0) and mean photon number [1] (>= 0): the two broadcast; dimensionless."""
        return _loss(self, *_point(temperature, photon_number))

    def quality_factor(self, temperature: ArrayLike, photon_number: ArrayLike) -> Array:
        """Gives Q_i = 1/loss at temperature [K] and mean photon number [1]: the two broadcast; dimensionless."""
        return 1 / self.loss(temperature, photon_number)

    def tls_loss(self, temperature: ArrayLike, photon_number: ArrayLike) -> Array:
        """Gives the TLS term of 1/Q_i, by `saturation`; temperature [K], mean photon number [1]."""
        return _tls_loss(self, *_point(temperature, photon_number))

    def quasiparticle_loss(self, temperature: ArrayLike) -> Array:
        """Gives the loss by thermal quasiparticles at T [K], by `quasiparticles`."""
        return _quasiparticle_loss(self, _checks.positive("temperature", temperature, zero=True))

    def critical_photon_number(self, temperature: ArrayLike) -> Array:
        """Gives the photon number [1] that lowers the TLS loss by sqrt(2) at T [K]; infinite without saturation."""
        temperature, _ = _reduced(self, _checks.positive("temperature", temperature, zero=True))
        law = (self.critical_power, self.temperature_exponent, self.photon_exponent)
        return half_power_photons(self.saturation, temperature, _polarization(self, temperature), *law)

    def frequency_shift(self, temperature: ArrayLike) -> Array:
        r"""Gives the shift of the resonance, [f(T) - f(0)]/f + shift_offset: `tls_shift` + `quasiparticle_shift`.

        Arguments:
            temperature: T [K], any shape; >= 0.

        Returns:
            The shape of temperature, dimensionless; no power enters it.

        Example:
            >>> glass = ResonatorLoss(frequency=5e9, loss_tangent=1e-5)
            >>> bool(glass.frequency_shift(0.0) == 0), bool(glass.frequency_shift(1.0) > 0)
            (True, True)

        Source: J. Gao, PhD thesis, Caltech (2008), chapters 2 and 5.
        """
        return self.tls_shift(temperature) + self.quasiparticle_shift(temperature) + self.shift_offset

    def tls_shift(self, temperature: ArrayLike) -> Array:
        r"""Gives the fractional pull by the TLSs at T [K], the dispersion that goes with F delta tanh(x).

            (F delta / pi) [Re psi(1/2 + h f / (2 pi i k T)) - ln(h f / (2 pi k T))]

        It is 0 at T = 0, falls to a minimum near T = 0.44 h f/k, then rises as ln T.

        Source: J. Gao, PhD thesis, Caltech (2008), chapter 5.
        """
        return _tls_shift(self, _checks.positive("temperature", temperature, zero=True))

    def quasiparticle_shift(self, temperature: ArrayLike) -> Array:
        r"""Gives the fractional shift of the resonance at T [K] by the kinetic inductance of thermal quasiparticles.

            -(pi A/8) exp(-D/kT) [sqrt(2 pi kT/D) + 2 e^-x I_0(x)],   D = 1.76 k Tc     quasiparticles="dilute"
            (alpha/2) [sigma_2(T) / sigma_2(0) - 1]                                     quasiparticles="mattis-bardeen"

        with the amplitude A of the loss: both are shares of one complex conductivity of a thin film, A = 4/pi times its
        kinetic inductance fraction.

        Source: J. Gao, PhD thesis, Caltech (2008), section 2.4 (n_qp, d sigma_1 and d sigma_2 of Mattis and Bardeen).
        """
        return _quasiparticle_shift(self, _checks.positive("temperature", temperature, zero=True))


def _shown(value: object) -> str:
    """Show a leaf as its numbers where they are known."""
    known = eqx.is_array(value) and not _checks.is_traced(value) and np.size(np.asarray(value)) <= 6
    return np.array2string(np.asarray(value), precision=6, separator=", ") if known else str(value)


def _point(temperature: ArrayLike, photon_number: ArrayLike) -> tuple[Array, Array]:
    photons = _checks.positive("photon_number", photon_number, zero=True)
    return _checks.positive("temperature", temperature, zero=True), photons


def _reduced(model: ResonatorLoss, temperature: Array) -> tuple[Array, Array]:
    """Give the temperature [K] kept off zero, and x = h f / 2 k T."""
    scale = PLANCK / (2 * BOLTZMANN) * model.frequency
    temperature = jnp.maximum(temperature, scale / COLDEST)
    return temperature, scale / temperature


def _polarization(model: ResonatorLoss, temperature: Array) -> Array:
    """Give tanh(x), the factor by which a `SpinBathOscillator` is damped too."""
    return polarization(PLANCK / BOLTZMANN * model.frequency, temperature)


@eqx.filter_jit
def _loss(model: ResonatorLoss, temperature: Array, photons: Array) -> Array:
    return _tls_loss(model, temperature, photons) + _quasiparticle_loss(model, temperature) + model.constant_loss


@eqx.filter_jit
def _tls_loss(model: ResonatorLoss, temperature: Array, photons: Array) -> Array:
    temperature, _ = _reduced(model, temperature)
    seen = _polarization(model, temperature)
    law = (model.critical_power, model.temperature_exponent, model.photon_exponent)
    return model.loss_tangent * seen * reduction(model.saturation, photons, temperature, seen, *law)


def _gap(model: ResonatorLoss, temperature: Array) -> Array:
    """Give the gap over k [K] at a temperature, kept where the conductivity is defined, above hf/2."""
    critical = jnp.where(model.critical_temperature > 0, model.critical_temperature, 1e-3)
    gap = GAP_RATIO * model.critical_temperature * gap_share(temperature / critical)
    return jnp.maximum(gap, 0.51 * PLANCK / BOLTZMANN * model.frequency)


@eqx.filter_jit
def _quasiparticle_loss(model: ResonatorLoss, temperature: Array) -> Array:
    temperature, x = _reduced(model, temperature)
    if model.quasiparticles == "mattis-bardeen":
        s1, s2 = conductivity(2 * x * temperature, _gap(model, temperature), temperature)
        return np.pi / 4 * model.quasiparticle_amplitude * s1 / s2
    # sinh(x) K_0(x) = (1 - e^{-2x}) / 2 * e^x K_0(x): no overflow at low temperature.
    bessel = -jnp.expm1(-2 * x) / 2 * scaled_k0(x)
    return model.quasiparticle_amplitude * jnp.exp(-GAP_RATIO * model.critical_temperature / temperature) * bessel


@eqx.filter_jit
def _quasiparticle_shift(model: ResonatorLoss, temperature: Array) -> Array:
    temperature, x = _reduced(model, temperature)
    gap = GAP_RATIO * model.critical_temperature
    if model.quasiparticles == "mattis-bardeen":
        w = 2 * x * temperature
        now = conductivity(w, _gap(model, temperature), temperature)[1]
        whole = jnp.maximum(gap, 0.51 * w)
        full = conductivity(w, whole, _CRYOGENIC * whole)[1]
        return np.pi / 8 * model.quasiparticle_amplitude * (now / full - 1)
    # sqrt(T/gap) has no value at gap = 0, where there is no superconductor to be measured: the loss's amplitude is 0.
    known = gap > 0
    root = jnp.where(known, jnp.sqrt(2 * np.pi * temperature / jnp.where(known, gap, 1.0)), 0.0)
    strength = np.pi / 8 * model.quasiparticle_amplitude * jnp.exp(-gap / temperature)
    return -strength * (root + 2 * jax.scipy.special.i0e(x))


@eqx.filter_jit
def _tls_shift(model: ResonatorLoss, temperature: Array) -> Array:
    u = 2 * np.pi * BOLTZMANN / PLANCK * temperature / model.frequency
    return model.loss_tangent / np.pi * digamma_excess(u)
