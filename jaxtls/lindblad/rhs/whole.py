"""The form of a state where no structure pays: the (n, n) matrix itself, with dense products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..lindbladian import Lindbladian


class WholeMatrix(eqx.Module):
    """The face of `BlockPlan` on the matrix as it is."""

    n: int = eqx.field(static=True)

    @property
    def layout(self) -> str:
        return "dense"

    def pack(self, rho: Any) -> Any:
        return rho

    def unpack(self, z: Array) -> Array:
        return z

    def split(self, z: Array) -> Array:
        return z

    def joined(self, z: Array) -> Array:
        return z

    def conjugated(self, z: Array) -> Array:
        return z.conj().T

    def operators(self, ops: Any) -> Any:
        return ops.swapaxes(1, 2)

    def field(self, model: Lindbladian, centre: Any, scale: Any, *, hermitian: bool) -> WholeField:
        return WholeField(model, centre, scale, hermitian)


class WholeField(eqx.Module):
    """(L - centre) / scale, once its constants are made."""

    model: Lindbladian
    centre: Any
    scale: Any
    hermitian: bool = eqx.field(static=True)

    def ready(self) -> Callable[[Array], Array]:
        model = jax.tree.map(jnp.asarray, self.model)
        generator = model.generator(hermitian=self.hermitian)
        return lambda z: (generator(0.0, z, None) - self.centre * z) / self.scale
