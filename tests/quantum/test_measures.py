"""Measures against brute force (explicit loops, eigenvalues, scipy.linalg.logm) and finite differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg as sl
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls.quantum as jq

SEEDS = st.integers(0, 10**6)


def random_state(rng, n, rank=None):
    g = rng.normal(size=(n, rank or n)) + 1j * rng.normal(size=(n, rank or n))
    rho = g @ g.conj().T
    return rho / np.trace(rho).real


def traceless(rng, n):
    d = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    d = d + d.conj().T
    return d - np.trace(d) * np.eye(n) / n


@partial(jax.jit, static_argnums=0)
def both_slopes(f, rho, d):
    def along(s):
        return f(rho + s * d)

    return jax.grad(along)(0.0), jax.jacfwd(along)(0.0)


def slopes(f, rho, d):
    """The derivative along d by reverse mode and by forward mode."""
    return both_slopes(f, jnp.asarray(rho, complex), jnp.asarray(d, complex))


@pytest.mark.parametrize("keep", [0, (1,), (2,), (0, 1), (0, 2), (2, 0), (0, 1, 2), ()])
def test_partial_trace_against_loops(keep):
    dims = (2, 3, 2)
    rho = random_state(np.random.default_rng(0), 12)
    kept = [keep] if isinstance(keep, int) else list(keep)
    shape = tuple(dims[k] for k in kept)
    size = int(np.prod(shape, dtype=int))
    want = np.zeros((size, size), complex)
    for i, row in enumerate(np.ndindex(*dims)):
        for j, column in enumerate(np.ndindex(*dims)):
            if all(row[k] == column[k] for k in range(3) if k not in kept):
                r = np.ravel_multi_index([row[k] for k in kept], shape) if kept else 0
                c = np.ravel_multi_index([column[k] for k in kept], shape) if kept else 0
                want[r, c] += rho[i, j]
    np.testing.assert_allclose(jq.partial_trace(rho, dims, keep), want, atol=1e-15)
    batch = jq.partial_trace(np.stack([rho, 2 * rho]), list(dims), keep)
    np.testing.assert_allclose(batch[1], 2 * want, atol=1e-15)


def test_partial_trace_of_a_ket():
    rng = np.random.default_rng(1)
    psi = rng.normal(size=12) + 1j * rng.normal(size=12)
    for keep in [(0,), (2, 0), (1, 2)]:
        want = jq.partial_trace(np.outer(psi, psi.conj()), (2, 3, 2), keep)
        np.testing.assert_allclose(jq.partial_trace(psi, (2, 3, 2), keep), want, atol=1e-14)


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_closed_forms_on_random_states(seed):
    rng = np.random.default_rng(seed)
    rho, sigma = random_state(rng, 4), random_state(rng, 4)
    np.testing.assert_allclose(jq.purity(rho), np.trace(rho @ rho).real, atol=1e-14)
    np.testing.assert_allclose(jq.von_neumann_entropy(rho), -np.trace(rho @ sl.logm(rho)).real, atol=1e-10)
    want = np.trace(rho @ (sl.logm(rho) - sl.logm(sigma))).real
    np.testing.assert_allclose(jq.relative_entropy(rho, sigma), want, rtol=1e-8)
    # By eigenvalues: the square roots of older SciPy are good to seven digits.
    weights, vectors = np.linalg.eigh(rho)
    root = (vectors * np.sqrt(weights.clip(0))) @ vectors.conj().T
    want = np.sqrt(np.linalg.eigvalsh(root @ sigma @ root).clip(0)).sum() ** 2
    np.testing.assert_allclose(jq.fidelity(rho, sigma), want, atol=1e-9)
    np.testing.assert_allclose(jq.fidelity(sigma, rho), jq.fidelity(rho, sigma), atol=1e-13)
    want = np.abs(np.linalg.eigvalsh(rho - sigma)).sum() / 2
    np.testing.assert_allclose(jq.trace_distance(rho, sigma), want, atol=1e-14)


def test_entropy_of_special_states():
    assert float(jq.von_neumann_entropy(np.diag([1.0, 0, 0]))) == 0.0
    np.testing.assert_allclose(jq.von_neumann_entropy(np.eye(5) / 5), np.log(5))
    pure = random_state(np.random.default_rng(0), 6, 1)
    assert abs(float(jq.von_neumann_entropy(pure))) < 1e-13
    assert jq.von_neumann_entropy(jnp.eye(2, dtype=jnp.complex64) / 2).dtype == jnp.float32


SIGMA = (random_state(np.random.default_rng(9), 3) + np.eye(3)) / 4


@pytest.mark.parametrize(
    "f",
    [
        jq.von_neumann_entropy,
        jq.purity,
        lambda r: jq.relative_entropy(r, SIGMA),
        lambda r: jq.relative_entropy(SIGMA, r),
        lambda r: jq.fidelity(r, SIGMA),
        lambda r: jq.fidelity(SIGMA, r),
        lambda r: jq.trace_distance(r, SIGMA),
    ],
    ids=["entropy", "purity", "relative", "relative to", "fidelity", "fidelity to", "distance"],
)
def test_gradients_against_finite_differences(f):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rho, d, h = (random_state(rng, 3) + np.eye(3)) / 4, traceless(rng, 3) + np.eye(3), 1e-5
        want = float(f(rho + h * d) - f(rho - h * d)) / (2 * h)
        for got in slopes(f, rho, d):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7)


def test_entropy_gradient_at_degenerate_and_pure_states():
    rng = np.random.default_rng(3)
    d = traceless(rng, 4)
    # fully mixed: K = -(log 1/4 + 1) is a multiple of one, so traceless directions do nothing
    for slope in slopes(jq.von_neumann_entropy, np.eye(4) / 4 + 0j, d):
        assert abs(slope) < 1e-13
    # degenerate pair, direction inside the pair: zero; between the pair and the rest: log ratio
    rho = np.diag([0.4, 0.4, 0.2]).astype(complex)
    for slope in slopes(jq.von_neumann_entropy, rho, np.diag([1.0, -1, 0])):
        assert abs(slope) < 1e-13
    for slope in slopes(jq.von_neumann_entropy, rho, np.diag([1.0, 0, -1])):
        np.testing.assert_allclose(slope, -np.log(2))
    # pure state moved unitarily: zero; towards the mixed state: large, finite, positive
    psi = rng.normal(size=4) + 1j * rng.normal(size=4)
    psi /= np.linalg.norm(psi)
    pure = np.outer(psi, psi.conj())
    for slope in slopes(jq.von_neumann_entropy, pure, 1j * (d @ pure - pure @ d)):
        assert abs(slope) < 1e-11
    for slope in slopes(jq.von_neumann_entropy, pure, np.eye(4) / 4 - pure):
        assert 20 < slope < 100
    assert np.all(np.isfinite(jax.grad(jq.von_neumann_entropy)(jnp.zeros((2, 2)))))


def test_entropy_hessian_where_eigenvalues_coincide():
    # S(diag(1/2 + s, 1/2 - s)) = log 2 - 2 s² + ..., along sigma_x as along sigma_z
    for pauli in (jq.sigma_x(), jq.sigma_z()):
        second = jax.grad(jax.grad(lambda s, pauli=pauli: jq.von_neumann_entropy(jnp.eye(2) / 2 + s * pauli)))(0.0)
        np.testing.assert_allclose(second, -4.0)


def test_fidelity_of_pure_states():
    rng = np.random.default_rng(4)
    a, b = (rng.normal(size=3) + 1j * rng.normal(size=3) for _ in range(2))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    want, rho, sigma = abs(np.vdot(a, b)) ** 2, np.outer(a, a.conj()), np.outer(b, b.conj())
    for pair in [(a, b), (a, sigma), (rho, b), (rho, sigma)]:
        np.testing.assert_allclose(jq.fidelity(*pair), want, atol=1e-13)
    np.testing.assert_allclose(jq.fidelity(np.stack([rho, sigma]), sigma), [want, 1], atol=1e-13)
    # the gradient on density matrices of rank one along the pure states is the one of |<a|b>|²
    da = rng.normal(size=3) + 1j * rng.normal(size=3)

    def unit(s):
        return (jnp.asarray(a) + s * da) / jnp.linalg.norm(jnp.asarray(a) + s * da)

    by_kets = jax.grad(lambda s: jq.fidelity(unit(s), b))(0.0)
    by_matrices = jax.grad(lambda s: jq.fidelity(jq.to_density_matrix(unit(s)), sigma))(0.0)
    np.testing.assert_allclose(by_matrices, by_kets, atol=1e-12)
    zero = jax.grad(lambda r: jq.fidelity(r, jnp.diag(jnp.array([0.0, 1, 0]))))(jnp.diag(jnp.array([1.0, 0, 0])))
    assert np.all(np.isfinite(zero))


def test_jit_vmap_agree():
    rng = np.random.default_rng(5)
    states = jnp.asarray(np.stack([random_state(rng, 4) for _ in range(3)]))
    for f in (jq.purity, jq.von_neumann_entropy, lambda r: jq.partial_trace(r, (2, 2), 1)):
        np.testing.assert_allclose(jax.jit(jax.vmap(f))(states), f(states), atol=1e-14)
        np.testing.assert_allclose(f(states)[1], f(states[1]), atol=1e-14)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="`dims` must multiply to the state's dimension 4"):
        jq.partial_trace(np.eye(4), (2, 3), 0)
    for keep in [(2,), (0, 0), (-1,)]:
        with pytest.raises(ValueError, match="`keep`"):
            jq.partial_trace(np.eye(4), (2, 2), keep)
    with pytest.raises(ValueError, match="`rho` must be a ket"):
        jq.purity(np.ones((2, 3)))
    with pytest.raises(ValueError, match="`sigma`"):
        jq.fidelity(np.eye(2), np.eye(3))
    with pytest.raises(ValueError, match="`rho`"):
        jq.von_neumann_entropy(np.ones((2, 3)))
