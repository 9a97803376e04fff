"""Reads measured data from CSV files. What is wrong with a file is said in one sentence naming line and column."""

from __future__ import annotations

import hashlib
import math
import pathlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

import numpy as np

from .._nearest import did_you_mean
from .faults import InputError as InputError
from .layout import decoded, number_text, plain_name, rows_of
from .names import label, likeliest, split


@dataclass(frozen=True)
class Table:
    """Holds columns of a file by name, and where they came from.

    Arguments:
        name, sha256: of the file.
        columns: numbers.
        labels: columns of words.
        skipped: how many bad rows were left out.
        said: sentences on what was made of the file's columns.
        theirs: our name -> the file's, for columns that --column names.
    """

    name: str
    sha256: str
    columns: dict[str, np.ndarray]
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    skipped: int = 0
    said: tuple[str, ...] = ()
    theirs: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def remarks(self) -> list[str]:
        """Gives what a report has to say of how the table was read."""
        if not self.skipped:
            return [*self.said]
        return [*self.said, f"{self.skipped} bad row{'s' * (self.skipped > 1)} of {self.name} left out (--skip-bad)."]

    def axis(self, name: str, ours: str = "", unit: str = "") -> str:
        """Gives the label of a column's axis: by the file's name where that is mapped, else `ours` or the name itself.

        Arguments:
            name: of the column.
            ours: its label where the file has no other name.
            unit: that its numbers have, whatever the file calls them; "": the one that the file's name ends with.

        Returns:
            The label, with the unit in brackets.
        """
        return label(self.theirs[name], unit) if name in self.theirs else ours or name

    def unit(self, name: str) -> str:
        """Gives the unit that the file's name of a mapped column tells, or else that name; without one ours."""
        theirs = self.theirs.get(name, name)
        return split(theirs)[1] or theirs

    def where(self, keep: np.ndarray) -> Table:
        """Returns the same table with the rows of a boolean mask."""
        columns = {name: column[keep] for name, column in self.columns.items()}
        return replace(self, columns=columns, labels={name: column[keep] for name, column in self.labels.items()})


class Reading(TypedDict, total=False):
    """Holds what the command line says of how to read a table; see `read_table`."""

    mapping: Mapping[str, str]
    skip_bad: bool


def read_table(
    path: str | pathlib.Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    positive: Sequence[str] = (),
    not_negative: Sequence[str] = (),
    ascending: Sequence[str] = (),
    least_rows: int = 1,
    mapping: Mapping[str, str] | None = None,
    words: Sequence[str] = (),
    hints: Mapping[str, str] | None = None,
    instead: Mapping[str, str] | None = None,
    skip_bad: bool = False,
) -> Table:
    """Read columns of finite numbers from a text table with a header line; columns not asked for are ignored.

    Arguments:
        path: UTF-8 or UTF-16, separated by commas, semicolons (decimal commas allowed), tabs or spaces; lines that
            begin with # are left out.
        required: names that must be there.
        optional: names that are read where they are there.
        positive: of these, columns that must be > 0 (error bars, quality factors, temperatures).
        not_negative: columns that must be >= 0.
        ascending: columns that must rise strictly from row to row (times).
        least_rows: the smallest useful number of rows.
        mapping: our name -> the file's, where they differ.
        words: columns that hold labels, not numbers.
        hints: column -> what a negative number in it may mean.
        instead: column -> what would do in its place.
        skip_bad: leave out bad rows, and count them.

    Returns:
        A Table.

    Raises:
        InputError: one sentence on the first fault found, and the lines of the others.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "q.csv")
        >>> _ = file.write_text("T_K,Q_internal\\n0.1,2e6\\n0.2,oops\\n")
        >>> read_table(file, ["T_K", "Q_internal"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        jaxtls.cli.faults.InputError: q.csv, line 3, column `Q_internal`: 'oops' is not a number; --skip-bad ...
        >>> len(read_table(file, ["T_K", "Q_internal"], skip_bad=True))
        1
    """
    path = pathlib.Path(path)
    text, digest = _load(path)
    ((_, first), *rows), separator = rows_of(path.name, text)
    header = names_in(first, [*required, *optional], mapping, path.name)
    _check_header(path.name, header, [*required, *words], optional, instead or {})
    names = [*required, *(name for name in optional if name in header)]
    rules = {"positive": positive, "not_negative": not_negative, "ascending": ascending}

    columns: dict[str, list[float]] = {name: [] for name in names}
    labels: dict[str, list[str]] = {name: [] for name in words}
    faults: list[tuple[int, str]] = []
    for line, row in rows:
        last = {name: columns[name][-1] for name in ascending if columns.get(name)}
        try:
            if len(row) != len(header):
                raise InputError(f"{len(row)} cells, but the header names {len(header)} columns")
            cells = {name: number_text(row[header.index(name)], separator) for name in names}
            values = {name: _value(name, cell, rules, last) for name, cell in cells.items()}
        except InputError as fault:
            faults.append((line, str(fault)))
            continue
        for name, value in values.items():
            columns[name].append(value)
        for name in words:
            labels[name].append(row[header.index(name)])
    if faults and not skip_bad:
        raise InputError(_all_faults(path.name, faults, hints or {}))
    count = len(rows) - len(faults)
    if count < least_rows:
        raise InputError(
            f"{path.name} has {count} row{'s' * (count != 1)} of data, but this fit needs at least {least_rows}."
        )
    arrays = {name: np.array(column) for name, column in columns.items()}
    texts = {name: np.array(column) for name, column in labels.items()}
    theirs = {ours: name for ours, name in (mapping or {}).items() if ours in names}
    return Table(path.name, digest, arrays, texts, len(faults), theirs=theirs)


