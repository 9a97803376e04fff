"""Loops and series with reverses of their own: slopes against JAX's of loops written out, at every number of levels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxtls.numerics import replay
from jaxtls.numerics.replay import Loop, replayed
from jaxtls.numerics.series import series

X, A, B = jnp.array([0.3, -0.7]), jnp.array([[0.2, 0.9], [-0.8, 0.3]]), jnp.array(0.1)


def turn(varied, others, i, x):
    a, b = varied
    return jnp.tanh(a @ x) + b * jnp.cos(i + others)


def slots(others, i):
    return jnp.where(i % 2 == 0, i // 2, 3)


def looped(a, b, x, total):
    """Even steps' states, 3 places."""
    return replayed(Loop(turn, slots, 3), (a, b), jnp.asarray(0.5), x, jnp.asarray(total))


def written_out(a, b, x, total):
    outs = jnp.zeros((3, 2))
    for i in range(total):
        x = turn((a, b), 0.5, i, x)
        outs = outs.at[slots(0, i)].set(x, mode="drop")
    return outs


@pytest.mark.parametrize("kept", [2, 16])
@pytest.mark.parametrize("total", [0, 1, 5, 7, 8, 16])
def test_slopes_are_those_of_the_loop_written_out(monkeypatch, kept, total):
    monkeypatch.setattr(replay, "LEAST", kept)
    monkeypatch.setattr(replay, "MOST", kept)
    monkeypatch.setattr(replay, "BOUND", 2**4)
    loss = lambda f: lambda a, b, x: jnp.sum(jnp.sin(f(a, b, x, total) + 1) * jnp.arange(6.0).reshape(3, 2))
    found = jax.jit(jax.value_and_grad(loss(looped), (0, 1, 2)))(A, B, X)
    jax.tree.map(
        lambda x, y: assert_allclose(x, y, atol=1e-13), found, jax.value_and_grad(loss(written_out), (0, 1, 2))(A, B, X)
    )


def test_only_what_is_differentiated_and_lanes_of_different_length():
    loss = lambda b, total: jnp.sum(looped(A, b, X, total) ** 2)
    found = jax.vmap(jax.grad(loss))(jnp.array([0.1, 0.2, 0.3]), jnp.array([1, 4, 0]))
    alone = [
        jax.grad(lambda b, n=n: jnp.sum(written_out(A, b, X, n) ** 2))(b) for b, n in ((0.1, 1), (0.2, 4), (0.3, 0))
    ]
    assert_allclose(found, alone, atol=1e-13)


def test_states_that_are_known_need_no_loop():
    every = Loop(turn, lambda others, i: i, 4, all_kept=True)
    known = replayed(every, (A, B), jnp.asarray(0.5), X, jnp.asarray(4))
    loss = lambda known: lambda a, x: jnp.sum(replayed(every, (a, B), jnp.asarray(0.5), x, jnp.asarray(4), known) ** 3)
    jax.tree.map(assert_allclose, jax.grad(loss(known), (0, 1))(A, X), jax.grad(loss(None), (0, 1))(A, X))


def test_too_many_steps_have_no_slope(monkeypatch):
    monkeypatch.setattr(replay, "LEAST", 2)
    monkeypatch.setattr(replay, "MOST", 2)
    monkeypatch.setattr(replay, "BOUND", 4)
    assert np.isnan(jax.grad(lambda b: jnp.sum(looped(A, b, X, 5)))(B))


@pytest.mark.parametrize("used", [1, 2, 3, 6])
def test_a_series_and_its_slopes(used):
    weights = jnp.asarray(np.random.default_rng(0).normal(size=6))

    def written(a, w, x):
        before, now, total, seen = jnp.zeros(2), x, w[0] * x, [x @ a]
        for k in range(1, used):
            before, now = now, a @ now - 0.3 * before
            total, seen = total + w[k] * now, [*seen, now @ a]
        return jnp.sum(jnp.sin(total)) + jnp.sum(jnp.stack(seen) ** 3)

    def own(a, w, x):
        maps = lambda varied, others, x: varied @ x, lambda varied, others, x: x @ varied
        total, seen = series(maps, a, (), jnp.asarray(0.3), w, x, jnp.asarray(used))
        return jnp.sum(jnp.sin(total)) + jnp.sum(seen[:used] ** 3)

    found = jax.jit(jax.value_and_grad(own, (0, 1, 2)))(A, weights, X)
    jax.tree.map(
        lambda x, y: assert_allclose(x, y, atol=1e-14), found, jax.value_and_grad(written, (0, 1, 2))(A, weights, X)
    )
    assert_allclose(jax.grad(own, 1)(A, weights, X), jax.grad(written, 1)(A, weights, X), atol=1e-14)
