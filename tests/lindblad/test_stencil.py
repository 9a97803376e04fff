"""The primitive for sums of shifted copies: against plain loops, and its derivatives of every kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxtls.lindblad.rhs.stencil import moved, shifted_sum

M, SHIFTS = 5, ((0, 1), (-2, 0), (1, -1), (0, 0))


def inside(d, e):
    i, j = np.indices((M, M))
    return (i + d >= 0) & (i + d < M) & (j + e >= 0) & (j + e < M)


RNG = np.random.default_rng(0)
WEIGHTS = tuple(RNG.normal(size=(2, M, M)) * inside(*shift) for shift in SHIFTS)
Z = RNG.normal(size=(2, M, M))


def plain(weights, z):
    """The same by rolls; what comes in from the other side is left out."""
    return sum(inside(d, e) * w * jnp.roll(z, (-d, -e), (-2, -1)) for w, (d, e) in zip(weights, SHIFTS))


def ours(weights, z):
    return shifted_sum(weights, moved(weights, SHIFTS), z, SHIFTS)


def test_values():
    want = np.zeros_like(Z)
    for w, (d, e) in zip(WEIGHTS, SHIFTS):
        for i, j in zip(*np.nonzero(inside(d, e))):
            want[:, i, j] += w[:, i, j] * Z[:, i + d, j + e]
    assert_allclose(ours(WEIGHTS, Z), want, atol=1e-14)
    assert_allclose(plain(WEIGHTS, Z), want, atol=1e-14)


def loss(f):
    """Several products, as in a series, with weights that depend on x nonlinearly."""

    def run(x):
        weights = tuple(jnp.asarray(w) * jnp.sin(x[0] + k) for k, w in enumerate(WEIGHTS))
        turn = lambda z, _: (jnp.tanh(f(weights, z)), None)
        return jnp.sum(jax.lax.scan(jax.checkpoint(turn), x[1] * jnp.asarray(Z), None, length=3)[0] ** 2)

    return run


X = jnp.array([0.3, 0.8])
DERIVATIVES = {
    "reverse": lambda f: jax.jit(jax.grad(f))(X),
    "forward": lambda f: jax.jvp(f, (X,), (jnp.ones(2),))[1],
    "forward over reverse": lambda f: jax.hessian(f)(X),
    "reverse over reverse": lambda f: jax.jacrev(jax.grad(f))(X),
    "reverse over forward": lambda f: jax.jacrev(jax.jacfwd(f))(X),
    "batched": lambda f: jax.vmap(jax.grad(f))(jnp.stack([X, 2 * X])),
}


SECOND = ("reverse over reverse", "reverse over forward")


@pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.slow) if k in SECOND else k for k in DERIVATIVES])
def test_derivatives(kind):
    assert_allclose(DERIVATIVES[kind](loss(ours)), DERIVATIVES[kind](loss(plain)), rtol=1e-11)


BATCHES = {
    "states": ((None, 0), (WEIGHTS, np.stack([Z, 2 * Z]))),
    "weights": ((0, None), (tuple(np.stack([w, -w]) for w in WEIGHTS), Z)),
}


@pytest.mark.parametrize("kind", BATCHES)
def test_batches_of_one_operand(kind):
    axes, operands = BATCHES[kind]
    slopes = [jax.grad(lambda o, f=f: jnp.sum(jax.vmap(f, axes)(*o) ** 2))(operands) for f in (ours, plain)]
    for found, want in zip(*map(jax.tree.leaves, slopes)):
        assert_allclose(found, want, rtol=1e-12, atol=1e-12)
