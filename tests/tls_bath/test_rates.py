"""Golden-rule rates, their averages, covariances and records against sums over all states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

from . import oracle

close = np.testing.assert_allclose
RNG = np.random.default_rng(11)


def moving(n, m):
    a = dict(
        frequencies=5 + 0.5 * RNG.normal(size=n),
        couplings=0.1 * RNG.random(n),
        relaxation=0.1 + RNG.random(n),
        dephasing=0.1 * RNG.random(n),
        shifts=0.3 * RNG.normal(size=(n, m)),
        rates_up=RNG.random((n, m)),
        rates_down=RNG.random((n, m)),
    )
    return a, jt.TLSBath(**{k: jnp.asarray(v) for k, v in a.items()})


@pytest.mark.parametrize("n, m", [(1, 1), (3, 3)])
def test_mean_and_autocovariance(n, m):
    a, b = moving(n, m)
    taus = np.array([0.0, -0.4, 2.0, 50.0])
    widths = a["relaxation"] / 2 + a["dephasing"]
    for w in (4.8, 5.3):
        parts = [
            oracle.fluctuating_rate(
                *(
                    x[j]
                    for x in (a["frequencies"], a["couplings"], widths, a["shifts"], a["rates_up"], a["rates_down"])
                ),
                w,
                taus,
            )
            for j in range(n)
        ]
        close(b.relaxation_rate(w), sum(mean for mean, _ in parts), rtol=1e-12)
        close(b.rate_autocovariance(w, taus), sum(c for _, c in parts), rtol=1e-9, atol=1e-16)
    assert b.rate_autocovariance(jnp.array([4.8, 5.3]), taus.reshape(2, 2)).shape == (2, 2, 2)


def test_chunks_change_nothing():
    """More TLSs than one chunk holds, with and without fluctuators, give the sum of two halves."""
    n = 5000
    a, b = moving(n, 2)
    halves = [jt.TLSBath(**{k: jnp.asarray(v[i::2]) for k, v in a.items()}) for i in (0, 1)]
    w, taus = jnp.linspace(4, 6, 40), jnp.array([0.0, 1.0])
    close(b.relaxation_rate(w), sum(h.relaxation_rate(w) for h in halves), rtol=1e-12)
    close(b.rate_autocovariance(w, taus), sum(h.rate_autocovariance(w, taus) for h in halves), rtol=1e-12)
    states = np.where(RNG.random((2, n, 2)) < 0.5, 1, -1)
    want = sum(h.relaxation_rate(w, states=states[:, i::2]) for i, h in enumerate(halves))
    close(b.relaxation_rate(w, states=states), want, rtol=1e-12)


def test_states_reach_the_mean():
    """The mean is that over both states weighted by their probabilities, up/(up + down) of being +."""
    b = jt.TLSBath([5.0], [0.1], 0.2, shifts=[[0.4]], rates_up=3.0, rates_down=1.0)
    plus, minus = b.relaxation_rate(5.3, states=[[[1]], [[-1]]])
    close(b.relaxation_rate(5.3), 0.75 * plus + 0.25 * minus, rtol=1e-12)
    close(plus, oracle.lorentzians([5.4], [0.1], [0.1], 5.3), rtol=1e-12)


def test_a_frozen_fluctuator_has_no_covariance_and_finite_gradients():
    def variance(x):
        b = jt.TLSBath([5.0], [0.1], 0.2, shifts=[[0.3, 0.1]], rates_up=x[None, :2], rates_down=x[None, 2:])
        return b.rate_autocovariance(5.3, 1.0)

    x = jnp.array([0.0, 1.0, 2.0, 0.5])
    g = jax.grad(variance)(x)
    assert np.all(np.isfinite(g)) and g[0] > 0  # as it thaws, its variance appears
    h = 1e-6 * np.eye(4)
    want = [(variance(x + e) - variance(x - e)) / 2e-6 for e in h[1:]]
    close(g[1:], want, rtol=1e-6, atol=1e-12)
    close(g[0], (-3 * variance(x) + 4 * variance(x + h[0]) - variance(x + 2 * h[0])) / 2e-6, rtol=1e-5)
    still = jt.TLSBath([5.0], [0.1], 0.2, shifts=[[0.3]], rates_up=0.0, rates_down=2.0)
    assert float(still.rate_autocovariance(5.3, 0.0)) == 0.0


def test_records():
    """Stationary mean and variance, exponential memory, and nothing that depends on chunks."""
    b = jt.TLSBath(
        [5.0, 5.1], [0.1, 0.05], 0.2, shifts=[[0.3], [0.2]], rates_up=[[0.7], [2.0]], rates_down=[[0.3], [1.0]]
    )
    ts = jnp.array([0.0, 0.0, 0.5, 3.0])
    keys = jax.random.split(jax.random.key(0), 20000)
    r = np.asarray(jax.vmap(lambda k: b.rate_trace(k, ts, 5.2))(keys))
    assert r.shape == (20000, 4) and np.all(r[:, 0] == r[:, 1])
    mean = float(b.relaxation_rate(5.2))
    assert np.all(np.abs(r.mean(0) - mean) < 5 * r.std(0) / np.sqrt(len(r)))
    for i, j in ((0, 0), (0, 2), (2, 3)):
        product = (r[:, i] - mean) * (r[:, j] - mean)
        want = float(b.rate_autocovariance(5.2, ts[j] - ts[i]))
        assert abs(product.mean() - want) < 5 * product.std() / np.sqrt(len(r))


def test_a_long_record_switches_at_its_rates():
    b = jt.TLSBath([5.0], [0.1], 0.2, shifts=[[0.3]], rates_up=0.5, rates_down=2.0)
    ts = jnp.linspace(0.0, 4000.0, 40001)
    up = np.asarray(b.rate_trace(jax.random.key(1), ts, 5.3) > b.relaxation_rate(5.3))
    jumps = np.count_nonzero(up[1:] != up[:-1])
    want = 2 * 4000 * 0.5 * 2.0 / 2.5 * (1 - 0.1 * 2.5 / 2)  # less those that jump back within a step
    assert abs(jumps - want) < 5 * np.sqrt(want)


def test_gradients_reach_every_parameter():
    a, b = moving(3, 2)
    slope = jax.grad(lambda b: b.relaxation_rate(5.1) + b.rate_autocovariance(5.1, 0.3))(b)
    for name in a:
        g, h = np.asarray(getattr(slope, name)), 1e-6
        e = np.zeros(a[name].shape)
        e.flat[0] = h
        up, down = (
            (lambda c: c.relaxation_rate(5.1) + c.rate_autocovariance(5.1, 0.3))(
                jt.TLSBath(**{k: jnp.asarray(v + s * e if k == name else v) for k, v in a.items()})
            )
            for s in (1, -1)
        )
        close(g.flat[0], (up - down) / (2 * h), rtol=1e-5, atol=1e-10, err_msg=name)
