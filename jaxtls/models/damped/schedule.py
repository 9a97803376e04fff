"""Takes quantities of time given as functions: alpha(t) and F(t), and what follows from them from time 0 on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import concrete, finite, refused, require
from ..._types import Numbers
from ...dynamics.evolve import evolve

State = TypeVar("State")


def function_of_time(name: str, value: Callable) -> Any:
    """Makes a callable t -> scalar a pytree; an eqx.Module keeps its leaves and so its gradients."""
    if not isinstance(value, eqx.Module | jax.tree_util.Partial):
        value = jax.tree_util.Partial(value)
    found = jax.eval_shape(value, jnp.zeros(()))
    shape = found.shape if isinstance(found, jax.ShapeDtypeStruct) else None
    require(shape == (), name, "return a scalar for a scalar time", f"a result of shape {shape}")
    return value


def states_from_zero(flow: eqx.Module, initial: State, ts: Numbers) -> State:
    """Gives states of a flow that starts at time 0, at ascending times ts >= 0, to ten digits (five if single).

    Arguments:
        flow: an eqx.Module with `vector_field`.
        initial: its state at time 0.
        ts: a scalar, or (T,), T >= 1; traced, a scalar > 0, or (T,) that starts at 0.

    Returns:
        The states, with the shape of ts as leading axis.
    """
    times = finite("ts", ts, "Times must be finite.")
    known = concrete(times)
    if times.ndim == 0:
        several = jnp.stack([jnp.zeros_like(times), times]) if known is None else times[None]
        return jax.tree.map(lambda leaf: leaf[-1], states_from_zero(flow, initial, several))
    require(times.ndim == 1, "ts", "be a scalar or 1-D where `damping` is a function", f"shape {times.shape}")
    skipped = 0
    if known is not None:
        require(
            bool(np.all(known >= 0) and np.all(np.diff(known) > 0)),
            "ts",
            "ascend from a time >= 0 where `damping` is a function",
            known,
            "The oscillator is prepared at time 0.",
        )
        if len(known) == 1 and known[0] == 0:
            return jax.tree.map(lambda leaf: leaf[None], initial)
        if known[0] > 0:
            times, skipped = jnp.concatenate([jnp.zeros(1, times.dtype), times]), 1
    else:
        times = refused(times, times[0] != 0, "Traced `ts` must start at 0 where `damping` is a function.")
    rtol = 1e-10 if _precise(initial) else 1e-5
    sol = evolve(flow, initial, times, save_states=True, rtol=rtol, atol=rtol / 100)
    return jax.tree.map(lambda leaf: leaf[skipped:], sol.states)


def _precise(state: PyTree) -> bool:
    return all(leaf.real.dtype == jnp.float64 for leaf in jax.tree.leaves(state))


class Contraction(eqx.Module):
    """Moves by lambda(t) = int_0^t alpha: d lambda/dt = alpha(t)."""

    damping: Any

    def vector_field(self, t: ArrayLike, y: Array, args: PyTree = None) -> Array:
        """Gives the slope alpha(t) of the contraction."""
        return jnp.asarray(self.damping(t), y.dtype)
