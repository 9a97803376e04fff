"""A number as it is reported."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..fitting.estimates import with_error


@dataclass(frozen=True)
class Quantity:
    """A number with its standard error, unit and meaning; the error is None where it is not known.

    Arguments:
        value: the number.
        stderr: its standard error; infinite where the data do not fix it.
        unit: empty for a pure number.
        meaning: words for a reader.
        interval: the ends of the central 68 % interval, where a profile likelihood was drawn; an end is None where the
            data do not give it.

    Example:
        >>> str(Quantity(1.5, 0.1, "K")), str(Quantity(0.27, float("inf"), "K"))
        ('1.50 ± 0.10 K', 'not determined by these data')
    """

    value: float
    stderr: float | None = None
    unit: str = ""
    meaning: str = ""
    interval: tuple[float | None, float | None] | None = None

    def __str__(self) -> str:
        if self.stderr is not None and not math.isfinite(self.stderr):
            return "not determined by these data"
        number = f"{self.value:.6g}" if self.stderr is None else with_error(self.value, self.stderr)
        return f"{number} {self.unit}".rstrip()

    def mathtext(self) -> str:
        """The same for a picture's title, with a proper power of ten."""
        return re.sub(r"\)e\+?(-?\d+)", r") $\\times 10^{\1}$", str(self))

    def range_text(self) -> str:
        """The 68 % interval in words, or nothing."""
        if self.interval is None:
            return ""
        low, high = ("open" if end is None else f"{end:.3g}" for end in self.interval)
        return f"68 %: {low} to {high}"
