"""Says when a run begins and what is recorded of it: `tsave`, of which there may be one, and `t0`."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._checks import concrete, finite, real, require, times
from ..dynamics.solution import Solution
from .operators import TimesLike


def output_times(tsave: TimesLike, t0: TimesLike | None) -> tuple[Array, Array | None]:
    """Gives the output times (T,), and the time of the initial state where it is not the first of them.

    Raises:
        ValueError: naming `tsave` or `t0`.

    Example:
        >>> ts, start = output_times(3.0, 0.0)
        >>> ts.tolist(), float(start)
        ([3.0], 0.0)
    """
    ts = real("tsave", tsave)
    if ts.size != 1:
        ts = times("tsave", ts)
    else:
        ts = finite("tsave", ts.reshape(1))
        remedy = "Give the time of the initial state, as in t0=0.0."
        require(t0 is not None, "tsave", "have two times or more where `t0` is not given", tsave, remedy)
    if t0 is None:
        return ts, None
    start = finite("t0", t0)
    require(start.ndim == 0, "t0", "be one time", f"shape {start.shape}")
    first, begin = concrete(ts), concrete(start)
    if first is None or begin is None:
        return ts, start.astype(ts.dtype)
    good = begin < first[0] if len(first) == 1 else begin <= first[0]
    require(bool(good), "t0", "not lie behind tsave[0], and before it where that is the only one", t0)
    return ts, None if bool(begin == first[0]) else start.astype(ts.dtype)


def whole_run(ts: Array, start: Array | None) -> Array:
    """Returns all times of a run, its start first."""
    return ts if start is None else jnp.concatenate([start[None], ts])


def at_outputs(solution: Solution, start: Array | None) -> Solution:
    """Returns the solution without the start of the run, where that is no output."""
    if start is None:
        return solution
    cut = lambda tree: jax.tree.map(lambda x: x[1:], tree)
    return dataclasses.replace(
        solution, ts=solution.ts[1:], states=cut(solution.states), observables=cut(solution.observables)
    )
