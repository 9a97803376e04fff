"""Exponents of averages: known laws, known noise, and what is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt

TS = np.geomspace(0.1, 10.0, 9)


def test_a_power_law_is_found_again():
    mean = 3 * TS**-2.5
    for weights in ("equal", "errors"):
        law = jt.fit_power_law(TS, mean, 0.01 * mean * TS, weights=weights)
        assert_allclose([law.exponent, law.amplitude], [2.5, 3], rtol=1e-12)
        assert_allclose(law(TS), mean)
    assert (law.since, law.until) == (TS[0], TS[-1])


def test_windows_and_noise_end_the_fit():
    mean = 1 / TS
    law = jt.fit_power_law(TS, mean, 0.01 * mean, window=(TS[2], 5.0))
    assert_allclose((law.since, law.until), (TS[2], TS[6]))
    sem = np.where(TS > 2, 1.0, 1e-3)
    assert_allclose(jt.fit_power_law(TS, mean, sem).until, TS[TS <= 2][-1])


def test_rounding_of_a_covariance_does_no_harm():
    covariance = np.diag(np.where(TS > 5, -1e-30, 1e-8))
    law = jt.fit_power_law(TS, 1 / TS, covariance=covariance, window=(0.1, 5.0))
    assert_allclose(law.exponent, 1)


def test_errors_are_those_of_the_covariance_and_at_most_those_of_any():
    mean, rng = TS**-1.0, np.random.default_rng(0)
    factors = 0.01 * rng.normal(size=(len(TS), len(TS)))
    covariance = factors @ factors.T * np.outer(mean, mean)
    draws = rng.multivariate_normal(mean, covariance, 4000)
    slopes = -np.polyfit(np.log(TS), np.log(draws).T, 1)[0]
    known = jt.fit_power_law(TS, mean, covariance=covariance)
    assert_allclose(known.exponent_sem, slopes.std(), rtol=0.05)
    sem = np.sqrt(np.diag(covariance))
    most = jt.fit_power_law(TS, mean, sem).exponent_sem
    assert most > known.exponent_sem
    # it is reached where early times move against late ones
    side = np.where(np.log(TS) > np.log(TS).mean(), 1, -1) * sem
    worst = jt.fit_power_law(TS, mean, covariance=np.outer(side, side)).exponent_sem
    assert_allclose(worst, most)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"ts": -TS}, "`ts` must be one-dimensional and > 0"),
        ({"mean": TS[1:]}, "`mean` must have shape"),
        ({"sem": None}, "`sem` must be given"),
        ({"sem": -TS}, "`sem` must have shape"),
        ({"sem": 5 * np.ones(9)}, "There are 0"),
        ({"window": (1.0, 1.5)}, "`window` must hold 3 times"),
        ({"weights": "none"}, '`weights` must be "equal" or "errors"'),
        ({"covariance": np.ones(9)}, "`covariance` must have shape"),
        ({"sem": 0 * TS, "weights": "errors"}, "`sem` must be > 0"),
    ],
)
def test_faults_are_named(change, said):
    given = {"ts": TS, "mean": 1 / TS, "sem": 1e-3 / TS, **change}
    with pytest.raises(ValueError, match=said):
        jt.fit_power_law(given.pop("ts"), given.pop("mean"), given.pop("sem"), **given)
