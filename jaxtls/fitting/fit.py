"""Fit a model to data: least squares with errors, several starts, and an honest word on what the data do not say."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .._checks import is_traced, require, size
from . import solvers
from .data import Shapes, whitened_data
from .evaluation import compiled
from .identifiability import Identifiability, identify
from .parameters import Parameters, collect, replace_fields
from .result import FitResult
from .solvers import Problem, Search


def fit(
    predict: Callable[[Any], PyTree],
    model: PyTree,
    data: PyTree,
    *,
    sigma: PyTree | None = None,
    free: Mapping[str, Any],
    method: str | solvers.Optimiser = "lm",
    n_starts: int = 1,
    key: Array | None = None,
    max_steps: int | None = None,
    rtol: float | int = 1e-6,
    atol: float | int = 1e-5,
    progress: bool = False,
) -> FitResult:
    r"""Fit the free parameters of a model to data by least squares.

    $$\chi^2 = \sum_i |p_i(\mathrm{model}) - d_i|^2 / \sigma_i^2$$

    The search runs in unconstrained coordinates. It stops where the standard errors say that nothing is left to gain: a
    linear model promises a further decrease of chi2 below $\mathrm{atol}^2 + \mathrm{rtol}^2 \chi^2$, that is, the
    parameters stand within `atol` standard errors of the optimum.

    Arguments:
        predict: model -> pytree of arrays like data. Compiled once a call; decorate it with `equinox.filter_jit` to
            have the compiled fit kept and used again for other data of the same shapes.
        model: any `equinox.Module` or dataclass; its values are the first start, and what is not free stays as it is.
        data: pytree of real or complex arrays (complex: real and imaginary part count as two data).
        sigma: standard errors of the data (of each part, where complex), in their units: a number, a pytree like data,
            or one number for each of its leaves; inf leaves a point out. None: 1, with the standard errors of the
            parameters scaled by the root of the reduced chi2.
        free: field name to transform; fields of nested models are written with dots ("bath.gamma").
        method: "lm" (Levenberg-Marquardt), or an optax optimiser, which sees the gradient of chi2 / N.
        n_starts: number of searches, the given start included; the others fill the ranges of the transforms evenly.
        key: shuffles the starts where more than one scalar is free; None: a fixed key.
        max_steps: most evaluations of a search; None: 128 for "lm", 4000 for optax.
        rtol: see above.
        atol: see above; not used where sigma is None.
        progress: show a tqdm bar with the lowest chi2.

    Returns:
        A `FitResult`. A search that fails does not raise: see `success` and `message`.

    Raises:
        ValueError: an argument does not fit the model or the data; the message names it.

    Example:
        >>> import equinox as eqx, jax.numpy as jnp, jaxtls as jt
        >>> class Decay(eqx.Module):
        ...     rate: float
        >>> t = jnp.linspace(0, 2, 9)
        >>> data = jnp.exp(-1.5 * t)
        >>> f = jt.fit(lambda m: jnp.exp(-m.rate * t), Decay(0.3), data, sigma=0.01, free={"rate": jt.Positive()})
        >>> round(float(f.values["rate"]), 6), f.success
        (1.5, True)

    Source: J. J. Moré, in Numerical Analysis, Lecture Notes in Mathematics 630, 105 (Springer, 1978), for the default
    method.
    """
    # Checks
    traced = is_traced(model, data, sigma)
    require(not traced, "model", "be concrete, as data and sigma", "tracers", "Call jt.fit outside jit, grad and vmap.")
    n_starts = size("n_starts", n_starts)
    optax_method = method if isinstance(method, solvers.Optimiser) else None
    require(optax_method is not None or method == "lm", "method", 'be "lm" or an optax optimiser', repr(method))
    for name, value in (("rtol", rtol), ("atol", atol)):
        require(value >= 0, name, "be >= 0", value)
    max_steps = (128 if optax_method is None else 4000) if max_steps is None else size("max_steps", max_steps)
    parameters = collect(model, free)
    shapes, d, w = whitened_data(predict, parameters, data, sigma)

    # Starts
    v0 = parameters.starts(n_starts, key)
    u0 = np.asarray(jax.vmap(parameters.inverse)(jnp.asarray(v0, float)), float)

    # Searches
    evaluate = compiled(predict, parameters, shapes, len(v0), d)
    evaluate.error = ""
    problem = Problem(
        np.asarray(d, float),
        np.asarray(w, float),
        parameters.max_steps(),
        sigma is not None,
        float(rtol),
        float(atol),
        float(jnp.finfo(d.dtype).eps),
    )
    optimiser: Any = solvers.LevenbergMarquardt(problem, u0)
    if optax_method is not None:
        optimiser = solvers.FirstOrder(optax_method, lambda u: evaluate.loss(u, d, w), u0)
    searches = solvers.run(optimiser, problem, u0, evaluate, max_steps, progress)
    return result_of(parameters, shapes, problem, v0, searches, evaluate.error)


def _best(searches: list[Search]) -> Search:
    """Find the lowest chi2; among equals one that converged."""
    lowest = min(searches, key=lambda search: search.chi2)
    converged = [search for search in searches if search.code == solvers.CONVERGED]
    if converged:
        candidate = min(converged, key=lambda search: search.chi2)
        if candidate.chi2 <= lowest.chi2 * (1 + 1e-6) + 1e-6:
            return candidate
    return lowest


def result_of(
    parameters: Parameters,
    shapes: Shapes,
    problem: Problem,
    v0: np.ndarray,
    searches: list[Search],
    error: str,
    values: np.ndarray | None = None,
) -> FitResult:
    """Gives errors, identifiability and words for the best search; its physical values, where the caller knows them."""
    search = _best(searches)
    found = search.best is not None
    n, w = parameters.size, problem.weight
    if search.best is not None:
        u, prediction, J = search.best.u, search.best.prediction, search.best.jacobian * w[:, None]
    else:
        u, prediction, J = (
            np.asarray(parameters.inverse(jnp.asarray(v0[0]))),
            np.full(len(w), np.nan),
            np.zeros((len(w), n)),
        )
    chi2 = search.chi2 if found else np.nan
    if values is None:
        values = np.asarray(parameters.forward(jnp.asarray(u, float)), float)
    known, covariance, dof = _covariance(parameters, problem, values, J, chi2, float(np.linalg.norm(prediction * w)))
    stderr = np.sqrt(np.diag(covariance))
    known = dataclasses.replace(known, at_bound=parameters.at_bound(values, stderr) if found else ())
    success = search.code == solvers.CONVERGED
    if search.code in (solvers.STALLED, solvers.OUT_OF_STEPS):
        # a flat valley too: what steps still promise there is less than an error bar can tell
        success = problem.near_enough(search.decrease, search.chi2)
    dtype = jnp.result_type(float)
    flat = functools.partial(jnp.asarray, dtype=dtype)
    result = FitResult(
        model=replace_fields(parameters.model, {k: flat(part) for k, part in parameters.split(values).items()}),
        values={name: flat(value) for name, value in parameters.split(values).items()},
        stderr={name: flat(value) for name, value in parameters.split(stderr).items()},
        covariance=flat(covariance),
        names=parameters.names,
        chi2=flat(chi2),
        dof=dof,
        residuals=jax.tree.map(jnp.asarray, shapes.unflatten(np.asarray((prediction - problem.data) * w, dtype))),
        predicted=jax.tree.map(jnp.asarray, shapes.unflatten(np.asarray(prediction, dtype))),
        success=success,
        message="",
        identifiability=known,
        n_steps=search.steps,
        start_values={
            name: flat(np.stack([parameters.split(row)[name] for row in np.asarray(v0)])) for name in parameters.start
        },
        start_chi2=flat([search.chi2 for search in searches]),
        parameters=parameters,
    )
    return dataclasses.replace(result, message=_message(result, search, problem.sigma_given, error))


def _covariance(
    parameters: Parameters, problem: Problem, values: np.ndarray, J: np.ndarray, chi2: float, size: float
) -> tuple[Identifiability, np.ndarray, int]:
    """Give what the data fix, the covariance of the free scalars and the degrees of freedom."""
    names, n = parameters.names, parameters.size
    is_log = parameters.logarithmic()
    scales = parameters.scales(values)
    n_data = int(np.sum(problem.weight > 0))
    if not np.isfinite(chi2):
        known = identify(J, names, values, scales, is_log, 1.0, 0.0, problem.eps)
        return dataclasses.replace(known, seen=np.full(n, True)), np.full((n, n), np.nan), n_data - n
    spread = 1.0
    if not problem.sigma_given:
        # The scatter gives the errors; a perfect fit is credited with half the digits.
        spread = float(np.sqrt(max(chi2 / max(n_data - n, 1), problem.eps * size**2 / n_data))) or 1.0
    noise = problem.eps * size
    known = identify(J, names, values, scales, is_log, spread, noise, problem.eps)
    dof = n_data - known.rank
    if not problem.sigma_given:
        true = np.sqrt(chi2 / dof) if dof > 0 else np.nan
        # A perfect fit leaves unknown what the data do not see: 0 times infinity is infinite here.
        errors = known.errors * (true / spread) if true != 0 else np.where(np.isinf(known.errors), np.inf, 0.0)
        known = dataclasses.replace(known, errors=errors)
    return known, known.covariance_of(np.eye(n)), dof


def _message(f: FitResult, search: Search, sigma_given: bool, error: str) -> str:
    """Say what happened, and what to do about it."""
    raised = f"; at some points predict raised: {error}" if error else ""
    code = search.code
    if search.best is None:
        return (
            "predict(model) or its derivative is not finite at the start (any of them, if several): evaluate it there, "
            f"and start from other values{raised}"
        )
    words = []
    if code == solvers.OUT_OF_STEPS and not f.success:
        words.append(f"not converged in {f.n_steps} steps: raise max_steps, start closer, or free fewer parameters")
    elif code == solvers.NOT_FINITE:
        words.append("predict became not finite on the way: lower the optimiser's learning rate, or narrow the ranges")
    elif not f.success:
        words.append(
            f"stopped where steps no longer lower chi2, {np.sqrt(search.decrease):.2g} standard errors from the "
            "optimum that its derivative promises: make predict more accurate (rtol, atol of the solver)"
        )
    known: Identifiability = f.identifiability
    if known.unidentified or known.at_bound:
        words.append(str(known))
    if not sigma_given and f.dof <= 0:
        words.append("as many free parameters as data: give sigma to have standard errors")
    if sigma_given and f.dof > 0 and float(f.p_value) < 1e-6:
        words.append(
            f"chi2/dof = {float(f.reduced_chi2):.3g} is too large for these sigma: a local minimum (raise n_starts), a "
            "model that does not describe the data, or sigma too small"
        )
    return "; ".join(words) + (raised if not f.success else "")
