"""Makes the fits behind `--model t1`: ln T1 of scans with one TLS, with more, and without any."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..fitting import FitResult, Interval, Positive, fit
from .t1_model import ERROR, FREQUENCY, T1, ConstantRate, WanderingTLSs, reach
from .t1_places import cost, rearranged
from .t1_search import Candidate
from .tables import Table


def fit_one(table: Table, which: np.ndarray, progress: Progress) -> FitResult:
    """Fits ln T1 with a TLS whose frequency is free in each scan; `which` (R,) is the scan of each row."""
    return _fit(table, which, _start(table, which), progress)


def fit_one_more(
    table: Table, which: np.ndarray, known: WanderingTLSs, tls: Candidate, progress: Progress
) -> FitResult:
    """Fits ln T1 with another TLS beside those known; scan by scan the places are tried anew, before and after."""
    # a depth is a rate over the background
    coupling = coupling_of(tls.depth * float(known.background), tls.width)
    start = WanderingTLSs(
        jnp.concatenate([known.centres, jnp.asarray(tls.centres)[None]]),
        jnp.append(known.couplings, coupling),
        jnp.append(known.widths, tls.width),
        known.background,
    )
    f = _fit(table, which, rearranged(table, which, start), progress)
    again = rearranged(table, which, f.model)
    if np.array_equal(again.centres, f.model.centres):
        return f
    other = _fit(table, which, again, progress)
    return min(f, other, key=lambda found: cost(table, which, found.model))


def coupling_of(peak: float, width: float) -> float:
    """Gives g/2pi [MHz] of a TLS whose rate at resonance [1/us] and half width [MHz] are known."""
    return math.sqrt(peak * 2 * math.pi * width / 2) / (2 * math.pi)


def _fit(table: Table, which: np.ndarray, start: WanderingTLSs, progress: Progress) -> FitResult:
    count, times = start.centres.shape
    frequencies, rows = jnp.asarray(table[FREQUENCY]), jnp.asarray(which)
    progress.stage(f"fit {count * times} frequencies of {count} TLS{'s' * (count > 1)} to {len(table)} values of T1")

    def predict(model: WanderingTLSs) -> Array:
        return -jnp.log(model.rates(frequencies, rows))

    low, high = reach(table)
    free = {"centres": Interval(low, high), "couplings": Positive(), "widths": Positive(), "background": Positive()}
    f = fit(progress.count(predict), start, jnp.asarray(np.log(table[T1])), sigma=_errors(table), free=free)
    progress.done(f"chi² {float(f.chi2):.4g} of {int(f.dof)}")
    return f


def fit_constant(table: Table) -> FitResult:
    """Fits ln T1 with one rate for all."""
    start = ConstantRate(jnp.asarray(float(np.exp(-np.mean(np.log(table[T1]))))))
    flat = lambda m: jnp.full(len(table), -jnp.log(m.background))
    return fit(flat, start, jnp.asarray(np.log(table[T1])), sigma=_errors(table), free={"background": Positive()})


def _errors(table: Table) -> Array | None:
    """Give the errors of ln T1."""
    return jnp.asarray(table[ERROR] / table[T1]) if ERROR in table else None


def _start(table: Table, which: np.ndarray) -> WanderingTLSs:
    """Take each scan's shortest T1, smoothed over neighbours in frequency; height, width from all scans laid on it."""
    rate = 1 / table[T1]
    background = float(np.quantile(rate, 0.2))
    centres = []
    for k in range(which.max() + 1):
        f, excess = table[FREQUENCY][which == k], rate[which == k]
        near = np.exp(-(((f[:, None] - f) / (np.ptp(f) / len(f))) ** 2))
        centres.append(float(f[np.argmax(near @ np.log(excess) / near.sum(axis=1))]))
    away = np.abs(table[FREQUENCY] - np.array(centres)[which])
    peak = max(float(np.quantile(rate[away <= np.quantile(away, 0.1)], 0.8)) - background, 0.1 * background)
    step = float(np.ptp(table[FREQUENCY]) / len(np.unique(table[FREQUENCY])))
    high = away[rate > background + peak / 2]
    width = max(float(np.median(high)) if high.size else step, step / 2)
    tls = ([centres], [coupling_of(peak, width)], [width], background)
    return WanderingTLSs(*(jnp.asarray(part) for part in tls))
