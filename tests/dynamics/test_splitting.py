"""Orders of the splitting and its extrapolations, measured; the diffrax solver; weights."""

import dataclasses
import functools

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from jaxtls.dynamics.extrapolation import Extrapolation, richardson_weights

SPRING = jt.EntropicSpring(
    omega=1.6, omega_0=0.6, splitting=2.0, gamma=0.5, beta=0.5, n_spins=3, n_levels=16, n_modes=3
)
Y0 = SPRING.coherent_state(0.5)


def order(errors, steps):
    return -np.polyfit(np.log(steps), np.log(errors), 1)[0]


@pytest.mark.parametrize("levels", [(1, 2), (1, 2, 3, 4)])
def test_weights_cancel_even_powers(levels):
    w = richardson_weights(levels)
    np.testing.assert_allclose(w.sum(), 1.0, rtol=1e-12)
    for power in range(1, len(levels)):
        np.testing.assert_allclose(np.sum(w / np.array(levels, float) ** (2 * power)), 0.0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:truncation")
@pytest.mark.parametrize(
    ("levels", "steps"),
    [
        ((1, 2), (6, 9, 14)),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (((1,), (8, 16, 32)), ((1, 2, 3), (4, 8, 16)))),
    ],
)
def test_orders_are_2k(levels, steps):
    splitting = SPRING.splitting_step(Y0)

    @jax.jit
    def final(n):
        h = 2.0 / n
        if len(levels) == 1:
            propagators = splitting.propagators(h)
            step = lambda z: splitting.step(z, propagators)
        else:
            stepper = Extrapolation(splitting, levels)
            propagators = stepper.propagators(h)
            step = lambda z: stepper.step(z, propagators)[0]
        z = jax.lax.fori_loop(0, n.astype(int), lambda _, z: step(z), splitting.pack(Y0))
        return splitting.unpack(z)

    errors = [float(jnp.max(jnp.abs(final(jnp.asarray(float(n))) - exact_state()))) for n in steps]
    measured = order(errors, steps)
    assert abs(measured - 2 * len(levels)) < 0.6, (measured, errors)


@functools.cache
def exact_state():
    ts = jnp.array([0.0, 2.0])
    sol = jt.evolve(SPRING, Y0, ts, solver=diffrax.Dopri8(), rtol=1e-12, atol=1e-13, save_states=True)
    return sol.states[-1]


@pytest.mark.filterwarnings("ignore:truncation")
@pytest.mark.parametrize(("extrapolate", "want"), [(False, 2), (True, 4)])
@pytest.mark.slow
def test_order_as_a_diffrax_solver(extrapolate, want):
    ts = jnp.array([0.0, 2.0])
    exact = SPRING.observables["x2"](exact_state())
    solver = jt.StrangSolver(SPRING, extrapolate=extrapolate)
    errors, steps = [], (8, 16, 32)
    for n in steps:
        sol = jt.evolve(
            SPRING,
            Y0,
            ts,
            solver=solver,
            stepsize_controller=diffrax.ConstantStepSize(),
            dt0=2.0 / n,
            observables=["x2"],
        )
        errors.append(abs(float(sol.observables["x2"][-1] - exact)))
    assert abs(order(errors, steps) - want) < 0.4, errors


@pytest.mark.filterwarnings("ignore:truncation")
@pytest.mark.slow
def test_diffrax_controls_the_step_of_the_splitting():
    ts = jnp.linspace(0.0, 2.0, 5)
    a = jt.evolve(SPRING, Y0, ts, solver=jt.StrangSolver(SPRING), rtol=1e-7, atol=1e-9)
    b = jt.evolve(SPRING, Y0, ts, rtol=1e-9)
    np.testing.assert_allclose(a.observables["x"], b.observables["x"], atol=1e-5)
    with pytest.raises(ValueError, match="`model`"):
        jt.StrangSolver(object())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:truncation")
def test_error_estimate_bounds_the_error():
    for rtol in (1e-4, 1e-6):
        sol = jt.evolve(SPRING, Y0, jnp.array([0.0, 2.0]), rtol=rtol)
        error = max(
            abs(float(sol.observables[k][-1] - SPRING.observables[k](exact_state()))) for k in ("x", "x2", "impurity")
        )
        assert error < 10 * float(sol.diagnostics["time_error"])
        assert error < 10 * rtol


@pytest.mark.slow
def test_as_many_levels_as_cost_least_are_found_inside_a_program():
    """Few where outputs are dense; the same numbers, steps and derivatives in either mode as with known numbers."""
    spring = jt.EntropicSpring(omega=1.3, splitting=2.0, gamma=1.0, beta=0.5, n_spins=50, n_levels=16, n_modes=4)
    y0 = spring.coherent_state(0.4)

    def run(gamma, ts):
        return jt.evolve(dataclasses.replace(spring, gamma=gamma), y0, ts, observables=["x2"])

    for count, span in ((3, 2.0), (60, 1.0)):
        ts = np.linspace(0.0, span, count)
        known, inside = run(1.0, ts), eqx.filter_jit(lambda gamma: run(gamma, ts))(jnp.asarray(1.0))  # noqa: B023
        assert int(inside.stats["steps"]) == int(known.stats["steps"])
        np.testing.assert_allclose(inside.observables["x2"], known.observables["x2"], atol=3e-7)
        last = lambda gamma, scale: run(gamma, ts).observables["x2"][-1] * scale[0] * scale[1] * scale[2]  # noqa: B023
        at = 1.0, jnp.ones(3)
        pulled, pushed = jax.grad(last, (0, 1))(*at), jax.jacfwd(last, (0, 1))(*at)
        np.testing.assert_allclose(pulled[0], pushed[0], rtol=1e-9, atol=1e-12)
        step = 1e-4
        central = (last(1.0 + step, at[1]) - last(1.0 - step, at[1])) / (2 * step)
        np.testing.assert_allclose(pulled[0], central, rtol=1e-5, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("used", [2, 3, 4])
def test_the_transpose_of_some_levels_is_that_of_a_run_with_these_alone(used):
    spring = jt.EntropicSpring(omega=1.3, splitting=2.0, gamma=1.0, beta=0.5, n_spins=50, n_levels=8, n_modes=1)
    y0, h = spring.coherent_state(0.4), jnp.asarray(0.3)

    def moved(gamma, y, levels, used=None):
        splitting = dataclasses.replace(spring, gamma=gamma).splitting_step(y0)
        stepper = Extrapolation(splitting, levels, used)
        z = stepper.reversible_step(stepper.pack(y), stepper.propagators(h))
        return jnp.sum(jnp.abs(stepper.unpack(z)) ** 2)

    some = jax.grad(lambda g, y: moved(g, y, (1, 2, 3, 4), jnp.asarray(used)), (0, 1))(1.0, y0)
    alone = jax.grad(lambda g, y: moved(g, y, tuple(range(1, used + 1))), (0, 1))(1.0, y0)
    for a, b in zip(some, alone):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)
