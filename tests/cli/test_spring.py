"""`--model spring` on the bundled trace: the truth that made it comes back within its errors."""

import json
from unittest import mock

import numpy as np
import pytest

import jaxtls as jt
from jaxtls.__main__ import main
from jaxtls.cli import spring as fit_spring
from jaxtls.cli import spring_fit
from jaxtls.cli.data import make_spring_trace


def test_bundled_trace_is_readable():
    table = fit_spring.read(fit_spring.BUNDLED)
    assert len(table) == 81 and table["time"][0] == 0
    np.testing.assert_allclose(table["time"][-1], 4 * np.pi, atol=1e-5)
    assert set(table["x_error"]) == {make_spring_trace.NOISE["x"]}


@pytest.mark.slow
def test_bundled_trace_is_what_the_script_makes():
    columns = make_spring_trace.make()
    table = fit_spring.read(fit_spring.BUNDLED)
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


@pytest.mark.slow
def test_ring_down_alone_is_fitted_in_a_basis_that_is_shown_to_be_large_enough(tmp_path):
    """<x> of the exact spring, made in 96 levels: gamma and omega come back, though the search has fewer levels."""
    truth = {"omega": 2.0, "splitting": 130.0, "gamma": 3.0}
    spring = jt.EntropicSpring(**truth, beta=0.01, n_spins=40, n_levels=64, n_modes=3)
    ts = np.linspace(0, 8, 25)
    x = jt.evolve(spring, spring.coherent_state(0.6), ts, observables=["x"], rtol=1e-5, throw=False).observables["x"]
    rows = "\n".join(f"{t},{float(value)},0.01" for t, value in zip(ts, x))
    (tmp_path / "ring.csv").write_text("time,x,x_error\n" + rows, encoding="utf-8")
    table = fit_spring.read(tmp_path / "ring.csv")
    with mock.patch.object(spring_fit, "RING_DOWN_LEVELS", 32):
        report = fit_spring.run(table, n_spins=40, alpha=0.6)
    assert report.fit.success and float(report.fit.chi2) < 0.05
    for name in ("gamma", "omega"):
        assert abs(report.fit.values[name] - truth[name]) < 0.2 * report.fit.stderr[name], name
    assert report.derived["R_S"].stderr is None and "B is held at 130" in " ".join(report.notes)
