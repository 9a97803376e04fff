"""Jumps happen where something dissipates and nowhere else; records, sampling, initial states, times."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.lindblad.jumps.runge_kutta import Inside, extension

SZ, SM, SX = np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
UP, DOWN, EXCITED = np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.diag([1.0, 0.0])
KEY = jax.random.key(5)


def superposed_lower():
    lower = np.zeros((3, 3))
    lower[0, 1:] = 1.0
    return lower


@pytest.mark.parametrize(
    ("h", "jumps", "rates", "psi"),
    [
        (np.diag([900.0, 0.0]), [SM], [0.0], np.ones(2)),
        (np.diag([900.0, 0.0]), [], None, np.ones(2)),
        # Dark: to the third level alone, and by interference.
        (np.diag([900.0, 0.0, 0.0]), [np.eye(3)[:, 1:2] * np.eye(3)[2]], None, np.array([1.0, 1.0, 0.0])),
        (np.diag([7.0, 0.0, 0.0]), [superposed_lower(), superposed_lower()], None, np.array([0.0, 1.0, -1.0])),
    ],
)
def test_nothing_jumps_where_nothing_dissipates(h, jumps, rates, psi):
    """An integrator's norm drifts by far more than this at a loose tolerance."""
    n, here = len(h), np.diag(np.abs(psi) ** 2 / np.sum(np.abs(psi) ** 2))
    found = jt.trajectories(h, jumps, psi, [0.0, 1.0], 20, KEY, [np.diag(np.arange(n))], rates=rates, rtol=1e-3)
    assert int(found.jumps.sum()) == 0 and int(found.steps.max()) < 5000
    assert_allclose(found.mean[0].real, np.trace(here @ np.diag(np.arange(n))), atol=0.01)


@pytest.mark.slow
def test_averages_are_off_by_no_more_than_their_errors_say():
    """z-scores over seeds, at a tolerance that lets the norm drift: chi squared of 40, and their mean."""
    ts = jnp.array([0.0, 2.0, 6.0])
    ops = [SM, np.array([[1.0, 1.0], [0.0, 1.0]])]
    exact = jt.mesolve(0.5 * SZ + 2.0 * SX, ops, DOWN, ts, [EXCITED, SX], rates=[0.3, 0.1]).expects.real
    z = []
    for seed in range(10):
        run = jt.trajectories(
            0.5 * SZ + 2.0 * SX, ops, DOWN, ts, 1500, jax.random.key(seed), [EXCITED, SX], rates=[0.3, 0.1], rtol=1e-4
        )
        z.append(((run.mean.real - exact) / run.sem)[:, 1:])
    z = np.stack(z)
    assert 18 < np.sum(z**2) < 70 and np.all(np.abs(z.mean(0)) < 3.5 / np.sqrt(10))


@pytest.mark.slow
def test_rare_jumps_have_their_rate():
    found = jt.trajectories(np.diag([300.0, 0.0]), [SZ], np.ones(2), [0.0, 1.0], 4000, KEY, rates=[0.01])
    assert abs(int(found.jumps.sum()) - 40) < 5 * np.sqrt(40)


def test_a_late_pulse_of_a_rate_and_of_a_drive_is_not_stepped_over():
    pulse = lambda t: jnp.exp(-(((t - 50.0) / 0.3) ** 2) / 2)
    area = 0.3 * np.sqrt(np.pi)
    decay = jt.trajectories(0 * SZ, [jt.modulated(pulse, SM)], UP, [0.0, 100.0], 400, KEY, [EXCITED], record=True)
    assert abs(float(decay.mean[0, -1].real) - np.exp(-area)) < 5 * float(decay.sem[0, -1])
    times = np.asarray(decay.jump_times)
    assert np.all(np.abs(times[np.isfinite(times)] - 50.0) < 2.0)
    # Beside a drive that never rests.
    h = jt.modulated(lambda t: np.pi / 2 * pulse(t) / (0.3 * np.sqrt(2 * np.pi)), SX)
    h = h + jt.modulated(lambda t: 1e-3 * jnp.cos(t), np.eye(2))
    driven = jt.trajectories(h, [], UP, [0.0, 100.0], 1, KEY, [EXCITED])
    assert_allclose(driven.mean[0, -1], 0.0, atol=1e-5)


def test_a_function_that_turns_nan_ends_the_run_at_its_time():
    h = jt.modulated(lambda t: jnp.sqrt(0.5 - t), SX)
    with pytest.raises(RuntimeError, match=r"not finite .* at t = 0\.[56]"):
        jt.trajectories(h, [SM], UP, [0.0, 0.45, 1.0], 3, KEY)
    found = jt.trajectories(h, [SM], UP, [0.0, 0.45, 1.0], 3, KEY, throw=False)
    assert not bool(found.success) and int(found.steps.max()) < 1000


def test_records_count_the_users_list():
    jumps = {"moving": lambda t: 0.6 * jnp.cos(t) * SZ, "down": SM, "up": SM.T}
    found = jt.trajectories(0.7 * SX, jumps, UP, [0.0, 8.0], 300, KEY, rates=[1.0, 0.0, 2.0], record=True)
    times, channels = np.asarray(found.jump_times), np.asarray(found.jump_channels)
    kept = np.isfinite(times)
    assert np.array_equal(kept.sum(1), found.jumps) and times.shape[1] == int(found.jumps.max())
    assert set(np.unique(channels[kept])) == {0, 2} and np.all(channels[~kept] == -1)
    assert np.all(np.diff(np.where(kept, times, 9.0), axis=1) >= 0)
    # Dephasing happens at the rate (0.6 cos t)^2 whatever the state is.
    count, want = np.sum(channels == 0), 300 * 0.36 * (4 + np.sin(16.0) / 4)
    assert abs(count - want) < 5 * np.sqrt(want)


