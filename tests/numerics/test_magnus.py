"""Magnus steps side by side: exponentials, the order, the error estimate, and chains of propagators."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from numpy.testing import assert_allclose

from jaxtls._platform import tracing_for
from jaxtls.numerics import magnus

ONE = jnp.asarray(1.0)
RNG = np.random.default_rng(0)
A, B = np.zeros((2, 4, 4))
A[:-1], B[:-1] = RNG.normal(size=(2, 3, 4))


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_exponentials_of_any_size(device):
    scales = np.array([0.0, 1e-9, 0.3, 3.0, 40.0])
    turn = np.pad(A[:3, :3] - A[:3, :3].T, ((0, 1), (0, 1))) + 0.1 * np.eye(4, k=1) - 0.1 * np.eye(4)
    turn[-1] = 0.0
    w = np.stack([s * turn for s in scales], -1)
    with tracing_for(device):
        found = magnus.expm1(jnp.asarray(w[:-1]), ONE)
    for k in range(len(scales)):
        want = scipy.linalg.expm(w[..., k]) - np.eye(4)
        assert_allclose(found[..., k], want[:-1], atol=1e-13)
    assert_allclose(found[..., 1], w[:-1, :, 1], rtol=1e-8, atol=1e-16)


def steps(count):
    """The propagator from 0 to 1 of A + cos(3t) B, and the estimated errors."""
    h = jnp.full(count, 1.0 / count)
    times = (np.arange(count) + magnus.POINTS[magnus.CHOSEN][:, None]) / count
    a = [jnp.asarray(A[:-1, :, None] + np.cos(3 * t) * B[:-1, :, None]) for t in times]
    w, error = magnus.exponent(a, h, ONE)
    found = magnus.moved(magnus.chained(magnus.expm1(w, ONE)), jnp.eye(3)[0], jnp.asarray(0.5))
    return found[-1], float(jnp.max(jnp.abs(error)))


def test_the_order_is_six_and_the_estimate_is_above_the_error():
    slope = lambda t, y: (A + np.cos(3 * t) * B) @ y
    start = np.array([1.0, 0.0, 0.0, 0.5])
    exact = scipy.integrate.solve_ivp(slope, (0, 1), start, "DOP853", rtol=1e-13, atol=1e-14).y[:-1, -1]
    found = [steps(count) for count in (8, 16)]
    errors = [np.max(np.abs(y - exact)) for y, _ in found]
    assert 5.5 < np.log2(errors[0] / errors[1]) < 7.5
    assert all(estimate > error / count for (_, estimate), error, count in zip(found, errors, (8, 16)))
    assert 4.5 < np.log2(found[0][1] / found[1][1]) < 6.0


def test_both_rules_integrate_polynomials_and_differ_where_something_jumps():
    x = 2 * magnus.POINTS - 1
    for k in range(6):
        assert abs(magnus.BEYOND @ x**k) < 1e-14
    assert abs(magnus.BEYOND @ np.cos(x)) < 1e-4 and abs(magnus.BEYOND @ (x > 0.1)) > 1e-3


@pytest.mark.slow
def test_chains_of_any_length():
    for count in (1, 7, 300):
        e = 0.3 * RNG.normal(size=(3, 4, count))
        want, c = [RNG.normal(size=3)], 0.7
        for k in range(count):
            want.append(want[-1] + e[..., k] @ np.append(want[-1], c))
        found = magnus.moved(magnus.chained(jnp.asarray(e)), jnp.asarray(want[0]), jnp.asarray(c))
        scale = np.maximum.accumulate(np.max(np.abs(want), 1))[:, None]
        assert_allclose(found / scale, want / scale, rtol=1e-9, atol=1e-10)
    for parts in (1, 5, 6):
        by = magnus.folded(jnp.asarray(e[..., :30]), parts)
        found = magnus.moved(magnus.chained(by), jnp.asarray(want[0]), jnp.asarray(c))
        assert_allclose(found, want[:31:parts], rtol=1e-8)
