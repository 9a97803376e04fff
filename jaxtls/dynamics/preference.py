"""Says which method runs, and why: the one that is asked for, else the one that a type of model prefers."""

import functools
from typing import NamedTuple

from jaxtyping import Array, PyTree

from .._checks import require
from .methods.base import AbstractMethod
from .methods.diffrax import Diffrax, Solver
from .methods.splitting import Splitting
from .model import AbstractModel
from .options import OF_DIFFRAX, EvolveOptions, check_of_diffrax


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


def chosen(model: AbstractModel, y0: PyTree, ts: Array, edges: Array | None, options: EvolveOptions) -> Choice:
    """Takes the method that is asked for, else the one that the model prefers."""
    method, solver, plan = options.get("method", "auto"), options.get("solver"), options.get("plan")
    auto = isinstance(method, str) and method == "auto"
    require(auto or plan is None, "method", "be left out where `plan` names it", repr(method))
    named = method if plan is None else plan.method
    unnamed = isinstance(named, str) and named == "auto"
    require(unnamed or solver is None, "method", "be the only one where `solver` is given, too", repr(named))
    given = [name for name in OF_DIFFRAX if options.get(name) is not None]
    if solver is not None or given:
        check_of_diffrax(options)
    if isinstance(named, AbstractMethod):
        require(not given, given[0] if given else "", "be left out where `method` names it all", "both")
        return Choice(named, "asked for by method=" if plan is None else f"named by plan=, there {plan.why}")
    how = options.get("adjoint"), options.get("stepsize_controller"), options.get("dt0")
    if isinstance(method, Solver):
        return Choice(Diffrax(method, *how), "asked for by method=")
    names = '"auto", jt.Splitting(), jt.Faber(), jt.MatrixExponential() or a diffrax solver'
    require(auto, "method", f"be {names}", repr(method))
    if solver is not None:
        return Choice(Diffrax(solver, *how), "asked for by solver=")
    if not given or (model.can_split and edges is None):
        return preferred(model, y0, ts, edges)
    return Choice(Diffrax(None, *how), f"because {' and '.join(f'{name}=' for name in given)} is for diffrax")
