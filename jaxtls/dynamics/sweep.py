"""Makes macro steps of an expansion as long as its terms allow, with any number of output times inside each.

exp(d L) z is the sum of a_k(d) U_k for every d up to the end of a step, by the same vectors U_k: an output time costs
its own coefficients, and where what is recorded is linear in the state the vectors are looked at once for all of them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..numerics import frames
from ..numerics.perturbed import arrays_of, divided
from ..numerics.products import tensordot
from ..numerics.replay import Loop, pulled_back
from ..numerics.series import beyond_last, series, summed
from ..numerics.sums import count
from .faber import Ellipse, FaberExpansion, coefficients, enough, size_of, weighed

# Bytes of states that are put together at once.
TOGETHER_BYTES = 2**15
# Outputs at once where they are but a few numbers.
TOGETHER = 16


def whole(parts: PyTree) -> PyTree:
    """Takes all of the parts of a state."""
    return parts


class Sight(eqx.Module):
    """Gives what is kept of the parts of a state, which may have an axis of lanes behind theirs."""

    functionals: PyTree | None
    glance: Callable = eqx.field(static=True)

    def __call__(self, parts: PyTree) -> Array:
        taken = self.glance(parts)
        return taken if self.functionals is None else values_of(self.functionals, taken)


def values_of(functionals: PyTree, taken: PyTree) -> Array:
    """Gives the values (L, ...) of functionals."""
    pairs = zip(jax.tree.leaves(functionals), jax.tree.leaves(taken))
    return functools.reduce(jnp.add, [tensordot(rows, part, rows.ndim - 1) for rows, part in pairs])


class Grid(eqx.Module):
    """Divides the times among equal macro steps: what an ellipse and the times alone settle."""

    # (T + TOGETHER + 1, K + spare) coefficients: of each output from its step's beginning, of nothing, of a step.
    table: Array
    ratio: Array  # of the recurrence
    index: Array  # (T,), the step in which each lies
    steps: Array
    used: Array  # terms

    @property
    def whole(self) -> Array:
        """Gives the coefficients of a step."""
        return self.table[-1]


def grid(ellipse: Ellipse, ts: Array, steps: Array, terms: int, tolerance: float) -> Grid:
    """Finds the coefficients, so many terms at most, and how many of them a step takes."""
    step = (ts[-1] - ts[0]) / steps
    place = jax.lax.stop_gradient((ts - ts[0]) / step)
    index = jnp.clip(jnp.ceil(place - 1e-9).astype(int) - 1, 0, steps - 1)
    lengths = jnp.concatenate([ts - ts[0] - index * step, jnp.zeros(TOGETHER, ts.dtype), step[None]])
    a = coefficients(ellipse, lengths, terms)
    used = enough(a[-1], tolerance)
    table = jnp.pad(weighed(ellipse, a, used), ((0, 0), (0, beyond_last())))
    return Grid(table, jnp.asarray(ellipse.skew / ellipse.capacity, ts.dtype), index, steps, used)


def kept(start: ArrayLike, functionals: PyTree | None) -> jax.ShapeDtypeStruct:
    """Gives the shape of what a sweep keeps of a state."""
    if functionals is None:
        return jax.ShapeDtypeStruct(jnp.shape(start), jnp.result_type(start))
    rows = jax.tree.leaves(functionals)[0]
    return jax.ShapeDtypeStruct(rows.shape[:1], rows.dtype)


class Sweep(eqx.Module):
    """Runs by equal macro steps."""

    expansion: FaberExpansion
    start: Array
    grid: Grid
    functionals: PyTree | None  # (L, ...) of what `glance` takes of the parts of a state; None: the states are kept
    glance: Callable = eqx.field(static=True, default=whole)

    def look(self, parts: PyTree) -> Array:
        """Gives what is kept of a vector."""
        return self.expansion.joined(parts) if self.functionals is None else self.sight(parts)

    @property
    def sight(self) -> Sight:
        """Gives `look` by itself."""
        return Sight(self.functionals, self.glance)

    def kept(self) -> jax.ShapeDtypeStruct:
        """Gives the shape of what is kept of a state."""
        return kept(self.start, self.functionals)

    def together(self) -> int:
        """Says how many outputs are made at once."""
        if self.functionals is not None:
            return TOGETHER
        size = sum(z.size * z.dtype.itemsize for z in jax.tree.leaves(self.start))
        return int(np.clip(TOGETHER_BYTES // size, 1, TOGETHER))

    def step(self, z: Array, weights: Array) -> tuple[Array, Array, Array]:
        """Gives the state behind a step, what is seen of the terms, and the last one's size; forward mode takes it."""
        expansion = self.expansion
        start = expansion.split(expansion.tidy(z))
        how = self.grid.ratio, weights, start, self.grid.used
        total, seen, last = summed(expansion.reduced, self.look, *how, beyond_last())
        return expansion.joined(total), seen, size_of(weights[self.grid.used - 1], last)

    def quick_step(self, z: Array, weights: Array) -> tuple[Array, Array, Array]:
        """Gives the same where nothing is differentiated, in a frame if the states have one."""
        expansion = self.expansion
        if expansion.framed is None:
            return self.step(z, weights)
        start, ratio, used = expansion.tidy(z), self.grid.ratio, self.grid.used
        # Little is taken as it is, and weighed for all terms at once.
        sight = self.sight if self.glance is whole else Sight(None, self.glance)
        total, seen, last = frames.summed(expansion.framed, sight, ratio, weights, start, used)
        if self.glance is not whole:
            seen = jax.vmap(lambda taken: values_of(self.functionals, taken))(seen)
        return total, seen, size_of(weights[used - 1], last)

    def reversible_step(self, z: Array, weights: Array) -> tuple[Array, Array]:
        """Gives the same without the size, with a reverse of its own."""
        expansion = self.expansion
        start = expansion.split(expansion.tidy(z))
        field, look = (eqx.filter_closure_convert(f, start) for f in (expansion.wide or expansion.reduced, self.look))
        varied, rest = eqx.partition((field, look), eqx.is_inexact_array)
        others, static = eqx.partition(rest, eqx.is_array)
        maps = tuple(lambda varied, others, u, k=k: eqx.combine(varied[k], others[k], static[k])(u) for k in (0, 1))
        total, seen = series(maps, varied, others, self.grid.ratio, weights, start, self.grid.used)
        return expansion.joined(total), seen


