"""Stepping through output times with macro steps of a linear autonomous model, and what such a step offers.

Where all numbers are known the macro steps of an interval are a loop of dynamic length with the propagators hoisted
out. Where some are traced, one scan with a static bound runs over macro steps and skips what is not needed: the number
of steps may then depend on traced numbers, and jax.grad, jax.jvp and jax.vmap all work. Each macro step is
checkpointed, so reverse mode keeps one state a step.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

# Above this many bytes of checkpoints the macro steps are checkpointed once more, in groups.
CHECKPOINT_BYTES = 2**28
# Macro steps in a group of a bounded run.
GROUP = 32

Recorder = Callable[[PyTree], PyTree]


class AbstractStepper(eqx.Module):
    """A macro step of a linear autonomous model.

    `pack`/`unpack` change between the model's state and the form the step likes; `propagators(h)` builds what depends
    on the step size alone; `step(z, propagators)` gives the moved state and an error estimate, and `quick_step` the
    same numbers without reverse mode.
    """

    @abc.abstractmethod
    def pack(self, y: PyTree) -> PyTree: ...

    @abc.abstractmethod
    def unpack(self, z: PyTree) -> PyTree: ...

    @abc.abstractmethod
    def propagators(self, h: Array) -> PyTree: ...

    @abc.abstractmethod
    def step(self, z: PyTree, propagators: PyTree) -> tuple[PyTree, Array]: ...

    def no_error(self, dtype: Any) -> Array:
        """What error estimates are added to."""
        return jnp.zeros((), dtype)

    def quick_step(self, z: PyTree, propagators: PyTree) -> tuple[PyTree, Array]:
        return self.step(z, propagators)


def integrate(
    stepper: AbstractStepper, y0: PyTree, ts: Array, record: Recorder, *, counts: Array, uniform: bool, tick: Any = None
) -> tuple[PyTree, Array]:
    """Records at ts (leading time axis) and the summed error estimate; all numbers known, any number of steps.

    `counts` are macro steps per interval; `uniform` says that all intervals share one duration and count.
    """
    h = jnp.diff(ts) / counts
    shared = stepper.propagators(h[0]) if uniform else None
    z0 = stepper.pack(y0)

    def interval(carry: tuple, inputs: tuple) -> tuple[tuple, PyTree]:
        step, count = inputs
        propagators = stepper.propagators(step) if shared is None else shared

        def one(_: Array, carry: tuple) -> tuple:
            z, error = stepper.quick_step(carry[0], propagators)
            return z, carry[1] + error

        z, error = jax.lax.fori_loop(0, count, one, carry)
        if tick is not None:
            tick(count > 0)
        return (z, error), record(stepper.unpack(z))

    start = (z0, stepper.no_error(h.dtype))
    # An interval without steps in front, so that the records of y0 need no program of their own.
    intervals = jnp.concatenate([h[:1], h]), jnp.concatenate([jnp.zeros_like(counts[:1]), counts])
    (_, error), records = jax.lax.scan(interval, start, intervals)
    return records, error


def integrate_traced(
    stepper: AbstractStepper,
    y0: PyTree,
    ts: Array,
    record: Recorder,
    *,
    counts: Array,
    uniform: bool,
    bound: int,
    tick: Any = None,
) -> tuple[PyTree, Array, Array]:
    """As `integrate`, differentiable and with at most `bound` macro steps; also returns whether that was too few."""
    h = jnp.diff(ts) / counts
    n_intervals = counts.shape[0]
    shared = stepper.propagators(h[0]) if uniform else None
    z0 = stepper.pack(y0)
    first = record(stepper.unpack(z0))

    def macro(carry: tuple, shared: PyTree) -> tuple[tuple, PyTree]:
        interval, done, z, error = carry
        active = interval < n_intervals
        # Lanes of a vmap that have finished run on in place; their numbers are never read.
        current = jnp.minimum(interval, n_intervals - 1)
        z, more = stepper.step(z, stepper.propagators(h[current]) if shared is None else shared)
        finished = active & (done + 1 >= counts[current])
        if tick is not None:
            tick(finished)
        moved = (interval + finished, jnp.where(finished, 0, done + 1), z, error + jnp.where(active, more, 0))
        return moved, record(stepper.unpack(z))

    start = (jnp.array(0), jnp.array(0), z0, stepper.no_error(h.dtype))
    (interval, _, _, error), outs = _bounded_scan(macro, lambda c: c[0] < n_intervals, start, shared, bound)
    last = jnp.minimum(jnp.cumsum(counts) - 1, bound - 1)
    records = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b[last]]), first, outs)
    return records, error, interval < n_intervals


def _bounded_scan(
    body: Callable, wanted: Callable[[Any], Array], carry: Any, shared: PyTree, length: int
) -> tuple[Any, PyTree]:
    """At least `length` turns of body(carry, shared), in groups; turns and groups that nothing wants cost nothing.

    The backward pass keeps one carry a turn, or one a group where that is too much. The checkpoint stands outside the
    cond: what a cond keeps for the backward pass a scan would stack, the shared tables included.
    """
    outs = jax.eval_shape(body, carry, shared)[1]

    def unless_done(run: Callable, shape: tuple[int, ...]) -> Callable:
        def skip(carry: Any, shared: PyTree) -> tuple[Any, PyTree]:
            return carry, jax.tree.map(lambda a: jnp.zeros(shape + a.shape, a.dtype), outs)

        return lambda carry, shared: jax.lax.cond(eqxi.unvmap_any(wanted(carry)), run, skip, carry, shared)

    turn = jax.checkpoint(unless_done(body, ()), prevent_cse=False)

    def turns(carry: Any, shared: PyTree) -> tuple[Any, PyTree]:
        return jax.lax.scan(lambda carry, _: turn(carry, shared), carry, None, length=GROUP)

    group = unless_done(turns, (GROUP,))
    if length * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(carry)) > CHECKPOINT_BYTES:
        group = jax.checkpoint(group, prevent_cse=False)
    carry, outs = jax.lax.scan(lambda carry, _: group(carry, shared), carry, None, length=-(-length // GROUP))
    return carry, jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), outs)
