"""Each fault of a CSV file gives one clear sentence, exit code 2, and no traceback."""

import pytest

from jaxtls.__main__ import main
from jaxtls.cli import resonator_table, spring, swap, t1, telegraph
from jaxtls.cli.tables import InputError, read_table

HEADER = "time,x,x_error,x2,x2_error"
ROW = "{},1.0,0.01,2.0,0.02"
GOOD = [HEADER, *(ROW.format(t) for t in (0, 0.1, 0.2, 0.3, 0.4, 0.5))]

# name of the fault: (line to change, its new text, words of the sentence)
FAULTS = {
    "text in a number": (2, "0.1,abc,0.01,2.0,0.02", ["line 3", "`x`", "'abc' is not a number"]),
    "NaN": (3, "0.2,nan,0.01,2.0,0.02", ["line 4", "`x`", "nan is not a finite number"]),
    "infinity": (3, "0.2,1.0,0.01,inf,0.02", ["line 4", "`x2`", "not a finite number"]),
    "empty cell": (3, "0.2,,0.01,2.0,0.02", ["line 4", "`x`", "empty"]),
    "too few cells": (4, "0.3,1.0,0.01", ["line 5", "3 cells", "5 columns"]),
    "unsorted times": (4, ROW.format(0.15), ["line 5", "`time`", "0.15 does not come after 0.2"]),
    "repeated time": (4, ROW.format(0.2), ["line 5", "`time`", "0.2 does not come after 0.2"]),
    "negative value": (1, "0,1.0,0.01,-2.0,0.02", ["line 2", "`x2`", "-2.0 must not be negative"]),
    "zero error bar": (5, "0.4,1.0,0,2.0,0.02", ["line 6", "`x_error`", "must be greater than zero"]),
    "negative error bar": (5, "0.4,1.0,0.01,2.0,-1", ["line 6", "`x2_error`", "must be greater than zero"]),
    "missing column": (0, "time,wrong,x_error,x2,x2_error", ["lacks the column x;", "time, wrong", "--column"]),
    "repeated column": (0, "time,x,x_error,x2,x2_error,x", ["more than one column named x"]),
    "semicolons": (0, "time;x;x_error;x2;x2_error", ["1 cells", "5 columns"]),
}


def one_sentence(capsys, *arguments):
    assert main(["fit", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    lines = err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("jaxtls: ") and lines[0].endswith(".")
    return lines[0]


def test_the_good_file_is_good(tmp_path):
    file = tmp_path / "trace.csv"
    # A byte order mark, blank lines, spaces and further columns are no faults.
    file.write_text("\ufeff\n" + "\n\n".join(line + " ,note" for line in GOOD) + "\n", encoding="utf-8")
    table = spring.read(file)
    assert len(table) == 6 and table["time"][-1] == 0.5 and len(table.sha256) == 64 and "note" not in table


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_sentence(fault, tmp_path, capsys):
    line, text, words = FAULTS[fault]
    lines = [*GOOD]
    lines[line] = text
    file = tmp_path / "trace.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sentence = one_sentence(capsys, file, "--model", "spring", "--out", tmp_path / "out")
    assert "trace.csv" in sentence and all(word in sentence for word in words), sentence
    assert not (tmp_path / "out").exists()


def test_line_numbers_count_blank_lines(tmp_path):
    file = tmp_path / "gaps.csv"
    file.write_text("\n\na,b\n\n1,2\n\n3,x\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 7, column `b`: 'x' is not a number"):
        read_table(file, ["a", "b"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\xff\xfe\x00", "not UTF-8"),
        ("\n".join(GOOD[:3]).encode(), "2 rows of data"),
    ],
)
def test_files_without_data(content, words, tmp_path, capsys):
    file = tmp_path / "trace.csv"
    file.write_bytes(content)
    assert words in one_sentence(capsys, file, "--model", "spring")


def test_missing_file_and_folder(tmp_path, capsys):
    assert "does not exist" in one_sentence(capsys, tmp_path / "nothing.csv", "--model", "spring")
    assert "is a folder" in one_sentence(capsys, tmp_path, "--model", "spring")


RESONATOR = ["T_K,mean_photon_number,Q_internal", *(f"{0.1 * t:.1f},{n},1e6" for n in (1, 100) for t in range(1, 6))]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("T_K", "T", "lacks the column T_K"),
        ("0.1,1,", "-0.1,1,", "column `T_K`: -0.1 must be greater than zero"),
        ("0.1,1,", "0.1,-1,", "column `mean_photon_number`: -1 must not be negative"),
        ("0.1,1,1e6", "0.1,1,0", "column `Q_internal`: 0 must be greater than zero"),
        ("0.1,1,1e6", "0.1,1,many", "'many' is not a number"),
    ],
)
def test_resonator_faults(old, new, words, tmp_path, capsys):
    file = tmp_path / "q.csv"
    file.write_text("\n".join(RESONATOR).replace(old, new), encoding="utf-8")
    assert words in one_sentence(capsys, file, "--model", "resonator", "--frequency", 5e9)


def test_resonator_too_few(tmp_path, capsys):
    file = tmp_path / "q.csv"
    file.write_text("\n".join(RESONATOR), encoding="utf-8")
    call = (file, "--model", "resonator", "--frequency", 5e9)
    assert "has 2 rows of data up to 0.1 K" in one_sentence(capsys, *call, "--max-temperature", 0.1)
    file.write_text("\n".join([*RESONATOR[:1], *["0.1,1,1e6"] * 5]), encoding="utf-8")
    assert "sweep the drive or the temperature" in one_sentence(capsys, *call)
    with pytest.raises(InputError, match="lacks the column mean_photon_number"):
        file.write_text("\n".join(RESONATOR).replace("mean_photon_number", "n"), encoding="utf-8")
        resonator_table.read(str(file))
    assert set(resonator_table.read(str(file), resonator_table.Reading(photon_number=3.0))["mean_photon_number"]) == {
        3.0
    }


def test_resonator_needs_its_arguments(tmp_path, capsys):
    file = tmp_path / "q.csv"
    file.write_text("\n".join(RESONATOR), encoding="utf-8")
    assert "needs --frequency" in one_sentence(capsys, file, "--model", "resonator")


@pytest.mark.parametrize(
    "option", [("--frequency", "-1"), ("--frequency", "abc"), ("--starts", "0"), ("--beta", "nan")]
)
def test_bad_options_exit_2(option, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--model", "spring", *option])
    assert stopped.value.code == 2
    assert f"argument {option[0]}: '{option[1]}' must be" in capsys.readouterr().err


@pytest.mark.parametrize("module", [swap, t1, telegraph])
def test_every_model_takes_other_names_and_leaves_out_bad_rows(module, tmp_path):
    """--column and --skip-bad are for all models: what a message advises has to work."""
    text = module.BUNDLED.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    header = lines[0].split(",")
    lines[0] = ",".join(["theirs", *header[1:]])
    lines[5] = ",".join(["oops", *lines[5].split(",")[1:]])
    path = tmp_path / "data.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=f"--column {header[0]}=theirs"):
        module.read(path)
    with pytest.raises(InputError, match="--skip-bad"):
        module.read(path, mapping={header[0]: "theirs"})
    table = module.read(path, mapping={header[0]: "theirs"}, skip_bad=True)
    assert len(table) == len(lines) - 2 and "1 bad row of data.csv" in table.remarks()[0]