def swept(sweep: Sweep, most: float | None = None, quick: bool = False) -> tuple[Array, Array]:
    """Gives what is kept at each output, and (summed sizes of last terms, what came to the edge); given up where more
    than `most` did. What is `quick` is not differentiated.
    """
    return swept_by([sweep], 0, most, quick)


def swept_by(
    sweeps: Sequence[Sweep], which: ArrayLike, most: float | None = None, quick: bool = False
) -> tuple[Array, Array]:
    """Makes one of two runs on the same grid that keep the same: what they share is compiled once."""
    sweep, grid = sweeps[0], sweeps[0].grid

    def of(k: int, states: list) -> tuple[list, Array, Array]:
        step = sweeps[k].quick_step if quick else sweeps[k].step
        z, seen, last = step(states[k], grid.whole)
        error = jnp.stack([last, jax.lax.stop_gradient(sweeps[k].expansion.leak(z))])
        return [*states[:k], z, *states[k + 1 :]], seen, error

    def macro(states: list) -> tuple[list, Array, Array]:
        ways = [functools.partial(of, k) for k in range(len(sweeps))]
        return ways[0](states) if len(ways) == 1 else jax.lax.cond(which == 1, ways[1], ways[0], states)

    start = [sweep.start for sweep in sweeps]
    return _walked(macro, grid.table, grid.index, grid.steps, start, sweep.kept(), sweep.together(), most)


def _walked(
    macro: Callable,
    table: Array,
    index: Array,
    steps: Array,
    start: PyTree,
    kept: jax.ShapeDtypeStruct,
    together: int,
    most: float | None = None,
) -> tuple[Array, Array]:
    outputs = index.shape[0]

    def one(m: Array, carry: tuple) -> tuple:
        z, values, error, done = carry
        z, seen, more = macro(z)
        upto = count(index <= m)

        def some(carry: tuple) -> tuple:
            j, values = carry
            mine = jax.lax.dynamic_slice_in_dim(table, j, together)
            # What is written behind the last output of this step is written over by the next.
            found = tensordot(mine, seen, 1)
            return j + together, jax.lax.dynamic_update_slice_in_dim(values, found, j, 0)

        values = jax.lax.while_loop(lambda carry: carry[0] < upto, some, (done, values))[1]
        return z, values, error + more, upto

    carry = (
        start,
        jnp.zeros((outputs + together, *kept.shape), kept.dtype),
        jnp.zeros(2, table.dtype),
        jnp.zeros((), int),
    )
    if most is None:
        _, values, error, _ = jax.lax.fori_loop(0, steps, one, carry)
    else:
        going = lambda carry: (carry[0] < steps) & (carry[1][2][1] <= most)
        _, (_, values, error, _) = jax.lax.while_loop(
            going, lambda carry: (carry[0] + 1, one(*carry)), (jnp.zeros((), int), carry)
        )
    return values[:outputs], error


