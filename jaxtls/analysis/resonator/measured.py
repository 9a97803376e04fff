"""Holds what was measured, checked for slips of unit."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import ArrayLike

from ..._checks import require

LOWEST_FREQUENCY, HIGHEST_FREQUENCY = 1e6, 1e12
LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 2e-4, 50.0
LEAST_ERROR = 1e-5  # of Q: no resonator's internal quality factor is known better


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Holds loss rows and shift rows of one resonator; either may be empty.

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
        """Gives ln Q, then the shift."""
        return np.concatenate([np.log(self.quality), self.shift])

    @property
    def known(self) -> bool:
        """Says whether all rows came with error bars."""
        return (self.sigma is not None or not len(self.quality)) and (
            self.shift_sigma is not None or not len(self.shift)
        )

    @property
    def coldest(self) -> float:
        """Gives the lowest temperature of any row [K]."""
        return float(min(np.min(self.temperature, initial=np.inf), np.min(self.cold, initial=np.inf)))

    @property
    def hottest(self) -> float:
        """Gives the highest temperature of any row [K]."""
        return float(max(np.max(self.temperature, initial=0.0), np.max(self.cold, initial=0.0)))

    def without_loss(self) -> Measured:
        """Returns the rows of the shift alone."""
        none = np.zeros(0)
        return dataclasses.replace(self, temperature=none, photons=none, quality=none, sigma=None)

    def drives(self) -> np.ndarray:
        """Says which drive each row of loss belongs to, (R,)."""
        return drives_of(self.photons, self.quality, self.temperature)

    def errors(self, loss_scatter: float, shift_scatter: float) -> np.ndarray:
        """Returns error bars of `data`: those given, else the scatter."""
        loss = np.full(len(self.quality), loss_scatter) if self.sigma is None else self.sigma / self.quality
        shift = np.full(len(self.shift), shift_scatter) if self.shift_sigma is None else self.shift_sigma
        return np.concatenate([loss, shift])


def collect(
    temperature: ArrayLike | None,
    photon_number: ArrayLike | None,
    quality_factor: ArrayLike | None,
    sigma: ArrayLike | None,
    frequency: float,
    shift: tuple[ArrayLike, ArrayLike, ArrayLike | None] | None,
) -> Measured:
    """Returns the arguments of `analyse_resonator` as arrays, refused where they cannot be what they are called."""
    _check_frequency(frequency)
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
    _check_sizes(found)
    return found


def _check_frequency(frequency: float) -> None:
    unit, factor = ("GHz", "1e9") if not frequency >= 1e3 else ("MHz", "1e6")
    require(
        bool(np.isfinite(frequency) and frequency >= LOWEST_FREQUENCY),
        "frequency",
        f"be in Hz, at least {LOWEST_FREQUENCY:g}",
        frequency,
        f"Was it meant in {unit}? Multiply by {factor}.",
    )
    remedy = "Is it in another unit than its column says?"
    require(frequency <= HIGHEST_FREQUENCY, "frequency", f"be at most {HIGHEST_FREQUENCY:g} Hz", frequency, remedy)


def _check_sizes(m: Measured) -> None:
    cold, hot = f"{m.coldest:g}", f"{m.hottest:g}"
    remedy = "Was it meant in mK? Divide by 1000 (--column T_mK=... on the command line)."
    require(m.hottest <= HIGHEST_TEMPERATURE, "temperature", f"be in K, at most {HIGHEST_TEMPERATURE:g}", hot, remedy)
    remedy = "Was a column T_mK in K (--column T_K=... on the command line)?"
    require(m.coldest >= LOWEST_TEMPERATURE, "temperature", f"be {LOWEST_TEMPERATURE:g} K or more", cold, remedy)
    if len(m.quality):
        middle = float(np.median(m.quality))
        remedy = "Are they losses 1/Q? Take the inverse (--column inverse_Q_internal=... on the command line)."
        require(middle > 1, "quality_factor", "be above 1", f"{middle:.3g}", remedy)
    if m.sigma is not None:
        share = float(np.median(m.sigma / m.quality))
        remedy = "Are they relative errors? Multiply them by Q. Are they far too small? Leave the column out."
        require(
            share >= LEAST_ERROR, "sigma", f"be errors of Q, above {LEAST_ERROR:g} of it", f"{share:.2g} of Q", remedy
        )
        remedy = "Are they errors of 1/Q, or per cent? Multiply them by Q^2, or by Q/100."
        require(share < 1, "sigma", "be errors of Q, below Q itself", f"{share:.2g} of Q", remedy)
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
    """Says which level each value belongs to: a new one begins where sorted neighbours differ by more than the ratio.

    No level is wider than the ratio squared, so that a fine sweep is not taken for one value.

    Example:
        >>> levels_of(np.array([0.1, 1.0, 0.101, 1.01])).tolist()
        [0, 1, 0, 1]
        >>> levels_of(1.02 ** np.arange(12.0)).tolist()
        [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2]
    """
    order = np.argsort(values, kind="stable")
    logs = np.log(np.maximum(values[order], 1e-30))
    level, begin = np.zeros(len(values), int), 0
    for i in range(1, len(values)):
        is_new = logs[i] - logs[i - 1] > np.log(ratio) or logs[i] - logs[begin] > 2 * np.log(ratio)
        begin = i if is_new else begin
        level[i] = level[i - 1] + is_new
    found = np.empty(len(values), int)
    found[order] = level
    return found


def drives_of(photons: np.ndarray, quality: np.ndarray, temperature: np.ndarray) -> np.ndarray:
    """Says which drive each row belongs to: at one drive the photon number follows Q, Q^2 or neither.

    Rows of one temperature whose photon numbers differ are of different drives, whatever Q did meanwhile: saturation
    alone makes Q^2 follow n. Steps of a fine sweep are told apart by a smaller ratio.

    Example:
        >>> q, t = np.array([1.0, 1.4, 1.0, 1.4]), np.array([0.1, 0.3, 0.1, 0.3])
        >>> drives_of(q**2 * np.array([1.0, 1.0, 100.0, 100.0]), q, t).tolist()
        [0, 0, 1, 1]
    """
    level = levels_of(temperature)
    for ratio in (1.5, 1.2, 1.1, 1.05, 1.02):
        tries = [_chained(photons / quality**power, ratio) for power in (0.0, 1.0, 2.0)]
        good = [drive for drive in tries if not _mixes(drive, level, photons)]
        if good:
            return min(good, key=lambda drive: drive.max(initial=0))
    return np.unique(photons, return_inverse=True)[1]


def _chained(values: np.ndarray, ratio: float) -> np.ndarray:
    """Find levels parted by gaps alone."""
    order = np.argsort(values, kind="stable")
    steps = np.diff(np.log(np.maximum(values[order], 1e-30))) > np.log(ratio)
    found = np.empty(len(values), int)
    found[order] = np.concatenate([[0], np.cumsum(steps)]) if len(values) else 0
    return found


def _mixes(drive: np.ndarray, level: np.ndarray, photons: np.ndarray) -> bool:
    """Say whether rows of one drive and one temperature differ in photon number by more than a bad reading does."""
    pairs = level * (drive.max(initial=0) + 1) + drive
    logs = np.log(np.maximum(photons, 1e-30))
    least, most = np.full(pairs.max(initial=-1) + 1, np.inf), np.full(pairs.max(initial=-1) + 1, -np.inf)
    np.minimum.at(least, pairs, logs)
    np.maximum.at(most, pairs, logs)
    return bool(np.any(most - least > np.log(2.25)))
