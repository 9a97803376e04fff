"""Coefficients that are functions of time: brute force, tolerances, derivatives of each mode, kets, edges."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.dynamics import intervals
from jaxtls.lindblad.methods.runge_kutta import RungeKutta

from .oracle import superoperator

SX, SZ, SM = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]])
UP, PROJECTOR = np.array([1.0, 0.0]), np.diag([1.0, 0.0])
TS = np.linspace(0.0, 3.0, 7)
N = 7
A = np.diag(np.sqrt(np.arange(1.0, N)), 1)


class Wave(eqx.Module):
    strength: jax.Array
    frequency: jax.Array

    def __call__(self, t):
        return self.strength * jnp.exp(1j * self.frequency * t)


def rotating(x, w=1.7):
    """A Kerr oscillator under x (a e^{iwt} + h.c.), with a loss that swells."""
    wave = Wave(jnp.asarray(x), jnp.asarray(w))
    back = lambda t: jnp.conj(wave(t))
    still = 0.4 * A.T @ A - 0.2 * A.T @ A.T @ A @ A
    return [still, (A, wave), (A.T, back)], [jt.modulated(lambda t: 1.0 + 0.5 * jnp.sin(t), A), 0.3 * A.T @ A]


def brute_force(x, w=1.7):
    still = superoperator(0.4 * A.T @ A - 0.2 * A.T @ A.T @ A @ A, [0.3 * A.T @ A], [1.0])
    loss, turn = superoperator(np.zeros((N, N)), [A], [1.0]), superoperator(np.zeros((N, N)), [], [])
    eye = np.eye(N)

    def slope(t, y):
        h = x * (np.exp(1j * w * t) * A + np.exp(-1j * w * t) * A.T)
        drive = -1j * (np.kron(h, eye) - np.kron(eye, h.T))
        return (still + (1 + 0.5 * np.sin(t)) ** 2 * loss + drive + turn) @ y

    start = np.zeros(N * N, complex)
    start[0] = 1.0
    found = scipy.integrate.solve_ivp(slope, (0.0, 3.0), start, "DOP853", TS, rtol=1e-11, atol=1e-13).y.T
    return found.reshape(len(TS), N, N)


def photons(x, **options):
    h, jumps = rotating(x)
    sol = jt.mesolve(h, jumps, np.eye(N)[0], TS, [A.T @ A], save_states=False, **options)
    return sol.expects[0].real


@pytest.mark.parametrize("rtol", [pytest.param(1e-5, marks=pytest.mark.slow), 1e-8])
def test_complex_drives_and_moving_losses_against_brute_force(rtol):
    h, jumps = rotating(0.6)
    sol = jt.mesolve(h, jumps, np.eye(N)[0], TS, [A.T @ A], rtol=rtol, atol=1e-2 * rtol)
    assert sol.stats["method"] == RungeKutta().name
    exact = brute_force(0.6)
    assert_allclose(sol.states, exact, atol=20 * rtol)
    assert_allclose(sol.expects[0], np.einsum("ij,tji->t", A.T @ A, exact), atol=60 * rtol)


@pytest.mark.slow
def test_jit_vmap_and_derivatives_of_both_modes_agree():
    last = lambda x: photons(x)[-1]
    xs = jnp.array([0.3, 0.6])
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(last)))(xs)
    assert_allclose(values, [last(x) for x in xs], atol=1e-6)
    central = (photons(0.6 + 1e-3, rtol=1e-9)[-1] - photons(0.6 - 1e-3, rtol=1e-9)[-1]) / 2e-3
    assert_allclose(slopes[1], central, rtol=1e-5)
    assert_allclose(jax.jvp(last, (0.6,), (1.0,))[1], slopes[1], rtol=1e-9)


@pytest.mark.slow
def test_second_derivatives_are_not_lost():
    last = lambda x: (
        jt.mesolve(
            [SZ, (SX, Wave(x, jnp.asarray(0.0)))], [0.3 * SM], UP, TS[:3], [PROJECTOR], save_states=False, rtol=1e-8
        )
        .expects[0, -1]
        .real
    )
    central = (jax.grad(last)(0.5 + 1e-4) - jax.grad(last)(0.5 - 1e-4)) / 2e-4
    assert_allclose(jax.jacfwd(jax.grad(last))(0.5), central, rtol=1e-5)


def test_a_window_of_levels_gives_what_the_whole_basis_gives():
    n = 90
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    h = [0.1 * a.T @ a, (a + a.T, lambda t: 0.5 * jnp.cos(t))]
    args = (h, [a], np.eye(n)[0], np.linspace(0.0, 1.0, 3), [a.T @ a])
    small = jt.mesolve(*args, save_states=False)
    whole = jax.jit(lambda x: jt.mesolve([x * h[0], h[1]], *args[1:], save_states=False).expects)(1.0)
    assert int(small.stats["levels"]) < n and float(small.diagnostics["truncation"]) < 1e-8
    assert_allclose(small.expects, whole, atol=1e-6)


def test_a_jump_that_nobody_declared_is_met_by_short_steps():
    pulse = jt.modulated(lambda t: jnp.where((t > 1.3) & (t < 1.7), 2.0, 0.0), SX)
    sol = jt.mesolve(pulse, [0.0 * SX], UP, np.array([0.0, 5.0, 10.0]), [PROJECTOR], rtol=1e-8, atol=1e-10)
    assert_allclose(sol.expects[0, -1].real, np.cos(0.8) ** 2, atol=1e-5)
    assert int(sol.stats["steps"]) < 4000


def test_a_ket_without_jumps_gives_the_states_of_its_matrix():
    rng = np.random.default_rng(0)
    h = rng.normal(size=(5, 5)) + 1j * rng.normal(size=(5, 5))
    h, psi = h + h.conj().T, rng.normal(size=5) + 1j * rng.normal(size=5)
    psi /= np.linalg.norm(psi)
    for hamiltonian in (h, [h, (np.diag(np.arange(5.0)), jnp.sin)]):
        ket = jt.mesolve(hamiltonian, [], psi, TS, [h], rtol=1e-9, atol=1e-11)
        matrix = jt.mesolve(hamiltonian, [], np.outer(psi, psi.conj()), TS, [h], rtol=1e-9, atol=1e-11)
        assert_allclose(ket.states, matrix.states, atol=1e-6)
        assert_allclose(ket.expects, matrix.expects, atol=1e-5)
        assert "trace_error" in ket.diagnostics and type(ket) is type(matrix)


def test_knots_hold_the_times_edges_and_divisions():
    ts, edges = jnp.array([0.0, 1.0, 4.0]), jnp.array([0.5, 9.0])
    knots, places = intervals.divided(ts, (edges,))
    assert_allclose(knots[places], ts)
    assert bool(jnp.any(knots == 0.5)) and float(jnp.max(knots)) == 4.0
    assert bool(jnp.all(jnp.diff(knots) >= 0)) and len(knots) >= intervals.LEAST


def test_one_level_and_the_longest_step_of_few_levels():
    one = np.ones((1, 1))
    still = jt.mesolve([one, (one, jnp.cos)], [0.1 * one], one, TS, [one])
    assert_allclose(still.expects, np.ones((1, len(TS))))
    turned = jt.mesolve([SZ, (SX, jnp.cos)], [SM], UP, TS, [SZ], max_step=0.004)
    assert int(turned.stats["steps"]) >= 750
