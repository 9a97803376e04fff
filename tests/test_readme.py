"""The README's Python blocks print what it says; its commands are the ones that exist; it is short."""

import json
import pathlib
import re

from benchmarks import results
from jaxtls.docs.layout import front

from . import pages

ROOT = pathlib.Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text()


def test_python_blocks_print_what_is_shown():
    printed = pages.run(README)
    assert "success True" in printed
    assert "the data cannot see gamma" in printed


def test_ci_runs_the_test_command_as_written():
    commands = re.findall(r"^python3 -m venv .*$", TEXT, re.M)
    assert len(commands) == 2 and commands[1].endswith("-m tests")
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"^command=\$\(grep -m1 -E '(.*)' README\.md\)$", script, re.M)
    assert pattern and re.findall(pattern[1], TEXT, re.M) == [commands[1]]
    assert script.rstrip().endswith('bash -euo pipefail -c "$command"')
    assert not (ROOT / "jaxtls" / "tests").exists()


def test_it_is_one_screen_that_links_to_what_is_there():
    assert len(TEXT.split()) <= 1800
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXT):
        assert "://" in target or (ROOT / target).exists(), target
    assert "](" not in front("[a](.github/CONTRIBUTING.md)")


def test_speed_rows_are_those_of_the_benchmarks():
    whole = (ROOT / "benchmarks" / "README.md").read_text()
    rows = [text.split(results.BEGIN)[1].split(results.END)[0].strip().splitlines() for text in (TEXT, whole)]
    assert len(rows[0]) == 2 + 5 and set(rows[0]) <= set(rows[1]) and len(rows[1]) > 30
    named = {row["case"] for path in results.FOLDER.glob("*.json") for row in json.loads(path.read_text())["rows"]}
    assert all(any(line.startswith(f"| {case}") for case in named) for line in rows[0][2:])
