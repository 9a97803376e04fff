"""Every Python block of the README runs, in order, in one namespace; its commands are the ones that exist."""

import pathlib
import re
import warnings

ROOT = pathlib.Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


def test_python_blocks_run(capsys, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    names: dict = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in blocks:
            if "cache_dir" not in block:
                exec(block, names)
    printed = capsys.readouterr().out
    assert "success True" in printed
    assert "the data cannot see gamma" in printed


def test_ci_runs_the_test_command_as_written():
    commands = re.findall(r"^python3 -m venv .*$", TEXT, re.M)
    assert len(commands) == 2 and commands[1].endswith("-m tests")
    assert "README.md" in (ROOT / ".ci" / "run").read_text()
    assert not (ROOT / "jaxtls" / "tests").exists()
