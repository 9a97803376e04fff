"""A linear function with its own transpose: values, both modes, batches, second derivatives; and Tsit5's conditions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxtls.numerics import tsit5
from jaxtls.numerics.linear_rule import linear


def product(a, x):
    apply, back = (lambda a, x: a @ x), (lambda a, y: a.T @ y)
    return linear(apply, back, a, x, again=(apply, back))


def test_it_is_the_function_in_every_transform():
    rng = np.random.default_rng(0)
    a, x = jnp.asarray(rng.normal(size=(3, 2))), jnp.asarray(rng.normal(size=2))
    many = jnp.asarray(rng.normal(size=(4, 3, 2)))
    loss = lambda f: lambda x: jnp.sum(f(a, x) ** 3)
    plain = lambda a, x: a @ x
    assert_allclose(product(a, x), a @ x)
    assert_allclose(jax.grad(loss(product))(x), jax.grad(loss(plain))(x))
    assert_allclose(jax.jvp(loss(product), (x,), (x,))[1], jax.jvp(loss(plain), (x,), (x,))[1])
    assert_allclose(jax.vmap(product, (0, None))(many, x), many @ x)
    each = lambda f: jax.vmap(jax.grad(lambda x, a: jnp.sum(f(a, x) ** 2)), (None, 0))(x, many)
    assert_allclose(each(product), each(plain))
    assert_allclose(jax.jit(jax.hessian(loss(product)))(x), jax.hessian(loss(plain))(x))


def test_the_transpose_is_the_one_that_was_given():
    apply, seven = (lambda a, x: a * x), (lambda a, y: 7 * y)
    assert float(jax.grad(lambda x: linear(apply, seven, jnp.asarray(2.0), x, again=(apply, seven)))(1.0)) == 7.0


@pytest.mark.parametrize("apart", [False, True])
def test_the_transpose_hears_of_no_results_that_nothing_depends_on(apart):
    heard = []

    def back(a, cts):
        heard.append([ct is not None for ct in cts])
        return sum(a ** (k + 1) * ct for k, ct in enumerate(cts) if ct is not None)

    apply = lambda a, x: [a * x, a**2 * x, a**3 * x]
    found = lambda a, x: linear(apply, back, a, x, again=(apply, back), apart=apart)
    two, many = jnp.asarray(2.0), jnp.arange(1.0, 4.0)
    assert float(jax.grad(lambda x: found(two, x)[1])(1.0)) == 4.0
    assert heard == [[False, True, False]]
    assert_allclose(jax.vmap(jax.grad(lambda x, a: found(a, x)[2]), (None, 0))(1.0, many), many**3)
    assert float(jax.grad(lambda x: found(two, x)[0] + found(two, x)[2])(1.0)) == 10.0
    pulled = lambda y: jax.linear_transpose(lambda x: found(two, x)[1], 1.0)(y)[0]
    assert float(jax.grad(pulled)(1.0)) == 4.0  # the transpose of the transpose
    both = lambda a, xs: [a * xs[0] + xs[1]]
    pull = lambda a, cts: [a * cts[0], cts[0]]
    of_two = lambda xs: linear(both, pull, two, xs, again=(both, pull), apart=apart)[0]
    pulled = lambda y: jax.linear_transpose(of_two, [1.0, 1.0])(y)[0][0]
    assert float(jax.grad(pulled)(1.0)) == 2.0
    assert_allclose(jax.hessian(lambda x: found(x[0], x[1])[1])(jnp.array([3.0, 5.0])), [[10.0, 6.0], [6.0, 0.0]])


def test_the_pair_has_its_orders():
    a, c = np.vstack([np.zeros(7), tsit5.LOWER]), np.array([0.0, *tsit5.C])
    b, lower = a[-1], a[-1] - np.array(tsit5.E)
    assert_allclose(a.sum(1), c, atol=1e-15)
    for weights, order in ((b, 5), (lower, 4)):
        for k in range(order):
            assert_allclose(weights @ c**k, 1 / (k + 1), atol=1e-14)
    assert_allclose(b @ a @ c**3, 1 / 20, atol=1e-14)
    assert_allclose(b @ a @ a @ a @ c, 1 / 120, atol=1e-14)


def test_error_falls_with_the_fifth_power_of_the_step():
    field = lambda t, y: jnp.cos(t) * y

    def error(count):
        y, h = jnp.asarray(1.0), jnp.asarray(2.0 / count)
        for k in range(count):
            times = lambda c, k=k: (k + c) * h
            y, _, _ = tsit5.step(field, times, h, y, field(times(0.0), y))
        return abs(float(y) - np.exp(np.sin(2.0)))

    assert 4.7 < np.log2(error(8) / error(16)) < 6.5
