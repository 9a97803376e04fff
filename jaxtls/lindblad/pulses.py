"""Says where the coefficients of an equation move: a solver that controls its steps would jump over a late pulse.

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
# Steps take at most some five times the length of a pulse.
DENSE_SHARE = 0.8
NEGLIGIBLE = 1e-9


def pulse_times(moving: Callable[[ArrayLike], Array], ts: Array, n: int) -> Array:
    """Finds STOPS ascending times where `moving`, t -> (C,) numbers, moves fast; the end of the run stands for none."""
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


def fewest_steps(moving: Callable[[ArrayLike], Array], knots: Array, max_step: float | None) -> Array:
    """Counts steps (N,) below which a solver could step over what `moving` does inside an interval between two knots.

    A share q of the interval, (sum d)^2 / sum d^2/w of the differences d between samples that lie w of it apart, is
    where a coefficient changes: .8 to 1 for what is smooth there, little where a pulse is.
    """
    knots = jax.lax.stop_gradient(knots)
    gaps = jnp.diff(knots)
    samples = max(4, SAMPLES // gaps.shape[0])
    grid = knots[:-1, None] + gaps[:, None] * np.arange(samples + 1) / samples
    # Both ends inside: an edge of the equation is no pulse of the intervals beside it.
    grid = jnp.clip(grid, jnp.nextafter(knots[:-1], knots[1:])[:, None], jnp.nextafter(knots[1:], knots[:-1])[:, None])
    # Behind the barrier, so that differences do not compute each value twice.
    values = jax.lax.optimization_barrier(jax.lax.stop_gradient(jax.vmap(jax.vmap(moving))(grid)))
    wanted = steps_that_see(values.transpose(2, 1, 0), np.full(samples, 1 / samples), gaps)
    if max_step is not None:
        wanted = jnp.maximum(wanted, jnp.ceil(gaps / max_step - 1e-9))
    return eqxi.nondifferentiable(wanted, name="steps")


def steps_that_see(values: Array, widths: np.ndarray, gaps: Array) -> Array:
    """Counts steps (N,) that the (C, S + 1, N) values of coefficients ask for: at S + 1 places of intervals of lengths
    `gaps`, whose shares between two places are `widths` (S,). Not differentiated.
    """
    change = jnp.nan_to_num(jnp.abs(jnp.diff(values, axis=1)), posinf=0.0)
    total, squares = jnp.sum(change, 1), jnp.sum(change**2 / widths[:, None], 1)
    tiny = jnp.finfo(change.dtype).tiny
    share = jnp.where(squares > tiny, total**2 / jnp.maximum(squares, tiny), 1.0)
    # What changes by less than this over its interval cannot matter.
    share = jnp.where(total * gaps > NEGLIGIBLE, share, 1.0)
    return jnp.max(jnp.ceil(DENSE_SHARE / share - 0.25), 0, initial=1.0)
