"""Makes the fits behind `--model telegraph`: readings without memory, a fluctuator with equal rates, one, two."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..fitting import Interval, LikelihoodFit, Positive, Real, fit_likelihood
from ..models.fluctuators import Fluctuators, TelegraphRecord
from .tables import Table
from .telegraph_rivals import (
    LINE,
    MIXED,
    NOISE,
    OUTLIERS,
    PAIRS,
    Levels,
    Line,
    Readings,
    along,
    forgetful,
    mixed_start,
    wide_start,
)

ATOL = 0.01  # standard errors: rates beyond the sampling run away for ever
CLEAN = 0.05  # read-out noise that readings of two values are given, over their distance
EQUAL, ONE, TWO = "equal rates", "one fluctuator", "two fluctuators"
RATES = {"source.rates_up": Positive(), "source.rates_down": Positive()}


class EqualRates(eqx.Module):
    """Describes one fluctuator that switches as often up as down."""

    amplitude: Array
    rate: Array
    offset: Array
    sigma: Array

    def build(self) -> TelegraphRecord:
        rate = self.rate[None]
        return TelegraphRecord(Fluctuators(self.amplitude[None], rate, rate), self.offset, self.sigma)


@dataclasses.dataclass
class Fits:
    """Holds fits of a record by name, in the order in which they were made."""

    table: Table
    progress: Progress
    found: dict[str, LikelihoodFit] = dataclasses.field(default_factory=dict)

    def add(
        self, name: str, log_likelihood: Callable[[Any], Array], start: Any, free: dict[str, Any], n: int = 1
    ) -> Any:
        """Fit one form, keep it, and return its model."""
        self.progress.stage(f"{name}, {len(self.table)} readings")
        self.found[name] = fit_likelihood(log_likelihood, start, free=free, n_starts=n, atol=ATOL)
        self.progress.done(f"ln L {float(self.found[name].log_likelihood):.6g}")
        return self.found[name].model

    def exact(self) -> Callable[[TelegraphRecord], Array]:
        """Gives ln L of fluctuators."""
        ts, y = jnp.asarray(self.table["time"]), jnp.asarray(self.table["signal"])
        return lambda m: m.log_likelihood(ts, y)


def two_values(table: Table) -> bool:
    """Says whether the readings take two values only, as those of a parity do."""
    return len(np.unique(table["signal"])) == 2


def fit_variants(table: Table, fluctuators: str, n_starts: int, progress: Progress) -> dict[str, LikelihoodFit]:
    """Makes a fit of each form that the choice "1", "2" or "auto" asks for, by name.

    "auto" leaves two fluctuators out where one does not pay for its parameters; readings of two values have one.
    """
    fits = Fits(table, progress)
    if two_values(table):
        _fit_clean(fits, n_starts)
        return fits.found
    spread = float(np.std(table["signal"]))
    height, around = Positive(decades=1.0), {"offset": Real(width=spread), "sigma": Positive(decades=1.0)}
    _fit_rivals(fits, spread, around)
    exact, guess = fits.exact(), first_guess(table)
    equal = EqualRates(guess.source.amplitudes[0], guess.source.total_rates[0] / 2, guess.offset, guess.sigma)
    free = {"amplitude": height, "rate": Positive(), **around}
    equal = fits.add(EQUAL, lambda m: exact(m.build()), equal, free, n_starts)
    free = {"source.amplitudes": height, **RATES, **around}
    one = fits.add(ONE, exact, equal.build(), free, n_starts)
    if fluctuators == "2" or (fluctuators == "auto" and fits.found[ONE].aic < fits.found[NOISE].aic):
        two = fits.add(TWO, exact, _with_another(one), free, n_starts)
        free = {"amplitudes": height, "shares": Interval(0, 1), **around}
        y = jnp.asarray(table["signal"])
        fits.add(PAIRS, lambda m: m.log_likelihood(y), forgetful(two), free)
    return fits.found


def _fit_rivals(fits: Fits, spread: float, around: dict[str, Any]) -> None:
    """Fit the forms without memory that need no fluctuator to start from."""
    table = fits.table
    y, x = jnp.asarray(table["signal"]), jnp.asarray(along(table))
    mean, sigma = jnp.mean(y), jnp.asarray(spread)
    fits.add(NOISE, lambda m: m.log_likelihood(y), Readings(mean, sigma), around)
    drift = jnp.sum((x - x.mean()) * y) / jnp.sum((x - x.mean()) ** 2)
    line = Line(mean - drift * x.mean(), drift, jnp.std(y - drift * x))
    fits.add(LINE, lambda m: m.log_likelihood(x, y), line, {"drift": Real(width=spread), **around})
    tail = {"share": Interval(0, 1), "times": Positive(1.0), **around}
    fits.add(OUTLIERS, lambda m: m.log_likelihood(y), wide_start(table), tail)
    pair = {"amplitudes": Positive(decades=1.0), "shares": Interval(0, 1), **around}
    fits.add(MIXED, lambda m: m.log_likelihood(y), mixed_start(table), pair, 2)


def _fit_clean(fits: Fits, n_starts: int) -> None:
    """Fit readings without noise: their levels are known, and so little noise is assumed that no level is mistaken."""
    table = fits.table
    y = table["signal"]
    half, middle = float(np.ptp(y)) / 2, float(y.max() + y.min()) / 2
    offset, sigma, a = jnp.asarray(middle), jnp.asarray(2 * CLEAN * half), jnp.asarray(half)
    signal, share = jnp.asarray(y), float(np.mean(y > middle))
    levels = Levels(a[None], jnp.array([share]), offset, sigma)
    fits.add(MIXED, lambda m: m.log_likelihood(signal), levels, {"shares": Interval(0, 1)})
    exact = fits.exact()
    changes = int(np.count_nonzero(np.diff(y)))
    rate = jnp.asarray(changes / float(np.ptp(table["time"])))
    equal = EqualRates(a, rate, offset, sigma)
    fits.add(EQUAL, lambda m: exact(m.build()), equal, {"rate": Positive()}, n_starts)
    source = Fluctuators(a[None], rate[None] / (2 * (1 - share)), rate[None] / (2 * share))
    fits.add(ONE, exact, TelegraphRecord(source, offset, sigma), RATES, n_starts)


def _with_another(one: TelegraphRecord) -> TelegraphRecord:
    """Add a second fluctuator, weaker and faster than the first."""
    known = one.source
    parts = ((known.amplitudes, 0.3), (known.rates_up, 4.0), (known.rates_down, 4.0))
    source = Fluctuators(*(jnp.append(values, factor * values) for values, factor in parts))
    return dataclasses.replace(one, source=source)


def first_guess(table: Table) -> TelegraphRecord:
    """Takes levels from the spread, noise from what neighbours do not share, the rate from where they forget."""
    ts, y = table["time"], table["signal"]
    x = y - y.mean()
    lags = np.unique(np.geomspace(1, max(2, len(x) // 4), 20).astype(int))
    shared = np.array([np.mean(x[lag:] * x[:-lag]) for lag in lags])
    variance = float(np.clip(shared[0], 0.05 * x.var(), 0.95 * x.var()))
    forgotten = np.flatnonzero(shared < variance / math.e)
    lag = int(lags[forgotten[0]]) if len(forgotten) else int(lags[-1])
    rate = 1 / (lag * float(np.mean(np.diff(ts))))
    source = Fluctuators(*(jnp.array([value]) for value in (math.sqrt(variance), rate / 2, rate / 2)))
    return TelegraphRecord(source, float(y.mean()), math.sqrt(float(x.var()) - variance))
