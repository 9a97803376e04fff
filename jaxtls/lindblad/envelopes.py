"""Makes numbers of time that multiply an operator: functions, samples and splines, and those of other libraries."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import amplitude, concrete, finite, in_transformation, require
from .._types import Numbers
from ..numerics import lapack
from . import foreign
from .numpy_time import ByNumpy, NumpyTime

# What JAX says of a function that asks a traced time for its number.
UNTRACEABLE = (jax.errors.JAXTypeError, jax.errors.JAXIndexError)
ORDERS = (1, 3)
AS_FUNCTION = "Write it as a function of t with jax.numpy, such as lambda t: jnp.cos(2.0 * t)."


class PiecewiseConstant(eqx.Module):
    """Gives values[k] for times[k] <= t < times[k+1] and 0 outside, a number of time whose edges the solver knows.

    Example:
        >>> f = PiecewiseConstant(jnp.array([0.0, 1.0, 2.0]), jnp.array([3.0, 5.0]))
        >>> [float(f(t)) for t in (-0.5, 0.0, 1.0, 1.9, 2.0)]
        [0.0, 3.0, 5.0, 5.0, 0.0]
    """

    times: Array
    values: Array

    def __init__(self, times: Numbers, values: Numbers):
        self.times = _ascending(times)
        self.values = amplitude("values", values)
        wanted = (self.times.shape[0] - 1,)
        require(self.values.shape == wanted, "values", f"have shape {wanted}, one between each two edges", values)

    @property
    def discontinuities(self) -> Array:
        return self.times

    def __call__(self, t: ArrayLike) -> Array:
        held = jnp.concatenate([jnp.zeros_like(self.values[:1]), self.values, jnp.zeros_like(self.values[:1])])
        return held[jnp.searchsorted(self.times, t, side="right")]


class PiecewisePolynomial(eqx.Module):
    """Gives a number of time, sum_j coefficients[j, k] (t - times[k])^(p - j) behind times[k], held beyond both ends.

    Example:
        >>> f = PiecewisePolynomial.through([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 4.0, 9.0])
        >>> [round(float(f(t)), 4) for t in (-1.0, 0.5, 2.5, 4.0)]
        [0.0, 0.25, 6.25, 9.0]
    """

    times: Array  # (K,)
    coefficients: Array  # (p + 1, K), the highest power first; the last column holds the end

    @classmethod
    def through(cls, times: Numbers, values: Numbers, order: int = 3, name: str = "values") -> PiecewisePolynomial:
        """Draws straight lines (order 1) or the cubic spline that is smooth at the second and last but one sample."""
        ts, given = _ascending(times), amplitude(name, values)
        require(order in ORDERS, "order", f"be one of {ORDERS}", repr(order), "For steps use jt.piecewise_constant.")
        must = f"have shape {ts.shape}, one for each time"
        require(given.shape == ts.shape, name, must, f"shape {given.shape}")
        kind = jnp.result_type(given.dtype, ts.dtype)
        steps, y = jnp.diff(ts), given.astype(kind)
        lines = jnp.diff(y) / steps
        last = jnp.zeros((1,), kind)
        if order == 1:
            return cls(ts, jnp.stack([jnp.concatenate([lines, last]), y]))
        slopes = _slopes(steps, lines)
        bend = (slopes[:-1] + slopes[1:] - 2 * lines) / steps
        parts = [bend / steps, (lines - slopes[:-1]) / steps - bend, slopes[:-1]]
        return cls(ts, jnp.stack([*(jnp.concatenate([part, last]) for part in parts), y]))

    def __call__(self, t: ArrayLike) -> Array:
        inside = jnp.clip(jnp.asarray(t, self.times.dtype), self.times[0], self.times[-1])
        place = jnp.clip(jnp.searchsorted(self.times, inside, side="right") - 1, 0, self.times.shape[0] - 1)
        return jnp.polyval(self.coefficients[:, place], inside - self.times[place])


class Steps(PiecewisePolynomial):
    """Holds samples from step to step; the solver has to know their edges."""

    @property
    def discontinuities(self) -> Array:
        return self.times


class _Path(eqx.Module):
    """Follows a diffrax interpolation."""

    path: Any

    def __call__(self, t: ArrayLike) -> Array:
        return self.path.evaluate(jnp.asarray(t, float))


class _Foreign:
    """Calls the Python function of a QuTiP coefficient; it is the same for JAX where that object is the same."""

    def __init__(self, base: Callable) -> None:
        self.base = base

    def __call__(self, t: ArrayLike | NumpyTime) -> ArrayLike | NumpyTime:
        return self.base(t)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Foreign) and other.base is self.base

    def __hash__(self) -> int:
        return id(self.base)


class _Combined(eqx.Module):
    """Combines by QuTiP's name for it: a sum, product, conjugate or squared modulus."""

    parts: tuple[Callable, ...]
    kind: str = eqx.field(static=True)

    def __call__(self, t: ArrayLike) -> Array:
        first, *rest = [jnp.asarray(part(t)) for part in self.parts]
        if self.kind == "ConjCoefficient":
            return jnp.conj(first)
        if self.kind == "NormCoefficient":
            return jnp.abs(first) ** 2
        return first + rest[0] if self.kind == "SumCoefficient" else first * rest[0]