def header_of(
    path: str | pathlib.Path, known: Sequence[str] = (), mapping: Mapping[str, str] | None = None
) -> list[str]:
    """Gives the column names of a file, by our names where they are known or mapped.

    Raises:
        InputError: if the file cannot be read.
    """
    path = pathlib.Path(path)
    text, _ = _load(path)
    return names_in(rows_of(path.name, text)[0][0][1], known, mapping, path.name)


def names_in(header: Sequence[str], known: Sequence[str], mapping: Mapping[str, str] | None, file: str) -> list[str]:
    """Gives the header with mapped and pretty names replaced by ours."""
    cells = [cell.strip().strip("'\"") for cell in header]
    names = [plain_name(cell, list(known)) for cell in cells]
    for ours, theirs in (mapping or {}).items():
        if theirs not in cells:
            raise InputError(
                f"{file} has no column {theirs!r} for --column {ours}={theirs}; "
                f"its header reads: {', '.join(cells)[:200]}. {did_you_mean(theirs, cells)}".rstrip()
            )
        # a column of the file that bears our name by chance makes room
        names = [f"{name} (theirs)" if name == ours else name for name in names]
        names[cells.index(theirs)] = ours
    return names


def _load(path: pathlib.Path) -> tuple[str, str]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"The file {path} does not exist.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, not a CSV file.") from None
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror}.") from None
    text = decoded(path.name, raw)
    if not text.strip():
        raise InputError(f"{path.name} is empty.")
    return text, hashlib.sha256(raw).hexdigest()


def _all_faults(file: str, faults: list[tuple[int, str]], hints: Mapping[str, str]) -> str:
    (line, first), *rest = faults
    hint = next((hint for name, hint in hints.items() if f"`{name}`" in first and "negative" in first), "")
    first += f" ({hint})" if hint else ""
    joint = ", " if first.startswith("column") else ": "
    sentence = f"{file}, line {line}{joint}{first}"
    if not rest:
        return f"{sentence}; --skip-bad leaves it out."
    lines = ", ".join(str(number) for number, _ in rest[:12]) + (" ..." if len(rest) > 12 else "")
    plural = "lines are" if len(rest) > 1 else "line is"
    return f"{sentence}; {len(rest)} more {plural} bad ({lines}); --skip-bad leaves them out."


def _check_header(
    file: str, header: list[str], required: Sequence[str], optional: Sequence[str], instead: Mapping[str, str]
) -> None:
    missing = [name for name in required if name not in header]
    if missing:
        plural = "columns" if len(missing) > 1 else "column"
        words = [f"{name} (or {instead[name]})" if name in instead else name for name in missing]
        unknown = [name for name in header if name not in (*required, *optional)]
        # another of our names may be for the unit that the file has
        ours = [*missing, *(re.split(r"\W", instead[name])[0] for name in missing if name in instead)]
        pair = likeliest(unknown, ours)
        example = f", for example --column {pair[0]}={pair[1][:40]}" if pair else ""
        raise InputError(
            f"{file} lacks the {plural} {', '.join(words)}; its header reads: {', '.join(header)[:200]}. "
            f"Say which is which with --column OURS=THEIRS{example}."
        )
    repeated = sorted({name for name in (*required, *optional) if header.count(name) > 1})
    if repeated:
        raise InputError(f"{file} has more than one column named {', '.join(repeated)}.")


def _value(name: str, cell: str, rules: Mapping[str, Sequence[str]], last: Mapping[str, float]) -> float:
    """Give the number in a cell, by the rules of its column."""
    spot = f"column `{name}`"
    if not cell:
        raise InputError(f"{spot}: the cell is empty")
    try:
        value = float(cell)
    except ValueError:
        raise InputError(f"{spot}: {cell[:40]!r} is not a number") from None
    if not math.isfinite(value):
        raise InputError(f"{spot}: {cell} is not a finite number")
    if name in rules["positive"] and not value > 0:
        raise InputError(f"{spot}: {cell} must be greater than zero")
    if name in rules["not_negative"] and not value >= 0:
        raise InputError(f"{spot}: {cell} must not be negative")
    if name in rules["ascending"] and name in last and value <= last[name]:
        raise InputError(f"{spot}: {value:g} does not come after {last[name]:g} in the row before, so sort the rows")
    return value
