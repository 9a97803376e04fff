r"""Keeps running mean and variance, folded in blocks of fixed length in the order of the realizations.

The blocks are those of the index, not of the computation, so that the sums are the same to the last bit for any batch
size, device count or interruption.

Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Am. Stat. 37, 242 (1983), Eq. 2.1; B. P. Welford, Technometrics 4,
419 (1962).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import DTypeLike

STEP = 32  # realizations in a block
LEAST = 64  # no early stop before: the standard error of a few realizations is itself too uncertain


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    r"""Holds count, means and sums of squared distances $M_2 = \sum_i |x_i - \bar x|^2$ of several arrays.

    Arguments:
        count: number of realizations in the sums.
        mean: one array for each leaf, in double precision: float64 or complex128.
        m2: as mean, float64.
    """

    count: int
    mean: tuple[np.ndarray, ...]
    m2: tuple[np.ndarray, ...]

    @classmethod
    def none(cls, shapes: Sequence[tuple[tuple[int, ...], Any]]) -> Moments:
        """Makes the moments of no realizations, for leaves of the given (shape, dtype)."""
        mean = tuple(np.zeros(shape, wide(dtype)) for shape, dtype in shapes)
        return cls(0, mean, tuple(np.zeros(shape) for shape, _ in shapes))

    @classmethod
    @np.errstate(over="ignore", invalid="ignore")  # squares of values near the largest number
    def of(cls, values: Sequence[np.ndarray]) -> Moments:
        """Makes the moments of arrays with a leading axis of realizations."""
        count = len(values[0])
        means, sums = [], []
        for value in values:
            value = value.astype(wide(value.dtype), copy=False)
            mean = value.sum(axis=0) / max(count, 1)
            distance = value - mean
            # The mean of values much larger than their spread is rounded: its error is taken out of the squares.
            slip = distance.sum(axis=0)
            m2 = (distance.real**2 + distance.imag**2).sum(axis=0) - np.abs(slip) ** 2 / max(count, 1)
            means.append(np.asarray(mean + slip / max(count, 1)))
            sums.append(np.asarray(np.maximum(m2, 0.0)))
        return cls(count, tuple(means), tuple(sums))

    @np.errstate(over="ignore", invalid="ignore")
    def merge(self, other: Moments) -> Moments:
        """Merges the moments of both sets of realizations."""
        count = self.count + other.count
        if not other.count or not self.count:
            return self if self.count else other
        share = other.count / count
        apart = [b - a for a, b in zip(self.mean, other.mean)]
        mean = tuple(np.asarray(a + share * d) for a, d in zip(self.mean, apart))
        cross = self.count * share
        m2 = tuple(np.asarray(a + b + cross * (d.real**2 + d.imag**2)) for a, b, d in zip(self.m2, other.m2, apart))
        return Moments(count, mean, m2)

    def std(self) -> tuple[np.ndarray, ...]:
        """Gives the standard deviation of one realization (divisor count - 1); nan for fewer than two."""
        if self.count < 2:
            return tuple(np.full(m2.shape, np.nan) for m2 in self.m2)
        return tuple(np.asarray(np.sqrt(m2 / (self.count - 1))) for m2 in self.m2)

    def sem(self) -> tuple[np.ndarray, ...]:
        """Gives the standard error of the mean, std / sqrt(count)."""
        return tuple(np.asarray(std / math.sqrt(max(self.count, 1))) for std in self.std())

    def largest_sem(self) -> float:
        """Gives the largest standard error of any element; nan for fewer than two realizations."""
        # np.max, unlike max, lets nan through.
        return float(np.max([np.max(sem, initial=0.0) for sem in self.sem()]))


class Stream:
    """Folds realizations in the order of their index, block by block, until the target is met.

    Arguments:
        shapes: (shape, dtype) of each leaf.
        target: stop at the end of the first block, of at least `LEAST` realizations in all, with no larger standard
            error; None: never.
    """

    def __init__(self, shapes: Sequence[tuple[tuple[int, ...], Any]], target: float | None = None):
        self.moments = Moments.none(shapes)  # of distances from the origin
        self.target = target
        self.tried = 0
        self.failed: list[int] = []
        self.reached = False
        self._block = [np.empty((STEP, *shape), wide(dtype)) for shape, dtype in shapes]
        self._good = np.zeros(STEP, bool)
        # The first finite realization: sums of distances from it keep the digits of a spread far below the mean.
        self._origin: list[np.ndarray] | None = None

    def add(self, values: Sequence[np.ndarray], good: np.ndarray) -> int:
        """Takes the next realizations, counting `good` ones; says how many were taken before the target was met."""
        taken = 0
        while taken < len(good) and not self.reached:
            fill = self.tried % STEP
            some = min(STEP - fill, len(good) - taken)
            for block, value in zip(self._block, values):
                block[fill : fill + some] = value[taken : taken + some]
            self._good[fill : fill + some] = good[taken : taken + some]
            self.failed += [self.tried + int(i) for i in np.flatnonzero(~good[taken : taken + some])]
            taken += some
            self.tried += some
            if self.tried % STEP == 0:
                self.moments = self._folded(STEP)
                self.reached = self._met()
        return taken

    def total(self) -> Moments:
        """Gives the moments of everything taken so far."""
        found = self._folded(self.tried % STEP) if self.tried % STEP else self.moments
        if self._origin is None:
            return found
        mean = tuple(np.asarray(origin + mean) for origin, mean in zip(self._origin, found.mean))
        return dataclasses.replace(found, mean=mean)

    @np.errstate(over="ignore", invalid="ignore")
    def _folded(self, rows: int) -> Moments:
        good = self._good[:rows]
        if not good.any():
            return self.moments
        blocks = [block[:rows][good] for block in self._block]
        if self._origin is None:
            self._origin = [block[0].copy() for block in blocks]
        return self.moments.merge(Moments.of([block - origin for block, origin in zip(blocks, self._origin)]))

    def _met(self) -> bool:
        if self.target is None or self.moments.count < LEAST:
            return False
        return self.moments.largest_sem() <= self.target


def finite(values: Sequence[np.ndarray]) -> np.ndarray:
    """Says which realizations, along the leading axis, are finite in every element."""
    count = len(values[0])
    good = np.ones(count, bool)
    for value in values:
        good &= np.isfinite(value.reshape(count, -1)).all(axis=1)
    return good


def wide(dtype: DTypeLike) -> Any:
    """Gives double precision of the same kind."""
    return np.complex128 if np.dtype(dtype).kind == "c" else np.float64
