"""Makes one step of the Runge-Kutta pair of order 5(4) by Tsitouras, on any pytree.

    y(h) = y + h sum_i b_i k_i,   error = h sum_i e_i k_i,   k_i = f(t + c_i h, y + h sum_j a_ij k_j)

The last stage is the slope at the end, the first of the next step. diffrax has the pair, too; a step without its loop
costs a few kernels, where a step of a general solver carries its controller and its interpolation along: 42 ms in place
of 316 (driven chain of 32 levels).

Source: C. Tsitouras, Comput. Math. Appl. 62, 770 (2011).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from .._platform import platform
from .products import tensordot

C = (0.161, 0.327, 0.9, 0.9800255409045097, 1.0, 1.0)
A = (
    (0.161,),
    (-0.008480655492356989, 0.335480655492357),
    (2.8971530571054935, -6.359448489975075, 4.3622954328695815),
    (5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525),
    (5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383),
    (0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.2900695154360807, 2.324710524099774),
)
# b - b*: the last row of A less that of the embedded method.
E = (
    0.0017800110522257714,
    0.0008164344596567469,
    -0.007880878010261995,
    0.1447110071732629,
    -0.5823571654525552,
    0.45808210592918697,
    -1 / 66,
)

Field = Callable[[Array, PyTree], PyTree]
STAGES = len(C) + 1
LOWER = np.array([[*row, *(0.0,) * (STAGES - len(row))] for row in A])


def step(
    field: Field, times: Callable[[ArrayLike], Array], h: Array, y: PyTree, first: PyTree, products: bool = False
) -> tuple:
    """Gives state at the end, slope there and error, from y and its slope `first`; `times(c)` is a stage's time at c.

    Stages are turns of a loop: written out, a CPU's compiler puts one stage into the next, and each shifted copy of a
    state computes all stages before it anew. On a GPU that is cheap, and turns are not; nor are they where the field
    is made of `products` of matrices, into which nothing is put.
    """
    if products or platform() != "cpu":
        return _written_out(field, times, h, y, first)

    def stage(carry: tuple, inputs: tuple) -> tuple[tuple, None]:
        slopes, _ = carry
        k, c, row = inputs
        moved = jax.tree.map(lambda z, ks: z + h * _combined(row, ks), y, slopes)
        found = field(times(c), moved)
        return (jax.tree.map(lambda ks, f: ks.at[k].set(f), slopes, found), moved), None

    slopes = jax.tree.map(lambda f: jnp.zeros((STAGES, *f.shape), f.dtype).at[0].set(f), first)
    inputs = np.arange(1, STAGES), np.array(C, h.dtype), LOWER.astype(h.dtype)
    (slopes, moved), _ = jax.lax.scan(stage, (slopes, y), inputs)
    error = jax.tree.map(lambda ks: h * _combined(np.array(E, h.dtype), ks), slopes)
    return moved, jax.tree.map(lambda ks: ks[-1], slopes), error


def _written_out(field: Field, times: Callable[[ArrayLike], Array], h: Array, y: PyTree, first: PyTree) -> tuple:
    """Do what `step` does, stage by stage."""
    total = lambda weights, ks: sum(weight * k for weight, k in zip(weights[1:], ks[1:]) if weight) + weights[0] * ks[0]
    slopes, moved = [first], y
    for c, row in zip(C, A):
        moved = jax.tree.map(lambda z, *ks, row=row: z + h * total(row, ks), y, *slopes)
        slopes.append(field(times(c), moved))
    error = jax.tree.map(lambda *ks: h * total(E, ks), *slopes)
    return moved, slopes[-1], error


# A stage: k, y -> h times the slope at stage k, for y there.
Stage = Callable[[Array, PyTree], PyTree]
# Of the stages in front of each stage, and of all of them in the result.
ROWS, RESULT = np.concatenate([np.zeros((1, STAGES - 1)), LOWER[:-1, :-1]]), LOWER[-1, :-1]


def moved(stage: Stage, y: PyTree) -> PyTree:
    """Gives y at the end of a step, without an error."""
    return _stages(stage, y)[0]


def pulled(
    stage: Stage, back: Callable[[Array, PyTree, PyTree], tuple[PyTree, PyTree]], y: PyTree, ct: PyTree, zero: PyTree
) -> tuple[PyTree, PyTree]:
    """Transposes `moved`: gives cotangents of what the stages vary with, which `zero` has the form of, and of y.

    `back(k, y, ct)` is that of a stage.
    """
    _, states = _stages(stage, y)
    cts = jax.tree.map(lambda c: RESULT.astype(c.real.dtype).reshape(-1, *(1,) * c.ndim) * c, ct)

    def stage_back(carry: tuple, inputs: tuple) -> tuple[tuple, None]:
        cts, total, found = carry
        k, row, state = inputs
        more, here = back(k, state, jax.tree.map(lambda c: c[k], cts))
        cts = jax.tree.map(lambda c, x: c + row.reshape(-1, *(1,) * x.ndim) * x, cts, here)
        plus = functools.partial(jax.tree.map, jnp.add)
        return (cts, plus(total, here), plus(found, more)), None

    inputs = np.arange(STAGES - 1), _as_steps(y, ROWS), states
    (_, total, found), _ = jax.lax.scan(stage_back, (cts, ct, zero), inputs, reverse=True)
    return found, total


def _stages(stage: Stage, y: PyTree) -> tuple[PyTree, PyTree]:
    """Give y at the end, and at each stage."""

    def one(steps: PyTree, inputs: tuple) -> tuple[PyTree, PyTree]:
        k, row = inputs
        state = jax.tree.map(lambda z, ks: z + _combined(row, ks), y, steps)
        found = stage(k, state)
        return jax.tree.map(lambda ks, f: ks.at[k].set(f), steps, found), state

    empty = jax.tree.map(lambda z: jnp.zeros((STAGES - 1, *z.shape), z.dtype), y)
    steps, states = jax.lax.scan(one, empty, (np.arange(STAGES - 1), _as_steps(y, ROWS)))
    return jax.tree.map(lambda z, ks: z + _combined(RESULT, ks), y, steps), states


def _as_steps(y: PyTree, weights: np.ndarray) -> np.ndarray:
    return weights.astype(jax.tree.leaves(y)[0].real.dtype)


def _combined(weights: Array | np.ndarray, slopes: Array) -> Array:
    return tensordot(jnp.asarray(weights, slopes.dtype), slopes, 1)


def size(error: PyTree, before: PyTree, after: PyTree, rtol: float, atol: float) -> Array:
    """Takes the root mean square of error / (atol + rtol |y|): 1 is just good enough."""
    pairs = zip(*(jax.tree.leaves(tree) for tree in (error, before, after)))
    total, count = jnp.zeros(()), 0
    for e, a, b in pairs:
        scale = atol + rtol * jnp.maximum(jnp.abs(a), jnp.abs(b))
        total, count = total + jnp.sum(jnp.abs(e / scale) ** 2), count + e.size
    return jnp.sqrt(total / count)
