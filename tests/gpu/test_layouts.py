"""What is laid out otherwise for a GPU gives the same numbers, here on a CPU."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from jaxtls._platform import tracing_for
from jaxtls.dynamics.methods import splitting

from .programs import SM, SX, SZ

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


@pytest.mark.slow
@pytest.mark.parametrize("levels", [12, 23])
def test_springs(levels, monkeypatch):
    # A CPU looks for the cheapest order; here both take that of a GPU.
    monkeypatch.setattr(splitting, "platform", lambda: "gpu")
    jax.clear_caches()
    expected = springs(1, levels)
    with tracing_for("gpu"):
        found = springs(1, levels)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "error", "classes"), [(jnp.float64, 1e-12, 1), (jnp.float32, 2e-6, 2)])
def test_steps_of_a_spring(dtype, error, classes):
    """Strang steps in both layouts and in both precisions, and with half steps shared between them."""
    of_class, spins = (jnp.ones(2), (3, 4)) if classes == 2 else (1.0, 3)
    model = jt.EntropicSpring(of_class, 2.0 * of_class, gamma=3.0, beta=0.5, n_spins=spins, n_levels=18, n_modes=2)
    y, h = model.coherent_state(0.8), jnp.asarray(0.1, dtype)

    def moved(shared: bool = False):
        cast = lambda x: jnp.asarray(x, dtype)
        step = jax.tree.map(lambda x: cast(x) if eqx.is_inexact_array(x) else x, model.splitting_step(y))
        z = jax.tree.map(cast, step.pack(y))
        propagators = step.propagators(h)
        if shared:
            z = step.enter(z, propagators)
            z = step.leave(step.inner(step.inner(z, propagators), propagators), propagators)
        else:
            z = step.step(step.step(z, propagators), propagators)
        assert {x.dtype for x in jax.tree.leaves(z)} == {jnp.dtype(dtype)}
        return step.unpack(z)

    expected = moved()
    with tracing_for("gpu"):
        found = moved(), moved(shared=True)
    for one in found:
        np.testing.assert_allclose(one, expected, atol=error)


@pytest.mark.slow
def test_slopes_of_a_glass():
    def loss(rates):
        glass = jt.TLSGlass(jnp.arange(1.0, 5.0), jnp.ones((4, 4)) - jnp.eye(4), rates, 0.1, 1.0)
        return jnp.sum(glass.concurrence(jt.random_bloch_vectors(jax.random.key(0), 4), TS))

    slope = jax.jit(jax.value_and_grad(loss))
    expected = slope(jnp.full(4, 0.1))
    with tracing_for("gpu"):
        found = jax.jit(jax.value_and_grad(loss))(jnp.full(4, 0.1))
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("levels", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_trajectories(levels):
    a = np.diag(np.sqrt(np.arange(1.0, levels)), 1)
    run = lambda: jt.trajectories(a + a.T, [a], np.eye(levels)[-1], TS, 5, jax.random.key(0), [a.T @ a, a], record=True)
    expected = run()
    with tracing_for("gpu"):
        found = run()
    assert np.array_equal(found.jumps, expected.jumps)
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-9)
    np.testing.assert_allclose(found.jump_times, expected.jump_times, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [jt.TLSHeatedOscillator, jt.DampedOscillator])
def test_models_that_a_solver_moves(kind):
    def one(x):
        if kind is jt.DampedOscillator:
            model = jt.DampedOscillator(1.0, 0.1 * x)
        else:
            model = jt.TLSHeatedOscillator(1.0, x, 0.3, 1.0, 0.2, n_levels=8)
        found = jt.evolve(model, model.coherent_state(0.5), TS, rtol=1e-7, atol=1e-9)
        return sum(jnp.sum(value[-1].real) for value in found.observables.values())

    slope = jax.value_and_grad(one)
    expected = jax.jit(slope)(0.9)
    with tracing_for("gpu"):
        found = jax.jit(slope)(0.9)
        pushed = jax.jit(lambda x: jax.jvp(one, (x,), (1.0,))[1])(0.9)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(pushed, expected[1], rtol=1e-5)


@pytest.mark.slow
def test_steady_states_that_elimination_alone_does_not_find():
    dims = (2,) * 4
    bonds = sum(jt.local(dims, {k: SX, k + 1: SX}) for k in range(3))
    fields = sum(jt.local(dims, {k: SZ}) for k in range(4))
    jumps = [jt.local(dims, {k: SM}) for k in range(4)]

    def polarization(x):
        rho = jt.steady_state(jt.Lindbladian(25.0 * bonds + x * fields, jumps))
        return jnp.trace(jnp.kron(SZ, jnp.eye(8)) @ rho).real

    slope = jax.value_and_grad(polarization)
    # Numbers that are known take the whole matrix.
    expected = polarization(50.0), (polarization(50.0 + 1e-3) - polarization(50.0 - 1e-3)) / 2e-3
    found = jax.jit(slope)(50.0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with tracing_for("gpu"):
        found = jax.jit(slope)(50.0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
