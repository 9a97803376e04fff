"""Samples, likelihoods and posteriors of records."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

import jaxtls as jt
from jaxtls.models.fluctuators import likelihood

from . import oracle

A, U, D = [0.6, -1.1], [0.5, 1.6], [0.9, 0.3]
TS = np.array([0.0, 0.4, 0.4, 1.5, 4.0])
Y = np.array([0.3, -1.2, 0.8, 1.9, -0.4])


@pytest.mark.parametrize("sigma, offset", [(0.5, 0.1), (0.01, -0.3), (20.0, 0.0)])
def test_likelihood_is_the_sum_over_paths(sigma, offset):
    found = jt.Fluctuators(A, U, D).log_likelihood(TS, Y, sigma, offset)
    np.testing.assert_allclose(found, oracle.log_likelihood(A, U, D, TS, Y, sigma, offset), rtol=1e-12)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0.0, 3.0), min_size=3, max_size=3), st.integers(0, 10**6))
def test_likelihood_of_any_record(steps, seed):
    rng = np.random.default_rng(seed)
    ts, y, sigma = np.cumsum([0.0, *steps]), rng.normal(size=4), rng.uniform(0.1, 2.0, 4)
    a, u, d = rng.normal(size=2), rng.uniform(0, 2, 2), rng.uniform(0.01, 2, 2)
    found = float(jt.Fluctuators(a, u, d).log_likelihood(ts, y, sigma, 0.2))
    want = oracle.log_likelihood(a, u, d, ts, y, sigma[:, None], 0.2)
    np.testing.assert_allclose(found, want, rtol=1e-10)


def test_exchange_symmetries_and_time_reversal():
    """Permuted fluctuators, a -> -a with u and d exchanged, and the record read backwards have the same likelihood."""
    value = float(jt.Fluctuators(A, U, D).log_likelihood(TS, Y, 0.5))
    swap = lambda x: np.array(x)[::-1]
    same = [
        jt.Fluctuators(swap(A), swap(U), swap(D)).log_likelihood(TS, Y, 0.5),
        jt.Fluctuators(-np.array(A), D, U).log_likelihood(TS, Y, 0.5),
        jt.Fluctuators(A, U, D).log_likelihood(-TS[::-1], Y[::-1], 0.5),
    ]
    np.testing.assert_allclose(np.array(same), value, rtol=1e-12)


@pytest.mark.slow
def test_blocks_do_not_change_the_likelihood(monkeypatch):
    f, key = jt.Fluctuators(A, U, D), jax.random.key(1)
    ts = jnp.cumsum(jax.random.uniform(key, (137,)))
    y = jax.random.normal(key, (137,))
    both = lambda: jax.value_and_grad(lambda f: f.log_likelihood(ts, y, 0.4))(f)
    whole = both()
    jax.clear_caches()
    monkeypatch.setattr(likelihood, "_BLOCK", 50)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(both()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)
    jax.clear_caches()


def test_gradient_and_hessian_by_differences():
    """A rate at zero among them: from one side, as ln 0 has no derivative but the likelihood has."""
    p, e = jnp.array([0.6, -1.1, 0.5, 0.0, 0.9, 0.3, 0.5, 0.1]), 1e-5
    ll = lambda p: jt.Fluctuators(p[:2], p[2:4], p[4:6]).log_likelihood(TS, Y, p[6], p[7])
    gradient = jax.jit(jax.grad(ll))(p)
    many, shift = jax.jit(jax.vmap(ll)), e * jnp.eye(8)
    low, here, high, higher = (many(p + x * shift) for x in (-1, 0, 1, 2))
    step = jnp.where(p == 0, -3 * here + 4 * high - higher, high - low) / (2 * e)
    np.testing.assert_allclose(gradient, step, rtol=1e-6, atol=1e-7)

    q = jnp.array([0.6, 0.5, 0.9, 0.5, 0.1])
    one = lambda q: jt.Fluctuators(q[:1], q[1:2], q[2:3]).log_likelihood(TS, Y, q[3], q[4])
    slopes = jax.jit(jax.vmap(jax.grad(one)))
    step = (slopes(q + e * jnp.eye(5)) - slopes(q - e * jnp.eye(5))) / (2 * e)
    np.testing.assert_allclose(jax.jit(jax.hessian(one))(q), step, rtol=1e-5, atol=1e-5)


def test_gradient_stays_finite_where_a_jump_is_impossible():
    """Two equal times with a jump of a hundred sigma between them."""
    f = jt.Fluctuators([1.0], [0.5], [0.7])
    value, gradient = jax.value_and_grad(
        lambda f: f.log_likelihood(jnp.array([0.0, 0.0]), jnp.array([1.0, -1.0]), 0.01)
    )(f)
    assert np.isfinite(value) and all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(gradient))


def test_posterior_is_that_of_all_paths():
    f = jt.Fluctuators(A, U, D)
    found = np.asarray(f.posterior_mean(TS[:3], Y[:3], 0.7, 0.1))
    s, xi, p, w = oracle.states(2), oracle.states(2) @ A, oracle.stationary(U, D), oracle.generator(U, D)
    weight, mean = 0.0, np.zeros((3, 2))
    for path in itertools.product(range(4), repeat=3):
        each = p[path[0]] * np.prod(
            [expm(w * dt)[j, i] for dt, (i, j) in zip(np.diff(TS[:3]), itertools.pairwise(path))]
        )
        each *= np.exp(-0.5 * np.sum(((Y[:3] - 0.1 - xi[list(path)]) / 0.7) ** 2))
        weight, mean = weight + each, mean + each * s[list(path)]
    np.testing.assert_allclose(found, mean / weight, atol=1e-12)


def test_the_likelihood_is_a_density():
    """Its integral over all records of two samples is 1."""
    f, grid = jt.Fluctuators([0.7], [0.4], [0.9]), jnp.linspace(-6, 6, 161)
    ll = jax.vmap(
        jax.vmap(lambda a, b: f.log_likelihood(jnp.array([0.0, 0.6]), jnp.stack([a, b]), 0.5), (None, 0)), (0, None)
    )
    total = jnp.trapezoid(jnp.trapezoid(jnp.exp(ll(grid, grid)), grid), grid)
    np.testing.assert_allclose(total, 1.0, rtol=1e-10)


def test_score_of_samples_has_mean_zero():
    """Fisher's identity, over drawn records: samples and likelihood speak of the same process."""
    ts = jnp.array([0.0, 0.5, 0.9, 2.0, 2.6, 4.0])
    record = jt.TelegraphRecord(jt.Fluctuators([1.0], [0.5], [0.8]), 0.2, 0.4)

    def put(p):
        source = jt.Fluctuators(p[0:1], p[1:2], p[2:3])
        return dataclasses.replace(record, source=source, offset=p[3], sigma=p[4])

    p = jnp.array([1.0, 0.5, 0.8, 0.2, 0.4])
    score = lambda key: jax.grad(lambda p: put(p).log_likelihood(ts, record.sample(key, ts)))(p)
    scores = np.asarray(jax.lax.map(score, jax.random.split(jax.random.key(0), 4000), batch_size=500))
    z = scores.mean(0) / (scores.std(0) / np.sqrt(4000))
    assert np.all(np.abs(z) < 4.5)


