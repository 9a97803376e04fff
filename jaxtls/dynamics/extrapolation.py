"""Extrapolated splitting is the step for linear models whose generator is a sum of two exactly solvable flows.

A Strang step S(h) = P(h/2) L(h) P(h/2) has an error series in h^2 alone, so
    y(H) = sum_l w_l S(H/l)^l y,   l = 1 .. K,
with Richardson weights w_l is of order 2K: K = 4 costs ten Strang steps for a macro step H. Leaving out l = 1 gives an
error estimate for nothing.

Source: S. Blanes, F. Casas, J. Ros, SIAM J. Sci. Comput. 21, 711 (1999) (extrapolation of symmetric integrators).
"""

from __future__ import annotations

import abc
import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, DTypeLike, PyTree

from ..numerics.namespace import namespace
from .stepper import AbstractStepper


class AbstractSplitting(eqx.Module):
    """Makes a second-order symmetric step of a linear autonomous model.

    `pack`/`unpack` change between the model's state and the form the step likes; `propagators(h)` builds what depends
    on the step size alone; `step(z, propagators)` is one Strang step; `size(seen(z))` measures a difference of states;
    `rate` is 1 / (macro step) at rtol = 1e-6. Many steps in a row are `enter`, as many of `inner`, and `leave`: what
    ends one step and begins the next may so be done at once.
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

    def seen(self, z: PyTree) -> PyTree:
        """Gives the part of a state whose errors are measured."""
        return z

    @abc.abstractmethod
    def size(self, part: PyTree) -> Array: ...

    def enter(self, z: PyTree, propagators: PyTree) -> PyTree:
        """Gives what `inner` moves."""
        return z

    def inner(self, z: PyTree, propagators: PyTree) -> PyTree:
        """Makes one of many steps."""
        return self.step(z, propagators)

    def leave(self, z: PyTree, propagators: PyTree) -> PyTree:
        """Gives the state behind them: undoes `enter`."""
        return z

    def bare(self) -> AbstractSplitting:
        """Gives the same without numbers that `propagators` alone reads: else they had cotangents, of zeros."""
        return self

    def repeated(self, z: PyTree, propagators: PyTree, count: Array) -> PyTree:
        """Makes `count` Strang steps; no reverse mode."""
        begun = self.enter(z, propagators)
        end = jax.lax.fori_loop(0, count, lambda _, current: self.inner(current, propagators), begun)
        return self.leave(end, propagators)


def richardson_weights(levels: tuple[int, ...]) -> np.ndarray:
    """Returns weights of runs with `levels` times as many steps that cancel h^2, h^4, ... up to order 2 len(levels).

    Example:
        >>> richardson_weights((1, 2))
        array([-0.33333333,  1.33333333])
    """
    n2 = np.asarray(levels, float) ** 2
    return np.array([np.prod([a / (a - b) for b in n2 if b != a]) for a in n2])


# Longest macro step, in units of 1/rate, that errs by some 5e-7 with levels 1 .. K (measured on the spring, one
# period).
LONGEST = {2: 0.2, 3: 0.6, 4: 1.15, 5: 1.8, 6: 2.6, 7: 3.4, 8: 4.2}


def macro_steps(durations: ArrayLike, rate: ArrayLike, rtol: float, n_levels: int) -> Any:
    """Counts macro steps for each interval, with levels 1 .. n_levels (errors fall as h^(2 n_levels - 1), stiffness
    included)."""
    tightening = (1e-6 / rtol) ** (1 / (2 * n_levels - 1))
    xp = namespace(durations)
    return xp.maximum(1, xp.ceil(durations * rate * tightening / LONGEST[n_levels] - 1e-9)).astype(int)


def cheapest_levels(durations: np.ndarray, rate: float, rtol: float) -> int:
    """Finds the number of levels with the fewest Strang steps: few for dense outputs, many for outputs far apart."""
    costs = {k: np.sum(macro_steps(durations, rate, rtol, k)) * k * (k + 1) // 2 for k in LONGEST}
    return min(costs, key=lambda k: (costs[k], k))


def cheapest(durations: Array, rate: Array, rtol: float, most: int) -> tuple[Array, Array]:
    """Finds the same among 2 .. `most` inside a program, and the macro steps of each interval with it."""
    numbers = np.arange(2, most + 1)
    steps = jnp.stack([macro_steps(durations, rate, rtol, k) for k in numbers.tolist()])
    best = jnp.argmin(jnp.sum(steps, axis=1) * jnp.asarray(numbers * (numbers + 1) // 2))
    return best + 2, steps[best]


class Extrapolation(AbstractStepper):
    """Makes a macro step of a splitting: `propagators(H)` for all levels at once, `step(z, propagators)` -> (z, error
    estimate).

    Arguments:
        splitting: the step of second order.
        levels: the runs that are combined.
        used: how many of them, levels 1 .. K; None: all. It may be traced: levels beyond cost nothing.
    """

    splitting: AbstractSplitting
    levels: tuple[int, ...] = eqx.field(static=True)
    used: Array | None = None

    def pack(self, y: PyTree) -> PyTree:
        return self.splitting.pack(y)

    def unpack(self, z: PyTree) -> PyTree:
        return self.splitting.unpack(z)

    def propagators(self, h: Array) -> PyTree:
        steps = h / jnp.asarray(self.levels, h.dtype)
        if self.used is None:
            return jax.vmap(self.splitting.propagators)(steps)
        # Of levels beyond, nothing is made.
        make = lambda h: self.splitting.propagators(h)
        none = lambda h: jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(make, h))
        return jax.lax.map(lambda x: jax.lax.cond(x[0] > 0, make, none, x[1]), (self.counts(), steps))

    def step(self, z: PyTree, propagators: PyTree) -> tuple[PyTree, Array]:
        # One scan over the Strang steps of all levels, so that the step is compiled once: (level, is its first step,
        # weight of the result in the sum, weight in the error estimate), the weights nonzero at a level's last step.
        dtype = jax.tree.leaves(z)[0].dtype
        last = np.cumsum(self.levels) - 1
        ends = jnp.zeros((2, last[-1] + 1), dtype).at[:, last].set(jnp.stack(self._weights(dtype)))
        starts = np.isin(np.arange(last[-1] + 1), np.r_[0, last[:-1] + 1])
        order = np.repeat(np.arange(len(self.levels)), self.levels)
        plan = (jnp.asarray(order), jnp.asarray(starts), *ends)

        def one(carry: tuple, plan: tuple) -> tuple[tuple, None]:
            current, total, difference = carry
            level, begins, weight, change = plan
            here = jax.tree.map(lambda p: jax.lax.dynamic_index_in_dim(p, level, keepdims=False), propagators)
            current = self.splitting.step(jax.tree.map(lambda a, b: jnp.where(begins, a, b), z, current), here)
            total = jax.tree.map(lambda t, c: t + weight * c, total, current)
            frozen = jax.lax.stop_gradient(self.splitting.seen(current))
            return (current, total, jax.tree.map(lambda d, c: d + change * c, difference, frozen)), None

        zero = jax.tree.map(jnp.zeros_like, z)
        (_, total, difference), _ = jax.lax.scan(one, (z, zero, self.splitting.seen(zero)), plan)
        return total, self.splitting.size(difference)

    def quick_step(self, z: PyTree, propagators: PyTree) -> tuple[PyTree, Array]:
        """Gives the same numbers with a loop of dynamic length inside each level: a tenth faster; no reverse mode."""

        plan = (propagators, self.counts(), *self._weights(jax.tree.leaves(z)[0].dtype))

        def level(k: Array, carry: tuple) -> tuple:
            total, difference = carry
            here, count, weight, change = jax.tree.map(
                lambda p: jax.lax.dynamic_index_in_dim(p, k, keepdims=False), plan
            )
            end = self.splitting.repeated(z, here, count)
            total = jax.tree.map(lambda t, c: t + weight * c, total, end)
            seen = self.splitting.seen(end)
            return total, jax.tree.map(lambda d, c: d + change * c, difference, seen)

        zero = jax.tree.map(jnp.zeros_like, z)
        number = len(self.levels) if self.used is None else self.used
        total, difference = jax.lax.fori_loop(0, number, level, (zero, self.splitting.seen(zero)))
        return total, self.splitting.size(difference)

    def reversible_step(self, z: PyTree, propagators: PyTree) -> PyTree:
        """Gives the moved state alone, with a transpose of loops as long as the levels in use ask for."""
        weights = self._weights(jax.tree.leaves(z)[0].dtype)[0]
        return _combined((self.splitting.bare(), z, propagators), self.counts(), weights)

    def counts(self) -> Array:
        """Counts the Strang steps of each level."""
        counts = jnp.asarray(self.levels)
        return counts if self.used is None else jnp.where(jnp.arange(len(self.levels)) < self.used, counts, 0)

    def _weights(self, dtype: DTypeLike) -> tuple[Array, Array]:
        """Give the weight of each level's result in the sum, and in the difference to the sum without level 1."""
        most = len(self.levels)
        if self.used is None:
            table = _table(self.levels)
            return jnp.asarray(table[0], dtype), jnp.asarray(table[1], dtype)
        tables = [np.pad(_table(self.levels[:k]), ((0, 0), (0, most - k))) for k in range(2, most + 1)]
        sums, changes = jnp.asarray(np.array(tables), dtype)[self.used - 2]
        return sums, changes


