"""Concurrence and negativity: Wootters by a plain eigensolver, families with closed forms, gradients at the edges."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls.quantum as jq

YY = np.kron([[0, -1j], [1j, 0]], [[0, -1j], [1j, 0]])
BELL = np.array([[1, 0, 0, 1], [1, 0, 0, -1], [0, 1, 1, 0], [0, 1, -1, 0]]) / np.sqrt(2)
PHI = np.outer(BELL[0], BELL[0])
SEEDS = st.integers(0, 10**6)

concurrence = jax.jit(jq.concurrence)
forward = jax.jit(lambda rho, d: jax.jvp(jq.concurrence, (rho,), (d,))[1])
backward = jax.jit(jax.grad(jq.concurrence))
slope = jax.jit(lambda rho, d: jax.grad(lambda s: jq.concurrence(rho + s * d))(0.0))


def naive(rho):
    e = np.sort(np.sqrt(np.abs(np.linalg.eigvals(rho @ YY @ rho.conj() @ YY))))[::-1]
    return max(0.0, e[0] - e[1] - e[2] - e[3])


def gaussian(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def unit(v):
    return v / np.linalg.norm(v)


def mixed(rng):
    """A full-rank state with some entanglement."""
    g, v = gaussian(rng, 4, 4), unit(gaussian(rng, 4))
    rho = g @ g.conj().T
    return 0.15 * rho / np.trace(rho).real + 0.85 * np.outer(v, v.conj())


def local_unitary(rng):
    return np.kron(*(np.linalg.qr(gaussian(rng, 2, 2))[0] for _ in range(2)))


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_mixed_states_against_wootters_formula(seed):
    rng = np.random.default_rng(seed)
    rho, d = mixed(rng), gaussian(rng, 4, 4)
    d = d + d.conj().T
    np.testing.assert_allclose(concurrence(rho), naive(rho), atol=1e-11)
    h = 1e-6
    want = (naive(rho + h * d) - naive(rho - h * d)) / (2 * h)
    np.testing.assert_allclose(slope(rho, d), want, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_pure_states(seed):
    rng = np.random.default_rng(seed)
    v, w = gaussian(rng, 4), gaussian(rng, 4)

    def exact(v):
        return abs(v @ YY @ v) / np.vdot(v, v).real

    np.testing.assert_allclose(concurrence(np.outer(unit(v), unit(v).conj())), exact(v), atol=2e-15)
    h = 1e-5
    want = (exact(v + h * w) - exact(v - h * w)) / (2 * h)
    norm = np.vdot(v, v).real
    d = (np.outer(v, w.conj()) + np.outer(w, v.conj())) / norm
    d = d - 2 * np.vdot(v, w).real / norm * np.outer(v, v.conj()) / norm
    np.testing.assert_allclose(slope(np.outer(v, v.conj()) / norm, d), want, atol=2e-7)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 4))
def test_bell_diagonal_states_of_every_rank(seed, rank):
    rng = np.random.default_rng(seed)
    p = np.zeros(4)
    p[:rank] = rng.dirichlet(np.ones(rank))
    u = local_unitary(rng)
    rho = u @ (BELL.T * rng.permutation(p) @ BELL) @ u.conj().T
    np.testing.assert_allclose(concurrence(rho), max(0.0, 2 * p.max() - 1), atol=1e-14)


@pytest.mark.parametrize("small", [1e-3, 1e-8, 1e-14, 1e-30, 1e-100])
def test_relative_accuracy_where_populations_are_tiny(small):
    v = np.array([np.sqrt(1 - small), 0, 0, np.sqrt(small)])
    np.testing.assert_allclose(concurrence(np.outer(v, v) + 0j), 2 * v[0] * v[3], rtol=1e-14)
    # X state: C = 2 max(0, |rho_23| - sqrt(rho_11 rho_44), |rho_14| - sqrt(rho_22 rho_33))
    rho = np.diag([1 - 3 * small, small, small, small**2 / 2]).astype(complex)
    rho[1, 2] = rho[2, 1] = 0.9 * small
    want = 2 * (0.9 * small - np.sqrt(rho[0, 0].real * rho[3, 3].real))
    np.testing.assert_allclose(concurrence(rho), want, rtol=1e-13)
    flip = np.zeros((4, 4), complex)
    flip[1, 2] = flip[2, 1] = 1
    np.testing.assert_allclose(slope(rho, flip), 2.0, rtol=1e-6)


def test_werner_states_and_their_slope():
    for p in [0.0, 0.2, 1 / 3, 0.6, 0.999, 1.0]:
        rho, d = p * PHI + (1 - p) * np.eye(4) / 4 + 0j, PHI - np.eye(4) / 4 + 0j
        np.testing.assert_allclose(concurrence(rho), max(0, (3 * p - 1) / 2), atol=1e-15)
        slopes = [float(slope(rho, d)), float(forward(rho, d))]
        assert np.all(np.isfinite(slopes))
        if p != 1 / 3:
            np.testing.assert_allclose(slopes, 1.5 if p > 1 / 3 else 0.0, atol=1e-7)


def test_edges_have_value_and_finite_gradient():
    plus = np.ones((4, 4)) / 4
    states = np.stack([np.eye(4) / 4, np.diag([1.0, 0, 0, 0]), np.zeros((4, 4)), plus, PHI, np.diag([0, 1.0, 0, 0])])
    for rho, value in zip(states, [0, 0, 0, 0, 1, 0]):
        np.testing.assert_allclose(concurrence(rho + 0j), value, atol=1e-15)
        gradient = np.asarray(backward(rho + 0j))
        assert np.all(np.isfinite(gradient))
        assert value or np.all(gradient == 0)
    # rank two with a singular tau: the slope of C = p along p Phi + (1-p)|01><01| is one
    rho = 0.5 * PHI + 0.5 * np.diag([0, 1.0, 0, 0])
    np.testing.assert_allclose(slope(rho + 0j, PHI - np.diag([0, 1.0, 0, 0]) + 0j), 1.0, atol=1e-7)


@pytest.mark.slow
def test_batches_precision_and_real_input():
    rng = np.random.default_rng(0)
    states = np.stack([mixed(rng) for _ in range(6)]).reshape(2, 3, 4, 4)
    want = np.array([naive(r) for r in states.reshape(6, 4, 4)]).reshape(2, 3)
    np.testing.assert_allclose(concurrence(states), want, atol=1e-11)
    single = jax.jit(jax.vmap(jax.vmap(jq.concurrence)))(jnp.asarray(states, jnp.complex64))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, want, atol=3e-6)
    assert float(concurrence((PHI + 0j).tolist())) == pytest.approx(1)


def test_negativity():
    np.testing.assert_allclose(jq.negativity(PHI, (2, 2)), 0.5)
    psi = unit(np.eye(3).reshape(9))
    np.testing.assert_allclose(jq.negativity(np.outer(psi, psi), (3, 3)), 1.0)

    # Werner: N = max(0, (3p - 1)/4)
    def werner(p):
        return jq.negativity(p * PHI + (1 - p) * jnp.eye(4) / 4, (2, 2))

    p = np.array([0.1, 0.6, 1.0])
    np.testing.assert_allclose(jax.vmap(werner)(p), [0, 0.2, 0.5], atol=1e-15)
    for mode in (jax.grad, jax.jacfwd):
        np.testing.assert_allclose(jax.jit(jax.vmap(mode(werner)))(p), [0, 0.75, 0.75], atol=1e-13)


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_negativity_against_the_trace_norm(seed):
    rng = np.random.default_rng(seed)
    g, v = gaussian(rng, 6, 6), unit(gaussian(rng, 6))
    rho = 0.3 * g @ g.conj().T / np.trace(g @ g.conj().T).real + 0.7 * np.outer(v, v.conj())
    for dims in [(2, 3), (3, 2)]:
        transposed = rho.copy()
        a, b = dims
        for i, j, k, l in np.ndindex(a, b, a, b):
            transposed[i * b + j, k * b + l] = rho[k * b + j, i * b + l]
        want = (np.linalg.svd(transposed)[1].sum() - 1) / 2
        np.testing.assert_allclose(jq.negativity(rho, dims), want, atol=1e-14)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_local_unitaries_change_nothing(seed):
    rng = np.random.default_rng(seed)
    rho, u = mixed(rng), local_unitary(rng)
    turned = u @ rho @ u.conj().T
    np.testing.assert_allclose(concurrence(turned), concurrence(rho), atol=1e-13)
    np.testing.assert_allclose(jq.negativity(turned, (2, 2)), jq.negativity(rho, (2, 2)), atol=1e-14)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"`rho` must have shape .*4, 4.*negativity"):
        jq.concurrence(np.eye(3))
    with pytest.raises(ValueError, match="`rho`"):
        jq.concurrence(np.ones((3, 4)))
    with pytest.raises(ValueError, match="`dims`"):
        jq.negativity(np.eye(4) / 4, (2, 3))
    with pytest.raises(ValueError, match="`dims` must list at least two"):
        jq.negativity(np.eye(4) / 4, (4,))
