"""Says which fluctuator a record would have shown."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..models.fluctuators import Fluctuators, TelegraphRecord

RECORDS = 40  # drawn for each rate and amplitude
LEAST, MOST, HALVINGS = 1e-2, 1e1, 8  # amplitudes over the noise of a reading


def amplitudes_seen(ts: np.ndarray, sigma: float, rates: np.ndarray, gain: float) -> np.ndarray:
    """Gives half distances of two levels from which nine of ten records show them, for each total rate of equal rates.

    Records are drawn at these times, and 2 ln L of the levels that made them is taken less that of independent normal
    readings fitted to them. A fit of the levels would gain a little more, so that nine of ten is the least.

    Arguments:
        ts: (T,) times.
        sigma: standard deviation of a reading's noise.
        rates: (R,) total rates [1/time].
        gain: of 2 ln L, asked for.

    Returns:
        (R,) [unit of sigma]; infinite where levels ten sigma from their middle would not do.
    """
    low, high = np.full(len(rates), np.log(LEAST)), np.full(len(rates), np.log(MOST))
    seen = _gains(ts, rates, np.exp(high)) > gain
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        enough = _gains(ts, rates, np.exp(middle)) > gain
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return sigma * np.where(seen, np.exp(high), np.inf)


def _gains(ts: np.ndarray, rates: np.ndarray, amplitudes: np.ndarray) -> np.ndarray:
    """Give what nine of ten records gain at least (R,), in units in which the noise of a reading is one."""
    return np.quantile(np.asarray(_drawn(jnp.asarray(ts), jnp.asarray(rates), jnp.asarray(amplitudes))), 0.1, axis=1)


@eqx.filter_jit
def _drawn(ts: Array, rates: Array, amplitudes: Array) -> Array:
    def one(rate: Array, amplitude: Array, key: Array) -> Array:
        half = rate[None] / 2
        record = TelegraphRecord(Fluctuators(amplitude[None], half, half))
        y = record.sample(key, ts)
        normal = -0.5 * y.size * (jnp.log(2 * jnp.pi * jnp.var(y)) + 1)
        return 2 * (record.log_likelihood(ts, y) - normal)

    keys = jax.random.split(jax.random.key(0), RECORDS)
    return jax.vmap(lambda rate, a: jax.vmap(lambda key: one(rate, a, key))(keys))(rates, amplitudes)
