"""The table of `tests/README.md`: each public function with each argument spoiled, and what comes of it.

`python -m tests.reliability.table` writes it anew; with `--check [NAME ...]` it says where it is no longer true.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np

from .calls import calls

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- reliability -->", "<!-- /reliability -->"
FAULTS = ("NaN", "inf", "negative", "wrong shape", "text", "complex", "fraction")


def faults(value: Any) -> dict[str, Any]:
    """What to put in the place of a good value."""
    if isinstance(value, int):
        return {"negative": -1, "text": "abc", "fraction": 1.5}
    if isinstance(value, float):
        return {"NaN": np.nan, "inf": np.inf, "negative": -value, "text": "abc", "complex": value + 1j}
    is_key = isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)
    if isinstance(value, np.ndarray | jax.Array | list | tuple) and not is_key:
        array = np.array(value)
        if array.dtype.kind in "iu":
            return {"negative": -array - 1, "text": "abc", "fraction": array + 0.5}
        nan, inf = array.copy(), array.copy()
        nan.reshape(-1)[-1], inf.reshape(-1)[-1] = np.nan, np.inf
        found = {"NaN": nan, "inf": inf, "wrong shape": np.ones((7,) * max(array.ndim, 1)), "text": "abc"}
        return found | ({"negative": -np.abs(array) - 1} if array.ndim == 1 else {})
    return {"text": "abc"}


def outcome(function: Any, arguments: dict[str, Any], spoiled: str) -> str:
    """`refused`: a ValueError that names the argument (or another one, then named); NaN; accepted; the exception."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = function(**arguments)
        except ValueError as error:
            names = [name for name in arguments if f"`{name}" in str(error)]
            if not names:
                return "ValueError"
            return "refused" if spoiled in names else f"refused as `{names[0]}`"
        except Exception as error:
            return type(error).__name__
    leaves = [leaf for leaf in jax.tree.leaves(result) if getattr(leaf, "dtype", None) is not None]
    numbers = [np.asarray(leaf) for leaf in leaves if np.issubdtype(leaf.dtype, np.inexact)]
    return "accepted" if all(np.all(np.isfinite(x)) for x in numbers) else "NaN out"


def row(name: str, argument: str) -> dict[str, str]:
    function, good = calls()[name]
    return {
        fault: outcome(function, {**good, argument: bad}, argument) for fault, bad in faults(good[argument]).items()
    }


def table(names: Any = None) -> str:
    """Markdown, a line for each argument."""
    found = [f"| function | argument | {' | '.join(FAULTS)} |", "|---" * (len(FAULTS) + 2) + "|"]
    for name, (_, good) in calls().items():
        if names is None or name in names:
            for argument in good:
                cells = row(name, argument)
                found.append(f"| `{name}` | `{argument}` | {' | '.join(cells.get(fault, '') for fault in FAULTS)} |")
    return "\n".join(found)


def lines(names: Any = None) -> list[str]:
    """Those of the page, without the head."""
    stored = README.read_text().split(BEGIN)[1].split(END)[0].strip().splitlines()[2:]
    return [line for line in stored if names is None or line.split("`")[1] in names]


def check(names: Any) -> int:
    """1 where a line of the page is not what happens now, or a good argument is refused."""
    wrong = [name for name, call in calls().items() if name in names and outcome(*call, "") != "accepted"]
    changed = set(table(names).splitlines()[2:]) ^ set(lines(names))
    print(*sorted(changed), *wrong, sep="\n")
    return 1 if changed or wrong else 0


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    if sys.argv[1:2] == ["--check"]:
        sys.exit(check(sys.argv[2:] or list(calls())))
    page = README.read_text()
    README.write_text(f"{page.split(BEGIN)[0]}{BEGIN}\n\n{table()}\n\n{END}{page.split(END)[1]}")
