"""What "auto" stands for: the method that a type of model prefers."""

import functools

from jaxtyping import Array, PyTree

from .methods.base import AbstractMethod
from .methods.diffrax import Diffrax
from .methods.splitting import Splitting
from .model import AbstractModel


@functools.singledispatch
def preferred(model: AbstractModel, y0: PyTree, ts: Array, edges: Array | None) -> AbstractMethod:
    """`Splitting` where the model can and nothing jumps, else diffrax. Rooms above register their own types."""
    return Splitting() if model.can_split and edges is None else Diffrax()
