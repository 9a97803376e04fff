"""Superconducting qubits as driven damped oscillators: the phase qubit and the flux qubit, in SI units.

With k = Phi_0/2pi = hbar/2e and the phase phi across the junction (RCSJ model, Eq. 33),
    k C phi'' + k phi'/R + I_c sin phi = I_b                              phase qubit
    k C phi'' + k phi'/R + I_c sin phi + (k/L)(phi - 2 pi f) = 0          flux qubit
so alpha = 1/(2 R C), the mass is k^2 C, and the potential is E_J U(phi), E_J = k I_c.

Source: M. J. Blacker and D. L. Tilbrook, arXiv:2107.05827, Section VI (equation numbers below are theirs).
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete, finite, positive, require
from .oscillator import DampedOscillator, _levels

ELECTRON_CHARGE = 1.602176634e-19  # C, exact in the SI of 2019
HBAR = 6.62607015e-34 / (2 * np.pi)  # J s
REDUCED_FLUX_QUANTUM = HBAR / (2 * ELECTRON_CHARGE)  # Wb, Phi_0/2pi

EXPANSIONS = ("zero", "minimum")


class Expansion(NamedTuple):
    """U(phi)/E_J about the minimum phi_0 of its quadratic part: offset + stiffness (phi-phi_0)^2/2 + sum_i a_i
    (phi-phi_0)^i, i = 1..4."""

    phase: Array
    offset: Array
    stiffness: Array
    anharmonic: tuple[Array, Array, Array, Array]


class AbstractJosephsonQubit(eqx.Module):
    """A resistively and capacitively shunted junction near a minimum of its potential."""

    resistance: eqx.AbstractVar[Array]
    capacitance: eqx.AbstractVar[Array]
    critical_current: eqx.AbstractVar[Array]
    expand_about: eqx.AbstractVar[str]
    quartic: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def expansion(self) -> Expansion:
        """The potential about phi = 0 (the paper's) or about its minimum."""

    @abc.abstractmethod
    def before_step(self, step: Any) -> Any:
        """The circuit with its bias (current or flux) higher by a step."""

    # --- derived quantities ------------------------------------------------------------------------------------------

    @property
    def josephson_energy(self) -> Array:
        """E_J = k I_c [J]."""
        return REDUCED_FLUX_QUANTUM * self.critical_current

    @property
    def plasma_frequency(self) -> Array:
        """sqrt(I_c/(k C)) of the bare junction [rad/s]."""
        return jnp.sqrt(self.critical_current / REDUCED_FLUX_QUANTUM / self.capacitance)

    @property
    def omega(self) -> Array:
        """Frequency of the quadratic part of the potential [rad/s] (omega_p, omega_f of Eq. 40 for "zero")."""
        return self.plasma_frequency * jnp.sqrt(self.expansion().stiffness)

    @property
    def damping(self) -> Array:
        """alpha = 1/(2 R C) [1/s]."""
        return 1 / (2 * self.resistance * self.capacitance)

    @property
    def offset_phase(self) -> Array:
        """phi_0, where the quadratic part of the potential has its minimum [rad]."""
        return self.expansion().phase

    @property
    def damping_ratio(self) -> Array:
        """alpha/omega: 1 at critical damping (Eq. 44)."""
        return self.damping / self.omega

    @property
    def critical_resistance(self) -> Array:
        """1/(2 C omega), the resistance at critical damping [ohm]; below it the circuit is overdamped (Eq. 44)."""
        return 1 / (2 * self.capacitance * self.omega)

    def oscillator(self, **options: Any) -> DampedOscillator:
        """The harmonic part as a `DampedOscillator` of phi - phi_0: time in s, energies in hbar rad/s (hbar = 1).

        Arguments:
            options: `n_levels`, `basis`, `force` [1/s, energy in hbar] of `DampedOscillator`.

        Example:
            >>> qubit = PhaseQubit(resistance=500.0, capacitance=1e-12, critical_current=1e-6, bias_current=5e-7)
            >>> p = qubit.oscillator().transition_probabilities(jnp.linspace(0.0, 1e-9, 3), n_max=2)
            >>> p.shape
            (3, 3)

        Source: Blacker & Tilbrook, Eqs. 39-42 (the mass k^2 C/hbar has the unit s).
        """
        mass = REDUCED_FLUX_QUANTUM / (2 * ELECTRON_CHARGE) * self.capacitance
        return DampedOscillator(self.omega, self.damping, mass, **options)

    # --- levels, Eq. 43 ----------------------------------------------------------------------------------------------

    def levels(self, t: Any, n: Any) -> Array:
        """E_n(t) = offset + hbar omega (n + 1/2) e^(-t/RC), plus what `quartic` adds: mechanical energies [J].

        With `quartic`, the cosine to fourth order in perturbation theory: first order in the even terms, second in the
        odd ones (the cubic and linear terms that come with a bias), at the shrinking hbar e^(-t/RC) of (phi, phi').

        Arguments:
            t: times, any shape [s].
            n: levels >= 0, ints of a shape that broadcasts with t.

        Returns:
            energies, the broadcast shape [J]; the offset is the potential at phi_0 and does not decay.

        Example:
            >>> qubit = PhaseQubit(resistance=500.0, capacitance=1e-12, critical_current=1e-6, bias_current=0.0)
            >>> spacing = qubit.levels(0.0, 1) - qubit.levels(0.0, 0)
            >>> f"{spacing / HBAR / (2 * np.pi) / 1e9:.4f} GHz"
            '8.7731 GHz'

        Source: Blacker & Tilbrook, Eq. 43.
        """
        expansion = self.expansion()
        constant = expansion.offset + (self._anharmonic_constant(expansion) if self.quartic else 0.0)
        return self.josephson_energy * (constant + self._ladder(expansion, t, n))

    def transition_frequency(self, t: Any = 0.0, n: Any = 0) -> Array:
        """(E_(n+1) - E_n)/hbar [rad/s], without the rounding of the offset.

        Example:
            >>> qubit = PhaseQubit(resistance=500.0, capacitance=1e-12, critical_current=1e-6, bias_current=9e-7,
            ...                    expand_about="minimum", quartic=True)
            >>> f01, f12 = qubit.transition_frequency(0.0, np.array([0, 1])) / (2 * jnp.pi)
            >>> f"{f01 / 1e9:.3f} GHz, {(f12 - f01) / 1e6:.0f} MHz"
            '5.635 GHz, -157 MHz'
        """
        expansion, n = self.expansion(), _levels("n", n)
        step = self._ladder(expansion, t, n + 1) - self._ladder(expansion, t, n)
        return self.josephson_energy / HBAR * step

    def _ladder(self, expansion: Expansion, t: Any, n: Any) -> Array:
        """The part of E_n/E_J that depends on n."""
        n = _levels("n", n)
        # hbar_eff omega/E_J at the frequency of the quadratic part; sigma^2 = <phi^2> of the ground state.
        shrink = jnp.exp(-finite("t", t) / (self.resistance * self.capacitance))
        quantum = HBAR / self.josephson_energy * self.omega * shrink
        if not self.quartic:
            return quantum * (n + 0.5)
        variance = quantum / (2 * expansion.stiffness)
        a1, a2, a3, a4 = expansion.anharmonic
        first = a2 * variance * (2 * n + 1) + 3 * a4 * variance**2 * (2 * n**2 + 2 * n + 1)
        odd = 6 * a1 * a3 * variance * (2 * n + 1) + a3**2 * variance**2 * (30 * n**2 + 30 * n + 11)
        return quantum * (n + 0.5) + first - odd / (2 * expansion.stiffness)

    def _anharmonic_constant(self, expansion: Expansion) -> Array:
        a0 = -(expansion.phase**4) / 24 if self.expand_about == "zero" else 0.0
        return a0 - expansion.anharmonic[0] ** 2 / (2 * expansion.stiffness)

    # --- ring-down ---------------------------------------------------------------------------------------------------

    def ring_down(self, ts: Any, step: Any) -> Array:
        """The voltage V = k <phi'> after a bias that stood higher by `step` falls to its value at t = 0.

        V(t) = k (phi_0(bias + step) - phi_0(bias)) d/dt [e^(-alpha t)(C + alpha S)], harmonic about phi_0: exact for
        the mean of every state of Eq. 42, and for the junction itself where the step is small.

        Arguments:
            ts: times after the step, any shape (...) [s].
            step: of the bias current [A] or of the flux f [Phi_0].

        Returns:
            voltage across the junction, (...) [V].

        Example:
            The parameters behind a measured trace, and what the trace cannot say: its decay and its frequency fix RC
            and I_c/C; its height gives the third combination, I_c, only where the step is known.

            >>> import importlib.resources
            >>> file = importlib.resources.files("jaxtls.cli").joinpath("data/ring_down.csv")
            >>> time, voltage, error = np.loadtxt(file.open(), delimiter=",", skiprows=1).T
            >>> class Experiment(eqx.Module):
            ...     qubit: PhaseQubit
            ...     step: jax.Array  # [A]
            ...     def voltage(self):
            ...         return self.qubit.ring_down(time, self.step)
            >>> start = Experiment(PhaseQubit(resistance=150.0, capacitance=1.5e-12, critical_current=2e-6,
            ...                               bias_current=0.0), jnp.asarray(5e-8))
            >>> free = {"qubit.resistance": jt.Positive(), "qubit.capacitance": jt.Positive(),
            ...         "qubit.critical_current": jt.Positive()}
            >>> f = jt.fit(Experiment.voltage, start, voltage, sigma=error, free=free)
            >>> [f"{f.values[name]:.3g} ± {f.stderr[name]:.1g}" for name in free]
            ['200 ± 0.9', '1e-12 ± 4e-15', '1.5e-06 ± 7e-09']
            >>> f = jt.fit(Experiment.voltage, start, voltage, sigma=error, free=free | {"step": jt.Positive()})
            >>> print(f.identifiability)
            the data do not see qubit.resistance, qubit.capacitance, qubit.critical_current, step change together by
            (-1 ln qubit.resistance, +1 ln qubit.capacitance, +1 ln qubit.critical_current, +1 ln step)

        Source: Blacker & Tilbrook, Eqs. 33 and 42.
        """
        displaced = self.before_step(step).offset_phase - self.offset_phase
        return REDUCED_FLUX_QUANTUM * self.oscillator().trajectory(ts, displaced, 0.0)[1]


class PhaseQubit(AbstractJosephsonQubit):
    """Current-biased junction: k C phi'' + k phi'/R + I_c sin phi = I_b, k = Phi_0/2pi.

    About phi = 0: omega = sqrt(I_c/(k C)), phi_0 = I_b/I_c, critical damping at 4 R^2 C I_c = k. About the minimum:
    sin phi_0 = I_b/I_c, omega = sqrt(I_c/(k C)) (1 - (I_b/I_c)^2)^(1/4), critical at 2 R C omega = 1.

    Arguments:
        resistance: R > 0 [ohm].
        capacitance: C > 0 [F].
        critical_current: I_c > 0 [A].
        bias_current: I_b [A]; |I_b| < I_c about the minimum.
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

    resistance: Array
    capacitance: Array
    critical_current: Array
    bias_current: Array
    expand_about: str = eqx.field(static=True)
    quartic: bool = eqx.field(static=True)

    def __init__(
        self,
        resistance: Any,
        capacitance: Any,
        critical_current: Any,
        bias_current: Any = 0.0,
        *,
        expand_about: Any = "zero",
        quartic: Any = False,
    ):
        self.resistance = _scalar("resistance", resistance)
        self.capacitance = _scalar("capacitance", capacitance)
        self.critical_current = _scalar("critical_current", critical_current)
        self.bias_current = _scalar("bias_current", bias_current, signed=True)
        self.expand_about, self.quartic = _options(expand_about, quartic)
        known, limit = concrete(self.bias_current), concrete(self.critical_current)
        if expand_about == "minimum" and known is not None and limit is not None:
            remedy = 'There is no minimum beyond; expand_about="zero" has no such limit.'
            require(bool(abs(known) < limit), "bias_current", f"be below critical_current = {limit}", known, remedy)

    def expansion(self) -> Expansion:
        ratio = self.bias_current / self.critical_current
        if self.expand_about == "zero":
            return Expansion(ratio, -1 - ratio**2 / 2, jnp.ones_like(ratio), _about_zero(ratio))
        ratio = eqx.error_if(ratio, jnp.abs(ratio) >= 1, "bias_current must be below critical_current at a minimum.")
        phase, cosine = jnp.arcsin(ratio), jnp.sqrt((1 - ratio) * (1 + ratio))
        return Expansion(phase, -cosine - ratio * phase, cosine, _about_minimum(phase))

    def before_step(self, step: Any) -> PhaseQubit:
        """The circuit with a bias current higher by a step [A]."""
        return dataclasses.replace(self, bias_current=self.bias_current + finite("step", step))


class FluxQubit(AbstractJosephsonQubit):
    """Junction in a loop: k C phi'' + k phi'/R + I_c sin phi + (k/L)(phi - 2 pi f) = 0, k = Phi_0/2pi.

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

    resistance: Array
    capacitance: Array
    critical_current: Array
    inductance: Array
    flux: Array
    expand_about: str = eqx.field(static=True)
    quartic: bool = eqx.field(static=True)

    def __init__(
        self,
        resistance: Any,
        capacitance: Any,
        critical_current: Any,
        inductance: Any,
        flux: Any = 0.0,
        *,
        expand_about: Any = "zero",
        quartic: Any = False,
    ):
        self.resistance = _scalar("resistance", resistance)
        self.capacitance = _scalar("capacitance", capacitance)
        self.critical_current = _scalar("critical_current", critical_current)
        self.inductance = _scalar("inductance", inductance)
        self.flux = _scalar("flux", flux, signed=True)
        self.expand_about, self.quartic = _options(expand_about, quartic)

    @property
    def screening(self) -> Array:
        """beta_L = L I_c/k: above 1 the potential has several minima [1]."""
        return self.inductance * (self.critical_current / REDUCED_FLUX_QUANTUM)

    def expansion(self) -> Expansion:
        beta, applied = self.screening, 2 * jnp.pi * self.flux
        if self.expand_about == "zero":
            phase = applied / (1 + beta)
            offset = -1 + applied**2 / (2 * beta) - (1 + 1 / beta) * phase**2 / 2
            return Expansion(phase, offset, 1 + 1 / beta, _about_zero(phase))
        phase = _lowest_minimum(beta, applied)
        offset = -jnp.cos(phase) + (phase - applied) ** 2 / (2 * beta)
        return Expansion(phase, offset, jnp.cos(phase) + 1 / beta, _about_minimum(phase))

    def before_step(self, step: Any) -> FluxQubit:
        """The circuit with a flux higher by a step [Phi_0]."""
        return dataclasses.replace(self, flux=self.flux + finite("step", step))


def _about_zero(phase: Array) -> tuple[Array, Array, Array, Array]:
    """-phi^4/24 about phi_0, without its constant."""
    return -(phase**3) / 6, -(phase**2) / 4, -phase / 6, jnp.full_like(phase, -1 / 24)


def _about_minimum(phase: Array) -> tuple[Array, Array, Array, Array]:
    """Third and fourth order of -cos phi about phi_0."""
    zero = jnp.zeros_like(phase)
    return zero, zero, -jnp.sin(phase) / 6, -jnp.cos(phase) / 24


def _lowest_minimum(beta: Array, applied: Array) -> Array:
    """The root of phi + beta sin phi = applied in the lowest well: that of the multiple of 2 pi nearest to `applied`.

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


def _scalar(name: str, value: Any, signed: bool = False) -> Array:
    array = finite(name, value) if signed else positive(name, value)
    require(array.ndim == 0, name, "be a scalar", f"shape {array.shape}", "Use jax.vmap for several.")
    return array


def _options(expand_about: Any, quartic: Any) -> tuple[str, bool]:
    require(expand_about in EXPANSIONS, "expand_about", f"be one of {EXPANSIONS}", repr(expand_about))
    require(isinstance(quartic, bool), "quartic", "be True or False", repr(quartic))
    return expand_about, quartic
