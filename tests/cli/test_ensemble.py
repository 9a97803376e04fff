"""`jaxtls ensemble` and `jaxtls merge`, and the job array as the help shows it."""

import os
import stat
import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxtls as jt
from jaxtls.__main__ import main, parser
from jaxtls.cli.ensemble import SBATCH
from tests.ensemble.same import same

SCRIPT = """
import jax
assert __name__ != "__main__"
def one(key):
    return {"x": jax.random.uniform(key, (3,))}
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    (tmp_path / "glass.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return "glass.py:one"


def test_parts_and_merge(script, tmp_path, capsys):
    common = ["ensemble", script, "--n", "50", "--store", "s", "--seed", "3", "--batch-size", "8", "--part"]
    assert main([*common, "1/2"]) == 0
    assert "part         1 of 2" in capsys.readouterr().out
    assert main(["merge", "s"]) == 2
    assert "part 0 of 2 is missing" in capsys.readouterr().err
    assert main(["merge", "s", "--partial"]) == 0 and "25 of 50" in capsys.readouterr().out
    assert main([*common, "0/2"]) == 0 and main(["merge", "s", "--out", "mean.npz"]) == 0
    single = jt.ensemble(lambda key: {"x": jax.random.uniform(key, (3,))}, jax.random.key(3), 50, batch_size=8)
    same(jt.merge("s"), single)
    with np.load("mean.npz") as found:
        assert set(found) == {"x", "x_std", "x_sem", "count", "failed_indices"} and found["count"] == 50
        np.testing.assert_array_equal(found["x_sem"], single.sem["x"])
    assert main(["ensemble", script, "--n", "500", "--store", "t", "--target-error", "0.03"]) == 0
    assert "reached" in capsys.readouterr().out


def test_leaves_with_names_that_are_taken_are_written_beside(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    f = lambda key: {"count": 7.0, "file": 8.0, "x": jax.random.normal(key), "x_std": 500.0}
    whole = jt.ensemble(f, jax.random.key(0), 40, store="s", part=(0, 1))
    assert main(["merge", "s", "--out", "mean.npz"]) == 0
    said = capsys.readouterr().out
    with np.load("mean.npz") as found:
        numbers = {name: float(found[name]) for name in ("count", "count_", "file_", "x_", "x__std", "x_std")}
    assert numbers["count"] == 40 and numbers["count_"] == 7 and numbers["file_"] == 8 and numbers["x_std"] == 500
    assert numbers["x_"] == whole.mean["x"] and numbers["x__std"] == whole.std["x"]
    assert all(f"{name} is written as {name}_:" in said for name in ("count", "file", "x"))


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["ensemble", "glass.py:two", "--n", "9", "--store", "s"], "defines no two"),
        (["ensemble", "glass.py", "--n", "9", "--store", "s"], "SCRIPT.py:NAME"),
        (["ensemble", "none.py:one", "--n", "9", "--store", "s"], "is not a file"),
        (["ensemble", "nomodule:one", "--n", "9", "--store", "s"], "there is no module nomodule"),
        (["ensemble", "no.module:one", "--n", "9", "--store", "s"], "there is no module no."),
        (["ensemble", ".relative:one", "--n", "9", "--store", "s"], "PACKAGE.MODULE:NAME"),
        (["ensemble", "glass.py:jax", "--n", "9", "--store", "s"], "jax of glass.py is no function"),
        (["ensemble", "glass.py:one", "--n", "0", "--store", "s"], "`n`"),
        (["ensemble", "glass.py:one", "--n", "3", "--store", "s", "--part", "0/9"], "`part`"),
        (["merge", "nowhere"], "nowhere"),
    ],
)
def test_faults_are_one_sentence(script, capsys, arguments, why):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert why in said and said.count("\n") == 1


@pytest.mark.parametrize("error", ["ValueError('Argument `kappa` must be positive')", "OSError('no table')"])
def test_what_the_function_raises_keeps_its_traceback(script, tmp_path, error):
    (tmp_path / "bad.py").write_text(f"def one(key):\n    raise {error}\n")
    with pytest.raises((ValueError, OSError), match=r"kappa|table") as raised:
        main(["ensemble", "bad.py:one", "--n", "9", "--store", "s"])
    assert any(str(entry.path).endswith("bad.py") for entry in raised.traceback)


def test_what_a_module_fails_to_import_is_its_own_fault(script, tmp_path):
    (tmp_path / "lacking_a_module.py").write_text("import nomodule\n")
    with pytest.raises(ModuleNotFoundError, match="nomodule"):
        main(["ensemble", "lacking_a_module:one", "--n", "9", "--store", "s"])


@pytest.mark.parametrize("part", ["2/2", "x", "1", "-1/2", "1/2/3"])
def test_a_wrong_part_is_refused(part, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["ensemble", "glass.py:one", "--n", "9", "--store", "s", f"--part={part}"])
    assert "k/K" in capsys.readouterr().err


def test_the_job_array_of_the_help(script, tmp_path, capsys):
    """The shown file, smaller, in one of its tasks; the other is run here."""
    with pytest.raises(SystemExit):
        main(["ensemble", "--help"])
    assert SBATCH in capsys.readouterr().out
    (tmp_path / "parts.sbatch").write_text(SBATCH.replace("1000000", "30").replace("/64", "/2"))
    for name, line in (
        ("srun", 'test "$1" = --cpus-per-task=8 && shift && exec "$@"'),
        ("python", f'exec {sys.executable} "$@"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
    root = os.path.dirname(os.path.dirname(jt.__file__))
    paths = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": root}
    environment = {**os.environ, **paths, "SLURM_ARRAY_TASK_ID": "1", "SLURM_CPUS_PER_TASK": "8"}
    subprocess.run(["bash", "parts.sbatch"], env=environment, check=True, capture_output=True)
    assert main(["ensemble", script, "--n", "30", "--store", "glass", "--part", "0/2"]) == 0
    assert jt.merge("glass").count == 30
