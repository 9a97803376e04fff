"""Extrapolated splitting: the step for linear models whose generator is a sum of two exactly solvable flows.

A Strang step S(h) = P(h/2) L(h) P(h/2) has an error series in h^2 alone, so runs with l = 1, 2, .. K times as many steps
combine, with Richardson weights, to order 2K: K = 4 costs ten Strang steps for each macro step. Every observable recorded is
extrapolated on its own, which is as accurate as extrapolating the state and keeps no states.

Whole intervals between outputs are cut into blocks of at most BLOCK steps. The loop over blocks is a scan with a static bound that
skips what is not needed, so step counts may depend on traced numbers and both jax.grad and jax.jvp work; each block is
checkpointed, so reverse mode stores one state a block.

Source: S. Blanes, F. Casas, J. Ros, SIAM J. Sci. Comput. 21, 711 (1999) (extrapolation of symmetric integrators).
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

BLOCK = 8
# Above this many bytes of block checkpoints the blocks are checkpointed once more, in groups.
CHECKPOINT_BYTES = 2**26


class AbstractSplitting(eqx.Module):
    """A second-order symmetric step of a linear autonomous model, with everything that does not move hoisted.

    `pack`/`unpack` change between the model's state and the form the step likes; `propagators(h)` builds what depends on the
    step size alone; `step(z, propagators)` is one Strang step; `rate` is 1 / (largest macro step) at rtol = 1e-6.
    """

    rate: eqx.AbstractVar[Array]

    @abc.abstractmethod
    def pack(self, y: PyTree) -> PyTree: ...

    @abc.abstractmethod
    def unpack(self, z: PyTree) -> PyTree: ...

    @abc.abstractmethod
    def propagators(self, h: Array) -> PyTree: ...

    @abc.abstractmethod
    def step(self, z: PyTree, propagators: PyTree) -> PyTree: ...


def richardson_weights(levels: tuple[int, ...]) -> np.ndarray:
    """Weights of runs with `levels` times as many steps that cancel h^2, h^4, ... up to order 2 len(levels).

    Example:
        >>> richardson_weights((1, 2))
        array([-0.33333333,  1.33333333])
    """
    n2 = np.asarray(levels, float) ** 2
    return np.array([np.prod([a / (a - b) for b in n2 if b != a]) for a in n2])


def macro_steps(durations: Array, rate: Array, rtol: float) -> Array:
    """Macro steps for each interval: ceil(dt * rate * (1e-6/rtol)^(1/7)) (7 is the order seen, stiffness included)."""
    return jnp.maximum(1, jnp.ceil(durations * rate * (1e-6 / rtol) ** (1 / 7) - 1e-9)).astype(int)


def integrate(
    splitting: AbstractSplitting,
    y0: PyTree,
    ts: Array,
    record: Callable[[PyTree], PyTree],
    *,
    counts: Array,
    max_macro_steps: int,
    levels: tuple[int, ...],
    uniform: bool,
    tick: Callable[[Any], None] | None = None,
) -> tuple[PyTree, PyTree, Array]:
    """Run every level, return (extrapolated records with a leading time axis, their error estimate, ran out of steps).

    `counts` are macro steps per interval, bounded in total by `max_macro_steps`; `uniform` says that all intervals share one
    duration and one count, so that propagators are built once.
    """
    durations = jnp.diff(ts)
    n_intervals = durations.shape[0]
    bound = n_intervals + -(-levels[-1] * max_macro_steps // BLOCK)
    z0 = splitting.pack(y0)
    first = record(splitting.unpack(z0))

    def one_level(level: Array) -> tuple[PyTree, Array]:
        n_steps = level * counts
        h = durations / n_steps
        shared = splitting.propagators(h[0]) if uniform else None

        def block(carry: Any, _: None) -> tuple[Any, PyTree]:
            interval, done, z = carry
            propagators = splitting.propagators(h[interval]) if shared is None else shared

            def one_step(z: PyTree, i: Array) -> tuple[PyTree, None]:
                active = done + i < n_steps[interval]

                def advance(z: PyTree) -> PyTree:
                    # The inner cond is a true branch alone and a select under vmap; the outer one skips when no lane needs it.
                    return jax.lax.cond(active, lambda z: splitting.step(z, propagators), lambda z: z, z)

                return jax.lax.cond(eqxi.unvmap_any(active), advance, lambda z: z, z), None

            z, _ = jax.lax.scan(one_step, z, jnp.arange(BLOCK))
            finished = done + BLOCK >= n_steps[interval]
            if tick is not None:
                tick(finished)
            out = record(splitting.unpack(z))
            return (interval + finished, jnp.where(finished, 0, done + BLOCK), z), out

        def maybe_block(carry: Any, _: None) -> tuple[Any, PyTree]:
            interval, done, z = carry
            active = interval < n_intervals
            # Lanes of a vmap that have finished run on in place; their numbers are never read.
            safe = (jnp.minimum(interval, n_intervals - 1), done, z)

            def go(_: None) -> tuple[Any, PyTree]:
                (new_interval, new_done, new_z), out = block(safe, None)
                return (jnp.where(active, new_interval, interval), new_done, new_z), out

            empty = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), first)
            return jax.lax.cond(eqxi.unvmap_any(active), go, lambda _: (carry, empty), None)

        carry, outs = _checkpointed_scan(maybe_block, (jnp.array(0), jnp.array(0), z0), bound, z0)
        last_block = jnp.cumsum(-(-n_steps // BLOCK)) - 1
        records = jax.tree.map(lambda a: a[jnp.minimum(last_block, bound - 1)], outs)
        return records, carry[0] < n_intervals

    records, unfinished = jax.lax.map(one_level, jnp.array(levels))
    result = _combine(records, richardson_weights(levels))
    # Dropping the coarsest level loses two orders: the difference bounds the error of the full combination.
    lower = _combine(jax.tree.map(lambda a: a[1:], records), richardson_weights(levels[1:]))
    error = jax.tree.map(lambda a, b: jnp.abs(a - b), result, lower)
    result = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, result)
    return result, error, jnp.any(unfinished)


def _combine(records: PyTree, weights: np.ndarray) -> PyTree:
    return jax.tree.map(lambda a: jnp.tensordot(jnp.asarray(weights, a.real.dtype).astype(a.dtype), a, axes=1), records)


def _checkpointed_scan(body: Callable, carry: Any, length: int, state: PyTree) -> tuple[Any, PyTree]:
    """A scan that keeps one state an iteration for the backward pass, or about 2 sqrt(length) where that is too much."""
    body = jax.checkpoint(body, prevent_cse=False)
    memory = length * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state))
    if memory <= CHECKPOINT_BYTES:
        return jax.lax.scan(body, carry, None, length=length)
    inner = int(np.ceil(np.sqrt(length)))
    outer = -(-length // inner)

    @jax.checkpoint
    def group(carry: Any, _: None) -> tuple[Any, PyTree]:
        return jax.lax.scan(body, carry, None, length=inner)

    carry, outs = jax.lax.scan(group, carry, None, length=outer)
    return carry, jax.tree.map(lambda a: a.reshape(outer * inner, *a.shape[2:])[:length], outs)
