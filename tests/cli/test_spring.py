"""`--model spring` on the bundled trace: the truth that made it comes back within its errors."""

import json

import numpy as np
import pytest

from jaxtls.__main__ import main
from jaxtls.cli import spring
from jaxtls.cli.data import make_spring_trace


def test_bundled_trace_is_readable():
    table = spring.read(spring.BUNDLED)
    assert len(table) == 81 and table["time"][0] == 0
    np.testing.assert_allclose(table["time"][-1], 4 * np.pi, atol=1e-5)
    assert set(table["x_error"]) == {make_spring_trace.NOISE["x"]}


@pytest.mark.slow
def test_bundled_trace_is_what_the_script_makes():
    columns = make_spring_trace.make()
    table = spring.read(spring.BUNDLED)
    for name, values in columns.items():
        np.testing.assert_allclose(table[name], values, atol=2e-6)


@pytest.mark.slow
def test_spring_end_to_end(tmp_path, capsys):
    assert main(["fit", "--model", "spring", "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "R_S" in out and "hardly separable" in out and "search 81 times" in err
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    for name, value in make_spring_trace.TRUTH.items():
        assert abs(report["values"][name] - value) < 3.5 * report["stderr"][name], name
    assert 0.7 < report["chi2"] / report["dof"] < 1.4 and report["dof"] == 2 * 81 - 3
    # R_S^2 = bB e^{bB}/(1+e^{bB}) where omega_0 = 0: from B alone.
    b = make_spring_trace.KNOWN["beta"] * make_spring_trace.TRUTH["splitting"]
    truth = np.sqrt(b * np.exp(b) / (1 + np.exp(b)))
    ratio = report["derived"]["R_S"]
    assert abs(ratio["value"] - truth) < 3.5 * ratio["stderr"] and ratio["stderr"] < 0.5 * truth
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")
