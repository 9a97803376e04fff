"""Says what an oscillator in a bath is made of, and its equation's coefficients: below everything that solves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from ..._checks import concrete, real, refused, require
from ...dynamics.model import AbstractModel
from .coefficients import Coefficients, finite_time, markov
from .density import DiscreteSpectralDensity

UNSTABLE = (
    "the bath softens the oscillator past zero: omega_0^2 + frequency_shift must be > 0, else Eq. 23 runs away. "
    "For an Ohmic bath at T = 0 this needs gamma_0 < (cutoff^2 + omega_0^2) omega_0^2 / (2 cutoff^3). "
    "Lower the coupling or the cut-off, or pass counter_term=True, which takes omega_0 as the shifted frequency."
)


class AbstractSpinBath(AbstractModel):
    """Holds frequencies, spectral density and temperature; `SpinBathOscillator` says what they mean."""

    closes_over: ClassVar[bool] = False

    omega_0: Array
    spectral_density: Any
    temperature: Array
    mass: Array
    static_diffusion: Array
    bath: str = eqx.field(static=True)
    counter_term: bool = eqx.field(static=True)
    time_dependent: bool = eqx.field(static=True)
    quadrature_step: float = eqx.field(static=True)

    # --- coefficients ------------------------------------------------------------------------------------------------

    @property
    def coefficients(self) -> Coefficients:
        """Gives frequency_shift, damping, diffusion and anomalous of Eq. 23 in the Markov limit t -> infinity.

        For a `DiscreteSpectralDensity`, whose coefficients never settle, their averages over time. Evaluated by the
        closed forms of Eqs. 26-28 where J is Ohmic. The Matsubara sum for S(T), whose tail falls slowly, is replaced by
        S(0) = -2 gamma_0 L^3/(L^2 + W^2) and a convergent integral for the rest. No stability is asked for here.

        Source: Schlosshauer, Hines & Milburn, Eqs. 24, 26-28.
        """
        return markov(
            self.spectral_density,
            self.omega_0,
            self.mass,
            self.temperature,
            self.bath,
            self.static_diffusion,
            self.quadrature_step,
        )

    def coefficients_at(self, t: ArrayLike) -> Coefficients:
        """Gives the coefficients at time t [1/frequency] after an uncorrelated start, Eq. 24 with t as the upper limit.

        Arguments:
            t: a number >= 0, may be traced.

        Returns:
            Frequency shift, damping, diffusion and anomalous diffusion, scalars.

        Raises:
            ValueError: if the spectral density is not a `DiscreteSpectralDensity`.

        Example:
            >>> J = DiscreteSpectralDensity(couplings=[0.1, 0.1], tunnellings=[0.5, 0.9])
            >>> b = SpinBathOscillator(omega_0=1.0, spectral_density=J, temperature=0.5, time_dependent=True)
            >>> float(b.coefficients_at(0.0).diffusion), round(float(b.coefficients_at(1.0).diffusion), 5)
            (0.0, 0.0156)
        """
        listed = isinstance(self.spectral_density, DiscreteSpectralDensity)
        require(
            listed, "spectral_density", "be a DiscreteSpectralDensity for finite times", type(self.spectral_density),
            "jt.discretize(J, n_modes, scale=omega_0) makes one.",
        )  # fmt: skip
        return finite_time(
            self.spectral_density,
            real("t", t),
            self.omega_0,
            self.mass,
            self.temperature,
            self.bath,
            self.static_diffusion,
        )

    def coefficient_function(self) -> Callable[[Any], Coefficients]:
        """Gives t -> what the dynamics uses: constant or time-dependent, with S left out under `counter_term`, checked
        for stability."""
        settled = self.coefficients
        stable = self.stable

        def dynamic(c: Coefficients) -> Coefficients:
            # A known instability is refused by name where states are made and moved.
            shift = jnp.zeros_like(c.frequency_shift) if self.counter_term else c.frequency_shift
            shift = refused(shift, ~stable, UNSTABLE) if concrete(stable) is None else shift
            return Coefficients(shift, c.damping, c.diffusion, c.anomalous)

        if not self.time_dependent:
            constant = dynamic(settled)
            return lambda t: constant
        return lambda t: dynamic(self.coefficients_at(t))

    @property
    def stiffness(self) -> Array:
        """Gives Omega_0^2 + S (Omega_0^2 with the counter-term), what holds the oscillator at late times
        [frequency^2]."""
        return self.omega_0**2 + (0.0 if self.counter_term else self.coefficients.frequency_shift)

    @property
    def stable(self) -> Array:
        """Says whether `stiffness` is positive."""
        return self.stiffness > 0

    def require_stable(self) -> None:
        """Refuse a bath that softens the oscillator past zero, where that is known."""
        known = concrete(self.stable)
        if known is not None and not bool(known):
            raise ValueError(
                f"Argument `spectral_density` is too strong for omega_0 = {self.omega_0}: {UNSTABLE} "
                f"Here frequency_shift = {self.coefficients.frequency_shift}."
            )
