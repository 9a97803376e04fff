"""`jaxtls fit *.s2p --model resonator`: from the analyser's files to F tan delta, without the circles that failed."""

import json
import pathlib

import numpy as np
import pytest

import jaxtls as jt
from jaxtls.__main__ import main
from jaxtls.cli import traces
from jaxtls.cli.resonator_table import Reading

from ..analysis import oracle

F_R, Q_C, SEED = 5.2e9, 2.0e5, 20261129
LAW = jt.ResonatorLoss(
    frequency=F_R, loss_tangent=4e-6, critical_power=8.0, photon_exponent=0.9, constant_loss=3e-7, saturation="standard"
)
ATTENUATION = 70.0


def _quality(power):
    """Q_i and n at a power of the source [dBm]: n depends on Q_l, which depends on n."""
    q = 2e5
    for _ in range(200):
        n = float(jt.photon_number(power, q, Q_C, F_R, attenuation=ATTENUATION))
        q = float(LAW.quality_factor(0.02, n))
    return q, n


def make(folder):
    """Thirteen traces of one notch in three kinds of files, and one of noise."""
    rng = np.random.default_rng(SEED)
    paths = []
    for i, power in enumerate(np.linspace(-80.0, -20.0, 13)):
        q, _ = _quality(power)
        f = F_R + np.linspace(-4e5, 4e5, 161)
        s = oracle.trace(f, f_r=F_R, Q_i=q, Q_c=Q_C, phi=0.15, a=0.02, alpha=0.7, tau=3e-8)
        s = s + oracle.noise(rng, len(f), 6e-5)
        name = f"r1_T20mK_{power:g}dBm"
        if i == 1:
            path = folder / f"{name}.csv"
            rows = "\n".join(f"{x!r},{z.real!r},{z.imag!r}" for x, z in zip(f.tolist(), s.tolist()))
            path.write_text("frequency_Hz,s21_real,s21_imag\n" + rows, encoding="utf-8")
        elif i == 2:
            path = folder / f"{name}.npy"
            np.save(path, np.stack([f, s.real, s.imag], axis=1))
        else:
            path = folder / f"{name}.s2p"
            path.write_text(oracle.touchstone(f, s), encoding="utf-8")
        paths.append(str(path))
    nothing = 0.02 * np.exp(2j * np.pi * rng.random(161))
    (folder / "r1_T20mK_-77dBm.s2p").write_text(oracle.touchstone(f, nothing), encoding="utf-8")
    return [*paths, str(folder / "r1_T20mK_-77dBm.s2p")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, out = tmp_path_factory.mktemp("traces"), tmp_path_factory.mktemp("out")
    options = ["--model", "resonator", "--attenuation", str(ATTENUATION), "--quiet", "--out", str(out)]
    assert main(["fit", *make(folder), *options]) == 0
    return json.loads((out / "report.json").read_text(encoding="utf-8")), out


def test_the_law_behind_the_circles_comes_back(run):
    report, out = run
    assert report["verdict"] == "TLS"
    tangent = report["derived"]["F tan delta"]
    assert abs(tangent["value"] - 4e-6) < 3.5 * tangent["stderr"] and tangent["stderr"] < 4e-7
    assert report["input"]["rows"] == 13 and report["held"]["frequency_Hz"] == pytest.approx(F_R, rel=1e-6)
    assert 0.2 < report["chi2"] / report["dof"] < 2.5
    assert (out / "fit.png").read_bytes().startswith(b"\x89PNG")


def test_a_failed_circle_is_named_and_left_out(run):
    notes = run[0]["notes"]
    assert any("r1_T20mK_-77dBm.s2p was left out: no resonance stands out" in note for note in notes)
    assert not any("--skip-bad" in note for note in notes)


def alone(path, header="frequency_Hz,s21_real,s21_imag", noise=6e-5):
    """One trace as a table: Q_i of 3e5 beside Q_c of 2e5."""
    f = F_R + np.linspace(-4e5, 4e5, 161)
    s = oracle.trace(f, f_r=F_R, Q_i=3e5, Q_c=Q_C, phi=0.15, a=0.02, alpha=0.7, tau=3e-8)
    s = s + oracle.noise(np.random.default_rng(SEED), len(f), noise)
    parts = (s.real, s.imag) if "imag" in header else (20 * np.log10(np.abs(s)), np.rad2deg(np.angle(s)))
    rows = "\n".join(f"{x!r},{a!r},{b!r}" for x, a, b in zip(f.tolist(), *(part.tolist() for part in parts)))
    path.write_text(f"{header}\n{rows}", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("header", ["frequency_Hz,s21_real,s21_imag", "Freq (Hz),S21 (dB),S21 (deg)"])
def test_one_trace_in_columns_is_fitted_by_itself(header, tmp_path, monkeypatch, capsys):
    """Its header tells it from a table of Q; the report is where it is by default."""
    monkeypatch.chdir(tmp_path)
    assert main(["fit", alone(tmp_path / "r1_20mK.csv", header), "--model", "resonator", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("one trace of S21, fitted as notch") and "Q_coupling" in out and "0.02 K, sha256" in out
    assert "but not what makes the loss" in out and "--column" not in out
    folder = tmp_path / "jaxtls-fit" / "resonator"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    for name, truth in (("f_r", F_R), ("Q_internal", 3e5), ("Q_coupling", Q_C), ("asymmetry", 0.15)):
        assert abs(report["values"][name] - truth) < 4 * report["stderr"][name], name
    assert report["stderr"]["Q_internal"] < 0.05 * 3e5 and report["verdict"] == "cannot tell"
    assert report["input"]["T_K"] == 0.02 and report["input"]["power_dBm"] is None and report["units"]["f_r"] == "Hz"
    assert (folder / "fit.png").read_bytes().startswith(b"\x89PNG")


def test_one_trace_that_tells_nothing_and_tables_that_are_none(tmp_path, capsys):
    call = ["--model", "resonator", "--quiet", "--out", str(tmp_path / "o")]
    for path, more, words in (
        (alone(tmp_path / "noise.csv", noise=1.0), (), "The resonance of noise.csv cannot be trusted: no resonance"),
        (alone(tmp_path / "t.csv"), ("--coupling", "transmission"), "give --q-coupling to have Q_internal."),
        (alone(tmp_path / "size.csv", "frequency_Hz,s21_dB,remark"), (), "lacks two columns of the complex trace"),
        (alone(tmp_path / "g.csv"), ("--group", "s21_real"), "--group takes one table of several resonators, no"),
        ("lost.s2p", (), "No such file: lost.s2p."),
        (alone(tmp_path / "named.csv"), ("--column", "T_K=s21_real"), "lacks the columns Q_internal (or"),
    ):
        assert main(["fit", path, *call, *more]) == 2
        err = capsys.readouterr().err
        assert words in err and len(err.splitlines()) == 1, err
    table = tmp_path / "q.csv"
    table.write_text("T_K,f_r_Hz,Q_internal,s21_dB,s21_deg\n0.1,5e9,1e6,-20,3\n")
    assert not traces.are_traces([str(table)]) and traces.are_traces([str(tmp_path / "t.csv")])
    assert not traces.are_traces([str(tmp_path / "t.csv")], [("T_K", "frequency_Hz")])
    assert not traces.are_traces([str(tmp_path / "nothing.csv")])


@pytest.mark.slow
def test_files_that_are_not_there_too_few_or_of_two_resonators(tmp_path, capsys):
    paths = make(tmp_path)
    call = ["--model", "resonator", "--quiet", "--out", str(tmp_path / "o")]
    for files, words in (
        ([*paths, "nothere.s2p"], "No such file: nothere.s2p"),
        (paths[:2], "2 of 2 traces can be trusted, but this fit needs at least 4"),
        ([paths[0], paths[-1]], "1 of 2 traces"),
    ):
        assert main(["fit", *files, *call]) == 2
        err = capsys.readouterr().err
        assert words in err and len(err.strip().splitlines()) == 1
    f = 5.3e9 + np.linspace(-4e5, 4e5, 161)
    other = oracle.trace(f, f_r=5.3e9, Q_i=2e5, Q_c=Q_C, phi=0.15, a=0.02, alpha=0.7, tau=3e-8)
    other = other + oracle.noise(np.random.default_rng(0), len(f), 6e-5)
    (tmp_path / "r2_T20mK_-50dBm.s2p").write_text(oracle.touchstone(f, other), encoding="utf-8")
    assert main(["fit", *paths[:5], str(tmp_path / "r2_T20mK_-50dBm.s2p"), *call]) == 2
    assert "cannot be of one resonator" in capsys.readouterr().err


def test_one_port_takes_all_the_power(tmp_path):
    """Photon numbers of S11 are those of a reflection, twice those of a notch, without an option."""
    for power in (-80.0, -70.0, -60.0, -50.0):
        f = F_R + np.linspace(-4e5, 4e5, 161)
        trace = jt.ResonatorTrace(f_r=F_R, Q_internal=3e5, Q_coupling=Q_C, gain=0.02, delay=3e-8, form="reflection")
        s = np.asarray(trace.response(f)) + oracle.noise(np.random.default_rng(int(-power)), len(f), 2e-5)
        rows = "\n".join(f"{x!r} {z.real!r} {z.imag!r}" for x, z in zip(f.tolist(), s.tolist()))
        (tmp_path / f"r_20mK_{power:g}dBm.s1p").write_text("# Hz S RI R 50\n" + rows)
    paths = sorted(map(str, tmp_path.glob("*.s1p")))
    table, _ = traces.read(paths, Reading(attenuation=ATTENUATION), None)
    want = jt.photon_number(-50.0, 3e5, Q_C, F_R, attenuation=ATTENUATION, coupling="reflection")
    assert float(table["mean_photon_number"].max()) == pytest.approx(float(want), rel=0.02)
    assert "reflection" in table.remarks()[0]


@pytest.mark.slow
def test_traces_that_do_not_tell_their_conditions_ask_for_them(tmp_path, capsys):
    paths = make(tmp_path)[:4]
    bare = []
    for i, path in enumerate(paths):
        bare.append(tmp_path / f"trace{'abcd'[i]}{path[path.rindex('.') :]}")
        bare[-1].write_bytes(pathlib.Path(path).read_bytes())
    assert main(["fit", *map(str, bare), "--model", "resonator", "--quiet", "--out", str(tmp_path / "o")]) == 2
    assert "--temperature" in capsys.readouterr().err
