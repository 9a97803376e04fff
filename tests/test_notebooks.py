"""Every notebook's code runs from top to bottom, and its stored outputs are small."""

import ast
import functools
import inspect
import json
import pathlib

import pytest

import jaxtls as jt

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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_calls_what_exists(path: pathlib.Path):
    """Quick, in place of running it: every name of jaxtls in it is there, with the keywords that it is given."""
    tree = ast.parse(code(path))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _path(node)]
    assert names
    for node in names:
        assert _found(_path(node)) is not None, ast.unparse(node)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not _path(call.func):
            continue
        known = inspect.signature(_found(_path(call.func))).parameters
        open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
        assert open_ended or all(k.arg is None or k.arg in known for k in call.keywords), ast.unparse(call.func)


def _path(node):
    """("plot", "band") of `jt.plot.band`."""
    if isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and node.value.id == "jt":
            return (node.attr,)
        return (*_path(node.value), node.attr) if _path(node.value) else ()
    return ()


def _found(path: tuple[str, ...]):
    return functools.reduce(lambda found, name: getattr(found, name, None), path, jt)


# What the short mode changes: sizes that take long and say nothing about the code.
SHORTER = {
    "fitting": {"max_steps=40": "max_steps=6"},
    "glass": {
        "counts = {6: 600, 20: 320}": "counts = {6: 40, 20: 16}",
        "late), jax.random.key(0), 96": "late), jax.random.key(0), 16",
    },
    "spin_bath": {"np.geomspace(2e-4, 6e-2, 8)": "np.geomspace(2e-3, 6e-2, 2)"},
}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_in_short(path: pathlib.Path):
    source = code(path)
    for long, short in SHORTER.get(path.stem, {}).items():
        assert source.count(long) == 1, f"{path.stem} no longer says {long!r}"
        source = source.replace(long, short)
    _execute(source, path)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.stem in SHORTER], ids=lambda path: path.stem)
def test_notebook_runs(path: pathlib.Path):
    _execute(code(path), path)


def _execute(source: str, path: pathlib.Path):
    import matplotlib.pyplot as plt

    exec(compile(source, str(path), "exec"), {"__name__": path.stem})
    plt.close("all")
