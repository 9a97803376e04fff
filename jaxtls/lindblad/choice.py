"""What "auto" stands for in quantum equations."""

from __future__ import annotations

from jaxtyping import Array, PyTree

from ..dynamics.methods.base import AbstractMethod
from ..dynamics.methods.diffrax import Diffrax
from ..dynamics.preference import preferred
from .equation import MasterEquation
from .generator import AbstractGenerator
from .lindbladian import Lindbladian
from .methods.faber import Faber
from .methods.magnus import LEVELS as FEW_LEVELS
from .methods.magnus import Magnus, fits
from .methods.matrix_exponential import KET_LEVELS, LEVELS, MatrixExponential
from .methods.runge_kutta import RungeKutta
from .schroedinger import SchroedingerEquation

# Most output times of the method whose steps end at each.
MOST_TIMES = 400


@preferred.register(MasterEquation)
def _(model: MasterEquation, y0: PyTree, ts: Array, edges: Array | None) -> AbstractMethod:
    if not model.law.is_constant or edges is not None:
        few = model.law.n <= FEW_LEVELS and model.hermitian and fits(model.law)
        return Magnus() if few else _of_time(model.law, ts)
    if model.law.n <= LEVELS:
        return MatrixExponential()
    return Faber() if model.law.can_expand else Diffrax()


@preferred.register(SchroedingerEquation)
def _(model: SchroedingerEquation, y0: PyTree, ts: Array, edges: Array | None) -> AbstractMethod:
    if not model.law.is_constant or edges is not None:
        return _of_time(model.law, ts)
    return MatrixExponential() if model.law.n <= KET_LEVELS else Faber()


def _of_time(law: AbstractGenerator, ts: Array) -> AbstractMethod:
    # Steps that end at each of many output times would cost more than an interpolation between longer ones.
    few = len(ts) <= MOST_TIMES
    return RungeKutta() if isinstance(law, Lindbladian) and law.is_sum and few else Diffrax()
