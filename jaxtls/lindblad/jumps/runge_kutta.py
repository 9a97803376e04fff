"""Makes one step of Dormand & Prince's pair of orders 5 and 4, with what it saw on its way."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
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
# L. F. Shampine, Math. Comput. 46, 135 (1986): weights of the fifth term of the continuous extension.
BEND = (
    -12715105075 / 11282082432, 0.0, 87487479700 / 32700410799, -10690763975 / 1880347072,
    701980252875 / 199316789632, -1453857185 / 822651844, 69997945 / 29380423,
)  # fmt: skip
# Newton's steps towards a jump, each held in the bracket that the ones before it leave.
LOCATING = 8
# Stages that weigh in the result or in its error; the first of them is the end of the step before.
SEEN = tuple(k for k in range(1, 7) if WEIGHTS[k] or ERROR[k])


class Step(eqx.Module):
    """Holds the end of a step, its slope there, the error estimate, and states at the times of SEEN."""

    end: Array  # (n,)
    slopes: tuple[Array, ...]  # of all stages, (n,) each
    error: Array  # (n,)
    times: Array  # (S,)
    states: Array  # (S, n)

    @property
    def slope(self) -> Array:
        """Gives the slope at the end, (n,)."""
        return self.slopes[-1]

    def between(self, start: Array, dt: Array, share: Array) -> Array:
        """Returns the state after a share of the step, (n,), as exact as its error estimate."""
        change, first, last = self.end - start, dt * self.slopes[0], dt * self.slopes[-1]
        bend = dt * sum((d * k for d, k in zip(BEND, self.slopes) if d), jnp.zeros_like(start))
        return start + extension(change, first, last, bend, share)


def step(field: Callable[[Array, Array], Array], t: Array, y: Array, slope: Array, dt: Array) -> Step:
    """Steps from y at t, whose slope is known, to t + dt: six slopes."""
    slopes, states = [slope], [y]
    for node, row in zip(NODES[1:], STAGES):
        moved = sum((a * k for a, k in zip(row, slopes) if a), jnp.zeros_like(y))
        states.append(y + dt * moved)
        slopes.append(field(t + node * dt, states[-1]))
    error = dt * sum((e * k for e, k in zip(ERROR, slopes) if e), jnp.zeros_like(y))
    times = t + jnp.asarray(NODES, t.dtype) * dt
    return Step(
        end=states[-1],
        slopes=tuple(slopes),
        error=error,
        times=times[jnp.asarray(SEEN)],
        states=jnp.stack([states[k] for k in SEEN]),
    )


def integral(first: Array, rates: Array, dt: Array) -> tuple[Array, Array]:
    """Integrates over a step, with its error, a rate that was `first` () at its start, `rates` (S,) at SEEN."""
    weights, errors = (jnp.asarray([row[k] for k in SEEN], rates.dtype) for row in (WEIGHTS, ERROR))
    gain = dt * (WEIGHTS[0] * first + jnp.sum(weights * rates))
    return gain, jnp.abs(dt * (ERROR[0] * first + jnp.sum(errors * rates)))


def extension(change: Array, first: Array, last: Array, bend: Array, share: Array) -> Array:
    """Returns what is gained after a share of a step: Hermite's cubic through both ends, and a term of fourth order."""
    rest = 1 - share
    below, above = first - change, change - last
    return share * (change + rest * (below + share * (above - below + rest * bend)))


class Inside(eqx.Module):
    """Follows the hazard within a step, by the same continuous extension as the state."""

    first: Array
    last: Array
    gain: Array
    bend: Array

    def __init__(self, first: Array, rates: Array, gain: Array, dt: Array):
        weights = jnp.asarray([BEND[k] for k in SEEN], rates.dtype)
        self.first, self.last, self.gain = dt * first, dt * rates[-1], gain
        self.bend = dt * (BEND[0] * first + jnp.sum(weights * rates))

    def reached(self, wanted: Array) -> Array:
        """Returns the share of the step after which the hazard has grown by `wanted`, which is less than its gain."""
        low, high = jnp.zeros_like(self.gain), jnp.ones_like(self.gain)
        # Where the parabola through both ends, with the slope of the first, is: also where the hazard starts flat.
        root = self.first + jnp.sqrt(jnp.maximum(self.first**2 + 4 * (self.gain - self.first) * wanted, 0.0))
        x = jnp.clip(2 * wanted / jnp.where(root > 0, root, 1.0), 0.0, 1.0)
        value = lambda x: extension(self.gain, self.first, self.last, self.bend, x)
        for _ in range(LOCATING):
            here, rise = jax.jvp(value, (x,), (jnp.ones_like(x),))
            low, high = jnp.where(here < wanted, x, low), jnp.where(here < wanted, high, x)
            better = x - (here - wanted) / jnp.where(rise > 0, rise, 1.0)
            # At the root the step is none, and stands on an end of the bracket.
            x = jnp.where((rise > 0) & (better >= low) & (better <= high), better, (low + high) / 2)
        return x
