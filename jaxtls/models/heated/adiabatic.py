"""Eq. 40 is what is left of the oscillator when the TLS follows at once: momentum diffusion and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import is_square
from ..._types import Numbers
from ...dynamics.model import AbstractModel
from ...quantum import coherent_state, thermal_state, to_density_matrix
from .._ladder import from_left, from_right, ladder_means


class AdiabaticOscillator(AbstractModel):
    r"""Models a `TLSHeatedOscillator`'s oscillator, TLS eliminated: it heats without end, <n> = n_0 + 2 Gamma t.

        d rho/dt = -i W [a^dagger a, rho] - Gamma [x, [x, rho]],   x = a + a^dagger,
        Gamma = 2 g^2/(gamma (2 n_bar + 1))

    Arguments:
        omega_0: W [frequency].
        diffusion: Gamma [frequency].
        n_levels: Fock states kept, static.

    Example:
        >>> h = TLSHeatedOscillator(omega_0=1.0, splitting=2.0, coupling=1.0, gamma=100.0, n_bar=0.0, n_levels=30)
        >>> slow = h.adiabatic()
        >>> sol = jt.evolve(slow, slow.thermal_state(), jnp.linspace(0.0, 4.0, 5))
        >>> round(float(sol.observables["n"][-1]), 4), round(float(slow.occupation(4.0)), 4)
        (0.16, 0.16)

    Source: Schlosshauer, Hines & Milburn, Eqs. 40 and 41.
    """

    closes_over: ClassVar[bool] = False
    is_constant_map: ClassVar[bool] = True

    omega_0: Array
    diffusion: Array
    n_levels: int = eqx.field(static=True)

    def thermal_state(self, n: Numbers = 0.0) -> Array:
        """Makes a thermal state with a mean of n quanta, (n_levels, n_levels) complex."""
        return thermal_state(self.n_levels, n)

    def coherent_state(self, alpha: Numbers) -> Array:
        """Makes |alpha><alpha|, (n_levels, n_levels) complex."""
        return to_density_matrix(coherent_state(self.n_levels, alpha))

    def occupation(self, t: ArrayLike, n: Numbers = 0.0) -> Array:
        """Gives <n> after a time t from a mean of n: n + 2 Gamma t."""
        return jnp.asarray(n) + 2 * self.diffusion * t

    @property
    def observables(self) -> dict[str, Callable]:
        """Gives n, x, p, x2 and p2, with x = a + a^dagger and p = -i(a - a^dagger) as in Eqs. 30 and 31."""
        return {name: (lambda rho, i=i: quadratures(*ladder_means(rho))[i]) for i, name in enumerate(QUADRATURES)}

    def diagnostics(self, rho: Array) -> dict[str, Array]:
        """Gives trace_error, hermiticity_error and truncation (population of the last four levels)."""
        population = jnp.diagonal(rho).real
        return {
            "trace_error": jnp.abs(jnp.sum(population) - 1),
            "hermiticity_error": jnp.max(jnp.abs(rho - rho.conj().T)),
            "truncation": jnp.sum(jnp.abs(population[-4:])),
        }

    @property
    def diagnostic_limits(self) -> dict[str, float]:
        """Says what each diagnostic may be before it is worth a warning."""
        return {"trace_error": 1e-6, "hermiticity_error": 1e-6, "truncation": 1e-5}

    def misfit(self, y0: Array) -> str | None:
        """Asks for a density matrix."""
        return None if is_square(y0, 2) else "have shape (n, n), as coherent_state and thermal_state make it"

    def vector_field(self, t: ArrayLike, y: Array, args: PyTree = None) -> Array:
        """Gives d rho/dt of Eq. 40; pure."""
        level = jnp.asarray(np.arange(y.shape[-1]), self.omega_0.dtype)
        inner = from_left(y, 1.0, 1.0) - from_right(y, 1.0, 1.0)
        double = from_left(inner, 1.0, 1.0) - from_right(inner, 1.0, 1.0)
        return -1j * self.omega_0 * (level[:, None] - level[None, :]) * y - self.diffusion * double


QUADRATURES = ("n", "x", "p", "x2", "p2")


def quadratures(a: Array, a2: Array, n: Array) -> tuple[Array, ...]:
    """Gives <n>, <x>, <p>, <x^2>, <p^2> of Eqs. 30 and 31 from <a>, <a^2> and <n>."""
    return n, 2 * a.real, 2 * a.imag, 2 * n + 1 + 2 * a2.real, 2 * n + 1 - 2 * a2.real
