"""Realizations and tasks that other processes import."""

import jax
import jax.numpy as jnp

import jaxtls as jt

KEY = 7


def exact(key):
    """Nothing is rounded, so that bits can differ by the order of sums alone; one in ten is not finite."""
    u = jax.random.uniform(key, (6,))
    return {"x": jnp.where(u[0] > 0.9, jnp.nan, u), "z": jax.lax.complex(u[1], u[2])}


def slow(key):
    """The same numbers, later."""
    y = jax.lax.fori_loop(0, 200_000, lambda i, y: jnp.sin(y) + 1.0, jax.random.uniform(key))
    return {name: jnp.where(jnp.isfinite(y), value, jnp.nan) for name, value in exact(key).items()}


def run_parts(store, n, parts, order):
    """Parts in an order; those that another process is at are left to it."""
    jax.config.update("jax_enable_x64", True)
    for k in order:
        try:
            jt.ensemble(slow, jax.random.key(KEY), n, batch_size=4, store=store, part=(k, parts))
        except ValueError as error:
            if "in use" not in str(error):
                raise
