"""The exact amplitude against dense exponentials and closed forms, at the edges, in both precisions and both modes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls as jt

from . import oracle

close = np.testing.assert_allclose
RNG = np.random.default_rng(7)
TS = np.concatenate([[0.0], np.geomspace(1e-6, 20.0, 13)])


def random_bath(n, spread, decades):
    return dict(
        frequencies=5.0 + spread * (RNG.random(n) - 0.5),
        couplings=0.4 * RNG.random(n),
        relaxation=10 ** RNG.uniform(*decades, n),
    )


@pytest.mark.parametrize("n, spread, decades", [(1, 0.0, (-9, -8)), (6, 3.0, (-3, 1)), (30, 12.0, (-4, 7))])
@pytest.mark.parametrize("kappa", [0.0, 0.3])
def test_dense_exponential(n, spread, decades, kappa):
    """Lossless to seven decades of loss: what decays fast costs nothing."""
    a = random_bath(n, spread, decades)
    c = jt.TLSBath(**{k: jnp.asarray(v) for k, v in a.items()}).amplitude(5.1, TS, relaxation=kappa)
    close(c, oracle.amplitude(*a.values(), 5.1, TS, kappa), atol=2e-11)


def test_exceptional_point_and_degenerate_tls():
    g, ts = 0.3, jnp.linspace(0, 20, 9)
    close(jt.TLSBath([5.0], [g], 4 * g).amplitude(5.0, ts), np.exp(-g * ts) * (1 + g * ts), atol=1e-11)
    equal = jt.TLSBath([5.0] * 4, [g / 2] * 4, 4 * g)  # the same as one of g
    close(equal.amplitude(5.0, ts), np.exp(-g * ts) * (1 + g * ts), atol=1e-11)


def rabi(g, detuning, t):
    o = np.sqrt(4 * g**2 + detuning**2)
    return 1 - 4 * g**2 / o**2 * np.sin(o * t / 2) ** 2


@pytest.mark.parametrize("t", [30.0, 3e3, 2e4])
def test_many_oscillations(t):
    """Up to 4e4 in (spread times t): more blocks of nodes than one level of the sum holds."""
    ts = t * jnp.array([1e-4, 0.37, 1.0])
    p = jnp.abs(jt.TLSBath([6.0], [0.3], 0.0).amplitude(5.0, ts)) ** 2
    close(p, rabi(0.3, 1.0, np.asarray(ts)), atol=3e-11)


def test_more_nodes_than_a_compiled_call_has_are_nan():
    ts = jnp.array([1.0, 1e7])
    p = jax.jit(lambda b: b.amplitude(5.0, ts))(jt.TLSBath([6.0], [0.3], 0.0))
    assert np.all(np.isnan(p))


def test_unknown_dephasing_under_jit_is_nan():
    f = jax.jit(lambda d: jt.TLSBath([5.0], [0.1], 0.1, d).amplitude(5.0, jnp.array([1.0])))
    assert np.isnan(f(0.1)).all() and np.isfinite(f(0.0)).all()


@pytest.mark.slow
def test_compiled_as_uncompiled_and_chunks():
    """More TLSs than a chunk, an uneven last chunk, times in any order and shape."""
    n = 4099
    a = dict(frequencies=jnp.linspace(-3, 3, n), couplings=jnp.full(n, 0.01), relaxation=jnp.linspace(0.1, 1, n))
    b, ts = jt.TLSBath(**a), jnp.array([[3.0, 0.0, 1.0], [0.5, 20.0, 1e-3]])
    c = b.amplitude(0.1, ts)
    assert c.shape == ts.shape
    close(jax.jit(lambda b: b.amplitude(0.1, ts))(b), c, atol=1e-11)
    halves = [
        jt.TLSBath(**{k: jnp.concatenate([v, v]) for k, v in a.items()} | {"couplings": jnp.full(2 * n, 0.01 / 2**0.5)})
    ]
    close(halves[0].amplitude(0.1, ts), c, atol=1e-11)


def test_single_precision():
    a = {k: jnp.asarray(v, jnp.float32) for k, v in random_bath(8, 3.0, (-3, 1)).items()}
    ts = jnp.linspace(0, 20, 9, dtype=jnp.float32)
    c = jt.TLSBath(**a).amplitude(jnp.float32(5.1), ts, relaxation=jnp.float32(0.1))
    assert c.dtype == jnp.complex64
    close(c, oracle.amplitude(*(np.asarray(v, float) for v in a.values()), 5.1, ts, 0.1), atol=2e-5)


@pytest.mark.parametrize("gamma", [1.2, *(pytest.param(x, marks=pytest.mark.slow) for x in (0.0, 3.0))])
def test_gradients(gamma):
    """Reverse and forward mode against finite differences, at an exceptional point (gamma = 4 g) and without loss."""
    ts = jnp.array([0.0, 1.0, 7.0])

    def f(x):
        b = jt.TLSBath(x[:2], x[2:4], x[4:6] + gamma)
        return jnp.sum(jnp.abs(b.amplitude(x[6], ts, relaxation=x[7])) ** 2 * jnp.arange(1.0, 4.0))

    x = jnp.array([5.0, 5.6, 0.3, 0.2, 0.0, 0.1, 5.0, 0.05])
    reverse, forward = jax.jit(jax.grad(f))(x), jax.jit(jax.jacfwd(f))(x)
    f, h = jax.jit(f), 1e-5 * np.eye(8)
    # no negative loss: one-sided where it is 0
    one_sided = [(-3 * f(x) + 4 * f(x + e) - f(x + 2 * e)) / 2e-5 for e in h]
    two_sided = [one_sided[i] if x[i] == gamma == 0 else (f(x + e) - f(x - e)) / 2e-5 for i, e in enumerate(h)]
    close(reverse, forward, atol=1e-9)
    close(reverse, two_sided, atol=2e-8, rtol=1e-6)


def test_gradient_by_time():
    b, ts = jt.TLSBath([5.0, 5.3], [0.2, 0.1], [0.1, 0.4]), jnp.array([0.0, 0.5, 9.0])
    slope = jax.vmap(jax.grad(lambda t: b.amplitude(5.1, t, relaxation=0.3).real))(ts)
    step = (b.amplitude(5.1, ts[1:] + 1e-5, relaxation=0.3) - b.amplitude(5.1, ts[1:] - 1e-5, relaxation=0.3)).real
    close(slope[0], -0.15, atol=1e-12)
    close(slope[1:], step / 2e-5, atol=1e-8)


def test_nothing_asked_for():
    b = jt.TLSBath([5.0], [0.1], 0.1)
    assert b.amplitude(5.0, jnp.zeros(0)).shape == (0,)
    assert b.swap_map(jnp.zeros(0), jnp.ones(2)).shape == (0, 2)
    assert b.swap_map(jnp.ones(2), jnp.zeros(0)).shape == (2, 0)


def test_swap_map_is_the_square_at_each_frequency():
    b, w, ts = jt.TLSBath([5.0, 5.3], [0.2, 0.1], [0.1, 0.4]), jnp.linspace(4, 6, 5), jnp.linspace(0, 9, 4)
    want = np.abs([np.asarray(b.amplitude(x, ts, relaxation=0.1)) for x in w]) ** 2
    close(b.swap_map(w, ts, relaxation=0.1), want, atol=1e-11)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 1), st.floats(0, 100)), min_size=3, max_size=3))
def test_never_more_than_one_and_never_growing_without_exchange(rows):
    f, g, gamma = map(jnp.array, zip(*rows))
    c = np.abs(jt.TLSBath(f, g, gamma).amplitude(0.0, jnp.linspace(0, 10, 8)))
    assert c[0] == 1 and np.all(c <= 1 + 1e-11)
    none = np.abs(dataclasses.replace(jt.TLSBath(f, g, gamma), couplings=0 * g).amplitude(0.0, jnp.linspace(0, 10, 8)))
    close(none, 1, atol=1e-11)
