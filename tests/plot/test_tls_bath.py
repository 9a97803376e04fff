"""Pictures of a qubit's TLSs hold what they were given, and refuse what does not fit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls import plot
from jaxtls.plot import _rate_fits

F, T = np.linspace(4.0, 6.0, 5), np.linspace(0.0, 9.0, 4)
MAP = np.asarray(jt.TLSBath([5.0], [0.3], 0.1).swap_map(F, T))


def test_waterfall():
    rates = np.arange(1.0, 21.0).reshape(4, 5)
    rates[1, 2] = np.nan
    ax = plot.rate_waterfall(F, T, rates, labels=("f", "t"), rate_label="rate")
    shown = ax.collections[0].get_array()
    assert_allclose(np.ma.filled(shown, np.nan).reshape(4, 5), rates)
    assert ax.yaxis_inverted() and (ax.get_xlabel(), ax.get_ylabel()) == ("f", "t")
    assert ax.collections[0].get_clim() == (1.0, 20.0)
    ax.figure.canvas.draw()


def test_waterfall_of_one_value_and_of_zeros():
    plot.rate_waterfall(F, T, np.ones((4, 5))).figure.canvas.draw()
    plot.rate_waterfall(F, T, np.zeros((4, 5)), log=False).figure.canvas.draw()
    with pytest.raises(ValueError, match="rates"):
        plot.rate_waterfall(F, T, np.zeros((4, 5)))


def test_swap_map_with_a_fit_on_top():
    ax = plot.swap_map(F, T, MAP, fitted=MAP, tls=[5.0, 5.5])
    assert_allclose(ax.collections[0].get_array().reshape(4, 5), MAP.T)
    levels = ax.collections[1].levels
    assert_allclose(levels, MAP.min() + np.ptp(MAP) * np.array([0.25, 0.5, 0.75]))
    assert [line.get_xdata()[0] for line in ax.lines] == [5.0, 5.5]
    # a flat fit has no contours
    assert len(plot.swap_map(F, T, MAP, fitted=np.ones_like(MAP)).collections) == 1


def test_fits():
    fig = plot.swap_fit(F, T, MAP, MAP, 0 * MAP, tls=[5.0], title="two")
    assert len(fig.axes) == 4 and fig.get_suptitle() == "two"
    fig.canvas.draw()
    centres = np.array([5.0, 5.1, 4.9, 5.2])
    fig = plot.rate_fit(F, T, np.ones((4, 5)), centres, 0.01 * np.ones(4), diffusion=0.05)
    fig.canvas.draw()
    expected, noise, moves = fig.axes[1].lines
    assert_allclose(moves.get_xdata(), [3.0])
    assert_allclose(moves.get_ydata(), np.sqrt(np.mean(np.diff(centres) ** 2)))
    assert_allclose(noise.get_ydata(), 0.01 * np.sqrt(2))
    assert_allclose(expected.get_ydata(), np.sqrt(4 * 0.05**2 * 3.0 + 2e-4))


def test_several_tls_with_residuals():
    """A colour each, moves of each, the residual map beside, and a word where there are none."""
    centres = np.array([[5.0, 5.1, 4.9, 5.2], [4.2, 4.4, 4.3, 4.5]])
    strengths = np.array([0.05, 0.1])
    fig = plot.rate_fit(F, T, np.ones((4, 5)), centres, 0.01 * np.ones((2, 4)), diffusion=strengths, residuals=MAP.T)
    fig.canvas.draw()
    assert len(fig.axes) == 5
    [moves] = [ax for ax in fig.axes if "moved" in ax.get_ylabel()]
    said = {text.get_text() for text in moves.get_legend().get_texts()}
    assert said == {"TLS 0", "TLS 1", "90 % of such records", "diffusion and fit errors", "fit errors alone"}
    drawn = [line for line in moves.lines if line.get_marker() == "o"]
    assert_allclose([line.get_ydata()[0] for line in drawn], np.sqrt(np.mean(np.diff(centres) ** 2, axis=1)))
    lost = plot.rate_fit(F, T, np.ones((4, 5)), centres, np.full((2, 4), np.inf), diffusion=0.1, residuals=MAP.T)
    assert "no moves" in next(ax for ax in lost.axes if "moved" in ax.get_ylabel()).texts[0].get_text()


def test_times_without_a_tls_are_left_out():
    """An infinite error takes its time out of the moves, given as errors or as a covariance."""
    t, centres = np.arange(5.0), np.array([5.0, 5.1, 7.0, 4.9, 5.2])
    errors = np.array([0.1, 0.1, np.inf, 0.1, 0.1])
    for given in (errors, np.where(np.isinf(errors[:, None] + errors), np.inf, np.diag(np.full(5, 0.01)))):
        fig = plot.rate_fit(F, t, np.ones((5, 5)), centres, given, diffusion=0.1)
        fig.canvas.draw()
        assert_allclose(fig.axes[1].lines[2].get_ydata(), np.sqrt(np.mean(np.diff(centres[[0, 1, 3, 4]]) ** 2)))
    assert len(plot.rate_fit(F, T, np.ones((4, 5)), np.ones(4), np.full(4, np.inf), diffusion=0.1).axes) == 3


@pytest.mark.parametrize("d", [0.0, 0.3, 3.0])
def test_band_of_moves_holds_nine_of_ten_records(d):
    """Records made by loops, uneven in time, with unequal and correlated errors; no diffusion, weak and strong."""
    rng = np.random.default_rng(5)
    t = np.cumsum(rng.uniform(0.1, 0.5, 20))
    own, common = rng.uniform(0.2, 1.5, 20), 0.3 * rng.uniform(size=20)
    low, high = _rate_fits.move_band(t, np.diag(own**2) + np.outer(common, common), d)
    inside = np.zeros((600, 9))
    for record in inside:
        path = np.concatenate([[0.0], np.cumsum(2 * d * np.sqrt(np.diff(t)) * rng.normal(size=19))])
        path += own * rng.normal(size=20) + common * rng.normal()
        for k in range(9):
            moved = np.sqrt(np.mean([(path[i + k + 1] - path[i]) ** 2 for i in range(19 - k)]))
            record[k] = low[k] <= moved <= high[k]
    assert_allclose(inside.mean(axis=0), 0.9, atol=0.05)


def test_scans_without_a_tls():
    fig = plot.flat_rates(F, T, np.ones((4, 5)), np.zeros((4, 5)), title="none")
    fig.canvas.draw()
    assert len(fig.axes) == 4 and fig.get_suptitle() == "none"


@pytest.mark.parametrize(
    "name, call",
    [
        ("frequencies", lambda: plot.swap_map(F[::-1], T, MAP)),
        ("ts", lambda: plot.rate_waterfall(F, T[::-1], MAP.T)),
        ("populations", lambda: plot.swap_map(F, T, MAP.T)),
        ("rates", lambda: plot.rate_waterfall(F, T, MAP)),
        ("fitted", lambda: plot.swap_map(F, T, MAP, fitted=MAP.T)),
        ("centre_errors", lambda: plot.rate_fit(F, T, MAP.T, np.ones(4), np.ones(3), diffusion=1.0)),
        ("residuals", lambda: plot.flat_rates(F, T, MAP.T, MAP)),
    ],
)
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=f"`{name}`"):
        call()
