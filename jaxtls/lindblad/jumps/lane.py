"""Moves one trajectory on its way: a step under error control, which ends at the jump where there is one in it.

Between jumps d psi/dt = A psi, normalised after each step, and the hazard, the integral of the rate of jumps since the
last one, grows beside it under the same error control. A jump comes when the hazard reaches -log of a uniform random
number. Where a step crosses that, both are known inside of it as well as at its end, by the pair's continuous
extension: the time of the jump solves a polynomial, and costs no step. A batch never waits for a branch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from ..._platform import platform
from ...numerics.products import applied, few, length, total
from ..lindbladian import Lindbladian
from ..measured import Measured
from .loss import Loss
from .onsets import Onsets
from .runge_kutta import Inside, Step, integral, step
from .stops import stops


class Problem(eqx.Module):
    """Holds what all trajectories share."""

    model: Lindbladian
    measured: Measured
    ts: Array  # (T,)
    start: Array
    edges: Array | None
    rtol: Array
    atol: Array
    max_step: Array
    limit: int = eqx.field(static=True)
    # Whether the first output is the start.
    starts_at_output: bool = eqx.field(static=True)


class Lane(eqx.Module):
    """Holds one trajectory on its way."""

    t: Array
    psi: Array
    slope: Array
    rate: Array  # of jumps, now
    h: Array
    hazard: Array
    threshold: Array
    # Index of the next stop; jumps so far; steps so far.
    stop: Array
    jumps: Array
    steps: Array
    # Where even the shortest step was not finite; inf else.
    broken: Array


# A step, where it started, its length, and the part of it before a jump.
Before = tuple[Step, Array, Array, Array]


class Event(NamedTuple):
    """Holds what a turn has to write down: places past the end mean nothing."""

    column: Array
    values: Array  # (K,)
    jumped: Array
    time: Array
    channel: Array


class Motion(eqx.Module):
    """Holds everything that is made once for a run."""

    problem: Problem
    loss: Loss
    field: Callable[[Array, Array], Array]
    stops: Array  # times at which steps end
    output: Array  # column among the outputs of each stop, or one past them
    is_edge: Array  # of each stop
    onsets: Onsets | None

    @classmethod
    def build(cls, problem: Problem) -> Motion:
        model = problem.model
        # A number added to H moves no observable; with levels on both sides of 0 steps are longest and err alike.
        diagonal = jnp.diagonal(model.terms.dense()[0]).real
        centre = (0.5j * (jnp.max(diagonal) + jnp.min(diagonal))).astype(model.dtype)
        generator = model.ket_generator()
        field = lambda t, psi: generator(t, psi[:, None])[:, 0] + centre * psi
        if model.is_constant and few(model.n):
            matrix = generator(0.0, jnp.eye(model.n, dtype=model.dtype)) + centre * jnp.eye(model.n)
            field = lambda t, psi: applied(matrix, psi)
        skipped = int(problem.starts_at_output)
        return cls(
            problem,
            Loss.build(model),
            field,
            *stops(problem.start, problem.ts[skipped:], problem.edges, skipped),
            Onsets.find(model, problem.start, problem.ts[-1]),
        )

    def draw(self, seed: Array, jumps: ArrayLike) -> Array:
        """Makes the draw that sets a jump's time and names its channel, by its second number."""
        dtype = self.problem.ts.dtype
        return jax.random.uniform(jax.random.fold_in(seed, jumps), (2,), dtype, minval=jnp.finfo(dtype).tiny)

    def active(self, lane: Lane) -> Array:
        left = (lane.stop < self.stops.shape[0]) & (lane.steps < self.problem.limit)
        return left & jnp.isinf(lane.broken)

    def start(self, psi: Array, threshold: Array) -> Lane:
        """Starts at the first time; just behind it where that is an edge."""
        p = self.problem
        t = jnp.where(jnp.any(self.is_edge & (self.stops == p.start)), eqxi.nextafter(p.start), p.start)
        slope, zero, none = self.field(t, psi), jnp.zeros((), self.problem.ts.dtype), jnp.zeros((), int)
        span = jnp.maximum(p.ts[-1] - p.start, jnp.finfo(self.problem.ts.dtype).tiny)
        h = jnp.minimum(span, 0.1 / jnp.maximum(length(slope), 0.1 / span))
        # Not finite from the start: a step of no length finds that out.
        h = jnp.where(jnp.isfinite(h), h, 0)
        rate = self.loss(t[None], psi[None])[0]
        infinite = jnp.full((), jnp.inf, self.problem.ts.dtype)
        return Lane(t, psi, slope, rate, h, zero, threshold, none, none, none, infinite)

    def turn(self, seed: Array, lane: Lane) -> tuple[Lane, Event]:
        p = self.problem
        active, place = self.active(lane), jnp.minimum(lane.stop, self.stops.shape[0] - 1)
        remaining = jnp.maximum(self.stops[place] - lane.t, 0)
        cap = p.max_step if self.onsets is None else jnp.minimum(p.max_step, self.onsets.cap(lane.t))
        dt = jnp.where(active, jnp.minimum(jnp.minimum(lane.h, cap), remaining), 0)
        made = step(self.field, lane.t, lane.psi, lane.slope, dt)
        rates = self.loss(made.times, made.states)
        gain, ratio = self.judged(lane.rate, rates, dt, made.error)
        # A step that is far too long may overflow; one that is not finite however short meets no number there.
        shortest = jnp.sqrt(jnp.finfo(dt.dtype).eps) * (p.ts[-1] - p.start)
        lost = active & jnp.isinf(ratio) & (dt <= shortest)
        broken = jnp.where(lost, lane.t + dt, lane.broken)
        accurate = active & (ratio <= 1) & jnp.isinf(broken)
        jump = accurate & (lane.hazard + gain > lane.threshold)
        forward = accurate & ~jump
        arrived = forward & (dt >= remaining)
        behind = arrived & self.is_edge[place]

        inside = Inside(lane.rate, rates, gain, dt)
        share = jnp.where(jump, inside.reached(lane.threshold - lane.hazard), 1.0)
        end = jnp.where(arrived, self.stops[place], lane.t + share * dt)
        t = jnp.where(forward | jump, jnp.where(behind, eqxi.nextafter(end), end), lane.t)
        if platform() != "cpu":
            # What has been decided is read by the kernels that follow: each would find it out anew from old numbers.
            decided = active, accurate, jump, forward, arrived, behind, share, end, t, gain
            decided = jax.lax.optimization_barrier(decided)
            active, accurate, jump, forward, arrived, behind, share, end, t, gain = decided
        size = length(made.end)
        size = jnp.where(size > 0, size, 1.0)
        psi = jnp.where(forward, made.end / size, lane.psi)
        slope = jnp.where(forward, made.slope / size, lane.slope)
        rate = jnp.where(forward, rates[-1], lane.rate)
        kept = psi, slope, rate, lane.threshold, jnp.full((), -1, int)
        before = made, lane.psi, dt, share
        psi, slope, rate, threshold, channel = self.renewed(seed, lane.jumps, jump, behind, t, before, kept)

        # A step cut short by a stop says nothing of the next; one held back by a cap has to grow anew.
        factor = jnp.clip(0.9 * jnp.maximum(ratio, 1e-10) ** -0.2, 0.2, 5.0)
        held = accurate & (dt < lane.h) & (dt < cap)
        h = jnp.where(active, jnp.where(held, jnp.maximum(lane.h, dt * factor), dt * factor), lane.h)
        after = Lane(
            t=t,
            psi=psi,
            slope=slope,
            rate=rate,
            h=h,
            hazard=jnp.where(jump, 0, jnp.where(forward, lane.hazard + gain, lane.hazard)),
            threshold=threshold,
            stop=lane.stop + arrived,
            jumps=lane.jumps + jump,
            steps=lane.steps + active,
            broken=broken,
        )
        column = jnp.where(arrived, self.output[place], p.ts.shape[0])
        return after, Event(column, p.measured(end, psi), jump, end, channel)

    def judged(self, rate: Array, rates: Array, dt: Array, error: Array) -> tuple[Array, Array]:
        """Returns the integral of the jump rate over a step, and the step's error in units of what is allowed."""
        p = self.problem
        gain, doubt = integral(rate, rates, dt)
        gain = jnp.maximum(gain, 0)
        ratio = length(error) / (p.atol + p.rtol)
        if not self.loss.is_empty:
            ratio = jnp.maximum(ratio, doubt / (p.atol + p.rtol * jnp.maximum(gain, 1)))
        return gain, jnp.where(jnp.isnan(ratio), jnp.inf, ratio)

    def renewed(
        self, seed: Array, jumps: Array, jump: Array, behind: Array, t: Array, before: Before, kept: tuple
    ) -> tuple:
        """Calls `anew` where there is something that may jump."""
        if self.loss.is_empty and self.problem.edges is None:
            return kept
        anew = lambda: self.anew(seed, jumps, jump, behind, t, before, kept)
        # A real branch: where no trajectory of the batch jumps, none pays. The predicate is one for all; of a GPU the
        # host would have to look at it, which takes longer.
        if platform() != "cpu":
            return anew()
        return jax.lax.cond(eqxi.unvmap_any(jump | behind), anew, lambda: kept)

    def anew(
        self, seed: Array, jumps: Array, jump: Array, behind: Array, t: Array, before: Before, kept: tuple
    ) -> tuple[Array, ...]:
        """Returns state, slope, rate, next threshold and channel where a jump happens or an edge has been passed."""
        psi, slope, rate, threshold, channel = kept
        made, start, dt, share = before
        model = self.problem.model
        if not self.loss.is_empty:
            weights, operators = model.jump_channels(t)
            leaving = made.between(start, dt, share)
            moved = jax.vmap(lambda op: applied(op, leaving))(operators)
            chances = jnp.cumsum(weights * total(jnp.abs(moved) ** 2))
            # The first whose sum reaches a positive number has a share of its own: a closed channel is never taken.
            drawn = jnp.searchsorted(chances, self.draw(seed, jumps)[1] * chances[-1], side="left")
            drawn = jnp.clip(drawn, 0, weights.shape[0] - 1)
            after = moved[drawn]
            size = length(after)
            after = jnp.where(size > 0, after, leaving) / jnp.where(size > 0, size, length(leaving))
            psi = jnp.where(jump, after, psi)
            threshold = jnp.where(jump, -jnp.log(self.draw(seed, jumps + 1)[0]), threshold)
            channel = jnp.where(jump, jnp.asarray(model.order)[drawn], channel)
        fresh = jump | behind
        slope = jnp.where(fresh, self.field(t, psi), slope)
        rate = jnp.where(fresh, self.loss(t[None], psi[None])[0], rate)
        return psi, slope, rate, threshold, channel
