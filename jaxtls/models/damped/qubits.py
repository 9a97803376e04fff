"""Models superconducting qubits as driven damped oscillators: the phase qubit and the flux qubit, in SI units.

With k = Phi_0/2pi = hbar/2e and the phase phi across the junction (RCSJ model, Eq. 33),
    k C phi'' + k phi'/R + I_c sin phi = I_b                              phase qubit
    k C phi'' + k phi'/R + I_c sin phi + (k/L)(phi - 2 pi f) = 0          flux qubit

Source: M. J. Blacker and D. L. Tilbrook, arXiv:2107.05827, Section VI (equation numbers below are theirs).
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete, finite, positive, refused, require
from ..._types import Numbers
from .josephson import REDUCED_FLUX_QUANTUM, AbstractJosephsonQubit, Expansion, about_minimum, about_zero


class PhaseQubit(AbstractJosephsonQubit):
    """Models a current-biased junction: k C phi'' + k phi'/R + I_c sin phi = I_b, k = Phi_0/2pi.

    About phi = 0: omega = sqrt(I_c/(k C)), phi_0 = I_b/I_c, critical damping at 4 R^2 C I_c = k. About the minimum:
    sin phi_0 = I_b/I_c, omega = sqrt(I_c/(k C)) (1 - (I_b/I_c)^2)^(1/4), critical at 2 R C omega = 1.

    Arguments:
        resistance: R > 0 [ohm].
        capacitance: C > 0 [F].
        critical_current: I_c > 0 [A].
        bias_current: I_b [A]; |I_b| < I_c: from there on the potential has no minimum, and the junction no levels.
        expand_about: "zero" (the paper's) or "minimum" (the plasma frequency that experiments see).
        quartic: whether `levels` go to fourth order of the cosine.

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> qubit = PhaseQubit(resistance=500.0, capacitance=1e-12, critical_current=1e-6, bias_current=9e-7)
        >>> f"{qubit.omega / (2 * np.pi) / 1e9:.3f} GHz, {qubit.damping_ratio:.4f}, {qubit.critical_resistance:.2f} ohm"
        '8.773 GHz, 0.0181, 9.07 ohm'
        >>> at_minimum = PhaseQubit(500.0, 1e-12, 1e-6, 9e-7, expand_about="minimum")
        >>> f"{at_minimum.omega / qubit.omega:.4f}"  # (1 - 0.9^2)^(1/4)
        '0.6602'

    Source: Blacker & Tilbrook, Eqs. 33a-44a; about phi = 0 they miss the factor (1 - (I_b/I_c)^2)^(1/4).
    """

    bias_current: Array

    def __init__(
        self,
        resistance: Numbers,
        capacitance: Numbers,
        critical_current: Numbers,
        bias_current: Numbers = 0.0,
        *,
        expand_about: str = "zero",
        quartic: bool = False,
    ):
        super().__init__(resistance, capacitance, critical_current, expand_about=expand_about, quartic=quartic)
        self.bias_current = finite("bias_current", bias_current)
        known, limit = concrete(self.bias_current), concrete(self.critical_current)
        if known is not None and limit is not None:
            remedy = "From there on the potential has no minimum: the phase runs, and there are no levels."
            require(
                bool(np.all(abs(known) < limit)), "bias_current", f"be below critical_current = {limit}", known, remedy
            )

    def expansion(self) -> Expansion:
        """Gives the potential about the point that `expand_about` names."""
        ratio = self.bias_current / self.critical_current
        beyond, fault = jnp.abs(ratio) >= 1, "bias_current must be below critical_current."
        if self.expand_about == "zero":
            about = Expansion(ratio, -1 - ratio**2 / 2, jnp.ones_like(ratio), about_zero(ratio))
            return refused(about, beyond, fault)
        ratio = refused(ratio, beyond, fault)
        phase, cosine = jnp.arcsin(ratio), jnp.sqrt((1 - ratio) * (1 + ratio))
        return Expansion(phase, -cosine - ratio * phase, cosine, about_minimum(phase))

    def before_step(self, step: Numbers) -> PhaseQubit:
        """Gives the circuit with a bias current higher by a step [A]."""
        return dataclasses.replace(self, bias_current=self.bias_current + finite("step", step))


class FluxQubit(AbstractJosephsonQubit):
    """Models a junction in a loop: k C phi'' + k phi'/R + I_c sin phi + (k/L)(phi - 2 pi f) = 0, k = Phi_0/2pi.

    About phi = 0: omega = sqrt(I_c/(k C) + 1/(L C)), phi_0 = 2 pi f/(1 + L I_c/k), critical damping at
    4 R^2 (C I_c/k + C/L) = 1. About the minimum: phi_0 + (L I_c/k) sin phi_0 = 2 pi f, omega^2 = I_c cos(phi_0)/(k C)
    + 1/(L C), critical at 2 R C omega = 1.

    Arguments:
        resistance: R > 0 [ohm].
        capacitance: C > 0 [F].
        critical_current: I_c > 0 [A].
        inductance: L > 0 [H].
        flux: f, the applied flux in flux quanta [1].
        expand_about: "zero" (the paper's) or "minimum": the lowest one, of which there are two at half-integer f if
            L I_c > k.
        quartic: whether `levels` go to fourth order of the cosine.

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> qubit = FluxQubit(resistance=1e3, capacitance=1e-13, critical_current=1e-6, inductance=1e-10, flux=0.1)
        >>> f"{qubit.omega / (2 * np.pi) / 1e9:.2f} GHz, {qubit.offset_phase:.4f} rad"
        '57.47 GHz, 0.4819 rad'

    Source: Blacker & Tilbrook, Eqs. 33b-44b.
    """

    inductance: Array
    flux: Array

    def __init__(
        self,
        resistance: Numbers,
        capacitance: Numbers,
        critical_current: Numbers,
        inductance: Numbers,
        flux: Numbers = 0.0,
        *,
        expand_about: str = "zero",
        quartic: bool = False,
    ):
        super().__init__(resistance, capacitance, critical_current, expand_about=expand_about, quartic=quartic)
        self.inductance = positive("inductance", inductance)
        self.flux = finite("flux", flux)

    @property
    def screening(self) -> Array:
        """Gives beta_L = L I_c/k: above 1 the potential has several minima [1]."""
        return self.inductance * (self.critical_current / REDUCED_FLUX_QUANTUM)

    def expansion(self) -> Expansion:
        """Gives the potential about the point that `expand_about` names."""
        beta, applied = self.screening, 2 * jnp.pi * self.flux
        if self.expand_about == "zero":
            phase = applied / (1 + beta)
            offset = -1 + applied**2 / (2 * beta) - (1 + 1 / beta) * phase**2 / 2
            return Expansion(phase, offset, 1 + 1 / beta, about_zero(phase))
        phase = _lowest_minimum(beta, applied)
        offset = -jnp.cos(phase) + (phase - applied) ** 2 / (2 * beta)
        return Expansion(phase, offset, jnp.cos(phase) + 1 / beta, about_minimum(phase))

    def before_step(self, step: Numbers) -> FluxQubit:
        """Gives the circuit with a flux higher by a step [Phi_0]."""
        return dataclasses.replace(self, flux=self.flux + finite("step", step))


def _lowest_minimum(beta: Array, applied: Array) -> Array:
    """Find the root of phi + beta sin phi = applied in the lowest well: that of the 2 pi multiple nearest `applied`.

    From psi = 0 Newton's steps climb a rising concave function, without overshooting, to the first root.
    """
    well = 2 * jnp.pi * jnp.round(jax.lax.stop_gradient(applied) / (2 * jnp.pi))
    delta = applied - well

    def newton(beta: Array, delta: Array, psi: Array) -> Array:
        return psi - (psi + beta * jnp.sin(psi) - delta) / (1 + beta * jnp.cos(psi))

    fixed = (jax.lax.stop_gradient(beta), jax.lax.stop_gradient(delta))
    start = jnp.zeros_like(fixed[0] + fixed[1])
    psi = jax.lax.fori_loop(0, 60, lambda _, psi: newton(*fixed, psi), start)
    # At the root a step of Newton's has the derivative of the implicit function; two give its second derivative too.
    return well + newton(beta, delta, newton(beta, delta, jax.lax.stop_gradient(psi)))
