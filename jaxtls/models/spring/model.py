"""Models an entropic spring: an oscillator whose stiffness depends on how many of N two-level systems are excited.

    H = p^2/2M + M omega_0^2 x^2/2 + sum_c sum_(j in c) (B_c + M omega_c^2 x^2 / 2 N_c) n_j,
each TLS thermalizing at the rate and temperature of its momentary splitting. hbar = k_B = 1.

Source: C.-H. Wang and J. M. Taylor, "A quantum model for entropic springs" (equation numbers below are theirs). Their
master equation (21) is not completely positive; `form="lindblad"` is the nearest one that is, and `smallest_eigenvalue`
shows the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import concrete, finite, is_square, positive, require, size
from ..._platform import platform
from ..._types import Numbers, SpectralDensity
from .._counts import Count, spin_counts
from . import equilibrium, grouping, states
from . import sizes as sizes_
from .generator import hierarchy_generator
from .observables import (
    MAX_SPIN_GRID,
    excitation,
    number,
    oscillator_observables,
    spin_entropy,
    spin_grid_size,
)
from .parameters import AbstractSpring
from .splitting import SpringSplitting, sector_dvr
from .whole import WholeSplitting

FORMS = ("wang-taylor", "lindblad")


class EntropicSpring(AbstractSpring):
    """Couples an oscillator to N thermalizing TLSs, solved as an excitation hierarchy whose cost does not grow with N.

    d rho/dt = -i[H, rho] + sum_j thermalization of TLS j at the splitting B + M omega^2 x^2/(2N)   (Eq. 21)

    Arguments:
        omega: coupling frequency, scalar or (C,) over classes of TLSs [frequency].
        splitting: TLS splitting B > 0, scalar or (C,) [energy = frequency].
        gamma: thermalization rate gamma = 2 pi J > 0, scalar or (C,) [frequency]; give this or `spectral_density`.
        beta: inverse temperature > 0 [1/energy].
        n_spins: number of TLSs, an int or a tuple of C ints; where `n_modes` fixes the shape any real number >= 1, as
            which it enters the equations: it may be traced, and derivatives by it exist.
        omega_0: bare oscillator frequency >= 0 [frequency].
        mass: oscillator mass M.
        n_levels: oscillator levels kept; None lets `evolve` choose and check.
        n_modes: largest total excitation kept (= N is exact); "auto" lets `evolve` choose and check.
        form: "wang-taylor" (Eq. 21) or "lindblad" (jumps sqrt(rate(x)) sigma: completely positive; p^2 then diffuses).
        spectral_density: J(energy) of the reservoir in place of a flat one; gamma(x) = 2 pi J(B + M omega^2 x^2/2N).
        softening: subtracted from omega_0^2 (the sum of omega_j^2/2 of Eq. 27, used by `from_couplings`).

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> spring = EntropicSpring(omega=1.93, splitting=100.0, gamma=10.0, beta=0.01, n_spins=1000)
        >>> f"{spring.entropic_ratio:.3f}"
        '0.855'

    Source: Wang & Taylor, Eqs. 1-7, 21, 23; the (s, w) hierarchy is this library's.
    """

    def __init__(
        self,
        omega: Numbers,
        splitting: Numbers,
        gamma: Numbers | None = None,
        *,
        beta: Numbers,
        n_spins: ArrayLike | Sequence[ArrayLike],
        omega_0: Numbers = 0.0,
        mass: Numbers = 1.0,
        n_levels: int | None = None,
        n_modes: int | str = "auto",
        form: str = "wang-taylor",
        spectral_density: SpectralDensity | None = None,
        softening: Numbers = 0.0,
    ):
        self.omega = finite("omega", omega)
        self.splitting = positive("splitting", splitting)
        require(
            (gamma is None) != (spectral_density is None),
            "gamma",
            "be given, or else `spectral_density`, and not both",
            f"gamma={gamma}, spectral_density={spectral_density}",
        )
        self.gamma = None if gamma is None else positive("gamma", gamma)
        self.beta = positive("beta", beta, remedy="beta = 1/T; use a large finite value for T -> 0.")
        self.omega_0 = positive("omega_0", omega_0, zero=True)
        self.mass = positive("mass", mass)
        self.softening = positive("softening", softening, zero=True)
        self.n_spins = spin_counts(n_spins)
        if spectral_density is not None and not isinstance(spectral_density, eqx.Module | jax.tree_util.Partial):
            require(callable(spectral_density), "spectral_density", "be callable", spectral_density)
            spectral_density = jax.tree_util.Partial(spectral_density)
        self.spectral_density = spectral_density
        self.n_levels = None if n_levels is None else size("n_levels", n_levels, 4)
        require(form in FORMS, "form", f"be one of {FORMS}", repr(form))
        self.form = form
        if n_modes != "auto":
            n_modes = size("n_modes", n_modes, 0)
            known = self.known_spins
            if known is not None:
                n_modes = min(n_modes, sum(known))
        self.n_modes = n_modes
        for name in ("omega", "splitting", "gamma"):
            value = getattr(self, name)
            shapes = ((), (self.n_classes,))
            if value is not None:
                require(
                    value.shape in shapes, name, f"have shape () or ({self.n_classes},), one per class", value.shape
                )
        # A count may itself be traced data; a concrete one still has to make sense.
        stiffness = concrete(self.effective_stiffness)
        if stiffness is not None:
            require(
                bool(np.all(stiffness > 0)),
                "omega_0",
                "leave a positive omega_eff^2 = omega_0^2 - softening + sum omega^2 <sigma>_B",
                f"omega_eff^2 = {stiffness}",
                "Lower the couplings or raise the oscillator frequency.",
            )

    @classmethod
    def from_couplings(
        cls,
        couplings: Numbers,
        energies: Numbers,
        omega_p: Numbers,
        beta: Numbers,
        gamma: Numbers,
        mass: Numbers = 1.0,
        **options: Any,
    ) -> EntropicSpring:
        """Makes the spring of tunnelling TLSs: omega_j^2 = 4 g_j^2/(M e_j), B_j = e_j, omega_0^2 = omega_p^2 - sum
        omega_j^2/2.

        Arguments:
            couplings: g_j (its x part, g_(x,j)), (C,) [energy/length].
            energies: TLS energies e_j > 0, (C,).
            omega_p: phonon frequency.
            beta, gamma, mass, options: as in the constructor.

        Returns:
            A spring of C classes with one TLS each, whose `entropic_ratio` is Eq. 28.

        Example:
            >>> spring = EntropicSpring.from_couplings([0.1, 0.2], [1.0, 2.0], omega_p=1.0, beta=1.0, gamma=1.0)
            >>> f"{spring.entropic_ratio:.4f}"
            '0.1603'

        Source: Wang & Taylor, Eqs. 26-28.
        """
        couplings, energies = finite("couplings", couplings), positive("energies", energies)
        require(
            couplings.ndim == 1 and couplings.shape == energies.shape,
            "couplings",
            "be one-dimensional with one entry for each of `energies`",
            f"shapes {couplings.shape} and {energies.shape}",
        )
        mass, omega_p = positive("mass", mass), positive("omega_p", omega_p, zero=True)
        omega = 2 * jnp.abs(couplings) / jnp.sqrt(mass * energies)
        options = {"n_spins": (1,) * couplings.shape[0], "softening": jnp.sum(omega**2) / 2, **options}
        return cls(omega=omega, splitting=energies, gamma=gamma, beta=beta, omega_0=omega_p, mass=mass, **options)

    def grouped(self) -> EntropicSpring:
        """Gives the same spring with TLSs of like splitting, rate and coupling gathered into one class each (numbers
        must be known).

        Example:
            >>> spring = EntropicSpring.from_couplings([0.1] * 50, [1.0] * 50, omega_p=1.0, beta=1.0, gamma=1.0)
            >>> spring.n_classes, spring.grouped().n_classes
            (50, 1)
        """
        return grouping.grouped(self)[0]

    partition_function = equilibrium.partition_function
    free_energy = equilibrium.free_energy
    entropy = equilibrium.entropy
    spin_entropy_at = equilibrium.spin_entropy_at
    entropic_force = equilibrium.entropic_force

    # --- states ------------------------------------------------------------------------------------------------------

    coherent_state = states.coherent_state
    product_state = states.product_state
    oscillator_state = states.oscillator_state
    wigner = states.wigner
    smallest_eigenvalue = states.smallest_eigenvalue

    # --- observables and diagnostics ---------------------------------------------------------------------------------

    @property
    def observables(self) -> dict[str, Callable]:
        """Gives what `evolve` records by default: x, p, x2, p2, impurity, excitation, and spin_entropy where it can be
        summed."""
        found = oscillator_observables(self)
        found["excitation"] = partial(excitation, self)
        if spin_grid_size(self.spin_counts) <= MAX_SPIN_GRID:
            found["spin_entropy"] = partial(spin_entropy, self)
        return found

    @property
    def optional_observables(self) -> dict[str, Callable]:
        """Gives what is recorded when asked for by name."""
        return {
            "smallest_eigenvalue": self.smallest_eigenvalue,
            "oscillator_state": self.oscillator_state,
            "number": lambda y: number(y[0]),
        }

    def diagnostics(self, y: Array) -> dict[str, Array]:
        """Gives trace_error, truncation (population of the last four levels), hierarchy (relative weight of the last
        kept level)."""
        population = jnp.diagonal(y[0]).real
        return {
            "trace_error": jnp.abs(jnp.sum(population) - 1),
            "hermiticity_error": jnp.max(jnp.abs(y - y.conj().swapaxes(-1, -2))),
            "truncation": jnp.sum(jnp.abs(population[-4:])),
            "hierarchy": sizes_.last_level_weight(self, y),
        }

    @property
    def diagnostic_limits(self) -> dict[str, float]:
        """Says what each diagnostic may be before it is worth a warning."""
        return {"trace_error": 1e-6, "hermiticity_error": 1e-6, "truncation": 1e-6, "hierarchy": 1e-6}

    # --- dynamics ----------------------------------------------------------------------------------------------------

    def misfit(self, y0: Array) -> str | None:
        """Asks for the coefficients of the hierarchy."""
        must = "have shape (coefficients, n, n), as coherent_state and product_state make it"
        return None if is_square(y0, 3) else must

    @property
    def can_split(self) -> bool:
        """Says that it has a splitting, which is the default method."""
        return True

    def splitting_rate(self) -> Array:
        """Gives what macro steps of the splitting are measured against: 2.6 omega_eff + 0.11 Gamma, for gamma from 1 to
        100."""
        return 2.6 * self.effective_frequency + 0.11 * self.relaxation_rate()

    def splitting_step(self, y0: Array) -> SpringSplitting:
        """Gives the Strang step that `evolve` uses by default, with the extrapolation of `dynamics.extrapolation`."""
        n_levels = y0.shape[-1]
        nodes, _ = sector_dvr(n_levels)
        x2 = jnp.asarray(nodes**2) / (self.mass * self.effective_frequency)
        made = SpringSplitting if platform() == "cpu" else WholeSplitting
        return made(
            generators=tuple(self.spin_generators(x2)),
            n_spins=tuple(jnp.asarray(n, self.omega.dtype) for n in self.spin_counts),
            frequency=self.effective_frequency,
            rate=self.splitting_rate(),
            indices=self.indices_of_size(y0.shape[0]),
            n_levels=n_levels,
        )

    def corner(self, y0: Array) -> Array | None:
        """Gives two thirds of the levels, where these are many on a CPU."""
        levels = sizes_.first_levels(y0.shape[-1])
        return None if levels is None or platform() != "cpu" else y0[:, :levels, :levels]

    def generator(self, y0: Array) -> Callable[[Any, Array, Any], Array]:
        """Gives the right-hand side for states of y0's shape, with everything that does not move computed once."""
        return hierarchy_generator(self, y0)

    def vector_field(self, t: ArrayLike, y: Array, args: PyTree = None) -> Array:
        """Gives d y/dt of the hierarchy (physics: Eq. 21), for any diffrax solver; pure."""
        return self.generator(y)(t, y, args)

    def with_counts_as_data(self, y0: Array) -> EntropicSpring:
        """Gives the same spring with N an array, so that other N take the same compiled program; as it is where N is
        structure: where y0 holds every excitation, or there are classes."""
        if self.n_classes > 1 or not isinstance(self.n_spins, Count) or self.n_spins < y0.shape[0]:
            return self
        count = jnp.asarray(float(self.n_spins), self.omega.dtype)
        return eqx.tree_at(lambda s: s.n_spins, self, count, is_leaf=lambda x: isinstance(x, Count))

    def resolve(
        self, y0: Array, ts: Array, attempt: int, diagnostics: Mapping[str, Array] | None
    ) -> tuple[EntropicSpring, Array] | None:
        """Finds sizes for a run: see `sizes.resolve`."""
        return sizes_.resolve(self, y0, ts, attempt, diagnostics)

    def resized(self, y0: Array, sizes: tuple[int, ...]) -> tuple[EntropicSpring, Array]:
        """Gives spring and state with (n_coefficients, n_levels)."""
        return sizes_.resized(self, y0, *sizes)
