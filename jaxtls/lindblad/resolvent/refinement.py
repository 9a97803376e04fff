"""Solves M x = b from an approximate inverse P: minimal residuals over the last directions (GCR).

With good factors one or two steps reach the precision, so the steps are looked at one by one; `lineax.GMRES` looks at
its residual only after each full restart, 60 products with M where three would do.

Source: S. C. Eisenstat, H. C. Elman and M. H. Schultz, SIAM J. Numer. Anal. 20, 345 (1983).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...numerics.products import matmul

# Reorthogonalised once: without it the directions lose their angles after some ten steps.
PASSES = 2
# Step, x, residual, what the next direction comes from, directions, images, whether another step is wanted,
# smallest |M z| / |z|.
State = tuple[Array, Array, Array, Array, Array, Array, Array, Array]
# Share of the residual that a step has to take for the next one to start from what is left.
STANDS = 0.1


def minimal_residuals(
    apply: Callable[[Array], Array], approximate: Callable[[Array], Array], b: Array, rtol: float, most: int, kept: int
) -> tuple[Array, Array]:
    """Solves M x = b, vectors; stops at |M x - b| <= rtol |b|, or after `most` steps; the last `kept` are remembered.

    Also the smallest |M z| / |z| of its directions: near 0 where one is a null vector, which ends the steps.
    """
    least = float(jnp.finfo(b.dtype).eps) ** 0.6
    goal = rtol * jnp.linalg.norm(b)

    def step(state: State) -> State:
        k, x, rest, seed, directions, images, _, shrunk = state
        direction = approximate(seed)
        image = apply(direction)
        before = jnp.linalg.norm(image)
        for _ in range(PASSES):
            shares = matmul(images.conj(), image)
            direction, image = direction - matmul(shares, directions), image - matmul(shares, images)
        size = jnp.linalg.norm(image)
        shrunk = jnp.minimum(shrunk, size / jnp.linalg.norm(direction))
        # What the kept directions already span leads nowhere: all that can be reached is.
        new = size > least * before
        direction, image = (jnp.where(new, part / size, 0) for part in (direction, image))
        share = matmul(image.conj(), rest)
        slot = k % kept
        # Where the residual hardly moves its own direction would come again: the last image leads on, as in GMRES.
        moved = jnp.abs(share) > STANDS * jnp.linalg.norm(rest)
        rest = rest - share * image
        wanted = new & (k + 1 < most) & (jnp.linalg.norm(rest) > goal)
        return (
            k + 1,
            x + share * direction,
            rest,
            jnp.where(moved, rest, image),
            directions.at[slot].set(direction),
            images.at[slot].set(image),
            wanted,
            shrunk,
        )

    nothing = jnp.zeros((kept, b.shape[0]), b.dtype)
    start = (jnp.zeros((), jnp.int32), jnp.zeros_like(b), b, b, nothing, nothing, jnp.linalg.norm(b) > goal)
    found = jax.lax.while_loop(lambda state: state[6], step, (*start, jnp.asarray(jnp.inf, goal.dtype)))
    return found[1], found[7]
