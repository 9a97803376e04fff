"""Quantum jumps: averages against the master equation, jump times against their law, keys, batches, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt

SZ, SM, SX = np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
UP, DOWN = np.array([1.0, 0.0]), np.array([0.0, 1.0])
KEY = jax.random.key(1)


def test_a_driven_qubit_follows_the_master_equation():
    ts, options = jnp.array([0.0, 1.0, 3.0]), {"rates": jnp.array([0.5, 0.2])}
    exact = jt.mesolve(0.5 * SZ + 5.0 * SX, [SM, SZ], DOWN, ts, [SZ, SX], **options)
    found = jt.trajectories(0.5 * SZ + 5.0 * SX, [SM, SZ], DOWN, ts, 600, KEY, [SZ, SX], **options)
    assert found.mean.shape == found.sem.shape == (2, 3) and found.count == 600
    assert np.all(found.sem[:, 1:] > 0) and np.all(found.sem[:, 0] < 1e-12)
    assert np.all(np.abs(found.mean - exact.expects) < 5 * found.sem + 1e-6)
    # Both channels together fire at 0.2 + 0.5 <excited>.
    assert_allclose(jnp.mean(found.jumps), 3 * 0.2 + 0.5 * 1.5, rtol=0.1)


def test_jumps_come_at_their_times_whatever_the_outputs():
    """A decay from the excited state: the fraction still up at t is exp(-t), and never anything between 0 and 1."""
    coarse = jt.trajectories(SZ, [SM], UP, [0.0, 1.7], 400, KEY, [SM.T @ SM])
    fine = jt.trajectories(SZ, [SM], UP, jnp.linspace(0.0, 1.7, 12), 400, KEY, [SM.T @ SM])
    assert_allclose(coarse.mean[0, -1], fine.mean[0, -1], atol=1e-12)
    count = 400 * coarse.mean[0, -1].real
    assert_allclose(count, jnp.round(count), atol=1e-6)
    assert_allclose(coarse.jumps, fine.jumps)
    assert abs(float(coarse.mean[0, -1].real) - np.exp(-1.7)) < 5 * float(coarse.sem[0, -1])
    # The draws of a trajectory are those of its index: the waiting time is -log(u).
    draws = jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(jax.random.fold_in(KEY, i), 0), (2,))[0])
    assert_allclose(count, np.sum(-np.log(draws(jnp.arange(400))) > 1.7), atol=1e-6)


@pytest.mark.slow
def test_results_do_not_depend_on_the_batch():
    run = lambda n, size: jt.trajectories(SX, [SM, SZ], UP, [0.0, 1.0], n, KEY, [SZ], batch_size=size)
    together, parted = run(10, 10), run(10, 4)
    assert_allclose(together.mean, parted.mean, atol=1e-9)
    assert_allclose(run(6, 6).jumps, parted.jumps[:6])


def test_without_jumps_it_is_the_schroedinger_equation_with_edges():
    pulse = jt.piecewise_constant([0.0, 30.0, 30.1], [0.0, np.pi / 0.2], SX)
    found = jt.trajectories(pulse, [], DOWN, [0.0, 40.0], 2, KEY, [SM.T @ SM])
    assert_allclose(found.mean[0], [0.0, 1.0], atol=1e-5)
    assert_allclose(found.sem, 0.0, atol=1e-12)


@pytest.mark.slow
def test_jumps_that_depend_on_time():
    """Decay at the rate cos(t)^2, as a modulated operator and as a function."""
    ts = jnp.array([0.0, 1.0, 2.0])
    left = jnp.exp(-(ts / 2 + jnp.sin(2 * ts) / 4))
    for jump in (jt.modulated(jnp.cos, SM), lambda t: jnp.cos(t) * SM):
        found = jt.trajectories(SZ, [jump], UP, ts, 400, KEY, [SM.T @ SM])
        assert np.all(np.abs(found.mean[0].real - left) < 5 * found.sem[0] + 1e-6)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"psi0": SM}, "psi0"),
        ({"psi0": SZ}, "psi0"),
        ({"psi0": np.eye(3)}, "psi0"),
        ({"psi0": np.zeros(2)}, "psi0"),
        ({"tsave": [1.0, 0.0]}, "tsave"),
        ({"n": 0}, "n"),
        ({"t0": 0.5}, "t0"),
        ({"max_step": 0.0}, "max_step"),
        ({"max_jumps": 3}, "max_jumps"),
        ({"record": True, "max_jumps": 0}, "max_jumps"),
        ({"rtol": 0.0}, "rtol"),
        ({"batch_size": 0}, "batch_size"),
        ({"exp_ops": [np.eye(3)]}, r"exp_ops\[0\]"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, name):
    call = {"hamiltonian": SZ, "jump_ops": [SM], "psi0": UP, "tsave": [0.0, 1.0], "n": 4, "key": KEY, **change}
    with pytest.raises(ValueError, match=rf"`{name}`"):
        jt.trajectories(**call)


def test_running_out_of_steps_is_told():
    with pytest.raises(RuntimeError, match="max_steps"):
        jt.trajectories(SX, [SM], UP, [0.0, 10.0], 2, KEY, max_steps=3)
    assert not bool(jt.trajectories(SX, [SM], UP, [0.0, 10.0], 2, KEY, max_steps=3, throw=False).success)
