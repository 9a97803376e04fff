"""`--model t1`: the bundled scans' TLS and its diffusion come back; estimates of D are unbiased, with honest errors."""

import dataclasses
import io
import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxtls.__main__ import main
from jaxtls._progress import Progress
from jaxtls.cli import t1
from jaxtls.cli.data import make_t1_scan
from jaxtls.cli.diffusion import Diffusion
from jaxtls.cli.scans import t1_unit_notes
from jaxtls.cli.t1_model import WanderingTLSs
from jaxtls.cli.t1_places import cost, rearranged
from jaxtls.cli.t1_search import Scans
from jaxtls.cli.tables import InputError, Table


def test_bundled_scans_are_what_the_script_makes():
    columns, table = make_t1_scan.make(), t1.read(t1.BUNDLED)
    for name, values in columns.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-5, atol=1e-5)


def records(d, noise, count, rng):
    t = np.sort(rng.uniform(0, 5, 31))
    steps = 2 * d * np.sqrt(np.diff(t)) * rng.normal(size=(count, 30))
    paths = np.concatenate([np.zeros((count, 1)), np.cumsum(steps, axis=1)], axis=1)
    return t, paths + noise * rng.normal(size=paths.shape), noise**2 * np.eye(31)


@pytest.mark.parametrize("noise", [0.01, 1.0])
def test_estimates_scatter_as_they_say(noise):
    """60 records: mean and scatter of D against the truth and the stated error, noise as large as a move included."""
    t, places, covariance = records(1.5, noise, 60, np.random.default_rng(2))
    found = [Diffusion.of(t, row, covariance) for row in places]
    values, errors = np.array([d.value for d in found]), np.array([d.stderr for d in found])
    assert abs(values.mean() - 1.5) < 4 * values.std() / np.sqrt(60) + 0.03
    assert 0.7 < np.mean(errors) / values.std() < 1.4
    assert np.mean([d.upper > 1.5 for d in found]) > 0.85
    assert abs(np.mean([np.mean(d.moves**2) for d in found]) - 1) < 0.1


def test_no_diffusion_is_no_sign():
    """The gain of D > 0 seldom exceeds 4 where nothing moves, and the upper limit is small."""
    t, places, covariance = records(0.0, 1.0, 60, np.random.default_rng(3))
    found = [Diffusion.of(t, row, covariance) for row in places]
    assert np.mean([d.gain > 4 for d in found]) < 0.1
    assert np.median([d.upper for d in found]) < 1.0


@pytest.mark.slow
def test_bundled_scans_end_to_end(tmp_path, capsys):
    assert main(["fit", "--model", "t1", "--quiet", "--out", str(tmp_path)]) == 0
    assert "verdict: the TLS moves" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    for name, value in make_t1_scan.TRUTH.items():
        key = {"coupling": "couplings[0]", "width": "widths[0]"}.get(name, name)
        assert abs(report["values"][key] - value) < 3.5 * report["stderr"][key], name
    d = report["derived"]["D"]
    assert abs(d["value"] - make_t1_scan.DIFFUSION) < 3 * d["stderr"] and d["stderr"] < 0.2 * d["value"]
    assert 0.85 < report["chi2"] / report["dof"] < 1.2


def table_of(centres, depth, noise, seed, width=2.0):
    """Scans over 40 MHz and 3 h of a TLS at these places; T1 is 50 us far from it."""
    rng, f = np.random.default_rng(seed), np.linspace(5000.0, 5040.0, 21)
    rate = 0.02 * (1 + depth / (1 + ((f - np.asarray(centres)[:, None]) / width) ** 2))
    t1 = np.exp(noise * rng.standard_normal(rate.shape)) / rate
    count = len(centres)
    columns = {"time_h": np.repeat(np.linspace(0.0, 3.0, count), 21), "frequency_MHz": np.tile(f, count)}
    return Table("scans.csv", "0" * 64, columns | {"T1_us": t1.ravel(), "T1_error_us": noise / rate.ravel()})


