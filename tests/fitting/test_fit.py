"""Fits against closed forms and against SciPy."""

import dataclasses
import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import curve_fit

from jaxtls.fitting import Fixed, Interval, Positive, Real, fit, propagate

from .models import Decay, Line, Nested, Series, Tone, X, decay, line, noisy

LINE = {"slope": Real(), "offset": Real()}
DECAY = {"amplitude": Positive(), "rate": Positive()}


def line_closed_form(y, sigma):
    A = np.stack([X, np.ones_like(X)], axis=1) / np.broadcast_to(sigma, X.shape)[:, None]
    covariance = np.linalg.inv(A.T @ A)
    return covariance @ A.T @ (np.asarray(y) / sigma), covariance


@pytest.mark.parametrize("sigma", [0.3, np.linspace(0.1, 0.5, 25)], ids=["scalar", "array"])
def test_linear_least_squares_is_exact(sigma):
    y = noisy(line(Line(2.0, -1.0)), 0.3)
    f = fit(line, Line(0.1, 0.0), y, sigma=jnp.asarray(sigma), free=LINE)
    theta, covariance = line_closed_form(y, sigma)
    assert f.success and f.message == "" and f.names == ("slope", "offset")
    np.testing.assert_allclose([f.values["slope"], f.values["offset"]], theta, rtol=1e-5)
    np.testing.assert_allclose(f.covariance, covariance, rtol=1e-10)
    np.testing.assert_allclose(f.stderr["slope"], np.sqrt(covariance[0, 0]), rtol=1e-10)
    np.testing.assert_allclose(f.correlation[0, 1], covariance[0, 1] / np.sqrt(np.prod(np.diag(covariance))))
    residuals = (theta[0] * X + theta[1] - y) / sigma
    np.testing.assert_allclose(f.residuals, residuals, atol=1e-5)
    np.testing.assert_allclose(f.predicted, line(f.model), rtol=1e-12)
    np.testing.assert_allclose(f.chi2, np.sum(residuals**2), rtol=1e-8)
    assert f.dof == 23


def test_no_sigma_scales_errors_by_the_scatter():
    y = noisy(line(Line(2.0, -1.0)), 0.3)
    f = fit(line, Line(0.1, 0.0), y, free=LINE)
    theta, covariance = line_closed_form(y, 1.0)
    chi2 = np.sum((theta[0] * X + theta[1] - np.asarray(y)) ** 2)
    np.testing.assert_allclose(f.covariance, covariance * chi2 / 23, rtol=1e-8)
    np.testing.assert_allclose(f.reduced_chi2, chi2 / 23, rtol=1e-8)
    # Units of the data do not matter without sigma.
    tiny = fit(lambda m: 1e-20 * line(m), Line(0.1, 0.0), 1e-20 * y, free=LINE)
    np.testing.assert_allclose(tiny.covariance, f.covariance, rtol=1e-6)


def test_no_sigma_and_perfect_or_too_few_data():
    f = fit(line, Line(0.1, 0.0), line(Line(2.0, -1.0)), free=LINE)
    assert f.success and float(f.values["slope"]) == pytest.approx(2.0, rel=1e-9) and float(f.stderr["slope"]) < 1e-6
    few = fit(lambda m: line(m)[:2], Line(0.1, 0.0), jnp.array([1.0, 2.0]), free=LINE)
    assert np.isnan(float(few.stderr["slope"])) and "give sigma" in few.message and few.dof == 0
    assert np.isnan(float(propagate(lambda m: m.slope, few)[1]))


def test_stated_errors_cover_the_truth():
    """Over 64 noisy repeats z^T cov^-1 z follows chi2 with two degrees of freedom."""
    truth, sigma = Decay(2.0, 1.3), 0.05
    predict, start = eqx.filter_jit(decay), Decay(1.0, 0.5)
    clean, distances, chi2 = decay(truth), [], []
    for seed in range(64):
        f = fit(predict, start, noisy(clean, sigma, seed), sigma=sigma, free=DECAY)
        z = np.array([f.values["amplitude"] - 2.0, f.values["rate"] - 1.3])
        distances.append(z @ np.linalg.solve(np.asarray(f.covariance), z))
        chi2.append(float(f.chi2))
    assert abs(np.mean(distances) - 2.0) < 4 * 2.0 / np.sqrt(64)  # variance of chi2_2 is 4
    assert abs(np.mean(np.array(distances) < 2 * np.log(2)) - 0.5) < 0.2  # median of chi2_2
    assert abs(np.mean(chi2) - 23) < 4 * np.sqrt(46 / 64)


