"""Solutions of M x = b from an approximate inverse P: minimal residuals over the last directions (GCR).

With good factors one or two steps reach the precision, so the steps are looked at one by one; `lineax.GMRES` looks at
its residual only after each full restart, 60 products with M where three would do.

Source: S. C. Eisenstat, H. C. Elman and M. H. Schultz, SIAM J. Numer. Anal. 20, 345 (1983).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

# Reorthogonalised once: without it the directions lose their angles after some ten steps.
PASSES = 2


def minimal_residuals(
    apply: Callable[[Array], Array], approximate: Callable[[Array], Array], b: Array, rtol: float, most: int, kept: int
) -> Array:
    """x of M x = b, vectors; stops at |M x - b| <= rtol |b|, or after `most` steps; the last `kept` are remembered."""
    least = 100 * float(jnp.finfo(b.dtype).eps)
    goal = rtol * jnp.linalg.norm(b)

    def unfinished(state: tuple[Array, ...]) -> Array:
        k, _, rest, _, _, alive = state
        return alive & (k < most) & (jnp.linalg.norm(rest) > goal)

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        k, x, rest, directions, images, _ = state
        direction = approximate(rest)
        image = apply(direction)
        before = jnp.linalg.norm(image)
        for _ in range(PASSES):
            shares = images.conj() @ image
            direction, image = direction - shares @ directions, image - shares @ images
        size = jnp.linalg.norm(image)
        # What the kept directions already span leads nowhere: all that can be reached is.
        new = size > least * before
        direction, image = (jnp.where(new, part / size, 0) for part in (direction, image))
        share = jnp.vdot(image, rest)
        slot = k % kept
        return (
            k + 1,
            x + share * direction,
            rest - share * image,
            directions.at[slot].set(direction),
            images.at[slot].set(image),
            new,
        )

    nothing = jnp.zeros((kept, b.shape[0]), b.dtype)
    start = (jnp.zeros((), jnp.int32), jnp.zeros_like(b), b, nothing, nothing, jnp.asarray(True))
    return jax.lax.while_loop(unfinished, step, start)[1]
