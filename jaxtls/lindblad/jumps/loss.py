"""`Loss` is the rate at which jumps happen, as sums of squares, so that it is 0 where nothing dissipates."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...numerics import lapack
from ...numerics.products import einsum, few, matmul, total
from ..lindbladian import Lindbladian


class Loss(eqx.Module):
    r"""Gives the total rate of jumps in a ket.

        lambda(t, psi) = sum_k r_k(t) |L_k psi|^2 / |psi|^2

    It is never read off the norm of psi: what an integrator's norm drifts by is no jump. Operators with at most one
    element in each row act on |psi_i|^2 alone; constant ones are else folded into one triangular matrix.
    """

    model: Lindbladian
    squares: Array | None  # (K, n), or (n,) where constant: sum_i |L_ij|^2
    rows: Array | None  # (K, n, n), or (m, n) where constant
    constant: bool = eqx.field(static=True)

    @classmethod
    def build(cls, model: Lindbladian) -> Loss:
        jumps = model.jumps
        constant = model.is_constant
        if jumps.count == 0:
            return cls(model, None, None, constant)
        dense, rates = jumps.dense(), model.rates[: jumps.count]
        entries = jumps.entries()
        places = np.stack([entries.owner, entries.row], 1)
        if len(np.unique(places, axis=0)) == len(places):
            squares = jnp.sum(jnp.abs(dense) ** 2, 1)
            # A product of the two would be rounded, and a channel that is closed must give 0 exactly: it does.
            return cls(model, matmul(rates, squares) if constant else squares, None, constant)
        if not constant:
            return cls(model, None, dense, constant)
        rows = (jnp.sqrt(rates)[:, None, None] * dense).reshape(-1, model.n)
        return cls(model, None, lapack.triangle(rows) if jumps.count > 1 else rows, constant)

    @property
    def is_empty(self) -> bool:
        """Returns True where there are no jump operators."""
        return len(self.model.order) == 0

    def __call__(self, times: Array, states: Array) -> Array:
        """Returns the rates (S,) at the times (S,) in the kets (S, n)."""
        found = jnp.zeros(times.shape, times.dtype)
        if self.is_empty:
            return found
        chances = states.real**2 + states.imag**2
        if self.constant and self.squares is not None and not few(self.model.n):
            # One pass over the kets for both sums.
            found, norm = matmul(chances, jnp.stack([self.squares, jnp.ones_like(self.squares)], 1)).T
            return found / jnp.where(norm > 0, norm, 1.0)
        norm = total(chances)
        if self.constant:
            if self.squares is not None:
                found = total(chances * self.squares)
            elif self.rows is not None:
                found = jnp.sum(jnp.abs(matmul(states, self.rows.T)) ** 2, 1)
        else:
            found = jax.vmap(self._moving)(times, states)
        return found / jnp.where(norm > 0, norm, 1.0)

    def _moving(self, t: Array, psi: Array) -> Array:
        weights, operators = self.model.jump_channels(t)
        if self.squares is not None:
            # The operators that are no functions of time are not made: their squares are known.
            each, functions = matmul(self.squares, jnp.abs(psi) ** 2), operators[self.squares.shape[0] :]
        elif self.rows is not None:
            each, functions = _lengths(self.rows, psi), operators[self.rows.shape[0] :]
        else:
            each, functions = jnp.zeros((0,), weights.dtype), operators
        return jnp.sum(weights * jnp.concatenate([each, _lengths(functions, psi)]))


def _lengths(operators: Array, psi: Array) -> Array:
    """Return the squares |L_k psi|^2, (K,)."""
    return jnp.sum(jnp.abs(einsum("kij,j->ki", operators, psi)) ** 2, 1)
