"""Maximum likelihood: closed forms of the estimate and its error, saddles, what is not seen, words."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt


class Pair(eqx.Module):
    a: jax.Array
    b: jax.Array


class Offset(eqx.Module):
    a: jax.Array
    b: jax.Array
    c: jax.Array


PAIR = Pair(jnp.asarray(1.0), jnp.asarray(1.0))


def test_exponential_waiting_times():
    """rate = 1/mean, error rate/sqrt(n): in the physical parameter, though the search runs in its logarithm."""
    x = jnp.asarray(np.random.default_rng(0).exponential(2.0, 50))
    f = jt.fit_likelihood(lambda m: jnp.sum(jnp.log(m.a) - m.a * x), PAIR, free={"a": jt.Positive()})
    assert f.success and f.message == ""
    np.testing.assert_allclose(f.values["a"], 1 / x.mean(), rtol=1e-5)
    np.testing.assert_allclose(f.stderr["a"], 1 / x.mean() / np.sqrt(50), rtol=1e-4)
    np.testing.assert_allclose(f.log_likelihood, jnp.sum(-jnp.log(x.mean()) - x / x.mean()), rtol=1e-8)
    assert float(f.aic) == pytest.approx(2 - 2 * float(f.log_likelihood))


def test_agrees_with_least_squares_where_noise_is_normal():
    t = jnp.linspace(0.0, 2.0, 30)
    y = 1.3 * jnp.exp(-0.7 * t) + 0.05 * jax.random.normal(jax.random.key(0), (30,))
    predict, free = (lambda m: m.a * jnp.exp(-m.b * t)), {"a": jt.Real(), "b": jt.Positive()}
    least = jt.fit(predict, PAIR, y, sigma=0.05, free=free)
    most = jt.fit_likelihood(lambda m: -0.5 * jnp.sum(((predict(m) - y) / 0.05) ** 2), PAIR, free=free)
    for name in free:
        np.testing.assert_allclose(most.values[name], least.values[name], atol=1e-4 * float(least.stderr[name]) * 10)
        np.testing.assert_allclose(most.stderr[name], least.stderr[name], rtol=0.03)
    value, error = jt.propagate(lambda m: m.a * m.b, most)
    assert 0.01 < float(error) < 0.2 and abs(float(value) - 0.91) < 4 * float(error)


def test_only_a_combination_is_seen():
    f = jt.fit_likelihood(lambda m: -50 * (m.a * m.b - 6.0) ** 2, PAIR, free={"a": jt.Positive(), "b": jt.Positive()})
    assert f.success and np.isinf(f.stderr["a"]) and np.isinf(f.stderr["b"])
    assert "only the combination a * b^1" in f.message
    value, error = jt.propagate(lambda m: m.a * m.b, f)
    np.testing.assert_allclose([value, error], [6.0, 0.1], rtol=1e-4)


def test_leaves_a_saddle():
    """A symmetric start has no slope along the difference, and there ln L curves up."""
    ll = lambda m: -(((m.a - m.b) ** 2 - 1) ** 2) - (m.a + m.b - 2) ** 2
    f = jt.fit_likelihood(ll, PAIR, free={"a": jt.Real(), "b": jt.Real()})
    assert f.success
    np.testing.assert_allclose(abs(f.values["a"] - f.values["b"]), 1.0, atol=1e-4)


@pytest.mark.slow
def test_equal_fluctuators_part():
    """Two fluctuators that start alike."""
    truth = jt.TelegraphRecord(jt.Fluctuators([1.0, 0.4], [0.2, 1.0], [0.3, 1.5]), 0.0, 0.2)
    ts = 0.3 * jnp.arange(1500.0)
    y = truth.sample(jax.random.key(3), ts)
    start = jt.TelegraphRecord(jt.Fluctuators([0.7, 0.7], [0.5, 0.5], [0.5, 0.5]), 0.0, 0.2)
    free = {f"source.{name}": jt.Positive() for name in ("amplitudes", "rates_up", "rates_down")}
    f = jt.fit_likelihood(lambda m: m.log_likelihood(ts, y), start, free=free)
    assert f.success
    order = np.argsort(-np.asarray(f.values["source.amplitudes"]))
    for name, want in (("amplitudes", [1.0, 0.4]), ("rates_up", [0.2, 1.0]), ("rates_down", [0.3, 1.5])):
        away = (np.asarray(f.values[f"source.{name}"])[order] - want) / np.asarray(f.stderr[f"source.{name}"])[order]
        assert np.all(np.abs(away) < 4.5), name


def test_barriers_and_nan_on_the_way_are_stepped_around():
    """ln L is nan beyond 3: the first Newton step goes there."""
    ll = lambda m: jnp.where(m.a < 3, -jnp.cosh(m.a - 2.5), jnp.nan)
    f = jt.fit_likelihood(ll, Pair(jnp.asarray(-4.0), jnp.asarray(0.0)), free={"a": jt.Real()})
    assert f.success and abs(float(f.values["a"]) - 2.5) < 1e-3


def test_forward_mode_alone_is_enough():
    def ll(m):
        x = jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, c[1] + m.a), (0, jnp.zeros(())))[1]
        return -((x - 6.0) ** 2)

    f = jt.fit_likelihood(ll, PAIR, free={"a": jt.Real()})
    np.testing.assert_allclose(f.values["a"], 2.0, rtol=1e-6)


def test_words():
    f = jt.fit_likelihood(lambda m: -((m.a - 1e4) ** 2), PAIR, free={"a": jt.Real()}, max_steps=1)
    assert not f.success and "max_steps" in f.message
    g = jt.fit_likelihood(lambda m: -((m.a - 2.0) ** 2), PAIR, free={"a": jt.Positive()}, n_starts=3)
    assert "best of 3 starts" in repr(g) and g.start_log_likelihood.shape == (3,)
    assert json.loads(json.dumps(g.to_dict()))["success"]
    bad = jt.fit_likelihood(lambda m: m.a * jnp.nan, PAIR, free={"a": jt.Real()})
    assert not bad.success and "not finite at the start" in bad.message
    with pytest.raises(ValueError, match="log_likelihood"):
        jt.fit_likelihood(lambda m: 1j * m.a, PAIR, free={"a": jt.Real()})


def test_a_jitted_likelihood_is_compiled_once():
    """Other starting values of the same shapes trace nothing again; a plain function is compiled at every call."""
    traces = []
    x = jnp.asarray([0.3, 0.5, 0.2])

    def ll(m):
        traces.append(1)
        return jnp.sum(jnp.log(m.a) - m.a * x)

    jitted, free = eqx.filter_jit(ll), {"a": jt.Positive()}
    first = jt.fit_likelihood(jitted, PAIR, free=free)
    count = len(traces)
    second = jt.fit_likelihood(jitted, Pair(jnp.asarray(7.0), PAIR.b), free=free)
    assert len(traces) == count and second.success
    np.testing.assert_allclose(first.values["a"], second.values["a"], rtol=1e-5)
    jt.fit_likelihood(ll, PAIR, free=free)
    assert len(traces) > count


def test_a_large_offset_of_known_width():
    """The width of a Real is its scale: a qubit's frequency of 5e9 Hz hides no amplitude of 1e4 Hz."""
    t = np.linspace(0.0, 6.0, 60)
    y = 5.1e9 + 2e4 * np.exp(-0.7 * t) + 50 * np.random.default_rng(1).normal(size=60)
    start = Offset(jnp.asarray(1e4), jnp.asarray(1.0), jnp.asarray(y.mean()))
    predict = lambda m: m.c + m.a * jnp.exp(-m.b * t)
    free = {"a": jt.Positive(), "b": jt.Positive(), "c": jt.Real(width=y.std())}
    least = jt.fit(predict, start, jnp.asarray(y), sigma=50.0, free=free)
    most = jt.fit_likelihood(lambda m: -0.5 * jnp.sum(((predict(m) - y) / 50.0) ** 2), start, free=free)
    for f in (least, most):
        assert f.success and f.message == ""
        assert abs(float(f.values["a"]) - 2e4) < 4 * float(f.stderr["a"]) < 800
        assert abs(float(f.values["b"]) - 0.7) < 4 * float(f.stderr["b"]) < 0.05
