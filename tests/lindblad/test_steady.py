"""Steady states: against the null vector of the superoperator, detailed balance, derivatives, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.lindblad.resolvent import linear, sparse

from .oracle import kerr, null_state, random_problem, superoperator

SZ, SM, SX = np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
KINDS = pytest.mark.parametrize("kind", ["dense", "sparse", "iterative"])


@pytest.fixture
def method(kind, monkeypatch):
    """The argument that gives each kind at any size."""
    monkeypatch.setitem(linear.DENSE_LEVELS, "cpu", 20 if kind == "dense" else 0)
    return "iterative" if kind == "iterative" else "direct"


@KINDS
@pytest.mark.parametrize("n", [2, 5])
def test_null_vector_of_random_lindbladians(n, kind, method):
    h, jumps, _ = random_problem(n, 2, seed=n)
    rho, info = jt.steady_state(jt.Lindbladian(h, jumps), method=method, info=True)
    assert_allclose(rho, null_state(superoperator(h, jumps)), atol=1e-10)
    assert_allclose(np.trace(rho), 1.0, atol=1e-13)
    assert np.min(np.linalg.eigvalsh(rho)) > 0
    assert info.method == kind and float(info.residual) < 1e-10


@KINDS
def test_detailed_balance(method):
    """Jumps between the levels of H at rates that a bath fixes leave the Gibbs state."""
    energies, beta = np.array([0.0, 0.7, 1.9, 2.2]), 0.8
    jumps, rates = [], []
    for i in range(4):
        for j in range(4):
            if i != j:
                jump = np.zeros((4, 4))
                jump[i, j] = 1.0
                jumps.append(jump)
                rates.append(np.exp(-beta * (energies[i] - energies[j]) / 2))
    rho = jt.steady_state(jt.Lindbladian(np.diag(energies), jumps, rates), method=method)
    gibbs = np.exp(-beta * energies)
    assert_allclose(rho, np.diag(gibbs / gibbs.sum()), atol=1e-10)


def test_a_state_that_no_jump_leaves():
    """Pure decay ends in the ground state, where the preconditioner alone would be singular."""
    lindbladian = jt.Lindbladian(np.diag(np.arange(24.0)), [np.diag(np.sqrt(np.arange(1.0, 24.0)), 1)])
    for method in ("iterative", "direct"):
        assert_allclose(jt.steady_state(lindbladian, method=method)[0, 0], 1.0, atol=1e-9)


def test_sparse_operators_are_factorised_and_full_ones_iterated():
    h, jumps, rates = kerr(22)
    rho, info = jt.steady_state(jt.Lindbladian(h, jumps, rates), info=True)
    assert info.method == "sparse" and float(info.residual) < 1e-12
    oracle = superoperator(h, [np.sqrt(rate) * jump for rate, jump in zip(rates, jumps)])
    assert_allclose(oracle @ rho.reshape(-1), 0.0, atol=1e-12)
    assert_allclose(jt.steady_state(jt.Lindbladian(h, jumps, rates), method="iterative"), rho, atol=1e-10)
    h, jumps, _ = random_problem(22, 2, seed=1)
    assert not sparse.pays(sparse.Structure.of(jt.Lindbladian(h, jumps)))


def test_a_batch_of_sparse_steady_states_and_their_derivatives():
    f, xs = jax.jit(jax.vmap(jax.value_and_grad(thermal(22, "auto")))), jnp.array([[1.2, 0.2], [1.0, 0.1]])
    values, slopes = f(xs)
    for x, value, slope in zip(xs, values, slopes):
        assert_allclose(value, thermal(22, "iterative")(x), rtol=1e-9)
        step = jnp.array([1e-4, 0.0])
        want = (thermal(22, "iterative")(x + step) - thermal(22, "iterative")(x - step)) / 2e-4
        assert_allclose(slope[0], want, rtol=1e-6)


def thermal(n, method):
    """Mean number of a bath's oscillator as a function of (rate down, rate up): up/(down - up) without a cut-off."""

    def number(x):
        h, jumps, _ = kerr(n)
        rho = jt.steady_state(jt.Lindbladian(h, jumps, rates=x), method=method)
        return jnp.sum(jnp.arange(n) * jnp.diagonal(rho).real)

    return number


