"""Lists the times at which steps end: outputs and edges."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def stops(start: Array, later: Array, edges: Array | None, offset: int) -> tuple[Array, Array, Array]:
    """Orders outputs behind the start, and edges; gives the column of each among the outputs, or one past them, and
    whether it is an edge."""
    count = later.shape[0]
    column = np.arange(offset, offset + count)
    if edges is None:
        return later, jnp.asarray(column), jnp.zeros(count, bool)
    end = later[-1] if count else start
    inside = jnp.clip(edges, start, end)
    found = jnp.concatenate([later, inside])
    order = jnp.argsort(found, stable=True)
    columns = jnp.concatenate([column, np.full(edges.shape, offset + count)])
    flags = jnp.concatenate([jnp.zeros(count, bool), inside == edges])
    return found[order], columns[order], flags[order]
