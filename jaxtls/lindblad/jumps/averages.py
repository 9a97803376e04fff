"""Runs many trajectories: batches side by side, sums that are merged, and records of jumps."""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..._platform import platform
from ...numerics.products import tensordot
from ...numerics.written import read, written
from .initial import Start
from .lane import Lane, Motion, Problem


class Batch(NamedTuple):
    """Holds what a batch of B trajectories leaves behind."""

    values: Array  # (B, K, T)
    jumps: Array  # (B,)
    steps: Array  # (B,)
    hazard: Array  # (B,) since the last jump
    finished: Array  # (B,)
    broken: Array  # (B,)
    jump_times: Array  # (B, J)
    jump_channels: Array  # (B, J)


# Turns between two looks of a GPU's host.
TOGETHER = 8
# Trajectories, their values, times and channels of their jumps.
State = tuple[Lane, Array, Array, Array]


class Averages(NamedTuple):
    """Holds averages over all trajectories, and what is known of each."""

    mean: Array  # (K, T)
    sem: Array  # (K, T)
    jumps: Array  # (n,)
    steps: Array  # (n,)
    success: Array
    broken: Array  # earliest time at which something was not finite; inf where nothing was
    jump_times: Array  # (n, J)
    jump_channels: Array  # (n, J)
    no_jump: Array  # probability that was not sampled but computed


@eqx.filter_jit
def averages(
    problem: Problem, start: Start, key: Array, count: int, batch: int, width: int, improved: bool
) -> Averages:
    """Runs `count` trajectories in batches of `batch`; the first `width` jumps of each are recorded."""
    motion = Motion.build(problem)
    weights, hazards, rest = start.weights, None, None
    if improved:
        # Each initial ket once without a jump, by a hazard that is never reached.
        never = jnp.full(weights.shape, jnp.inf, problem.ts.dtype)
        seeds = jax.vmap(lambda k: jax.random.fold_in(key, k))(jnp.arange(weights.shape[0]))
        rest = _together(motion, seeds, start.kets, never, weights > 0, 0)
        hazards = rest.hazard
        weights = weights * -jnp.expm1(-hazards)
    share = jnp.sum(weights)

    def one_batch(total: tuple[Array, Array, Array], first: Array) -> tuple[tuple[Array, Array, Array], Batch]:
        index = first + jnp.arange(batch)
        valid = index < count
        seeds = jax.vmap(lambda i: jax.random.fold_in(key, i))(index)
        drawn = jax.vmap(lambda s: motion.draw(s, 0)[0])(seeds)
        which = start.pick(seeds, weights)
        threshold = -jnp.log(drawn) if hazards is None else -jnp.log1p(jnp.expm1(-hazards[which]) * drawn)
        made = _together(motion, seeds, start.kets[which], threshold, valid, width)
        return _merged(total, made.values, valid), made._replace(values=jnp.zeros((batch, 0)))

    shape = (problem.measured.count, problem.ts.shape[0])
    empty = jnp.zeros(shape, start.kets.dtype)
    begin = (jnp.zeros((), problem.ts.dtype), empty, empty.real)
    starts = jnp.arange(0, count, batch)
    (_, mean, spread), each = jax.lax.scan(one_batch, begin, starts)
    flat = Batch(*(x.reshape(x.shape[0] * batch, *x.shape[2:])[:count] for x in each))
    sem = jnp.sqrt(spread / max(count - 1, 1) / count) if count > 1 else jnp.full(shape, jnp.inf, spread.dtype)
    success = jnp.all(flat.finished) & jnp.all(flat.jumps <= width if width else True)
    broken = jnp.min(flat.broken)
    if rest is not None:
        mean = share * mean + tensordot(start.weights - weights, rest.values, 1)
        sem = jnp.where(share > 0, share * sem, 0)
        success, broken = (
            success & jnp.all(rest.finished | (start.weights == 0)),
            jnp.minimum(broken, jnp.min(rest.broken)),
        )
    skipped = jnp.sum(start.weights - weights)
    return Averages(mean, sem, flat.jumps, flat.steps, success, broken, flat.jump_times, flat.jump_channels, skipped)


def _together(motion: Motion, seeds: Array, kets: Array, threshold: Array, valid: Array, width: int) -> Batch:
    """Move trajectories side by side until the last has arrived; those that have stand still."""
    problem, count = motion.problem, kets.shape[0]
    lanes = jax.vmap(motion.start)(kets, threshold)
    # What is not wanted has arrived.
    lanes = eqx.tree_at(lambda x: x.stop, lanes, jnp.where(valid, lanes.stop, motion.stops.shape[0]))
    values = jnp.zeros((count, problem.measured.count, problem.ts.shape[0]), kets.dtype)
    if problem.starts_at_output:
        values = values.at[:, :, 0].set(jax.vmap(lambda psi: problem.measured(problem.start, psi))(kets))
    times = jnp.full((count, width), jnp.inf, problem.ts.dtype)
    channels = jnp.full((count, width), -1)
    here = jnp.arange(count)
    # Each trajectory writes in its own row: a GPU would else write one after the other.
    own: Any = {"mode": "drop", "unique_indices": True, "indices_are_sorted": True}

    def body(state: State) -> State:
        lanes, values, times, channels = state
        after, event = jax.vmap(motion.turn)(seeds, lanes)
        if problem.measured.count:
            values = values.at[here, :, event.column].set(written(event.values), **own)
        if width:
            place = jnp.where(event.jumped, lanes.jumps, width)
            times = times.at[here, place].set(event.time, **own)
            channels = channels.at[here, place].set(event.channel, **own)
        return after, values, times, channels

    wanted = lambda state: jnp.any(jax.vmap(motion.active)(state[0]))
    if motion.stops.shape[0]:
        # A turn moves nothing that has arrived, so that several may stand between two looks of a GPU's host.
        several = lambda state: jax.lax.fori_loop(0, TOGETHER, lambda _, state: body(state), state)
        turns = body if platform() == "cpu" else several
        state = lanes, written(values), times, channels
        lanes, found, times, channels = jax.lax.while_loop(wanted, turns, state)
        values = read(found, values)
    finished = (lanes.stop >= motion.stops.shape[0]) & jnp.isinf(lanes.broken)
    return Batch(values, lanes.jumps, lanes.steps, lanes.hazard, finished, lanes.broken, times, channels)


def _merged(total: tuple[Array, Array, Array], values: Array, valid: Array) -> tuple[Array, Array, Array]:
    """Merge count, mean and summed squares with those of a batch more.

    Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Am. Stat. 37, 242 (1983).
    """
    count, mean, spread = total
    here = jnp.sum(valid).astype(count.dtype)
    kept = valid[:, None, None]
    own = jnp.sum(jnp.where(kept, values, 0), 0) / here
    scatter = jnp.sum(jnp.where(kept, jnp.abs(values - own) ** 2, 0), 0)
    apart, both = own - mean, count + here
    return both, mean + apart * here / both, spread + scatter + jnp.abs(apart) ** 2 * count * here / both
