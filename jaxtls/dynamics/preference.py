"""Says what "auto" stands for: the method that a type of model prefers, and why."""

import functools
from typing import NamedTuple

from jaxtyping import Array, PyTree

from .methods.base import AbstractMethod
from .methods.diffrax import Diffrax
from .methods.splitting import Splitting
from .model import AbstractModel


class Choice(NamedTuple):
    """Holds a method, and why it runs: the words that follow its name in `print(sol)`."""

    method: AbstractMethod
    why: str


@functools.singledispatch
def preferred(model: AbstractModel, y0: PyTree, ts: Array, edges: Array | None) -> Choice:
    """Prefers `Splitting` where the model can and nothing jumps, else diffrax. Rooms above register their own types."""
    if not model.can_split:
        return Choice(Diffrax(), "because the model is known by its right-hand side alone")
    if edges is not None:
        return Choice(Diffrax(), "because steps must end at the discontinuities, and those of the splitting do not")
    return Choice(Splitting(), "because the model splits into parts that are solved exactly")
