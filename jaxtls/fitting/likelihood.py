"""Fit a model by maximum likelihood: with the face of `fit`, for data whose density is known and not normal."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from .._checks import is_traced, require, size
from . import solvers
from .ascent import Climb, Peak, Settings, climb
from .estimates import AbstractFit, plain, short
from .evaluation import kept, over_starts
from .identifiability import Identifiability, identify
from .modes import either
from .parameters import Parameters, collect
from .transforms import AbstractTransform


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LikelihoodFit(AbstractFit):
    r"""Holds the model of maximum likelihood, its parameters with standard errors, and what the data cannot say.

    Errors are those of the observed information, $\mathrm{cov}^{-1} = -\partial^2 \ln L/\partial v^2$ by the physical
    parameters v at the maximum. Fields as of `FitResult`, with in place of chi2:

    Arguments:
        log_likelihood: ln L at the maximum.
        start_log_likelihood: (n_starts,) ln L at the end of every search; -inf where a search met no finite value.

    Example:
        >>> import equinox as eqx, jax.numpy as jnp, jaxtls as jt
        >>> class Decay(eqx.Module):
        ...     rate: float
        >>> waited = jnp.array([0.3, 0.5, 0.2])
        >>> log_likelihood = lambda m: jnp.sum(jnp.log(m.rate) - m.rate * waited)
        >>> jt.fit_likelihood(log_likelihood, Decay(1.0), free={"rate": jt.Positive()})
        LikelihoodFit: success, ln L 0.2958, 7 steps
          rate  3.0 ± 1.7
    """

    log_likelihood: Float[Array, ""]
    start_log_likelihood: Float[Array, " n_starts"]

    @property
    def aic(self) -> Float[Array, ""]:
        """Gives Akaike's criterion, 2 n - 2 ln L for n free scalars: of models for the same data the lowest is best."""
        return 2 * len(self.names) - 2 * self.log_likelihood

    def to_dict(self) -> dict[str, Any]:
        """Gives all but the model, ready for `json.dumps`; null where not finite."""
        return self._plain() | {
            "log_likelihood": plain(float(self.log_likelihood)),
            "aic": plain(float(self.aic)),
            "start_log_likelihood": plain(np.asarray(self.start_log_likelihood).tolist()),
        }

    def __repr__(self) -> str:
        return "\n".join(self._lines(f"ln L {short(self.log_likelihood)}", self.start_log_likelihood))


