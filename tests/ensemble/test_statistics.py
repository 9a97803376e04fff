"""Running moments against NumPy, which sees all values at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxtls.ensemble.statistics import LEAST, STEP, Moments, Stream, finite


def moments(values):
    return Moments.of([values])


def drawn(seed, count, shift, is_complex=False):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, 3)) + (1j * rng.standard_normal((count, 3)) if is_complex else 0.0)
    return x * [1.0, 1e-3, 1e3] + shift


cuts = st.lists(st.integers(1, 60), min_size=1, max_size=8)


@given(cuts=cuts, seed=st.integers(0, 99), shift=st.sampled_from([0.0, 1e3, 1e8, -1e8]), is_complex=st.booleans())
@settings(deadline=None, max_examples=40)
def test_merged_parts_are_the_whole(cuts, seed, shift, is_complex):
    x = drawn(seed, sum(cuts), shift, is_complex)
    total = Moments.none([((3,), x.dtype)])
    for part in np.split(x, np.cumsum(cuts)[:-1]):
        total = total.merge(moments(part))
    assert total.count == len(x)
    np.testing.assert_allclose(total.mean[0], x.mean(0), rtol=1e-14, atol=1e-15 * np.max(np.abs(x)))
    if len(x) > 1:
        # The distances from the shift are known only to the shift's rounding.
        slack = 4e-16 * abs(shift)
        np.testing.assert_allclose(total.std()[0], (x - shift).std(0, ddof=1), rtol=1e-10, atol=8 * slack)
        np.testing.assert_allclose(total.sem()[0], total.std()[0] / np.sqrt(len(x)), rtol=1e-15)


def test_large_mean_and_small_spread_keep_their_digits():
    x = 1e9 + np.arange(1000.0)[:, None] % 7  # exact in double precision
    stream = Stream([((1,), float)])
    stream.add([x], np.ones(1000, bool))
    np.testing.assert_allclose(stream.total().std()[0], (np.arange(1000) % 7).std(ddof=1), rtol=1e-12)
    np.testing.assert_allclose(stream.total().mean[0] - 1e9, (np.arange(1000) % 7).mean(), rtol=1e-7)


@given(cuts=cuts, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_stream_is_the_same_to_the_last_bit_however_it_is_fed(cuts, seed):
    x = drawn(seed, sum(cuts), 5.0)
    x[np.random.default_rng(seed).random(len(x)) < 0.1, 1] = np.nan
    once, often = Stream([((3,), float)]), Stream([((3,), float)])
    once.add([x], finite([x]))
    for part in np.split(x, np.cumsum(cuts)[:-1]):
        often.add([part], finite([part]))
    assert once.failed == often.failed == np.flatnonzero(np.isnan(x).any(1)).tolist()
    for a, b in zip((once.total().mean, once.total().m2), (often.total().mean, often.total().m2)):
        assert a[0].tobytes() == b[0].tobytes()
    good = x[~np.isnan(x).any(1)]
    if len(good):
        np.testing.assert_allclose(once.total().mean[0], good.mean(0), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 7, STEP, 1000])
def test_stops_at_the_same_realization_for_any_batch(size):
    x = np.random.default_rng(1).standard_normal((4000, 1))
    stream, whole = Stream([((1,), float)], 0.05), Stream([((1,), float)], 0.05)
    whole.add([x], np.ones(4000, bool))
    taken = 0
    while not stream.reached:
        taken += stream.add([x[taken : taken + size]], np.ones(len(x[taken : taken + size]), bool))
    assert taken == stream.tried == whole.tried
    at = [x[:k].std(ddof=1) / np.sqrt(k) <= 0.05 for k in range(LEAST, taken + 1, STEP)]
    assert at[-1] and not any(at[:-1])


def test_few_realizations_have_no_error_and_do_not_stop():
    stream = Stream([((), float)], 1.0)
    stream.add([np.zeros(1)], np.ones(1, bool))
    assert np.isnan(stream.total().sem()[0]) and np.isnan(stream.total().largest_sem())
    stream.add([np.zeros(LEAST - 2)], np.ones(LEAST - 2, bool))
    assert not stream.reached
    stream.add([np.zeros(1)], np.ones(1, bool))
    assert stream.reached


def test_a_leaf_without_an_error_does_not_meet_the_target():
    total = Moments.of([np.full((4, 2), 1e200) * [[1], [-1], [1], [-1]], np.zeros((4, 1))])
    with np.errstate(over="ignore"):
        assert total.largest_sem() == np.inf
