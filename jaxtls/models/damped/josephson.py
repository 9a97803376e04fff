"""Says what Josephson qubits share: a shunted junction near its potential's minimum, a damped oscillator, in SI units.

With k = Phi_0/2pi = hbar/2e and the phase phi across the junction (RCSJ model), k C phi'' + k phi'/R + I_c dU/dphi = 0:
alpha = 1/(2 R C), the mass is k^2 C, and the potential is E_J U(phi), E_J = k I_c.

Source: M. J. Blacker and D. L. Tilbrook, arXiv:2107.05827, Section VI (equation numbers below are theirs).
"""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from ..._checks import finite, positive, require
from ..._types import Numbers
from .._constants import ELECTRON_CHARGE, HBAR
from .fock import level_numbers
from .oscillator import DampedOscillator

REDUCED_FLUX_QUANTUM = HBAR / (2 * ELECTRON_CHARGE)  # Wb, Phi_0/2pi

EXPANSIONS = ("zero", "minimum")


class Expansion(NamedTuple):
    """Expands U(phi)/E_J about the minimum phi_0 of its quadratic part: offset + stiffness (phi-phi_0)^2/2 + sum_i a_i
    (phi-phi_0)^i, i = 1..4."""

    phase: Array
    offset: Array
    stiffness: Array
    anharmonic: tuple[Array, Array, Array, Array]


