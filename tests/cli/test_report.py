"""The report's words and numbers, and the progress lines."""

import io
import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtls import plot
from jaxtls._progress import Progress
from jaxtls.cli.report import Quantity, Report
from jaxtls.fitting.identifiability import identify


def known(jacobian, names=("a", "b")):
    """What data with these derivatives, in units of their errors, can tell."""
    ones = np.ones(len(names))
    return identify(np.array(jacobian), names, 2 * ones, ones, np.zeros(len(names), bool), 1.0, 0.0, 1e-15)


def made_up(**changes):
    fit = SimpleNamespace(
        names=("a", "b"), values={"a": 1.5, "b": 2.0}, stderr={"a": 0.1, "b": float("inf")}, chi2=12.0, dof=10,
        success=True, covariance=np.diag([0.01, np.inf]), message="", identifiability=known([[10.0, 0.0]]),
    )  # fmt: skip
    fields = {
        "title": "a fit", "model": "toy", "fit": fit, "describe": {"a": ("K", "the first")}, "inputs": {"n": 3},
        "source": {"name": "d.csv", "sha256": "0" * 64, "rows": 12}, "derived": {"R": Quantity(0.5, 0.01)},
    }  # fmt: skip
    return Report(**{**fields, **changes})


def test_text():
    text = made_up(notes=["mind the gap"]).text()
    wanted = ["a fit", "d.csv, 12 rows", "1.50 ± 0.10 K", "the first", "chi² = 12", "cannot see b", "mind the gap"]
    assert [words for words in wanted if words not in text] == []
    assert "converged" in text and "NOT" not in text
    made = made_up()
    made.fit.success = False
    assert "NOT CONVERGED" in made.text()


def test_doubts_come_first_and_once():
    made = made_up(doubts=["MHz or GHz?"], notes=["mind the gap"])
    assert made.text().splitlines()[2] == "check first: MHz or GHz?" and made.text().count("GHz?") == 1
    assert made.to_dict()["notes"] == ["MHz or GHz?", "mind the gap"]


def test_blind_spots_are_spelt_out():
    made = made_up()
    made.fit.stderr = {"a": 1.0, "b": 0.4}
    made.fit.covariance = np.array([[1.0, -0.39], [-0.39, 0.16]])
    assert made.blind_spots() == [
        "the data cannot see b",
        "hardly separable: a and b (correlation -0.975)",
        "well determined is R = 0.500 ± 0.010",
        "a is poorly known: its error is 67 % of its value",
    ]
    made.fit.stderr = {"a": 60.0, "b": 0.1}
    assert "a cannot be told from zero: its error is 60" in made.blind_spots()


def test_what_is_known_only_in_combination_is_said_once():
    """Three parameters of which each pair moves together: one sentence, and the number that they fix."""
    names, root = ("gamma", "splitting", "omega"), np.array([7.0, 44.0, 0.29])
    fit = SimpleNamespace(
        names=names, values=dict(zip(names, (8.2, 89.0, 1.85))), stderr=dict(zip(names, root)), chi2=12.0, dof=10,
        success=True, message="", covariance=np.outer(root, root) * (0.9999 + 0.0001 * np.eye(3)),
        identifiability=known(np.diag([1.0, 1.0, 1.0]), names),
    )  # fmt: skip
    derived = {"R_S": Quantity(0.79, 0.25), "omega_eff": Quantity(1.0, 0.0008, "1/time"), "exact": Quantity(3.0)}
    made = made_up(fit=fit, derived=derived)
    wanted = [
        "the data fix all 3 parameters, but gamma, splitting and omega (correlation beyond +0.999) only in "
        "combination: hardly separable",
        "well determined is omega_eff = 1.00000 ± 0.00080 1/time",
        "gamma is poorly known: its error is 85 % of its value",
    ]
    assert made.blind_spots() == wanted and made.to_dict()["identifiability"] == "; ".join(wanted)
    assert made.text().count("separable") == 1
    # a derived number that is no better known is not named, nor one list's members one by one
    made = made_up(fit=fit, derived={"R_S": Quantity(0.79, 0.25)}, listed={"places": "gamma", "others": "s"})
    assert made.blind_spots()[0].startswith("the data fix all 3 parameters, but places, others and omega (")
    assert not any("well determined" in spot for spot in made.blind_spots())
    fit.covariance = np.diag(root**2)
    assert made_up(fit=fit, derived=derived).blind_spots()[0] == "the data fix all 3 parameters"


def test_units_by_other_names():
    derived = {"R": Quantity(0.5, 0.01, "1/time"), "S": Quantity(1.0)}
    made = made_up(describe={"a": ("1/time", "a rate")}, derived=derived)
    found = made.in_units({"1/time": "1/h"})
    assert found.parameters()["a"].unit == "1/h" and found.to_dict()["units"] == {"a": "1/h", "b": ""}
    assert [quantity.unit for quantity in found.derived.values()] == ["1/h", ""]


def test_json_has_no_infinities(tmp_path):
    figure = plot.figure()
    paths = made_up().write(tmp_path / "deep" / "down", figure)
    assert [path.name for path in paths] == ["report.txt", "report.json", "fit.png"]
    report = json.loads(paths[1].read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(name))
    assert report["stderr"] == {"a": 0.1, "b": None} and report["covariance"][1][1] is None


def test_mathtext():
    assert Quantity(1.57e-6, 1.1e-7).mathtext() == r"(1.57 ± 0.11) $\times 10^{-6}$"
    assert str(Quantity(3.0, None, "K")) == "3 K"
    assert str(Quantity(0.27, float("inf"), "K")) == "not determined by these data"


def test_progress_counts_under_jit():
    stream = io.StringIO()
    progress = Progress(stream)
    progress.stage("work")
    double = jax.jit(progress.count(lambda x: 2 * x))
    for i in range(3):
        double(jnp.asarray(float(i))).block_until_ready()
    jax.effects_barrier()
    progress.done("well")
    assert stream.getvalue().splitlines()[0] == "work ..."
    assert "3 evaluations" in stream.getvalue() and stream.getvalue().endswith("well\n")
    quiet = Progress(stream := io.StringIO(), quiet=True)
    quiet.stage("work")
    quiet.done()
    assert stream.getvalue() == ""


def test_traces(tmp_path):
    ts = np.linspace(0, 1, 20)
    sol = SimpleNamespace(ts=ts, observables={"x": np.cos(ts), "n": ts, "matrix": np.zeros((20, 2))})
    axes = plot.traces(sol)
    assert len(axes) == 2 and axes[1].get_xlabel() == "time"
    axes[0].figure.savefig(tmp_path / "t.png")
    assert len(plot.traces(sol, ["n"])) == 1
    with pytest.raises(ValueError, match="Argument `names` must be among x, n, matrix"):
        plot.traces(sol, ["y"])


def test_trace_fit_draws():
    ts = np.linspace(0, 1, 20)
    data, sigma = {"x": np.cos(ts), "x2": ts}, {"x": 0.1 + 0 * ts, "x2": 0.1 + 0 * ts}
    figure = plot.trace_fit(ts, data, sigma, data, title="two")
    assert len(figure.axes) == 4
    figure.canvas.draw()