def test_a_jitted_predict_is_compiled_once():
    traces = []

    @eqx.filter_jit
    def predict(m):
        traces.append(1)
        return decay(m)

    y = noisy(decay(Decay(2.0, 1.3)), 0.05)
    start, near = (Decay(jnp.asarray(a), jnp.asarray(r)) for a, r in ((1.0, 0.5), (1.2, 0.6)))
    first = fit(predict, start, y, sigma=0.05, free=DECAY)
    count = len(traces)
    again = fit(predict, near, y, sigma=0.05, free=DECAY)
    assert len(traces) == count
    np.testing.assert_allclose(first.values["rate"], again.values["rate"], rtol=1e-5)
    # What is not free is part of the compiled search.
    held = fit(predict, Decay(1.9, 0.5), y, sigma=0.05, free={"rate": Positive()})
    other = fit(predict, Decay(2.1, 0.5), y, sigma=0.05, free={"rate": Positive()})
    assert float(held.values["rate"]) != pytest.approx(float(other.values["rate"]), rel=1e-3)


def test_a_plain_predict_sees_what_has_changed_since():
    scale = [1.0]

    def predict(m):
        return scale[0] * line(m)

    assert float(fit(predict, Line(1.0, 0.0), line(Line(2.0, 0.0)), free=LINE).values["slope"]) == pytest.approx(2.0)
    scale[0] = 2.0
    assert float(fit(predict, Line(1.0, 0.0), line(Line(2.0, 0.0)), free=LINE).values["slope"]) == pytest.approx(1.0)


@pytest.mark.parametrize("sigma", [0.05, None])
def test_nonlinear_agrees_with_scipy(sigma):
    y = noisy(decay(Decay(2.0, 1.3)), 0.05)
    f = fit(decay, Decay(0.4, 4.0), y, sigma=sigma, free=DECAY)

    def function(x, a, r):
        return a * np.exp(-r * x)

    errors = None if sigma is None else np.full(25, sigma)
    theta, covariance = curve_fit(
        function, np.asarray(X), np.asarray(y), [0.4, 4.0], errors, sigma is not None, xtol=1e-12, ftol=1e-12
    )
    np.testing.assert_allclose([f.values["amplitude"], f.values["rate"]], theta, rtol=1e-6)
    np.testing.assert_allclose(f.covariance, covariance, rtol=1e-4)


@pytest.mark.parametrize("transform", [Positive(), Interval(0.1, 8.0), Real()], ids=["positive", "interval", "real"])
def test_answer_does_not_depend_on_the_transform(transform):
    y = noisy(decay(Decay(2.0, 1.3)), 0.05)
    f = fit(decay, Decay(1.0, 0.5), y, sigma=0.05, free={"amplitude": transform, "rate": transform})
    reference = fit(decay, Decay(1.0, 0.5), y, sigma=0.05, free=DECAY)
    np.testing.assert_allclose(f.values["rate"], reference.values["rate"], rtol=1e-5)
    np.testing.assert_allclose(f.covariance, reference.covariance, rtol=1e-3)


def test_answer_does_not_depend_on_units():
    y = noisy(decay(Decay(2.0, 1.3)), 0.05)

    def scaled(m):
        return 1e30 * decay(Decay(m.amplitude * 1e-9, m.rate * 1e12))

    f = fit(scaled, Decay(1e9, 0.5e-12), 1e30 * y, sigma=0.05e30, free=DECAY)
    reference = fit(decay, Decay(1.0, 0.5), y, sigma=0.05, free=DECAY)
    assert f.success and f.n_steps == reference.n_steps
    np.testing.assert_allclose(f.stderr["rate"] * 1e12, reference.stderr["rate"], rtol=1e-6)