@pytest.mark.slow
def test_records_inside_jit_and_records_that_do_not_fit():
    run = lambda w, **k: jt.trajectories(w * SX, [SM], DOWN, [0.0, 6.0], 8, KEY, record=True, **k)
    free = run(0.7)
    width = free.jump_times.shape[1]
    fixed = jax.jit(lambda w: run(w, max_jumps=width + 2).jump_times)(0.7)
    assert_allclose(fixed[:, :width], free.jump_times, rtol=1e-6)
    assert np.all(np.isinf(fixed[:, width:]))
    with pytest.raises(ValueError, match="`max_jumps`"):
        jax.jit(lambda w: run(w).jump_times)(0.7)
    with pytest.raises(RuntimeError, match="max_jumps"):
        run(0.7, max_jumps=1)
    short = run(0.7, max_jumps=1, throw=False)
    assert np.array_equal(short.jumps, free.jumps) and not bool(short.success)
    # More than there is room for at first.
    many = jt.trajectories(0 * SX, [SZ], UP, [0.0, 80.0], 3, KEY, record=True)
    assert many.jump_times.shape[1] == int(many.jumps.max()) > 40 and bool(many.success)


@pytest.mark.slow
def test_mixed_states_are_sampled_by_their_eigenvectors():
    rho = np.array([[0.3, 0.2j], [-0.2j, 0.7]])
    ts = jnp.array([0.0, 1.0])
    exact = jt.mesolve(0.4 * SX, [SM], rho, ts, [SZ, SX], rates=[0.5]).expects
    for improved in (False, True):
        found = jt.trajectories(0.4 * SX, [SM], rho, ts, 1500, KEY, [SZ, SX], rates=[0.5], improved_sampling=improved)
        assert np.all(np.abs(found.mean - exact) < 4.5 * found.sem + 1e-6)


@pytest.mark.slow
def test_improved_sampling_has_no_bias_and_smaller_errors():
    ts = jnp.array([0.0, 1.0, 2.0])
    run = lambda **k: jt.trajectories(0.5 * SX, [SM], UP, ts, 800, KEY, [EXCITED], rates=[0.05], **k)
    exact = jt.mesolve(0.5 * SX, [SM], UP, ts, [EXCITED], rates=[0.05]).expects
    plain, improved = run(), run(improved_sampling=True)
    assert np.all(improved.sem[0, 1:] < 0.5 * plain.sem[0, 1:])
    assert np.all(np.abs(improved.mean - exact) < 4.5 * improved.sem + 1e-6)
    assert np.all(np.asarray(improved.jumps) >= 1)
    survived = float(np.mean(np.asarray(plain.jumps) == 0))
    assert_allclose(improved.no_jump_probability, survived, atol=5 * np.sqrt(0.1 / 800))
    closed = jt.trajectories(0.5 * SX, [SM], UP, ts, 2, KEY, [SZ], rates=[0.0], improved_sampling=True)
    assert_allclose(closed.mean[0].real, np.cos(ts), atol=1e-5)
    assert np.all(closed.sem == 0)


@pytest.mark.slow
def test_forms_of_times_operators_and_numbers():
    one = jt.trajectories(SX, SM, UP, 0.8, 1, KEY, EXCITED, t0=0.0, rates=[0.0], max_step=0.05)
    assert_allclose(one.mean[0], np.cos(0.8) ** 2, atol=1e-6)
    assert one.sem.shape == (1, 1) and np.all(np.isinf(one.sem)) and int(one.steps[0]) >= 16
    later = jt.trajectories(SX, [], UP, [0.5, 0.8], 2, KEY, {"up": scipy.sparse.csr_array(EXCITED)}, t0=0.0)
    assert_allclose(later.mean[0].real, np.cos(np.array([0.5, 0.8])) ** 2, atol=1e-6)
    now = jt.trajectories(SX, scipy.sparse.csr_array(SM), UP, [0.3, 0.4], 2, KEY, [EXCITED], t0=0.3)
    assert_allclose(now.mean[:, 0], [1.0], atol=1e-12)
    with pytest.raises(ValueError, match=r"`tsave` .*t0=0\.0"):
        jt.trajectories(SX, SM, UP, 0.3, 2, KEY)
    ts = np.linspace(0.0, 3.0, 5)
    moving = [jt.modulated(lambda t: jnp.cos(2 * t), SX), lambda t: t * np.eye(2), np.eye(2)]
    found = jt.trajectories(0 * SX, [], np.ones(2), ts, 2, KEY, moving)
    assert_allclose(found.mean, [np.cos(2 * ts), ts, np.ones(5)], atol=1e-6)


@pytest.mark.parametrize("share", [1e-9, 1e-3, 0.1, 0.37, 0.5, 0.999])
def test_the_place_of_a_jump_in_a_step_is_exact(share):
    """Where the polynomial of the hazard reaches a value that it has at a known place, by any curvature."""
    value = lambda step, x: extension(step.gain, step.first, step.last, step.bend, jnp.asarray(x))
    for first, last, gain in ((0.3, 1.1, 0.6), (0.0, 2.0, 0.7), (1.0, 1.0, 1.0), (2.0, 0.05, 0.8)):
        rates = jnp.asarray([0.5, 0.6, 0.7, 0.8, last])
        step = Inside(jnp.asarray(first), rates, jnp.asarray(gain), jnp.asarray(1.0))
        step = eqx.tree_at(lambda x: x.bend, step, jnp.asarray(0.2))
        wanted = value(step, share)
        np.testing.assert_allclose(value(step, step.reached(wanted)), wanted, rtol=1e-9, atol=1e-11)
