"""Makes exact draws: records of telegraph processes, and baths of fluctuators with a 1/f spectrum."""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@eqx.filter_jit
def trajectory(key: Array, up: Array, down: Array, ts: Array, initial: Array | None) -> Float[Array, "T K"]:
    """Draws states ±1 at the times ts, exact whatever their spacing.

    One uniform number decides a step: below P(- to +) the fluctuator is up next, above P(+ to +) it is down, between
    them it stays. So a step forgets (±1) or keeps (0), and the state is the last ±1: an associative scan.
    """
    rate = up + down
    dt = jnp.diff(ts)[:, None]
    from_below = up / rate * -jnp.expm1(-rate * dt)
    from_above = from_below + jnp.exp(-rate * dt)
    drawn = jax.random.uniform(key, (ts.size, up.size), rate.dtype)
    steps = _sign(drawn[1:] < from_below) - _sign(drawn[1:] >= from_above)
    first = 2 * _sign(drawn[0] < up / rate) - 1 if initial is None else initial.astype(jnp.int8)
    resets = jnp.concatenate([first[None], steps])
    return jax.lax.associative_scan(lambda a, b: jnp.where(b == 0, a, b), resets).astype(rate.dtype)


def _sign(condition: Array) -> Array:
    return condition.astype(jnp.int8)


@partial(jax.jit, static_argnums=1)
def bath_rates(
    key: Array, n: int, slowest: Array, fastest: Array, max_energy_over_temperature: Array
) -> tuple[Array, Array]:
    """Draws rates up and down, n each: total rates log-uniform, energies uniform, up/down = e^(-E/T)."""
    rates, energies = jax.random.split(key)
    dtype = jnp.result_type(float)
    rate = slowest * (fastest / slowest) ** jax.random.uniform(rates, (n,), dtype)
    x = max_energy_over_temperature * jax.random.uniform(energies, (n,), dtype)
    return rate * jax.nn.sigmoid(-x), rate * jax.nn.sigmoid(x)
