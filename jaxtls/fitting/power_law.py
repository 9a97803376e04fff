"""Finds exponents of power laws from averages with errors."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import ArrayLike

from .._checks import require
from .._types import Numbers


class PowerLaw(NamedTuple):
    """Holds the law C = amplitude t^-exponent from t = since to until, with the standard error of the exponent.

    Example:
        >>> PowerLaw(2.0, 0.1, 3.0, 1.0, 10.0)(2.0)
        0.75
    """

    exponent: float
    exponent_sem: float
    amplitude: float
    since: float
    until: float

    def __call__(self, t: ArrayLike) -> Any:
        return self.amplitude * t**-self.exponent


def fit_power_law(
    ts: Numbers,
    mean: Numbers,
    sem: Numbers | None = None,
    *,
    covariance: Numbers | None = None,
    window: tuple[float, float] | None = None,
    weights: str = "equal",
) -> PowerLaw:
    r"""Finds the exponent of a decaying average: the slope of ln C against ln t over a window, by least squares.

    $$\ln C(t) = \ln a - \beta \ln t$$

    The window ends early where C falls below 3 standard errors. Averages over disorder at different times come from
    the same realizations and are correlated: with their covariance the error of the exponent is exact to first order;
    with standard errors alone it is the largest that any correlation allows, $\sum_i |w_i| \, \mathrm{sem}_i / C_i$
    with $\beta = -\sum_i w_i \ln C_i$.

    Arguments:
        ts: (T,) times > 0, ascending.
        mean: (T,) averages.
        sem: (T,) their standard errors; not needed beside the covariance.
        covariance: (T, T) of the averages, where known.
        window: first and last time of the fit; all by default.
        weights: "equal" at the times given, or "errors", 1/sem² of ln C. For a power law the two agree; where the curve
            bends they do not, so compare them.

    Returns:
        PowerLaw.

    Raises:
        ValueError: naming the argument, its value and the remedy; also where fewer than 3 times are left.

    Example:
        >>> ts = np.geomspace(1.0, 10.0, 9)
        >>> law = jt.fit_power_law(ts, 2 * ts**-1.5, 0.01 * ts**-1.5)
        >>> f"{law.exponent:.3f} {law.amplitude:.3f} {law.exponent_sem:.4f}"
        '1.500 2.000 0.0058'
    """
    t, c = _finite("ts", ts), _finite("mean", mean)
    require(t.ndim == 1 and bool(np.all(t > 0)), "ts", "be one-dimensional and > 0", ts)
    require(c.shape == t.shape, "mean", f"have shape {t.shape}, as `ts`", f"shape {c.shape}")
    require(weights in ("equal", "errors"), "weights", 'be "equal" or "errors"', repr(weights))
    require(sem is not None or covariance is not None, "sem", "be given where `covariance` is not", sem)
    moved = None if covariance is None else np.asarray(covariance, float)
    require(moved is None or moved.shape == (*t.shape, *t.shape), "covariance", "have shape (T, T)", covariance)
    # A variance that is nothing beside the others may be rounded below zero.
    error = np.sqrt(np.maximum(np.diag(moved), 0)) if moved is not None else _finite("sem", sem)
    require(error.shape == t.shape and bool(np.all(error >= 0)), "sem", f"have shape {t.shape}, >= 0", sem)

    first, last = window or (t[0], t[-1])
    inside = np.flatnonzero((t >= first * (1 - 1e-9)) & (t <= last * (1 + 1e-9)))
    kept = inside[np.minimum.accumulate((c > 3 * error)[inside])]
    left = f"There are {len(kept)}."
    require(len(kept) >= 3, "window", "hold 3 times with averages above 3 standard errors", window, left)
    t, c, error = t[kept], c[kept], error[kept]
    known = weights == "equal" or bool(np.all(error > 0))
    require(known, "sem", 'be > 0 for weights="errors"', sem)
    rule, level = line(np.log(t), np.log(c), np.ones_like(t) if weights == "equal" else (c / error) ** 2)
    if moved is None:
        spread = float(np.sum(np.abs(rule) * error / c))
    else:
        relative = moved[np.ix_(kept, kept)] / np.outer(c, c)
        spread = math.sqrt(max(0.0, rule @ relative @ rule))
    return PowerLaw(-float(rule @ np.log(c)), spread, math.exp(level), float(t[0]), float(t[-1]))


def _finite(name: str, value: object) -> np.ndarray:
    """Make it an array in double precision whatever JAX's flag says."""
    try:
        array = np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Argument `{name}` must be an array of real numbers, but got {value!r}.") from error
    require(bool(np.all(np.isfinite(array))), name, "be finite", value)
    return array


def line(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Fits a straight line by weighted least squares: gives the rule with slope = rule . y, and the level at x = 0.

    Example:
        >>> rule, level = line(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]), np.ones(3))
        >>> rule.tolist(), level
        ([-0.5, 0.0, 0.5], 1.0)
    """
    weights = weights / np.sum(weights)
    centre = weights @ x
    rule = weights * (x - centre) / (weights @ (x - centre) ** 2)
    return rule, float(weights @ y - (rule @ y) * centre)
