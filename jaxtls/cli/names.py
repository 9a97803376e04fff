"""Judges what names of columns say: their unit, the kind of what they hold, and which may stand for which of ours."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

UNITS = {
    "frequency": ("Hz", "kHz", "MHz", "GHz"),
    "temperature": ("K", "mK", "uK", "µK"),
    "time": ("s", "ms", "us", "µs", "ns", "ps", "min", "h", "d"),
    "power": ("dBm", "W", "mW"),
    "signal": ("dB", "V", "mV", "uV", "µV", "rad", "deg"),
}
WORDS = {
    "frequency": r"f|freq\w*|detuning",
    "temperature": r"temp\w*",
    "loss": r"loss\w*|inverse",
    "quality": r"q|q[ic0l]\w*|quality",
    "photons": r"photons?|n|nbar|navg|nph\w*",
    "lifetime": r"t[12]\w*",  # a reading, not the time of one
    "time": r"times?|seconds|minutes|hours|dates?",
    "power": r"power\w*",
    "signal": r"s[1-9][1-9]|re|im|real|imag\w*|phase|angle|magnitude|mag|db",
}
ERROR = r"sigma|std\w*|errs?|errors?|unc\w*"
ANYTHING = ("signal", "x", "x2")  # columns of ours that hold whatever was measured
_KINDS = {unit: kind for kind, units in UNITS.items() for unit in units}
_ENDING = re.compile(rf"^(.*?)(?:[_ ]+|\s*[\[(/]\s*)({'|'.join(_KINDS)})\s*[\])]?$")


def split(name: str) -> tuple[str, str]:
    """Gives a name without its unit, and the unit; "" where it has none.

    Example:
        >>> split("time_h"), split("T1 [us]"), split("Q_internal")
        (('time', 'h'), ('T1', 'us'), ('Q_internal', ''))
    """
    found = _ENDING.match(name.strip())
    return (found[1].strip(), found[2]) if found else (name.strip(), "")


def label(name: str, unit: str = "") -> str:
    """Gives a column's name as the label of an axis, its own unit in brackets, or the one that it is known to have.

    Example:
        >>> label("time_h"), label("f01", "MHz"), label("parity")
        ('time  [h]', 'f01  [MHz]', 'parity')
    """
    bare, own = split(name)
    if unit and own != unit:
        bare = name.strip()
    bare = bare.replace("$", r"\$")  # a formula begins there, for matplotlib
    return f"{bare}  [{unit or own}]" if unit or own else bare


def may_be(theirs: str, ours: str) -> bool:
    """Says whether a column of a file may be what we call by another name: no unit and no word says otherwise.

    Example:
        >>> [may_be(name, "T_K") for name in ("temp", "temp_mK", "frequency_Hz", "Qi", "chip")]
        [True, False, False, False, True]
    """
    (kind, unit, error), (asked, needed, wanted) = _read(theirs), _read(ours)
    if error != wanted or _is_number(theirs):
        return False
    if ours.removesuffix("_error") in ANYTHING:
        return kind != "time"
    if needed and unit and unit != needed:
        return False
    return not kind or kind == asked


def likeliest(theirs: Iterable[str], ours: Iterable[str]) -> tuple[str, str] | None:
    """Gives the pair (ours, theirs) that looks most alike of those that may be the same, or None.

    Example:
        >>> likeliest(["chip", "temp_mK"], ["T_K", "T_mK"]), likeliest(["frequency_Hz", "s21_real"], ["Q_internal"])
        (('T_mK', 'temp_mK'), None)
    """

    def alike(pair: tuple[str, str]) -> float:
        kinds, units, _ = zip(_read(pair[0]), _read(pair[1]), strict=True)
        same = sum(bool(one) and one == other for one, other in (kinds, units))
        return same + difflib.SequenceMatcher(None, pair[0].lower(), pair[1].lower()).ratio()

    found, file = list(ours), list(theirs)
    return max(((one, other) for one in found for other in file if may_be(other, one)), key=alike, default=None)


def _read(name: str) -> tuple[str, str, bool]:
    """Give the kind of what a column holds, its unit, and whether it holds errors; "" for what is not said."""
    bare, unit = split(name)
    words = re.findall(r"[a-z0-9]+", bare.lower())
    kind = next((kind for kind, known in WORDS.items() if any(re.fullmatch(known, word) for word in words)), "")
    return kind or _KINDS.get(unit, ""), unit, any(re.fullmatch(ERROR, word) for word in words)


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
