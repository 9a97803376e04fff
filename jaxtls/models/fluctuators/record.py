"""Holds a measured record of fluctuators: what `fit_likelihood` fits."""

from __future__ import annotations

import equinox as eqx
import jax
from jaxtyping import Array, ArrayLike, Float

from ... import _checks
from ...numerics.products import matmul
from .model import Fluctuators, Numbers


class TelegraphRecord(eqx.Module):
    r"""Reads out fluctuators with noise: signal_i = offset + xi(t_i) + sigma N(0, 1).

    Arguments:
        source: the `Fluctuators`.
        offset: signal where xi = 0, a number [unit of the signal].
        sigma: standard deviation of the read-out noise, a number > 0 [unit of the signal].

    Raises:
        ValueError: `sigma` is not positive, `offset` is not finite, or either is not a number.

    Example:
        >>> source = jt.Fluctuators(jnp.ones(1), 0.3 * jnp.ones(1), 0.1 * jnp.ones(1))
        >>> record = jt.TelegraphRecord(source, offset=0.0, sigma=0.4)
        >>> ts = jnp.arange(500.0)
        >>> y = record.sample(jax.random.key(0), ts)
        >>> free = {"source.rates_up": jt.Positive(), "source.rates_down": jt.Positive()}
        >>> f = jt.fit_likelihood(lambda m: m.log_likelihood(ts, y), record, free=free)
        >>> f.success, bool(abs(f.values["source.rates_up"][0] - 0.3) < 4 * f.stderr["source.rates_up"][0])
        (True, True)
    """

    source: Fluctuators
    offset: Float[Array, ""]
    sigma: Float[Array, ""]

    def __init__(self, source: Fluctuators, offset: ArrayLike = 0.0, sigma: ArrayLike = 1.0):
        self.source = source
        self.offset = _checks.finite("offset", offset)
        self.sigma = _checks.positive("sigma", sigma)
        for name, value in (("offset", self.offset), ("sigma", self.sigma)):
            _checks.require(value.ndim == 0, name, "be a number", f"shape {value.shape}")

    def log_likelihood(self, ts: Numbers, signal: Numbers) -> Float[Array, ""]:
        """Gives ln L of readings (T,) [unit of the signal] at times ts (T,); see `Fluctuators.log_likelihood`."""
        return self.source.log_likelihood(ts, signal, self.sigma, self.offset)

    def expected_signal(self, ts: Numbers, signal: Numbers) -> Float[Array, " T"]:
        """Gives offset + <xi(t_i)> given the whole record: the signal without its read-out noise."""
        states = self.source.posterior_mean(ts, signal, self.sigma, self.offset)
        return self.offset + matmul(states, self.source.amplitudes)

    def sample(self, key: Array, ts: Numbers) -> Float[Array, " T"]:
        """Draws a record at times ts (T,) [unit of the signal]."""
        states, noise = jax.random.split(_checks.random_key("key", key))
        xi = matmul(self.source.sample(states, ts), self.source.amplitudes)
        return self.offset + xi + self.sigma * jax.random.normal(noise, xi.shape, xi.dtype)