def fit_likelihood(
    log_likelihood: Callable[[Any], ArrayLike],
    model: PyTree,
    *,
    free: Mapping[str, AbstractTransform],
    n_starts: int = 1,
    key: Array | None = None,
    max_steps: int = 100,
    atol: float | int = 1e-4,
    progress: bool = False,
) -> LikelihoodFit:
    r"""Fit the free parameters of a model by maximum likelihood, with errors from the observed information.

    $$\hat v = \arg\max \ln L(v), \qquad \mathrm{cov}^{-1} = -\partial^2 \ln L / \partial v^2 |_{\hat v}$$

    Newton's method in unconstrained coordinates, damped. It stops where the Hessian promises a gain of ln L below
    $\mathrm{atol}^2/2$ (or below its round-off): `atol` standard errors from the maximum.

    Arguments:
        log_likelihood: model -> ln L of the data, a real scalar, twice differentiable by JAX; the data are closed over.
            Compiled once a call; decorate it with `equinox.filter_jit` to have the compiled fit kept for further calls
            (from other starting values, say).
        model: any `equinox.Module` or dataclass; its values are the first start, and what is not free stays as it is.
        free: field name to transform; fields of nested models are written with dots ("source.rates_up").
        n_starts: number of searches, the given start included; the others fill the ranges of the transforms evenly.
        key: shuffles the starts where more than one scalar is free; None: a fixed key.
        max_steps: most evaluations of ln L with its Hessian in a search.
        atol: see above.
        progress: show a tqdm bar.

    Returns:
        A `LikelihoodFit`. A search that fails does not raise: see `success` and `message`. A likelihood may have
        several equal maxima (permuted fluctuators): one of them is returned, with errors of its own neighbourhood.

    Raises:
        ValueError: an argument does not fit the model, or `log_likelihood` does not return one real number.

    Example:
        >>> f = jt.Fluctuators(jnp.ones(1), jnp.ones(1), jnp.ones(1))
        >>> ts = 0.2 * jnp.arange(1000.0)
        >>> y = f.sample(jax.random.key(0), ts)[:, 0]  # a record without noise
        >>> free = {"rates_up": jt.Positive(), "rates_down": jt.Positive()}
        >>> found = jt.fit_likelihood(lambda m: m.log_likelihood(ts, y, 0.1), f, free=free)
        >>> found.success, found.values["rates_up"].shape
        (True, (1,))

    Source: B. Efron, D. V. Hinkley, Biometrika 65, 457 (1978), for the observed information.
    """
    require(not is_traced(model), "model", "be concrete", "tracers", "Call jt.fit_likelihood outside jit and grad.")
    n_starts, max_steps = size("n_starts", n_starts), size("max_steps", max_steps)
    require(atol >= 0, "atol", "be >= 0", atol)
    parameters = collect(model, free)
    dtype = _check_value(log_likelihood, parameters)
    v0 = parameters.starts(n_starts, key)
    u0 = np.asarray(jax.vmap(parameters.inverse)(jnp.asarray(v0, float)), float)
    form = ("likelihood", n_starts, str(dtype))
    evaluate = kept(log_likelihood, parameters, form, lambda: _compiled(log_likelihood, parameters, n_starts))
    settings = Settings(parameters.max_steps(), float(atol), float(jnp.finfo(dtype).eps))
    searches = climb(settings, u0, evaluate, max_steps, progress)
    return _result(parameters, settings, v0, searches)


def _check_value(log_likelihood: Callable[[Any], ArrayLike], parameters: Parameters) -> np.dtype:
    """Give the dtype of ln L, which must be one real number."""
    found = jax.eval_shape(lambda v: jnp.asarray(log_likelihood(parameters.put(v))), jnp.zeros(parameters.size))
    good = found.shape == () and jnp.issubdtype(found.dtype, jnp.floating)
    remedy = "Sum it over the data, and take no probability for its logarithm."
    what = f"shape {found.shape}, {found.dtype}"
    require(good, "log_likelihood", "return one real number, ln L", what, remedy)
    return found.dtype


def _compiled(
    log_likelihood: Callable[[Any], ArrayLike], parameters: Parameters, n_starts: int
) -> Callable[[np.ndarray], Peak]:
    """Compile value, gradient and Hessian at points u (k, n), by the chain rule from those in the physical values."""

    def value(v: Array) -> Array:
        return jnp.asarray(log_likelihood(parameters.put(v)))

    def one(u: Array, gradient: Callable) -> tuple[Array, ...]:
        def slope(u: Array) -> Array:
            # Transforms act element by element: one tangent holds the whole derivative.
            return jax.jvp(parameters.forward, (u,), (jnp.ones_like(u),))[1]

        v, dv = jax.jvp(parameters.forward, (u,), (jnp.ones_like(u),))
        d2v = jax.jvp(slope, (u,), (jnp.ones_like(u),))[1]

        def both(v: Array) -> tuple[Array, tuple[Array, Array]]:
            f, g = gradient(v)
            return g, (f, g)

        hessian, (f, g) = jax.jacfwd(both, has_aux=True)(v)
        hessian = (hessian + hessian.T) / 2
        return f, g * dv, hessian * dv * dv[:, None] + jnp.diag(g * d2v), -hessian

    def forward(v: Array) -> tuple[Array, Array]:
        g, f = jax.jacfwd(lambda v: (value(v),) * 2, has_aux=True)(v)
        return f, g

    def build(gradient: Callable) -> Callable:
        function: Any = eqx.filter_jit(over_starts(functools.partial(one, gradient=gradient), n_starts == 1))
        return function.lower(jnp.zeros((n_starts, parameters.size))).compile()  # type: ignore[no-any-return]

    batch = either(lambda: build(jax.value_and_grad(value)), lambda: build(forward))
    return lambda u: Peak(u, *(np.asarray(part, float) for part in batch(jnp.asarray(u, float))))