TS = jnp.linspace(0, 6, 60)


@eqx.filter_jit
def tone(m):
    return jnp.cos(m.omega * TS)


@pytest.mark.parametrize(("w", "start"), [(3.0, 9.0), (0.75, 11.0), (6.4, 0.6), (10.9, 2.0)])
def test_multistart_escapes_a_bad_guess(w, start):
    f = fit(
        tone,
        Tone(jnp.asarray(start)),
        jnp.cos(w * TS),
        sigma=0.01,
        free={"omega": Interval(0.5, 12.0)},
        n_starts=32,
        key=jax.random.key(0),
    )
    assert f.success and float(f.values["omega"]) == pytest.approx(w, abs=1e-6)
    assert f.start_chi2.shape == (32,) and float(f.start_values["omega"][0]) == pytest.approx(start)
    assert "best of 32 starts" in repr(f)


def test_a_local_minimum_is_called_one():
    f = fit(tone, Tone(9.0), jnp.cos(3.0 * TS), sigma=0.01, free={"omega": Interval(0.5, 12.0)})
    assert abs(float(f.values["omega"]) - 3) > 1 and "raise n_starts" in f.message


def test_multistart_in_two_dimensions():
    def predict(m):
        return m.decay.amplitude * jnp.sin(m.tone.omega * 3 * X)

    truth = Nested(Decay(2.0, 1.0), Tone(3.0))
    free = {"tone.omega": Interval(0.5, 8.0), "decay.amplitude": Positive()}
    start = Nested(Decay(0.8, 1.0), Tone(7.0))
    f = fit(predict, start, predict(truth), sigma=0.01, free=free, n_starts=32, key=jax.random.key(1))
    assert f.names == ("tone.omega", "decay.amplitude")
    assert float(f.values["tone.omega"]) == pytest.approx(3.0) and float(f.model.decay.amplitude) == pytest.approx(2.0)
    assert float(f.model.decay.rate) == 1.0


def test_starts_that_are_not_finite_never_win():
    def predict(m):
        return jnp.where(m.omega > 5, jnp.nan, 1.0) * jnp.cos(m.omega * X)

    f = fit(predict, Tone(7.0), jnp.cos(3 * X), sigma=0.1, free={"omega": Interval(0.5, 12.0)}, n_starts=8)
    assert f.success and float(f.values["omega"]) == pytest.approx(3.0)
    assert np.isinf(float(f.start_chi2[0]))


def test_nothing_finite_at_the_start_fails_with_words():
    f = fit(lambda m: jnp.log(-m.omega) * X, Tone(7.0), X, sigma=0.1, free={"omega": Positive()})
    assert not f.success and "not finite at the start" in f.message and np.isnan(float(f.stderr["omega"]))
    assert "FAILED" in repr(f) and json.dumps(f.to_dict())


def test_a_trial_point_that_is_not_finite_is_stepped_back_from():
    def predict(m):
        return jnp.where(m.rate > 3.0, jnp.nan, 1.0) * decay(m)

    f = fit(predict, Decay(1.0, 0.05), decay(Decay(2.0, 2.9)), sigma=0.01, free=DECAY)
    assert f.success and float(f.values["rate"]) == pytest.approx(2.9)


def test_out_of_steps_is_said():
    f = fit(decay, Decay(50.0, 0.01), decay(Decay(2.0, 2.9)), sigma=0.01, free=DECAY, max_steps=3)
    assert not f.success and "max_steps" in f.message and f.n_steps == 3


@pytest.mark.parametrize("mode", ["adam", pytest.param("lbfgs", marks=pytest.mark.slow)])
def test_optax_finds_the_same(mode):
    y = noisy(decay(Decay(2.0, 1.3)), 0.05)
    method = optax.adam(0.05) if mode == "adam" else optax.lbfgs()
    f = fit(decay, Decay(1.0, 0.5), y, sigma=0.05, free=DECAY, method=method)
    reference = fit(decay, Decay(1.0, 0.5), y, sigma=0.05, free=DECAY)
    assert f.success, f.message
    np.testing.assert_allclose(f.values["rate"], reference.values["rate"], rtol=1e-4)
    np.testing.assert_allclose(f.covariance, reference.covariance, rtol=1e-3)


