"""Numbers below zero meet the check of their option, and names that are misspelt the question what was meant."""

import pytest

from jaxtls.__main__ import main
from jaxtls.cli.tables import InputError, names_in


def refused(capsys, *words):
    """What argparse says: the usage, then one line."""
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    usage, *_, last = capsys.readouterr().err.strip().splitlines()
    assert stopped.value.code == 2
    return usage, last


@pytest.mark.parametrize("number", ["-5e9", "-5E+09", "-.5e1", "-5.", "-inf"])
def test_a_number_below_zero_is_a_value(number, capsys):
    for words in (("--frequency", number), (f"--frequency={number}",)):
        _, last = refused(capsys, "fit", "q.csv", "--model", "resonator", *words)
        kind = "a finite number" if number == "-inf" else "greater than zero"
        assert last == f"jaxtls fit: error: argument --frequency: '{number}' must be {kind}"


@pytest.mark.parametrize(
    ("words", "last"),
    [
        (("--model", "resonator", "--frequncy", "5e9"), "--frequncy. Did you mean --frequency?"),
        (("--model", "resonator", "--frequncy=5e9"), "--frequncy. Did you mean --frequency?"),
        (("--modle", "spring"), "--modle. Did you mean --model?"),
        (("--model", "spring", "-quiet"), "-quiet. Did you mean --quiet?"),
        (("--model", "spring", "--zzz"), "--zzz."),
    ],
)
def test_a_misspelt_option_is_told_by_its_command(words, last, capsys):
    usage, said = refused(capsys, "fit", *words)
    assert usage.startswith("usage: jaxtls fit [DATA.csv ...]")
    assert said == f"jaxtls fit: error: unrecognized arguments: {last}"


def test_other_commands_and_what_is_too_much(capsys):
    usage, last = refused(capsys, "reproduce", "--netcfd")
    assert usage.startswith("usage: jaxtls reproduce") and last.endswith("--netcfd. Did you mean --netcdf?")
    usage, last = refused(capsys, "cite", "TLSGlass", "TLSBath")
    assert usage.startswith("usage: jaxtls cite") and last == "jaxtls cite: error: unrecognized arguments: TLSBath"
    _, last = refused(capsys, "--verison")
    assert last == "jaxtls: error: unrecognized arguments: --verison. Did you mean --version?"


@pytest.mark.parametrize("words", [("--version",), ("-h",), ("fit", "-h"), ("ensemble", "--help"), ("cite", "--he")])
def test_what_exists_is_no_mistake(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    assert stopped.value.code == 0 and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("reproduce", "artiaco3"),
            "No figure is called artiaco3. Did you mean artiaco-3? `python -m jaxtls",
        ),
        (("reproduce", "wang_taylor_1", "nothing"), "called wang_taylor_1, nothing. Did you mean wang-taylor-1? `"),
        (("cite", "Entropicspring"), "but got 'Entropicspring'. Did you mean EntropicSpring? There are BlochRedfield,"),
        (("cite", "tlsbath"), "Did you mean TLSBath? There are"),
        (("cite", "nothing"), "but got 'nothing'. There are BlochRedfield,"),
    ],
)
def test_a_misspelt_name_is_asked_for(words, said, capsys):
    assert main(list(words)) == 2
    err = capsys.readouterr().err
    assert said in err and len(err.splitlines()) == 1


def test_a_misspelt_column_or_parameter_is_asked_for(tmp_path, capsys):
    with pytest.raises(InputError, match=r"no column 'signl' for --column .* Did you mean signal\?$"):
        names_in(["time", "signal"], ["time", "signal"], {"signal": "signl"}, "a.csv")
    file = tmp_path / "q.csv"
    file.write_text("T_K,mean_photon_number,Q_internal\n" + "".join(f"0.01,{n},1e6\n" for n in range(1, 9)))
    call = ["fit", str(file), "--model", "resonator", "--frequency", "5e9", "--quiet", "--out", str(tmp_path / "o")]
    assert main([*call, "--column", "T_k=T_K"]) == 2
    assert capsys.readouterr().err.endswith("Did you mean T_K?\n")
    assert main([*call, "--hold", "photon_exponnt=1"]) == 2
    assert capsys.readouterr().err.endswith("but got 'photon_exponnt'. Did you mean photon_exponent?\n")
