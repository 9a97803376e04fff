"""Says what a spring is made of, and what its equations need to know of it: below everything that solves them."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import require
from ...dynamics.model import AbstractModel
from .._counts import Count
from . import frequencies
from .hierarchy import IndexSet, SpinGenerator, caps, index_set, index_set_of_size, spin_generator


class AbstractSpring(AbstractModel):
    """Holds frequencies, classes and couplings of an oscillator and its TLSs; `EntropicSpring` says what they mean."""

    closes_over: ClassVar[bool] = False

    omega: Array
    splitting: Array
    gamma: Array | None
    beta: Array
    n_spins: Any
    omega_0: Array
    mass: Array
    softening: Array
    spectral_density: Any
    n_levels: int | None = eqx.field(static=True)
    n_modes: int | str = eqx.field(static=True)
    form: str = eqx.field(static=True)

    # --- classes -----------------------------------------------------------------------------------------------------

    @property
    def n_classes(self) -> int:
        """Gives C, the number of classes of like TLSs."""
        return len(self.n_spins) if isinstance(self.n_spins, tuple) else 1

    @property
    def spin_counts(self) -> tuple:
        """Gives N_c as a tuple, ints where they are known."""
        return self.n_spins if isinstance(self.n_spins, tuple) else (self.n_spins,)

    @property
    def known_spins(self) -> tuple[int, ...] | None:
        """Gives N_c where all of them are known, else None."""
        counts = self.spin_counts
        return tuple(int(n) for n in counts) if all(isinstance(n, Count) for n in counts) else None

    def _per_class(self, value: Array) -> Array:
        return jnp.broadcast_to(value, (self.n_classes,))

    @property
    def class_omegas(self) -> Array:
        """Gives the frequency omega_c of each class, (C,)."""
        return self._per_class(self.omega)

    @property
    def class_splittings(self) -> Array:
        """Gives the splitting B_c of each class, (C,)."""
        return self._per_class(self.splitting)

    @property
    def class_polarizations(self) -> Array:
        """Gives p_c = 1/(1 + e^(beta B_c)), (C,)."""
        return jax.nn.sigmoid(-self.beta * self.class_splittings)

    # --- equilibrium, Eqs. 3-7 ---------------------------------------------------------------------------------------

    @property
    def polarization(self) -> Array:
        """Gives <sigma>_B = 1/(1 + e^(beta B)), the thermal population of the upper level; one per class where there
        are classes."""
        return jax.nn.sigmoid(-self.beta * self.splitting)

    @property
    def effective_stiffness(self) -> Array:
        """Gives the effective stiffness omega_eff^2."""
        springs = (self.omega, self.splitting, self.beta)
        return frequencies.effective_stiffness(self.omega_0, self.softening, *springs, self.n_classes)

    @property
    def effective_frequency(self) -> Array:
        """Gives omega_eff = sqrt(omega_0^2 + sum_c omega_c^2 <sigma>_c), below Eq. 3."""
        return jnp.sqrt(self.effective_stiffness)

    @property
    def entropic_frequency(self) -> Array:
        """Gives omega_S, the frequency of the entropic part of Hooke's law, Eq. 6."""
        return jnp.sqrt(self.entropic_stiffness)

    @property
    def entropic_stiffness(self) -> Array:
        """Gives the entropic stiffness omega_S^2."""
        return frequencies.entropic_stiffness(self.omega, self.splitting, self.beta, self.n_classes)

    @property
    def entropic_ratio(self) -> Array:
        """Gives R_S = omega_S / omega_eff, Eq. 7 (Eq. 28 for `from_couplings`)."""
        return jnp.sqrt(self.entropic_stiffness / self.effective_stiffness)

    # --- the hierarchy's indices and rates ----------------------------------------------------------------------------

    def exponents(self, count: int) -> np.ndarray:
        """Gives the exponents (m_1 .. m_C) of the first `count` coefficients, (count, C)."""
        return self.indices_of_size(count).exponents

    def first_order(self, count: int) -> list[int | None]:
        """Gives for each class the position of the coefficient with m_c = 1 alone, None where the hierarchy stops
        before it."""
        rows = [tuple(row) for row in self.exponents(count)]
        units = [tuple(int(i == c) for i in range(self.n_classes)) for c in range(self.n_classes)]
        return [rows.index(unit) if unit in rows else None for unit in units]

    def caps(self, n_modes: int) -> tuple[int, ...]:
        """Gives the largest exponent of each class: N_c where it is known."""
        return caps(n_modes, self.known_counts)

    @property
    def known_counts(self) -> tuple[int | None, ...]:
        """Gives N_c of each class, None where it is data."""
        return tuple(int(n) if isinstance(n, Count) else None for n in self.spin_counts)

    def indices(self, n_modes: int) -> IndexSet:
        """Gives the exponents of total n_modes or less."""
        return index_set(n_modes, self.caps(n_modes))

    def indices_of_size(self, count: int) -> IndexSet:
        """Gives the set of `count` exponents; a ValueError where no n_modes gives one."""
        found = index_set_of_size(count, self.known_counts)
        require(
            found is not None,
            "y0",
            f"have a number of hierarchy coefficients that some n_modes gives for {self.n_classes} classes",
            count,
            "Build it with the model's own coherent_state or product_state.",
        )
        assert found is not None
        return found

    def spin_rates(self, x2: Array) -> Array:
        """Gives gamma_c(x) on points with squares x2, (C, len(x2))."""
        deltas = self.energy_shifts
        if self.spectral_density is None:
            return jnp.broadcast_to(self._per_class(self.gamma)[:, None], (self.n_classes, x2.shape[0]))  # type: ignore[arg-type]
        return 2 * jnp.pi * self.spectral_density(self.class_splittings[:, None] + deltas[:, None] * x2)

    @property
    def energy_shifts(self) -> Array:
        """Gives delta_c = M omega_c^2/(2 N_c), the energy of a TLS per x^2, (C,)."""
        counts = jnp.stack([jnp.asarray(n, self.omega.dtype) for n in self.spin_counts])
        return self.mass * self.class_omegas**2 / (2 * counts)

    def spin_generators(self, x2: Array) -> list[SpinGenerator]:
        """Gives the 2x2 generator of each class on nodes with squares x2."""
        rates = self.spin_rates(x2)
        p = self.class_polarizations
        q = jax.nn.sigmoid(self.beta * self.class_splittings)
        build = partial(spin_generator, x2, lindblad=self.form == "lindblad")
        return [
            build(delta, p[c], q[c], self.class_splittings[c], self.beta, rates[c])
            for c, delta in enumerate(self.energy_shifts)
        ]

    def relaxation_rate(self) -> Array:
        """Gives Gamma = gamma coth(beta B/2) of the fastest class at x = 0."""
        return frequencies.fastest_relaxation(self.spin_rates(jnp.zeros(1)), self.splitting, self.beta)


Spring = TypeVar("Spring", bound=AbstractSpring)