def is_envelope(value: object) -> bool:
    """Says whether it can only be a number of time: text and samples, too, which are refused or need their times."""
    known = foreign.is_plain(value)
    return not known and isinstance(value, str | foreign.Interpolation | foreign.QutipCoefficient)


def as_envelope(name: str, value: object) -> Callable:
    """Returns a function t -> number from whatever may stand for one, with what it closes over as leaves.

    Raises:
        ValueError: it is none, JAX cannot trace it, or it gives no number.
    """
    if isinstance(value, str):
        raise ValueError(f"Argument `{name}` must be a function of time, but got the text {value!r}. {AS_FUNCTION}")
    if isinstance(value, foreign.Interpolation):
        function: object = _Path(value)
    else:
        function = _of_qutip(name, value) if isinstance(value, foreign.QutipCoefficient) else value
    remedy = "Samples: jt.sampled(times, values, op); steps: jt.piecewise_constant(times, values, op)."
    shown = f"an array of shape {np.shape(value)}" if isinstance(value, np.ndarray | jax.Array | list) else repr(value)
    require(foreign.is_callable(function), name, "be a function of time", shown, remedy)
    assert callable(function)
    # Tracing costs more than a short run: once for a function that no transformation can have hidden tracers in.
    leaf = jax.tree_util.all_leaves([function]) and isinstance(function, Hashable)
    outside = leaf and not in_transformation()
    found, shape = _once(name, function) if outside else hoisted(name, function, jnp.asarray)
    require(shape == (), name, "return a number", f"shape {shape}")
    return found


@lru_cache(maxsize=256)
def _once(name: str, function: Callable) -> tuple[Callable, tuple[int, ...]]:
    return hoisted(name, function, jnp.asarray)


def _of_qutip(name: str, value: foreign.QutipCoefficient) -> Callable:
    kind = type(value).__name__
    if kind == "FunctionCoefficient":
        assert callable(value)
        return hoisted(name, _Foreign(value), jnp.asarray)[0]
    if kind == "ConstantCoefficient":
        assert callable(value)
        number = value(0.0)
        return PiecewisePolynomial(jnp.zeros(1), jnp.full((1, 1), number))
    if kind == "InterCoefficient":
        knots, rows = value.__reduce__()[1][:2]
        return (Steps if len(rows) == 1 else PiecewisePolynomial)(jnp.asarray(knots), jnp.asarray(rows))
    if kind in ("SumCoefficient", "MulCoefficient", "ConjCoefficient", "NormCoefficient"):
        held = [part for part in value.__reduce__()[2] if isinstance(part, foreign.QutipCoefficient)]
        return _Combined(tuple(_of_qutip(name, part) for part in held), kind)
    raise ValueError(
        f"Argument `{name}` must be a function or samples of time, but got QuTiP's {kind}, a text that only QuTiP can "
        f"evaluate. {AS_FUNCTION}"
    )