def test_arrays_elements_and_nested_sigma():
    g = jnp.array([0.5, 2.0, 4.0])

    def predict(m):
        return {"y": jnp.sum(m.g[:, None] * jnp.cos(jnp.arange(3)[:, None] * X), axis=0), "first": m.g[0]}

    data = {"y": noisy(predict(Series(g))["y"], 0.1), "first": jnp.asarray(0.52)}
    f = fit(predict, Series(jnp.ones(3)), data, sigma={"y": 0.1, "first": 0.05}, free={"g": Positive()})
    A = np.concatenate([np.cos(np.arange(3)[:, None] * np.asarray(X)).T / 0.1, [[1 / 0.05, 0, 0]]])
    covariance = np.linalg.inv(A.T @ A)
    theta = covariance @ A.T @ np.concatenate([np.asarray(data["y"]) / 0.1, [0.52 / 0.05]])
    assert f.names == ("g[0]", "g[1]", "g[2]") and f.values["g"].shape == (3,) and f.dof == 23
    np.testing.assert_allclose(f.values["g"], theta, rtol=1e-5)
    np.testing.assert_allclose(f.stderr["g"], np.sqrt(np.diag(covariance)), rtol=1e-8)


def test_complex_data_count_twice():
    def predict(m):
        return m.amplitude * jnp.exp(1j * m.rate * X)

    y = predict(Decay(2.0, 1.3)) + 0.1 * (np.random.default_rng(0).normal(size=(25, 2)) @ np.array([1, 1j]))
    f = fit(predict, Decay(1.0, 1.0), y, sigma=0.1, free=DECAY)

    def real(m):
        return jnp.stack([predict(m).real, predict(m).imag])

    g = fit(real, Decay(1.0, 1.0), jnp.stack([y.real, y.imag]), sigma=0.1, free=DECAY)
    assert f.dof == 48 and jnp.iscomplexobj(f.predicted)
    np.testing.assert_allclose(f.chi2, g.chi2, rtol=1e-8)
    np.testing.assert_allclose(f.covariance, g.covariance, rtol=1e-5)


def test_infinite_sigma_leaves_a_point_out():
    y = noisy(line(Line(2.0, -1.0)), 0.3)
    sigma = jnp.full(25, 0.3).at[3].set(jnp.inf)
    f = fit(line, Line(0.1, 0.0), y.at[3].set(1e6), sigma=sigma, free=LINE)
    keep = np.arange(25) != 3
    theta, _ = np.polyfit(np.asarray(X)[keep], np.asarray(y)[keep], 1)
    assert float(f.values["slope"]) == pytest.approx(theta, rel=1e-5) and f.dof == 22


@jax.custom_vjp
def _reverse_only(m):
    return decay(m)


_reverse_only.defvjp(lambda m: jax.vjp(decay, m), lambda pullback, ct: pullback(ct))


def _forward_only(m):
    """Repeated multiplication: a loop of unknown length has no reverse mode."""
    n_steps = jnp.ceil(1.0 + 0.0 * jax.lax.stop_gradient(m.rate)).astype(int)
    return jax.lax.fori_loop(0, n_steps, lambda _, y: y * jnp.exp(-m.rate), m.amplitude)[None]


def test_either_differentiation_mode_will_do():
    """A predict that allows only one mode of differentiation is fitted by that one, the dearer one too."""
    start = Decay(jnp.asarray(1.0), jnp.asarray(0.5))
    f = fit(_reverse_only, start, decay(Decay(2.0, 1.3)), sigma=0.01, free=DECAY)
    assert f.success and float(f.values["rate"]) == pytest.approx(1.3, rel=1e-5)
    f = fit(_forward_only, start, jnp.array([0.3]), sigma=0.01, free=DECAY)
    assert f.success and float(f.predicted[0]) == pytest.approx(0.3, rel=1e-5)


