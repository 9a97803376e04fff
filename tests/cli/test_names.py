"""What the names of columns say, and which column of a file is suggested for ours."""

import pytest

from jaxtls.cli import resonator_table, spring, t1
from jaxtls.cli.names import label, likeliest, may_be, split
from jaxtls.cli.tables import InputError

TELL_APART = [
    # theirs, ours, may be
    ("temp", "T_K", True),
    ("T", "T_K", True),
    ("temp_mK", "T_K", False),
    ("temp_mK", "T_mK", True),
    ("frequency_Hz", "T_K", False),
    ("frequency_Hz", "Q_internal", False),
    ("freq", "Q_internal", False),
    ("s21_real", "Q_internal", False),
    ("Qi", "Q_internal", True),
    ("Qi_err", "Q_internal", False),
    ("Qi_err", "sigma_Q_internal", True),
    ("power", "mean_photon_number", False),
    ("power", "power_dBm", True),
    ("P_W", "power_dBm", False),
    ("time_s", "time", True),
    ("T1_us", "time", False),
    ("T1_us", "signal", True),
    ("frequency_Hz", "signal", True),
    ("time_s", "x", False),
    ("Freq (GHz)", "frequency_MHz", False),
    ("5.1e9", "T_K", False),
]


@pytest.mark.parametrize(("theirs", "ours", "may"), TELL_APART)
def test_a_unit_or_a_kind_that_is_another_is_no_candidate(theirs, ours, may):
    assert may_be(theirs, ours) == may


def test_units_and_labels():
    assert [split(name) for name in ("T (mK)", "freq/GHz", "T1_us", "gas", "Q_internal")] == [
        ("T", "mK"), ("freq", "GHz"), ("T1", "us"), ("gas", ""), ("Q_internal", ""),
    ]  # fmt: skip
    assert label("time [h]") == "time  [h]" and label("t_s", "h") == "t_s  [h]" and label("$ig") == r"\$ig"


def test_the_likeliest_is_suggested():
    ours = ["T_K", "mean_photon_number", "Q_internal", "T_mK", "power_dBm", "inverse_Q_internal"]
    assert likeliest(["temp_mK", "navg", "Qi"], ours) == ("T_mK", "temp_mK")
    assert likeliest(["frequency_Hz", "s21_real", "s21_imag"], ours) is None
    assert likeliest(["chip", "Qi"], ["Q_internal"]) == ("Q_internal", "Qi")


@pytest.mark.parametrize(
    ("read", "header", "example"),
    [
        (resonator_table.read, "temp_mK,navg,Qi", "T_mK=temp_mK"),
        (
            resonator_table.read,
            "frequency_Hz,mean_photon_number,loss",
            "inverse_Q_internal=loss",
        ),
        (
            resonator_table.read,
            "frequency_Hz,phase,power",
            "power_dBm=power",
        ),
        (spring.read, "frequency_Hz,x", ""),
        (t1.read, "time_s,frequency_MHz,T1_us", ""),
    ],
)
def test_no_message_takes_a_column_for_what_it_is_not(read, header, example, tmp_path):
    (tmp_path / "a.csv").write_text(header + "\n1,2,3\n")
    with pytest.raises(InputError) as refused:
        read(str(tmp_path / "a.csv"))
    example = example and f", for example --column {example}"
    assert str(refused.value).endswith(f"--column OURS=THEIRS{example}.")
