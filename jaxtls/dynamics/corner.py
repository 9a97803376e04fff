"""Moves the first levels alone while next to nothing stands beyond them, interval by interval.

What is small at first grows towards the last levels: an oscillator that is heated needs all of its levels only at the
end of a run. A spring of 60 levels, five periods, takes two thirds of the time where 40 serve until it is warm.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .stepper import AbstractStepper

# Levels of a corner that are watched, at the end of each axis.
WATCHED = 2
# What may stand in and beyond these, as a share of rtol: the state is then wrong by less. Errors of a spring's <x^2>
# are ten to twenty times what is beyond.
SHARE = 0.005

# Packed state -> packed state and an error estimate, or the state alone.
Move = Callable[[PyTree], PyTree]


class Corner(eqx.Module):
    """Holds a stepper whose packed states, of these `shapes`, are the first corner of those of another."""

    stepper: AbstractStepper
    shapes: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    limit: float = eqx.field(static=True)

    def propagators(self, wide: AbstractStepper, h: Array) -> list[PyTree]:
        """Gives the propagators of the stepper of all levels and its own, by one loop: what makes them is compiled
        once."""
        (numbers, rest), (few, _) = (eqx.partition(stepper, eqx.is_inexact_array) for stepper in (wide, self.stepper))
        pairs = jax.tree.map(lambda x, c: jnp.stack([x, _grown(c, x.shape)]), numbers, few)
        both = jax.lax.map(lambda numbers: eqx.combine(numbers, rest).propagators(h), pairs)
        wanted = jax.eval_shape(self.stepper.propagators, h)
        narrow = jax.tree.map(lambda x, shape: _cut(x[1], shape.shape), both, wanted)
        return [jax.tree.map(lambda x: x[0], both), narrow]

    def narrowed(self, z: PyTree) -> PyTree:
        """Cuts the corner out of a packed state of all levels."""
        leaves, structure = jax.tree.flatten(z)
        return jax.tree.unflatten(structure, [_cut(x, shape) for x, shape in zip(leaves, self.shapes)])

    def widened(self, corner: PyTree, z: PyTree) -> PyTree:
        """Puts a corner into zeros of the shapes of z."""
        return jax.tree.map(lambda c, x: _grown(c, x.shape), corner, z)

    def holds(self, z: PyTree) -> Array:
        """Says whether next to nothing of a packed state of all levels stands at the corner's edge or beyond."""
        beyond = jnp.zeros(())
        for x, shape in zip(jax.tree.leaves(z), self.shapes):
            inner = tuple(m if m == n else m - WATCHED for m, n in zip(shape, x.shape))
            beyond += jnp.sum(x.at[tuple(slice(m) for m in inner)].set(0) ** 2)
        return jax.lax.stop_gradient(jnp.sqrt(beyond)) <= self.limit

    def tried(self, inside: Array, narrow: Move, wide: Move, carry: tuple[PyTree, Array]) -> tuple[Array, tuple]:
        """Moves (state, error) by `narrow` where it was inside, and again by `wide` where it is not any more."""

        def corner(carry: tuple) -> tuple:
            z, error = carry
            moved, error = narrow((self.narrowed(z), error))
            moved = self.widened(moved, z)
            return self.holds(moved), (moved, error)

        none = lambda carry: (jnp.asarray(False), carry)
        inside, moved = jax.lax.cond(inside, corner, none, carry)
        return inside, jax.lax.cond(inside, lambda moved, carry: moved, lambda moved, carry: wide(carry), moved, carry)


def _grown(x: Array, shape: tuple[int, ...]) -> Array:
    return jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, n - m, 0) for m, n in zip(x.shape, shape)])


def _cut(x: Array, shape: tuple[int, ...]) -> Array:
    return x[tuple(slice(n) for n in shape)]