class AbstractJosephsonQubit(eqx.Module):
    """Models a resistively and capacitively shunted junction near a minimum of its potential."""

    resistance: Array
    capacitance: Array
    critical_current: Array
    expand_about: str = eqx.field(static=True)
    quartic: bool = eqx.field(static=True)

    def __init__(
        self, resistance: Numbers, capacitance: Numbers, critical_current: Numbers, *, expand_about: str, quartic: bool
    ):
        self.resistance = positive("resistance", resistance)
        self.capacitance = positive("capacitance", capacitance)
        self.critical_current = positive("critical_current", critical_current)
        require(expand_about in EXPANSIONS, "expand_about", f"be one of {EXPANSIONS}", repr(expand_about))
        require(isinstance(quartic, bool), "quartic", "be True or False", repr(quartic))
        self.expand_about, self.quartic = expand_about, quartic

    def __check_init__(self) -> None:
        for name, value in vars(self).items():
            if eqx.is_array(value):
                require(value.ndim == 0, name, "be a scalar", f"shape {value.shape}", "Use jax.vmap for several.")

    @abc.abstractmethod
    def expansion(self) -> Expansion:
        """Gives the potential about phi = 0 (the paper's) or about its minimum."""

    @abc.abstractmethod
    def before_step(self, step: Numbers) -> Any:
        """Gives the circuit with its bias (current or flux) higher by a step."""

    # --- derived quantities ------------------------------------------------------------------------------------------

    @property
    def josephson_energy(self) -> Array:
        """Gives E_J = k I_c [J]."""
        return REDUCED_FLUX_QUANTUM * self.critical_current

    @property
    def plasma_frequency(self) -> Array:
        """Gives sqrt(I_c/(k C)) of the bare junction [rad/s]."""
        return jnp.sqrt(self.critical_current / REDUCED_FLUX_QUANTUM / self.capacitance)

    @property
    def omega(self) -> Array:
        """Gives the frequency of the potential's quadratic part [rad/s] (omega_p, omega_f of Eq. 40 for "zero")."""
        return self.plasma_frequency * jnp.sqrt(self.expansion().stiffness)

    @property
    def damping(self) -> Array:
        """Gives alpha = 1/(2 R C) [1/s]."""
        return 1 / (2 * self.resistance * self.capacitance)

    @property
    def offset_phase(self) -> Array:
        """Gives phi_0, where the quadratic part of the potential has its minimum [rad]."""
        return self.expansion().phase

    @property
    def damping_ratio(self) -> Array:
        """Gives alpha/omega: 1 at critical damping (Eq. 44)."""
        return self.damping / self.omega

    @property
    def critical_resistance(self) -> Array:
        """Gives 1/(2 C omega), the resistance of critical damping [ohm]; below, the circuit is overdamped (Eq. 44)."""
        return 1 / (2 * self.capacitance * self.omega)

    def oscillator(self, **options: Any) -> DampedOscillator:
        """Takes the harmonic part as a `DampedOscillator` of phi - phi_0: time in s, energies in hbar rad/s (hbar = 1).

        Arguments:
            options: `n_levels`, `basis`, `force` [1/s, energy in hbar] of `DampedOscillator`.

        Returns:
            The oscillator, in SI units with hbar = 1.

        Example:
            >>> qubit = jt.PhaseQubit(resistance=500.0, capacitance=1e-12, critical_current=1e-6, bias_current=5e-7)
            >>> p = qubit.oscillator().transition_probabilities(jnp.linspace(0.0, 1e-9, 3), n_max=2)
            >>> p.shape
            (3, 3)

        Source: Blacker & Tilbrook, Eqs. 39-42 (the mass k^2 C/hbar has the unit s).
        """
        mass = REDUCED_FLUX_QUANTUM / (2 * ELECTRON_CHARGE) * self.capacitance
        return DampedOscillator(self.omega, self.damping, mass, **options)

    # --- levels, Eq. 43 ----------------------------------------------------------------------------------------------

    def levels(self, t: ArrayLike, n: Numbers) -> Array:
        """Gives E_n(t) = offset + hbar omega (n + 1/2) e^(-t/RC), plus what `quartic` adds: mechanical energies [J].

        With `quartic`, the cosine to fourth order in perturbation theory: first order in the even terms, second in the
        odd ones (the cubic and linear terms that come with a bias), at the shrinking hbar e^(-t/RC) of (phi, phi').
        Good while the shifts are small beside hbar omega: not near I_b = I_c, nor for levels near the barrier's top.

        Arguments:
            t: times, any shape [s].
            n: levels >= 0, ints of a shape that broadcasts with t.

        Returns:
            energies, the broadcast shape [J]; the offset is the potential at phi_0 and does not decay.

        Example:
            >>> qubit = jt.PhaseQubit(resistance=500.0, capacitance=1e-12, critical_current=1e-6, bias_current=0.0)
            >>> spacing = qubit.levels(0.0, 1) - qubit.levels(0.0, 0)
            >>> f"{spacing / 6.62607015e-34 / 1e9:.4f} GHz"
            '8.7731 GHz'

        Source: Blacker & Tilbrook, Eq. 43.
        """
        expansion = self.expansion()
        constant = expansion.offset + (self._anharmonic_constant(expansion) if self.quartic else 0.0)
        return self.josephson_energy * (constant + self._ladder(expansion, t, n))

    def transition_frequency(self, t: ArrayLike = 0.0, n: Numbers = 0) -> Array:
        """Gives the frequencies (E_(n+1) - E_n)/hbar [rad/s], without the rounding of the offset.

        Example:
            >>> qubit = jt.PhaseQubit(resistance=500.0, capacitance=1e-12, critical_current=1e-6, bias_current=9e-7,
            ...                    expand_about="minimum", quartic=True)
            >>> f01, f12 = qubit.transition_frequency(0.0, np.array([0, 1])) / (2 * jnp.pi)
            >>> f"{f01 / 1e9:.3f} GHz, {(f12 - f01) / 1e6:.0f} MHz"
            '5.635 GHz, -157 MHz'
        """
        expansion, n = self.expansion(), level_numbers("n", n)
        step = self._ladder(expansion, t, n + 1) - self._ladder(expansion, t, n)
        return self.critical_current / (2 * ELECTRON_CHARGE) * step

    def _ladder(self, expansion: Expansion, t: ArrayLike, n: Numbers) -> Array:
        """Give the part of E_n/E_J that depends on n."""
        n = level_numbers("n", n)
        # hbar_eff omega/E_J at the frequency of the quadratic part; sigma^2 = <phi^2> of the ground state.
        # hbar/E_J = 2e/I_c: the square of E_J, in its derivative, would underflow in single precision.
        shrink = jnp.exp(-finite("t", t) / (self.resistance * self.capacitance))
        quantum = 2 * ELECTRON_CHARGE / self.critical_current * self.omega * shrink
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

    def ring_down(self, ts: Numbers, step: Numbers) -> Array:
        """Gives the voltage V = k <phi'> after a bias that stood higher by `step` falls to its value at t = 0.

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
            >>> time, voltage, error = np.loadtxt(file.read_text().splitlines(), delimiter=",", skiprows=1).T
            >>> import equinox as eqx
            >>> class Experiment(eqx.Module):
            ...     qubit: jt.PhaseQubit
            ...     step: jax.Array  # [A]
            ...     def voltage(self):
            ...         return self.qubit.ring_down(time, self.step)
            >>> start = Experiment(jt.PhaseQubit(resistance=150.0, capacitance=1.5e-12, critical_current=2e-6,
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


def about_zero(phase: Array) -> tuple[Array, Array, Array, Array]:
    """Gives -phi^4/24 about phi_0, without its constant."""
    return -(phase**3) / 6, -(phase**2) / 4, -phase / 6, jnp.full_like(phase, -1 / 24)


def about_minimum(phase: Array) -> tuple[Array, Array, Array, Array]:
    """Gives the third and fourth order of -cos phi about phi_0."""
    zero = jnp.zeros_like(phase)
    return zero, zero, -jnp.sin(phase) / 6, -jnp.cos(phase) / 24
