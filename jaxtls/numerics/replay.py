"""Runs a loop of any length, known only as it runs, with a reverse of its own.

Reverse mode needs the states that the loop went through. They are kept at distances of 1, B, B^2, ... steps, B of each
kind at most: a loop of up to B steps is done once more and each of its steps pulled back once, and each power of B
beyond does it one more time. Lanes of a vmap that have finished stand still, so that the loop's own condition is no
batch. Cotangents are summed only of numbers that are differentiated. A gradient of the spring took 12 times its run by
JAX's transpose of a bounded loop, and takes 4 by this one.

Source: A. Griewank, A. Walther, ACM Trans. Math. Softw. 26, 19 (2000), of which this is the simplest case.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .perturbed import arrays_of, divided

# Bytes of states kept at one distance, and their number.
KEPT_BYTES = 2**22
LEAST, MOST = 16, 1024
# The same of short loops.
SHORT_BYTES, SHORT_LEAST = 2**18, 4
# Steps that can be pulled back.
BOUND = 2**20

# varied numbers, other numbers, step, state -> state
Step = Callable[[PyTree, PyTree, Array, PyTree], PyTree]
# Numbers that are differentiated -> all varied ones.
Whole = Callable[[PyTree], PyTree]
# `Whole`, what it takes, others, step, state, cotangent of the next state -> those of what it takes and of the state
Back = Callable[[Whole, PyTree, PyTree, Array, PyTree, PyTree], tuple[PyTree, PyTree]]


class _Places(NamedTuple):
    """Says where states are kept: so many at each distance, of 1, B, B^2, ... steps; the last place is for others.

    Those of one step are of a block of B = `each` steps, in order; the others of what the next longer distance spans.
    """

    each: int
    distances: int

    @property
    def room(self) -> int:
        """Says how many places states need."""
        return self.each * self.distances + 1

    def far(self, i: Array) -> Array:
        """Finds the place of the state before step i, at the longest distance at which it stands."""
        place = jnp.full_like(i, self.room - 1)
        for k in range(1, self.distances):
            stride = self.each**k
            here = k * self.each + jax.lax.rem(jax.lax.div(i, stride), self.each)
            place = jnp.where(jax.lax.rem(i, stride) == 0, here, place)
        return place

    def behind(self, block: Array, blocks: Array) -> Array:
        """Finds the step, up to a block's start, before which a state is kept, if blocks are done from the last on."""
        first = block * self.each
        for k in range(1, self.distances):
            stride = self.each**k
            # The last block of a longer span: its states at shorter distances are not there yet.
            begin = jax.lax.div(block, stride) * stride * self.each
            first = jnp.where(jax.lax.rem(block + 1, stride) == 0, begin, first)
        return jnp.where(block == blocks - 1, 0, first)