def reversible(sweep: Sweep) -> Array:
    """Gives what is kept at each output, for reverse mode."""
    grid = sweep.grid
    macro = eqx.filter_closure_convert(sweep.reversible_step, sweep.start, grid.whole)
    varied, rest = eqx.partition((macro, grid.whole), eqx.is_inexact_array)
    others, static = eqx.partition(rest, eqx.is_array)

    def step(varied: PyTree, others: PyTree, z: Array) -> tuple[Array, Array]:
        macro, whole = eqx.combine(varied, others, static)
        return macro(z, whole)

    how = step, sweep.kept(), sweep.together()
    return _reversed(how, varied, grid.table, others, grid.index, sweep.start, grid.steps)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _reversed(
    how: tuple[Callable, jax.ShapeDtypeStruct, int],
    varied: PyTree,
    weights: Array,
    others: PyTree,
    index: Array,
    start: Array,
    steps: Array,
) -> Array:
    step, kept, together = how
    macro = lambda z: (*step(varied, others, z), jnp.zeros(2, weights.dtype))
    return _walked(macro, weights, index, steps, start, kept, together)[0]


def _forwards(how: tuple, varied: PyTree, weights: PyTree, *rest: PyTree) -> tuple:
    moving, still = divided(varied)
    moving_weights, _ = divided(weights)
    plain = arrays_of((weights, *rest))
    return _reversed(how, eqx.combine(moving, still), *plain), (moving, still, moving_weights is not None, *plain)


def _backwards(how: tuple, residual: tuple, cts: Array) -> tuple:
    (of, _, together), cts = how, arrays_of(cts)
    moving, still, weighted, weights, others, index, start, steps = residual
    given = jnp.pad(cts, ((0, together), *((0, 0),) * (cts.ndim - 1)))
    rows, places = weights, jnp.pad(index, (0, together), constant_values=-1)

    def step(varied: PyTree, others: PyTree, i: Array, state: tuple) -> tuple:
        return of(varied, others, state[0])[0], state[1]

    def back(whole: Callable, moving: PyTree, others: PyTree, i: Array, state: tuple, ct: tuple) -> tuple:
        (_, seen), pull = jax.vjp(lambda moving, z: of(whole(moving), others, z), moving, state[0])
        upto = count(index <= i)

        def some(carry: tuple) -> tuple:
            j, of_seen, of_weights = carry
            cut = lambda x: jax.lax.dynamic_slice_in_dim(x, j, together)
            mine = jnp.where(cut(places) == i, 1.0, 0.0).astype(rows.dtype)
            these = cut(given)
            of_seen = of_seen + tensordot(mine[:, None] * cut(rows), these, ((0,), (0,)))
            if weighted:
                axes = tuple(range(1, seen.ndim))
                found = tensordot(these, seen, (axes, axes))
                put = cut(of_weights) + mine[:, None] * found
                of_weights = jax.lax.dynamic_update_slice_in_dim(of_weights, put, j, 0)
            return j + together, of_seen, of_weights

        begun = count(index < i), jnp.zeros_like(seen), ct[1]
        _, of_seen, of_weights = jax.lax.while_loop(lambda carry: carry[0] < upto, some, begun)
        found, before = pull((ct[0], of_seen))
        return found, (before, of_weights)

    # The cotangent of the coefficients is collected beside that of the state.
    loop = Loop(step, lambda others, i: jnp.asarray(1), 1, back)
    begin = start, jnp.zeros_like(rows) if weighted else jnp.zeros(0, rows.dtype)
    found, (ct, of_weights) = pulled_back(loop, moving, still, others, begin, steps)
    return found, of_weights if weighted else None, None, None, ct, None


_reversed.defvjp(_forwards, _backwards, symbolic_zeros=True)
