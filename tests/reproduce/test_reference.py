"""The quick size of every figure against numbers stored in `reference/NAME.json`.

They pin what the figures are today, so that a change of a solver, a default or a draw does not pass unseen; that they
are right is the matter of the other tests of this folder. Of each array its shape, its root mean square and nine
numbers evenly spaced along it are kept. After a wanted change write them anew, look at `git diff`, and say why:

    python -m tests.reproduce.test_reference [FIGURE ...]
"""

import json
import pathlib
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxtls.reproduce import FIGURES

FOLDER = pathlib.Path(__file__).parent / "reference"
CHEAP = ("schlosshauer-2", "blacker-tilbrook-2", "blacker-tilbrook-3")
# Averages over disorder are pinned as well: realization i is a function of the key. What may differ between machines is
# rounding, and what adaptive steps, fits and square roots of eigenvalues near zero make of it.
RTOL = 1e-6
# An error of rounding itself, as the misfit of artiaco-4b, has no digits.
ATOL = 1e-9


def digest(data):
    """Shape, root mean square, and numbers evenly spaced along the flattened array."""
    found = {}
    for name, values in data.items():
        flat = np.ravel(np.asarray(values, float))
        places = np.unique(np.linspace(0, flat.size - 1, min(9, flat.size)).round().astype(int))
        numbers = [float(f"{x:.10g}") for x in flat[places]]
        found[name] = {"shape": list(np.shape(values)), "rms": float(f"{_rms(flat):.10g}"), "values": numbers}
    return found


def _rms(flat):
    return np.sqrt(np.mean(flat**2))


@pytest.mark.parametrize("name", [n if n in CHEAP else pytest.param(n, marks=pytest.mark.slow) for n in FIGURES])
def test_numbers_are_those_stored(name):
    stored = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    found = digest(FIGURES[name].data(True, False))
    assert list(found) == list(stored)
    for column, expected in stored.items():
        here = found[column]
        assert here["shape"] == expected["shape"], column
        atol = RTOL * expected["rms"] + ATOL
        assert_allclose(here["values"], expected["values"], rtol=RTOL, atol=atol, err_msg=column)
        assert_allclose(here["rms"], expected["rms"], rtol=RTOL, atol=ATOL, err_msg=column)


def test_every_figure_has_stored_numbers_and_axes():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(FIGURES)
    for name, module in FIGURES.items():
        stored = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        assert set(module.AXES) <= set(stored), name
        assert all(len(stored[axis]["shape"]) == 1 for axis in module.AXES), name


def write(name, data):
    """One line for each array, for `git diff`."""
    lines = [f'  "{column}": {json.dumps(numbers)}' for column, numbers in digest(data).items()]
    (FOLDER / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(names):
    import jax

    jax.config.update("jax_enable_x64", True)
    for name in names or FIGURES:
        write(name, FIGURES[name].data(True, True))


if __name__ == "__main__":
    main(sys.argv[1:])
