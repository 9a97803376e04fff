"""Lists the classes that a file may name. A file holds names, and only those listed here become objects."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from jaxtyping import PyTree

from .. import dynamics, fitting, models
from ..fitting.parameters import Parameters
from ..lindblad.counting import CountingStatistics
from ..lindblad.lindbladian import Lindbladian
from ..lindblad.mesolve import MasterSolution
from ..lindblad.redfield import BlochRedfield
from ..lindblad.secular import SecularRelaxation, WholeRelaxation
from ..lindblad.storage.diagonals import Pattern
from ..lindblad.storage.family import Family, Skeleton
from ..lindblad.trajectories import TrajectoriesResult
from ..models.damped.fock import FockState
from ..models.damped.gaussian import GaussianOscillator, GaussianState
from ..models.damped.schedule import Contraction
from ..models.damped.squeezing import SqueezingFlow, SqueezingState
from ..models.network.states import CovarianceState, DensityState, PopulationState
from ..models.solid.sampling import TLSSample
from ..models.spin_bath import Coefficients, SpinBathFock

# What public classes and results are made of.
PARTS = (
    BlochRedfield, SecularRelaxation, WholeRelaxation,
    Lindbladian, Family, Skeleton, Pattern, MasterSolution, CountingStatistics, TrajectoriesResult, Parameters,
    FockState, GaussianOscillator, GaussianState, Contraction, SqueezingFlow, SqueezingState, CovarianceState,
    DensityState, PopulationState, TLSSample, Coefficients, SpinBathFock,
)  # fmt: skip
# Made of Python functions, or kept by other means.
LEFT_OUT = (
    "AbstractGenerator", "AbstractModel", "Plan", "Splitting", "Faber",
    "MatrixExponential", "StrangSolver", "AbstractTransform", "Trace", "TraceFit", "TraceTable", "ResonatorAnalysis",
    "ResonatorGroup",
)  # fmt: skip


def _public() -> dict[str, type]:
    found: dict[str, type] = {}
    for room in (dynamics, fitting, models):
        found |= {name: value for name, value in vars(room).items() if inspect.isclass(value) and name not in LEFT_OUT}
    return found


REGISTRY: dict[str, type] = {**_public(), **{cls.__name__: cls for cls in PARTS}}
NAMES = {cls: name for name, cls in REGISTRY.items()}


def name_of(cls: type) -> str:
    """Gives the name of a class in files: of jaxtls's own its name, of others with their module.

    Example:
        >>> name_of(jt.EntropicSpring), name_of(dict)
        ('EntropicSpring', 'builtins:dict')
    """
    return NAMES.get(cls, f"{cls.__module__}:{cls.__qualname__}")


def allowed(like: PyTree) -> dict[str, type]:
    """Maps name to class: the registry, and the classes (or those of the instances) in `like`."""
    given = (
        like if isinstance(like, Iterable) and not hasattr(like, "_fields") and not inspect.isclass(like) else (like,)
    )
    classes = [item if inspect.isclass(item) else type(item) for item in given if item is not None]
    return {**REGISTRY, **{name_of(cls): cls for cls in classes}}
