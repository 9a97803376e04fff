"""Pictures of fluctuators: the legend stands where no data are, and says what is drawn."""

import jax
import numpy as np
import pytest

import jaxtls as jt
from jaxtls import plot


def entries(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def overlaps(ax):
    ax.figure.canvas.draw()
    return ax.get_legend().get_window_extent().overlaps(ax.get_window_extent())


@pytest.mark.parametrize("count", [2, 200])
def test_allan_deviation(count):
    """Few are named each, of many some are shown; all are inside the axes."""
    rates = np.geomspace(1e-2, 1e2, count)
    f = jt.Fluctuators(np.ones(count), rates / 2, rates / 2)
    ax = plot.allan_deviation(np.geomspace(1e-2, 1e2, 60), f, sigma=0.1)
    assert not overlaps(ax)
    named = [r"$\Gamma$ = 0.01", r"$\Gamma$ = 100"] if count == 2 else ["single fluctuators"]
    assert entries(ax) == [*named, "white noise", "sum"]
    low, high = ax.get_ylim()
    assert all(low < line.get_ydata().max() < high for line in ax.lines[:-2])


def test_coherence():
    f = jt.Fluctuators([1.0], [0.1], [0.1])
    ax = plot.coherence_decay(np.linspace(0.0, 8.0, 60), f)
    assert entries(ax) == ["Ramsey", "Hahn echo", "CPMG, 2 pulses", "CPMG, 8 pulses"] and not overlaps(ax)


def test_record_with_its_residuals():
    f = jt.Fluctuators(np.ones(1), 0.1 * np.ones(1), 0.1 * np.ones(1))
    ts = np.arange(100.0)
    xi = np.asarray(f.sample(jax.random.key(0), ts))[:, 0]
    fig = plot.telegraph_fit(ts, xi + 0.3, xi, f, 0.1, residuals=True)
    fig.canvas.draw()
    assert len(fig.axes) == 4 and not overlaps(fig.axes[2])
    [below] = [ax for ax in fig.axes if ax.get_ylabel() == "residual / sigma"]
    np.testing.assert_allclose(below.lines[0].get_ydata(), 3.0)
