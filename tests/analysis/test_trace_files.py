"""Traces from files: every dialect gives the same numbers, and a fault is named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls as jt
from jaxtls.analysis.trace_files import in_name

from . import oracle

F = 5e9 + np.linspace(-4e5, 4e5, 101)
S = oracle.trace(F, f_r=5e9, Q_i=2e5, Q_c=1e5, phi=0.2, a=0.03, alpha=1.0, tau=4e-8)
DEGREES, DB = np.rad2deg(np.angle(S)), 20 * np.log10(np.abs(S))


def table(header, *columns, separator=",", comma=False):
    rows = [separator.join(repr(float(x)) for x in row) for row in zip(*columns)]
    return "\n".join([header, *((row.replace(".", ",") if comma else row) for row in rows)])


def same(trace):
    np.testing.assert_allclose(trace.frequencies, F, rtol=1e-12)
    np.testing.assert_allclose(trace.s21, S, rtol=1e-9)


@pytest.mark.parametrize("style", ["RI", "MA", "DB"])
@pytest.mark.parametrize("unit", ["Hz", "kHz", "MHz", "GHz"])
@pytest.mark.parametrize("ports", [1, 2])
def test_touchstone_of_every_style(tmp_path, style, unit, ports):
    path = tmp_path / f"r.s{ports}p"
    path.write_text(oracle.touchstone(F, S, style, unit, ports))
    trace = jt.read_trace(path)
    same(trace)
    assert trace.parameter == ("S11" if ports == 1 else "S21")


def test_touchstone_ports_noise_and_version_two(tmp_path):
    two = oracle.touchstone(F, S)
    path = tmp_path / "r.S2P"
    path.write_text(two + "4.0 1.0 0.5 20 0.3\n4.5 1.1 0.5 20 0.3\n")  # noise figures
    same(jt.read_trace(path))
    np.testing.assert_allclose(jt.read_trace(path, parameter="s12").s21, 0.3 - 0.01j * np.arange(101), rtol=1e-12)
    path.write_text(
        "[Version] 2.0\n# GHz S RI R 50\n[Number of Ports] 2\n[Two-Port Data Order] 12_21\n[Network Data]\n"
        + "\n".join(two.splitlines()[2:])
        + "\n[End]\n"
    )
    same(jt.read_trace(path, parameter="S12"))


def test_three_ports_run_along_rows_over_lines(tmp_path):
    path = tmp_path / "r.s3p"
    path.write_text("# GHz S RI\n5 11 0 12 0 13 0\n21 0 22 0 23 0\n31 0 32 0 33 0\n")
    assert jt.read_trace(path, parameter="S23").s21.tolist() == [23]


COLUMNS = {
    "real": table("frequency_Hz,s21_real,s21_imag", F, S.real, S.imag),
    "dB": table("Freq (GHz)\tS21 Mag (dB)\tS21 Phase (deg)", F / 1e9, DB, DEGREES, separator="\t"),
    "radians": table("f_MHz;abs;phase_rad", F / 1e6, np.abs(S), np.angle(S), separator=";", comma=True),
    "blanks": "# measured today\n" + table("# f_Hz re im", F, S.real, S.imag, separator=" "),
    "analyser": "!CSV A.01.01\nBEGIN CH1_DATA\n" + table("Freq(Hz),S21(REAL),S21(IMAG)", F, S.real, S.imag) + "\nEND\n",
    "choice": table("freq_Hz,S11(DB),S11(DEG),S21(DB),S21(DEG)", F, F, F, DB, DEGREES),
    "quoted": table('"Frequency [kHz]","Re(S21)","Im(S21)"', F / 1e3, S.real, S.imag),
}


@pytest.mark.parametrize("text", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_columns_of_every_dialect(tmp_path, text, encoding):
    path = tmp_path / "r.csv"
    path.write_text(text, encoding=encoding)
    same(jt.read_trace(path))


def test_arrays(tmp_path):
    named = np.zeros(101, [("freq_GHz", float), ("S21_re", float), ("S21_im", float)])
    named["freq_GHz"], named["S21_re"], named["S21_im"] = F / 1e9, S.real, S.imag
    for array in (np.stack([F, S]), np.stack([F, S], 1), np.stack([F, S.real, S.imag], 1), named):
        np.save(tmp_path / "r.npy", array)
        same(jt.read_trace(tmp_path / "r.npy"))


FAULTS = {
    "s2p cut off": ("r.s2p", oracle.touchstone(F, S)[:-40], "cut off"),
    "s2p of impedances": ("r.s2p", "# GHz Z RI R 50\n1 2 3\n", "S parameters"),
    "s2p that is dB": ("r.s1p", "# GHz S MA R 50\n5 -3 10\n", "DB"),
    "s2p with words": ("r.s1p", "# GHz S MA R 50\n5 0.1 10\nhello 1 2\n", "line 3"),
    "no header": ("r.csv", table("", F, S.real, S.imag), "header"),
    "unit of phase": ("r.csv", table("f_Hz,dB,phase", F, DB, DEGREES), "degrees or radians"),
    "magnitude alone": ("r.csv", table("f_Hz,dB,T_K", F, DB, DEGREES), "lacks"),
    "unit of frequency": ("r.csv", table("f,re,im", F / 1e9, S.real, S.imag), "unit"),
    "ragged": ("r.csv", COLUMNS["real"] + "\n1,2\n", "line 103"),
    "not finite": ("r.csv", COLUMNS["real"] + "\n6e9,nan,0\n", "not finite"),
    "other parameter": ("r.csv", table("f_Hz,S11_re,S11_im,S22_re,S22_im", F, F, F, F, F), "S11, S22"),
    "dB that is not": ("r.csv", table("f_Hz,mag,deg", F, DB, DEGREES), "s21_dB"),
    "empty": ("r.csv", "", "no table"),
}


@pytest.mark.parametrize(("name", "text", "word"), FAULTS.values(), ids=FAULTS)
def test_faults_are_named(tmp_path, name, text, word):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=word) as caught:
        jt.read_trace(path)
    assert len(str(caught.value)) < 400


def test_a_file_that_is_not_there_or_no_array(tmp_path):
    with pytest.raises(ValueError, match="`path`"):
        jt.read_trace(tmp_path / "none.s2p")
    (tmp_path / "r.npy").write_text("hello")
    with pytest.raises(ValueError, match=r"r\.npy"):
        jt.read_trace(tmp_path / "r.npy")
    with pytest.raises(ValueError, match="`parameter`"):
        jt.read_trace(tmp_path / "r.npy", parameter="T21")


@pytest.mark.parametrize("name", ["r.csv", "r.s2p"])
@given(text=st.text(st.characters(codec="utf-8"), max_size=80) | st.sampled_from(list(COLUMNS.values())))
@settings(max_examples=40, deadline=None)
def test_any_text_is_read_or_refused_in_a_sentence(tmp_path_factory, name, text):
    path = tmp_path_factory.mktemp("any") / name
    path.write_text(text, encoding="utf-8", newline="")
    try:
        trace = jt.read_trace(path)
    except ValueError as error:
        assert 10 < len(str(error)) < 600
    else:
        assert np.all(np.isfinite(trace.s21)) and trace.s21.shape == trace.frequencies.shape


@pytest.mark.parametrize(
    ("name", "kelvin", "dbm"),
    [
        ("NYU_7.7182GHz_-20.0dB_105.0mK", 0.105, None),
        ("r3_-65dBm", None, -65.0),
        ("r3-65dBm", None, -65.0),
        ("R3-P-40dBm-T20mK", 0.02, -40.0),
        ("run7_0p1K_neg10p5dBm", 0.1, -10.5),
        ("m40dBm", None, -40.0),
        ("2025-07-24_50mK_10_dBm_avg10", 0.05, 10.0),
        ("sweep_C446238_4KHz", None, None),
    ],
)
def test_what_a_name_says(name, kelvin, dbm):
    assert in_name(name, "K") == pytest.approx(kelvin) and in_name(name, "dBm") == dbm


@pytest.mark.parametrize(
    ("comment", "kelvin", "dbm"),
    [
        ("Source power: -30 dBm", None, -30.0),
        ("power_dBm = -5.5", None, -5.5),
        ("Power (dBm); -20", None, -20.0),
        ("Temperature = 0.02 K", 0.02, None),
        ("temperature_mK: 20", 0.02, None),
        ("T = 15 mK", 0.015, None),
        ("S11 S21, 60 dB attenuation", None, None),
    ],
)
def test_what_a_comment_says(tmp_path, comment, kelvin, dbm):
    (tmp_path / "r.s2p").write_text(oracle.touchstone(F, S, comment=comment))
    trace = jt.read_trace(tmp_path / "r.s2p")
    assert trace.temperature == pytest.approx(kelvin) and trace.power_dBm == dbm


def test_name_and_header_that_disagree(tmp_path):
    path = tmp_path / "r_20mK.s2p"
    path.write_text(oracle.touchstone(F, S, comment="temperature: 0.1 K"))
    with pytest.raises(ValueError, match=r"header says 0\.1 K, but its name 0\.02 K"):
        jt.read_trace(path)
