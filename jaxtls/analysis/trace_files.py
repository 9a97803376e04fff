"""Reads files of network analysers: a complex trace, and the power and temperature that name or header tell."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import numpy as np

from .._checks import require
from .touchstone import read_touchstone
from .trace_columns import from_array, read_columns

NUMBER = r"(?:(?P<minus>m|minus|neg)_?)?(?P<value>[-+]?\d+(?:[.p]\d+)?(?:e[-+]?\d+)?)"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """Holds a trace as measured.

    Arguments:
        name: of the file.
        parameter: "S21", "S11", ...; "" where the file does not tell.
        frequencies: (n,) [Hz], as in the file.
        s21: (n,) complex.
        power_dBm: of the analyser, where name or header tell; else None.
        temperature: [K], likewise.

    Example:
        >>> Trace("r1.npy", "S21", np.array([5e9, 5.1e9]), np.array([1.0, 0.5j]), power_dBm=-40.0)
        Trace r1.npy: S21, 2 points, 5e+09 to 5.1e+09 Hz, -40 dBm
    """

    name: str
    parameter: str
    frequencies: np.ndarray
    s21: np.ndarray
    power_dBm: float | None = None
    temperature: float | None = None

    def __repr__(self) -> str:
        low, high = np.min(self.frequencies), np.max(self.frequencies)
        power = "" if self.power_dBm is None else f", {self.power_dBm:g} dBm"
        kelvin = "" if self.temperature is None else f", {self.temperature:g} K"
        return f"Trace {self.name}: {self.parameter}, {len(self.s21)} points, {low:.9g} to {high:.9g} Hz{power}{kelvin}"


def read_trace(path: str | pathlib.Path, *, parameter: str | None = None) -> Trace:
    """Read a trace from Touchstone (.s1p, .s2p, ...), text in columns (.csv, .txt, .dat, .tsv) or NumPy (.npy).

    Text needs a header that names the columns with their units: frequency_Hz, s21_real, s21_imag (or s21_dB, s21_deg;
    s21_abs, s21_rad), in any order, with Hz, kHz, MHz or GHz. An array is complex (n, 2) or real (n, 3). Power and
    temperature are taken from comments ("power = -40 dBm", "temperature: 20 mK"), the file's name or its folder's
    ("20mK/r3_-40dBm.s2p"; "m40dBm" is -40 dBm too, and so is "r3-40dBm").

    Arguments:
        path: the file.
        parameter: "S21" and the like; None: S21 of two ports, S11 of one, the only one of a table.

    Returns:
        A `Trace`.

    Raises:
        ValueError: one sentence that names file and line or column; also where name and header disagree on power or
            temperature.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp(), "r1_20mK_-40dBm.s1p")
        >>> _ = file.write_text("# GHz S DB R 50" + "".join(f"\\n5.{i:02d} -1 90" for i in range(9)))
        >>> jt.read_trace(file)
        Trace r1_20mK_-40dBm.s1p: S11, 9 points, 5e+09 to 5.08e+09 Hz, -40 dBm, 0.02 K

    Source: Touchstone File Format Specification, version 2.0, IBIS Open Forum (2009).
    """
    path = pathlib.Path(path)
    good = parameter is None or re.fullmatch(r"S[1-9][1-9]", parameter.upper()) is not None
    require(good, "parameter", 'be "S21", "S11" or the like', repr(parameter))
    parameter = parameter and parameter.upper()
    require(path.is_file(), "path", "be a file that is there", f"{path}")
    suffix, comments = path.suffix.lower(), list[str]()
    if ports := re.fullmatch(r"\.s(\d)p", suffix):
        n_ports = int(ports[1])
        parameter = parameter or ("S11" if n_ports == 1 else "S21")
        f, s, comments = read_touchstone(path.name, _text(path), n_ports, parameter)
    elif suffix == ".npy":
        try:
            array = np.load(path, allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{path.name} is not a NumPy array of numbers: {error}.") from None
        f, s = from_array(path.name, array, parameter)
    else:
        f, s, comments = read_columns(path.name, _text(path), parameter)
    if not (np.all(np.isfinite(f)) and np.all(np.isfinite(s))):
        raise ValueError(f"{path.name} holds numbers that are not finite.")
    if np.min(f) < 1e6:
        raise ValueError(f"{path.name}: a frequency of {np.min(f):g} Hz; name its unit in the header (frequency_GHz).")
    power, kelvin = _condition(path, comments, "dBm"), _condition(path, comments, "K")
    return Trace(path.name, parameter or "", f, s, power, kelvin)


def _text(path: pathlib.Path) -> str:
    raw = path.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _condition(path: pathlib.Path, comments: list[str], unit: str) -> float | None:
    """Find power in dBm or temperature in K in comments, name or folder; comments and name have to agree."""
    said = next((value for line in comments if (value := _in_comment(line, unit)) is not None), None)
    named = next((v for part in (path.stem, path.parent.name) if (v := in_name(part, unit)) is not None), None)
    if said is not None and named is not None and abs(said - named) > 0.02 * abs(named) + 1e-9:
        raise ValueError(f"{path.name}: its header says {said:g} {unit}, but its name {named:g} {unit}.")
    return named if said is None else said


def in_name(part: str, unit: str) -> float | None:
    """Finds the power [dBm] or temperature [K] in a name; the last one, where there are several.

    Example:
        >>> in_name("r3_T100mK_m45dBm", "K"), in_name("r3_T100mK_m45dBm", "dBm"), in_name("sweep-30dBm", "dBm")
        (0.1, -45.0, -30.0)
    """
    pieces = re.sub(r"-(?=[A-Za-z])", " ", re.sub(r"(?<=[\w.])-(?=\d)", " -", part.replace("_", " ")))
    units = r"\s*(?P<unit>dBm)(?![A-Za-z])" if unit == "dBm" else r"\s*(?P<unit>mK|K)(?![A-Za-z])"
    lead = r"(?:(?<=\s)|^)(?:T|P|temp|temperature|power|pow)?\s*=?\s*"
    found = list(re.finditer(lead + NUMBER + units, pieces))
    return _value(found[-1]) if found else None


def _in_comment(line: str, unit: str) -> float | None:
    """Read `key = number unit` or `key_unit: number`, where the key speaks of power or temperature."""
    key = r"(?i:power|pow|level)" if unit == "dBm" else r"(?i:temperature|temp\b|\bT\b|\bT(?=_))"
    units = r"(?P<unit>dBm)" if unit == "dBm" else r"(?P<unit>mK|K)"
    value = r"(?P<value>[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"
    before = re.search(rf"{key}[^\d\n]*?[\s_(\[]{units}[)\]]?\s*[:=,;]?\s*{value}", line)
    after = re.search(rf"{key}[^\d\n]*?[\s:=,;]{value}\s*{units}(?![A-Za-z])", line)
    found = before or after
    return _value(found) if found else None


def _value(found: re.Match[str]) -> float:
    groups = found.groupdict()
    value = float(groups["value"].replace("p", "."))
    if groups.get("minus"):
        value = -value
    return value * 1e-3 if groups["unit"] == "mK" else value
