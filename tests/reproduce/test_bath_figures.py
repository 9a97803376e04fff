"""Figures of Schlosshauer, Hines & Milburn, and Fig. 4 of Wang & Taylor: the claims of their docstrings."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from jaxtls.reproduce import FIGURES, schlosshauer_fig2, schlosshauer_fig3, wang_taylor_fig4


def drawn(module, data, panels):
    figure = module.draw(data)
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    assert len([ax for ax in figure.axes if ax.get_ylabel()]) >= panels


def test_fig2():
    data = schlosshauer_fig2.data()
    T = data["temperature"]
    assert_allclose(data["spin_damping"][1:], np.tanh(1 / (2 * T[1:])), rtol=1e-12)
    assert_allclose(data["oscillator_damping"], 1.0, rtol=1e-12)
    assert_allclose(data["spin_diffusion"], 2.0, rtol=1e-12)
    assert_allclose(data["oscillator_diffusion"][1:], 1 / np.tanh(1 / (2 * T[1:])), rtol=1e-12)
    assert data["spin_frequency_shift"][-1] == pytest.approx(-0.546, abs=1e-3)
    assert T[np.argmax(data["oscillator_anomalous"] < 0)] == pytest.approx(1.2)
    drawn(schlosshauer_fig2, data, 4)


def test_fig3_draws():
    t = np.linspace(0, 10, 101)
    names = [f"{g:g}_{n:g}" for g in schlosshauer_fig3.GAMMAS for n in schlosshauer_fig3.OCCUPATIONS]
    data = {"t": t} | {f"{kind}_{name}": t for kind in ("full", "adiabatic", "second_order") for name in names}
    drawn(schlosshauer_fig3, data, 2)


@pytest.mark.slow
def test_fig3():
    data = schlosshauer_fig3.data()
    over = {
        name: [data[f"{name}_{g}_{n}"][-1] / data[f"full_{g}_{n}"][-1] - 1 for g in (10, 100) for n in (0, 1, 5)]
        for name in ("adiabatic", "second_order")
    }
    assert_allclose(over["adiabatic"], [0.499, 0.0353, 0.0035, 0.0047, 0.0009, 0.0002], atol=1e-3)
    assert_allclose(over["second_order"], [-0.275, 0, 0, 0, 0, 0], atol=2e-3)


def test_fig4():
    data = wang_taylor_fig4.data()
    ratio = data["entropic_ratio"].reshape(len(data["omega"]), len(data["temperature"]))
    follows = data["omega"][:, None] < data["line_omega"]
    assert np.all((ratio > 0) == follows)
    assert ratio.max() == pytest.approx(3.75e-3, rel=0.01)
    assert_allclose(data["line_omega"], 1.05e8 * data["temperature"] ** 3, rtol=5e-3)
    drawn(wang_taylor_fig4, data, 2)


def test_registered():
    assert {"schlosshauer-2", "schlosshauer-3", "wang-taylor-4"} <= set(FIGURES)
