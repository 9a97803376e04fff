"""Makes Runge-Kutta steps from knot to knot, equal within parts of an interval, as many there as the error asks for.

A run forwards looks for the steps as it goes: a part whose steps were too long is done again. What is differentiated
is the run with those steps held fixed, as shares of their intervals: forwards by a plain loop, in reverse by one that
keeps its states (`linear_rule` brings both under one rule).

Output times and edges of the equation are knots; no step spans one, and stages are evaluated strictly inside.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from .._platform import platform
from ..numerics import powers, tsit5
from ..numerics.replay import Loop, Whole, replayed
from ..numerics.turns import turned
from ..numerics.written import read, written
from .rule import Kind, lanes_apart, ruled
from .stepping import Recorder

# Fewer intervals than these are divided, so that what happens in one of few long ones is met by steps of its own.
LEAST = 32
# Steps of a part of an interval that are tried at first, and at most; parts beyond one for each interval.
FEW, MOST = 8, 2**12
ROOM = 2**11
# Steps in all that a second derivative can follow.
BOUND = 16**3
# Bytes of states whose records are made at once.
TOGETHER_BYTES = 2**20
SAFETY, SHRINK, GROW, FRESH = 0.9, 0.2, 10.0, 25.0


class Grid(NamedTuple):
    """Says where steps must end, and what is known of those between."""

    knots: Array  # (N + 1,) ascending
    fresh: Array  # (N,) whether the equation may jump at the start of an interval
    places: Array  # (T,) the knot of each output
    least: Array  # (N,) fewest steps of each interval


class Task(eqx.Module):
    """Holds what a run needs, made from numbers that may be traced."""

    field: tsit5.Field
    start: PyTree
    grid: Grid
    record: Recorder
    tidy: Callable[[PyTree], PyTree]  # removes what rounding left, at each knot
    # Whether the field is a linear map that time does not change.
    is_constant_map: bool = eqx.field(static=True, default=False)
    # Whether it is made of products of matrices.
    products: bool = eqx.field(static=True, default=False)

    @property
    def pair(self) -> ModuleType:
        """Gives what makes its steps."""
        return powers if self.is_constant_map else tsit5

    @property
    def step(self) -> Callable[..., tuple]:
        """Makes a step with its error."""
        return functools.partial(tsit5.step, products=True) if self.products else self.pair.step


def divided(ts: Array, extra: tuple[Array, ...], least: int = LEAST) -> tuple[Array, Array]:
    """Finds knots, and the place of each output among them: the times, others in their span, and equal divisions."""
    parts = -(-least // (ts.shape[0] - 1))
    share = np.arange(parts) / parts
    inner = (ts[:-1, None] + jnp.diff(ts)[:, None] * share).reshape(-1)
    knots = jnp.concatenate([inner, ts[-1:]])
    if not extra:
        return knots, jnp.arange(ts.shape[0]) * parts
    others = jnp.clip(jnp.concatenate([x.reshape(-1) for x in extra]), ts[0], ts[-1])
    knots = jnp.sort(jnp.concatenate([knots, others]))
    return knots, jnp.searchsorted(jax.lax.stop_gradient(knots), jax.lax.stop_gradient(ts))


def solved(
    make: Callable[[PyTree], Task], numbers: PyTree, *, rtol: float, atol: float, order: int = 5
) -> tuple[PyTree, Array, Array, Array]:
    """Gives records at the outputs, steps in all, the time that was reached, and whether it is the last."""

    def run(numbers: PyTree) -> tuple[PyTree, tuple]:
        records, pieces, reached = _searched(make(numbers), rtol, atol, order)
        return records, (pieces, reached)

    def repeated(numbers: PyTree, known: tuple, kind: Kind) -> PyTree:
        return _repeated(make(numbers), known[0], kind)

    state = jax.eval_shape(lambda numbers: make(numbers).start, numbers)
    records, (pieces, reached) = ruled(run, repeated, numbers, apart=lanes_apart(state))
    knots = make(numbers).grid.knots
    return records, jnp.sum(pieces.steps), reached, reached >= knots[-1]


def _times(t: Array, h: Array, low: Array, high: Array) -> Callable[[ArrayLike], Array]:
    """Give the times of the stages, kept strictly between two knots; what they vary with is left alone."""
    low, high = jax.lax.stop_gradient((low, high))
    bounds = jnp.nextafter(low, high), jnp.nextafter(high, low)

    def at(c: ArrayLike) -> Array:
        time = t + c * h
        still = jax.lax.stop_gradient(time)
        return time + (jnp.clip(still, *bounds) - still)

    return at


class Pieces(NamedTuple):
    """Holds parts of intervals with equal steps, in order: the interval, a part's begin, its step as shares of it."""

    interval: Array  # (P,)
    begin: Array
    step: Array
    steps: Array  # 0 for parts that are not used
    ends: Array  # whether the interval ends with it


