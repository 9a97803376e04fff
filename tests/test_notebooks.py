"""Every notebook's code runs from top to bottom, and its stored outputs are small."""

import json
import pathlib

import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def code(path: pathlib.Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_small_and_was_run(path: pathlib.Path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert path.stat().st_size < 400_000
    assert all(cell["execution_count"] for cell in cells)
    assert not any(output["output_type"] == "error" for cell in cells for output in cell["outputs"])


# What the short mode changes: sizes that take long and say nothing about the code.
SHORTER = {
    "fitting": {"max_steps=40": "max_steps=6"},
    "telegraph": {"jax.random.key(1), 12": "jax.random.key(1), 2"},
}
# What takes long in a short mode, too, and whose calls other tests and the README's blocks make as well.
LONG = {
    *("conventions", "damped_oscillator", "ensembles", "entropic_spring", "fitting", "glass", "own_model", "spin_bath"),
    "thermal_networks",
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.stem not in LONG], ids=lambda path: path.stem)
def test_notebook_runs_in_short(path: pathlib.Path):
    source = code(path)
    for long, short in SHORTER.get(path.stem, {}).items():
        assert source.count(long) == 1, f"{path.stem} no longer says {long!r}"
        source = source.replace(long, short)
    _execute(source, path)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "path", [path for path in NOTEBOOKS if path.stem in {*SHORTER, *LONG}], ids=lambda path: path.stem
)
def test_notebook_runs(path: pathlib.Path):
    _execute(code(path), path)


def _execute(source: str, path: pathlib.Path):
    import matplotlib.pyplot as plt

    exec(compile(source, str(path), "exec"), {"__name__": path.stem})
    plt.close("all")
