"""Reciprocals and roots of complex numbers: NumPy's, over many magnitudes, with their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from jaxtls.numerics.quotients import reciprocal, root

parts = st.floats(-1, 1).map(lambda x: x if abs(x) > 1e-3 else 0.0)
numbers = st.builds(complex, parts, parts).filter(bool)


@settings(deadline=None)
@given(numbers, st.integers(-300, 300))
def test_reciprocals_are_those_of_numpy_at_any_magnitude(z, exponent):
    z = np.complex128(z * 2.0**exponent)
    assert_allclose(complex(reciprocal(jnp.asarray(z))), 1 / z, rtol=1e-15)


@settings(deadline=None)
@given(numbers, st.integers(-200, 200))
def test_roots_are_those_of_numpy(z, exponent):
    z = np.complex128(z * 2.0**exponent)
    assert_allclose(complex(root(jnp.asarray(z))), np.sqrt(z), rtol=1e-15)


def test_the_root_of_zero_is_zero_and_the_cut_is_approached_from_both_sides():
    assert complex(root(jnp.asarray(0j))) == 0
    assert_allclose(root(jnp.array([-4.0 + 1e-300j, -4.0 - 1e-300j])), [2j, -2j], atol=1e-15)


@pytest.mark.parametrize("f, slope", [(reciprocal, lambda z: -1 / z**2), (root, lambda z: 0.5 / np.sqrt(z))])
def test_derivatives_are_the_closed_forms_in_both_modes(f, slope):
    z = np.random.default_rng(0).normal(size=(20, 2)) @ [1, 1j]
    ones = jnp.ones_like(jnp.asarray(z))
    assert_allclose(jax.jvp(f, (jnp.asarray(z),), (ones,))[1], slope(z), rtol=1e-13)
    assert_allclose(jax.vjp(f, jnp.asarray(z))[1](ones)[0], slope(z), rtol=1e-13)
    twice = jax.jvp(lambda z: jax.jvp(f, (z,), (ones,))[1], (jnp.asarray(z),), (ones,))[1]
    step = 1e-6
    assert_allclose(twice, (slope(z + step) - slope(z - step)) / (2 * step), rtol=1e-7)


def test_single_precision_stays_single():
    z = jnp.asarray(3.0 + 4.0j, jnp.complex64)
    assert reciprocal(z).dtype == root(z).dtype == jnp.complex64
