"""`evolve` is the one entry point that moves any model and records observables as it goes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, TypedDict, Unpack

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from .._checks import (
    concrete,
    finite,
    in_transformation,
    is_traced,
    positive,
    refused,
    require,
    size,
    times,
    tolerances,
)
from .._types import Numbers
from .methods.base import AbstractMethod, AbstractPlan, march, search
from .methods.diffrax import Adjoint, Diffrax, Solver, StepSizeController
from .model import AbstractModel
from .preference import Choice, preferred
from .problem import Problem
from .solution import Solution
from .user_model import as_model

Recorded = tuple[str, ...] | dict[str, Callable]
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


def evolve(
    model: ModelLike,
    y0: PyTree,
    ts: Numbers,
    *,
    observables: GivenObservables = None,
    save_states: bool = False,
    discontinuities: Numbers | None = None,
    method: GivenMethod = "auto",
    plan: Plan | None = None,
    solver: GivenSolver = None,
    rtol: Tolerance = 1e-6,
    atol: Tolerance = 1e-8,
    max_steps: int | None = None,
    max_step: float | None = None,
    adjoint: GivenAdjoint = None,
    stepsize_controller: GivenController = None,
    dt0: GivenStep = None,
    progress: bool = False,
    throw: bool | None = None,
) -> Solution:
    """Move a model's state through the times `ts`, recording observables on the fly.

    dy/dt = model.vector_field(t, y, args), or the model's own exact splitting where it offers one and `solver` is None.

    Arguments:
        model: a jaxtls model, or any eqx.Module with `vector_field(t, y, args)`.
        y0: initial state, a pytree of arrays (from the model's `..._state`).
        ts: (T,) ascending times; may be uneven and may be traced.
        observables: name -> function of the state, or names among the model's own; None records `model.observables`.
            Functions are compiled in: define them once, not anew for each call.
        save_states: keep the states, with a leading time axis.
        discontinuities: (K,) times at which the vector field jumps: a step ends just before each, and the next starts
            just after it. May be traced and differentiated.
        method: "auto", `jt.Splitting()`, `jt.Faber()`, `jt.MatrixExponential()` or any diffrax solver. "auto"
            is the model's splitting if it has one, the expansion or exponential of a constant generator, else Tsit5
            (Dopri8 for rtol <= 1e-8); `.stats["method"]` says which, `.stats["why"]` why.
        plan: sizes and steps found by `jt.plan` at a representative point, for runs inside jit, vmap and grad.
        solver: any diffrax solver; the older name of `method`.
        rtol, atol: relative and absolute tolerance.
        max_steps: most steps to take. None: as many as needed; where parameters or times are
            traced, 1024 macro steps of a splitting in each interval or 65536 steps of a diffrax solver.
        max_step: longest step of a solver that controls its steps [time], for pulses that it would step over.
        adjoint: a diffrax adjoint, for diffrax solvers. None serves both jax.grad and jax.jvp. For reverse mode alone
            on long runs, diffrax.RecursiveCheckpointAdjoint() is faster.
        stepsize_controller, dt0: handed to diffrax, for solvers without an error estimate.
        progress: show a tqdm bar.
        throw: raise when the solver does not finish. None: eager calls do, and inside jit and vmap what it found is NaN
            and `success` False, so that nothing waits for the host; True: also inside jit; False: never.

    Returns:
        Solution: `.observables`, `.states`, `.stats`, `.diagnostics`, `.success`; print it to see whether to trust it.

    Raises:
        ValueError: naming the argument, its value and the remedy.
        RuntimeError: the solver did not finish and `throw` is not False.

    Example:
        >>> import jax.numpy as jnp
        >>> spring = EntropicSpring(omega=1.93, splitting=100.0, gamma=10.0, beta=0.01, n_spins=1000)
        >>> sol = evolve(spring, spring.coherent_state(1.0), jnp.linspace(0.0, 6.28, 11))
        >>> sol.observables["x"].shape
        (11,)

    Source: diffrax (P. Kidger, arXiv:2202.02435); the splitting is described in `dynamics.extrapolation`.
    """
    options: EvolveOptions = {
        "method": method,
        "plan": plan,
        "solver": solver,
        "rtol": rtol,
        "atol": atol,
        "max_steps": max_steps,
        "max_step": max_step,
        "adjoint": adjoint,
        "stepsize_controller": stepsize_controller,
        "dt0": dt0,
        "progress": progress,
    }
    run = posed(model, y0, ts, options, observables, save_states, discontinuities)
    found = march(run.choice.method, run.problem, run.settings, run.choice.why)
    return checked(found, throw, run.problem.traced)


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


class Posed(NamedTuple):
    """Holds a checked problem, the method that will solve it, with its reason, and what a plan settled, if any."""

    problem: Problem
    choice: Choice
    settings: AbstractPlan | None


def posed(
    model: ModelLike,
    y0: PyTree,
    ts: Numbers,
    options: EvolveOptions,
    observables: GivenObservables = None,
    save_states: bool = False,
    discontinuities: Numbers | None = None,
) -> Posed:
    """Says what is to be solved, and how."""
    ts, options = times("ts", ts), known_options(options)
    rtol, atol = options.get("rtol", 1e-6), options.get("atol", 1e-8)
    tolerances(rtol, atol)
    max_steps, max_step = options.get("max_steps"), options.get("max_step")
    max_steps = None if max_steps is None else size("max_steps", max_steps)
    good = max_step is None or (isinstance(max_step, int | float) and max_step > 0)
    require(good, "max_step", "be a positive Python number", repr(max_step))
    stays_known = isinstance(model, AbstractModel) and model.zeros_are_structure
    whole, y0 = as_model(model, _state(y0, stays_known))
    ts = ts.astype(jnp.result_type(ts, *(leaf.real.dtype for leaf in jax.tree.leaves(y0))))
    # Steps in double precision would turn a state in single precision into double on the way.
    numeric = lambda leaf: jnp.issubdtype(leaf.dtype, jnp.inexact)
    y0 = jax.tree.map(lambda leaf: leaf.astype(jnp.result_type(leaf, ts.dtype)) if numeric(leaf) else leaf, y0)
    warn_below_precision(rtol, y0)
    edges = known_edges(whole, discontinuities, ts)
    objection = whole.objection(ts)
    if objection is not None:
        warnings.warn(objection, stacklevel=4)
    method, why = _chosen_method(whole, y0, ts, edges, options)
    recorded = _chosen_observables(whole, observables)
    extras = (method, edges)
    problem = Problem(
        whole,
        y0,
        ts,
        recorded,
        edges,
        save_states=save_states or (observables is None and not recorded),
        rtol=float(rtol),
        atol=float(atol),
        max_steps=max_steps,
        max_step=max_step,
        progress=options.get("progress", False),
        traced=is_traced(whole, y0, ts, extras) or _hides_tracers(whole, y0, ts, recorded),
    )
    plan, refusal = options.get("plan"), method.refusal(problem)
    if plan is not None and not plan.moves(y0):
        raise ValueError(
            f"Argument `plan` must be one for states of shape {_of(shapes(y0))}, but got one for {_of(plan.moved)}. "
            "Make it anew: jt.plan."
        )
    if refusal is not None and plan is not None:
        # What a plan says of structure may hold where its method does not: of a state that is not known, say.
        return _replanned(problem, method, edges, refusal)
    if refusal is not None:
        raise ValueError(f"Argument `method` must {refusal}, but got {method.name}.")
    if plan is not None:
        return Posed(problem, Choice(method, why), plan.settings)
    return Posed(problem, Choice(method, why + method.remark(problem)), None)


def known_edges(model: AbstractModel, discontinuities: Numbers | None, ts: Array) -> Array | None:
    """Gives the user's discontinuities and those that the model knows, as one array of the times' type."""
    edges = [*model.discontinuities]
    if discontinuities is not None:
        edges.append(finite("discontinuities", discontinuities))
    return jnp.concatenate([edge.reshape(-1).astype(ts.dtype) for edge in edges]) if edges else None


def _replanned(problem: Problem, planned: AbstractMethod, edges: Array | None, refusal: str) -> Posed:
    """Pose it without the plan, whose method cannot serve here."""
    method, why = preferred(problem.model, problem.y0, problem.ts, edges)
    told = f"{why}; not as planned ({planned.name}): the method must {refusal}"
    return Posed(problem, Choice(method, told + method.remark(problem)), None)


def _chosen_method(model: AbstractModel, y0: PyTree, ts: Array, edges: Array | None, options: EvolveOptions) -> Choice:
    """Take the method that is asked for, else the one that the model prefers."""
    method, solver, plan = options.get("method", "auto"), options.get("solver"), options.get("plan")
    auto = isinstance(method, str) and method == "auto"
    require(auto or plan is None, "method", "be left out where `plan` names it", repr(method))
    named = method if plan is None else plan.method
    unnamed = isinstance(named, str) and named == "auto"
    require(unnamed or solver is None, "method", "be the only one where `solver` is given, too", repr(named))
    given = [name for name in OF_DIFFRAX if options.get(name) is not None]
    if solver is not None or given:
        _check_of_diffrax(options)
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


def _check_of_diffrax(options: EvolveOptions) -> None:
    """Refuse what diffrax would fail on in words of its own; a class without its brackets, say."""
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


def _hides_tracers(model: AbstractModel, y0: PyTree, ts: Array, observables: Recorded) -> bool:
    """Say whether functions of the user's use numbers that are being traced and are no leaves of the model."""
    if not in_transformation():
        return False
    functions = [] if isinstance(observables, tuple) else [*observables.values()]
    whole = lambda x: isinstance(x, jax.tree_util.Partial)
    if model.closes_over or any(callable(leaf) for leaf in jax.tree.leaves(model, is_leaf=whole)):
        functions.append(lambda y: model.vector_field(ts[0], y, None))
    return any(any(isinstance(c, jax.core.Tracer) for c in jax.make_jaxpr(f)(y0).consts) for f in functions)


def plan(
    model: ModelLike,
    y0: PyTree,
    ts: Numbers,
    *,
    observables: GivenObservables = None,
    save_states: bool = False,
    discontinuities: Numbers | None = None,
    **options: Unpack[EvolveOptions],
) -> Plan:
    """Finds sizes and steps of a run by looking at a representative point, for runs near it inside jit, vmap and grad.

    Arguments:
        model: a jaxtls model, any eqx.Module with `vector_field`, or a generator; with known numbers: take the stiffest
            or largest that will occur.
        y0, ts: state and times of that point.
        observables, save_states, discontinuities, **options: as in `evolve`.

    Returns:
        Plan: pass it as `plan=` to `evolve`, `mesolve`, `sesolve` or `correlation`; print it to see what was chosen.
        There the diagnostics say where it was not enough (`truncation`, `time_error`).

    Raises:
        ValueError: numbers are traced, or an argument is wrong.

    Example:
        >>> spring = jt.EntropicSpring(omega=1.93, splitting=100.0, gamma=10.0, beta=0.01, n_spins=1000)
        >>> y0, ts = spring.coherent_state(1.0), jnp.linspace(0.0, 3.0, 4)
        >>> plan = jt.plan(spring, y0, ts)
        >>> x = lambda g: jt.evolve(dataclasses.replace(spring, gamma=g), y0, ts, plan=plan).observables["x"][-1]
        >>> bool(jnp.isfinite(jax.jit(jax.grad(x))(9.0)))
        True

    Source: the idea is FFTW's (M. Frigo, S. G. Johnson, Proc. IEEE 93, 216 (2005)).
    """
    problem, (method, why), _ = posed(model, y0, ts, known_options(options), observables, save_states, discontinuities)
    if problem.traced:
        raise ValueError("Argument `model` must have known numbers, but got traced ones. Call jt.plan outside jit.")
    settings, _ = search(method, problem, None)
    return Plan(method, settings, method.title(problem, settings), why, shapes(problem.y0))


def _of(shapes: tuple[tuple[int, ...], ...]) -> str:
    return ", ".join(map(str, shapes))


def shapes(state: PyTree) -> tuple[tuple[int, ...], ...]:
    """Lists the shapes of the arrays that a state is made of."""
    return tuple(np.shape(leaf) for leaf in jax.tree.leaves(state))


class Plan(eqx.Module):
    """Holds what `jt.plan` found; print it to see what and why.

    Attributes:
        method: the method that runs.
        settings: its sizes, terms and steps.
        chosen: the name of the method as `stats["method"]` gives it.
        why: the reason for it, as `stats["why"]` gives it.
        moved: shapes of the state that it was found for: a ket's plan moves kets.

    Example:
        >>> jt.plan(jt.Lindbladian(jnp.zeros((2, 2)), []), jnp.eye(2) / 2, jnp.array([0.0, 1.0]))
        Plan: matrix exponential, because the equation is constant and has 2 levels (at most 8)
          exponentials of 4 x 4 matrices
    """

    method: AbstractMethod
    settings: AbstractPlan
    chosen: str = eqx.field(static=True)
    why: str = eqx.field(static=True)
    moved: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def moves(self, state: PyTree) -> bool:
        """Says whether it was found for states of these shapes."""
        return self.moved == shapes(state)

    def _numbers(self) -> tuple:
        leaves, structure = jax.tree.flatten(self)
        arrays = [np.asarray(leaf) for leaf in leaves]
        return structure, tuple((x.shape, x.dtype.str, x.tobytes()) for x in arrays)

    def __hash__(self) -> int:
        return hash(self._numbers())

    def __eq__(self, other: object) -> bool:
        """Compares plans: equal ones say the same, and one may be a static argument of a compiled function."""
        return isinstance(other, Plan) and self._numbers() == other._numbers()

    def __repr__(self) -> str:
        return f"Plan: {self.chosen}, {self.why}\n  {self.settings.describe()}"


def _known(leaf: PyTree) -> PyTree:
    """Make NumPy's array of known numbers, which JAX would trace from here on inside a transformation."""
    known = concrete(leaf) if in_transformation() else None
    if known is None or known.dtype.kind not in "biufc":
        return jnp.asarray(leaf)
    return known.astype(jax.dtypes.canonicalize_dtype(known.dtype))


def _state(y0: PyTree, stays_known: bool) -> PyTree:
    try:
        arrays = jax.tree.map(_known if stays_known else jnp.asarray, y0)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Argument `y0` must be a pytree of arrays, but got {y0!r}.") from error
    for leaf in jax.tree.leaves(arrays):
        known = concrete(leaf) if jnp.issubdtype(leaf.dtype, jnp.inexact) else None
        require(known is None or bool(np.all(np.isfinite(known))), "y0", "be finite", y0)
    return arrays


def _chosen_observables(model: AbstractModel, observables: GivenObservables) -> Recorded:
    if isinstance(observables, Mapping):
        for name, f in observables.items():
            require(callable(f), "observables", "map names to functions of the state", f"{name}: {f!r}")
        return dict(observables)
    own = tuple(model.observables)
    if observables is None:
        return own
    good = isinstance(observables, Iterable) and not isinstance(observables, str)
    require(good, "observables", "be a list of names or a dict of functions", repr(observables))
    known = (*own, *model.optional_observables)
    for name in observables:
        require(name in known, "observables", f"name some of {sorted(known)}", repr(name))
    return tuple(observables)


def checked(solution: Solution, throw: bool | None, traced: bool) -> Solution:
    remedy = (
        "evolve did not finish: it ran out of steps or met a number that is not finite (NaN or infinite)"
        f"{_reached(solution)}. Raise max_steps, shorten the run, or pass throw=False and look at Solution.success."
    )
    if traced or is_traced(solution.success):
        if throw is False:
            return solution
        found = solution.observables, solution.states
        kept = refused(found, ~solution.success, remedy, throw, RuntimeError)
        return eqx.tree_at(lambda s: (s.observables, s.states), solution, kept, is_leaf=lambda x: x is None)
    if throw is not False and not bool(np.all(np.asarray(solution.success))):
        raise RuntimeError(f"{remedy}\n{solution!r}")
    for concern in solution.concerns():
        warnings.warn(concern, stacklevel=4)
    return solution


def _reached(solution: Solution) -> str:
    """Say where a solver that did not finish stands, if that is known."""
    reached = solution.stats.get("reached")
    if reached is None or is_traced(reached) or np.ndim(reached) > 0:
        return ""
    return f" at t = {float(reached):.6g}"


def warn_below_precision(rtol: float, y0: PyTree) -> None:
    for dtype in {leaf.dtype for leaf in jax.tree.leaves(y0) if jnp.issubdtype(leaf.dtype, jnp.inexact)}:
        epsilon = float(jnp.finfo(dtype).eps)
        if rtol < 8 * epsilon:
            warnings.warn(
                f"rtol = {rtol:g} is below what {dtype} can meet (eps {epsilon:.1e}): "
                'call jax.config.update("jax_enable_x64", True) first, or raise rtol.',
                stacklevel=3,
            )
