"""`--model t1`: the bundled scans' TLS and its diffusion come back; estimates of D are unbiased, with honest errors."""

import json

import numpy as np
import pytest

from jaxtls.__main__ import main
from jaxtls.cli import t1
from jaxtls.cli.data import make_t1_scan
from jaxtls.cli.diffusion import Diffusion
from jaxtls.cli.tables import InputError


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
        assert abs(report["values"][name] - value) < 3.5 * report["stderr"][name], name
    d = report["derived"]["D"]
    assert abs(d["value"] - make_t1_scan.DIFFUSION) < 3 * d["stderr"] and d["stderr"] < 0.2 * d["value"]
    assert 0.85 < report["chi2"] / report["dof"] < 1.2


def test_scans_need_frequencies(tmp_path):
    file = tmp_path / "short.csv"
    rows = "\n".join(f"{k // 4},{5000 + k % 4},20" for k in range(15))
    file.write_text(f"time_h,frequency_MHz,T1_us\n{rows}\n")
    with pytest.raises(InputError, match="has 3 rows at time_h = 3"):
        t1.read(file)
