"""Noise of fluctuators: Allan deviation, spectrum, coherence, and a fitted record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, ArrayLike

from ._style import BLACK, BLUE, VERMILION, figure, new_axes, ramp, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PARTS = 12  # fluctuators drawn one by one


@runtime_checkable
class Noise(Protocol):
    """What `Fluctuators` offer to a picture."""

    variances: Array
    total_rates: Array

    def spectrum(self, omegas: ArrayLike) -> Array: ...
    def allan_variance(self, taus: ArrayLike) -> Array: ...
    def coherence(self, ts: ArrayLike, *, pulses: int = 0) -> Array: ...


# Gaps so much longer than the median are pauses of a record.
PAUSE = 20.0


def _single(f: Noise) -> list[tuple[float, float]]:
    """Variance and total rate of fluctuators, slow ones first; of many some, evenly spread over the order."""
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
    ax: Axes | None = None,
) -> Axes:
    r"""Allan deviation of fluctuators, with the hump of each one of them, and that of white read-out noise.

    Arguments:
        taus: (T,) averaging times, > 0.
        fluctuators: a `Fluctuators`.
        measured: averaging times and Allan deviations of a record.
        sigma: standard deviation of one reading; its Allan deviation is sigma sqrt(step/tau).
        step: time between readings.
        labels: of both axes, with units.
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
    ax = new_axes(ax, 6.0, 4.2)
    parts = _single(fluctuators)
    white = sigma**2 * step / tau
    for (variance, rate), colour in zip(parts, ramp(len(parts)), strict=True):
        x = rate * tau
        hump = variance * (2 - (3 - 4 * np.exp(-x) + np.exp(-2 * x)) / x) / x
        small = x < 1e-3
        hump = np.where(small, variance * (2 * x / 3 - x**2 / 2), hump)
        ax.loglog(tau, np.sqrt(hump), color=colour, lw=1.1, ls="--", label=rf"$\Gamma$ = {rate:.3g}")
    if sigma:
        ax.loglog(tau, np.sqrt(white), color="0.6", lw=1.1, ls=":", label="white noise")
    whole = np.sqrt(np.asarray(fluctuators.allan_variance(tau)) + white)
    ax.loglog(tau, whole, color=BLACK, lw=1.8, label="all")
    if measured is not None:
        ax.loglog(*(np.asarray(part) for part in measured), "o", ms=4, color=VERMILION, label="record")
    ax.set_ylim(whole.min() / 10, whole.max() * 2)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    if len(parts) <= 6:
        ax.legend(frameon=False, fontsize=8)
    return ax


def noise_spectrum(
    omegas: ArrayLike,
    fluctuators: Noise,
    *,
    labels: tuple[str, str] = (r"angular frequency $\omega$", r"$S(\omega)$"),
    ax: Axes | None = None,
) -> Axes:
    r"""S(omega) of fluctuators, the Lorentzians of some, and a guide that falls as 1/omega.

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
    """|D(t)| of a qubit under fluctuators for several numbers of pulses.

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
    ax.legend(fontsize=9, edgecolor="none", framealpha=0.85)
    return ax


def telegraph_fit(
    time: ArrayLike,
    signal: ArrayLike,
    expected: ArrayLike,
    fluctuators: Noise,
    sigma: float,
    *,
    title: str = "",
) -> Figure:
    """A record with the levels that its fit finds behind the noise, its readings' histogram, and its Allan deviation.

    Arguments:
        time: (T,).
        signal: (T,).
        expected: (T,) of the fit, without read-out noise (`TelegraphRecord.expected_signal`).
        fluctuators: the fitted `Fluctuators`.
        sigma: standard deviation of one reading.
        title: above the picture.

    Returns:
        A figure of three panels.

    Example:
        >>> f = jt.Fluctuators(np.ones(1), 0.1 * np.ones(1), 0.1 * np.ones(1))
        >>> ts = np.arange(100.0)
        >>> xi = np.asarray(f.sample(jax.random.key(0), ts))[:, 0]
        >>> len(telegraph_fit(ts, xi, xi, f, 0.1).axes)
        3
    """
    t, y, levels = np.asarray(time), np.asarray(signal), np.asarray(expected)
    gaps = np.diff(t)
    pauses = gaps > PAUSE * np.median(gaps)
    step = float(np.mean(gaps[~pauses]))
    fig = figure(10.0, 6.4)
    space = fig.add_gridspec(2, 2, width_ratios=[1.0, 1.0])
    ax, counts, allan = fig.add_subplot(space[0, :]), fig.add_subplot(space[1, 0]), fig.add_subplot(space[1, 1])
    ax.plot(t, y, ".", ms=3, color="0.6", label="record")
    ax.plot(t, np.where(np.r_[False, pauses], np.nan, levels), color=BLUE, lw=1.3, label="fit, without noise")
    ax.set_xlim(t[0], t[-1])
    ax.set_xlabel("time")
    ax.set_ylabel("signal")
    ax.legend(frameon=False, fontsize=8, loc="upper right", ncols=2, markerscale=3)
    counts.hist(y, bins=40, color="0.8", label="record")
    grid = np.linspace(y.min(), y.max(), 300)
    width = (y.max() - y.min()) / 40
    density = np.mean(np.exp(-0.5 * ((grid[:, None] - levels) / sigma) ** 2), axis=1) / (sigma * np.sqrt(2 * np.pi))
    counts.plot(grid, len(y) * width * density, color=BLUE, lw=1.6, label="fit")
    counts.set_xlabel("signal")
    counts.set_ylabel("readings")
    counts.legend(frameon=False, fontsize=8)
    windows = step * np.unique(np.geomspace(1, max(2, len(y) // 6), 16).astype(int))
    fine = np.geomspace(windows[0], windows[-1], 100)
    # Across pauses readings in a row are no window of one length.
    measured = None if pauses.any() else (windows, np.array([measured_allan(y, round(w / step)) for w in windows]))
    allan_deviation(fine, fluctuators, measured=measured, sigma=sigma, step=step, ax=allan)
    for axes in (ax, counts, allan):
        tidy(axes)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def measured_allan(signal: np.ndarray, readings: int) -> float:
    """Allan deviation of a record at windows of so many readings, from windows that overlap."""
    sums = np.concatenate([[0.0], np.cumsum(signal - np.mean(signal))])
    means = (sums[readings:] - sums[:-readings]) / readings
    return float(np.sqrt(0.5 * np.mean((means[readings:] - means[:-readings]) ** 2)))
