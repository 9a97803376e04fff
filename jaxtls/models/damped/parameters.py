"""Says what a damped oscillator is made of, and what its equations need of it: below everything that solves them."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from ..._checks import require
from ...dynamics.model import AbstractModel


class AbstractDampedOscillator(AbstractModel):
    """Holds frequency, damping and force of an oscillator; `DampedOscillator` says what they mean."""

    closes_over: ClassVar[bool] = False

    omega: Array
    damping: Any
    mass: Array
    hbar: Array
    force: Any
    n_levels: int | None = eqx.field(static=True)
    basis: str = eqx.field(static=True)

    # --- parameters --------------------------------------------------------------------------------------------------

    def damping_at(self, t: ArrayLike) -> Array:
        """Gives the damping alpha(t) at a time."""
        return self.damping(t) if callable(self.damping) else self.damping

    def force_at(self, t: ArrayLike) -> Array | None:
        """Gives F(t), or None where there is no force."""
        return None if self.force is None else self.force(t)

    def require_constant(self, what: str, *, force: bool = True, damping: bool = False) -> None:
        """Refuse what the closed form `what` does not cover: a force, or a damping that depends on time."""
        covered = f"for the closed form `{what}`"
        require(force or self.force is None, "force", f"be None {covered}", self.force, "Use jt.evolve.")
        constant = damping or not callable(self.damping)
        require(constant, "damping", f"be a number {covered}", self.damping, "Use jt.evolve.")

    @property
    def zero_point(self) -> Array:
        """Gives sigma = sqrt(hbar/(2 m omega)), the standard deviation of x in the ground state at the start."""
        return jnp.sqrt(self.hbar / (2 * self.mass * self.omega))

    @property
    def damping_ratio(self) -> Array:
        """Gives alpha/omega: critical at 1."""
        self.require_constant("damping_ratio")
        return self.damping / self.omega

    @property
    def period(self) -> Array:
        """Gives pi/sqrt(omega^2 - alpha^2), after which probabilities repeat; inf from critical damping on."""
        self.require_constant("period")
        square = (self.omega - self.damping) * (self.omega + self.damping)
        return jnp.where(square > 0, jnp.pi / jnp.sqrt(jnp.where(square > 0, square, 1.0)), jnp.inf)
