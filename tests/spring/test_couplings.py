"""Springs of microscopic couplings: in motion, over disorder, and fitted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

from .oracle import Oracle
from .test_brute_force import LEVELS, assert_equals


@pytest.mark.filterwarnings("ignore:truncation")
def test_tunnelling_tlss_equal_the_full_space():
    couplings, energies, mass, omega_p = np.array([0.5, 0.35]), np.array([2.0, 3.0]), 1.3, 1.2
    s = jt.EntropicSpring.from_couplings(
        couplings,
        energies,
        omega_p=omega_p,
        beta=0.5,
        gamma=1.1,
        mass=mass,
        n_levels=LEVELS,
        n_modes=2,
        form="lindblad",
    )
    stiffness = 4 * couplings**2 / (mass * energies)
    full = Oracle(
        stiffness, energies, [1.1] * 2, 0.5, omega_p, LEVELS, "lindblad", mass=mass, softening=stiffness.sum() / 2
    )
    assert_equals(full, s)


def bath(key, strength=0.1):
    """Three TLSs with random couplings and energies."""
    first, second = jax.random.split(key)
    couplings = strength * jax.random.normal(first, (3,))
    energies = jax.random.uniform(second, (3,), minval=1.0, maxval=3.0)
    return jt.EntropicSpring.from_couplings(
        couplings, energies, omega_p=1.0, beta=1.0, gamma=0.5, n_levels=LEVELS, n_modes=2
    )


@pytest.mark.slow
def test_disordered_baths_in_a_batch():
    def one(key):
        s = bath(key)
        found = jt.evolve(s, s.coherent_state(0.3), jnp.linspace(0.0, 1.0, 3), observables=("x", "impurity"))
        return {**found.observables, "R_S": s.entropic_ratio}

    keys = jax.random.split(jax.random.key(0), 4)
    together = jax.vmap(one)(keys)
    for i in range(4):
        for name, value in one(keys[i]).items():
            np.testing.assert_allclose(together[name][i], value, rtol=1e-9, atol=1e-12, err_msg=name)
    r = jt.ensemble(one, jax.random.key(1), 8, batch_size=4)
    assert r.count == 8 and not r.failed_indices and float(r.sem["R_S"]) > 0


@pytest.mark.slow
def test_couplings_fitted_to_the_ratio():
    """R_S of Eq. 28 at two temperatures gives the two couplings back."""
    ratios = lambda m: {
        "R_S": jnp.stack(
            [
                jt.EntropicSpring.from_couplings(m["g"], jnp.array([1.0, 4.0]), 1.0, beta, 1.0).entropic_ratio
                for beta in (0.3, 2.0)
            ]
        )
    }
    truth = {"g": jnp.array([0.2, 0.3])}
    start = {"g": jnp.array([0.1, 0.1])}
    f = jt.fit(ratios, start, ratios(truth), sigma={"R_S": 1e-3}, free={"g": jt.Positive()})
    np.testing.assert_allclose(f.model["g"], truth["g"], rtol=1e-5)


FIGURE_1 = dict(beta=0.01, n_spins=20, n_levels=32, n_modes=3)
TRUTH = jt.EntropicSpring(omega=1.93, splitting=100.0, gamma=10.0, **FIGURE_1)
START = jt.EntropicSpring(omega=1.85, splitting=110.0, gamma=8.0, **FIGURE_1)
FREE = {"omega": jt.Positive(), "splitting": jt.Positive(), "gamma": jt.Positive()}


def test_the_ratio_alone_fixes_the_splitting_alone():
    """The derivative by omega is round-off, not zero: it must not lead the search away."""
    ratio = lambda m: {"R_S": m.entropic_ratio}
    f = jt.fit(ratio, START, ratio(TRUTH), sigma={"R_S": 1e-3}, free=FREE)
    assert f.success and float(f.chi2) < 1e-6
    np.testing.assert_allclose(f.model.splitting, 100.0, rtol=1e-4)
    np.testing.assert_allclose([f.model.omega, f.model.gamma], [1.85, 8.0], rtol=1e-6)
    assert "cannot see omega" in str(f) and "cannot see gamma" in str(f) and "cannot see splitting" not in str(f)


@pytest.mark.slow
def test_traces_and_the_ratio_fitted_together():
    """Traces see gamma: all three come back from data without noise."""
    ts = jnp.linspace(0.0, 3.0, 13)

    def both(m):
        found = jt.evolve(m, m.coherent_state(0.7), ts, observables=("x", "x2")).observables
        return {**found, "R_S": m.entropic_ratio}

    f = jt.fit(both, START, both(TRUTH), sigma={"x": 1e-3, "x2": 1e-3, "R_S": 1e-3}, free=FREE)
    assert f.success and "cannot see" not in str(f)
    for name in FREE:
        np.testing.assert_allclose(getattr(f.model, name), getattr(TRUTH, name), rtol=1e-5, err_msg=name)


@pytest.mark.slow
def test_memory_of_the_gradient_does_not_grow_with_the_span():
    def temporary(n_times):
        ts = jnp.linspace(0.0, 0.2 * (n_times - 1), n_times)

        def loss(gamma):
            s = jt.EntropicSpring(omega=1.93, splitting=2.0, gamma=gamma, beta=0.5, n_spins=5, n_levels=12, n_modes=2)
            return jnp.sum(jt.evolve(s, s.coherent_state(0.5), ts, observables=("x",)).observables["x"] ** 2)

        return jax.jit(jax.grad(loss)).lower(1.5).compile().memory_analysis().temp_size_in_bytes

    assert temporary(80) < 1.3 * temporary(10)
