"""Reads tables whose rows are the points of a map, in any order and with gaps; and tells what a misfit says."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..fitting import FitResult
from .tables import Table


@dataclass(frozen=True, eq=False)
class Scan:
    """Holds the different values of two columns, ascending, and where each row stands among them.

    Arguments:
        first, second: (A,) and (B,) values.
        rows: index of each row among `first` and among `second`.
    """

    first: np.ndarray
    second: np.ndarray
    rows: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, table: Table, first: str, second: str) -> Scan:
        """Makes the map that two columns of a table make."""
        one, i = np.unique(table[first], return_inverse=True)
        two, j = np.unique(table[second], return_inverse=True)
        return cls(one, two, (i, j))

    def filled(self, values: np.ndarray) -> np.ndarray:
        """Gives a value of each row as a map (A, B), NaN where nothing was measured.

        Example:
            >>> scan = Scan(np.array([1.0, 2.0]), np.array([0.0]), (np.array([1]), np.array([0])))
            >>> scan.filled(np.array([7.0])).tolist()
            [[nan], [7.0]]
        """
        found = np.full((len(self.first), len(self.second)), np.nan)
        found[self.rows] = values
        return found


def alone(scan: Scan, left: np.ndarray) -> np.ndarray:
    """Marks rows (R,) alone far from a fit: beyond eight standard deviations of the middle ones, no neighbour so.

    None where they are many: then it is the fit that is wrong.

    Arguments:
        scan: the map.
        left: (R,) what the fit leaves, in units of the errors.

    Returns:
        (R,) booleans.

    Example:
        >>> scan = Scan(np.arange(4.0), np.arange(5.0), tuple(np.indices((4, 5)).reshape(2, -1)))
        >>> left = np.tile([1.0, -1.0], 10)
        >>> left[7] = 40.0
        >>> np.flatnonzero(alone(scan, left)).tolist()
        [7]
    """
    far = np.abs(left) > 8 * 1.4826 * float(np.median(np.abs(left)))
    if not 0 < np.count_nonzero(far) <= max(3, 0.02 * len(left)):
        return np.zeros(len(left), bool)
    places = np.stack(scan.rows, axis=1)
    apart = np.max(np.abs(places[far][:, None] - places[far]), axis=-1)
    far[far] = np.sum(apart <= 1, axis=1) == 1
    return far


def left_out_notes(rows: list[str]) -> list[str]:
    """Says what there is to say of rows that were left out, which are given as words."""
    if not rows:
        return []
    first = "; ".join(rows[:3]) + ("; ..." if len(rows) > 3 else "")
    said = "1 reading stands" if len(rows) == 1 else f"{len(rows)} readings stand"
    return [f"{said} alone further than eight standard deviations from a fit of all ({first}): left out."]


def unit_notes(frequencies: np.ndarray, populations: np.ndarray | None = None) -> list[str]:
    """Says what looks like a slip of unit: qubits have 0.1 to 100 GHz, and no population is far above 1.

    Example:
        >>> unit_notes(np.array([5.1, 5.2])), unit_notes(np.array([5100.0]), np.array([0.2, 0.9]))
        (['The frequencies lie at 5.15 MHz: if they are in GHz, give them in MHz.'], [])
    """
    notes, middle = [], abs(float(np.median(frequencies)))
    unit = "GHz" if 0.1 < middle < 100 else "kHz" if 1e5 < middle < 1e8 else "Hz" if middle >= 1e8 else ""
    if unit:
        notes.append(f"The frequencies lie at {middle:.4g} MHz: if they are in {unit}, give them in MHz.")
    if populations is not None and float(np.median(populations)) > 1.5:
        notes.append(
            f"Half of the populations are above {np.median(populations):.3g}: if they are percent, divide by 100."
        )
    return notes


def swap_unit_notes(frequencies: np.ndarray, times: np.ndarray) -> list[str]:
    """Says what looks like a slip of unit between the axes of a swap map.

    A chevron has fringes 1/t wide in frequency: at the longest time they should be neither far below the spacing of
    the frequencies nor far above their range. Beside that no qubit swaps for more than its T1, of which 1 ms is much.

    Example:
        >>> f, t = np.linspace(5000.0, 5040.0, 41), np.linspace(0.0, 2.0, 21)
        >>> swap_unit_notes(f, t), swap_unit_notes(f, 1000 * t)
        ([], ['The longest swap time is 2000 us: if the times are in ns, give them in us.'])
    """
    places, longest = np.unique(frequencies), float(np.max(times))
    fringe = 1 / longest
    if longest > 1000 or fringe < float(np.median(np.diff(places))) / 50:
        return [f"The longest swap time is {longest:.4g} us: if the times are in ns, give them in us."]
    if fringe > 10 * float(np.ptp(places)):
        return [f"The longest swap time is {longest:.4g} us: if the times are in ms or s, give them in us."]
    return []


def t1_unit_notes(hours: np.ndarray, t1: np.ndarray) -> list[str]:
    """Says what looks like a slip of unit in scans of T1: of their times, and of T1 itself.

    A scan of a few dozen T1 takes minutes, and diffusion moves a TLS by MHz in an hour: nobody waits half a day between
    most scans, nor is a value of T1 had in a millisecond. T1 of a qubit is between 0.1 us and 5 ms.

    Example:
        >>> hours = np.repeat([0.0, 0.2, 0.4], 5)
        >>> t1_unit_notes(hours, np.full(15, 30.0)), t1_unit_notes(3600 * hours, np.full(15, 30.0))
        ([], ['The scans lie 720 h apart: if their times are in s or min, give them in h.'])
    """
    notes, (times, rows) = [], np.unique(hours, return_counts=True)
    apart, middle = float(np.median(np.diff(times))), float(np.median(t1))
    if apart > 12:
        notes.append(f"The scans lie {apart:.4g} h apart: if their times are in s or min, give them in h.")
    elif 3600 * apart < 1e-3 * float(np.median(rows)):
        notes.append(f"The scans lie {3600 * apart:.2g} s apart, too short for them: time_h is in hours.")
    unit = "ns" if middle > 5000 else "ms or s" if middle < 0.1 else ""
    if unit:
        notes.append(f"T1 is {middle:.3g} us at the median: if it is in {unit}, give it in us.")
    return notes


def misfit_notes(f: FitResult, has_errors: bool, without: str, misses: str, remedy: str) -> list[str]:
    """Says what the size of chi² tells of error bars; `without`, `misses` and `remedy` are the model's own words."""
    reduced = float(f.chi2) / max(int(f.dof), 1)
    if not has_errors:
        return [f"No error bars were given: {without}."]
    if reduced <= 2:
        return []
    return [f"chi²/dof = {reduced:.3g}: {misses}; the errors are too small by about {math.sqrt(reduced):.2g}{remedy}."]
