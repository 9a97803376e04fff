"""Solomon equations against dense exponentials, conservation laws and the full master equation."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

from . import oracle

close = np.testing.assert_allclose
RNG = np.random.default_rng(3)


@pytest.mark.parametrize("n", [1, 7, 60])
@pytest.mark.parametrize("full", [False, True])
def test_dense_exponential(n, full):
    """Nine decades of time, six of rates, with everything switched on and without."""
    f, g = 5 + RNG.normal(size=n), 10 ** RNG.uniform(-4, -1, n)
    gamma, gphi = 10 ** RNG.uniform(-6, 0, n), 0.1 + RNG.random(n)
    start = RNG.random(n)
    ts = np.concatenate([[0.0], np.geomspace(1e-4, 1e5, 14)])
    options = dict(relaxation=0.01, dephasing=0.2, excited=0.8, tls_excited=start, thermal=0.1) if full else {}
    p = jt.TLSBath(*map(jnp.asarray, (f, g, gamma, gphi))).populations(5.0, ts, **options)
    widths = gamma / 2 + gphi + (0.205 if full else 0.0)
    exchange = 2 * g**2 * widths / (widths**2 + (5.0 - f) ** 2)
    want = (0.01, 0.8, start, 0.1) if full else (0.0, 1.0, 0.0, 0.0)
    close(p, oracle.populations(exchange, gamma, ts, *want), atol=1e-10)


def test_lost_energy_is_what_the_tls_lose():
    """Without any loss the populations end equal, and their sum is kept."""
    b = jt.TLSBath([5.0, 5.0, 5.0], [0.01, 0.02, 0.03], 0.0, 0.5)
    close(b.populations(5.0, jnp.array([1e9]), tls_excited=jnp.array([0.3, 0.1, 0.0])), 1.4 / 4, atol=1e-9)


def test_master_equation_at_weak_coupling():
    """The error of the Solomon equations falls as (g over width)²."""
    errors = []
    for g in (0.05, 0.025, 0.0125):
        ts = np.linspace(0.0, 2.0, 9) / g**2
        p = jt.TLSBath([5.3], [g], 0.05, 0.5).populations(5.0, ts)
        errors.append(np.max(np.abs(p - oracle.lindblad_qubit_and_tls(g, 0.3, 0.05, 0.5, ts))))
    assert errors[0] < 1e-3
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(order > 1.7), errors


def test_decay_slows_as_the_tls_heat():
    """A slow TLS takes half of the energy and gives it back; a fast one takes all at the golden-rule rate."""
    ts = jnp.array([50.0, 500.0])
    slow = jt.TLSBath([5.0], [0.05], 1e-6, 0.3).populations(5.0, ts)
    fast = jt.TLSBath([5.0], [0.05], 50.0, 0.3)
    assert np.all(np.asarray(slow) > 0.49)
    close(-np.log(fast.populations(5.0, ts)) / ts, fast.relaxation_rate(5.0), rtol=1e-4)


def test_gradients():
    start, ts = jnp.array([0.2, 0.3]), jnp.array([0.0, 0.3, 40.0])

    def f(x):
        b = jt.TLSBath(x[:2], x[2:4], x[4:6], x[6:8])
        options = dict(relaxation=x[8], dephasing=x[9], excited=x[10], thermal=x[11])
        return jnp.sum(b.populations(5.0, ts, tls_excited=start, **options) * jnp.arange(1.0, 4.0))

    x = jnp.array([5.0, 5.4, 0.1, 0.2, 1e-3, 0.3, 0.2, 0.4, 0.02, 0.1, 0.9, 0.05])
    reverse = jax.jit(jax.grad(f))(x)
    close(reverse, jax.jit(jax.jacfwd(f))(x), atol=1e-10)
    once = jax.jit(f)
    close(reverse, [(once(x + e) - once(x - e)) / 2e-6 for e in 1e-6 * np.eye(12)], atol=2e-7, rtol=1e-6)


def arrays_of(jaxpr):
    """Sizes of everything that a program computes, loops and branches included."""
    for equation in jaxpr.eqns:
        yield from (math.prod(v.aval.shape) for v in equation.outvars)
        for value in equation.params.values():
            for inner in value if isinstance(value, list | tuple) else [value]:
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from arrays_of(inner)


@pytest.mark.parametrize("call", [lambda b, ts: b.populations(0.2, ts), lambda b, ts: jnp.abs(b.amplitude(0.2, ts))])
@pytest.mark.parametrize("compiled", [False, True])
def test_no_array_grows_with_tls_and_nodes(call, compiled):
    """Values and gradients of many TLSs: beside the TLSs themselves a chunk at 64 nodes is the largest."""
    n, ts = 50_001, np.geomspace(1e-3, 30.0, 40)
    rest = np.linspace(-5, 5, n), np.full(n, 0.3)
    value = lambda g: jnp.sum(call(jt.TLSBath(rest[0], g, rest[1]), ts))
    slope = jax.value_and_grad(value)
    traced = jax.make_jaxpr(jax.jit(slope) if compiled else slope)(np.full(n, 1e-3))
    assert n <= max(arrays_of(traced.jaxpr)) <= 4096 * 64


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_gradients_of_known_and_of_unknown_times(compiled):
    """Nodes that are counted before the run, and those that are not, in one level of blocks and in two."""
    b = jt.TLSBath([5.0, 5.4], [0.1, 0.2], [1e-3, 0.3], 0.2)
    ts = jnp.array([1e-2, 3.0, 200.0])

    def f(g, ts):
        return jnp.sum(dataclasses.replace(b, couplings=g).populations(5.0, ts))

    known, unknown = (jax.jit(lambda g: f(g, ts)), jax.jit(f)) if compiled else (lambda g: f(g, ts), f)
    g = jnp.array([0.1, 0.2])
    close(jax.grad(known)(g), jax.grad(unknown)(g, ts), rtol=1e-11)
    e = jnp.array([1e-6, 0.0])
    close(jax.grad(known)(g)[0], (known(g + e) - known(g - e)) / 2e-6, rtol=1e-6)


def test_derivative_by_time_at_the_start():
    b = jt.TLSBath([5.0], [0.1], 0.1, 0.4)
    rate = float(jt.TLSBath([5.0], [0.1], 0.1, 0.4 + 0.05).relaxation_rate(5.0))
    slope = jax.grad(lambda t: b.populations(5.0, t, relaxation=0.1, tls_excited=0.25))(0.0)
    close(slope, -0.1 - 0.75 * rate, rtol=1e-12)


def test_single_precision():
    b = jt.TLSBath(*(jnp.asarray(x, jnp.float32) for x in ([5.0, 5.2], [0.1, 0.05], [1e-3, 0.3], 0.3)))
    ts = jnp.geomspace(1e-2, 1e4, 9, dtype=jnp.float32)
    p = b.populations(jnp.float32(5.0), ts)
    assert p.dtype == jnp.float32
    double = jax.tree.map(lambda x: x.astype(float), b)
    close(p, double.populations(5.0, ts.astype(float)), atol=1e-5)
