"""Coherence against dense exponentials over joint states, closed forms, limits and samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls as jt

from . import oracle


@pytest.mark.parametrize("pulses", [0, 1, 2, 3, 4, 7, 8, 13, pytest.param(200, marks=pytest.mark.slow)])
def test_against_dense_exponentials(pulses):
    a, u, d = [0.9, -2.3, 4.0], [0.3, 1.0, 2.5], [0.6, 0.0, 0.4]
    ts = [0.0, 0.4, 3.0]
    want = [oracle.coherence(a, u, d, t, pulses) for t in ts]
    np.testing.assert_allclose(jt.Fluctuators(a, u, d).coherence(np.array(ts), pulses=pulses), want, atol=1e-13)


def symmetric(a, rate, t, pulses):
    """Closed forms for u = d, complex w."""
    w = np.sqrt(complex(rate**2 / 4 - a**2))
    if pulses == 0:
        return (np.exp(-rate * t / 2) * (np.cosh(w * t) + rate / (2 * w) * np.sinh(w * t))).real
    echo = rate**2 / 4 * np.cosh(w * t) - a**2 + rate * w / 2 * np.sinh(w * t)
    return (np.exp(-rate * t / 2) * echo / w**2).real


@settings(max_examples=15, deadline=None)
@given(st.floats(0.01, 30.0), st.floats(0.01, 30.0), st.floats(0.0, 8.0), st.integers(0, 1))
def test_closed_forms_of_equal_rates(a, rate, t, pulses):
    if abs(rate / (2 * a) - 1) < 1e-3:
        a *= 1.01  # the closed form, not ours, cancels there
    f = jt.Fluctuators([a], [rate / 2], [rate / 2])
    np.testing.assert_allclose(f.coherence(t, pulses=pulses).real, symmetric(a, rate, t, pulses), atol=1e-9)


@settings(max_examples=12, deadline=None)
@given(
    st.floats(-5.0, 5.0),
    st.floats(0.0, 4.0),
    st.floats(0.01, 4.0),
    st.floats(0.0, 9.0),
    st.sampled_from([0, 1, 3, 4, 9]),
)
def test_bounds_and_symmetries(a, u, d, t, pulses):
    """|D| <= 1; exchanging a with -a conjugates; u and d with a -> -a leaves it; odd pulses are never negative."""
    value = complex(jt.Fluctuators([a], [u], [d]).coherence(t, pulses=pulses))
    assert abs(value) <= 1 + 1e-12
    np.testing.assert_allclose(
        complex(jt.Fluctuators([-a], [u], [d]).coherence(t, pulses=pulses)), np.conj(value), atol=1e-12
    )
    np.testing.assert_allclose(complex(jt.Fluctuators([-a], [d], [u]).coherence(t, pulses=pulses)), value, atol=1e-12)
    if pulses % 2:
        assert value.imag == 0 and value.real >= 0


def test_exceptional_point_is_smooth():
    """D and its first two derivatives by the amplitude there are those by differences of points beside it."""

    @jax.jit
    def derivatives(a):
        f = lambda a: jt.Fluctuators(a[None], jnp.array([0.8]), jnp.array([0.8])).coherence(3.0).real
        return jnp.stack([f(a), jax.grad(f)(a), jax.grad(jax.grad(f))(a)])

    e = 1e-4
    low, at, high = (np.asarray(derivatives(jnp.asarray(0.8 + x))) for x in (-e, 0.0, e))
    np.testing.assert_allclose((low + high) / 2, at, rtol=1e-6)
    np.testing.assert_allclose((high - low)[:2] / (2 * e), at[1:], rtol=1e-6)


@pytest.mark.parametrize(
    "pulses", [0, 1, pytest.param(4, marks=pytest.mark.slow), pytest.param(8, marks=pytest.mark.slow), 9]
)
def test_gradients_forward_reverse_and_by_differences(pulses):
    """One rate is zero, its edge: the difference is from one side."""
    p, e = jnp.array([0.7, -3.0, 1.2, 0.4, 0.0, 0.3, 1.1, 0.5, 0.6]), 1e-5

    def z(p):
        d = jt.Fluctuators(p[:3], p[3:6], p[6:]).coherence(1.3, pulses=pulses)
        return d.real + 2 * d.imag

    reverse, forward = jax.jit(jax.grad(z))(p), jax.jit(jax.jacfwd(z))(p)
    np.testing.assert_allclose(reverse, forward, rtol=1e-12, atol=1e-14)
    many = jax.jit(jax.vmap(z))
    shift = e * jnp.eye(9)
    low, here, high, higher = (many(p + x * shift) for x in (-1, 0, 1, 2))
    step = jnp.where(p == 0, -3 * here + 4 * high - higher, high - low) / (2 * e)
    np.testing.assert_allclose(reverse, step, atol=1e-7)


def test_limits():
    """Motional narrowing, beats, and the echo's cubic start."""
    fast = jt.Fluctuators([0.01], [50.0], [50.0])
    np.testing.assert_allclose(fast.coherence(1e5), np.exp(-(0.01**2) * 1e5 / 100), rtol=1e-6)
    slow = jt.Fluctuators([40.0], [1e-4], [1e-4])
    np.testing.assert_allclose(slow.coherence(1.3).real, np.cos(52.0) * np.exp(-1.3e-4), atol=1e-5)
    a, rate, t = 2.0, 1e-3, 1e-2
    echo = jt.Fluctuators([a], [rate / 2], [rate / 2]).coherence(t, pulses=1).real
    np.testing.assert_allclose(1 - echo, a**2 * rate * t**3 / 12, rtol=1e-2)


