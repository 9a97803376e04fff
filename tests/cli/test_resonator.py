"""`--model resonator` from a synthetic CSV to the report: truth recovered, report complete, picture drawn."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from jaxtls.__main__ import main
from jaxtls._progress import Progress
from jaxtls.cli import resonator, resonator_shift
from jaxtls.cli.bootstrap import Bootstrap
from jaxtls.cli.data import make_resonator_data
from jaxtls.cli.report import Quantity
from jaxtls.cli.tables import InputError
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
        "dof", "success", "message", "derived", "identifiability", "comparison", "notes", "verdict", "versions",
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


@pytest.mark.slow
def test_verdict_and_picture_of_a_joint_fit(tmp_path, capsys):
    """The bundled example: loss and shift of one resonator, without error bars."""
    assert main(["fit", "--model", "resonator", "--starts", "1", "--bootstrap", "15", "--out", str(tmp_path)]) == 0
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"].startswith("verdict: TLS signature")
    assert report["input"]["shift_rows"] == 16 and "shift_offset" in report["values"]
    assert report["comparison"][0]["form"] == "crowley" and report["comparison"][0]["used"]
    derived = report["derived"]
    for name in ("F tan delta", "F tan delta, loss alone", "F tan delta, shift alone"):
        assert abs(derived[name]["value"] - make_resonator_data.TRUTH["loss_tangent"]) < 4 * derived[name]["stderr"]
    assert derived["F tan delta"]["stderr"] < 0.1 * derived["F tan delta"]["value"]
    notes = " ".join(report["notes"])
    assert "bootstrap" in notes and "agree on F tan delta" in notes
    # the scatter that the fit found is the noise that was put in
    assert report["comparison"][0]["rms in ln Q [%]"] == pytest.approx(100 * make_resonator_data.NOISE, rel=0.3)
    assert report["comparison"][0]["rms of shift"] == pytest.approx(make_resonator_data.SHIFT_NOISE, rel=0.6)
    assert (tmp_path / "fit.png").stat().st_size > 30_000
    assert "bootstrap, 15 draws" in capsys.readouterr().err


def test_bundled_data_are_made_by_their_script():
    loss, shift = make_resonator_data.make()
    for name, columns in (("loss", loss), ("shift", shift)):
        rows = np.genfromtxt(resonator.DATA / f"resonator_{name}.csv", delimiter=",", names=True)
        for column, values in columns.items():
            np.testing.assert_allclose(rows[column], values, rtol=1e-5, atol=1e-12)


def test_verdicts():
    seen = resonator._verdict(Quantity(1e-6, 1e-7), 50.0)
    assert "TLS signature. Without" in seen and "10 standard errors" in seen
    # errors widened by a form that misses the data
    doubtful = resonator._verdict(Quantity(1e-6, 1e-7), 50.0, widening=5.0)
    assert "no TLS signature" in doubtful and "2 standard errors off zero" in doubtful and "< 2e-06" in doubtful
    as_well = resonator._verdict(Quantity(1e-6, 1e-7), 2.0)
    assert "no TLS signature" in as_well and "AIC +2 from it" in as_well and "< 1.2e-06" in as_well


def test_shift_files(tmp_path):
    file = tmp_path / "f.csv"
    file.write_text(
        "T_K,f_r_Hz,sigma_f_r_Hz\n" + "\n".join(f"{t},{5e9 - 10 * i},20" for i, t in enumerate(range(1, 7)))
    )
    table = resonator_shift.read(str(file))
    np.testing.assert_allclose(table[resonator_shift.SHIFT], -2e-9 * np.arange(6), atol=1e-15)
    np.testing.assert_allclose(table[resonator_shift.SIGMA], 4e-9)
    assert len(resonator_shift.read(str(file), max_temperature=3.0)) == 3
    file.write_text("T_K,fractional_frequency_shift_vs_0p1K\n" + "\n".join(f"{t},{t}e-8" for t in range(1, 7)))
    assert resonator_shift.read(str(file))[resonator_shift.SHIFT][-1] == 6e-8
    file.write_text("T_K,shift\n1,2\n")
    with pytest.raises(InputError, match=r"no column named fractional_frequency_shift.* its header reads: T_K, shift"):
        resonator_shift.read(str(file))


def test_bootstrap_matches_the_error_of_a_mean():
    rng = np.random.default_rng(0)
    temperatures = np.repeat(np.arange(50.0), 4)
    values = np.repeat(rng.normal(size=50), 4) + 0.1 * rng.normal(size=200)  # rows of one temperature share a shift

    def refit(sigma):
        weights = 1 / sigma["loss"] ** 2
        return SimpleNamespace(success=True, model=SimpleNamespace(mean=np.sum(weights * values) / np.sum(weights)))

    draws = Bootstrap({"loss": temperatures}, {"loss": np.ones(200)}, refit, 400, Progress(quiet=True))
    # as of 50 independent values, not of 200
    assert draws.error_of(lambda m: m.mean) == pytest.approx(values.reshape(50, 4).mean(1).std() / 50**0.5, rel=0.15)

    @dataclasses.dataclass
    class Fit:
        names: tuple
        stderr: dict
        covariance: np.ndarray

    fit = draws.applied(Fit(("mean",), {}, np.zeros((1, 1))))
    assert float(fit.covariance[0, 0]) == pytest.approx(float(fit.stderr["mean"]) ** 2)


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
    main([*call, "--starts", "1", "--bootstrap", "12", "--out", str(tmp_path / "out")])
    out, err = capsys.readouterr()
    assert "no TLS signature" in out and "One drive power" in out and "No error bars were given" in out
    assert "fit 25 rows" in err and "rms" in err
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    tangent = report["derived"]["F tan delta"]
    assert tangent["value"] < 3 * tangent["stderr"] and tangent["value"] < 1e-6
