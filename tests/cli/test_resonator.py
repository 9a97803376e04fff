"""`--model resonator` from a synthetic CSV to the report: truth recovered, report complete, picture drawn."""

import json

import numpy as np
import pytest

from jaxtls import combine_resonators
from jaxtls.__main__ import main
from jaxtls.cli import resonator, resonator_table
from jaxtls.cli.data import make_resonator_data
from jaxtls.cli.tables import InputError, Table
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
    truth = ResonatorLoss(frequency=FREQUENCY, quasiparticles="mattis-bardeen", **TRUTH)
    q = np.asarray(truth.quality_factor(temperature, photons))
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
    forms = ["crowley", "standard", "earnest", "power", "logarithmic", "none", "no TLS"]
    assert [row["form"] for row in report["comparison"]] == forms
    assert [row["form"] for row in report["comparison"] if row["used"]] == ["crowley"]
    best, *others = (row["AIC - best"] for row in report["comparison"])
    assert best == 0 and min(others) > 10
    assert report["comparison"][0]["rms in ln Q [%]"] == pytest.approx(100 * NOISE, rel=0.3)
    assert report["verdict"] == "TLS" and report["upper_limit"] is None


def test_report_is_complete(report, files):
    wanted = {
        "title", "model", "command", "input", "held", "parameters", "values", "stderr", "units", "covariance", "chi2",
        "dof", "success", "message", "derived", "identifiability", "comparison", "notes", "verdict",
        "verdict_text", "upper_limit", "versions",
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
    assert report["verdict"] == "TLS"
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


def test_shift_files(tmp_path):
    file = tmp_path / "f.csv"
    file.write_text(
        "T_K,f_r_Hz,sigma_f_r_Hz\n" + "\n".join(f"{t},{5e9 - 10 * i},20" for i, t in enumerate(range(1, 7)))
    )
    table = resonator_table.read_shift(str(file))
    np.testing.assert_allclose(table[resonator_table.SHIFT], -2e-9 * np.arange(6), atol=1e-15)
    np.testing.assert_allclose(table[resonator_table.SIGMA], 4e-9)
    assert len(resonator_table.read_shift(str(file), resonator_table.Reading(max_temperature=3.0))) == 3
    file.write_text("T_K,fractional_frequency_shift_vs_0p1K\n" + "\n".join(f"{t},{t}e-8" for t in range(1, 7)))
    assert resonator_table.read_shift(str(file))[resonator_table.SHIFT][-1] == 6e-8
    file.write_text("T_K,shift\n1,2\n")
    with pytest.raises(InputError, match=r"no column named fractional_frequency_shift.* its header reads: T_K, shift"):
        resonator_table.read_shift(str(file))


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
    assert main([*call, "--starts", "1", "--bootstrap", "12", "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert "There is no TLS signature" in out and "One drive power" in out and "No error bars were given" in out
    assert "fit 25 rows" in err
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    tangent = report["derived"]["F tan delta"]
    assert tangent["value"] < 3 * tangent["stderr"] and tangent["value"] < 1e-6
    assert report["verdict"] == "no TLS" and 0 < report["upper_limit"] < 1e-6


def test_temperatures_that_may_be_in_millikelvin_are_asked_for_beside_the_verdict():
    """10 to 24 "K" of a loss that nothing moves: verdict, picture and group ask, and the row used is explained."""
    T, n = np.repeat(np.arange(10.0, 26.0, 2.0), 2), np.tile([1.0, 100.0], 8)
    q = 2e5 * np.exp(0.01 * np.random.default_rng(3).standard_normal(16))
    columns = {"T_K": T, "mean_photon_number": n, "Q_internal": q, "sigma_Q_internal": 0.01 * q}
    found = resonator.analyse(Table("q.csv", "0" * 64, columns), 5e9, saturation="none", n_starts=1, bootstrap=0)
    report = resonator.report_of(found, Table("q.csv", "0" * 64, columns), None, "none", 1)
    question = "Yet the coldest row is at 10 K, where thermal TLSs lose 0.012 of F tan delta: is it in mK?"
    assert report.verdict == "no TLS" and report.verdict_text.endswith(question) and report.text().count(question) == 1
    assert resonator.picture(found, "q.csv").get_suptitle().endswith("(no TLS; is T in mK?)")
    assert f"a: {question}" in resonator.group_text(combine_resonators({"a": found}), {}, [])
    assert "hottest_row_K = 24" in report.text() and "max_T_K" not in report.inputs
    rows = {row["form"]: row for row in report.comparison}
    assert [form for form, row in rows.items() if row["used"]] == ["none"]
    lower = rows["none"]["AIC - best"] - rows["no TLS"]["AIC - best"]
    said = f"The form none is used, though a loss without TLSs has an AIC lower by {lower:.2g}: that one has no F tan"
    assert lower > 0 and any(note.startswith(said) for note in report.notes)
    columns["T_K"] = T / 1000
    cold = resonator.analyse(Table("q.csv", "0" * 64, columns), 5e9, saturation="none", n_starts=1, bootstrap=0)
    assert not cold.verdict.doubt and "mK" not in resonator.picture(cold, "q.csv").get_suptitle()


# --- files as people have them ---------------------------------------------------------------------------------

SWEEP = [(n, 2e5 * (1 + n / 3) ** 0.4) for n in (0.05, 0.5, 2, 10, 100, 1e3, 1e4, 1e6)]
PLAIN = "T_K,mean_photon_number,Q_internal,sigma_Q_internal\n" + "".join(
    f"0.01,{n},{q:.1f},{0.02 * q:.1f}\n" for n, q in SWEEP
)
ARGUMENTS = ["--model", "resonator", "--frequency", "5e9", "--quiet"]


def read_text(tmp_path, text, encoding="utf-8", **how):
    file = tmp_path / "q.csv"
    file.write_bytes(text.encode(encoding))
    return resonator_table.read(str(file), resonator_table.Reading(**how))


def in_millikelvin(text):
    head, *rows = text.split()
    return "\n".join(
        [head.replace("T_K", "temp"), *(f"{1000 * float(r.split(',')[0])}," + r.split(",", 1)[1] for r in rows)]
    )


@pytest.mark.parametrize(
    ("text", "how"),
    [
        (PLAIN.replace(",", ";").replace(".", ","), {}),
        (PLAIN.replace(",", "\t"), {}),
        ("# cold\n" + PLAIN.replace("\n", "\n# remark\n", 1), {}),
        (PLAIN.replace("T_K", '"T [K]"').replace("mean_photon_number", '"Mean photon number"'), {}),
        (in_millikelvin(PLAIN), {"columns": {"T_mK": "temp"}}),
        (PLAIN + "0.01,3,-1,5\n0.01,oops,1e5,1e3\n", {"skip_bad": True}),
    ],
    ids=["semicolons", "tabs", "comments", "pretty", "mapped", "bad rows"],
)
def test_other_writings_are_the_same_table(text, how, tmp_path):
    want = read_text(tmp_path, PLAIN)
    for encoding in ("utf-8", "utf-16"):
        found = read_text(tmp_path, text, encoding, **how)
        for name in want.columns:
            np.testing.assert_allclose(found[name], want[name], rtol=1e-12)


def test_losses_in_place_of_quality_factors(tmp_path):
    table = read_text(tmp_path, "T_mK,loss,sigma_loss\n" + "10,1e-6,2e-8\n" * 4, photon_number=1.0, columns={
        "inverse_Q_internal": "loss", "sigma_inverse_Q_internal": "sigma_loss"})  # fmt: skip
    np.testing.assert_allclose(table["Q_internal"], 1e6)
    np.testing.assert_allclose(table["sigma_Q_internal"], 2e4)
    np.testing.assert_allclose(table["T_K"], 0.01)


def test_photons_from_power(tmp_path):
    text = "T_K,power_dBm,Q_internal,Q_coupling,f_r_Hz\n" + "0.01,-80,1e6,1e5,5e9\n" * 4
    table = read_text(tmp_path, text, attenuation=60.0)
    loaded, quanta = 1 / (1e-6 + 1e-5), 1e-3 * 10**-14 / (1.054571817e-34 * (2 * np.pi * 5e9) ** 2)
    np.testing.assert_allclose(table["mean_photon_number"], 2 * loaded**2 / 1e5 * quanta, rtol=1e-8)
    double = read_text(tmp_path, text, attenuation=60.0, coupling="reflection")["mean_photon_number"]
    np.testing.assert_allclose(double, 2 * table["mean_photon_number"])
    with pytest.raises(InputError, match="Q_coupling or --q-coupling"):
        read_text(tmp_path, text.replace("Q_coupling", "else"))


def test_all_bad_rows_are_named_at_once(tmp_path):
    with pytest.raises(
        InputError, match=r"line 10, column `Q_internal`: -1 must.*1 more line is bad \(11\); --skip-bad"
    ):
        read_text(tmp_path, PLAIN + "0.01,3,-1,5\n0.01,oops,1e5,1e3\n")
    assert read_text(tmp_path, PLAIN + "0.01,3,-1,5\n", skip_bad=True).skipped == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--frequency": "5.0"}, "GHz"),
        ({"T": "65"}, "mK"),
        ({"sigma": 0.02}, "relative errors"),
        ({"--hold": "Tc=9"}, "critical_temperature"),
        ({"--column": "T_K=kelvin"}, "no column 'kelvin'"),
        ({"--tc": "0.005"}, "`--hold critical_temperature` must lie above the hottest row"),
        ({"--hold": "critical_power=0"}, "`--hold critical_power` must be finite and above zero"),
    ],
    ids=["GHz", "mK", "relative", "held", "column", "tc", "zero"],
)
def test_slips_name_their_remedy(changes, words, tmp_path, capsys):
    text = PLAIN.replace("0.01,", changes.get("T", "0.01") + ",")
    if "sigma" in changes:
        head, *rows = text.split()
        text = "\n".join([head, *(r.rpartition(",")[0] + ",0.02" for r in rows)])
    (tmp_path / "q.csv").write_text(text)
    options = [part for key, value in changes.items() if key.startswith("--") for part in (key, value)]
    assert main(["fit", str(tmp_path / "q.csv"), *ARGUMENTS, *options, "--out", str(tmp_path / "o")]) == 2
    err = capsys.readouterr().err
    assert words in err and len(err.strip().splitlines()) == 1 and not (tmp_path / "o").exists()


def test_several_resonators_of_one_file(tmp_path, capsys):
    head, *rows = PLAIN.split()
    lines = [head + ",chip"]
    for name, factor in (("a", 1.0), ("b", 2.0), ("c", 0.5)):
        for row in rows:
            t, n, q, s = row.split(",")
            lines.append(f"{t},{n},{factor * float(q):.1f},{factor * float(s):.1f},{name}")
    (tmp_path / "q.csv").write_text("\n".join(lines))
    out = tmp_path / "o"
    assert main(["fit", str(tmp_path / "q.csv"), *ARGUMENTS, "--group", "chip", "--out", str(out)]) == 0
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    each = {name: r["derived"]["F tan delta"]["value"] for name, r in report["resonators"].items()}
    assert each["a"] / each["b"] == pytest.approx(2, rel=1e-3) and each["c"] / each["a"] == pytest.approx(2, rel=1e-3)
    assert report["joint"]["F tan delta"]["value"] == pytest.approx(each["a"], rel=0.02)
    assert report["joint"]["spread"]["value"] == pytest.approx(np.log(2), rel=0.05)
    assert (out / "fit.png").stat().st_size > 20_000 and "typical F tan delta" in capsys.readouterr().out


def test_a_shift_alone_meets_nothing_of_ours(tmp_path):
    T = np.geomspace(0.05, 1.0, 12)
    truth = ResonatorLoss(frequency=FREQUENCY, loss_tangent=3e-5)
    rows = [f"{t:.6g},{y:.8g},1e-8" for t, y in zip(T, np.asarray(truth.frequency_shift(T)))]
    (tmp_path / "s.csv").write_text(
        "T_K,fractional_frequency_shift,sigma_fractional_frequency_shift\n" + "\n".join(rows)
    )
    out = tmp_path / "o"
    call = ["fit", "--shift", str(tmp_path / "s.csv"), "--model", "resonator", "--frequency", "6e9", "--quiet"]
    assert main([*call, "--hold", "shift_offset=0", "--out", str(out)]) == 0
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["values"] == {"loss_tangent": pytest.approx(3e-5, rel=1e-3)}
    assert report["input"]["rows"] == 12 and report["held"]["shift_offset"] == 0 and report["verdict"] == "TLS"


def test_a_shift_in_hertz_tells_its_frequency(tmp_path):
    T = np.geomspace(0.05, 1.0, 12)
    moved = np.asarray(ResonatorLoss(frequency=FREQUENCY, loss_tangent=3e-5).frequency_shift(T))
    rows = [f"{1e3 * t:.6g},{FREQUENCY * (1 + y):.10g},50" for t, y in zip(T, moved)]
    (tmp_path / "s.csv").write_text("T_mK,f_r_Hz,sigma_f_r_Hz\n" + "\n".join(rows))
    call = ["fit", "--shift", str(tmp_path / "s.csv"), "--model", "resonator", "--quiet", "--out", str(tmp_path / "o")]
    assert main(call) == 0
    report = json.loads((tmp_path / "o/report.json").read_text(encoding="utf-8"))
    assert report["held"]["frequency_Hz"] == pytest.approx(FREQUENCY, rel=1e-3)
    assert report["values"]["loss_tangent"] == pytest.approx(3e-5, rel=1e-2)


def test_header_in_the_last_comment(tmp_path):
    """As numpy.savetxt writes it."""
    head, *rows = PLAIN.split()
    plain = read_text(tmp_path, PLAIN)
    for separator in (",", " ", "\t"):
        text = "# cooldown 7\n# " + "\n".join([head, *rows]).replace(",", separator)
        assert np.array_equal(read_text(tmp_path, text)["Q_internal"], plain["Q_internal"])


def test_conditions_that_a_file_does_not_tell(tmp_path):
    head, *rows = PLAIN.split()
    cold = "\n".join(row.partition(",")[2] for row in (head, *rows))
    assert set(read_text(tmp_path, cold, temperature=0.02)["T_K"]) == {0.02}
    with pytest.raises(InputError, match="--temperature"):
        read_text(tmp_path, cold)
    with pytest.raises(InputError, match="power_dBm"):
        read_text(tmp_path, PLAIN.replace("\n0.01,", "\n0.01,-"))
    with pytest.raises(InputError, match="watts"):
        watts = [f"0.01,{float(row.split(',')[1]) * 1e-17},{row.split(',', 2)[2]}" for row in rows]
        text = "\n".join([head.replace("mean_photon_number", "power_dBm"), *watts])
        read_text(tmp_path, text, coupling_quality=1e5, frequency=5e9)


def test_several_resonators_without_a_group_are_refused(tmp_path, capsys):
    head, *rows = PLAIN.split()
    lines = [f"{head},f_r_Hz,chip"] + [f"{row},{f_r},{f_r}" for f_r in (5.0e9, 5.1e9) for row in rows]
    (tmp_path / "q.csv").write_text("\n".join(lines))
    call = ["fit", str(tmp_path / "q.csv"), "--model", "resonator", "--quiet", "--out", str(tmp_path / "o")]
    assert main(call) == 2 and "--group" in capsys.readouterr().err
    assert main([*call, "--group", "chip", "--shift", str(tmp_path / "q.csv")]) == 2
    assert "--shift" in capsys.readouterr().err
    # one of them with too few rows is named, not dropped in silence
    (tmp_path / "q.csv").write_text("\n".join(lines[: 3 + len(rows)]))
    assert main([*call, "--group", "chip"]) == 0
    assert "was left out" in capsys.readouterr().out
    report = json.loads((tmp_path / "o/report.json").read_text(encoding="utf-8"))
    assert list(report["left_out"]) == ["5100000000.0"]
    assert report["resonators"]["5000000000.0"]["input"]["rows"] == len(rows)
