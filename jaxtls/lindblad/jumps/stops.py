"""Times at which steps end: outputs and edges."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ..._checks import concrete, finite, real, require, times


def output_times(tsave: PyTree, t0: PyTree) -> tuple[Array, Array]:
    """The output times (T,), of which there may be one, and the time of the initial state.

    Raises:
        ValueError: naming `tsave` or `t0`.
    """
    ts = real("tsave", tsave)
    ts = finite("tsave", ts.reshape(1)) if ts.size == 1 else times("tsave", tsave)
    if t0 is None:
        return ts, ts[0]
    start = finite("t0", t0)
    require(start.ndim == 0, "t0", "be one time", f"shape {start.shape}")
    first, begin = concrete(ts), concrete(start)
    good = first is None or begin is None or bool(begin <= first[0])
    require(good, "t0", "not lie behind tsave[0]", t0)
    return ts, start.astype(ts.dtype)


def stops(start: Array, later: Array, edges: Array | None, offset: int) -> tuple[Array, Array, Array]:
    """Outputs behind the start, and edges, in order; the column of each among the outputs, or one past them; and
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
