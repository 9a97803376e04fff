"""`--model resonator` from a synthetic CSV to the report: truth recovered, report complete, picture drawn."""

import json

import numpy as np
import pytest

from jaxtls.__main__ import main
from jaxtls.models.resonator import ResonatorLoss

TRUTH = {
    "loss_tangent": 2e-6,
    "critical_power": 1.0,
    "temperature_exponent": 0.7,
    "photon_exponent": 0.4,
    "critical_temperature": 5.0,
    "quasiparticle_amplitude": 1e-3,
    "constant_loss": 3e-8,
}
FREQUENCY = 6e9
NOISE = 0.02


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The command's files for a synthetic resonator whose columns come shuffled, with one to be ignored."""
    folder = tmp_path_factory.mktemp("resonator")
    temperature, photons = (grid.ravel() for grid in np.meshgrid(np.linspace(0.05, 1.6, 14), [1.0, 1e2, 1e4, 1e6]))
    q = np.asarray(ResonatorLoss(frequency=FREQUENCY, **TRUTH).quality_factor(temperature, photons))
    q = q * np.exp(NOISE * np.random.default_rng(5).standard_normal(q.shape))
    rows = [f"{n:.6g},{Q:.8g},x,{t:.6g},{NOISE * Q:.8g}" for t, n, Q in zip(temperature, photons, q)]
    (folder / "q.csv").write_text("\n".join(["mean_photon_number,Q_internal,remark,T_K,sigma_Q_internal", *rows]))
    call = ["fit", str(folder / "q.csv"), "--model", "resonator", "--frequency", str(FREQUENCY), "--starts", "1"]
    assert main([*call, "--out", str(folder / "out")]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def report(files):
    return json.loads((files / "report.json").read_text(encoding="utf-8"))


def test_truth_within_honest_errors(report):
    assert set(report["values"]) == set(TRUTH)
    pulls = [(report["values"][name] - value) / report["stderr"][name] for name, value in TRUTH.items()]
    assert np.max(np.abs(pulls)) < 3.5
    # The errors are those of 2 % noise: not idle, F tan delta is known to a few per cent.
    assert 0.003 < report["stderr"]["loss_tangent"] / TRUTH["loss_tangent"] < 0.1
    assert 0.5 < report["chi2"] / report["dof"] < 1.6 and report["dof"] == 56 - 7
    assert report["success"] is True


def test_the_right_form_wins(report):
    assert [row["form"] for row in report["comparison"]] == ["crowley", "standard", "none", "no TLS"]
    assert [row["form"] for row in report["comparison"] if row["used"]] == ["crowley"]
    best, *others = (row["AIC - best"] for row in report["comparison"])
    assert best == 0 and min(others) > 10
    assert report["comparison"][0]["rms in ln Q [%]"] == pytest.approx(100 * NOISE, rel=0.3)


def test_report_is_complete(report, files):
    wanted = {
        "title", "model", "command", "input", "held", "parameters", "values", "stderr", "units", "covariance", "chi2",
        "dof", "success", "message", "derived", "identifiability", "comparison", "notes", "versions",
    }  # fmt: skip
    assert set(report) == wanted
    assert np.shape(report["covariance"]) == (7, 7)
    np.testing.assert_allclose(
        np.sqrt(np.diag(report["covariance"])), [report["stderr"][name] for name in report["parameters"]]
    )
    derived = report["derived"]["F tan delta"]
    assert derived["value"] == pytest.approx(report["values"]["loss_tangent"], rel=1e-12)
    assert derived["stderr"] == pytest.approx(report["stderr"]["loss_tangent"], rel=1e-6)
    assert report["input"]["name"] == "q.csv" and report["input"]["rows"] == 56 and len(report["input"]["sha256"]) == 64
    assert "--frequency" in report["command"] and {"jaxtls", "jax", "python"} <= set(report["versions"])
    assert report["held"]["frequency_Hz"] == FREQUENCY and report["identifiability"]
    assert (files / "fit.png").read_bytes().startswith(b"\x89PNG") and (files / "fit.png").stat().st_size > 20_000


def test_text_names_what_matters(files):
    text = (files / "report.txt").read_text(encoding="utf-8")
    for words in ("F tan delta", "±", "chi² =", "what the data cannot determine", "crowley", "sha256"):
        assert words in text


def test_control_without_tls_is_told_apart(tmp_path, capsys):
    # Quasiparticles and a constant loss alone, one drive power, no error bars: no TLS signal may be claimed.
    temperature = np.linspace(0.03, 0.6, 25)
    truth = ResonatorLoss(
        frequency=FREQUENCY,
        loss_tangent=0.0,
        critical_temperature=1.2,
        quasiparticle_amplitude=5e-3,
        constant_loss=5e-6,
    )
    q = np.asarray(truth.quality_factor(temperature, 10.0))
    q = q * np.exp(0.005 * np.random.default_rng(1).standard_normal(q.shape))
    file = tmp_path / "q.csv"
    file.write_text("\n".join(["T_K,Q_internal", *(f"{t:.6g},{Q:.8g}" for t, Q in zip(temperature, q))]))
    call = ["fit", str(file), "--model", "resonator", "--frequency", str(FREQUENCY), "--photon-number", "10"]
    main([*call, "--starts", "1", "--out", str(tmp_path / "out")])
    out, err = capsys.readouterr()
    assert "no TLS signal" in out and "One drive power" in out and "No error bars were given" in out
    assert "fit 25 rows" in err and "rms" in err
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    tangent = report["derived"]["F tan delta"]
    assert tangent["value"] < 3 * tangent["stderr"] and tangent["value"] < 1e-6
