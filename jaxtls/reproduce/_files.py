"""Writes the numbers of a figure as CSV and NetCDF."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..interop.datasets import dataset, placed


def write_csv(path: str | os.PathLike, data: dict[str, Any]) -> None:
    """Writes a column per array, blank below its end; of a matrix a column for each row, named after its `n_spins`."""
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


def to_dataset(
    data: Mapping[str, Any], axes: Mapping[str, str] | None = None, about: Mapping[str, str] | None = None
) -> Any:
    """Makes an `xarray.Dataset` of a figure's numbers.

    Arguments:
        data: as a figure's `data` returns it.
        axes: coordinate to unit, "" where it has none. An array lies along the last axis before it that is as long as
            it, or, flattened, along two; one of a single number has no axis, and any other one of its own.
        about: attributes of the data set.

    Returns:
        Dataset; x names its standard error x_sem as an ancillary variable (CF conventions).

    Raises:
        ImportError: where xarray is missing.

    Example:
        >>> data = {"t": np.arange(3.0), "x": np.ones(3), "x_sem": np.zeros(3)}
        >>> to_dataset(data, {"t": "s"})["x"].attrs["ancillary_variables"]
        'x_sem'
    """
    variables: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    for name, values in data.items():
        array = np.asarray(values, float)
        if axes and name in axes:
            lengths[name] = len(array)
            variables[name] = (name,), array
        else:
            variables[name] = _placed(name, array, lengths)
    units = {name: unit for name, unit in (axes or {}).items() if unit}
    coordinates = {name: variables.pop(name)[1] for name in lengths}
    return dataset(variables, coordinates, units, about or {})


def _placed(name: str, array: np.ndarray, lengths: dict[str, int]) -> tuple[tuple[str, ...], np.ndarray]:
    """Give names of an array's axes, and the array in their shape."""
    if array.size == 1 and 1 not in lengths.values():
        return (), array.reshape(())
    for slow in lengths:
        for fast in list(lengths)[list(lengths).index(slow) + 1 :]:
            if array.shape == (lengths[slow] * lengths[fast],) and array.size not in lengths.values():
                return (slow, fast), array.reshape(lengths[slow], lengths[fast])
    return placed(name, array.shape, lengths), array
