"""Every route to the steady state against NumPy superoperators on the whole 4^N space."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from jaxtls.models.network.states import CovarianceState, DensityState, PopulationState

from .oracle import Oracle

W = np.array([1.0, 1.3, 0.8, 1.1])
BETA = np.array([0.5, 1.0, 2.0, 0.7])
RATE = np.array([0.3, 0.4, 0.2, 0.25])
FULL = np.array([[0, 0.2, 0.1, 0.3], [0.2, 0, 0.3, 0.15], [0.1, 0.3, 0, 0.05], [0.3, 0.15, 0.05, 0]])
NOISE = np.array([[0, 0.05, 0.2, 0], [0.05, 0, 0.4, 0.1], [0.2, 0.4, 0, 0.3], [0, 0.1, 0.3, 0]])
ENDS = np.array([1.0, 0.0, 0.0, 1.0])


def path(values, order=None):
    n = len(values) + 1
    order = range(n) if order is None else order
    m = np.zeros((n, n))
    for value, i, k in zip(values, order, list(order)[1:]):
        m[i, k] = m[k, i] = value
    return m


CHAIN, SHUFFLED, CHAIN_NOISE = path([0.2, 0.35, 0.1]), path([0.2, 0.35, 0.1], [0, 2, 1, 3]), path([0.3, 0.0, 0.2])
UNIFORM = np.ones(4)
CASES = {
    "incoherent graph": (PopulationState, W, RATE, dict(incoherent=NOISE)),
    "incoherent, global": (PopulationState, W, RATE, dict(incoherent=NOISE, thermalizer="global")),
    "chain": (CovarianceState, W, RATE * ENDS, dict(coherent=CHAIN)),
    "chain, labels shuffled": (CovarianceState, W, RATE * ENDS, dict(coherent=SHUFFLED)),
    "chain and noise": (CovarianceState, W, RATE * ENDS, dict(coherent=CHAIN, incoherent=CHAIN_NOISE)),
    "two dimers": (CovarianceState, W, RATE, dict(coherent=path([0.2, 0.0, 0.1]))),
    "inner bath": (DensityState, W, RATE, dict(coherent=CHAIN)),
    "graph": (DensityState, W, RATE, dict(coherent=FULL)),
    "graph and noise": (DensityState, W, RATE, dict(coherent=FULL, incoherent=NOISE)),
    "graph, one bath": (DensityState, W, RATE * [1, 0, 0, 0], dict(coherent=FULL)),
    "global chain": (CovarianceState, W, RATE * ENDS, dict(coherent=CHAIN, thermalizer="global")),
    "global uniform chain": (
        CovarianceState,
        UNIFORM,
        RATE * ENDS,
        dict(coherent=path([0.2] * 3), thermalizer="global"),
    ),
    "global dimers, resonant": (
        CovarianceState,
        UNIFORM,
        RATE,
        dict(coherent=path([0.2, 0.0, 0.2]), thermalizer="global"),
    ),
    "global chain and noise": (
        CovarianceState,
        W,
        RATE * ENDS,
        dict(coherent=CHAIN, incoherent=CHAIN_NOISE, thermalizer="global"),
    ),
    "global inner bath": (DensityState, UNIFORM, RATE, dict(coherent=path([0.2] * 3), thermalizer="global")),
    "global graph": (DensityState, W, RATE, dict(coherent=FULL, thermalizer="global")),
    "global graph and noise": (DensityState, W, RATE, dict(coherent=FULL, incoherent=NOISE, thermalizer="global")),
}


@pytest.mark.parametrize("name", CASES)
def test_state_and_ledger(name):
    kind, w, rate, options = CASES[name]
    exact = Oracle(w, BETA, rate, **options)
    net = jt.ThermalNetwork(w, BETA, rate, **options)
    ss = net.steady_state()
    assert type(ss) is kind
    numbers = [np.trace(a.T @ a @ exact.rho).real for a in exact.a]
    np.testing.assert_allclose(net.populations(ss), numbers, atol=1e-12)
    np.testing.assert_allclose(net.heat_currents(ss), exact.heat, atol=1e-13)
    np.testing.assert_allclose(net.work_power(ss), exact.work, atol=1e-13)
    np.testing.assert_allclose(net.first_law_residual(ss), 0.0, atol=1e-14)
    np.testing.assert_allclose(net.entropy_production(ss), -BETA @ exact.heat, atol=1e-12)
    np.testing.assert_allclose(net.energy(ss), np.trace(exact.h @ exact.rho).real, atol=1e-12)
    np.testing.assert_allclose(net.correlations(ss), exact.correlations, atol=1e-11)
    np.testing.assert_allclose(net.density_matrix(ss), exact.rho, atol=1e-11)


@pytest.mark.parametrize(
    "name", ["chain and noise", "graph and noise", "global chain and noise", "global graph and noise"]
)
def test_right_hand_side(name):
    """d/dt of populations and energy from a hot product state, by the generator of each kind of state."""
    _, w, rate, options = CASES[name]
    exact = Oracle(w, BETA, rate, **options)
    net = jt.ThermalNetwork(w, BETA, rate, **options)
    n0 = np.array([0.9, 0.2, 0.4, 0.6])
    y = net.product_state(n0)
    rho = np.ones((1, 1))
    for p in n0:
        rho = np.kron(rho, np.diag([1 - p, p]))
    change = (exact.generator @ rho.reshape(-1)).reshape(rho.shape)
    second = (exact.generator @ change.reshape(-1)).reshape(rho.shape)
    field = net.generator(y)
    dy = field(0.0, y, None)
    shift = lambda scale: type(y)(y.reference, y.excess + scale * dy.excess)
    np.testing.assert_allclose(
        net.populations(shift(1.0)) - net.populations(y), [np.trace(a.T @ a @ change).real for a in exact.a], atol=1e-12
    )
    np.testing.assert_allclose(net.first_law_residual(y), np.trace(exact.h @ change).real, atol=1e-12)
    # the second derivative meets the coherences that the first one made
    ddy = field(0.0, shift(1.0), None).excess - dy.excess
    np.testing.assert_allclose(
        net.populations(type(y)(y.reference, ddy)) - n0, [np.trace(a.T @ a @ second).real for a in exact.a], atol=1e-12
    )


def test_long_chain_solver_is_the_dense_one():
    """Doubling (N > 16) against the dense equations, which noise of rate zero asks for."""
    n = 18
    rng = np.random.default_rng(1)
    rates = np.zeros(n)
    rates[[0, -1]] = 0.7, 0.3
    kw = dict(frequencies=rng.uniform(0.9, 1.1, n), betas=rng.uniform(0.5, 2, n), rates=rates)
    k = path(rng.uniform(0.2, 0.4, n - 1))
    for thermalizer in ("local", "global"):
        long = jt.ThermalNetwork(**kw, coherent=k, thermalizer=thermalizer)
        noise = np.zeros((n, n))
        noise[0, 1] = noise[1, 0] = 1e-300
        dense = jt.ThermalNetwork(**kw, coherent=k, incoherent=noise, thermalizer=thermalizer)
        a, b = long.steady_state(), dense.steady_state()
        np.testing.assert_allclose(a.excess, b.excess, atol=1e-11)
        np.testing.assert_allclose(long.heat_currents(a), dense.heat_currents(b), rtol=1e-8, atol=1e-14)


@pytest.mark.slow
def test_eigenstates_beyond_the_full_blocks():
    """N = 7, global, inner baths: populations alone, and with the degenerate levels of a uniform chain."""
    n = 7
    rates = np.full(n, 0.1)
    betas = np.linspace(0.5, 2.0, n)
    for w in (np.ones(n), 1 + 0.1 * np.sin(np.arange(n) ** 2)):
        net = jt.ThermalNetwork(w, betas, rates, coherent=path([0.2] * 6), thermalizer="global")
        ss = net.steady_state()
        heat = net.heat_currents(ss)
        np.testing.assert_allclose(jnp.sum(heat), 0.0, atol=1e-13)
        assert net.entropy_production(ss) > 1e-3
        equal = jt.ThermalNetwork(w, np.full(n, 0.8), rates, coherent=path([0.2] * 6), thermalizer="global")
        gibbs = equal.steady_state()
        np.testing.assert_allclose(equal.heat_currents(gibbs), 0.0, atol=1e-14)
