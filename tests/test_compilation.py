"""Other numbers in the same shapes compile nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

TS = jnp.linspace(0.0, 0.5, 4)
EDGE = jnp.array([[0.0, 1.0], [1.0, 0.0]])
PROGRAMS: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def counted():
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, *_, **__: PROGRAMS.append(name) if "backend_compile" in name else None
    )


def glass(x):
    couplings = x * (jnp.ones((4, 4)) - jnp.eye(4))
    model = jt.TLSGlass(x * jnp.arange(1.0, 5.0), couplings, x * jnp.ones(4), 0.1, 1.0)
    bloch = jnp.tile(x * jnp.array([0.6, 0.0, 0.6]), (4, 1))
    return model.concurrence(bloch, TS), model.half_system_entropy(bloch, TS), model.pair_density_matrices(bloch, TS)


def network(x):
    net = jt.ThermalNetwork([2.0, 1.0], [x, 1.25], [0.1, 0.1], coherent=x * 0.05 * EDGE)
    ss = net.steady_state()
    return net.heat_currents(ss), net.entropy_production(ss)


def oscillator(x):
    a = jnp.diag(jnp.sqrt(jnp.arange(1.0, 6.0)), 1)
    return a, jt.Lindbladian(x * (a.T @ a) + 0.3 * (a + a.T), [a], rates=[x])


def steady(x):
    a, lindbladian = oscillator(x)
    rho = jt.steady_state(lindbladian)
    return rho, jt.spectrum(lindbladian, rho, a, a.T, jnp.linspace(-1.0, 1.0, 5))


def delays(x):
    a, lindbladian = oscillator(x)
    return jt.correlation(lindbladian, jnp.eye(6) / 6, a.T, a, TS)


def jumps(x):
    a = jnp.diag(jnp.sqrt(jnp.arange(1.0, 4.0)), 1)
    H = x * (a.T @ a) + 0.3 * (a + a.T)
    return jt.trajectories(H, [x * a], jnp.eye(4)[1], TS, 5, jax.random.key(0), [a.T @ a])


def heated(x):
    model = jt.TLSHeatedOscillator(1.0, x, 0.1 * x, x, 0.5, n_levels=30)
    return jt.evolve(model, model.thermal_state(0.1 * x), TS).observables


def springs(x):
    """Other numbers of spins, too."""
    model = jt.EntropicSpring(1.9, x, x, beta=0.01, n_spins=round(100 * x), n_levels=24, n_modes=3)
    found = jt.evolve(model, model.coherent_state(0.3 * x), TS)
    return found.observables, model.entropic_ratio, model.relaxation_rate()


def measures(x):
    rho = jt.thermal_state(12, x)
    same = jt.fidelity(rho, jt.thermal_state(12, 0.5 * x)), jt.relative_entropy(rho, jt.thermal_state(12, 0.5 * x))
    return jt.coherent_state(12, x), jt.wigner(rho, TS, x * TS), jt.von_neumann_entropy(rho), *same


def damped(x):
    model = jt.DampedOscillator(x, 0.1 * x)
    return model.transition_probabilities(TS), model.transition_probabilities(TS, initial=2)


def tls_bath(x):
    """Other spreads of the TLSs and other times, too."""
    still = jt.TLSBath([5.0, 5.0 + x], [0.1 * x, 0.2], 0.1 * x)
    moving = jt.TLSBath([5.0, 5.0 + x], [0.1 * x, 0.2], 0.1, 0.1, [[x], [0.1]], x, 1.0)
    rates = moving.relaxation_rate(5.0 * x), moving.rate_autocovariance(5.0, x * TS)
    trace = moving.rate_trace(jax.random.key(0), x * TS, 5.0 * x)
    return rates, trace, still.swap_map(x * TS, 3 * x * TS), moving.populations(5.0 * x, 10 * x * TS)


@pytest.mark.parametrize(
    "call",
    [
        *(pytest.param(call, marks=pytest.mark.slow, id=call.__name__) for call in (glass, heated, tls_bath)),
        *(pytest.param(c, id=c.__name__) for c in (network, steady, delays, jumps, springs, measures, damped)),
    ],
)
def test_other_numbers_compile_nothing(call):
    jax.block_until_ready(call(0.9))
    call(0.8)
    jax.jit(lambda x: 2 * x)(1.0)
    assert PROGRAMS  # a new function is counted
    PROGRAMS.clear()
    found = jax.tree.leaves(call(1.1))
    assert PROGRAMS == []
    assert all(np.all(np.isfinite(leaf)) for leaf in found)


# --- first calls: one program for each thing asked for, not one for each operation -----------------------------------


def spring():
    return jt.EntropicSpring(1.93, splitting=100.0, gamma=10.0, beta=0.01, n_spins=50, n_levels=14, n_modes=2)


FIRST_CALLS = {
    "coherent state": (lambda: jt.coherent_state(9, jnp.asarray(0.5)), 2),
    "thermal state": (lambda: jt.thermal_state(9, jnp.asarray(0.5)), 2),
    "wigner": (lambda: jt.wigner(np.eye(9) / 9, TS, TS), 2),
    "concurrence": (lambda: jt.concurrence(np.eye(4) / 4), 2),
    "negativity": (lambda: jt.negativity(np.eye(6) / 6, (2, 3)), 2),
    "fidelity": (lambda: jt.fidelity(np.eye(5) / 5, np.eye(5) / 5), 3),
    "relative entropy": (lambda: jt.relative_entropy(np.eye(5) / 5, np.eye(5) / 5), 3),
    "spring": (spring, 3),
    "spring's state": (lambda: spring().coherent_state(0.7), 8),
    "heated oscillator's state": (
        lambda: jt.TLSHeatedOscillator(1.0, 2.0, 0.1, 1.0, 0.5, n_levels=13).coherent_state(0.7),
        8,
    ),
    "heated oscillator": (lambda: heated(0.9), 10),
    "network": (lambda: network(0.9), 24),
}


@pytest.mark.parametrize("name", FIRST_CALLS)
def test_a_first_call_compiles_few_programs(name):
    call, most = FIRST_CALLS[name]
    jax.clear_caches()
    PROGRAMS.clear()
    jax.block_until_ready(jax.tree.leaves(call()))
    assert 0 < len(PROGRAMS) <= most