def _searched(task: Task, rtol: float, atol: float, order: int) -> tuple[PyTree, Pieces, Array]:
    """Find records, the parts that were walked, and the time that was reached."""
    knots, last = task.grid.knots, task.grid.knots.shape[0] - 1
    outputs = task.grid.places.shape[0]
    slots = jnp.full(last + 1, outputs).at[task.grid.places].set(jnp.arange(outputs))
    first = jax.tree.map(jnp.asarray, task.record(knots[0], task.start))
    records = jax.tree.map(lambda x: jnp.zeros((outputs, *x.shape), x.dtype), written(first))

    def keep(records: PyTree, slot: Array, found: PyTree) -> PyTree:
        return jax.tree.map(lambda r, x: r.at[slot].set(x, mode="drop"), records, written(found))

    room = last + ROOM

    def attempt(carry: _Walk) -> _Walk:
        k, y = carry.interval, carry.y
        low, high = knots[k], knots[k + 1]
        span = high - low
        wanted = _wanted(task.grid, carry)
        count = jnp.minimum(wanted, carry.most).astype(int)
        whole = count >= wanted
        step = (1 - carry.share) / wanted
        length = step * span

        def one(i: Array, inner: tuple) -> tuple:
            y, slope, doubts = inner
            times = _times(low + (carry.share + i * step) * span, length, low, high)
            after, slope, error = task.step(task.field, times, length, y, slope)
            return after, slope, doubts.grown(error, y, after)

        slope = task.field(_times(low + carry.share * span, span, low, high)(0.0), y)
        moved, _, doubts = turned(count, one, (y, slope, _Doubts.none(y, rtol, atol)))
        worst, good = doubts.worst, doubts.worst <= 1.0
        factor = jnp.clip(SAFETY * jnp.maximum(worst, 1e-10) ** (-1 / order), SHRINK, GROW)
        proposed = length * jnp.where(jnp.isfinite(worst), factor, SHRINK / 4)
        # A step that was cut short by its interval says nothing against longer ones.
        proposed = jnp.where(good & (count == 1), jnp.maximum(carry.h, proposed), proposed)
        moved = jax.tree.map(lambda a, b: jnp.where(good, a, b), task.tidy(moved), y)
        done = good & whole
        walked = jnp.stack([jnp.asarray(x, knots.dtype) for x in (k, carry.share, step, count, whole)])
        place = jnp.where(good, carry.used, room)
        # Steps that rounding swallows have met a number that is not finite; an interval of no length is none of them.
        stuck = ~good & (length <= 4 * jnp.finfo(knots.dtype).eps * scale)
        used, interval = carry.used + good, k + done
        return _Walk(
            interval=interval,
            share=jnp.where(done, 0.0, jnp.where(good, carry.share + count * step, carry.share)),
            y=moved,
            h=proposed,
            most=jnp.where(good, jnp.minimum(2 * jnp.maximum(count, FEW), MOST), FEW),
            good=good,
            used=used,
            pieces=carry.pieces.at[place].set(walked, mode="drop"),
            records=keep(carry.records, jnp.where(done, slots[k + 1], outputs), task.record(high, moved)),
            going=(interval < last) & ~stuck & (used < room),
        )

    scale = jnp.maximum(knots[-1] - knots[0], jnp.max(jnp.abs(knots)))
    start = _Walk.begun(task, room, keep(records, slots[0], first))
    found = jax.lax.while_loop(lambda walk: walk.going, attempt, start)
    interval, begin, step, steps, ends = found.pieces.T
    pieces = Pieces(interval.astype(int), begin, step, steps.astype(int), ends > 0)
    return read(found.records, first), pieces, found.reached(knots)


def _wanted(grid: Grid, walk: _Walk) -> Array:
    """Say how many steps of the length at hand what is left of the interval takes."""
    k, left = walk.interval, 1 - walk.share
    span = grid.knots[k + 1] - grid.knots[k]
    # Behind an edge the steps before it say little; what is too long is found out by few.
    h = jnp.where(grid.fresh[k] & walk.good & (walk.share == 0), FRESH * walk.h, walk.h)
    wanted = jnp.where(span > 0, jnp.maximum(jnp.ceil(left * span / h - 1e-6), grid.least[k] * left), 1.0)
    return jnp.where(jnp.isfinite(wanted), jnp.clip(wanted, 1.0, 1e15), 1e15)


