"""Steps through output times with macro steps of a linear autonomous model, and says what such a step offers.

One scan runs over the intervals between output times, so that records are kept there alone. Where all numbers are
known the macro steps of an interval are a loop of dynamic length. Where some are traced, they are scans with a static
bound, nested in groups of which those that nothing wants are skipped: the number of steps may then depend on traced
numbers, and jax.grad, jax.jvp and jax.vmap all work. Each macro step is checkpointed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from .._platform import platform
from ..numerics.replay import Loop, replayed
from .corner import Corner
from .rule import Kind, bytes_of, lanes_apart, ruled
from .stepper import AbstractStepper

# Macro steps in a group of a bounded run.
GROUP = 32
# Intervals that are many.
MANY = 8
# Above this many bytes of checkpoints whole groups are checkpointed once more. Batches, whose size is not seen here,
# are what a GPU is for: there all are, and a group that is skipped leaves no room for its turns behind.
CHECKPOINT_BYTES = 2**28
# Bytes of states whose records are made at once.
TOGETHER_BYTES = 2**20
# Intervals are equal where they differ by less than this share.
EQUAL = 1e-9


# t, y -> records.
Recorder = Callable[[ArrayLike, PyTree], PyTree]


def equally_spaced(durations: np.ndarray) -> bool:
    """Says whether all intervals have one length."""
    return bool(np.ptp(durations) <= EQUAL * np.max(durations))


def _shared(stepper: AbstractStepper, h: Array, uniform: bool | None) -> Callable[[Array], PyTree]:
    """Make h -> propagators, once where intervals are equal; that is looked at inside the program if not known."""
    if uniform is False:
        return stepper.propagators
    shared = stepper.propagators(h[0])
    if uniform:
        return lambda step: shared
    still = jax.lax.stop_gradient(h)
    equal = eqxi.unvmap_all(jnp.max(still) - jnp.min(still) <= EQUAL * jnp.max(still))
    # A bound method would be hashed with the arrays that it is bound to.
    return lambda step: jax.lax.cond(equal, lambda _: shared, lambda h: stepper.propagators(h), step)


def integrate(
    stepper: AbstractStepper,
    y0: PyTree,
    ts: Array,
    record: Recorder,
    *,
    counts: Array,
    uniform: bool | None,
    tick: Callable[[Array], None] | None = None,
    corner: Corner | None = None,
) -> tuple[PyTree, Array]:
    """Gives records at ts (leading time axis) and the summed error estimate; all numbers known, any number of steps.

    `counts` are macro steps per interval; `uniform` says that all intervals share one duration and count; `corner` is
    what moves the first levels alone as long as these will do.
    """
    kept = lambda t, z, inside: record(t, stepper.unpack(z))
    return _walked(stepper, corner, stepper.pack(y0), ts, kept, counts, uniform, tick)


def _walked(
    stepper: AbstractStepper,
    corner: Corner | None,
    z0: PyTree,
    ts: Array,
    kept: Callable[[Array, PyTree, Array], PyTree],
    counts: Array,
    uniform: bool | None,
    tick: Callable[[Array], None] | None = None,
) -> tuple[PyTree, Array]:
    """Give what is kept of packed states, by time, state and whether the corner served; and the summed error."""
    h = jnp.diff(ts) / counts
    made = [(stepper, _shared(stepper, h, uniform))] if corner is None else _both(stepper, corner, h)

    def interval(carry: tuple, inputs: tuple) -> tuple[tuple, PyTree]:
        step, count, t = inputs
        wide, *narrow = [functools.partial(_moved, each, of, step, count) for each, of in made]
        moving, inside = carry
        if corner is None:
            moving = wide(moving)
        else:
            inside, moving = corner.tried(inside, narrow[0], wide, moving)
        if tick is not None:
            tick(count > 0)
        return (moving, inside), kept(t, moving[0], inside)

    inside = jnp.asarray(False) if corner is None else corner.holds(z0)
    start = (z0, stepper.no_error(h.dtype)), inside
    # An interval without steps in front, so that the records of y0 need no program of their own.
    intervals = jnp.concatenate([h[:1], h]), jnp.concatenate([jnp.zeros_like(counts[:1]), counts]), ts
    ((_, error), _), records = jax.lax.scan(interval, start, intervals)
    return records, error


def _both(stepper: AbstractStepper, corner: Corner, h: Array) -> list[tuple[AbstractStepper, Callable]]:
    """Pair each stepper with its step -> propagators, where intervals are equal."""
    both = corner.propagators(stepper, h[0])
    return [(each, lambda step, made=made: made) for each, made in zip((stepper, corner.stepper), both)]


def _moved(
    stepper: AbstractStepper, propagators_of: Callable[[Array], PyTree], step: Array, count: Array, carry: tuple
) -> tuple[PyTree, Array]:
    """Make the macro steps of an interval."""
    propagators = propagators_of(step)

    def one(_: Array, carry: tuple) -> tuple:
        z, error = stepper.quick_step(carry[0], propagators)
        return z, carry[1] + error

    return jax.lax.fori_loop(0, count, one, carry)


class March(eqx.Module):
    """Holds what a run needs, made from numbers that may be traced."""

    stepper: AbstractStepper
    start: PyTree
    ts: Array
    counts: Array
    record: Recorder
    corner: Corner | None = None


def solved(
    make: Callable[[PyTree], March],
    numbers: PyTree,
    *,
    uniform: bool | None,
    bound: int,
    tick: Callable[[Array], None] | None = None,
) -> tuple[PyTree, Array, Array]:
    """Does what `integrate` does, with derivatives by a rule and at most `bound` macro steps an interval.

    `make` closes over nothing that is traced. Also returns whether that was enough.
    """

    def run(numbers: PyTree) -> tuple[PyTree, tuple]:
        march = make(numbers)
        most = bound or _most(march)
        counts = jnp.minimum(march.counts, most)
        z0 = march.stepper.pack(march.start)
        keeps = march.ts.shape[0] * bytes_of(z0) <= CHECKPOINT_BYTES
        kept = lambda t, z, inside: (march.record(t, march.stepper.unpack(z)), (z if keeps else None, inside))
        (records, known), error = _walked(march.stepper, march.corner, z0, march.ts, kept, counts, uniform, tick)
        return records, jax.lax.stop_gradient((known, error, jnp.all(march.counts <= most)))

    def repeated(numbers: PyTree, known: tuple, kind: Kind) -> PyTree:
        march = make(numbers)
        if kind == "smooth":
            how: dict = {"counts": march.counts, "uniform": uniform, "bound": bound}
            return integrate_traced(march.stepper, march.start, march.ts, march.record, **how)[0]
        counts = jnp.minimum(march.counts, bound or _most(march))
        if kind == "forwards":
            how = {"counts": counts, "uniform": uniform, "corner": march.corner}
            return integrate(march.stepper, march.start, march.ts, march.record, **how)[0]
        return _replayed(march, counts, uniform, known[0], bound or _most(march))

    state = jax.eval_shape(lambda numbers: make(numbers).start, numbers)
    records, (_, error, finished) = ruled(run, repeated, numbers, apart=lanes_apart(state))
    return records, error, finished


def _most(march: March) -> int:
    """Bound the steps where no bound is known: 1024 macro steps in each of many intervals, 32768 in each of few."""
    return GROUP ** (2 if march.ts.shape[0] > MANY else 3)


def _replayed(march: March, counts: Array, uniform: bool | None, known: tuple, most: int) -> PyTree:
    """Make the records for reverse mode, interval by interval from what is known: states, and where the corner
    served."""
    stepper, corner, count = march.stepper, march.corner, counts.shape[0]
    states, inside = known
    h = jnp.diff(march.ts) / counts
    z0 = stepper.pack(march.start)
    if corner is None:
        made = [_closed(stepper, z0, h, uniform, _shared(stepper, h, uniform))]
    else:
        starts = z0, corner.narrowed(z0)
        made = [_closed(each, z, h, True, of) for z, (each, of) in zip(starts, _both(stepper, corner, h))]
    varied, others, static = _parted((made, h))

    def interval(varied: PyTree, others: tuple, j: Array, z: PyTree) -> PyTree:
        rest, counts, inside = others
        made, h = eqx.combine(varied, rest, static)
        wide, *narrow = [functools.partial(_again, each, h[j], counts[j], most) for each in made]
        if corner is None:
            return wide(z)
        return jax.lax.cond(inside[j], lambda z: corner.widened(narrow[0](corner.narrowed(z)), z), wide, z)

    later = None if states is None else jax.tree.map(lambda x: x[1:], states)
    outer = Loop(interval, lambda others, j: j, count, all_kept=True)
    states = replayed(outer, varied, (others, counts, inside[1:]), z0, jnp.asarray(count), later)
    whole = jax.tree.map(lambda x, xs: jnp.concatenate([x[None], xs]), z0, states)
    together = int(np.clip(TOGETHER_BYTES // bytes_of(z0), 1, count + 1))
    record = lambda inputs: march.record(inputs[0], stepper.unpack(inputs[1]))
    return jax.lax.map(record, (march.ts, whole), batch_size=together)


def _closed(stepper: AbstractStepper, z0: PyTree, h: Array, uniform: bool | None, of: Callable) -> tuple:
    """Give (step -> propagators, (z, propagators) -> z, propagators if all intervals share them), closed over
    nothing."""
    first = of(h[0])
    make = None if uniform else eqx.filter_closure_convert(of, h[0])
    move = eqx.filter_closure_convert(stepper.reversible_step, z0, first)
    return make, move, first if uniform else None


def _again(made: tuple, step: Array, count: Array, most: int, z: PyTree) -> PyTree:
    """Make the macro steps of an interval for reverse mode."""
    make, move, propagators = made
    own, rest, fixed = _parted((move, make(step) if propagators is None else propagators))

    def macro(own: PyTree, others: tuple, i: Array, z: PyTree) -> PyTree:
        move, propagators = eqx.combine(own, others[0], fixed)
        return move(z, propagators)

    last = Loop(macro, lambda others, i: jnp.where(i == others[1] - 1, 0, 1), 1, most=most)
    return jax.tree.map(lambda x: x[0], replayed(last, own, (rest, count), z, count))


def _parted(tree: PyTree) -> tuple[PyTree, PyTree, PyTree]:
    """Part what can vary, other arrays, and the rest."""
    varied, rest = eqx.partition(tree, eqx.is_inexact_array)
    return varied, *eqx.partition(rest, eqx.is_array)


def integrate_traced(
    stepper: AbstractStepper,
    y0: PyTree,
    ts: Array,
    record: Recorder,
    *,
    counts: Array,
    uniform: bool | None,
    bound: int,
    tick: Callable[[Array], None] | None = None,
) -> tuple[PyTree, Array, Array]:
    """Does what `integrate` does, with derivatives and at most `bound` macro steps an interval (0: what groups allow).

    Also returns whether that was enough.
    """
    h = jnp.diff(ts) / counts
    propagators_of = _shared(stepper, h, uniform)
    # Where no bound is known: 1024 macro steps in each of many intervals, 32768 in each of few.
    bound = bound or GROUP ** (2 if h.shape[0] >= MANY else 3)
    z0 = stepper.pack(y0)
    repeated = _Bounded(bound, h.shape[0] * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(z0)))

    def interval(carry: tuple, inputs: tuple) -> tuple[tuple, PyTree]:
        step, count, t = inputs
        propagators = propagators_of(step)

        def macro(inner: tuple) -> tuple:
            done, z, error = inner
            # Lanes of a vmap that have finished stand still.
            active = done < count
            moved, more = stepper.step(z, propagators)
            z = jax.tree.map(lambda a, b: jnp.where(active, a, b), moved, z)
            return done + active, z, error + jnp.where(active, more, 0)

        start = (jnp.zeros((), counts.dtype), *carry)
        done, z, error = repeated(macro, lambda inner: inner[0] < count, start)
        if tick is not None:
            tick(jnp.array(True))
        return (z, error), (record(t, stepper.unpack(z)), done >= count)

    first = record(ts[0], stepper.unpack(z0))
    start = (z0, stepper.no_error(h.dtype))
    (_, error), (records, finished) = jax.lax.scan(interval, start, (h, counts, ts[1:]))
    records = jax.tree.map(lambda a, b: jnp.concatenate([jnp.asarray(a)[None], b]), first, records)
    return records, error, jnp.all(finished)


class _Bounded:
    """Makes at most `bound` turns of a loop, in groups; turns and groups that nothing wants cost nothing.

    The backward pass keeps a carry a turn, or a group where that is too much: `size` is the bytes of one, for all
    intervals.
    """

    def __init__(self, bound: int, size: int):
        depth = max(1, int(np.ceil(np.log(bound) / np.log(GROUP) - 1e-9)))
        self.lengths = [min(bound, GROUP), *[GROUP] * (depth - 1)]
        # Outermost groups first: one that is checkpointed leaves one carry an interval, and its own turns once.
        most = CHECKPOINT_BYTES if platform() == "cpu" else 0
        self.checkpointed = [size * GROUP**level > most for level in range(1, depth + 1)]

    def __call__(self, body: Callable, wanted: Callable[[tuple], Array], carry: tuple) -> tuple:
        # The checkpoint stands outside the cond: what a cond keeps for the backward pass a scan would stack, the
        # shared tables included.
        turn = jax.checkpoint(_unless_done(body, wanted), prevent_cse=False)
        for length, checkpointed in zip(self.lengths, self.checkpointed):
            turn = _unless_done(functools.partial(_repeated, turn, length), wanted)
            turn = jax.checkpoint(turn, prevent_cse=False) if checkpointed else turn
        return turn(carry)


def _unless_done(run: Callable, wanted: Callable[[tuple], Array]) -> Callable:
    return lambda carry: jax.lax.cond(eqxi.unvmap_any(wanted(carry)), run, lambda carry: carry, carry)


def _repeated(turn: Callable, times: int, carry: tuple) -> tuple:
    return jax.lax.scan(lambda carry, _: (turn(carry), None), carry, None, length=times)[0]
