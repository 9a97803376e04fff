"""Draws noise of fluctuators: Allan deviation, spectrum, coherence, and a fitted record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, ArrayLike

from ._style import BLACK, BLUE, VERMILION, few_decades, figure, key_above, new_axes, panels, ramp, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PARTS = 12  # fluctuators drawn one by one


@runtime_checkable
class Noise(Protocol):
    """Says what `Fluctuators` offer to a picture."""

    variances: Array
    total_rates: Array

    def spectrum(self, omegas: ArrayLike) -> Array: ...
    def allan_variance(self, taus: ArrayLike) -> Array: ...
    def coherence(self, ts: ArrayLike, *, pulses: int = 0) -> Array: ...


# Gaps so much longer than the median are pauses of a record.
PAUSE = 20.0


def _single(f: Noise) -> list[tuple[float, float]]:
    """Give variance and total rate of fluctuators, slow ones first; of many some, evenly spread over the order."""
    variances, rates = np.asarray(f.variances), np.asarray(f.total_rates)
    order = np.argsort(rates)
    if len(order) > _PARTS:
        order = order[np.linspace(0, len(order) - 1, _PARTS).astype(int)]
    return [(float(variances[k]), float(rates[k])) for k in order]


def allan_deviation(
    taus: ArrayLike,
    fluctuators: Noise,
    *,
    measured: tuple[ArrayLike, ArrayLike] | None = None,
    sigma: float = 0.0,
    step: float = 1.0,
    labels: tuple[str, str] = ("averaging time", "Allan deviation"),
    rate_unit: str = "",
    whole_label: str = "sum",
    ax: Axes | None = None,
) -> Axes:
    r"""Draws the Allan deviation of fluctuators, with the hump of each one of them, and that of white read-out noise.

    Arguments:
        taus: (T,) averaging times, > 0.
        fluctuators: a `Fluctuators`.
        measured: averaging times and Allan deviations of a record.
        sigma: standard deviation of one reading; its Allan deviation is sigma sqrt(step/tau).
        step: time between readings.
        labels: of both axes, with units.
        rate_unit: of Gamma in the legend.
        whole_label: what the legend calls all of it together.
        ax: axes to draw into; a new figure by default.

    Returns:
        The axes.

    Example:
        >>> f = jt.Fluctuators(np.array([1.0, 0.5]), np.array([0.1, 3.0]), np.array([0.1, 2.0]))
        >>> ax = allan_deviation(np.geomspace(0.01, 100.0, 50), f)
        >>> len(ax.lines)
        3
    """
    tau = np.asarray(taus)
    columns, ax = 4 if ax is None else 2, new_axes(ax, 6.0, 4.2)
    parts, peaks = _single(fluctuators), []
    white = sigma**2 * step / tau
    many = len(parts) > 6
    for k, ((variance, rate), colour) in enumerate(zip(parts, ramp(len(parts)), strict=True)):
        x = rate * tau
        hump = variance * (2 - (3 - 4 * np.exp(-x) + np.exp(-2 * x)) / x) / x
        small = x < 1e-3
        hump = np.where(small, variance * (2 * x / 3 - x**2 / 2), hump)
        peaks.append(float(np.sqrt(hump.max())))
        label = rf"$\Gamma$ = {rate:.3g} {rate_unit}".rstrip()
        if many:
            label = "single fluctuators" if k == 0 else ""
        ax.loglog(tau, np.sqrt(hump), color=colour, lw=1.1, ls="--", label=label)
    if sigma:
        ax.loglog(tau, np.sqrt(white), color="0.6", lw=1.1, ls=":", label="white noise")
    whole = np.sqrt(np.asarray(fluctuators.allan_variance(tau)) + white)
    ax.loglog(tau, whole, color=BLACK, lw=1.8, label=whole_label)
    low, high = whole.min(), whole.max()
    if measured is not None:
        windows, seen = (np.asarray(part) for part in measured)
        ax.loglog(windows, seen, "o", ms=4, color=VERMILION, label="record")
        low, high = min(low, seen[seen > 0].min(initial=low)), max(high, seen.max())
    # of many equal ones each is far below their sum
    ax.set_ylim(min(low / 6, 0.4 * float(np.median(peaks))), high * 1.6)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    key_above(ax, columns)
    return ax


def noise_spectrum(
    omegas: ArrayLike,
    fluctuators: Noise,
    *,
    labels: tuple[str, str] = (r"angular frequency $\omega$", r"$S(\omega)$"),
    ax: Axes | None = None,
) -> Axes:
    r"""Draws S(omega) of fluctuators, the Lorentzians of some, and a guide that falls as 1/omega.

    Arguments:
        omegas: (W,) angular frequencies, > 0.
        fluctuators: a `Fluctuators`.
        labels: of both axes, with units.
        ax: axes to draw into; a new figure by default.

    Returns:
        The axes; the last line is the guide, which meets S at the middle of the axis.

    Example:
        >>> f = jt.Fluctuators.sample_bath(jax.random.key(0), 500, slowest=1e-3, fastest=1e3, amplitude=0.1)
        >>> ax = noise_spectrum(np.geomspace(1e-2, 1e2, 50), f)
        >>> ax.get_yscale()
        'log'
    """
    w = np.asarray(omegas)
    ax = new_axes(ax, 6.0, 4.2)
    parts = _single(fluctuators)
    s = np.asarray(fluctuators.spectrum(w))
    for i, ((variance, rate), colour) in enumerate(zip(parts, ramp(len(parts)), strict=True)):
        label = "single fluctuators" if i == 0 else None
        ax.loglog(w, variance * 2 * rate / (rate**2 + w**2), color=colour, lw=0.9, ls="--", alpha=0.8, label=label)
    ax.loglog(w, s, color=BLACK, lw=1.8, label="all")
    middle = float(np.sqrt(w[0] * w[-1]))
    ax.loglog(w, np.interp(middle, w, s) * middle / w, color=VERMILION, lw=1.2, ls=":", label=r"$1/\omega$")
    ax.set_ylim(s.min() / 30, s.max() * 3)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.legend(frameon=False, fontsize=8)
    return ax


def coherence_decay(
    ts: ArrayLike,
    fluctuators: Noise,
    *,
    pulses: Sequence[int] = (0, 1, 2, 8),
    time_label: str = "time",
    ax: Axes | None = None,
) -> Axes:
    """Draws |D(t)| of a qubit under fluctuators for several numbers of pulses.

    Arguments:
        ts: (T,) times.
        fluctuators: a `Fluctuators`.
        pulses: one curve for each.
        time_label: the label of the time axis, with its unit.
        ax: axes to draw into; a new figure by default.

    Returns:
        The axes.

    Example:
        >>> f = jt.Fluctuators(np.array([1.0]), np.array([0.1]), np.array([0.1]))
        >>> len(coherence_decay(np.linspace(0.0, 5.0, 40), f).lines)
        4
    """
    t, ax = np.asarray(ts), new_axes(ax, 6.0, 4.2)
    names = {0: "Ramsey", 1: "Hahn echo"}
    for n, colour in zip(pulses, ramp(len(pulses)), strict=True):
        decay = np.abs(np.asarray(fluctuators.coherence(t, pulses=n)))
        ax.plot(t, decay, color=colour, lw=1.7, label=names.get(n, f"CPMG, {n} pulses"))
    ax.set_xlim(t[0], t[-1])
    ax.set_ylim(0, 1.02)
    ax.set_xlabel(time_label)
    ax.set_ylabel(r"coherence $|D(t)|$")
    key_above(ax, columns=min(len(pulses), 4))
    return ax


def telegraph_fit(
    time: ArrayLike,
    signal: ArrayLike,
    expected: ArrayLike,
    fluctuators: Noise,
    sigma: float,
    *,
    labels: tuple[str, str] = ("time", "signal"),
    rate_unit: str = "1/time",
    residuals: bool = False,
    title: str = "",
) -> Figure:
    """Draws a record with the levels its fit finds behind the noise, its readings' histogram, and its Allan deviation.

    Arguments:
        time: (T,).
        signal: (T,).
        expected: (T,) of the fit, without read-out noise (`TelegraphRecord.expected_signal`).
        fluctuators: the fitted `Fluctuators`.
        sigma: standard deviation of one reading.
        labels: of time and signal, with units in brackets.
        rate_unit: of the rates in the legend.
        residuals: adds what the fit leaves of the readings, in units of sigma, below the record.
        title: above the picture.

    Returns:
        A figure of three panels, (a), (b) and (c), or of four, 7 in wide.

    Example:
        >>> f = jt.Fluctuators(np.ones(1), 0.1 * np.ones(1), 0.1 * np.ones(1))
        >>> ts = np.arange(100.0)
        >>> xi = np.asarray(f.sample(jax.random.key(0), ts))[:, 0]
        >>> len(telegraph_fit(ts, xi, xi, f, 0.1, labels=("time  [s]", "T1  [us]"), rate_unit="1/s").axes)
        3
    """
    t, y, levels = np.asarray(time), np.asarray(signal), np.asarray(expected)
    _, after = _step(t)
    fig = figure(7.0, 6.2 if residuals else 5.0)
    space = fig.add_gridspec(2 + residuals, 2, height_ratios=[2, 1, 2] if residuals else [1, 1])
    ax, counts, allan = (fig.add_subplot(space[at]) for at in ((0, slice(None)), (-1, 0), (-1, 1)))
    axes = [ax, counts, allan]
    if residuals:
        below = fig.add_subplot(space[1, :], sharex=ax)
        below.plot(t, (y - levels) / sigma, ".", ms=2.5, color="0.5")
        below.axhline(0.0, color=BLUE, lw=1.0)
        below.set(xlabel=labels[0], ylabel="residual / sigma")
        axes.insert(1, below)
    _record(ax, t, y, labels if not residuals else ("", labels[1]))
    ax.tick_params(labelbottom=not residuals)
    ax.plot(t, np.where(after, np.nan, levels), color=BLUE, lw=1.3, label="fit, without noise")
    _histogram(counts, y, levels, sigma, labels[1])
    windows, measured = _allan_points(t, y)
    fine = np.geomspace(windows[0], windows[-1], 100)
    allan_deviation(
        fine,
        fluctuators,
        measured=(windows, measured),
        sigma=sigma,
        step=windows[0],
        labels=_allan_labels(labels),
        rate_unit=rate_unit,
        whole_label="fit",
        ax=allan,
    )
    _finish(fig, axes, title)
    return fig


def white_record(
    time: ArrayLike,
    signal: ArrayLike,
    mean: float,
    sigma: float,
    rates: ArrayLike,
    amplitudes: ArrayLike,
    *,
    labels: tuple[str, str] = ("time", "signal"),
    rate_unit: str = "1/time",
    title: str = "",
) -> Figure:
    """Draws a record in which no fluctuator is seen: readings, their Allan deviation, and what would have been seen.

    Arguments:
        time: (T,).
        signal: (T,).
        mean: of the readings.
        sigma: their standard deviation.
        rates: (R,) total rates.
        amplitudes: (R,) least amplitude that would have been seen at each; not finite where none would.
        labels: of time and signal, with units in brackets.
        rate_unit: of the rates.
        title: above the picture.

    Returns:
        A figure of four panels, 7 in wide.

    Example:
        >>> y = np.random.default_rng(0).normal(size=200)
        >>> fig = white_record(np.arange(200.0), y, 0.0, 1.0, np.array([0.05, 1.0]), np.array([0.7, 1.2]))
        >>> len(fig.axes)
        4
    """
    t, y = np.asarray(time), np.asarray(signal)
    fig = figure(7.0, 5.0)
    space = fig.add_gridspec(2, 3)
    ax, *below = fig.add_subplot(space[0, :]), *(fig.add_subplot(space[1, k]) for k in range(3))
    counts, allan, bound = below
    _record(ax, t, y, labels)
    ax.axhline(mean, color=BLUE, lw=1.3, label="mean")
    ax.axhspan(mean - sigma, mean + sigma, color=BLUE, alpha=0.12, lw=0, label="± one standard deviation")
    _histogram(counts, y, np.full(1, mean), sigma, labels[1])
    windows, measured = _allan_points(t, y)
    allan.loglog(windows, sigma * np.sqrt(windows[0] / windows), color=BLACK, lw=1.8, label="white noise")
    draws, sizes = np.random.default_rng(0), np.round(windows / windows[0]).astype(int).tolist()
    drawn = [[measured_allan([row], n) for n in sizes] for row in (draws.normal(size=len(y)) for _ in range(100))]
    low, high = sigma * np.quantile(drawn, [0.05, 0.95], axis=0)
    allan.fill_between(windows, low, high, color="0.85", lw=0, label="90 % of such records")
    allan.loglog(windows, measured, "o", ms=3.5, color=VERMILION, label="record")
    allan.set(xlabel=_allan_labels(labels)[0], ylabel=_allan_labels(labels)[1])
    allan.legend(frameon=False, fontsize=7, loc="lower left", handlelength=1.4, borderaxespad=0.2)
    seen = np.asarray(amplitudes, float)
    bound.loglog(np.asarray(rates), np.where(np.isfinite(seen), seen, np.nan), "o-", ms=3.5, color=VERMILION)
    bound.axhline(sigma, color="0.5", ls=":", lw=1.2, label="noise of a reading")
    bound.set(xlabel=f"total rate  [{rate_unit}]", ylabel="amplitude that would be seen")
    key_above(bound)
    _finish(fig, (ax, *below), title)
    return fig


def _step(t: np.ndarray) -> tuple[float, np.ndarray]:
    """Give the time between readings, and which readings (T,) come after a pause."""
    gaps = np.diff(t)
    pauses = gaps > PAUSE * np.median(gaps)
    return float(np.mean(gaps[~pauses])), np.r_[False, pauses]


def _record(ax: Axes, t: np.ndarray, y: np.ndarray, labels: tuple[str, str]) -> None:
    ax.plot(t, y, ".", ms=3, color="0.6", label="record")
    ax.set_xlim(t[0], t[-1])
    ax.set(xlabel=labels[0], ylabel=labels[1])


def _histogram(ax: Axes, y: np.ndarray, levels: np.ndarray, sigma: float, label: str) -> None:
    """Draw readings, and the density that a fit gives them: normal about its level at each time."""
    bins = int(np.clip(np.sqrt(len(y)), 10, 40))
    ax.hist(y, bins=bins, color="0.8", label="record")
    grid, width = np.linspace(y.min(), y.max(), 300), np.ptp(y) / bins
    # of long records some levels, evenly through their order
    some = levels if len(levels) <= 2000 else np.quantile(levels, (np.arange(2000) + 0.5) / 2000)
    near = np.mean(np.exp(-0.5 * ((grid[:, None] - some) / sigma) ** 2), axis=1)
    ax.plot(grid, len(y) * width * near / (sigma * np.sqrt(2 * np.pi)), color=BLUE, lw=1.6, label="fit")
    ax.set(xlabel=label, ylabel="readings")
    key_above(ax)


def _allan_points(t: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give averaging times, and the record's deviations at them; no window reaches across a pause."""
    step, after = _step(t)
    parts = np.split(y, np.flatnonzero(after))
    sizes = np.unique(np.geomspace(1, max(2, max(map(len, parts)) // 6), 16).astype(int))
    return step * sizes, np.array([measured_allan(parts, n) for n in sizes.tolist()])


def _allan_labels(labels: tuple[str, str]) -> tuple[str, str]:
    _, bracket, unit = labels[1].partition("[")
    return f"averaging {labels[0]}", f"Allan deviation  {bracket}{unit}".rstrip()


def _finish(fig: Figure, axes: Sequence[Axes], title: str) -> None:
    key_above(axes[0])
    for ax in axes:
        tidy(ax)
        if ax.get_yscale() == "log":
            few_decades(ax)
    panels(axes)
    if title:
        fig.suptitle(title, fontsize=9)


def measured_allan(parts: Sequence[np.ndarray], readings: int) -> float:
    """Gives the Allan deviation of an even record in parts, at windows of so many readings that overlap."""
    squares = []
    for part in parts:
        sums = np.concatenate([[0.0], np.cumsum(part - np.mean(part))])
        means = (sums[readings:] - sums[:-readings]) / readings
        squares.append((means[readings:] - means[:-readings]) ** 2)
    return float(np.sqrt(0.5 * np.mean(np.concatenate(squares))))
