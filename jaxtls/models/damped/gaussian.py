"""Moves coherent, thermal and squeezed states of a damped oscillator: five moments that close, driven or not.

With v = dx/dt (the velocity operator p e^(-2 lambda)/m), exactly
    d<x> = <v>,  d<v> = -2 alpha <v> - omega^2 <x> + F/m,
    d Var x = 2 Cov,  d Cov = Var v - 2 alpha Cov - omega^2 Var x,  d Var v = -4 alpha Var v - 2 omega^2 Cov:
the classical equations. [x, m v] = i hbar e^(-2 lambda), lambda = int alpha dt, so the bound of the uncertainty
product shrinks: dx d(m v) >= (hbar/2) e^(-2 lambda). This is a closed description, without the noise of a bath.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import concrete, finite, positive, require
from ..._types import Numbers
from ...dynamics.model import AbstractModel
from .parameters import AbstractDampedOscillator
from .squeezing import damped_flow


class GaussianState(NamedTuple):
    """Holds <x>, <v>, Var x, Cov(x, v) (symmetrised), Var v, and lambda = int alpha dt since the state was made."""

    x: Array
    v: Array
    var_x: Array
    cov_xv: Array
    var_v: Array
    contraction: Array


class GaussianOscillator(AbstractModel):
    """Moves moments of a `DampedOscillator`, by `evolve` or (constant damping, no force) in closed form.

    (x, v)(t) = M(t) (x, v)(0),  V(t) = M V(0) M^T,  M = e^(-alpha t) [C + S [[alpha, 1], [-omega^2, -alpha]]],
    C = cosh(kappa t), S = sinh(kappa t)/kappa, kappa^2 = alpha^2 - omega^2.

    Arguments:
        oscillator: the `DampedOscillator`, driven or not, its damping a number or a function of time.

    Example:
        >>> g = DampedOscillator(omega=1.0, damping=0.1).gaussian
        >>> exact = g.solution(jnp.linspace(0.0, 2.0, 5), g.coherent_state(1.0))
        >>> sol = jt.evolve(g, g.coherent_state(1.0), jnp.linspace(0.0, 2.0, 5))
        >>> bool(jnp.allclose(sol.observables["energy"], exact["energy"], rtol=1e-5))
        True

    Source: Blacker & Tilbrook, Eqs. 1 and 13; the Gaussian solution is this library's.
    """

    closes_over: ClassVar[bool] = False

    oscillator: AbstractDampedOscillator

    # --- states ------------------------------------------------------------------------------------------------------

    def state(self, *, x: Numbers, v: Numbers, var_x: Numbers, var_v: Numbers, cov_xv: Numbers = 0.0) -> GaussianState:
        """Makes any Gaussian state with Var x Var v - Cov^2 >= (hbar/2m)^2 [length, length/time, their squares].

        Raises:
            ValueError: the variances break the uncertainty relation.
        """
        var_x, var_v = positive("var_x", var_x), positive("var_v", var_v)
        x, v, cov_xv = finite("x", x), finite("v", v), finite("cov_xv", cov_xv)
        bound = (self.oscillator.hbar / (2 * self.oscillator.mass)) ** 2
        area = var_x * var_v - cov_xv**2
        _check_area(area, bound)
        return self._made(x, v, var_x, cov_xv, var_v)

    def _made(self, *moments: Any) -> GaussianState:
        parts = (*moments, 0.0)
        dtype = jnp.result_type(self.oscillator.omega.dtype, *moments)
        return GaussianState(*(jnp.asarray(part, dtype) for part in parts))

    def thermal_state(self, mean_number: Numbers, alpha: Numbers = 0.0) -> GaussianState:
        """Makes a thermal state of mean number n_bar of the oscillator at the start, displaced by alpha (complex).

        Arguments:
            mean_number: n_bar >= 0; Var x = (hbar/(m omega)) (n_bar + 1/2).
            alpha: <x> = sqrt(2 hbar/(m omega)) Re alpha, <v> = omega sqrt(2 hbar/(m omega)) Im alpha.

        Returns:
            A state for `evolve` and `solution`.

        Example:
            >>> g = DampedOscillator(omega=1.0, damping=0.1).gaussian
            >>> g.thermal_state(1.0).var_x.item()
            1.5
        """
        occupation = positive("mean_number", mean_number, zero=True) + 0.5
        model, alpha = self.oscillator, jnp.asarray(alpha)
        require(alpha.ndim == 0, "alpha", "be a scalar", f"shape {alpha.shape}", "Use jax.vmap for several.")
        length = model.zero_point
        spread = model.hbar / (model.mass * model.omega) * occupation
        x, v = 2 * length * alpha.real, 2 * model.omega * length * alpha.imag
        return self._made(x, v, spread, 0.0, model.omega**2 * spread)

    def coherent_state(self, alpha: Numbers) -> GaussianState:
        """Makes |alpha> of the oscillator at the start: `thermal_state` at mean number 0."""
        return self.thermal_state(0.0, alpha)

    # --- closed form -------------------------------------------------------------------------------------------------

    def solution(self, ts: Numbers, state: GaussianState) -> dict[str, Array]:
        """Gives the observables at times ts after the state, in closed form.

        Arguments:
            ts: times since the state was made, any shape (...).
            state: from `coherent_state`, `thermal_state` or `state`.

        Returns:
            The names of `observables`, each (...).

        Raises:
            ValueError: the damping is a function of time, or there is a force: use `jt.evolve(oscillator.gaussian,
                ...)`.

        Example:
            >>> g = DampedOscillator(omega=1.0, damping=3.0).gaussian
            >>> hot = g.solution(jnp.array([0.0, 5.0]), g.thermal_state(2.0))
            >>> bool(jnp.all(hot["uncertainty"] >= hot["uncertainty_bound"]))
            True
        """
        model = self.oscillator
        model.require_constant("solution", force=False)
        ts = finite("ts", ts)
        xx, xv, vx, vv = propagator(model.omega, model.damping, ts)
        a, c, b = state.var_x, state.cov_xv, state.var_v
        moved = GaussianState(
            xx * state.x + xv * state.v,
            vx * state.x + vv * state.v,
            xx**2 * a + 2 * xx * xv * c + xv**2 * b,
            xx * vx * a + (xx * vv + xv * vx) * c + xv * vv * b,
            vx**2 * a + 2 * vx * vv * c + vv**2 * b,
            state.contraction + model.damping * ts,
        )
        return {name: f(moved) for name, f in self.observables.items()}

    # --- dynamics ----------------------------------------------------------------------------------------------------

    def misfit(self, y0: PyTree) -> str | None:
        """Asks for means, covariances and the contraction."""
        return None if isinstance(y0, GaussianState) else "be a state that coherent_state, thermal_state or state makes"

    def vector_field(self, t: ArrayLike, y: GaussianState, args: PyTree = None) -> GaussianState:
        """Gives d y/dt: the classical equations for means and covariances."""
        model = self.oscillator
        alpha, force, stiffness = model.damping_at(t), model.force_at(t), model.omega**2
        acceleration = -2 * alpha * y.v - stiffness * y.x
        if force is not None:
            acceleration = acceleration + force / model.mass
        return GaussianState(
            y.v,
            acceleration,
            2 * y.cov_xv,
            y.var_v - 2 * alpha * y.cov_xv - stiffness * y.var_x,
            -4 * alpha * y.var_v - 2 * stiffness * y.cov_xv,
            jnp.asarray(alpha, y.contraction.dtype),
        )

    @property
    def observables(self) -> dict[str, Callable[[GaussianState], Array]]:
        """Gives x, v, var_x, cov_xv, var_v, energy (mechanical), n (instantaneous), uncertainty (dx d(mv)), bound."""
        model = self.oscillator

        def energy(y: GaussianState) -> Array:
            return model.mass / 2 * (y.v**2 + y.var_v + model.omega**2 * (y.x**2 + y.var_x))

        moments: dict[str, Callable[[GaussianState], Array]] = {
            "x": lambda y: y.x,
            "v": lambda y: y.v,
            "var_x": lambda y: y.var_x,
            "cov_xv": lambda y: y.cov_xv,
            "var_v": lambda y: y.var_v,
        }
        return moments | {
            "energy": energy,
            "n": lambda y: jnp.exp(2 * y.contraction) * energy(y) / (model.hbar * model.omega) - 0.5,
            "uncertainty": lambda y: model.mass * jnp.sqrt(y.var_x) * jnp.sqrt(y.var_v),
            "uncertainty_bound": lambda y: model.hbar / 2 * jnp.exp(-2 * y.contraction),
        }


@jax.jit
def propagator(omega: Array, damping: Array, t: Array) -> tuple[Array, Array, Array, Array]:
    """Gives the elements xx, xv, vx, vv of the classical motion, without overflow at any damping."""
    even, odd, _ = damped_flow(omega, damping, t)
    fade = jnp.exp(growth_less_decay(omega, damping, t))
    return fade * (even + damping * odd), fade * odd, -fade * omega**2 * odd, fade * (even - damping * odd)


def growth_less_decay(omega: Array, damping: Array, t: Array) -> Array:
    """Gives growth - alpha t for `damped_flow`'s growth: |kappa t| - alpha t = -omega^2 t/(alpha + kappa) at t > 0."""
    growth = damped_flow(omega, damping, t).growth
    grown = growth > 0
    kappa = growth / jnp.where(grown, jnp.abs(t), 1.0)
    slow = -(omega**2) * t / (damping + kappa)
    return jnp.where(grown & (t > 0), slow, growth - damping * t)


def _check_area(area: Array, bound: Array) -> None:
    known, least = concrete(area), concrete(bound)
    if known is not None and least is not None:
        require(
            bool(known >= least * (1 - 1e-6)),
            "var_x",
            "leave var_x var_v - cov_xv^2 >= (hbar/2m)^2",
            f"{known} < {least}",
            "No quantum state is that narrow.",
        )