def scans_of(table, errors=True):
    _, which = np.unique(table["time_h"], return_inverse=True)
    return Scans.of(table["frequency_MHz"], which, table["T1_us"], table["T1_error_us"] if errors else None)


def test_noise_is_no_tls():
    """Of 24 tables without a TLS none gains what is asked for, although each scan has a place of its own."""
    for errors in (True, False):
        gains = [scans_of(table_of(np.full(8, 5020.0), 0.0, 0.1, seed), errors).best().gain for seed in range(12)]
        assert max(gains) < t1.GAIN and min(gains) > -3.0


@pytest.mark.slow
def test_the_tls_that_is_seen_first():
    """At the depth stated nine of ten tables show it, moving or at rest; at a third few do."""
    depth = scans_of(table_of(np.full(8, 5020.0), 0.0, 0.1, 0)).depth_seen(2.0)
    moving = np.random.default_rng(1).uniform(5005.0, 5035.0, (20, 8))
    for places in (moving, np.full((20, 8), 5020.0)):
        seen, weak = (
            np.mean([scans_of(table_of(row, r, 0.1, 50 + k)).best().gain > t1.GAIN for k, row in enumerate(places)])
            for r in (depth, depth / 3)
        )
        assert seen >= 0.75 and weak <= 0.5, (depth, seen, weak)
    assert np.isinf(scans_of(table_of(np.full(8, 5020.0), 0.0, 20.0, 0), errors=False).depth_seen(2.0))


def test_scans_without_a_tls_say_so():
    table = table_of(np.full(8, 5020.0), 0.0, 0.1, 3)
    report = t1.run(table)
    text = report.text()
    assert report.verdict == "no TLS" and "no TLS seen" in report.title and " inf" not in text and "NOT" not in text
    assert abs(report.derived["T1"].value - 50.0) < 4 * report.derived["T1"].stderr < 5.0
    assert report.upper_limit == report.derived["coupling seen"].value
    t1.picture(table, report).canvas.draw()
    named = dataclasses.replace(table, theirs={"time_h": "elapsed", "frequency_MHz": "f01_MHz", "T1_us": "T1"})
    axes = t1.picture(named, report).axes
    assert axes[0].get_ylabel() == "elapsed  [h]" and {ax.get_xlabel() for ax in axes[:2]} == {"f01  [MHz]"}


@pytest.mark.slow
def test_a_tls_that_stays_gets_a_bound():
    table = table_of(np.full(8, 5020.3), 4.0, 0.07, 4)
    report = t1.run(table)
    text = report.text()
    assert report.verdict == "no diffusion" and 0 < report.upper_limit < 1.0 and " inf" not in text
    assert "centres: 8 values from 50" in text and "centres[0,3] " not in text
    assert text.index("D < ") < text.index("fitted") < text.index("centres: 8")
    figure = t1.picture(table, report)
    figure.canvas.draw()
    assert "D < " in figure.get_suptitle()


def test_slips_of_unit_are_noted():
    hours, T1 = np.repeat(np.linspace(0.0, 4.0, 25), 31), np.full(775, 30.0)
    assert t1_unit_notes(hours, T1) == [] and t1_unit_notes(30 * hours, T1 / 30) == []
    for factor, words in ((3600.0, "in s or min"), (60 * 3.0, "in s or min"), (1e-7, "too short")):
        (note,) = t1_unit_notes(factor * hours, T1)
        assert words in note
    for factor, words in ((1e3, "in ns"), (1e-3, "in ms or s"), (1e-6, "in ms or s")):
        (note,) = t1_unit_notes(hours, factor * T1)
        assert words in note


def test_scans_need_frequencies(tmp_path):
    file = tmp_path / "short.csv"
    rows = "\n".join(f"{k // 4},{5000 + k % 4},20" for k in range(15))
    file.write_text(f"time_h,frequency_MHz,T1_us\n{rows}\n")
    with pytest.raises(InputError, match="has 3 rows at time_h = 3"):
        t1.read(file)