class Loop:
    """Says what a loop does: `step`, its transpose `back` (JAX's own by default), and where states are kept.

    `slots(others, i)` is the place among `outputs` of the state after step i; `outputs` itself for none, and i itself
    with `all_kept`. `most` is for short loops inside others, whose room for states is cleared each time; `kept` is the
    bytes of states at one distance.
    """

    def __init__(
        self,
        step: Step,
        slots: Callable[[PyTree, Array], Array],
        outputs: int,
        back: Back | None = None,
        most: int | None = None,
        all_kept: bool = False,
        kept: int = KEPT_BYTES,
    ) -> None:
        self.step, self.slots, self.outputs, self.all_kept = step, slots, outputs, all_kept
        self.back = functools.partial(_pulled, step) if back is None else back
        self.most, self.kept = most, kept

    def places(self, state: PyTree) -> _Places:
        """Says where such states are kept."""
        size = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
        bound = BOUND if self.most is None else self.most
        room, least = (self.kept, LEAST) if self.most is None else (SHORT_BYTES, SHORT_LEAST)
        count = min(int(np.clip(room // max(size, 1), least, MOST)), bound)
        distances = 1
        while count**distances < bound:
            distances += 1
        return _Places(count, distances)


def _pulled(step: Step, whole: Whole, moving: PyTree, others: PyTree, i: Array, state: PyTree, ct: PyTree) -> tuple:
    return jax.vjp(lambda moving, state: step(whole(moving), others, i, state), moving, state)[1](ct)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def replayed(loop: Loop, varied: PyTree, others: PyTree, start: PyTree, total: Array, known: PyTree = None) -> PyTree:
    """Gives the states of `total` steps from `start`, at their places, (outputs, ...); 0 where none came.

    Arguments:
        loop: what to do; it may close over nothing that is traced.
        varied: numbers that can be differentiated.
        others: numbers that cannot.
        start: arrays that can be differentiated.
        total: number of steps.
        known: what is returned, if it is known; of a loop with `all_kept` nothing is then done again.

    Returns:
        A pytree as the state, with a leading axis of outputs.
    """
    if known is not None:
        return known

    def one(i: Array, carry: tuple) -> tuple:
        state, outs = carry
        state = _advanced(loop, varied, others, i, state, total)
        slot = jnp.where(i < total, loop.slots(others, i), loop.outputs)
        return state, jax.tree.map(lambda held, x: held.at[slot].set(x, mode="drop"), outs, state)

    outs = jax.tree.map(lambda x: jnp.zeros((loop.outputs, *x.shape), x.dtype), start)
    return jax.lax.fori_loop(0, eqxi.unvmap_max(total), one, (start, outs))[1]


def _advanced(loop: Loop, varied: PyTree, others: PyTree, i: Array, state: PyTree, total: Array) -> PyTree:
    moved = loop.step(varied, others, i, state)
    return jax.tree.map(lambda a, b: jnp.where(i < total, a, b), moved, state)


class _Replay(NamedTuple):
    """Holds what the reverse works with."""

    loop: Loop
    moving: PyTree  # None where a number is not differentiated
    still: PyTree
    others: PyTree
    start: PyTree
    total: Array
    cts: PyTree

    def whole(self, moving: PyTree) -> PyTree:
        """Gives all varied numbers."""
        return eqx.combine(moving, self.still)

    def step_back(self, i: Array, state: PyTree, carry: tuple) -> tuple:
        """Gives the cotangent of the state before step i, and the sums of those of the numbers."""
        ct, found = carry
        outputs, active = self.loop.outputs, i < self.total
        slot = jnp.where(active, self.loop.slots(self.others, i), outputs)
        taken = lambda outs: jnp.where(slot < outputs, outs[jnp.minimum(slot, outputs - 1)], 0)
        ct = jax.tree.map(lambda c, outs: c + taken(outs), ct, self.cts)
        more, before = self.loop.back(self.whole, self.moving, self.others, i, state, ct)
        found = jax.tree.map(lambda a, b: jnp.where(active, a + b, a), found, more)
        return jax.tree.map(lambda a, b: jnp.where(active, a, b), before, ct), found

    def block(self, places: _Places, most: Array, j: Array, carry: tuple) -> tuple:
        """Walks block j from the last: once more from the last state that is kept to its end, then back to its head."""
        held, pulled = carry
        k = jax.lax.div(most + places.each - 1, places.each) - 1 - j
        begin = k * places.each
        end = jnp.minimum(begin + places.each, most)
        first, varied = places.behind(k, k + j + 1), self.whole(self.moving)

        def advance(i: Array, inner: tuple) -> tuple:
            state, held = inner
            held = _put(held, jnp.where(i < begin, places.far(i), i - begin), state)
            return _advanced(self.loop, varied, self.others, i, state, self.total), held

        # Behind the state before the last step nothing has to be known.
        state, held = jax.lax.fori_loop(first, end - 1, advance, (_at(held, places.far(first)), held))
        held = _put(held, end - 1 - begin, state)
        back = lambda i, pulled: self.step_back(end - 1 - i, _at(held, end - 1 - i - begin), pulled)
        return held, jax.lax.fori_loop(0, end - begin, back, pulled)

    def through(self) -> tuple[PyTree, PyTree]:
        """Gives the cotangent of the start, and the sums of those of the numbers."""
        places, most = self.loop.places(self.start), eqxi.unvmap_max(self.total)
        held = jax.tree.map(lambda x: jnp.zeros((places.room, *x.shape), x.dtype), self.start)
        held = _put(held, places.far(jnp.zeros_like(most)), self.start)
        carry = held, jax.tree.map(jnp.zeros_like, (self.start, self.moving))
        blocks = jax.lax.div(most + places.each - 1, places.each)
        _, found = jax.lax.fori_loop(0, blocks, functools.partial(self.block, places, most), carry)
        # No silent derivative of half a run.
        return jax.tree.map(lambda x: jnp.where(most <= places.each**places.distances, x, jnp.nan), found)


def _put(held: PyTree, place: Array, state: PyTree) -> PyTree:
    return jax.tree.map(lambda h, x: jax.lax.dynamic_update_index_in_dim(h, x, place, 0), held, state)


def _at(held: PyTree, place: Array) -> PyTree:
    return jax.tree.map(lambda h: jax.lax.dynamic_index_in_dim(h, place, keepdims=False), held)


def _forwards(loop: Loop, varied: PyTree, *rest: PyTree) -> tuple:
    moving, still = divided(varied)
    others, start, total, known = arrays_of((*rest, None)[:4])
    found = replayed(loop, eqx.combine(moving, still), others, start, total, known)
    return found, (moving, still, others, start, total, known)


def _backwards(loop: Loop, residual: tuple, cts: PyTree) -> tuple:
    moving, still, others, start, total, states = residual
    replay = _Replay(loop, moving, still, others, start, total, arrays_of(cts))
    if states is not None and loop.all_kept:
        carry = jax.tree.map(jnp.zeros_like, (start, moving))
        held = jax.tree.map(lambda x, later: jnp.concatenate([x[None], later[:-1]]), start, states)
        at = lambda i: jax.tree.map(lambda h: h[i], held)
        pull = lambda j, carry: replay.step_back(total - 1 - j, at(total - 1 - j), carry)
        ct, found = jax.lax.fori_loop(0, loop.outputs, pull, carry)
        return found, None, ct, None, None
    ct, found = replay.through()
    return found, None, ct, None, None


def pulled_back(
    loop: Loop, moving: PyTree, still: PyTree, others: PyTree, start: PyTree, total: Array
) -> tuple[PyTree, PyTree]:
    """Gives cotangents of the numbers that vary and of the start; `loop.back` adds those of what each step gives."""
    nothing = jax.tree.map(lambda x: jnp.zeros((loop.outputs, *x.shape), x.dtype), start)
    ct, found = _Replay(loop, moving, still, others, start, total, nothing).through()
    return found, ct


replayed.defvjp(_forwards, _backwards, symbolic_zeros=True)
