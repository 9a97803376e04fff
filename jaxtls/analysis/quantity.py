"""Holds a number as it is reported."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..fitting.estimates import with_error


@dataclass(frozen=True)
class Quantity:
    """Holds a number with its standard error, unit and meaning; the error is None where it is not known.

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
        """Gives the same for a picture's title: a proper power of ten, the interval's two ends where they differ."""
        uneven = self._uneven()
        if uneven is not None:
            down, up = uneven
            exponent = math.floor(math.log10(abs(self.value)))
            exponent = 0 if -2 < exponent < 3 else exponent
            digits = max(0, exponent + 1 - math.floor(math.log10(min(down, up))))
            value, below, above = (f"{part / 10.0**exponent:.{digits}f}" for part in (self.value, down, up))
            power = "" if exponent == 0 else rf" \times 10^{{{exponent}}}"
            return rf"${value}^{{+{above}}}_{{-{below}}}{power}$ {self.unit}".rstrip()
        return re.sub(r"\)e\+?(-?\d+)", r") $\\times 10^{\1}$", str(self))

    def _uneven(self) -> tuple[float, float] | None:
        """Give the distances down and up to the interval's ends, where they are known and differ by a tenth or more."""
        if self.interval is None or None in self.interval or self.value == 0:
            return None
        low, high = (end for end in self.interval if end is not None)
        down, up = self.value - low, high - self.value
        return (down, up) if min(down, up) > 0 and max(down, up) > 1.1 * min(down, up) else None

    def range_text(self) -> str:
        """Gives the 68 % interval in words, or nothing."""
        if self.interval is None:
            return ""
        low, high = ("open" if end is None else f"{end:.3g}" for end in self.interval)
        uneven = self._uneven()
        sides = "" if uneven is None else f" (-{uneven[0]:.2g} +{uneven[1]:.2g})"
        return f"68 %: {low} to {high}{sides}"
