"""The fits behind `--model telegraph`: no fluctuator, one with equal rates, one, two."""

from __future__ import annotations

import dataclasses
import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..fitting import LikelihoodFit, Positive, Real, fit_likelihood
from ..models.fluctuators import Fluctuators, TelegraphRecord
from .tables import Table

VARIANTS = ("equal rates", "one fluctuator", "two fluctuators")


class EqualRates(eqx.Module):
    """One fluctuator that switches as often up as down."""

    amplitude: Array
    rate: Array
    offset: Array
    sigma: Array

    def build(self) -> TelegraphRecord:
        rate = self.rate[None]
        return TelegraphRecord(Fluctuators(self.amplitude[None], rate, rate), self.offset, self.sigma)


def noise_only(table: Table) -> float:
    """AIC of independent normal readings."""
    n, spread = len(table), float(np.std(table["signal"]))
    return n * (2 * math.log(spread) + math.log(2 * math.pi) + 1) + 4


def fit_variants(table: Table, n_starts: int, progress: Progress) -> dict[str, LikelihoodFit]:
    """A fit of each of `VARIANTS`."""
    ts, y = jnp.asarray(table["time"]), jnp.asarray(table["signal"])
    spread = float(np.std(table["signal"]))
    level = Real(width=spread)
    start = first_guess(table)

    progress.stage(f"one rate, {len(table)} readings")
    rate = start.source.total_rates[0] / 2
    equal = fit_likelihood(
        lambda m: m.build().log_likelihood(ts, y),
        EqualRates(start.source.amplitudes[0], rate, start.offset, start.sigma),
        free={"amplitude": Positive(decades=1.0), "rate": Positive(), "offset": level, "sigma": Positive(decades=1.0)},
        n_starts=n_starts,
    )
    progress.done(f"ln L {float(equal.log_likelihood):.6g}")

    free = {
        "source.amplitudes": Positive(decades=1.0),
        "source.rates_up": Positive(),
        "source.rates_down": Positive(),
        "offset": level,
        "sigma": Positive(decades=1.0),
    }
    log_likelihood = lambda m: m.log_likelihood(ts, y)
    progress.stage("one fluctuator")
    one = fit_likelihood(log_likelihood, equal.model.build(), free=free, n_starts=n_starts)
    progress.done(f"ln L {float(one.log_likelihood):.6g}")

    progress.stage("two fluctuators")
    known = one.model.source
    second = jnp.append(known.amplitudes, 0.3 * known.amplitudes), jnp.append(known.rates_up, 4 * known.rates_up)
    source = Fluctuators(*second, jnp.append(known.rates_down, 4 * known.rates_down))
    two = fit_likelihood(log_likelihood, dataclasses.replace(one.model, source=source), free=free, n_starts=n_starts)
    progress.done(f"ln L {float(two.log_likelihood):.6g}")
    return dict(zip(VARIANTS, (equal, one, two), strict=True))


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