def test_noise_of_predict_ends_the_search():
    """Values with a noise that the derivative does not see, as of an adaptive solver."""

    def predict(m, size):
        return decay(m) * (1 + size * jax.lax.stop_gradient(jnp.sin(1e7 * m.rate * (1 + X))))

    y = noisy(decay(Decay(2.0, 1.3)), 1e-3)
    f = fit(lambda m: predict(m, 1e-5), Decay(1.0, 0.5), y, sigma=1e-3, free=DECAY)
    assert f.success and f.n_steps < 20 and abs(f.values["rate"] - 1.3) < 4 * f.stderr["rate"]
    f = fit(lambda m: predict(m, 1e-1), Decay(1.0, 0.5), y, sigma=1e-3, free=DECAY)
    assert not f.success and "make predict more accurate" in f.message


def test_more_parameters_than_data():
    def predict(m):
        return jnp.stack([m.g[0] + m.g[1], m.g[2] * m.g[3]])

    f = fit(predict, Series(jnp.arange(1.0, 6.0)), jnp.array([5.0, 6.0]), sigma=0.1, free={"g": Positive()})
    assert f.success and float(f.chi2) < 1e-6 and f.dof == 0
    assert not np.any(np.isfinite(np.asarray(f.stderr["g"])))


def test_errors_inside_predict_end_no_search():
    def predict(m):
        return eqx.error_if(m.omega * X, m.omega > 1.5, "too fast")

    f = fit(predict, Tone(1.0), 1.4 * X, sigma=1e-3, free={"omega": Positive()})
    assert f.success and float(f.values["omega"]) == pytest.approx(1.4, rel=1e-4) and f.message == ""
    f = fit(predict, Tone(2.0), 1.4 * X, sigma=1e-3, free={"omega": Positive()}, n_starts=8)
    assert f.success and float(f.values["omega"]) == pytest.approx(1.4, rel=1e-4)
    f = fit(predict, Tone(2.0), 1.4 * X, sigma=1e-3, free={"omega": Positive()})
    assert not f.success and "too fast" in f.message


class Derived(eqx.Module):
    """Its constructor computes a field: a fit has to run it."""

    rate: jax.Array
    square: jax.Array

    def __init__(self, rate, square=None):
        self.rate = jnp.asarray(rate)
        self.square = self.rate**2


class Awkward(eqx.Module):
    """Its constructor takes another argument than its field: a fit must not run it."""

    rate: jax.Array

    def __init__(self, lifetime):
        self.rate = 1 / jnp.asarray(lifetime)


@dataclasses.dataclass(frozen=True)
class Plain:
    rate: float


@pytest.mark.parametrize(
    "model", [Derived(1.0), Awkward(1.0), Plain(1.0), {"rate": 1.0}], ids=lambda m: type(m).__name__
)
def test_constructors(model):
    def rate(m):
        return m["rate"] if isinstance(m, dict) else m.rate

    def square(m):
        return m.square if isinstance(m, Derived) else rate(m) ** 2

    f = fit(lambda m: square(m) * X, model, 9 * X, sigma=0.1, free={"rate": Positive()})
    assert float(f.values["rate"]) == pytest.approx(3.0)
    assert float(square(f.model)) == pytest.approx(9.0) and type(f.model) is type(model)


def test_fixed_is_not_free():
    y = decay(Decay(2.0, 1.3))
    f = fit(decay, Decay(2.0, 0.5), y, sigma=0.01, free={"rate": Positive(), "amplitude": Fixed()})
    assert f.names == ("rate",) and f.model.amplitude == 2.0


def test_result_reads_well_and_is_json_ready():
    y = noisy(decay(Decay(2.0, 1.3)), 0.05)
    f = fit(decay, Decay(1.0, 0.5), y, sigma=0.05, free=DECAY)
    text = repr(f)
    assert "amplitude  " in text and "±" in text and "dof" in text and "success" in text
    record = json.loads(json.dumps(f.to_dict()))
    assert record["values"]["rate"] == float(f.values["rate"]) and record["success"] is True
    assert 0 < record["p_value"] < 1


def test_progress_prints(capfd):
    fit(line, Line(1.0, 0.0), line(Line(2.0, 0.5)), sigma=0.1, free=LINE, progress=True)
    assert "chi2" in capfd.readouterr().err
