"""Says where coefficients start to move after an idle span: a step must not pass there unseen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .. import foreign
from ..lindbladian import Lindbladian

# Cells that the run is divided into. A pulse narrower than one of them has to be named by `discontinuities`.
CELLS = 4096
# Changes across a cell below this share of the coefficient's range are none.
IDLE = 1e-6
SIDE_BY_SIDE = 64


class Onsets(eqx.Module):
    """Holds cells of the run before which all coefficients rest and in which one moves.

    A grid rather than a bound by intervals: any function that JAX traces can be sampled.
    """

    start: Array
    width: Array
    after: Array  # (CELLS,) number of the next onset's cell, seen from one cell behind it; CELLS where none comes

    @classmethod
    def find(cls, model: Lindbladian, start: Array, end: Array) -> Onsets | None:
        """Finds the onsets; None where nothing depends on time."""
        functions: Sequence[Callable] = (
            *model.envelopes,
            *model.jump_envelopes,
            *model.functions,
            *model.jump_functions,
        )
        if not functions:
            return None
        width = (end - start) / CELLS
        grid = start + width * jnp.arange(CELLS + 1)
        seen = jax.lax.map(lambda t: jnp.stack([_shadow(f(t)) for f in functions]), grid, batch_size=SIDE_BY_SIDE)
        seen = seen.reshape(CELLS + 1, -1)
        span = jnp.max(seen, 0) - jnp.min(seen, 0)
        moves = jnp.abs(jnp.diff(seen, axis=0)) > IDLE * span
        # Each by itself: a drive that never rests must not hide a pulse.
        onset = jnp.any(moves[1:] & ~moves[:-1], 1)
        onset = jnp.concatenate([jnp.zeros(1, bool), onset])
        cells = jnp.arange(CELLS)
        coming = jax.lax.cummin(jnp.where(onset, cells, CELLS), reverse=True)
        # Cells just behind an onset still belong to it.
        return cls(start, width, jnp.concatenate([coming[:1], coming[:-1]]))

    def cap(self, t: Array) -> Array:
        """Returns the longest step from t: up to the next onset, and a cell while beside one."""
        cell = jnp.clip(((t - self.start) / self.width).astype(int), 0, CELLS - 1)
        ahead = self.start + (self.after[cell] - 1) * self.width - t
        return jnp.where(self.after[cell] >= CELLS, jnp.inf, jnp.maximum(ahead, self.width))


def _shadow(value: Array) -> Array:
    """Give real numbers that move where the value does, (2,): a matrix is summed under weights that repeat nowhere."""
    value = jnp.asarray(foreign.as_array("function", value))
    weights = np.exp(1j * np.arange(value.size) ** 1.5).reshape(value.shape)
    total = jnp.sum(weights * value)
    return jnp.stack([total.real, total.imag])
