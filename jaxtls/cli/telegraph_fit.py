"""The fits behind `--model telegraph`: no fluctuator, levels without memory, one with equal rates, one, two."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array

from .._progress import Progress
from ..fitting import Interval, LikelihoodFit, Positive, Real, fit_likelihood
from ..models.fluctuators import Fluctuators, TelegraphRecord
from .tables import Table

ATOL = 0.01  # standard errors: rates beyond the sampling run away for ever
NOISE, MIXED = "noise only", "levels without memory"
EQUAL, ONE, TWO = "equal rates", "one fluctuator", "two fluctuators"


class Readings(eqx.Module):
    """Independent normal readings."""

    offset: Array
    sigma: Array

    def log_likelihood(self, signal: Array) -> Array:
        return jnp.sum(norm.logpdf(signal, self.offset, self.sigma))


class Mixture(eqx.Module):
    """Independent readings of two levels: a fluctuator that forgets between readings, or a tail of the noise."""

    amplitude: Array
    share: Array
    offset: Array
    sigma: Array

    def log_likelihood(self, signal: Array) -> Array:
        upper = jnp.log(self.share) + norm.logpdf(signal, self.offset + self.amplitude, self.sigma)
        lower = jnp.log1p(-self.share) + norm.logpdf(signal, self.offset - self.amplitude, self.sigma)
        return jnp.sum(jnp.logaddexp(upper, lower))


class EqualRates(eqx.Module):
    """One fluctuator that switches as often up as down."""

    amplitude: Array
    rate: Array
    offset: Array
    sigma: Array

    def build(self) -> TelegraphRecord:
        rate = self.rate[None]
        return TelegraphRecord(Fluctuators(self.amplitude[None], rate, rate), self.offset, self.sigma)


def fit_variants(table: Table, fluctuators: str, n_starts: int, progress: Progress) -> dict[str, LikelihoodFit]:
    """A fit of each form that the choice "1", "2" or "auto" asks for, by name.

    "auto" leaves two fluctuators out where one does not pay for its parameters.
    """
    y = jnp.asarray(table["signal"])
    found: dict[str, LikelihoodFit] = {}

    def add(name: str, log_likelihood: Callable[[Any], Array], start: Any, free: dict[str, Any], n: int = 1) -> Any:
        progress.stage(f"{name}, {len(table)} readings")
        found[name] = fit_likelihood(log_likelihood, start, free=free, n_starts=n, atol=ATOL)
        progress.done(f"ln L {float(found[name].log_likelihood):.6g}")
        return found[name].model

    spread = float(np.std(table["signal"]))
    height, width, level = Positive(decades=1.0), Positive(decades=1.0), Real(width=spread)
    around = {"offset": level, "sigma": width}
    mean = float(np.mean(table["signal"]))
    add(NOISE, lambda m: m.log_likelihood(y), Readings(jnp.asarray(mean), jnp.asarray(spread)), around)
    add(
        MIXED,
        lambda m: m.log_likelihood(y),
        _mixture(table),
        {"amplitude": height, "share": Interval(0, 1), **around},
        2,
    )

    exact = _exact(table)
    guess = first_guess(table)
    equal = EqualRates(guess.source.amplitudes[0], guess.source.total_rates[0] / 2, guess.offset, guess.sigma)
    free = {"amplitude": height, "rate": Positive(), **around}
    equal = add(EQUAL, lambda m: exact(m.build()), equal, free, n_starts)
    free = {"source.amplitudes": height, "source.rates_up": Positive(), "source.rates_down": Positive(), **around}
    one = add(ONE, exact, equal.build(), free, n_starts)
    if fluctuators == "2" or (fluctuators == "auto" and found[ONE].aic < found[NOISE].aic):
        add(TWO, exact, _with_another(one), free, n_starts)
    return found


def _exact(table: Table) -> Callable[[TelegraphRecord], Array]:
    ts, y = jnp.asarray(table["time"]), jnp.asarray(table["signal"])
    return lambda m: m.log_likelihood(ts, y)


def _mixture(table: Table) -> Mixture:
    """Two levels from the spread and the skewness: for normal readings one is where the mean is."""
    y = table["signal"]
    spread, skew = float(np.std(y)), float(np.mean((y - y.mean()) ** 3)) / float(np.std(y)) ** 3
    values = (0.8 * spread, 0.15 if skew > 0 else 0.85, y.mean(), 0.7 * spread)
    return Mixture(*(jnp.asarray(float(value)) for value in values))


def _with_another(one: TelegraphRecord) -> TelegraphRecord:
    """A second fluctuator, weaker and faster than the first."""
    known = one.source
    parts = ((known.amplitudes, 0.3), (known.rates_up, 4.0), (known.rates_down, 4.0))
    source = Fluctuators(*(jnp.append(values, factor * values) for values, factor in parts))
    return dataclasses.replace(one, source=source)


def first_guess(table: Table) -> TelegraphRecord:
    """Levels from the spread, noise from what neighbouring readings do not share, the rate from where they forget."""
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
