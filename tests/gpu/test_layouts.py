"""What is laid out otherwise for a GPU gives the same numbers, here on a CPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from jaxtls._platform import tracing_for

TS = jnp.linspace(0.0, 1.5, 4)


def springs(classes: int, levels: int):
    """x, x2 and their slope in gamma, of a batch."""

    def one(gamma):
        kinds = (2.0, 3.0)[:classes]
        couplings = {"omega": jnp.ones(classes) if classes > 1 else 1.0, "splitting": jnp.array(kinds)}
        if classes == 1:
            couplings["splitting"] = 2.0
        model = jt.EntropicSpring(**couplings, gamma=gamma, beta=0.5, n_spins=3, n_levels=levels, n_modes=2)
        found = jt.evolve(model, model.coherent_state(0.8), TS, observables=["x", "x2"], save_states=True)
        return found.observables["x"] + found.observables["x2"], found.states[-1]

    gammas = jnp.array([1.0, 4.0])
    x, states = jax.jit(jax.vmap(one))(gammas)
    slopes = jax.jit(jax.vmap(jax.grad(lambda g: one(g)[0][-1])))(gammas)
    return x, states, slopes


@pytest.mark.parametrize("levels", [12, 23])
def test_springs(levels):
    expected = springs(1, levels)
    with tracing_for("gpu"):
        found = springs(1, levels)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
