"""Lists the options of a run: what each may be, for type checkers, and the refusal of what none of them is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

import equinox as eqx
from jaxtyping import ArrayLike

from .._checks import positive, require
from .methods.base import AbstractMethod
from .methods.diffrax import Adjoint, Solver, StepSizeController
from .plan import Plan

Observables: TypeAlias = Mapping[str, Callable] | Iterable[str] | None
Method: TypeAlias = Literal["auto"] | AbstractMethod | Solver
if TYPE_CHECKING:
    ModelLike: TypeAlias = eqx.Module
    Tolerance: TypeAlias = float
    GivenObservables: TypeAlias = Observables
    GivenMethod: TypeAlias = Method
    GivenSolver: TypeAlias = Solver | None
    GivenAdjoint: TypeAlias = Adjoint | None
    GivenController: TypeAlias = StepSizeController | None
    GivenStep: TypeAlias = ArrayLike | None
else:
    # What is wrong is refused in words that name the argument, also where a checker of types at run time is on.
    ModelLike = Tolerance = GivenObservables = GivenMethod = object
    GivenSolver = GivenAdjoint = GivenController = GivenStep = object


class EvolveOptions(TypedDict, total=False):
    """Holds what every entry hands on to `evolve`, which explains it; what is left out has its default."""

    method: Method
    plan: Plan | None
    solver: Solver | None
    rtol: Tolerance
    atol: Tolerance
    max_steps: int | None
    max_step: float | None
    adjoint: Adjoint | None
    stepsize_controller: StepSizeController | None
    dt0: ArrayLike | None
    progress: bool
    throw: bool | None


# Options that a diffrax solver alone has.
OF_DIFFRAX: tuple[Literal["adjoint", "stepsize_controller", "dt0"], ...] = ("adjoint", "stepsize_controller", "dt0")


def known_options(options: EvolveOptions) -> EvolveOptions:
    """Gives the options that an entry hands on; a misspelt one is named."""
    known = EvolveOptions.__annotations__
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(f"unexpected option {', '.join(unknown)}; there are {', '.join(known)}")
    plan = options.get("plan")
    require(plan is None or isinstance(plan, Plan), "plan", "be made by jt.plan", repr(plan))
    return options


def check_of_diffrax(options: EvolveOptions) -> None:
    """Refuses what diffrax would fail on in words of its own; a class without its brackets, say."""
    kinds = {
        "solver": (Solver, "a solver of diffrax, like diffrax.Dopri5()"),
        "adjoint": (Adjoint, "an adjoint of diffrax, like diffrax.DirectAdjoint()"),
        "stepsize_controller": (StepSizeController, "a controller of diffrax, like diffrax.ConstantStepSize()"),
    }
    for name, (kind, words) in kinds.items():
        value = options.get(name)
        require(value is None or isinstance(value, kind), name, f"be {words}", repr(value))
    if options.get("dt0") is not None:
        require(positive("dt0", options["dt0"]).shape == (), "dt0", "be one number", repr(options["dt0"]))
