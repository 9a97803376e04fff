"""Limit cycles: the driven atom's closed form, derivatives, and a period that is none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

SZ, SX, SM = np.diag([1.0, -1.0]), np.array([[0, 1], [1, 0]]), np.array([[0, 0], [1, 0]])
SP = SM.T


def rotating(w, rabi, gamma, listed=False):
    turn = lambda sign: lambda t: 0.5 * rabi * jnp.exp(sign * 1j * w * t)
    h = lambda t: 0.75 * SZ + SP * turn(-1)(t) + SM * turn(1)(t)
    h = [0.75 * SZ, (SP, turn(-1)), (SM, turn(1))] if listed else h
    return jt.Lindbladian(h, [SM], rates=jnp.stack([jnp.asarray(gamma)]))


@pytest.mark.parametrize("listed", [False, True])
def test_driven_atom(listed):
    """<s+ s-> = (Omega^2/4)/(Delta^2 + gamma^2/4 + Omega^2/2), the coherence turning with the drive."""
    w, rabi, gamma = 1.9, 0.6, 0.4
    delta = w - 1.5
    bottom = delta**2 + gamma**2 / 4 + rabi**2 / 2
    found = jt.periodic_steady_state(rotating(w, rabi, gamma, listed), 2 * np.pi / w, n_times=5)
    np.testing.assert_allclose(found[:, 0, 0].real, rabi**2 / 4 / bottom, atol=1e-7)
    turn = np.exp(-2j * np.pi * np.arange(5) / 5)
    np.testing.assert_allclose(found[:, 0, 1], rabi / 2 * (delta - 0.5j * gamma) / bottom * turn, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("listed", [False, True])
def test_derivatives_of_the_driven_atom(listed):
    w, gamma = 1.9, 0.4

    def excited(rabi, gamma):
        cycle = jt.periodic_steady_state(rotating(w, rabi, gamma, listed), 2 * jnp.pi / w, n_times=3)
        return cycle[:, 0, 0].real.mean()

    law = lambda rabi, gamma: rabi**2 / 4 / ((w - 1.5) ** 2 + gamma**2 / 4 + rabi**2 / 2)
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(excited, (0, 1)), (0, None)))(jnp.array([0.2, 0.6]), gamma)
    np.testing.assert_allclose(values, law(np.array([0.2, 0.6]), gamma), atol=1e-7)
    want = jax.vmap(jax.grad(law, (0, 1)), (0, None))(jnp.array([0.2, 0.6]), gamma)
    np.testing.assert_allclose(slopes, want, rtol=1e-5)
    forward = jax.jvp(excited, (0.6, gamma), (1.0, 0.0))[1]
    np.testing.assert_allclose(forward, want[0][1], rtol=1e-5)


@pytest.mark.slow
def test_slope_of_the_driven_atom_moved_side_by_side():
    w, gamma = 1.9, 0.4
    cycle = lambda rabi: jt.periodic_steady_state(rotating(w, rabi, gamma, True), 2 * np.pi / w, n_times=3)
    law = lambda rabi: rabi**2 / 4 / ((w - 1.5) ** 2 + gamma**2 / 4 + rabi**2 / 2)
    slope = jax.grad(lambda rabi: cycle(rabi)[:, 0, 0].real.mean())(0.6)
    np.testing.assert_allclose(slope, jax.grad(law)(0.6), rtol=1e-6)


@pytest.mark.slow
def test_one_period_later_it_is_itself():
    L = jt.Lindbladian(lambda t: 0.6 * SZ + 0.5 * jnp.cos(1.3 * t) * SX, [SM, 0.4 * SX], rates=[0.3, 1.0])
    period = 2 * np.pi / 1.3
    found = jt.periodic_steady_state(L, period, n_times=4)
    around = jt.propagator(L, np.arange(5) * period / 4) @ found[0].reshape(-1)
    np.testing.assert_allclose(around.reshape(5, 2, 2), jnp.concatenate([found, found[:1]]), atol=1e-7)
    np.testing.assert_allclose(jnp.trace(found, axis1=1, axis2=2), 1.0, atol=1e-7)


@pytest.mark.slow
def test_two_spins_under_a_square_wave_against_their_propagator():
    one, period = np.eye(2), 3.0
    square = lambda t: jnp.where(jnp.mod(t, period) < 1.1, 1.0, -0.4)
    spins = [0.5 * np.kron(SZ, one) + 0.2 * np.kron(SX, SX), (np.kron(one, SX), square)]
    L = jt.Lindbladian(spins, [np.kron(SM, one), np.kron(one, SM)], rates=[0.3, 0.5])
    found = jt.periodic_steady_state(L, period, n_times=4, discontinuities=np.array([1.1]))
    halves = [jt.Lindbladian(spins[0] + c * spins[1][0], [np.kron(SM, one), np.kron(one, SM)], rates=[0.3, 0.5])
              for c in (1.0, -0.4)]  # fmt: skip
    early, late = jt.propagator(halves[0], [0.0, 0.75, 1.1]), jt.propagator(halves[1], [0.0, 0.4, 1.9])
    for k, around in ((1, early[1]), (2, late[1] @ early[2]), (0, late[2] @ early[2])):
        np.testing.assert_allclose(found[k].reshape(-1), around @ found[0].reshape(-1), atol=1e-8)


def test_constant_equation_gives_its_steady_state():
    L = jt.Lindbladian(0.5 * SZ + 0.2 * SX, [SM], rates=[0.2])
    want = jnp.stack([jt.steady_state(L)] * 3)
    np.testing.assert_allclose(jt.periodic_steady_state(L, 2.0, n_times=3), want, atol=1e-10)


@pytest.mark.usefixtures("unchecked")
def test_wrong_input_is_refused_by_name():
    L, period = rotating(1.9, 0.6, 0.4), 2 * np.pi / 1.9
    wrong = [
        ("period", (L, -1.0), {}),
        ("period", (L, np.inf), {}),
        ("period", (L, [1.0, 2.0]), {}),
        ("period", (L, 0.7 * period), {}),
        ("period", (L, 1.001 * period), {}),
        ("n_times", (L, period), {"n_times": 0}),
        ("generator", (lambda t: SZ, period), {}),
    ]
    for name, args, more in wrong:
        with pytest.raises(ValueError, match=name):
            jt.periodic_steady_state(*args, **more)
    with pytest.raises(ValueError, match="no unique cycle"):
        jt.periodic_steady_state(jt.Lindbladian(lambda t: jnp.cos(1.9 * t) * SZ, [SZ]), period)
    with pytest.raises(ValueError, match="no unique cycle"):
        jt.periodic_steady_state(jt.Lindbladian([SZ, (SZ, lambda t: jnp.cos(1.9 * t))], [SZ]), period)
    hole = lambda t: 1 / jnp.abs(jnp.mod(t, period) - 1.0)
    with pytest.raises(RuntimeError, match="did not finish"):
        jt.periodic_steady_state(jt.Lindbladian([SZ, (SX, hole)], [SM]), period)
