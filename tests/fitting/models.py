"""Small models for the tests of fitting."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

X = jnp.linspace(0.0, 2.0, 25)


class Line(eqx.Module):
    slope: jax.Array | float
    offset: jax.Array | float


class Decay(eqx.Module):
    amplitude: jax.Array | float
    rate: jax.Array | float
    label: str = eqx.field(static=True, default="decay")


class Tone(eqx.Module):
    omega: jax.Array | float


class Product(eqx.Module):
    a: jax.Array | float
    b: jax.Array | float


class Series(eqx.Module):
    g: jax.Array


class Nested(eqx.Module):
    decay: Decay
    tone: Tone


# Jitted, so that fits of one form are compiled once for all tests.
@eqx.filter_jit
def line(m):
    return m.slope * X + m.offset


@eqx.filter_jit
def decay(m):
    return m.amplitude * jnp.exp(-m.rate * X)


def noisy(clean, sigma, seed=0):
    clean = np.asarray(clean)
    return jnp.asarray(clean + sigma * np.random.default_rng(seed).normal(size=clean.shape))