def test_samples_are_markov_and_keep_their_start():
    f = jt.Fluctuators(np.ones(1), np.array([0.7]), np.array([0.2]))
    ts = jnp.array([0.0, 0.5, 0.5, 3.0])
    s = np.asarray(
        jax.vmap(lambda k: f.sample(k, ts, initial=-jnp.ones(1)))(jax.random.split(jax.random.key(5), 20000))
    )[..., 0]
    m, rate = 0.5 / 0.9, 0.9
    np.testing.assert_allclose(s.mean(0), m + (-1 - m) * np.exp(-rate * np.asarray(ts)), atol=5 / np.sqrt(20000))
    assert np.all(s[:, 0] == -1) and np.all(s[:, 1] == s[:, 2])
    back = s[s[:, 1] > 0, 3].mean()  # of those that are up at 0.5
    np.testing.assert_allclose(back, m + (1 - m) * np.exp(-rate * 2.5), atol=0.04)


def test_many_states_are_refused():
    f = jt.Fluctuators(np.ones(17), np.ones(17), np.ones(17))
    with pytest.raises(ValueError, match="amplitudes"):
        f.log_likelihood(TS, Y, 1.0)


def bath(**over):
    options = {"slowest": 0.1, "fastest": 1.0, "amplitude": 1.0, **over}
    return jt.Fluctuators.sample_bath(jax.random.key(0), 3, **options)


@pytest.mark.parametrize(
    "name, call",
    [
        ("rates_down", lambda: jt.Fluctuators([1.0], [0.0], [0.0])),
        ("amplitudes", lambda: jt.Fluctuators(1.0, 1.0, 1.0)),
        ("sigma", lambda: jt.TelegraphRecord(jt.Fluctuators(A, U, D), 0.0, -1.0)),
        ("offset", lambda: jt.TelegraphRecord(jt.Fluctuators(A, U, D), np.ones(2), 1.0)),
        ("sigma", lambda: jt.Fluctuators(A, U, D).log_likelihood(TS, Y, np.ones(2))),
        ("temperature", lambda: bath(max_energy=1.0)),
        ("amplitude", lambda: bath(amplitude=np.ones(2))),
    ],
)
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=name):
        call()


def test_kept_in_files(tmp_path):
    f = jt.TelegraphRecord(jt.Fluctuators(A, U, D), 0.1, 0.2)
    jt.save(tmp_path / "f.jt", f)
    again = jt.load(tmp_path / "f.jt")
    assert float(again.log_likelihood(TS, Y)) == float(f.log_likelihood(TS, Y))


def test_a_bath_is_differentiable_by_its_shape():
    def spectrum(x):
        options = {"slowest": x[0], "fastest": x[1], "amplitude": x[2], "temperature": x[3], "max_energy": 1.0}
        return jt.Fluctuators.sample_bath(jax.random.key(0), 50, **options).spectrum(0.5)

    x, e = jnp.array([0.1, 10.0, 0.3, 0.4]), 1e-6
    many = jax.jit(jax.vmap(spectrum))
    step = (many(x + e * jnp.eye(4)) - many(x - e * jnp.eye(4))) / (2 * e)
    np.testing.assert_allclose(jax.jit(jax.grad(spectrum))(x), step, rtol=1e-6)