class _Doubts(eqx.Module):
    """Keeps the largest errors of the steps of a part, over what is allowed: 1 is just good enough.

    On a CPU that of the worst step. A GPU would wait for a sum at each: there the largest of each element, together
    never less.
    """

    largest: PyTree
    rtol: float = eqx.field(static=True)
    atol: float = eqx.field(static=True)

    @classmethod
    def none(cls, y: PyTree, rtol: float, atol: float) -> _Doubts:
        """Stands before the first step."""
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.real.dtype), y)
        whole = jnp.zeros((), jax.tree.leaves(zeros)[0].dtype)
        return cls(whole if platform() == "cpu" else zeros, rtol, atol)

    def grown(self, error: PyTree, before: PyTree, after: PyTree) -> _Doubts:
        """Adds one more step."""
        if platform() == "cpu":
            largest = jnp.maximum(self.largest, tsit5.size(error, before, after, self.rtol, self.atol))
            return _Doubts(largest, self.rtol, self.atol)
        scale = lambda a, b: self.atol + self.rtol * jnp.maximum(jnp.abs(a), jnp.abs(b))
        share = lambda old, e, a, b: jnp.maximum(old, jnp.abs(e) / scale(a, b))
        return _Doubts(jax.tree.map(share, self.largest, error, before, after), self.rtol, self.atol)

    @property
    def worst(self) -> Array:
        """Gives the root mean square."""
        leaves = jax.tree.leaves(self.largest)
        return jnp.sqrt(sum(jnp.sum(x**2) for x in leaves) / sum(x.size for x in leaves))


class _Walk(NamedTuple):
    """Says where a search stands: interval, its share, state, step, most steps of a part, whether the last was good."""

    interval: Array
    share: Array
    y: PyTree
    h: Array
    most: Array
    good: Array
    used: Array
    pieces: Array  # rows of `Pieces`, in one array: a loop moves it as one
    records: PyTree
    going: Array

    @classmethod
    def begun(cls, task: Task, room: int, records: PyTree) -> _Walk:
        """Begins at the first knot, with room for so many parts."""
        knots = task.grid.knots
        return cls(
            interval=jnp.zeros((), int),
            share=jnp.zeros((), knots.dtype),
            y=task.start,
            h=knots[-1] - knots[0],
            most=jnp.asarray(FEW),
            good=jnp.array(True),
            used=jnp.zeros((), int),
            pieces=jnp.zeros((room, len(Pieces._fields)), knots.dtype),
            records=records,
            going=jnp.array(True),
        )

    def reached(self, knots: Array) -> Array:
        """Gives the time that was reached."""
        last = knots.shape[0] - 1
        end = jnp.minimum(self.interval, last)
        return knots[end] + self.share * (knots[jnp.minimum(end + 1, last)] - knots[end])


