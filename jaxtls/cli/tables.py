"""Measured data from CSV files. What is wrong with a file is said in one sentence naming line and column."""

from __future__ import annotations

import csv
import hashlib
import math
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


class InputError(Exception):
    """A fault in what the user gave: shown as one sentence, exit code 2."""


@dataclass(frozen=True)
class Table:
    """Columns of a CSV file by name, and where they came from."""

    name: str
    sha256: str
    columns: dict[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def where(self, keep: np.ndarray) -> Table:
        """The same table with the rows of a boolean mask."""
        return Table(self.name, self.sha256, {name: column[keep] for name, column in self.columns.items()})


def read_table(
    path: str | pathlib.Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    positive: Sequence[str] = (),
    not_negative: Sequence[str] = (),
    ascending: Sequence[str] = (),
    least_rows: int = 1,
) -> Table:
    """Read columns of finite numbers from a CSV file with a header line; columns not asked for are ignored.

    Arguments:
        path: a UTF-8 file, comma-separated, decimal points.
        required: names that must be there.
        optional: names that are read where they are there.
        positive: of these, columns that must be > 0 (error bars, quality factors, temperatures).
        not_negative: columns that must be >= 0.
        ascending: columns that must rise strictly from row to row (times).
        least_rows: the smallest useful number of rows.

    Returns:
        A Table.

    Raises:
        InputError: one sentence on the first fault found.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "q.csv")
        >>> _ = file.write_text("T_K,Q_internal\\n0.1,2e6\\n0.2,oops\\n")
        >>> read_table(file, ["T_K", "Q_internal"])
        Traceback (most recent call last):
        jaxtls.cli.tables.InputError: q.csv, line 3, column `Q_internal`: 'oops' is not a number.
    """
    path = pathlib.Path(path)
    text, digest = _load(path)
    (_, first), *rows = _rows(path.name, text)
    header = [cell.strip() for cell in first]
    _check_header(path.name, header, required, optional)
    names = [*required, *(name for name in optional if name in header)]
    places = {name: header.index(name) for name in names}

    columns: dict[str, list[float]] = {name: [] for name in names}
    for line, row in rows:
        where = f"{path.name}, line {line}"
        if len(row) != len(header):
            raise InputError(f"{where}: {len(row)} cells, but the header names {len(header)} columns.")
        for name in names:
            spot = f"{where}, column `{name}`"
            value = _number(spot, row[places[name]])
            if name in positive and not value > 0:
                raise InputError(f"{spot}: {row[places[name]].strip()} must be greater than zero.")
            if name in not_negative and not value >= 0:
                raise InputError(f"{spot}: {row[places[name]].strip()} must not be negative.")
            if name in ascending and columns[name] and value <= columns[name][-1]:
                raise InputError(
                    f"{spot}: {value:g} does not come after {columns[name][-1]:g} in the row before; sort the rows."
                )
            columns[name].append(value)

    if len(rows) < least_rows:
        count = f"{len(rows)} row" + ("" if len(rows) == 1 else "s")
        raise InputError(f"{path.name} has {count} of data, but this fit needs at least {least_rows}.")
    return Table(path.name, digest, {name: np.array(column) for name, column in columns.items()})


def header_of(path: str | pathlib.Path) -> list[str]:
    """The column names of a CSV file.

    Raises:
        InputError: if the file cannot be read.
    """
    path = pathlib.Path(path)
    text, _ = _load(path)
    return [cell.strip() for cell in _rows(path.name, text)[0][1]]


def _load(path: pathlib.Path) -> tuple[str, str]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"The file {path} does not exist.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not a CSV file.") from None
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror}.") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path.name} is not UTF-8 text, so it cannot be read as CSV.") from None
    if not text.strip():
        raise InputError(f"{path.name} is empty.")
    return text, hashlib.sha256(raw).hexdigest()


def _rows(file: str, text: str) -> list[tuple[int, list[str]]]:
    """Line numbers and cells of the lines that hold something."""
    reader = csv.reader(text.splitlines())
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}: not valid CSV ({error}).") from None


def _check_header(file: str, header: list[str], required: Sequence[str], optional: Sequence[str]) -> None:
    missing = [name for name in required if name not in header]
    if missing:
        found = ", ".join(header)
        hint = " (the separator must be a comma)" if len(header) == 1 and ";" in found else ""
        plural = "columns" if len(missing) > 1 else "column"
        raise InputError(f"{file} lacks the {plural} {', '.join(missing)}; its header reads: {found[:200]}{hint}.")
    repeated = sorted({name for name in (*required, *optional) if header.count(name) > 1})
    if repeated:
        raise InputError(f"{file} has more than one column named {', '.join(repeated)}.")


def _number(spot: str, cell: str) -> float:
    cell = cell.strip()
    if not cell:
        raise InputError(f"{spot}: the cell is empty.")
    try:
        value = float(cell)
    except ValueError:
        raise InputError(f"{spot}: {cell[:40]!r} is not a number.") from None
    if not math.isfinite(value):
        raise InputError(f"{spot}: {cell} is not a finite number; leave out the row or fill in the value.")
    return value
