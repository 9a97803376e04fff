"""Says what "auto" stands for in quantum equations, and why."""

from __future__ import annotations

from jaxtyping import Array, PyTree

from ..dynamics.methods.diffrax import Diffrax
from ..dynamics.preference import Choice, preferred
from .equation import MasterEquation
from .generator import AbstractGenerator
from .methods.faber import Faber
from .methods.magnus import LEVELS as FEW_LEVELS
from .methods.magnus import Magnus, fits
from .methods.matrix_exponential import KET_LEVELS, LEVELS, MatrixExponential
from .methods.runge_kutta import RungeKutta
from .schroedinger import SchroedingerEquation

# Most output times of the method whose steps end at each.
MOST_TIMES = 400


@preferred.register(MasterEquation)
def _(model: MasterEquation, y0: PyTree, ts: Array, edges: Array | None) -> Choice:
    law, n = model.law, model.law.n
    if not law.is_constant:
        if n <= FEW_LEVELS and model.hermitian and fits(law):
            return Choice(Magnus(), f"because functions of time move {n} levels (at most {FEW_LEVELS})")
        many = f"{n} levels are too many for Magnus steps (at most {FEW_LEVELS})"
        return _of_time(law, ts, f" and {many}" if n > FEW_LEVELS else "")
    if n <= LEVELS:
        return Choice(MatrixExponential(), f"because the equation is constant and has {n} levels (at most {LEVELS})")
    many = f"{n} levels are too many for a matrix exponential (at most {LEVELS})"
    if law.has_operators:
        return Choice(Faber(), f"because the equation is constant and {many}")
    return Choice(Diffrax(), f"because {many} and nothing bounds the spectrum of this generator for an expansion")


@preferred.register(SchroedingerEquation)
def _(model: SchroedingerEquation, y0: PyTree, ts: Array, edges: Array | None) -> Choice:
    law, n = model.law, model.law.n
    if not law.is_constant:
        return _of_time(law, ts, "")
    if n <= KET_LEVELS:
        few = f"the ket has {n} levels (at most {KET_LEVELS})"
        return Choice(MatrixExponential(), f"because the equation is constant and {few}")
    many = f"the {n} levels of a ket are too many for a matrix exponential (at most {KET_LEVELS})"
    return Choice(Faber(), f"because the equation is constant and {many}")


def _of_time(law: AbstractGenerator, ts: Array, beside: str) -> Choice:
    """Choose Tsit5 of either kind; `beside` says what stands against fewer, longer steps."""
    if not (law.has_operators and law.is_sum):
        return Choice(Diffrax(), "because the equation is not a sum of matrices times functions of time")
    # Steps that end at each of many output times would cost more than an interpolation between longer ones.
    if len(ts) > MOST_TIMES:
        return Choice(Diffrax(), f"because {len(ts)} output times (more than {MOST_TIMES}) are read off longer steps")
    return Choice(RungeKutta(), f"because coefficients are functions of time{beside}")
