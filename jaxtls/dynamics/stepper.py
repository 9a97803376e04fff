"""Says what moves a state by macro steps must offer."""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, DTypeLike, PyTree


class AbstractStepper(eqx.Module):
    """Makes macro steps of a linear autonomous model.

    `pack`/`unpack` change between the model's state and the form the step likes; `propagators(h)` builds what depends
    on the step size alone; `step(z, propagators)` gives the moved state and an error estimate, and `quick_step` the
    same numbers without reverse mode.
    """

    @abc.abstractmethod
    def pack(self, y: PyTree) -> PyTree: ...

    @abc.abstractmethod
    def unpack(self, z: PyTree) -> PyTree: ...

    @abc.abstractmethod
    def propagators(self, h: Array) -> PyTree: ...

    @abc.abstractmethod
    def step(self, z: PyTree, propagators: PyTree) -> tuple[PyTree, Array]: ...

    def reversible_step(self, z: PyTree, propagators: PyTree) -> PyTree:
        """Gives the moved state alone, by loops that reverse mode takes."""
        return self.step(z, propagators)[0]

    def no_error(self, dtype: DTypeLike) -> Array:
        """Gives what error estimates are added to."""
        return jnp.zeros((), dtype)

    def quick_step(self, z: PyTree, propagators: PyTree) -> tuple[PyTree, Array]:
        return self.step(z, propagators)
