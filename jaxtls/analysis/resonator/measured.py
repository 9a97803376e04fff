"""What was measured, checked for slips of unit."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import ArrayLike

from ..._checks import require

LOWEST_FREQUENCY, HIGHEST_TEMPERATURE = 1e6, 50.0
LEAST_ERROR = 1e-5  # of Q: no resonator's internal quality factor is known better


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Loss rows and shift rows of one resonator; either may be empty.

    Arguments:
        frequency: of the resonance [Hz].
        temperature, photons, quality: (R,) each: T [K], n, Q_i.
        sigma: (R,) error of Q_i, or None.
        cold: (S,) temperatures of the shift [K].
        shift: (S,) fractional frequency shift, from any zero.
        shift_sigma: (S,) its errors, or None.
    """

    frequency: float
    temperature: np.ndarray
    photons: np.ndarray
    quality: np.ndarray
    sigma: np.ndarray | None
    cold: np.ndarray
    shift: np.ndarray
    shift_sigma: np.ndarray | None

    @property
    def data(self) -> np.ndarray:
        """ln Q, then the shift."""
        return np.concatenate([np.log(self.quality), self.shift])

    @property
    def known(self) -> bool:
        """Whether all rows came with error bars."""
        return (self.sigma is not None or not len(self.quality)) and (
            self.shift_sigma is not None or not len(self.shift)
        )

    @property
    def hottest(self) -> float:
        """The highest temperature of any row [K]."""
        return float(max(np.max(self.temperature, initial=0.0), np.max(self.cold, initial=0.0)))

    def errors(self, loss_scatter: float, shift_scatter: float) -> np.ndarray:
        """Error bars of `data`: those given, else the scatter."""
        loss = np.full(len(self.quality), loss_scatter) if self.sigma is None else self.sigma / self.quality
        shift = np.full(len(self.shift), shift_scatter) if self.shift_sigma is None else self.shift_sigma
        return np.concatenate([loss, shift])

    def only(self, *, loss: bool) -> Measured:
        """The loss rows alone, or the shift rows alone."""
        none = np.zeros(0)
        if loss:
            return dataclasses.replace(self, cold=none, shift=none, shift_sigma=None)
        return dataclasses.replace(self, temperature=none, photons=none, quality=none, sigma=None)


def collect(
    temperature: ArrayLike | None,
    photon_number: ArrayLike | None,
    quality_factor: ArrayLike | None,
    sigma: ArrayLike | None,
    frequency: float,
    shift: tuple[ArrayLike, ArrayLike, ArrayLike | None] | None,
) -> Measured:
    """The arguments of `analyse_resonator` as arrays, refused where they cannot be what they are called."""
    require(
        bool(np.isfinite(frequency) and frequency >= LOWEST_FREQUENCY),
        "frequency",
        "be in Hz, at least 1e6",
        frequency,
        "Was it meant in GHz? Multiply by 1e9.",
    )
    none = np.zeros(0)
    loss = [none, none, none] if quality_factor is None else [_column("quality_factor", quality_factor)]
    if quality_factor is not None:
        size = len(loss[0])
        loss = [_column("temperature", temperature, size), _column("photon_number", photon_number, size, True), *loss]
    bars = None if sigma is None else _column("sigma", sigma, len(loss[2]))
    moved, shift_bars = [none, none], None
    if shift is not None:
        moved = [_column("shift[0]", shift[0]), np.asarray(shift[1], float)]
        require(moved[1].shape == moved[0].shape, "shift[1]", "be as long as shift[0]", f"shape {moved[1].shape}")
        shift_bars = None if shift[2] is None else _column("shift[2]", shift[2], len(moved[0]))
    require(len(loss[2]) + len(moved[0]) > 0, "quality_factor", "hold data, or a shift be given", "neither")
    found = Measured(float(frequency), loss[0], loss[1], loss[2], bars, moved[0], moved[1], shift_bars)
    require(
        found.hottest <= HIGHEST_TEMPERATURE,
        "temperature",
        f"be in K, at most {HIGHEST_TEMPERATURE:g}",
        f"{found.hottest:g}",
        "Was it meant in mK? Divide by 1000 (--column T_mK=... on the command line).",
    )
    _check_sizes(found)
    return found


def _check_sizes(m: Measured) -> None:
    if m.sigma is not None:
        share = float(np.median(m.sigma / m.quality))
        remedy = "Are they relative errors? Multiply them by Q. Are they far too small? Leave the column out."
        require(
            share >= LEAST_ERROR, "sigma", f"be errors of Q, above {LEAST_ERROR:g} of it", f"{share:.2g} of Q", remedy
        )
    if len(m.shift):
        largest = float(np.ptp(m.shift))
        remedy = "Is it in Hz or in parts per million? Divide by the frequency, or by 1e6; f_r_Hz is taken as it is."
        require(largest < 0.1, "shift", "be a fraction of the frequency, below 0.1", f"{largest:.3g}", remedy)


def _column(name: str, values: ArrayLike | None, size: int | None = None, zero: bool = False) -> np.ndarray:
    require(values is not None, name, "be given", "None")
    column = np.asarray(values, float)
    if size is not None and column.ndim == 0:
        column = np.full(size, float(column))
    require(column.ndim == 1, name, "be one-dimensional", f"shape {column.shape}")
    require(size is None or len(column) == size, name, f"have {size} numbers, one a row", len(column))
    good = np.isfinite(column) & ((column >= 0) if zero else (column > 0))
    require(bool(np.all(good)), name, f"be finite and {'>= 0' if zero else '> 0'}", column[~good][:3])
    return column


def levels_of(values: np.ndarray, ratio: float = 1.05) -> np.ndarray:
    """Which level each value belongs to: a new one begins where sorted neighbours differ by more than the ratio.

    Example:
        >>> levels_of(np.array([0.1, 1.0, 0.101, 1.01])).tolist()
        [0, 1, 0, 1]
    """
    order = np.argsort(values, kind="stable")
    logs = np.log(np.maximum(values[order], 1e-30))
    level = np.concatenate([[0], np.cumsum(np.diff(logs) > np.log(ratio))]) if len(values) else np.zeros(0, int)
    found = np.empty(len(values), int)
    found[order] = level
    return found


def drives_of(photons: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """Which drive each row belongs to: at one drive the photon number follows Q, Q^2 or neither.

    Example:
        >>> q = np.array([1.0, 1.4, 1.0, 1.4])
        >>> drives_of(q**2 * np.array([1.0, 1.0, 100.0, 100.0]), q).tolist()
        [0, 0, 1, 1]
    """
    tries = [levels_of(photons / quality**power, 1.5) for power in (0.0, 1.0, 2.0)]
    return min(tries, key=lambda levels: levels.max(initial=0))