def _repeated(task: Task, pieces: Pieces, kind: Kind) -> PyTree:
    """Make the same run by known steps, as one loop of all of them."""
    knots, places = task.grid.knots, task.grid.places
    outputs, total = places.shape[0], jnp.sum(pieces.steps)
    slots = jnp.full(knots.shape[0], outputs).at[places].set(jnp.arange(outputs))
    walk = _Steps(pieces, jnp.cumsum(pieces.steps), slots, outputs)
    states = _replayed(task, walk, total) if kind == "reverse" else _looped(task, walk, total, kind)
    first = jax.tree.map(lambda held, y: held.at[slots[0]].set(y), states, task.start)
    size = sum(y.size * y.dtype.itemsize for y in jax.tree.leaves(task.start))
    together = int(np.clip(TOGETHER_BYTES // size, 1, outputs))
    return jax.lax.map(lambda inputs: task.record(*inputs), (knots[places], first), batch_size=together)


class _Place(NamedTuple):
    """Says where a step stands."""

    interval: Array
    share: Array  # of the interval, where it begins
    step: Array  # its length, as a share, too
    is_last: Array  # of its part
    slot: Array  # the place among the outputs of what comes after it; no place where no output is there

    def times(self, knots: Array) -> tuple[Callable[[ArrayLike], Array], Array]:
        """Gives the times of its stages, and its length."""
        low, high = knots[self.interval], knots[self.interval + 1]
        span = high - low
        return _times(low + self.share * span, self.step * span, low, high), self.step * span


class _Steps(NamedTuple):
    """Finds steps in a row by their number."""

    pieces: Pieces
    ends: Array  # steps up to the end of each part
    slots: Array  # the place of each knot among the outputs
    outputs: int

    def place(self, i: Array) -> _Place:
        """Finds the place of step i."""
        # To compare all is one kernel, where a search is a loop.
        p = jnp.minimum(jnp.sum(self.ends <= i), self.ends.shape[0] - 1)
        interval, begin, step, steps, ends = (x[p] for x in self.pieces)
        k = i - (self.ends[p] - steps)
        last = k == steps - 1
        slot = jnp.where(last & ends, self.slots[jnp.minimum(interval + 1, self.slots.shape[0] - 1)], self.outputs)
        return _Place(interval, begin + k * step, step, last, slot)


# The share of a step at which each stage stands.
SHARES = np.array((0.0, *tsit5.C[:-1]))


def _looped(task: Task, walk: _Steps, total: Array, kind: Kind) -> PyTree:
    """Find the states at the outputs, by loops that JAX differentiates."""
    leaves, structure = jax.tree.flatten(task.start)
    shares = jnp.asarray(SHARES, task.grid.knots.dtype)

    def one(carry: tuple) -> tuple:
        done, y, states = carry
        place = walk.place(done)
        times, step = place.times(task.grid.knots)
        stage = lambda k, y: jax.tree.map(lambda f: step * f, task.field(times(shares[k]), y))
        after = task.pair.moved(stage, y)
        after = jax.tree.map(lambda a, b: jnp.where(place.is_last, a, b), task.tidy(after), after)
        # A loop that keeps its states takes these for buffers, which are no arrays.
        states = [held.at[place.slot].set(y) for held, y in zip(states, jax.tree.leaves(after))]
        return done + 1, after, states

    found = eqxi.while_loop(
        lambda carry: carry[0] < total,
        one,
        (jnp.zeros((), int), task.start, [jnp.zeros((walk.outputs + 1, *y.shape), y.dtype) for y in leaves]),
        kind="lax" if kind == "forwards" else "bounded",
        max_steps=None if kind == "forwards" else BOUND,
        buffers=lambda carry: carry[2],
    )[2]
    if kind == "smooth":
        # No silent derivative of half a run.
        found = [jnp.where(total <= BOUND, held, jnp.nan) for held in found]
    return jax.tree.unflatten(structure, [held[:-1] for held in found])


def _replayed(task: Task, walk: _Steps, total: Array) -> PyTree:
    """Find the same for reverse mode."""
    knots = task.grid.knots
    field = eqx.filter_closure_convert(task.field, knots[0], task.start)
    tidy = eqx.filter_closure_convert(task.tidy, task.start)
    varied, rest = eqx.partition((field, tidy, knots), eqx.is_inexact_array)
    others, static = eqx.partition((rest, walk), eqx.is_array)
    shares = SHARES.astype(knots.dtype)

    def whole(varied: PyTree, others: PyTree) -> tuple:
        rest, walk = eqx.combine(others, static)
        return *eqx.combine(varied, rest), walk

    def stages(varied: PyTree, others: PyTree, place: _Place) -> tsit5.Stage:
        field, _, knots, _ = whole(varied, others)
        times, step = place.times(knots)
        return lambda k, y: jax.tree.map(lambda f: step * f, field(times(jnp.asarray(shares)[k]), y))

    def tidied(varied: PyTree, others: PyTree, place: _Place, y: PyTree) -> PyTree:
        _, tidy, _, _ = whole(varied, others)
        return jax.tree.map(lambda a, b: jnp.where(place.is_last, a, b), tidy(y), y)

    def step(varied: PyTree, others: PyTree, i: Array, y: PyTree) -> PyTree:
        place = whole(varied, others)[-1].place(i)
        return tidied(varied, others, place, task.pair.moved(stages(varied, others, place), y))

    def back(whole_of: Whole, moving: PyTree, others: PyTree, i: Array, y: PyTree, ct: PyTree) -> tuple:
        varied = whole_of(moving)
        place = whole(varied, others)[-1].place(i)
        # Linear, so that any state will do.
        (ct,) = jax.vjp(lambda y: tidied(varied, others, place, y), y)[1](ct)
        pull = lambda k, y, ct: jax.vjp(lambda m, y: stages(whole_of(m), others, place)(k, y), moving, y)[1](ct)
        return task.pair.pulled(stages(varied, others, place), pull, y, ct, jax.tree.map(jnp.zeros_like, moving))

    slots = lambda others, i: eqx.combine(others, static)[1].place(i).slot
    return replayed(Loop(step, slots, walk.outputs, back), varied, others, task.start, total)