def _table(levels: tuple[int, ...]) -> np.ndarray:
    weights = richardson_weights(levels)
    return np.stack([weights, weights - np.concatenate([[0.0], richardson_weights(levels[1:])])])


@eqx.filter_custom_vjp
def _combined(moving: tuple, counts: Array, weights: Array) -> PyTree:
    """Sum the levels' results with weights; `moving` is (splitting, state, propagators)."""
    splitting, z, propagators = moving

    def level(total: PyTree, plan: tuple) -> tuple[PyTree, None]:
        count, weight, here = plan
        end = splitting.repeated(z, here, count)
        return jax.tree.map(lambda t, c: t + weight * c, total, end), None

    return jax.lax.scan(level, jax.tree.map(jnp.zeros_like, z), (counts, weights, propagators))[0]


@_combined.def_fwd
def _(perturbed: PyTree, moving: tuple, counts: Array, weights: Array) -> tuple[PyTree, None]:
    return _combined(moving, counts, weights), None


@_combined.def_bwd
def _(_: None, ct: PyTree, perturbed: PyTree, moving: tuple, counts: Array, weights: Array) -> tuple:
    splitting, z, propagators = moving
    inexact, others = eqx.partition(splitting, eqx.is_inexact_array)
    zeros, add = functools.partial(jax.tree.map, jnp.zeros_like), functools.partial(jax.tree.map, jnp.add)
    room = jax.tree.map(lambda x: jnp.zeros((counts.shape[0], *x.shape), x.dtype), z)

    def part(name: str) -> Callable:
        return lambda inexact, here, z: getattr(eqx.combine(inexact, others), name)(z, here)

    enter, inner, leave = part("enter"), part("inner"), part("leave")

    def level(total: tuple, plan: tuple) -> tuple[tuple, PyTree]:
        count, weight, here = plan

        def kept(i: Array, carry: tuple) -> tuple:
            z, states = carry
            put = lambda held, x: jax.lax.dynamic_update_index_in_dim(held, x, i, 0)
            return inner(inexact, here, z), jax.tree.map(put, states, z)

        def pulled(step: Callable, at: PyTree, carry: tuple) -> tuple:
            *found, ct = carry
            *more, ct = jax.vjp(step, inexact, here, at)[1](ct)
            return *add(found, more), ct

        end, states = jax.lax.fori_loop(0, count, kept, (enter(inexact, here, z), room))
        begun = pulled(leave, end, (zeros(inexact), zeros(here), jax.tree.map(lambda c: weight * c, ct)))
        at = lambda i, held: jax.lax.dynamic_index_in_dim(held, i, keepdims=False)
        back = lambda i, carry: pulled(inner, jax.tree.map(functools.partial(at, count - 1 - i), states), carry)
        of_splitting, of_here, of_z = pulled(enter, z, jax.lax.fori_loop(0, count, back, begun))
        return add(total, (of_splitting, of_z)), of_here

    (of_splitting, of_z), of_propagators = jax.lax.scan(
        level, (zeros(inexact), zeros(z)), (counts, weights, propagators)
    )
    return of_splitting, of_z, of_propagators
