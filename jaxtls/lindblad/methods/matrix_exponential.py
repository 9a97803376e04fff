"""`MatrixExponential` is the method by its name; what it runs stands in `exponential` and `ket`."""

from __future__ import annotations

import equinox as eqx
import numpy as np

from ..._checks import concrete
from ...dynamics.methods.base import AbstractMethod, AbstractPlan
from ...dynamics.problem import Problem
from ...dynamics.solution import Solution
from ...dynamics.stepping import equally_spaced
from ..equation import MasterEquation
from ..schroedinger import SchroedingerEquation
from . import ket
from .exponential import by_exponential, constant_only

# Most levels of the method "auto": exponentials of 64 x 64 matrices.
LEVELS = 8
KET_LEVELS = 64


class ExponentialPlan(AbstractPlan):
    """Nothing has to be chosen: squarings are counted inside the program."""

    n: int = eqx.field(static=True)

    def describe(self) -> str:
        """Tells the size of the exponentials."""
        return f"exponentials of {self.n**2} x {self.n**2} matrices"


class MatrixExponential(AbstractMethod):
    """Takes exp(h L) of one interval, or of each where they differ; for generators that do not depend on time.

    Its cost grows as n^6 and does not depend on rates and times: the choice for few levels and stiff equations.

    Example:
        >>> jt.MatrixExponential().name
        'matrix exponential'

    Source: C. Moler, C. Van Loan, SIAM Rev. 45, 3 (2003).
    """

    @property
    def name(self) -> str:
        """Says "matrix exponential"."""
        return "matrix exponential"

    def refusal(self, problem: Problem) -> str | None:
        """It wants a constant generator."""
        return constant_only(problem)

    def plan(self, problem: Problem) -> ExponentialPlan:
        """Notes the levels."""
        assert isinstance(problem.model, MasterEquation | SchroedingerEquation)
        return ExponentialPlan(problem.model.law.n)

    def run(self, problem: Problem, plan: AbstractPlan) -> Solution:
        """Moves the state through all times, one product after the other."""
        assert isinstance(plan, ExponentialPlan)
        known = concrete(problem.ts)
        uniform = None if known is None else equally_spaced(np.diff(known))
        run = by_exponential if isinstance(problem.model, MasterEquation) else ket.by_exponential
        return run(problem, uniform)
