"""Reads the text of a table as people write it: encodings, separators, decimal commas, comments and pretty headers."""

from __future__ import annotations

import csv
import re

from .faults import InputError

_UNIT = re.compile(r"\s*[\[(/]\s*([A-Za-z]+)\s*[\])]?\s*$")


def decoded(name: str, raw: bytes) -> str:
    """Decodes UTF-8, or UTF-16 where the file begins with its mark or is full of zero bytes.

    Example:
        >>> decoded("a.csv", "T_K".encode("utf-16"))
        'T_K'
    """
    utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
    silent = len(raw) > 3 and raw[:64].count(0) >= len(raw[:64]) // 3
    try:
        if utf16:
            return raw.decode("utf-16")
        return raw.decode("utf-16-le" if raw[1:2] == b"\0" else "utf-16-be") if silent else raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{name} is not UTF-8 or UTF-16 text, so it cannot be read: save it as UTF-8.") from None


def rows_of(name: str, text: str) -> tuple[list[tuple[int, list[str]]], str]:
    """Gives line numbers and cells of the lines that hold something and do not begin with #, and the separator.

    Example:
        >>> rows_of("a.csv", "# cold\\na;b\\n1,5;2\\n")
        ([(2, ['a', 'b']), (3, ['1,5', '2'])], ';')
    """
    lines: list[tuple[int, str]] = []
    remark = (0, "")
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            remark = remark if lines else (number, line.lstrip().lstrip("#").strip())
        elif line.strip():
            lines.append((number, line))
    if not lines:
        raise InputError(f"{name} holds no line but comments.")
    first = lines[0][1]
    separator = next((mark for mark in (";", "\t", ",") if mark in first), " " if " " in first.strip() else ",")
    found = _nonempty(name, lines, separator)
    if found and all(map(_is_number, found[0][1])):
        # numpy.savetxt and others write the header as the last comment
        found = [row for row in _nonempty(name, [remark], separator) if len(row[1]) == len(found[0][1])] + found
    if not found:
        raise InputError(f"{name} holds no cell with anything in it.")
    return found, separator


def _nonempty(name: str, lines: list[tuple[int, str]], separator: str) -> list[tuple[int, list[str]]]:
    found = []
    for number, line in lines:
        try:
            if separator == " ":
                cells = line.split()
            else:
                cells = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
        except csv.Error as error:
            raise InputError(f"{name}, line {number}: not valid CSV ({error}).") from None
        if any(cell.strip() for cell in cells):
            found.append((number, [cell.strip() for cell in cells]))
    return found


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip().replace(",", "."))
    except ValueError:
        return False
    return True


def plain_name(cell: str, known: list[str]) -> str:
    """Gives a header cell as one of the known names where it is a pretty form of it: "T [K]" is T_K.

    Example:
        >>> plain_name("Mean photon number", ["mean_photon_number"]), plain_name("T (mK)", ["T_mK"])
        ('mean_photon_number', 'T_mK')
    """
    cell = cell.strip().strip("'\"")
    if cell in known:
        return cell
    short = re.sub(r"\s+", "_", _UNIT.sub(r"_\1", cell))
    short = re.sub(r"^temperature_", "T_", short, flags=re.IGNORECASE)
    short = re.sub(r"^internal_quality_factor", "Q_internal", short, flags=re.IGNORECASE)
    return next((name for name in known if name.lower() == short.lower()), cell)


def number_text(cell: str, separator: str) -> str:
    """Gives the cell with a decimal point, where commas do not separate.

    Example:
        >>> number_text("0,05", ";"), number_text("1.5", ",")
        ('0.05', '1.5')
    """
    return cell.replace(",", ".") if separator != "," and "." not in cell and cell.count(",") == 1 else cell
