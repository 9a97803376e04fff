"""Compute a figure and write its picture and its numbers."""

from __future__ import annotations

import inspect
import json
import os
import pathlib
import time
from importlib.metadata import version
from typing import Any

from .._checks import require
from .._progress import Progress
from ._files import to_dataset, write_csv


def run(
    name: str,
    out_dir: str | os.PathLike = "figures",
    quick: bool = True,
    progress: bool = True,
    store: str | os.PathLike | None = None,
    *,
    netcdf: bool = False,
) -> list[str]:
    """Compute one of `FIGURES`, write `name`.png, `name`.csv and `name`.json, say on stderr how far it is.

    The JSON says how the figure was made (size, versions, seconds); it is written last, so where it is the others are
    whole (`is_made`).

    Arguments:
        name: a key of `jaxtls.reproduce.FIGURES`.
        out_dir: folder for the files; made where it is missing.
        quick: fewer points and smaller bases, about a minute; False: the sizes of the paper.
        progress: False says nothing.
        store: folder for the realizations of figures that average over disorder, from which a run that was stopped goes
            on (needs `pip install 'jaxtls[store]'`); other figures keep nothing.
        netcdf: write `name`.nc as well: the same numbers with dimensions, units and names of the errors, in NetCDF 3
            (needs xarray).

    Returns:
        The paths written, the picture first.

    Raises:
        ValueError: for an unknown name, or where JAX counts in single precision.
        ImportError: with `netcdf`, where xarray is missing.

    Example:
        >>> run("wang-taylor-1", "figures")  # doctest: +SKIP
        ['figures/wang-taylor-1.png', 'figures/wang-taylor-1.csv', 'figures/wang-taylor-1.json']
    """
    from . import FIGURES

    require(name in FIGURES, "name", f"be one of {sorted(FIGURES)}", repr(name))
    module, size = FIGURES[name], "quick" if quick else "full"
    if netcdf:
        to_dataset({})  # fails before the hours of computing, not after
    say, began = Progress(quiet=not progress), time.monotonic()
    say.stage(f"{name}: compute, {size} size")
    kept = {"store": store} if store is not None and "store" in inspect.signature(module.data).parameters else {}
    data = module.data(quick, progress, **kept)
    say.stage(f"{name}: draw and write")
    folder = pathlib.Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    picture, table, record = _paths(name, folder)
    record.unlink(missing_ok=True)
    module.draw(data).savefig(picture)
    write_csv(table, data)
    paths = [picture, table]
    made = {"figure": name, "title": summary(name), "size": size, "jaxtls": version("jaxtls"), "jax": version("jax")}
    if netcdf:
        paths.append(folder / f"{name}.nc")
        to_dataset(data, getattr(module, "AXES", None), made).to_netcdf(paths[-1], engine="scipy")
    told: dict[str, Any] = {
        "findings": (module.__doc__ or "").strip(),
        "files": [path.name for path in paths],
        "seconds": round(time.monotonic() - began, 1),
    }
    record.write_text(json.dumps({**made, **told}, indent=2, ensure_ascii=False) + "\n", "utf-8")
    say.done()
    return [str(path) for path in (*paths, record)]


def is_made(name: str, out_dir: str | os.PathLike, quick: bool = True, *, netcdf: bool = False) -> bool:
    """Returns True where `run` with these arguments and this version of jaxtls has written all its files.

    Example:
        >>> is_made("wang-taylor-1", "a folder that is not there")
        False
    """
    folder = pathlib.Path(out_dir)
    try:
        made = json.loads(_paths(name, folder)[2].read_text("utf-8"))
        files, kind = list(made["files"]), (made["size"], made["jaxtls"])
    except (OSError, ValueError, LookupError, TypeError):
        return False
    wanted = ("quick" if quick else "full", version("jaxtls"))
    return kind == wanted and (not netcdf or f"{name}.nc" in files) and all((folder / file).is_file() for file in files)


def summary(name: str) -> str:
    """Gives the first line of the figure's docstring: paper, number, and what is shown."""
    from . import FIGURES

    return (FIGURES[name].__doc__ or "").strip().splitlines()[0]


def _paths(name: str, folder: pathlib.Path) -> tuple[pathlib.Path, ...]:
    return tuple(folder / f"{name}.{kind}" for kind in ("png", "csv", "json"))