def two_tables(noise=0.07, seed=8, strengths=(6.0, 2.5)):
    """Scans of two TLSs that diffuse by 1 and 3 MHz/sqrt(h) and cross; peaks in units of the background."""
    rng, f, t = np.random.default_rng(seed), np.linspace(5000.0, 5060.0, 41), np.linspace(0.0, 3.0, 16)
    steps = 2 * np.array([[1.0], [3.0]]) * np.sqrt(np.diff(t)) * rng.standard_normal((2, 15))
    centres = np.array([[5025.0], [5035.0]]) + np.concatenate([np.zeros((2, 1)), np.cumsum(steps, axis=1)], axis=1)
    lines = [r / (1 + ((f - c[:, None]) / w) ** 2) for c, r, w in zip(centres, strengths, (1.5, 2.5))]
    rate = 0.02 * (1 + sum(lines))
    t1 = np.exp(noise * rng.standard_normal(rate.shape)) / rate
    columns = {"time_h": np.repeat(t, 41), "frequency_MHz": np.tile(f, 16), "T1_us": t1.ravel()}
    return centres, Table("two.csv", "0" * 64, columns | {"T1_error_us": noise / rate.ravel()})


def test_places_are_exchanged_where_a_fit_took_one_for_the_other():
    """True lines with wrong places: exchanged in a third of the scans, and one lost; the right ones come back."""
    centres, table = two_tables()
    _, which = np.unique(table["time_h"], return_inverse=True)
    g = np.sqrt(0.02 * np.array([6.0, 2.5]) * np.array([1.5, 2.5]) / (4 * np.pi))
    wrong = centres.copy()
    wrong[:, ::3] = wrong[::-1, ::3]
    wrong[1, 5] = 5002.0
    model = WanderingTLSs(*(jnp.asarray(x) for x in (wrong, g, [1.5, 2.5], 0.02)))
    again = rearranged(table, which, model)
    assert np.max(np.abs(again.centres - centres)) < 2.0
    assert cost(table, which, again) < cost(table, which, model) - 100
    np.testing.assert_array_equal(rearranged(table, which, again).centres, again.centres)


@pytest.mark.slow
@pytest.mark.parametrize("errors_given", [True, False])
def test_two_tls(errors_given):
    """Both are found, each with its coupling, width and diffusion; one alone leaves what a third does not."""
    centres, table = two_tables()
    if not errors_given:
        del table.columns["T1_error_us"]
    report = t1.run(table)
    assert report.verdict == "2 TLSs" and "NOT" not in report.text() and " inf" not in report.text()
    order = np.argsort(report.fit.values["widths"])
    values, stderr = report.fit.values, report.fit.stderr
    for name, truth in (("widths", [1.5, 2.5]), ("couplings", np.sqrt(0.02 * np.array([9.0, 6.25]) / (4 * np.pi)))):
        assert np.all(np.abs(values[name][order] - np.array(truth)) < 4 * stderr[name][order]), name
    errors = stderr["centres"][order]
    seen = errors < 1.0
    assert seen.mean() > 0.8 and np.all(np.abs(values["centres"][order] - centres)[seen] < 6 * errors[seen])
    d = [report.derived[f"D [{k}]"] for k in order]
    assert abs(d[0].value - 1) < 3.5 * d[0].stderr and abs(d[1].value - 3) < 3.5 * d[1].stderr
    figure = t1.picture(table, report)
    figure.canvas.draw()
    if errors_given:
        one = t1.run(table, most=1)
        assert "More are there" in one.verdict_text and "chi²/dof" in " ".join(one.notes)


def test_slips_are_said_before_the_fit():
    table, said = table_of(np.full(8, 5020.0), 0.0, 0.1, 3), io.StringIO()
    table.columns["frequency_MHz"] = table.columns["frequency_MHz"] / 1000
    report = t1.run(table, progress=Progress(said))
    assert "in GHz" in said.getvalue().splitlines()[0] and "in GHz" in report.text().splitlines()[2]