def _result(parameters: Parameters, settings: Settings, v0: np.ndarray, searches: list[Climb]) -> LikelihoodFit:
    """Give errors, identifiability and words for the highest search; among equals for one that converged."""
    ends = np.array([-np.inf if s.best is None else float(s.best.value) for s in searches])
    near = ends >= np.max(ends) - 1e-6 * (1 + abs(np.max(ends))) if np.isfinite(np.max(ends)) else ends == ends
    search = max(
        (s for s, is_near in zip(searches, near) if is_near),
        key=lambda s: (s.code == solvers.CONVERGED, -np.inf if s.best is None else float(s.best.value)),
    )
    n = parameters.size
    u = np.asarray(parameters.inverse(jnp.asarray(v0[0]))) if search.best is None else search.best.u
    v = parameters.forward(jnp.asarray(u, float))
    values = np.asarray(v, float)
    information = np.zeros((n, n)) if search.best is None else search.best.information
    known = _identify(parameters, values, information, settings.eps)
    covariance = known.covariance_of(np.eye(n)) if search.best is not None else np.full((n, n), np.nan)
    stderr = np.sqrt(np.diag(covariance))
    if search.best is not None:
        known = dataclasses.replace(known, at_bound=parameters.at_bound(values, stderr))
    flat = functools.partial(jnp.asarray, dtype=v.dtype)
    value = np.nan if search.best is None else float(search.best.value)
    return LikelihoodFit(
        model=parameters.put(v),
        values={name: flat(part) for name, part in parameters.split(values).items()},
        stderr={name: flat(part) for name, part in parameters.split(stderr).items()},
        covariance=flat(covariance),
        names=parameters.names,
        success=search.code == solvers.CONVERGED,
        message=_message(search, known),
        identifiability=known,
        n_steps=search.steps,
        start_values={
            name: flat(np.stack([parameters.split(row)[name] for row in np.asarray(v0)])) for name in parameters.start
        },
        parameters=parameters,
        log_likelihood=flat(value),
        start_log_likelihood=flat(ends),
    )


def _identify(parameters: Parameters, values: np.ndarray, information: np.ndarray, eps: float) -> Identifiability:
    """Find directions that the data fix, from a root of the information; what is not positive there is not fixed."""
    scales = parameters.scales(values)
    curvature, V = np.linalg.eigh(scales[:, None] * information * scales)
    least = 100 * eps * len(values) * float(np.max(np.abs(curvature), initial=0.0))
    root = np.sqrt(np.where(curvature > least, curvature, 0.0))[:, None] * V.T / scales
    return identify(root, parameters.names, values, scales, parameters.logarithmic(), 1.0, 0.0, eps)


def _message(search: Climb, known: Identifiability) -> str:
    """Say what happened, and what to do about it."""
    if search.best is None:
        return (
            "log_likelihood(model) or its derivatives are not finite at the start (any of them, if several): evaluate "
            "it there, and start from other values"
        )
    words = []
    if search.code == solvers.OUT_OF_STEPS:
        words.append(f"not converged in {search.steps} steps: raise max_steps, start closer, or free fewer parameters")
    elif search.code == solvers.STALLED:
        words.append(
            f"stopped where steps no longer raise ln L, though its derivatives promise {search.gain:.2g}: make "
            "log_likelihood smoother or more accurate, or start elsewhere"
        )
    if known.unidentified or known.at_bound:
        words.append(str(known))
    return "; ".join(words)
