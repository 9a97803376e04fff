"""Where the coefficients of an equation move: a solver that controls its steps would jump over a late pulse.

Each coefficient is sampled over the span of the run. Times at equal shares of its variation lie densely where a pulse
is; those that lie much denser than an even spacing would are times at which steps must end.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

# Samples of one coefficient, numbers evaluated in all for functions that give matrices, and forced times.
SAMPLES = 8192
MOST_ELEMENTS = 2**24
STOPS = 48
# A share of the variation is part of a pulse where it takes less than this share of the time that it would evenly.
DENSE = 0.25


def pulse_times(moving: Callable[[ArrayLike], Array], ts: Array, n: int) -> Array:
    """STOPS ascending times where `moving`, t -> (C,) numbers, changes quickly; the end of the run stands for none."""
    ts = jax.lax.stop_gradient(ts)
    samples = int(np.clip(MOST_ELEMENTS // n**2, 256, SAMPLES))
    grid = jnp.sort(jnp.concatenate([jnp.linspace(ts[0], ts[-1], samples), ts]))
    values = jax.lax.stop_gradient(jax.lax.map(moving, grid, batch_size=256))
    # Half a drive's length along each coefficient; what is not finite is found by the run itself.
    steps = jnp.nan_to_num(jnp.abs(jnp.diff(values, axis=0)), posinf=0.0)
    share = steps / jnp.maximum(jnp.sum(steps, 0), jnp.finfo(steps.dtype).tiny)
    length = jnp.concatenate([jnp.zeros(1), jnp.cumsum(jnp.sum(share, 1))])
    length = length / jnp.maximum(length[-1], jnp.finfo(length.dtype).tiny)
    marks = jnp.interp(jnp.linspace(0.0, 1.0, STOPS + 2)[1:-1], length, grid)
    gap = jnp.diff(jnp.concatenate([ts[:1], marks, ts[-1:]]))
    even = (ts[-1] - ts[0]) / (STOPS + 1)
    dense = jnp.minimum(gap[:-1], gap[1:]) < DENSE * even
    # A jump between two samples is no pulse: of the marks that fall into one interval one is kept.
    interval = jnp.searchsorted(grid, marks)
    resolved = jnp.concatenate([jnp.array([True]), jnp.diff(interval) > 0])
    moves = jnp.any(steps > 0)
    kept = dense & resolved & moves
    return eqxi.nondifferentiable(jnp.sort(jnp.where(kept, marks, ts[-1])), name="stops")
