"""Sums and multiples of generators, and propagators, keep what the engine has to know of their parts."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt

SX, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
UP = np.array([1.0, 0.0])
TS = np.array([0.0, 100.0])


def gauss(t):
    """A pi pulse of width .1 at t = 70."""
    return np.pi / 2 / (0.1 * np.sqrt(2 * np.pi)) * jnp.exp(-((t - 70.0) ** 2) / (2 * 0.1**2))


PULSED, IDLE = jt.Lindbladian([(SX, gauss)], []), jt.Lindbladian(np.zeros((2, 2)), [])
COMPOSED = {"alone": PULSED, "scaled": 1.0 * PULSED, "sum": PULSED + IDLE, "in a sum": IDLE + 1.0 * PULSED}


@pytest.mark.parametrize(
    "name", ["in a sum", *(pytest.param(k, marks=pytest.mark.slow) for k in COMPOSED if k != "in a sum")]
)
def test_a_late_pulse_is_met_in_whatever_it_is_part_of(name):
    law = COMPOSED[name]
    assert_allclose(jt.mesolve(law, [], np.diag(UP), TS).states[-1, 1, 1].real, 1.0, atol=1e-5)
    flipped = jt.propagator(law, TS)[-1] @ np.diag(UP).reshape(-1)
    assert_allclose(flipped.reshape(2, 2)[1, 1].real, 1.0, atol=1e-6)


def test_a_late_pulse_is_met_by_the_propagator_of_a_hamiltonian():
    assert_allclose(abs(jt.propagator([(SX, gauss)], TS)[-1, 1, 0]) ** 2, 1.0, atol=1e-6)


@pytest.mark.slow
def test_edges_that_the_equation_knows_end_steps_by_every_entry():
    n = 5
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    pulse = jt.piecewise_constant([0.0, 3.0, 3.01, 40.0], [0.0, 40.0, 0.0], a + a.T)
    law, ts = jt.Lindbladian(pulse, [a], rates=[0.1]), np.array([0.0, 40.0])
    want = np.diagonal(jt.mesolve(law, [], np.eye(n)[0], ts).states[-1]).real
    assert want[1] > 1e-3
    again = jt.evolve(law, np.eye(n)[0], ts)
    assert_allclose(np.diagonal(again.states[-1]).real, want, atol=1e-12)
    scaled = jt.evolve(1.0 * law, np.eye(n)[0], ts)
    assert_allclose(np.diagonal(scaled.states[-1]).real, want, atol=1e-5)


@pytest.mark.slow
def test_half_a_drive_is_named_by_every_entry():
    lower = np.array([[0.0, 0.0], [1.0, 0.0]])
    law = jt.Lindbladian([SZ, (lower, lambda t: jnp.exp(1j * t))], [])
    for composed in (law, 2.0 * law, law + IDLE):
        with pytest.warns(UserWarning) as seen:
            jt.evolve(composed, np.diag(UP), np.array([0.0, 0.1]), throw=False)
        assert any("add the conjugate" in str(warning.message) for warning in seen)


def test_limits_of_diagnostics_are_those_of_the_parts():
    law = jt.BlochRedfield(SZ, [(SX, lambda w: 0.1 * (w > 0))])
    for composed in (2.0 * law, law + IDLE):
        assert dict(composed.diagnostic_limits) == dict(law.diagnostic_limits) != {}


A = [SZ, (SX, 0.3)]


@pytest.mark.parametrize("trace", [False, True])
def test_correlations_take_lists_as_operators(trace):
    lower = np.array([[0.0, 0.0], [1.0, 0.0]])
    law, rho, ts = jt.Lindbladian(0.5 * SX, [lower]), np.diag([0.7, 0.3]), np.array([0.0, 0.5])
    whole, half = SZ + 0.3 * SX, 0.4 * lower
    found = lambda x: jt.correlation(law, rho, [SZ, (SX, x)], [SZ, (SX, x)], ts, c=(lower, 0.4))
    want = jt.correlation(law, rho, whole, whole, ts, c=half)
    assert_allclose((jax.jit(found) if trace else found)(0.3), want, atol=1e-12)
    with pytest.raises(ValueError, match="`a`"):
        jt.correlation(law, rho, None, SZ, ts)


class Own(jt.AbstractGenerator):
    """A user's generator that says too much of itself."""

    n, dtype, is_constant, has_jumps, is_sum = 2, jnp.dtype(complex), True, False, True

    def generator(self, y0=None, *, hermitian=False):
        return lambda t, rho, args=None: -1j * (SZ @ rho - rho @ SZ)


def test_a_users_generator_without_operators_is_asked_for_none():
    sol = jt.mesolve(Own(), [], np.array([1.0, 1.0]) / np.sqrt(2), np.array([0.0, 0.3]))
    assert_allclose(sol.states[-1, 0, 1], 0.5 * np.exp(-0.6j), atol=1e-6)


def test_plans_are_static_arguments():
    a = np.diag(np.sqrt(np.arange(1.0, 12)), 1)
    law, ts = jt.Lindbladian(a.T @ a + 0.1 * (a + a.T), [a]), np.array([0.0, 1.0])
    plan, again, other = (jt.plan(law, np.eye(12)[k], ts) for k in (0, 0, 1))
    assert plan == again and hash(plan) == hash(again) and plan != other
    found = []

    @partial(jax.jit, static_argnums=1)
    def last(x, plan):
        found.append(plan)
        return jt.mesolve([a.T @ a, (a + a.T, x)], [a], np.eye(12)[0], ts, plan=plan).states[-1]

    assert_allclose(last(0.1, plan), jt.mesolve(law, [], np.eye(12)[0], ts).states[-1], atol=1e-6)
    last(0.1, again)
    assert len(found) == 1


def test_plans_of_something_else_are_refused_by_name():
    law, ts = jt.Lindbladian(SX, [SZ]), np.array([0.0, 1.0])
    plan = jt.plan(law, UP, ts)
    for wrong in ("x", jt.Faber(), plan.settings):
        with pytest.raises(ValueError, match="`plan` must be made by"):
            jt.mesolve(law, [], UP, ts, plan=wrong)
    with pytest.raises(ValueError, match="`plan` must be one for states of shape"):
        jt.sesolve(SX, UP, ts, plan=plan)
    with pytest.raises(ValueError, match="`plan` must be one for states of shape"):
        jt.mesolve(np.eye(4), [], np.eye(4) / 4, ts, plan=plan)


class Qubit(eqx.Module):
    """A module of a user's, no model of ours."""

    rate: float

    def lindbladian(self):
        lower = np.array([[0.0, 0.0], [1.0, 0.0]])
        return jt.Lindbladian(0.5 * SZ, [lower, lower.T], rates=[self.rate, 0.2])


class Resting(eqx.Module):
    """Another, which knows where it comes to rest."""

    def steady_state(self):
        return jnp.eye(2) / 2


def test_steady_states_of_modules_that_offer_a_way():
    assert_allclose(jt.steady_state(Qubit(0.6))[0, 0].real, 0.25, atol=1e-9)
    assert_allclose(jt.steady_state(Resting()), np.eye(2) / 2)
    for wrong in ("x", 3, np.eye(2)):
        with pytest.raises(ValueError, match=r"`model` must be an AbstractGenerator or offer steady_state\(\)"):
            jt.steady_state(wrong)
