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
