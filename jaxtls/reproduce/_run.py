"""Compute a figure and write its picture and its numbers."""

from __future__ import annotations

import csv
import inspect
import os
import pathlib
from typing import Any

import numpy as np

from .._checks import require
from .._progress import Progress


def run(
    name: str,
    out_dir: str | os.PathLike = "figures",
    quick: bool = True,
    progress: bool = True,
    store: str | os.PathLike | None = None,
) -> list[str]:
    """Compute one of `FIGURES`, write `name`.png and `name`.csv, say on stderr how far it is.

    Arguments:
        name: a key of `jaxtls.reproduce.FIGURES`.
        out_dir: folder for the files; made where it is missing.
        quick: fewer points and smaller bases, about a minute; False: the sizes of the paper.
        progress: False says nothing.
        store: folder for the realizations of figures that average over disorder, from which a run that was stopped goes
            on (needs `pip install 'jaxtls[store]'`); other figures keep nothing.

    Returns:
        The paths written, the picture first.

    Raises:
        ValueError: for an unknown name, or where JAX counts in single precision.

    Example:
        >>> run("wang-taylor-1", "figures")  # doctest: +SKIP
        ['figures/wang-taylor-1.png', 'figures/wang-taylor-1.csv']
    """
    from . import FIGURES

    require(name in FIGURES, "name", f"be one of {sorted(FIGURES)}", repr(name))
    say = Progress(quiet=not progress)
    say.stage(f"{name}: compute, {'quick' if quick else 'full'} size")
    compute = FIGURES[name].data
    kept = {"store": store} if store is not None and "store" in inspect.signature(compute).parameters else {}
    data = compute(quick, progress, **kept)
    say.stage(f"{name}: draw and write")
    folder = pathlib.Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    picture, table = folder / f"{name}.png", folder / f"{name}.csv"
    FIGURES[name].draw(data).savefig(picture)
    write_csv(table, data)
    say.done()
    return [str(picture), str(table)]


def write_csv(path: str | os.PathLike, data: dict[str, Any]) -> None:
    """A column for each array, blank below its end; of a matrix a column for each row, named after its `n_spins`."""
    columns: dict[str, np.ndarray] = {}
    for name, values in data.items():
        values = np.asarray(values)
        if values.ndim == 2:
            columns |= {f"{name}_N{n:g}": row for n, row in zip(data["n_spins"], values, strict=True)}
        else:
            columns[name] = np.atleast_1d(values)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for i in range(max(len(column) for column in columns.values())):
            writer.writerow([f"{column[i]:.12g}" if i < len(column) else "" for column in columns.values()])
