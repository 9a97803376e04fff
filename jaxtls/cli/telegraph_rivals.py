"""Holds readings without memory, which fluctuators must beat: normal, about a line, with outliers, of a few levels."""

from __future__ import annotations

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array

from ..models.fluctuators import TelegraphRecord
from .tables import Table

NOISE, LINE, OUTLIERS = "noise only", "straight line", "outliers"
MIXED, PAIRS = "levels without memory", "two such pairs of levels"
RIVALS = (NOISE, LINE, OUTLIERS, MIXED, PAIRS)


class Readings(eqx.Module):
    """Describes independent normal readings."""

    offset: Array
    sigma: Array

    def log_likelihood(self, signal: Array) -> Array:
        return jnp.sum(norm.logpdf(signal, self.offset, self.sigma))


class Line(eqx.Module):
    """Describes independent normal readings about a straight line."""

    offset: Array
    drift: Array
    sigma: Array

    def log_likelihood(self, along: Array, signal: Array) -> Array:
        return jnp.sum(norm.logpdf(signal, self.offset + self.drift * along, self.sigma))


class Outliers(eqx.Module):
    """Describes independent normal readings, of which a share scatters `times` as wide."""

    share: Array
    times: Array
    offset: Array
    sigma: Array

    def log_likelihood(self, signal: Array) -> Array:
        wide = jnp.log(self.share) + norm.logpdf(signal, self.offset, self.times * self.sigma)
        return jnp.sum(jnp.logaddexp(wide, jnp.log1p(-self.share) + norm.logpdf(signal, self.offset, self.sigma)))


class Levels(eqx.Module):
    """Holds independent readings of level pairs (K,): fluctuators that forget between readings, or tails of noise."""

    amplitudes: Array
    shares: Array
    offset: Array
    sigma: Array

    def log_likelihood(self, signal: Array) -> Array:
        signs = jnp.array(list(itertools.product((-1.0, 1.0), repeat=len(self.amplitudes))))
        weights = jnp.sum(jnp.where(signs > 0, jnp.log(self.shares), jnp.log1p(-self.shares)), axis=1)
        places = self.offset + signs @ self.amplitudes
        return jnp.sum(jax.nn.logsumexp(weights + norm.logpdf(signal[:, None], places, self.sigma), axis=1))


def along(table: Table) -> np.ndarray:
    """Gives time from the middle of the record, over its length."""
    ts = table["time"]
    return (ts - (ts[0] + ts[-1]) / 2) / (ts[-1] - ts[0])


def outliers(table: Table) -> np.ndarray:
    """Finds readings, by index, further from the median than eight standard deviations of the middle ones."""
    away = np.abs(table["signal"] - np.median(table["signal"]))
    usual = 1.4826 * float(np.median(away))
    return np.flatnonzero(away > 8 * usual) if usual > 0 else np.zeros(0, int)


def wide_start(table: Table) -> Outliers:
    """Takes the middle of the readings by their median, and gives what is left of their variance to the outliers."""
    y = table["signal"]
    away = np.abs(y - np.median(y))
    sigma = 1.4826 * float(np.median(away)) or float(np.std(y)) / 2
    share = max(float(np.mean(away > 4 * sigma)), 1 / len(y))
    times = max(np.sqrt(max(float(np.var(y)) - sigma**2, 0.0) / share) / sigma, 3.0)
    return Outliers(*(jnp.asarray(float(value)) for value in (share, times, np.median(y), sigma)))


def mixed_start(table: Table) -> Levels:
    """Takes two levels from the spread and the skewness: for normal readings one is where the mean is."""
    y = table["signal"]
    spread, skew = float(np.std(y)), float(np.mean((y - y.mean()) ** 3)) / float(np.std(y)) ** 3
    share = 0.15 if skew > 0 else 0.85
    offset, sigma = jnp.asarray(float(y.mean())), jnp.asarray(0.7 * spread)
    return Levels(jnp.array([0.8 * spread]), jnp.array([share]), offset, sigma)


def forgetful(record: TelegraphRecord) -> Levels:
    """Gives the levels of fluctuators as often, without their order."""
    source = record.source
    return Levels(source.amplitudes, source.rates_up / source.total_rates, record.offset, record.sigma)
