"""Poses a problem: checks what a user gave, and says what is to be solved, by which method and by which plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .._checks import concrete, finite, in_transformation, is_traced, require, size, times, tolerances, warn
from .._types import Numbers
from .methods.base import AbstractMethod, AbstractPlan
from .model import AbstractModel
from .options import EvolveOptions, GivenObservables, ModelLike, known_options
from .preference import Choice, chosen, preferred
from .problem import Problem
from .user_model import as_model

Recorded = tuple[str, ...] | dict[str, Callable]


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
    must = whole.misfit(y0)
    require(must is None, "y0", str(must), f"shape {y0.shape}" if isinstance(y0, Array) else f"a {type(y0).__name__}")
    ts = ts.astype(jnp.result_type(ts, *(leaf.real.dtype for leaf in jax.tree.leaves(y0))))
    # Steps in double precision would turn a state in single precision into double on the way.
    numeric = lambda leaf: jnp.issubdtype(leaf.dtype, jnp.inexact)
    y0 = jax.tree.map(lambda leaf: leaf.astype(jnp.result_type(leaf, ts.dtype)) if numeric(leaf) else leaf, y0)
    _warn_below_precision(rtol, y0)
    edges = known_edges(whole, discontinuities, ts)
    objection = whole.objection(ts)
    if objection is not None:
        warn(objection)
    method, why = chosen(whole, y0, ts, edges, options)
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
    if plan is not None:
        plan.check(y0)
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


def _hides_tracers(model: AbstractModel, y0: PyTree, ts: Array, observables: Recorded) -> bool:
    """Say whether functions of the user's use numbers that are being traced and are no leaves of the model."""
    if not in_transformation():
        return False
    functions = [] if isinstance(observables, tuple) else [*observables.values()]
    whole = lambda x: isinstance(x, jax.tree_util.Partial)
    if model.closes_over or any(callable(leaf) for leaf in jax.tree.leaves(model, is_leaf=whole)):
        functions.append(lambda y: model.vector_field(ts[0], y, None))
    return any(any(isinstance(c, jax.core.Tracer) for c in jax.make_jaxpr(f)(y0).consts) for f in functions)


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


def _warn_below_precision(rtol: float, y0: PyTree) -> None:
    for dtype in {leaf.dtype for leaf in jax.tree.leaves(y0) if jnp.issubdtype(leaf.dtype, jnp.inexact)}:
        epsilon = float(jnp.finfo(dtype).eps)
        if rtol < 8 * epsilon:
            warn(
                f"rtol = {rtol:g} is below what {dtype} can meet (eps {epsilon:.1e}): "
                'call jax.config.update("jax_enable_x64", True) first, or raise rtol.'
            )