def hoisted(name: str, f: Callable, convert: Callable[[object], ArrayLike]) -> tuple[Callable, tuple[int, ...]]:
    """Gives a function of time with the tracers it closes over as leaves, so that derivatives see them; its shape."""
    _require_time_alone(name, f)

    def converted(t: Array) -> ArrayLike:
        return convert(f(t))

    now = jnp.zeros((), float)
    try:
        closed = jax.make_jaxpr(converted)(now)
    except UNTRACEABLE as error:
        written = None if isinstance(f, ByNumpy) else _by_numpy(f)
        if written is not None:
            return hoisted(name, written, convert)
        raise ValueError(
            f"Argument `{name}` must be a function that JAX can trace, but it asks for the number that the time is "
            f"({type(error).__name__}): write it with jax.numpy, jnp.cos in place of math.cos and jnp.where in place "
            "of if."
        ) from error
    # A pytree shows its leaves itself. Other functions are left alone where they can be: converting compiles anew.
    hidden = jax.tree_util.all_leaves([f]) and any(isinstance(c, jax.core.Tracer) for c in closed.consts)
    if hidden:
        return _Hoisted(eqx.filter_closure_convert(converted, now)), tuple(closed.out_avals[0].shape)
    return f, tuple(closed.out_avals[0].shape)


def _by_numpy(f: Callable) -> ByNumpy | None:
    """Return the function for a time that NumPy's functions understand, if that is all it lacks."""
    found = ByNumpy(f)
    try:
        jax.eval_shape(found, jnp.zeros((), float))
    except Exception:  # whatever a function does with a time that it does not know
        return None
    return found


class _Hoisted(eqx.Module):
    function: Callable

    def __call__(self, t: ArrayLike) -> Array:
        return self.function(jnp.asarray(t, float))


def _require_time_alone(name: str, f: Callable) -> None:
    """Refuse f(t, args) by what has to be done with the arguments."""
    others: list[str] = []
    with suppress(TypeError, ValueError):  # signatures that Python cannot read, of compiled functions
        required = [p for p in inspect.signature(f).parameters.values() if p.default is p.empty]
        others = [p.name for p in required if p.kind in _POSITIONAL][1:]
        others += [f"{p.name}={p.name}" for p in required if p.kind is p.KEYWORD_ONLY]
    bound = ", ".join(others)
    remedy = f"Bind what it takes besides: lambda t: f(t, {bound})."
    require(not others, name, "be a function of time alone", f"one of t, {bound}", remedy)


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _ascending(times: Numbers) -> Array:
    ts = finite("times", times)
    require(ts.ndim == 1 and len(ts) >= 2, "times", "list two times or more", ts.shape)
    known = concrete(ts)
    require(known is None or bool(np.all(np.diff(known) > 0)), "times", "be strictly ascending", times)
    return ts


def _slopes(steps: Array, lines: Array) -> Array:
    """Give the slopes (K,) of the not-a-knot cubic spline at its samples, from (K - 1,) steps and slopes of chords."""
    if lines.shape[0] == 1:
        return jnp.concatenate([lines, lines])
    if lines.shape[0] == 2:
        # A parabola.
        bend = (lines[1] - lines[0]) / (steps[0] + steps[1])
        return jnp.stack([lines[0] - bend * steps[0], lines[0] + bend * steps[0], lines[1] + bend * steps[1]])
    first, last = steps[0] + steps[1], steps[-1] + steps[-2]
    diagonal = jnp.concatenate([steps[1:2], 2 * (steps[:-1] + steps[1:]), steps[-2:-1]])
    upper = jnp.concatenate([first[None], steps[:-1], jnp.zeros(1, steps.dtype)])
    lower = jnp.concatenate([jnp.zeros(1, steps.dtype), steps[1:], last[None]])
    inner = 3 * (steps[1:] * lines[:-1] + steps[:-1] * lines[1:])
    begin = ((steps[0] + 2 * first) * steps[1] * lines[0] + steps[0] ** 2 * lines[1]) / first
    end = (steps[-1] ** 2 * lines[-2] + (2 * last + steps[-1]) * steps[-2] * lines[-1]) / last
    rhs = jnp.concatenate([begin[None], inner, end[None]])
    both = jnp.stack([rhs.real, rhs.imag], 1) if jnp.iscomplexobj(rhs) else rhs[:, None]
    found = lapack.tridiagonal_solve(lower, diagonal, upper, both)
    return jax.lax.complex(found[:, 0], found[:, 1]) if jnp.iscomplexobj(rhs) else found[:, 0]
