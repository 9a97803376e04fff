"""Sifts a record before levels are fitted to it: single readings far off are left out, and memory is asked.

Neither takes the readings' noise for normal.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from .tables import Table
from .telegraph_rivals import outliers

ALIKE = 5.0  # standard errors of the rank correlation of neighbours


def outlying(table: Table) -> list[str]:
    """Tells of readings far from all others, where they are few."""
    where = outliers(table)
    if not 0 < len(where) <= max(3, 0.02 * len(table)):
        return []
    first = ", ".join(f"{table['signal'][i]:.4g} at time {table['time'][i]:.6g}" for i in where[:3])
    more = ", ..." if len(where) > 3 else ""
    said = "1 outlier is" if len(where) == 1 else f"{len(where)} outliers are"
    return [f"{said} seen ({first}{more}), further than eight standard deviations from the others."]


def sifted(table: Table) -> tuple[np.ndarray, list[str]]:
    """Gives readings (R,) that are no outliers that stand alone, and what is to be said of those.

    Two in a row may be a level that is seldom visited, and stay.
    """
    where, said, keep = outliers(table), outlying(table), np.ones(len(table), bool)
    if not said or np.any(np.diff(where) == 1):
        return keep, []
    keep[where] = False
    if float(np.std(table["signal"][keep])) == 0:
        return np.ones_like(keep), []
    are = "It stands alone and is" if len(where) == 1 else "Each stands alone, and they are"
    return keep, [f"{said[0]} {are} left out; a defect that switches for single readings would do this."]


def alike(table: Table) -> tuple[float, float]:
    """Gives rank correlation of neighbouring readings about a straight line, and how many standard errors it is from 0.

    Example:
        >>> from jaxtls.cli.tables import Table
        >>> t = np.arange(400.0)
        >>> slow = Table("slow", "", {"time": t, "signal": np.sign(np.sin(t / 20)) + 0.1 * np.sin(1e4 * t)})
        >>> alike(slow)[1] > ALIKE
        True
    """
    ts, y = table["time"], table["signal"]
    ranks = rankdata(y - np.polyval(np.polyfit(ts - ts.mean(), y, 1), ts - ts.mean()))
    x = ranks - ranks.mean()
    share = float(np.sum(x[1:] * x[:-1]) / np.sum(x**2))
    return share, share * float(np.sqrt(len(x)))
