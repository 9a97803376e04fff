"""Transforms are increasing bijections of the real line onto their range, and spread starts evenly over it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxtls.fitting import Interval, Positive, Real
from jaxtls.fitting._hypercube import hypercube

CASES = [Positive(), Positive(2.5), Interval(-3.0, 5.0), Interval(1e-9, 2e-9), Real()]


@settings(max_examples=30, deadline=None)
@given(u=st.floats(-12, 12), k=st.integers(0, len(CASES) - 1))
def test_inverse_undoes_forward(u, k):
    v = CASES[k].forward(jnp.asarray(u))
    lower, upper = CASES[k].bounds()
    assert lower < float(v) < upper
    assert float(CASES[k].inverse(v)) == pytest.approx(u, abs=1e-8)


@pytest.mark.parametrize("transform", CASES)
def test_forward_increases_and_is_smooth(transform):
    u = jnp.linspace(-8, 8, 161)
    slope = jax.jit(jax.vmap(jax.grad(transform.forward)))(u)
    assert bool(jnp.all(slope > 0)) and bool(jnp.all(jnp.isfinite(slope)))
    centred = (transform.forward(u + 1e-5) - transform.forward(u - 1e-5)) / 2e-5
    np.testing.assert_allclose(slope, centred, rtol=1e-4, atol=1e-9 * float(jnp.max(slope)) + 1e-10)


def test_bounds_may_be_arrays():
    t = Interval(jnp.array([0.0, 10.0]), jnp.array([1.0, 30.0]))
    np.testing.assert_allclose(t.forward(jnp.zeros(2)), [0.5, 20.0])


def test_spread_is_even_in_the_natural_scale():
    q = jnp.array([0.0, 0.25, 0.5, 0.75, 1.0])

    def at(start):
        return jnp.full(5, start)

    np.testing.assert_allclose(Interval(2.0, 4.0).spread(q, at(3.9)), [2.0, 2.5, 3.0, 3.5, 4.0])
    np.testing.assert_allclose(Positive().spread(q, at(5.0)), 5 * 10 ** np.array([-1, -0.5, 0, 0.5, 1]))
    np.testing.assert_allclose(Positive(1.0, decades=4).spread(q, at(2.0))[0], 1.01)
    np.testing.assert_allclose(Real(width=4.0).spread(q, at(1.0)), [-1, 0, 1, 2, 3])
    np.testing.assert_allclose(Real().spread(q, at(0.0)), [-1, -0.5, 0, 0.5, 1])


@pytest.mark.parametrize("n_dims", [1, 2, 5])
def test_hypercube_visits_every_stratum_once(n_dims):
    points = hypercube(31, n_dims, jax.random.key(3))
    np.testing.assert_allclose(np.sort(points, axis=0), np.repeat((np.arange(31)[:, None] + 0.5) / 31, n_dims, axis=1))
    if n_dims > 1:
        assert not np.allclose(points, hypercube(31, n_dims, jax.random.key(4)))
        np.testing.assert_array_equal(points, hypercube(31, n_dims, jax.random.key(3)))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Interval(2.0, 1.0), "hi"),
        (lambda: Interval(1.0, 1.0), "hi"),
        (lambda: Interval(0.0, np.inf), "hi"),
        (lambda: Interval(np.nan, 1.0), "lo"),
        (lambda: Positive(np.inf), "lower"),
        (lambda: Positive(decades=0.0), "decades"),
        (lambda: Real(width=-1.0), "width"),
    ],
)
def test_bad_bounds_are_named(make, named):
    with pytest.raises(ValueError, match=f"`{named}`"):
        make()
