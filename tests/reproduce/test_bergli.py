"""The echo figure: its laws, and that it is drawn."""

import numpy as np

from jaxtls.reproduce import bergli_echo


def test_echo_figure_says_what_its_docstring_does():
    data = bergli_echo.data()
    off = {r: np.max(np.abs(data[f"exact_{r:g}"] - data[f"gaussian_{r:g}"])) for r in bergli_echo.RATIOS}
    assert off[0.25] < 0.004 and 0.01 < off[1.0] < 0.03 and 0.3 < off[3.0] < 0.36 and 0.6 < off[10.0] < 0.7
    assert all(np.min(data[f"exact_{r:g}"]) >= 0 for r in bergli_echo.RATIOS)
    seen = data["bath_law"] > 0.1
    assert np.max(np.abs(data["bath_echo"] - data["bath_law"])[seen]) < 0.0012
    assert np.max(np.abs(data["bath_echo"] - data["bath_gaussian"])) < 5e-5
    assert len(bergli_echo.draw(data).axes) == 2
