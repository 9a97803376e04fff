"""Says whether scans of T1 hold a TLS at all, and which one would have been seen.

A TLS makes ln(1/T1) = b + ln(1 + r s/(1 + ((f - c)/w)²)) of a scan, s = 1; beside TLSs that are known already b is
their ln(1/T1), and s the share of the background in that rate. Its place c is averaged over, so that many free
places cannot make a TLS of noise: in each scan by itself, where it may be out of sight as well, or in all of them
together. Depth r and half width w are tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

GAIN = 10.0  # of 2 ln L, to believe in a TLS
DEPTHS = np.geomspace(0.02, 50.0, 16)
WIDTHS = 6
TABLES, HALVINGS = 40, 7  # drawn to find the depth that is seen


@dataclass(frozen=True, eq=False)
class Candidate:
    """Holds the TLS that explains most.

    Arguments:
        gain: 2 ln L with it, its place averaged over, less that without.
        depth: its rate at resonance over that of the background.
        width: half width [MHz].
        centres: (T,) its most likely place in each scan [MHz].
    """

    gain: float
    depth: float
    width: float
    centres: np.ndarray


@dataclass(frozen=True, eq=False)
class Scans:
    """Holds rows of T1 scans.

    Arguments:
        frequencies: (R,) [MHz].
        scan: (R,) number of the scan of each row.
        log_rates: (R,) ln of 1/T1.
        errors: (R,) of these.
        shares: (R,) of the background in the rate of what is known.
    """

    frequencies: np.ndarray
    scan: np.ndarray
    log_rates: np.ndarray
    errors: np.ndarray
    shares: np.ndarray

    @classmethod
    def of(
        cls,
        frequencies: np.ndarray,
        scan: np.ndarray,
        t1: np.ndarray,
        errors: np.ndarray | None,
        rates: np.ndarray | None = None,
        background: float = 1.0,
    ) -> Scans:
        """Takes columns; errors of T1 are raised to what neighbouring frequencies scatter by, and None is that.

        Beside TLSs that are known, `rates` (R,) are those with them, `background` is that without.
        """
        order = np.lexsort((frequencies, scan))
        known = np.full(len(t1), background) if rates is None else rates
        y = -np.log(t1 * known)[order]
        share = np.ones(len(order)) if errors is None else (errors / t1)[order]
        same = np.diff(scan[order]) == 0
        steps = (np.diff(y) / np.hypot(share[1:], share[:-1]))[same]
        scatter = 1.4826 * float(np.median(np.abs(steps)))
        factor = scatter if errors is None else max(scatter, 1.0)
        return cls(frequencies[order], scan[order], y, share * (factor or 1e-6), (background / known)[order])

    @property
    def span(self) -> float:
        return float(np.ptp(self.frequencies))

    @property
    def rows(self) -> int:
        """Counts the rows of a scan, by the median."""
        return int(np.median(np.unique(self.scan, return_counts=True)[1]))

    def widths(self) -> np.ndarray:
        """Gives half widths to try [MHz], from half the spacing of the frequencies to a quarter of their range."""
        return np.geomspace(self.span / self.rows / 2, self.span / 4, WIDTHS)

    def best(self) -> Candidate:
        """Finds the TLS whose depth and width give most."""
        tried = ((self._gain(self.log_rates, r, w), r, w) for w in self.widths() for r in DEPTHS)
        gain, depth, width = max(tried, key=lambda found: found[0])
        return Candidate(gain, float(depth), float(width), self._compared(self.log_rates, depth, width)[1])

    def depth_seen(self, width: float) -> float:
        """Gives the depth r from which nine of ten such tables show a TLS of this half width; inf where none does.

        Tables are drawn with these errors, the TLS anywhere in each scan.
        """
        draws, (low, high) = np.random.default_rng(0), (math.log(0.01), math.log(100.0))
        middles = draws.uniform(self.frequencies.min(), self.frequencies.max(), (TABLES, self.scan.max() + 1))
        dips = lorentzian(self.frequencies - middles[:, self.scan], width)
        noise = self.errors * draws.normal(size=dips.shape)

        def gain(y: np.ndarray, depth: float) -> float:
            like = Scans.of(self.frequencies, self.scan, np.exp(-y), self.errors * np.exp(-y))
            return like._gain(y, depth, width)

        def shown(depth: float) -> bool:
            return bool(np.quantile([gain(y, depth) for y in np.log1p(depth * dips) + noise], 0.1) > GAIN)

        if not shown(math.exp(high)):
            return math.inf
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if shown(math.exp(middle)) else (middle, high)
        return math.exp(high)

    def _gain(self, y: np.ndarray, depth: float, width: float) -> float:
        return self._compared(y, depth, width)[0]

    def _compared(self, y: np.ndarray, depth: float, width: float) -> tuple[float, np.ndarray]:
        """Give the gain of a TLS, moving or still, and its most likely place in each scan (T,)."""
        places, (square, linear, weight) = self._misfits(y, depth, width)
        share = 1 / self.errors**2
        mean = float(np.sum(share * y) / np.sum(share))
        none = -0.5 * float(np.sum(share * (y - mean) ** 2))
        even = np.full(len(places), 1 / len(places))
        still = tuple(part[:, 1:].sum(axis=0, keepdims=True) for part in (square, linear, weight))
        tried = [((square, linear, weight), np.r_[0.5, even / 2]), (still, even)]
        bases = mean, float(np.quantile(y, 0.1))  # a strong TLS raises the mean far above the base
        found = [(*_log_likelihood(chi2, prior, base), chi2) for chi2, prior in tried for base in bases]
        value, base, chi2 = max(found, key=lambda one: one[0])
        here = np.argmin((chi2[0] - 2 * base * chi2[1] + base**2 * chi2[2])[:, -len(places) :], axis=1)
        return 2 * (value - none), np.broadcast_to(places[here], len(square))

    def _misfits(self, y: np.ndarray, depth: float, width: float) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Give places (C,) and S, L, W of chi² = S - 2 b L + b² W of each scan: without the TLS, then at each place."""
        places = np.linspace(self.frequencies.min(), self.frequencies.max(), min(max(2 * self.rows, 40), 400))
        scans = np.unique(self.scan)
        square, linear, weight = (np.zeros((len(scans), 1 + len(places))) for _ in range(3))
        for k, scan in enumerate(scans):
            here = self.scan == scan
            share = 1 / self.errors[here, None] ** 2
            line = self.shares[here, None] * lorentzian(self.frequencies[here, None] - places, width)
            left = y[here, None] - np.concatenate([np.zeros((len(line), 1)), np.log1p(depth * line)], axis=1)
            square[k], linear[k], weight[k] = (np.sum(share * part, axis=0) for part in (left**2, left, left**0))
        return places, (square, linear, weight)


def lorentzian(detuning: np.ndarray, width: float) -> np.ndarray:
    """Gives a Lorentzian, 1 at its middle."""
    return 1 / (1 + (detuning / width) ** 2)


def _log_likelihood(chi2: tuple[np.ndarray, ...], prior: np.ndarray, base: float) -> tuple[float, float]:
    """Find ln L at the best base, by expectation and maximization, and that base.

    Arguments:
        chi2: S, L and W of S - 2 b L + b² W, (K, C) each.
        prior: (C,) of the places.
        base: b to start from.
    """
    square, linear, weight = chi2
    value = -math.inf
    for _ in range(30):
        exponent = -0.5 * (square - 2 * base * linear + base**2 * weight)
        top = exponent.max(axis=1, keepdims=True)
        share = prior * np.exp(exponent - top)
        total = share.sum(axis=1, keepdims=True)
        last, value = value, float(np.sum(top + np.log(total)))
        if value - last < 1e-3:
            break
        share = share / total
        base = float(np.sum(share * linear) / np.sum(share * weight))
    return value, base