def test_fast_weak_fluctuators_keep_their_digits():
    """Over a long time, by 40 digits: roots that cancel, exponents that would overflow, and the derivatives."""
    import mpmath

    a, u, d, t = 0.02, 4e5, 6e5, 3e6

    def exact(a, u, d):
        half, b = (u + d) / 2, (u - d) / 2 + 1j * a
        w = mpmath.sqrt(b * b + u * d)
        m = (u - d) / (u + d)
        up, down = mpmath.exp((w - half) * t), mpmath.exp(-(w + half) * t)
        return (up + down) / 2 + (up - down) / (2 * w) * (half + 1j * a * m)

    f = lambda a, u, d: jt.Fluctuators(jnp.array([a]), jnp.array([u]), jnp.array([d])).coherence(t)
    with mpmath.workdps(60):
        # The first-order phase a m t is large: rounding of it is all that may be lost.
        want = complex(exact(mpmath.mpf(a), mpmath.mpf(u), mpmath.mpf(d)))
        slope = complex(mpmath.diff(lambda x: exact(mpmath.mpf(a), x, mpmath.mpf(d)), u, h=mpmath.mpf(10) ** -15))
    np.testing.assert_allclose(complex(f(a, u, d)), want, atol=1e-11)
    got = complex(jax.jacfwd(lambda u: f(a, u, d))(u))
    np.testing.assert_allclose(got, slope, rtol=1e-8)


def test_one_over_f_echo():
    """Many weak fluctuators over many decades: exp(-s2 t² ln2/2pi), with S = s2/|w|."""
    n, a = 4000, 0.01
    grid = (np.arange(n) + 0.5) / n
    rate = 10.0 ** (6 * grid - 3)
    f = jt.Fluctuators(np.full(n, a), rate / 2, rate / 2)
    s2, t = n * a**2 * np.pi / np.log(1e6), 2.0
    np.testing.assert_allclose(f.coherence(t, pulses=1).real, np.exp(-s2 * t**2 * np.log(2) / (2 * np.pi)), rtol=2e-3)


def test_single_precision():
    f = jt.Fluctuators(*(jnp.array(x, jnp.float32) for x in ([0.8, 0.1], [0.8, 1e-3], [0.8, 2e-3])))
    ts = jnp.array([0.0, 1.0, 50.0], jnp.float32)
    d = f.coherence(ts, pulses=2)
    assert d.dtype == jnp.complex64
    want = [oracle.coherence([0.8, 0.1], [0.8, 1e-3], [0.8, 2e-3], t, 2) for t in (0.0, 1.0, 50.0)]
    np.testing.assert_allclose(d, want, atol=2e-5)
