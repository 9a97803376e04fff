"""Counting statistics against the leading eigenvalue of the tilted generator, and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

SZ, SX, SM = np.diag([1.0, -1.0]), np.array([[0, 1], [1, 0]]), np.array([[0, 0], [1, 0]])


def random_system(n, seed, k=3):
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.normal(size=shape) + 1j * rng.normal(size=shape)
    h = draw(n, n)
    return (h + h.conj().T) / 2, draw(k, n, n) / 2, rng.uniform(0.2, 1.0, k), rng.normal(size=k)


def eigenvalue(h, jumps, rates, weights, xi):
    """The eigenvalue of L + sum (e^(xi w) - 1) J that is 0 at xi = 0."""
    one = np.eye(len(h))
    found = -1j * (np.kron(h, one) - np.kron(one, h.T))
    for op, r, w in zip(jumps, rates, weights):
        lost = op.conj().T @ op
        found += r * (np.exp(xi * w) * np.kron(op, op.conj()) - (np.kron(lost, one) + np.kron(one, lost.T)) / 2)
    values = np.linalg.eigvals(found)
    return values[np.argmax(values.real)].real


@pytest.mark.parametrize("n", [2, 4, pytest.param(11, marks=pytest.mark.slow)])
def test_first_derivatives_of_the_tilted_eigenvalue(n):
    """n = 11 goes by the resolvent."""
    h, jumps, rates, weights = random_system(n, n)
    found = jt.counting_statistics(jt.Lindbladian(h, list(jumps), rates=rates), weights)
    d = 1e-3
    at = {k: eigenvalue(h, jumps, rates, weights, k * d) for k in (-2, -1, 1, 2)}
    np.testing.assert_allclose(found.current, (8 * (at[1] - at[-1]) - at[2] + at[-2]) / (12 * d), rtol=1e-8)
    np.testing.assert_allclose(found.noise, (16 * (at[1] + at[-1]) - at[2] - at[-2]) / (12 * d**2), rtol=1e-6)
    np.testing.assert_allclose(found.fano, found.noise / abs(found.current))


def test_weights_follow_the_given_order():
    """A modulated or constant jump keeps its place; functions of time are refused."""
    h, jumps, rates, weights = random_system(3, 9)
    one = jt.counting_statistics(jt.Lindbladian(h, list(jumps), rates=rates), weights)
    other = jt.counting_statistics(jt.Lindbladian(h, list(jumps[::-1]), rates=rates[::-1]), weights[::-1])
    np.testing.assert_allclose([one.current, one.noise], [other.current, other.noise], rtol=1e-10)


def test_resonant_level():
    left, right = 0.3, 1.1
    dot = jt.Lindbladian(np.zeros((2, 2)), [SM.T, SM], rates=[left, right])
    fano = (left**2 + right**2) / (left + right) ** 2
    for weights in ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5]):
        found = jt.counting_statistics(dot, weights)
        np.testing.assert_allclose([found.current, found.fano], [left * right / (left + right), fano], rtol=1e-12)


def test_resonance_fluorescence_is_sub_poissonian():
    """F = 1 - 6 Omega^2 gamma^2/(gamma^2 + 2 Omega^2)^2, and its derivative."""
    rabi, gamma = 0.8, 0.9
    law = lambda w: 1 - 6 * w**2 * gamma**2 / (gamma**2 + 2 * w**2) ** 2
    fano = lambda w: jt.counting_statistics(jt.Lindbladian(0.5 * w * SX, [SM], rates=[gamma]), [1.0]).fano
    np.testing.assert_allclose(fano(rabi), law(rabi), rtol=1e-10)
    np.testing.assert_allclose(jax.jit(jax.grad(fano))(rabi), jax.grad(law)(rabi), rtol=1e-8)
    np.testing.assert_allclose(jax.vmap(jax.jacfwd(fano))(jnp.array([0.3, rabi]))[1], jax.grad(law)(rabi), rtol=1e-8)


def test_fluctuation_theorem_at_equilibrium():
    """noise = 2 d current / d affinity."""

    def count(x):
        rates = jnp.stack([0.2 * jnp.exp(x), 0.5, 0.4, 1.0])
        return jt.counting_statistics(jt.Lindbladian(0.6 * SZ, [SM.T, SM, SM.T, SM], rates=rates), [1.0, -1.0, 0, 0])

    np.testing.assert_allclose(2 * jax.jacfwd(lambda x: count(x).current)(0.0), count(0.0).noise, rtol=1e-9)


def test_absorption_refrigerator():
    """One quantum current through all three baths: COP = w_c/w_h, and the same noise of quanta at each.

    The thermodynamic uncertainty relation, noise * entropy production / current^2 >= 2, holds.
    """
    w = np.array([1.0, 3.0, 2.0])
    beta, gamma, g = np.array([1.0, 1.1, 0.2]), np.array([0.05, 0.06, 0.04]), 0.03
    at = lambda k, x: np.kron(np.kron(*[x if i == k else np.eye(2) for i in (0, 1)]), x if k == 2 else np.eye(2))
    h = sum(w[k] * at(k, SM @ SM.T) for k in range(3))
    h[2, 5] += g
    h[5, 2] += g
    n = 1 / np.expm1(beta * w)
    jumps = [at(k, x) for k in range(3) for x in (SM.T, SM)]
    L = jt.Lindbladian(h, jumps, rates=(gamma[:, None] * np.stack([n + 1, n], 1)).reshape(-1))
    heat = np.einsum("k,kl,ls->kls", w, np.eye(3), np.array([[-1.0, 1.0]] * 3)).reshape(3, 6)
    found = jax.vmap(lambda x: jt.counting_statistics(L, x))(jnp.asarray(heat))
    assert float(found.current[0]) > 0
    np.testing.assert_allclose(found.current / found.current[0], np.array([1.0, -3.0, 2.0]), rtol=1e-8)
    np.testing.assert_allclose(found.noise / w**2, float(found.noise[0]) / w[0] ** 2, rtol=1e-8)
    entropy = -float(beta @ np.asarray(found.current))
    assert np.all(np.asarray(found.noise) * entropy >= 2 * np.asarray(found.current) ** 2)


def test_repr_and_wrong_input():
    L = jt.Lindbladian(SZ + 0.3 * SX, [SM, SM.T], rates=[0.5, 0.2])
    assert "fano" in repr(jt.counting_statistics(L, [1.0, 0.0]))
    for bad in ([1.0], [1.0, 1j], [[1.0, 1.0]], [1.0, np.nan]):
        with pytest.raises(ValueError, match="weights"):
            jt.counting_statistics(L, bad)
    for bad in (jt.Lindbladian(lambda t: t * SZ, [SM]), SZ):
        with pytest.raises(ValueError, match="lindbladian"):
            jt.counting_statistics(bad, [1.0])
    with pytest.raises(ValueError, match="unique steady state"):
        jt.counting_statistics(jt.Lindbladian(SZ, [SZ]), [1.0])
