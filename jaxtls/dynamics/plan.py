"""`Plan` is what was found out about a run before it: the method, its sizes and steps, and for which states."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from .methods.base import AbstractMethod, AbstractPlan


class Plan(eqx.Module):
    """Holds what `jt.plan` found; print it to see what and why.

    Attributes:
        method: the method that runs.
        settings: its sizes, terms and steps.
        chosen: the name of the method as `stats["method"]` gives it.
        why: the reason for it, as `stats["why"]` gives it.
        moved: shapes of the state that it was found for: a ket's plan moves kets.

    Example:
        >>> jt.plan(jt.Lindbladian(jnp.zeros((2, 2)), []), jnp.eye(2) / 2, jnp.array([0.0, 1.0]))
        Plan: matrix exponential, because the equation is constant and has 2 levels (at most 8)
          exponentials of 4 x 4 matrices
    """

    method: AbstractMethod
    settings: AbstractPlan
    chosen: str = eqx.field(static=True)
    why: str = eqx.field(static=True)
    moved: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def moves(self, state: PyTree) -> bool:
        """Says whether it was found for states of these shapes."""
        return self.moved == shapes(state)

    def check(self, state: PyTree) -> None:
        """Refuses states of other shapes."""
        if not self.moves(state):
            raise ValueError(
                f"Argument `plan` must be one for states of shape {_of(shapes(state))}, but got one for "
                f"{_of(self.moved)}. Make it anew: jt.plan."
            )

    def _numbers(self) -> tuple:
        leaves, structure = jax.tree.flatten(self)
        arrays = [np.asarray(leaf) for leaf in leaves]
        return structure, tuple((x.shape, x.dtype.str, x.tobytes()) for x in arrays)

    def __hash__(self) -> int:
        return hash(self._numbers())

    def __eq__(self, other: object) -> bool:
        """Compares plans: equal ones say the same, and one may be a static argument of a compiled function."""
        return isinstance(other, Plan) and self._numbers() == other._numbers()

    def __repr__(self) -> str:
        return f"Plan: {self.chosen}, {self.why}\n  {self.settings.describe()}"


def shapes(state: PyTree) -> tuple[tuple[int, ...], ...]:
    """Lists the shapes of the arrays that a state is made of."""
    return tuple(np.shape(leaf) for leaf in jax.tree.leaves(state))


def _of(shapes: tuple[tuple[int, ...], ...]) -> str:
    return ", ".join(map(str, shapes))
