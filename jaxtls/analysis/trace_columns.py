"""Reads traces in columns: text (CSV and its kin) with a header that says what and in which unit, and NumPy's .npy."""

from __future__ import annotations

import re

import numpy as np

UNITS = {"ghz": 1e9, "mhz": 1e6, "khz": 1e3, "hz": 1.0}
HEADER = "frequency_Hz, s21_real, s21_imag (or s21_dB, s21_deg; s21_abs, s21_rad)"


def read_columns(name: str, text: str, parameter: str | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Reads frequencies [Hz], the complex parameter, and the lines above the table.

    Separators are commas, semicolons, tabs or blanks; decimals may be written with commas beside the last three. The
    header is the last line before the numbers, and may be a comment.

    Arguments:
        name: of the file, for messages.
        text: its content.
        parameter: "S21" and the like, where columns of several are there; None: the only one, or S21.

    Returns:
        Frequencies (n,), the parameter (n,) complex, and the lines above.

    Raises:
        ValueError: naming file and line or column.

    Example:
        >>> read_columns("a.csv", "Freq (GHz); S21 (dB); S21 (deg)\\n5,0; -20,0; 90\\n5,1; 0; 0\\n", None)[:2]
        (array([5.0e+09, 5.1e+09]), array([6.123234e-18+0.1j, 1.000000e+00+0.j ]))
    """
    above, rows, separator = _split(name, text)
    header = next(
        (cells for line in reversed(above) if len(cells := _cells(line, separator)) == len(rows[0])), list[str]()
    )
    if not header or all(_number(cell, True) is not None for cell in header):
        raise ValueError(f"{name} has no header line with a name for each of its {len(rows[0])} columns: {HEADER}.")
    table = np.array(rows).T
    f, s = by_name(name, header, list(table), parameter)
    return f, s, above


def by_name(
    name: str, header: list[str], columns: list[np.ndarray], parameter: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns frequencies and complex parameter of named columns."""
    words = [_words(cell) for cell in header]
    places = [i for i, word in enumerate(words) if _is_frequency(word)]
    if len(places) != 1:
        found = ", ".join(header)[:200]
        raise ValueError(f"{name}: one column has to be the frequency; the header reads: {found}. Name them {HEADER}.")
    unit = next((UNITS[word] for word in words[places[0]] if word in UNITS), 1.0)
    parts: dict[str, np.ndarray] = {}
    for i in _chosen(name, words, parameter):
        part = _part(words[i])
        if part in parts:
            raise ValueError(f"{name}: two columns are the {part} part; the header reads: {', '.join(header)[:200]}.")
        if part and i != places[0]:
            parts[part] = columns[i]
    return columns[places[0]] * unit, _joined(name, header, parts)


def is_of_trace(header: list[str]) -> bool:
    """Says whether a header is that of a trace: a frequency, and a scattering parameter by its name or by two parts.

    Example:
        >>> is_of_trace(["freq", "re", "im"]), is_of_trace(["f_GHz", "S21 (dB)"]), is_of_trace(["T_K", "f_r_Hz"])
        (True, True, False)
    """
    words = [_words(cell) for cell in header]
    parts = {_part(cell) for cell in words if not _is_frequency(cell)}
    named = any(re.search(r"s[1-9][1-9]", word) for cell in words for word in cell)
    whole = {"real", "imag"} <= parts or (parts & {"dB", "abs"} and parts & {"deg", "rad", "phase"})
    return any(_is_frequency(cell) for cell in words) and bool(named or whole)


def from_array(name: str, array: np.ndarray, parameter: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Returns frequencies and complex parameter of an array: named fields, or rows (columns) f, S or f, Re S, Im S.

    Example:
        >>> from_array("a.npy", np.array([[5e9, 0.1, 0.2], [5.1e9, 0.3, 0.4]]), None)[1]
        array([0.1+0.2j, 0.3+0.4j])
    """
    if array.dtype.names:
        fields = list(array.dtype.names)
        complexes = [field for field in fields if array[field].dtype.kind == "c"]
        if len(complexes) == 1 and len(fields) == 2:
            other = fields[1 - fields.index(complexes[0])]
            return array[other].astype(float), array[complexes[0]]
        return by_name(name, fields, [array[field].astype(float) for field in fields], parameter)
    count = 2 if array.dtype.kind == "c" else 3
    if array.ndim != 2 or count not in array.shape or array.dtype.kind not in "fciu":
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; it has to be complex (n, 2), f and S, or real "
            "(n, 3), f, Re S and Im S."
        )
    rows = array if array.shape[0] == count else array.T
    if count == 3:
        return rows[0].astype(float), rows[1] + 1j * rows[2]
    if np.any(rows[0].imag != 0):
        raise ValueError(f"{name}: its first column has to be the frequency, but it is complex.")
    return rows[0].real, rows[1]


def _split(name: str, text: str) -> tuple[list[str], list[list[float]], str]:
    """Return lines above the numbers without their comment signs, the numbers, and the separator."""
    above: list[str] = []
    rows: list[list[float]] = []
    separator = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip().lstrip("#!%/").strip()
        if not bare or (rows and (bare != line.strip() or bare.upper().startswith("END"))):
            continue
        is_comment = bare != line.strip()
        found = None if is_comment else _numbers(bare, separator)
        if found is None and not rows:
            above.append(bare)
        elif found is None or (rows and len(found[0]) != len(rows[0])):
            raise ValueError(f"{name}, line {number}: {bare[:40]!r} is not a row of {len(rows[0])} numbers.")
        else:
            rows.append(found[0])
            separator = found[1]
    if not rows:
        raise ValueError(f"{name} holds no table of three or more columns of numbers: {HEADER}.")
    return above, rows, separator


def _numbers(line: str, separator: str) -> tuple[list[float], str] | None:
    """Read the numbers of a row, with the separator that gives three or more."""
    for mark in [separator] if separator else [";", "\t", ",", " "]:
        values = [_number(cell, mark != ",") for cell in _cells(line, mark)]
        known = [value for value in values if value is not None]
        if len(known) >= 3 and len(known) == len(values):
            return known, mark
    return None


def _cells(line: str, separator: str) -> list[str]:
    cells = line.split() if separator == " " else line.rstrip(separator + " ").split(separator)
    return [cell.strip().strip('"').strip() for cell in cells]


def _number(cell: str, decimal_comma: bool) -> float | None:
    try:
        return float(cell.replace(",", ".") if decimal_comma else cell)
    except ValueError:
        return None


def _words(cell: str) -> list[str]:
    return re.findall(r"[a-z0-9°]+", cell.lower())


def _is_frequency(words: list[str]) -> bool:
    return any(word.startswith("freq") or word in UNITS or word == "f" for word in words) and "offset" not in words


def _chosen(name: str, words: list[list[str]], parameter: str | None) -> list[int]:
    """Find places of the columns that belong to the parameter."""
    of = [next((m[0].upper() for word in cell if (m := re.search(r"s[1-9][1-9]", word))), "") for cell in words]
    known = sorted(set(of) - {""})
    if not known:
        return list(range(len(words)))
    wanted = parameter or (known[0] if len(known) == 1 else "S21")
    if wanted not in known:
        raise ValueError(f"{name} holds {', '.join(known)}, not {wanted}; choose one of them as `parameter`.")
    return [i for i, one in enumerate(of) if one == wanted]


def _part(words: list[str]) -> str:
    """Say what a column holds: "real", "imag", "dB", "abs", "deg", "rad", "phase" (of unknown unit), or ""."""
    stems = {re.sub(r"s[1-9][1-9]", "", word) for word in words}
    kinds = {
        "real": {"re", "real", "i"},
        "imag": {"im", "imag", "imaginary", "q"},
        "dB": {"db", "logmag"},
        "deg": {"deg", "degree", "degrees", "°"},
        "rad": {"rad", "radian", "radians"},
        "phase": {"phase", "ang", "angle", "arg", "phi"},
        "abs": {"abs", "mag", "magnitude", "amplitude", "amp", "lin", "linmag"},
    }
    return next((kind for kind, names in kinds.items() if stems & names), "")


def _joined(name: str, header: list[str], parts: dict[str, np.ndarray]) -> np.ndarray:
    if {"real", "imag"} <= set(parts):
        return parts["real"] + 1j * parts["imag"]
    if "phase" in parts:
        raise ValueError(f"{name}: is the phase in degrees or radians? Name its column so: s21_deg or s21_rad.")
    size = 10 ** (parts["dB"] / 20) if "dB" in parts else parts.get("abs")
    angle = np.deg2rad(parts["deg"]) if "deg" in parts else parts.get("rad")
    if size is None or angle is None:
        found = ", ".join(header)[:200]
        raise ValueError(f"{name} lacks two columns of the complex trace: {HEADER}; its header reads: {found}.")
    if np.any(size < 0):
        raise ValueError(f"{name}: magnitudes below zero; if they are in dB, name the column s21_dB.")
    return size * np.exp(1j * angle)
