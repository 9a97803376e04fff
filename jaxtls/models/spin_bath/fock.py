"""Solves Eq. 23 for a density matrix on Fock states, by shifts instead of matrix products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import is_square, require
from ..._types import Numbers
from ...dynamics.model import AbstractModel
from ...numerics import lapack
from ...numerics.hermitian import hermitian_part
from ...quantum import coherent_state, thermal_state, wigner
from .._ladder import from_left, from_right, ladder_means
from .parameters import AbstractSpinBath


class SpinBathFock(AbstractModel):
    r"""Moves density matrices of a `SpinBathOscillator` in the Fock basis of the Omega_0 oscillator.

        d rho/dt = -i[H_S + M S X^2/2, rho] - [X, Z rho - rho Z^dagger],   Z = D X + f P + i gamma P,

    which is Eq. 23 with its three commutators gathered (S the frequency shift).

    Arguments:
        bath: the model whose coefficients are used; made by `SpinBathOscillator.fock`.
        n_levels: Fock states kept, static.

    Example:
        >>> J = OhmicSpectralDensity(gamma_0=0.02, cutoff=5.0)
        >>> fock = SpinBathOscillator(omega_0=1.0, spectral_density=J, temperature=0.5).fock(20)
        >>> sol = jt.evolve(fock, fock.coherent_state(1.0), jnp.linspace(0.0, 1.0, 3))
        >>> [round(float(x), 3) for x in sol.observables["x"]]
        [1.414, 1.275, 0.886]

    Source: Schlosshauer, Hines & Milburn, Eq. 23.
    """

    closes_over: ClassVar[bool] = False

    bath: AbstractSpinBath
    n_levels: int = eqx.field(static=True)

    @property
    def _length(self) -> Array:
        """Give 1/sqrt(2 M Omega_0): X = length (a + a^dagger)."""
        return 1 / jnp.sqrt(2 * self.bath.mass * self.bath.omega_0)

    # --- states ------------------------------------------------------------------------------------------------------

    def coherent_state(self, alpha: Numbers) -> Array:
        """Makes |alpha><alpha| of the Omega_0 oscillator, (n, n) complex."""
        ket = coherent_state(self.n_levels, alpha)
        require(ket.ndim == 1, "alpha", "be a scalar", f"shape {ket.shape[:-1]}", "Use jax.vmap for several.")
        return jnp.outer(ket, ket.conj())

    def thermal_state(self, mean_number: Numbers = 0.0) -> Array:
        """Makes a thermal state of the Omega_0 oscillator with a mean number of quanta, (n, n) complex."""
        return thermal_state(self.n_levels, mean_number)

    def wigner(self, rho: Array, xs: Numbers, ps: Numbers) -> Array:
        """Gives W(x, p), (len(xs), len(ps)), in the oscillator's units X = x/sqrt(M Omega_0), P = p sqrt(M Omega_0)."""
        return wigner(rho, xs, ps)

    # --- observables -------------------------------------------------------------------------------------------------

    def moments(self, rho: Array) -> Array:
        """Gives <X>, <P>, <X^2>, <P^2>, <{X, P}>, (5,), as `SpinBathOscillator.moments_state` orders them."""
        a, a2, n = ladder_means(rho)
        length = self._length
        x, p = 2 * length * a.real, a.imag / length
        even = 2 * n + jnp.trace(rho).real
        return jnp.stack(
            [x, p, length**2 * (even + 2 * a2.real), (even - 2 * a2.real) / (4 * length**2), 2 * a2.imag], -1
        )

    @property
    def observables(self) -> dict[str, Callable]:
        """Gives x, p, x2, p2, xp (= <{X, P}>), n and impurity 1 - Tr rho^2."""
        found: dict[str, Callable] = {
            name: (lambda rho, i=i: self.moments(rho)[i]) for i, name in enumerate(("x", "p", "x2", "p2", "xp"))
        }
        found["n"] = lambda rho: ladder_means(rho)[2]
        found["impurity"] = lambda rho: 1 - jnp.sum(jnp.abs(rho) ** 2)
        return found

    @property
    def optional_observables(self) -> dict[str, Callable]:
        """Gives what is recorded when asked for: smallest_eigenvalue (Eq. 23 is not of Lindblad form)."""
        return {"smallest_eigenvalue": lambda rho: lapack.eigvalsh(hermitian_part(rho))[0]}

    def diagnostics(self, rho: Array) -> dict[str, Array]:
        """Gives trace_error, hermiticity_error, truncation (population of the last four levels)."""
        population = jnp.diagonal(rho).real
        return {
            "trace_error": jnp.abs(jnp.sum(population) - 1),
            "hermiticity_error": jnp.max(jnp.abs(rho - rho.conj().T)),
            "truncation": jnp.sum(jnp.abs(population[-4:])),
            "positivity_error": jnp.maximum(0.0, -lapack.eigvalsh(hermitian_part(rho))[0]),
        }

    @property
    def diagnostic_limits(self) -> dict[str, float]:
        """Says what each diagnostic may be before it is worth a warning."""
        return {"trace_error": 1e-5, "hermiticity_error": 1e-6, "truncation": 1e-6, "positivity_error": 1e-6}

    # --- dynamics ----------------------------------------------------------------------------------------------------

    def misfit(self, y0: Array) -> str | None:
        """Asks for a density matrix."""
        return None if is_square(y0, 2) else "have shape (n, n), as coherent_state and thermal_state make it"

    def generator(self, y0: Array) -> Callable[[Any, Array, Any], Array]:
        """Gives the right-hand side for states of y0's shape."""
        n = y0.shape[-1]
        omega, length = self.bath.omega_0, self._length
        rotation = -1j * omega * np.subtract.outer(np.arange(n), np.arange(n))
        # P = i p_0 (a^dagger - a)
        p_0 = 1 / (2 * length)
        coefficients = self.bath.coefficient_function()

        def field(t: ArrayLike, rho: Array, args: PyTree = None) -> Array:
            c = coefficients(t)
            half = self.bath.mass * c.frequency_shift * length / 2
            # -i[M S X^2/2, rho] = -[X, Y rho] + ..., written into Z: X^2 rho - rho X^2 = [X, X rho + rho X]
            lower = length * c.diffusion + p_0 * (c.damping - 1j * c.anomalous)
            raise_ = length * c.diffusion - p_0 * (c.damping - 1j * c.anomalous)
            inner = from_left(rho, lower + 1j * half, raise_ + 1j * half)
            # Z^dagger = D X + f P - i gamma P
            inner = inner - from_right(rho, jnp.conj(raise_) - 1j * half, jnp.conj(lower) - 1j * half)
            return rotation * rho - length * (from_left(inner, 1.0, 1.0) - from_right(inner, 1.0, 1.0))

        return field

    def vector_field(self, t: ArrayLike, y: Array, args: PyTree = None) -> Array:
        """Gives d rho/dt, Eq. 23; pure."""
        return self.generator(y)(t, y, args)
