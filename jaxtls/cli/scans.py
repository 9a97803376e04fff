"""Tables whose rows are the points of a map, in any order and with gaps; and what a misfit says."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..fitting import FitResult
from .tables import Table


@dataclass(frozen=True, eq=False)
class Scan:
    """The different values of two columns, ascending, and where each row stands among them.

    Arguments:
        first, second: (A,) and (B,) values.
        rows: index of each row among `first` and among `second`.
    """

    first: np.ndarray
    second: np.ndarray
    rows: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, table: Table, first: str, second: str) -> Scan:
        """The map that two columns of a table make."""
        one, i = np.unique(table[first], return_inverse=True)
        two, j = np.unique(table[second], return_inverse=True)
        return cls(one, two, (i, j))

    def filled(self, values: np.ndarray) -> np.ndarray:
        """A value of each row as a map (A, B), NaN where nothing was measured.

        Example:
            >>> scan = Scan(np.array([1.0, 2.0]), np.array([0.0]), (np.array([1]), np.array([0])))
            >>> scan.filled(np.array([7.0])).tolist()
            [[nan], [7.0]]
        """
        found = np.full((len(self.first), len(self.second)), np.nan)
        found[self.rows] = values
        return found


def unit_notes(frequencies: np.ndarray, populations: np.ndarray | None = None) -> list[str]:
    """What looks like a slip of unit: qubits have 0.1 to 100 GHz, and no population is far above 1.

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


def misfit_notes(f: FitResult, has_errors: bool, without: str, misses: str, remedy: str) -> list[str]:
    """What the size of chi² says of the error bars; `without`, `misses` and `remedy` are the model's own words."""
    reduced = float(f.chi2) / max(int(f.dof), 1)
    if not has_errors:
        return [f"No error bars were given: {without}."]
    if reduced <= 2:
        return []
    return [f"chi²/dof = {reduced:.3g}: {misses}; the errors are too small by about {math.sqrt(reduced):.2g}{remedy}."]
