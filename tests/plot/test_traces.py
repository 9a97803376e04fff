"""Pictures hold the data that they were given."""

from types import SimpleNamespace

import numpy as np
import pytest

from jaxtls import plot

TS = np.linspace(0.0, 5.0, 11)


def result(**leaves):
    return SimpleNamespace(mean={k: m for k, (m, _) in leaves.items()}, sem={k: s for k, (_, s) in leaves.items()})


def edges(ax):
    (path,) = ax.collections[-1].get_paths()
    x, y = path.vertices.T
    return {t: (y[np.isclose(x, t)].min(), y[np.isclose(x, t)].max()) for t in np.unique(x)}


def test_band_is_mean_and_standard_error():
    mean, sem = np.exp(-TS), 0.1 * np.exp(-TS / 2)
    ax = plot.band(TS, SimpleNamespace(mean=mean, sem=sem), time_label="t")
    np.testing.assert_allclose(ax.lines[0].get_xydata(), np.stack([TS, mean], 1))
    for t, m, s in zip(TS, mean, sem):
        np.testing.assert_allclose(edges(ax)[t], (m - s, m + s))
    assert (ax.get_xlabel(), ax.get_xscale(), ax.get_yscale()) == ("t", "linear", "linear")


def test_band_on_logarithmic_axes_leaves_out_what_is_not_positive():
    mean = np.where(TS > 4, 0.0, np.exp(-TS))
    ax = plot.band(TS, SimpleNamespace(mean=mean, sem=np.full(11, 0.2)), scale="loglog")
    x, y = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(x, TS[1:9])
    assert (y > 0).all() and (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    low, high = np.array([edges(ax)[t] for t in x]).T
    np.testing.assert_allclose(high, y + 0.2)
    bottom, top = ax.get_ylim()
    assert (low > 0).all() and (low[y <= 0.2] < bottom).all() and bottom < y.min() and high.max() < top
    np.testing.assert_allclose(low[y > 0.2], y[y > 0.2] - 0.2)
    plot.band(TS[1:], SimpleNamespace(mean=1e-3 * mean[1:], sem=np.full(10, 0.0)), scale="loglog", ax=ax)
    ax.figure.draw_without_rendering()
    assert ax.get_ylim()[0] < 1e-3 * y.min()  # the second curve is in the picture too


def test_band_chooses_the_leaf_and_draws_next_to_what_is_there():
    one = (np.cos(TS), 0.1 + 0 * TS)
    r = result(x=one, total=(np.array(1.0), np.array(0.1)))
    ax = plot.band(TS, r, label="first")
    assert plot.band(TS, r, label="second", ax=ax) is ax
    assert len({line.get_color() for line in ax.lines}) == 2
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["first", "second"]
    two = result(x=one, p=(1j * np.sin(TS) + 2, 0 * TS))
    np.testing.assert_allclose(plot.band(TS, two, name="p").lines[0].get_ydata(), 2)
    for bad in (lambda: plot.band(TS, two), lambda: plot.band(TS, r, name="total"), lambda: plot.band(TS[1:], r)):
        with pytest.raises(ValueError, match=r"`name`.*total|`name`.*x"):
            bad()
    with pytest.raises(ValueError, match="`scale`"):
        plot.band(TS, r, scale="log")
