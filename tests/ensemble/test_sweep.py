"""Sweeps: the numbers of a vmap, in batches that memory allows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.ensemble import devices, sweeps


def wide(x, scale):
    """Some 80 kB a number."""
    table = jnp.sin(x * jnp.arange(10_000.0))
    return {"sum": scale * jnp.sum(table[::-1] * jnp.cumsum(table)), "x": x}


X = np.linspace(0.0, 1.0, 37)


@pytest.mark.parametrize("batch_size", ["auto", 1, 10, 100])
def test_numbers_are_those_of_a_vmap(batch_size):
    found = jt.sweep(wide, X, 2 * X, batch_size=batch_size)
    expected = jax.vmap(wide)(jnp.asarray(X), jnp.asarray(2 * X))
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(found))
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-9, atol=1e-9), found, dict(expected))


def test_a_batch_fits_into_memory(monkeypatch):
    made = []
    real = devices.sized
    keep = lambda *a, **k: made.append(real(*a, **k)) or made[-1]
    monkeypatch.setattr(sweeps, "sized", keep)
    slope = jax.grad(lambda x: wide(x, 1.0)["sum"])
    whole = jt.sweep(slope, X)
    room = made[0].memory // 4
    monkeypatch.setattr(devices, "budget", lambda device: room)
    with monkeypatch.context() as small:
        small.setattr(devices, "TRIAL", {"cpu": 2})
        parts = jt.sweep(slope, X)
    assert made[0].lanes == devices.TRIAL["cpu"] > made[1].lanes > 1
    assert made[1].memory <= room
    assert_allclose(parts, whole, rtol=1e-9, atol=1e-9)


def test_bad_arguments():
    with pytest.raises(ValueError, match="`numbers` must have one leading axis"):
        jt.sweep(wide, X, X[:-1])
    with pytest.raises(ValueError, match=r"jax\.lax\.map"):
        jax.jit(lambda x: jt.sweep(jnp.sin, x))(X)
    with pytest.raises(ValueError, match="`batch_size`"):
        jt.sweep(jnp.sin, X, batch_size="large")
