"""One step of Dormand & Prince's pair of orders 5 and 4, with what it saw on its way."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

# Dormand & Prince, J. Comput. Appl. Math. 6, 19 (1980): nodes, stages, and weights of the error estimate.
NODES = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
WEIGHTS = (*STAGES[-1], 0.0)
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
# Stages that weigh in the result or in its error; the first of them is the end of the step before.
SEEN = tuple(k for k in range(1, 7) if WEIGHTS[k] or ERROR[k])


class Step(eqx.Module):
    """The end of a step, its slope there, the error estimate, and states at the times of SEEN."""

    end: Array  # (n,)
    slope: Array  # (n,)
    error: Array  # (n,)
    times: Array  # (S,)
    states: Array  # (S, n)


def step(field: Callable[[Array, Array], Array], t: Array, y: Array, slope: Array, dt: Array) -> Step:
    """From y at t, whose slope is known, to t + dt: six slopes."""
    slopes, states = [slope], [y]
    for node, row in zip(NODES[1:], STAGES):
        moved = sum((a * k for a, k in zip(row, slopes) if a), jnp.zeros_like(y))
        states.append(y + dt * moved)
        slopes.append(field(t + node * dt, states[-1]))
    error = dt * sum((e * k for e, k in zip(ERROR, slopes) if e), jnp.zeros_like(y))
    times = t + jnp.asarray(NODES, t.dtype) * dt
    return Step(
        end=states[-1],
        slope=slopes[-1],
        error=error,
        times=times[jnp.asarray(SEEN)],
        states=jnp.stack([states[k] for k in SEEN]),
    )


def integral(first: Array, rates: Array, dt: Array) -> tuple[Array, Array]:
    """The integral over a step, and its error, of a rate that was `first` () at its start, `rates` (S,) at SEEN."""
    weights, errors = (jnp.asarray([row[k] for k in SEEN], rates.dtype) for row in (WEIGHTS, ERROR))
    gain = dt * (WEIGHTS[0] * first + jnp.sum(weights * rates))
    return gain, jnp.abs(dt * (ERROR[0] * first + jnp.sum(errors * rates)))


def crossing(gain: Array, first: Array, last: Array, dt: Array, wanted: Array) -> Array:
    """The time in (0, dt) at which the cubic through both ends, with the rates there, reaches `wanted`."""
    m, k = first * dt, last * dt
    quadratic, cubic = 3 * gain - 2 * m - k, m + k - 2 * gain
    safe = jnp.where(gain > 0, gain, 1.0)
    x = jnp.clip(wanted / safe, 0.0, 2.0)
    for _ in range(4):
        value = x * (m + x * (quadratic + x * cubic))
        rise = m + x * (2 * quadratic + 3 * x * cubic)
        x = x - (value - wanted) / jnp.where(rise > 0, rise, safe)
    return x * dt