@pytest.mark.parametrize("kind", ["dense", "sparse", pytest.param("iterative", marks=pytest.mark.slow)])
def test_derivatives_are_implicit(method):
    f, x, direction = thermal(8, method), jnp.array([1.2, 0.2]), jnp.array([0.3, -0.5])
    h = 1e-4
    want = (f(x + h * direction) - f(x - h * direction)) / (2 * h)
    assert_allclose(jax.grad(f)(x) @ direction, want, rtol=1e-6)
    assert_allclose(jax.jvp(f, (x,), (direction,))[1], want, rtol=1e-6)


def test_derivatives_at_rate_zero():
    f = lambda up: jt.steady_state(jt.Lindbladian(SZ, [SM, SM.T], rates=jnp.stack([jnp.ones(()), up])))[0, 0].real
    assert_allclose(jax.grad(f)(0.0), 1.0, rtol=1e-10)
    assert_allclose(jax.jvp(f, (0.0,), (1.0,))[1], 1.0, rtol=1e-10)


def test_batches_and_jit():
    f = lambda up: jt.steady_state(jt.Lindbladian(SZ, [SM, SM.T], rates=jnp.stack([jnp.ones(()), up])))[0, 0].real
    ups = jnp.array([0.1, 0.5])
    assert_allclose(jax.vmap(f)(ups), ups / (1 + ups), rtol=1e-10)
    assert_allclose(jax.jit(f)(0.5), 1 / 3, rtol=1e-10)


def two_sectors(n):
    """Pairs of quanta are lost: parity is conserved."""
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    return jt.Lindbladian(a.T @ a, [a @ a])


def test_several_steady_states_are_refused():
    with pytest.raises(ValueError, match=r"conserved quantity.* states are steady"):
        jt.steady_state(two_sectors(6))
    with pytest.raises(ValueError, match="conserved quantity"):
        jt.steady_state(two_sectors(6), method="iterative")
    with pytest.raises(ValueError, match="conserved quantity"):
        jt.steady_state(two_sectors(24))
    with pytest.raises(ValueError, match="conserved quantity"):
        jt.steady_state(jt.Lindbladian(SZ, []))
    inside = eqx.filter_jit(lambda scale: jt.steady_state(jt.Lindbladian(scale * SZ, [])))
    with pytest.raises(eqx.EquinoxRuntimeError, match="conserved quantity"):
        inside(jnp.asarray(1.0))
    _, info = jt.steady_state(two_sectors(6), throw=False, info=True)
    assert float(info.isolation) < 1e-12


def test_a_second_steady_state_without_populations_is_refused(monkeypatch):
    """Dephasing along x leaves <sx> as it is: a null vector in a piece of the equation that holds no population."""
    monkeypatch.setitem(linear.DENSE_LEVELS, "cpu", 0)
    with pytest.raises(ValueError, match="conserved quantity"):
        jt.steady_state(jt.Lindbladian(np.zeros((2, 2)), [SX]), method="direct")


def test_models_with_a_steady_state_of_their_own():
    bath = jt.SpinBathOscillator(1.0, jt.OhmicSpectralDensity(gamma_0=0.05, cutoff=5.0), temperature=0.5)
    assert_allclose(jt.steady_state(bath), bath.steady_state())


def test_refusals():
    moving = jt.Lindbladian(jt.modulated(jnp.cos, SZ), [SM])
    with pytest.raises(ValueError, match="`model`"):
        jt.steady_state(moving)
    with pytest.raises(ValueError, match="`model`"):
        jt.steady_state(object())
    with pytest.raises(ValueError, match="`method`"):
        jt.steady_state(jt.Lindbladian(SZ, [SM]), method="exact")
