"""Magnus steps side by side: exponentials, the order, the error estimate, and chains of propagators."""

import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.linalg
from numpy.testing import assert_allclose

from jaxtls.numerics import magnus

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, 3, 3))


def test_exponentials_of_any_size():
    scales = np.array([0.0, 1e-9, 0.3, 3.0, 40.0])
    w = np.stack([s * (A - A.T) - 0.1 * s * np.eye(3) for s in scales], -1)
    found = magnus.exponential(jnp.asarray(w))
    for k in range(len(scales)):
        assert_allclose(found[..., k], scipy.linalg.expm(w[..., k]), atol=1e-13)


def steps(count):
    """The propagator from 0 to 1 of A + cos(3t) B, and the estimated errors."""
    h = jnp.full(count, 1.0 / count)
    times = (np.arange(count) + magnus.POINTS[magnus.CHOSEN][:, None]) / count
    a = [jnp.asarray(A[..., None] + np.cos(3 * t) * B[..., None]) for t in times]
    w, error = magnus.exponent(a, h)
    return magnus.chained(magnus.exponential(w), jnp.eye(3)[0])[-1], float(jnp.max(jnp.abs(error)))


def test_the_order_is_six_and_the_estimate_is_above_the_error():
    slope = lambda t, y: (A + np.cos(3 * t) * B) @ y
    exact = scipy.integrate.solve_ivp(slope, (0, 1), np.eye(3)[0], "DOP853", rtol=1e-13, atol=1e-14).y[:, -1]
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


def test_chains_of_any_length():
    for count in (1, 2, 7, 12):
        u = RNG.normal(size=(3, 3, count))
        want = [RNG.normal(size=3)]
        for k in range(count):
            want.append(u[..., k] @ want[-1])
        assert_allclose(magnus.chained(jnp.asarray(u), jnp.asarray(want[0])), want, rtol=1e-12)
