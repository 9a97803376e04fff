"""The first levels alone while next to nothing is beyond: states, where it ends, derivatives."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from jaxtls.dynamics import stepping
from jaxtls.dynamics.corner import Corner
from jaxtls.dynamics.extrapolation import Extrapolation
from jaxtls.dynamics.methods import splitting
from jaxtls.models.spring import sizes

SPRING = jt.EntropicSpring(omega=1.9, splitting=2.0, gamma=3.0, beta=0.5, n_spins=30, n_levels=32, n_modes=1)
Y0 = SPRING.coherent_state(0.3)
TS = np.linspace(0.0, 3.0, 7)


def made(levels, limit):
    extrapolated = lambda y: Extrapolation(SPRING.splitting_step(y), (1, 2))
    few = Y0[:, :levels, :levels]
    narrow = extrapolated(few)
    shapes = tuple(x.shape for x in jax.tree.leaves(narrow.pack(few)))
    return extrapolated(Y0), Corner(narrow, shapes, limit)


def test_states_are_those_of_all_levels_and_the_corner_is_left_for_good():
    stepper, corner = made(20, 1e-9)

    @eqx.filter_jit
    def walked(corner):
        kept = lambda t, z, inside: (stepper.unpack(z), inside)
        counts = jnp.full(len(TS) - 1, 4)
        return stepping._walked(stepper, corner, stepper.pack(Y0), jnp.asarray(TS), kept, counts, True)[0]

    (states, inside), (expected, _) = walked(corner), walked(None)
    inside = np.asarray(inside)
    assert inside[0] and not inside[-1]
    assert np.array_equal(inside, np.sort(inside)[::-1])
    np.testing.assert_allclose(states, expected, atol=2e-9)


@pytest.mark.slow
def test_propagators_of_both_are_those_of_each():
    stepper, corner = made(20, 1e-9)
    wide, narrow = corner.propagators(stepper, jnp.asarray(0.1))
    for found, expected in ((wide, stepper), (narrow, corner.stepper)):
        pairs = zip(jax.tree.leaves(found), jax.tree.leaves(expected.propagators(jnp.asarray(0.1))))
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.slow
def test_derivatives_by_rule_and_forwards(monkeypatch):
    monkeypatch.setattr(sizes, "MANY_LEVELS", 32)
    monkeypatch.setattr(splitting, "SHORT_RUN", 2)

    def last(gamma):
        found = jt.evolve(dataclasses.replace(SPRING, gamma=gamma), Y0, TS, observables=["x2"])
        return found.observables["x2"][-1]

    jitted = jax.jit(last)
    pulled, pushed = jax.jit(jax.grad(last))(3.0), jax.jit(jax.jacfwd(last))(3.0)
    central = (jitted(3.0 + 1e-3) - jitted(3.0 - 1e-3)) / 2e-3
    np.testing.assert_allclose(pulled, pushed, rtol=1e-9)
    np.testing.assert_allclose(pulled, central, rtol=1e-5)
    monkeypatch.setattr(sizes, "MANY_LEVELS", 1000)
    jax.clear_caches()
    np.testing.assert_allclose(pulled, jax.jit(jax.grad(last))(3.0), rtol=1e-5)
