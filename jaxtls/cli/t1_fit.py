"""The fits behind `--model t1`: ln T1 of scans with one TLS, and without any."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..fitting import FitResult, Interval, Positive, fit
from ..models.tls_bath import TLSBath
from .tables import Table

TIME, FREQUENCY, T1, ERROR = "time_h", "frequency_MHz", "T1_us", "T1_error_us"


class WanderingTLS(eqx.Module):
    """What is fitted: one TLS, at another frequency at each time, on a constant background."""

    centres: Array
    coupling: Array
    width: Array
    background: Array

    def rates(self, frequencies: Array, which: Array) -> Array:
        """Gamma_1 [1/us] at frequencies [MHz] (R,) and the numbers of their times (R,)."""

        def one(frequency: Array, centre: Array) -> Array:
            g, width = 2 * math.pi * self.coupling, 2 * math.pi * self.width
            bath = TLSBath(jnp.zeros(1), g[None], 2 * width)
            return bath.relaxation_rate(2 * math.pi * (frequency - centre))

        return self.background + jax.vmap(one)(frequencies, self.centres[which])


class ConstantRate(eqx.Module):
    """What is fitted where no TLS is seen."""

    background: Array


def fit_tls(table: Table, which: np.ndarray, progress: Progress) -> FitResult:
    """ln T1 with a TLS whose frequency is free in each scan; `which` (R,) is the scan of each row."""
    start = _start(table, which)
    frequencies, rows = jnp.asarray(table[FREQUENCY]), jnp.asarray(which)
    progress.stage(f"fit {len(start.centres)} frequencies of a TLS to {len(table)} values of T1")

    def predict(model: WanderingTLS) -> Array:
        return -jnp.log(model.rates(frequencies, rows))

    span = float(np.ptp(table[FREQUENCY]))
    low, high = float(table[FREQUENCY].min() - 0.5 * span), float(table[FREQUENCY].max() + 0.5 * span)
    free = {"centres": Interval(low, high), "coupling": Positive(), "width": Positive(), "background": Positive()}
    f = fit(progress.count(predict), start, jnp.asarray(np.log(table[T1])), sigma=_errors(table), free=free)
    progress.done(f"chi² {float(f.chi2):.4g} of {int(f.dof)}")
    return f


def fit_constant(table: Table) -> FitResult:
    """ln T1 with one rate for all."""
    start = ConstantRate(jnp.asarray(float(np.exp(-np.mean(np.log(table[T1]))))))
    flat = lambda m: jnp.full(len(table), -jnp.log(m.background))
    return fit(flat, start, jnp.asarray(np.log(table[T1])), sigma=_errors(table), free={"background": Positive()})


def _errors(table: Table) -> Array | None:
    """Of ln T1."""
    return jnp.asarray(table[ERROR] / table[T1]) if ERROR in table else None


def _start(table: Table, which: np.ndarray) -> WanderingTLS:
    """Each scan's shortest T1, smoothed over neighbours in frequency; height and width from all scans laid on it."""
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
    coupling = math.sqrt(peak * 2 * math.pi * width / 2) / (2 * math.pi)
    return WanderingTLS(jnp.asarray(centres), *(jnp.asarray(x) for x in (coupling, width, background)))
