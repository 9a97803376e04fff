"""Figures of the damped oscillator: pictures, and every claim of their docstrings."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from jaxtls.reproduce import FIGURES


@pytest.mark.parametrize("number, panels", [(1, 2), (2, 3), (3, 3)])
def test_draw(number, panels):
    module = FIGURES[f"blacker-tilbrook-{number}"]
    figure = module.draw(module.data())
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    assert len(figure.axes) == panels


def test_widths_and_norms_of_fig_1():
    data = FIGURES["blacker-tilbrook-1"].data()
    x = data["x"]
    for name in ("psi0", "psi1"):
        start, later = data[name + "_t0"] ** 2, data[name + "_t1"] ** 2
        assert_allclose([np.trapezoid(start, x), np.trapezoid(later, x)], 1, atol=1e-5)
        ratio = np.trapezoid(x**2 * later, x) / np.trapezoid(x**2 * start, x)
        assert_allclose(np.sqrt(ratio), np.exp(-1), rtol=1e-4)


def test_claims_of_fig_2():
    data = FIGURES["blacker-tilbrook-2"].data()
    t = data["t_critical"]
    assert np.all(np.diff(data["P00_critical"]) < 0)
    assert_allclose(data["P00_critical"], 1 / np.sqrt(1 + t**2), rtol=1e-12)
    top = np.argmax(data["P02_critical"])
    assert_allclose([t[top], data["P02_critical"][top]], [np.sqrt(2), 0.19245], atol=0.02)
    tail, late = data["P00_overdamped"], data["t_overdamped"] > 5
    slope = np.polyfit(data["t_overdamped"][late], np.log(tail[late]), 1)[0]
    assert_allclose(slope, -np.sqrt(1.5**2 - 1), rtol=1e-3)


def test_claims_of_fig_3():
    data = FIGURES["blacker-tilbrook-3"].data(quick=False)
    for case in ("critical", "overdamped"):
        p22 = data[f"P22_{case}"]
        zero = np.argmin(p22[: len(p22) // 3])
        revival = zero + np.argmax(p22[zero:])
        assert p22[zero] < 1e-5
        assert_allclose(p22[revival], 144 / (4 * 15**2.5), rtol=1e-4)
        if case == "critical":
            assert_allclose(data["t_critical"][[zero, revival]], np.sqrt([2, 14]), atol=0.05)
    # one period, pi/Omega, and no other
    t, period = data["t_underdamped"], np.pi / np.sqrt(1 - 0.81)
    for m in (0, 2, 4, 6):
        p = data[f"P2{m}_underdamped"]
        first = t < t[-1] - period
        assert_allclose(np.interp(t[first] + period, t, p), p[first], atol=2e-4)
