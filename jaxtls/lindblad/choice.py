"""What "auto" stands for in quantum equations."""

from __future__ import annotations

from jaxtyping import Array, PyTree

from ..dynamics.methods.base import AbstractMethod
from ..dynamics.methods.diffrax import Diffrax
from ..dynamics.preference import preferred
from .equation import MasterEquation
from .methods.faber import Faber
from .methods.matrix_exponential import KET_LEVELS, LEVELS, MatrixExponential
from .schroedinger import SchroedingerEquation


@preferred.register(MasterEquation)
def _(model: MasterEquation, y0: PyTree, ts: Array, edges: Array | None) -> AbstractMethod:
    if not model.law.is_constant or edges is not None:
        return Diffrax()
    if model.law.n <= LEVELS:
        return MatrixExponential()
    return Faber() if model.law.can_expand else Diffrax()


@preferred.register(SchroedingerEquation)
def _(model: SchroedingerEquation, y0: PyTree, ts: Array, edges: Array | None) -> AbstractMethod:
    if not model.law.is_constant or edges is not None:
        return Diffrax()
    return MatrixExponential() if model.law.n <= KET_LEVELS else Faber()
