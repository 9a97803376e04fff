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


def misfit_notes(f: FitResult, has_errors: bool, without: str, misses: str, remedy: str) -> list[str]:
    """What the size of chi² says of the error bars; `without`, `misses` and `remedy` are the model's own words."""
    reduced = float(f.chi2) / max(int(f.dof), 1)
    if not has_errors:
        return [f"No error bars were given: {without}."]
    if reduced <= 2:
        return []
    return [f"chi²/dof = {reduced:.3g}: {misses}; the errors are too small by about {math.sqrt(reduced):.2g}{remedy}."]
