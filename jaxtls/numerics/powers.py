"""Makes a step of Tsit5 where the right-hand side is a constant linear map L: a polynomial of hL.

    w_0 = y,  w_(k+1) = h L w_k:   y(h) = sum_k c_k w_k,   error = sum_k e_k w_k,   h L y(h) = sum_k c_k w_(k+1)

The numbers are those of `tsit5`, to rounding. A stage reads one array, where a stage of the pair reads all slopes in
front of it: on a GPU each is one kernel, and the heated oscillator's step took 8 where it took 19.

Source: E. Hairer, G. Wanner, Solving Ordinary Differential Equations II (Springer, 1996), Section IV.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from .._platform import platform
from .tsit5 import LOWER, STAGES, E, Field, Stage


def _coefficients() -> tuple[np.ndarray, np.ndarray]:
    """Compute c_0 .. c_7, the last of them zero, and e_0 .. e_7."""
    tableau = np.vstack([np.zeros((1, STAGES)), LOWER])
    # Column k: what the slopes of all stages have of w_(k+1)/h.
    slopes = np.stack([np.linalg.matrix_power(tableau, k) @ np.ones(STAGES) for k in range(STAGES)], 1)
    error = np.concatenate([[0.0], np.array(E) @ slopes])
    # Up to the order of the embedded method nothing is left but rounding.
    error[:5] = 0.0
    return np.concatenate([[1.0], LOWER[-1] @ slopes]), error


RESULT, ERROR = _coefficients()
# Of h L y(h).
SLOPE = np.concatenate([[0.0], RESULT[:-1]])


def step(field: Field, times: Callable[[ArrayLike], Array], h: Array, y: PyTree, first: PyTree) -> tuple:
    """Gives state at the end, slope there and error, from y and its slope `first`, as `tsit5.step`.

    Stages are turns of a loop on a CPU, as there.
    """
    t = times(0.0)
    move = lambda w: jax.tree.map(lambda f: h * f, field(t, w))
    start = jax.tree.map(lambda f: h * f, first)
    if platform() == "cpu":
        last, held = _walked(move, start, STAGES - 1)
        powers = [y, *(jax.tree.map(lambda w, k=k: w[k], held) for k in range(STAGES - 1)), last]
    else:
        powers = [y, start]
        for _ in range(STAGES - 1):
            powers.append(move(powers[-1]))
    after, slope, error = (jax.tree.map(lambda *ws, row=row: _sum(row, ws), *powers) for row in (RESULT, SLOPE, ERROR))
    # The slope of a step of no length is asked for by nobody.
    return after, jax.tree.map(lambda s: s / jnp.where(h == 0, 1, h), slope), error


def moved(stage: Stage, y: PyTree) -> PyTree:
    """Gives y at the end of a step, without an error, as `tsit5.moved`."""
    last, held = _walked(lambda w: stage(jnp.zeros((), int), w), y, STAGES - 1)
    return jax.tree.map(lambda ws, w: _sum(RESULT[:STAGES], [*ws, w]), held, last)


def pulled(
    stage: Stage, back: Callable[[Array, PyTree, PyTree], tuple[PyTree, PyTree]], y: PyTree, ct: PyTree, zero: PyTree
) -> tuple[PyTree, PyTree]:
    """Transposes `moved`, as `tsit5.pulled` does: u_k = c_k ct + (hL)^T u_(k+1), each u paired with its power."""
    k = jnp.zeros((), int)
    _, held = _walked(lambda w: stage(k, w), y, STAGES - 1)

    def one(carry: tuple, inputs: tuple) -> tuple[tuple, None]:
        u, found = carry
        weight, w = inputs
        more, here = back(k, w, u)
        u = jax.tree.map(lambda c, x: _like(weight, c) * c + x, ct, here)
        return (u, jax.tree.map(jnp.add, found, more)), None

    start = jax.tree.map(lambda c: _like(RESULT[STAGES - 1], c) * c, ct)
    (u, found), _ = jax.lax.scan(one, (start, zero), (RESULT[: STAGES - 1], held), reverse=True)
    return found, u


def _walked(move: Callable[[PyTree], PyTree], start: PyTree, turns: int) -> tuple[PyTree, PyTree]:
    """Apply the map so many times; give what stood before each, too."""
    return jax.lax.scan(lambda w, _: (move(w), w), start, None, length=turns)


def _sum(weights: np.ndarray, powers: Sequence[Array]) -> Array:
    terms = [_like(weight, w) * w for weight, w in zip(weights, powers) if weight]
    return sum(terms[1:], terms[0])


def _like(weight: ArrayLike, x: Array) -> Array:
    return jnp.asarray(weight, x.real.dtype)
