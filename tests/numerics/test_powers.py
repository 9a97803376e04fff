"""The step of a constant linear equation: Tsit5's, and its transpose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxtls._platform import tracing_for
from jaxtls.numerics import powers, tsit5

RNG = np.random.default_rng(0)
MATRIX, START = jnp.asarray(RNG.normal(size=(5, 5))), jnp.asarray(RNG.normal(size=5))


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("h", [0.0, 0.01, 0.3])
def test_a_step_is_that_of_the_pair(device, h):
    times, step = lambda c: c * jnp.asarray(h), jnp.asarray(h)
    field = lambda t, y: MATRIX @ y
    with tracing_for(device):
        expected = tsit5.step(field, times, step, START, MATRIX @ START)
        found = powers.step(field, times, step, START, MATRIX @ START)
    for a, b in zip(found[:: 1 if h else 2], expected[:: 1 if h else 2]):
        assert_allclose(a, b, rtol=1e-13, atol=1e-15)


def test_the_error_is_of_fifth_order():
    field = lambda t, y: MATRIX @ y
    errors = [powers.step(field, lambda c, h=h: c * h, jnp.asarray(h), START, MATRIX @ START)[2] for h in (0.02, 0.04)]
    assert 4.8 < np.log2(np.linalg.norm(errors[1]) / np.linalg.norm(errors[0])) < 5.2


def test_the_transpose():
    ct = jnp.asarray(RNG.normal(size=5))

    def moved(matrix, y):
        return powers.moved(lambda k, w: 0.3 * matrix @ w, y)

    back = lambda k, w, u: jax.vjp(lambda m, w: 0.3 * m @ w, MATRIX, w)[1](u)
    found = powers.pulled(lambda k, w: 0.3 * MATRIX @ w, back, START, ct, jnp.zeros_like(MATRIX))
    for a, b in zip(found, jax.vjp(moved, MATRIX, START)[1](ct)):
        assert_allclose(a, b, rtol=1e-13)
    assert_allclose(moved(MATRIX, START), tsit5.moved(lambda k, w: 0.3 * MATRIX @ w, START), rtol=1e-13)
