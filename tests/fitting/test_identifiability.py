"""What the data cannot see is named, and what they can see keeps its finite error."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtls.fitting import Interval, Positive, Real, entangled, fit, propagate
from jaxtls.fitting.identifiability import identify

from .models import Decay, Line, Product, Series, X, decay, line, noisy


class Three(eqx.Module):
    a: float
    b: float
    c: float


ALL = {"a": Positive(), "b": Positive(), "c": Positive()}


@eqx.filter_jit
def without_a(m):
    return m.b * X + m.c


@pytest.mark.parametrize("sigma", [0.01, None])
def test_an_absent_parameter_is_named(sigma):
    f = fit(without_a, Three(1.0, 1.0, 1.0), noisy(2 * X + 3, 0.01), sigma=sigma, free=ALL)
    assert f.success
    assert np.isinf(float(f.stderr["a"])) and "the data cannot see a" in f.message
    assert f.identifiability.unidentified == ("a",) and "cannot see a" in str(f.identifiability)
    alone = fit(
        without_a, Three(1.0, 1.0, 1.0), noisy(2 * X + 3, 0.01), sigma=sigma, free={"b": Positive(), "c": Positive()}
    )
    np.testing.assert_allclose(f.covariance[1:, 1:], alone.covariance, rtol=1e-6)
    assert f.dof == alone.dof == 23
    assert float(f.values["a"]) == 1.0


def test_one_datum_and_two_parameters():
    f = fit(
        lambda m: {"R": 1 / (1 + m.b)},
        Product(10.0, 0.3),
        {"R": jnp.asarray(0.8)},
        sigma={"R": 0.01},
        free={"a": Positive(), "b": Positive()},
    )
    assert np.isinf(float(f.stderr["a"])) and "cannot see a" in str(f.identifiability)
    assert float(f.values["b"]) == pytest.approx(0.25, rel=1e-4)
    assert float(f.stderr["b"]) == pytest.approx(0.01 * 1.25**2, rel=1e-4)
    assert np.isnan(float(f.reduced_chi2)) and np.isnan(float(f.p_value))


def test_a_product_is_a_combination():
    def predict(m):
        return m.a * m.b**1.5 * jnp.exp(-m.c * X)

    f = fit(predict, Three(1.0, 1.0, 1.0), noisy(3 * jnp.exp(-0.7 * X), 0.01), sigma=0.01, free=ALL)
    assert f.success and np.isinf(float(f.stderr["a"])) and np.isinf(float(f.stderr["b"]))
    assert "combination a * b^1.5" in str(f.identifiability) and "a * b^1.5" in repr(f)
    reference = fit(
        decay,
        Decay(1.0, 1.0),
        noisy(3 * jnp.exp(-0.7 * X), 0.01),
        sigma=0.01,
        free={"amplitude": Positive(), "rate": Positive()},
    )
    np.testing.assert_allclose(f.stderr["c"], reference.stderr["rate"], rtol=1e-3)
    _value, error = propagate(lambda m: {"amplitude": m.a * m.b**1.5, "a": m.a, "rates": jnp.stack([m.c, m.c**2])}, f)
    np.testing.assert_allclose(error["amplitude"], reference.stderr["amplitude"], rtol=1e-3)
    assert np.isinf(float(error["a"]))
    np.testing.assert_allclose(error["rates"], [f.stderr["c"], 2 * f.values["c"] * f.stderr["c"]], rtol=1e-8)
    assert float(f.covariance[0, 1]) == -np.inf and np.isnan(float(f.correlation[0, 1]))


def test_a_sum_and_a_lone_parameter():
    def predict(m):
        return (m.g[0] + 2 * m.g[1]) * X + m.g[2]

    f = fit(predict, Series(jnp.array([1.0, 1.0, 0.0, 4.0])), 5 * X + 1, sigma=0.1, free={"g": Real()})
    words = str(f.identifiability)
    assert "cannot see g[3]" in words and "g[0] + 2 g[1]" in words
    np.testing.assert_array_equal(np.isfinite(f.stderr["g"]), [False, False, True, False])


def test_three_parameters_in_one_product():
    f = fit(lambda m: m.a * m.b * m.c * X, Three(1.0, 1.0, 1.0), 6 * X, sigma=0.1, free=ALL)
    words = str(f.identifiability)
    assert f.success and all(name in words for name in "abc") and f.identifiability.rank == 1
    assert not np.any(np.isfinite(np.diag(f.covariance)))


def test_nothing_depends_on_anything():
    f = fit(lambda m: 0 * m.a * X, Product(1.0, 2.0), X, sigma=0.1, free={"a": Positive(), "b": Positive()})
    assert f.identifiability.unidentified == ("a", "b") and f.dof == 25


def test_a_value_near_zero_with_a_finite_error_is_seen():
    f = fit(line, Line(1.0, 0.5), noisy(2 * X, 1e-3), sigma=1e-3, free={"slope": Real(), "offset": Real()})
    assert abs(float(f.values["offset"])) < 1e-3 and np.isfinite(float(f.stderr["offset"]))


def test_a_weak_parameter_is_as_good_as_unseen():
    def predict(m):
        return m.slope * X + 1e-9 * m.offset

    f = fit(predict, Line(1.0, 0.5), 2 * X, sigma=1e-3, free={"slope": Real(), "offset": Real()})
    assert f.identifiability.unidentified == ("offset",)


def test_parameters_at_a_bound_are_reported():
    f = fit(
        decay,
        Decay(1.0, 0.5),
        decay(Decay(2.0, 1.3)),
        sigma=0.05,
        free={"amplitude": Positive(), "rate": Interval(0.1, 1.0)},
    )
    assert f.success and float(f.values["rate"]) == pytest.approx(1.0, rel=1e-4)
    assert "rate ended at a bound" in f.message and f.identifiability.at_bound == ("rate",)


def test_a_rate_that_is_zero_ends_at_its_bound():
    f = fit(
        decay, Decay(1.0, 0.5), 2 * jnp.exp(0.05 * X), sigma=0.05, free={"amplitude": Positive(), "rate": Positive()}
    )
    assert f.success and float(f.values["rate"]) < 1e-3 and np.isfinite(float(f.stderr["rate"]))
    assert "rate ended at a bound" in f.message


def test_strong_correlations_are_shown():
    def predict(m):
        return m.slope * (X + 10) + m.offset

    f = fit(predict, Line(1.0, 0.5), 2 * X, sigma=0.1, free={"slope": Real(), "offset": Real()})
    assert "correlation of slope and offset: -0.99" in repr(f)


def test_propagate_agrees_with_sampling():
    y = noisy(decay(Decay(2.0, 1.3)), 0.05)
    f = fit(decay, Decay(1.0, 0.5), y, sigma=0.05, free={"amplitude": Positive(), "rate": Positive()})
    value, error = propagate(lambda m: m.amplitude / m.rate, f)
    centre = [float(f.values["amplitude"]), float(f.values["rate"])]
    draws = np.random.default_rng(0).multivariate_normal(centre, np.asarray(f.covariance), 20000)
    assert float(value) == pytest.approx(centre[0] / centre[1])
    assert float(error) == pytest.approx(np.std(draws[:, 0] / draws[:, 1]), rel=0.05)
    with pytest.raises(ValueError, match="function"):
        propagate(lambda m: 1j * m.rate, f)


def test_a_perfect_fit_without_sigma_still_says_what_is_unseen():
    f = fit(lambda m: m.a + m.b * X, Three(0.0, 1.0, 1.0), X, free=dict.fromkeys("abc", Real()))
    assert float(f.chi2) == 0
    assert [float(f.stderr[name]) for name in "abc"] == [0.0, 0.0, np.inf]
    assert f.identifiability.unidentified == ("c",) and "cannot see c" in repr(f)
    assert np.isnan(f.correlation).all()


def test_parameters_that_are_fixed_in_combination_alone():
    """Columns nearly alike: correlations are those of the inverse of J^T J, and the sentence names the group."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=40)
    jacobian = np.stack([common + 0.05 * rng.normal(size=40) for _ in range(3)] + [rng.normal(size=40)], axis=1)
    names, ones = ("a", "b", "c", "d"), np.ones(4)
    known = identify(jacobian, names, 3 * ones, np.array([1.0, 10.0, 0.1, 1.0]), ones > 2, 1.0, 0.0, 1e-15)
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    error = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(known.correlation, covariance / np.outer(error, error), rtol=1e-9, atol=1e-12)
    two = identify(jacobian[:, [0, 3, 1]], ("a", "d", "b"), 3 * ones[:3], ones[:3], ones[:3] > 2, 1.0, 0.0, 1e-15)
    ((group, value),) = entangled(two.names, two.correlation)
    assert group == ("a", "b") and value == pytest.approx(two.correlation[0, 2]) and value < -0.99
    assert str(two) == (
        f"the data fix all 3 parameters, but a and b (correlation {value:+.3f}) only in combination: hardly separable"
    )
    apart = identify(np.eye(2), ("a", "b"), ones[:2], ones[:2], ones[:2] > 2, 1.0, 0.0, 1e-15)
    assert str(apart) == "the data fix all 2 parameters"
    hidden = identify(np.array([[1.0, 0.0], [1.0, 0.0]]), ("a", "b"), ones[:2], ones[:2], ones[:2] > 2, 1.0, 0.0, 1e-15)
    assert str(hidden) == "the data cannot see b" and np.isnan(hidden.correlation[0, 1])


def test_groups_hang_together_through_others():
    correlation = np.eye(5)
    for i, j, value in ((0, 2, 0.97), (1, 2, -0.99), (3, 4, 0.9)):
        correlation[i, j] = correlation[j, i] = value
    assert entangled("abcde", correlation) == [(("a", "b", "c"), -0.99)]
    correlation[3, 4] = 0.96
    assert entangled("abcde", correlation) == [(("a", "b", "c"), -0.99), (("d", "e"), 0.96)]
    assert entangled("abcdd", correlation) == [(("a", "b", "c"), -0.99), (("d",), 0.96)]
    correlation[:] = np.nan
    assert entangled("abcde", correlation) == []
