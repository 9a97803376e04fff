"""Holds two-level systems with fluctuators of their own: what a bath is made of."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from ..._checks import require
from . import checks


class AbstractDefects(eqx.Module):
    """Holds J two-level systems and the fluctuators that move them; arguments as of `TLSBath`."""

    frequencies: Array
    couplings: Array
    relaxation: Array
    dephasing: Array
    shifts: Array | None
    rates_up: Array | None
    rates_down: Array | None

    @property
    def _widths(self) -> Array:
        return jnp.broadcast_to(self.relaxation / 2 + self.dephasing, self.frequencies.shape)

    @property
    def _fluctuators(self) -> tuple[Array, Array, Array]:
        if self.shifts is None or self.rates_up is None or self.rates_down is None:
            raise ValueError("Argument `shifts` must be given together with rates_up and rates_down, but got None.")
        return self.shifts, self.rates_up, self.rates_down

    def _require_few(self, why: str) -> None:
        count = 0 if self.shifts is None else self.shifts.shape[1]
        most = checks.MOST_FLUCTUATORS
        require(count <= most, "shifts", f"hold at most {most} fluctuators for each TLS here", count, why)
