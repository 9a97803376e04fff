"""Reads Touchstone files, versions 1 and 2 (full matrices): one scattering parameter against frequency."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

UNITS = {"HZ": 1.0, "KHZ": 1e3, "MHZ": 1e6, "GHZ": 1e9}


class Options(NamedTuple):
    """Holds what the line that starts with # says; the standard's defaults where it does not."""

    unit: str = "GHZ"
    kind: str = "S"
    style: str = "MA"


def read_touchstone(name: str, text: str, n_ports: int, parameter: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Reads frequencies [Hz], one complex scattering parameter, and the comments.

    Arguments:
        name: of the file, for messages.
        text: its content.
        n_ports: 1 for .s1p, 2 for .s2p, ...
        parameter: "S21" and the like; rows and columns count from 1.

    Returns:
        Frequencies (n,), the parameter (n,) complex, and the comments' texts.

    Raises:
        ValueError: naming file and line.

    Example:
        >>> text = "! a comment\\n# MHz S RI R 50\\n5000 0.1 0.2\\n5001 0.3 0.4"
        >>> read_touchstone("cavity.s1p", text, 1, "S11")
        (array([5.000e+09, 5.001e+09]), array([0.1+0.2j, 0.3+0.4j]), ['a comment'])

    Source: Touchstone File Format Specification, version 2.0, IBIS Open Forum (2009).
    """
    options, order, comments, rows = _lines(name, text, n_ports)
    count, width = 1 + 2 * n_ports**2, sum(len(row) for row in rows)
    if not rows or width % count:
        raise ValueError(
            f"{name}: {width} numbers are not whole points of {n_ports} ports, which have {count} each; the file is "
            "cut off, or its extension names another number of ports."
        )
    table = np.concatenate(rows).reshape(-1, count)
    to, start = (int(digit) for digit in parameter[1:])
    if max(to, start) > n_ports:
        raise ValueError(f"{name} has {n_ports} port{'s' * (n_ports > 1)}, so it does not hold {parameter}.")
    # Of two ports, and only of two, the columns come first: S11 S21 S12 S22.
    by_column = n_ports == 2 and order != "12_21"
    place = n_ports * (start - 1) + to - 1 if by_column else n_ports * (to - 1) + start - 1
    first, second = table[:, 1 + 2 * place], table[:, 2 + 2 * place]
    if options.style == "RI":
        return table[:, 0] * UNITS[options.unit], first + 1j * second, comments
    if options.style == "MA" and np.any(first < 0):
        raise ValueError(f"{name}: magnitudes below zero; the option line should say DB, not MA.")
    size = first if options.style == "MA" else 10 ** (first / 20)
    return table[:, 0] * UNITS[options.unit], size * np.exp(1j * np.deg2rad(second)), comments


def _lines(name: str, text: str, n_ports: int) -> tuple[Options, str, list[str], list[np.ndarray]]:
    """Read options, order of two-port data, comments, and the numbers line by line."""
    options: Options | None = None
    order, has_keywords = "21_12", False
    comments: list[str] = []
    rows: list[np.ndarray] = []
    for number, line in enumerate(text.splitlines(), 1):
        data, _, comment = line.partition("!")
        comments += [comment.strip()] if comment.strip() else []
        data = data.strip()
        if data.startswith("#"):
            options = options or _options(f"{name}, line {number}", data)
        elif data.startswith("["):
            key, _, value = data[1:].partition("]")
            key, value, has_keywords = key.strip().lower(), value.strip().upper(), True
            if key in ("noise data", "end"):
                break
            if key == "two-port data order":
                order = value
            if key == "matrix format" and value != "FULL":
                raise ValueError(f"{name}, line {number}: only full matrices are read, not {value.lower()} ones.")
        elif data:
            try:
                row = np.array([float(cell) for cell in data.split()])
            except ValueError:
                # Keywords of version 2 may run over several lines, before any data.
                if has_keywords and not rows:
                    continue
                raise ValueError(f"{name}, line {number}: {data[:40]!r} is not a row of numbers.") from None
            # Noise figures follow the two-port data, five numbers a line from a lower frequency on.
            if n_ports == 2 and len(row) == 5 and rows and len(rows[-1]) == 9 and row[0] <= rows[-1][0]:
                break
            rows.append(row)
    return options or Options(), order, comments, rows


def _options(where: str, line: str) -> Options:
    options, words = Options(), line[1:].upper().split()
    for word in words:
        if word in UNITS:
            options = options._replace(unit=word)
        elif word in ("S", "Y", "Z", "G", "H"):
            options = options._replace(kind=word)
        elif word in ("MA", "DB", "RI"):
            options = options._replace(style=word)
        elif word == "R":
            break
        else:
            raise ValueError(f"{where}: the option {word!r} is none of Touchstone's.")
    if options.kind != "S":
        raise ValueError(f"{where}: the file holds {options.kind} parameters; export S parameters.")
    return options
