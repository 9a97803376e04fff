"""A qubit among its TLSs: relaxation rate over frequency and time, swap spectroscopy, and fits of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike

from .._checks import require
from ._style import BLUE, VERMILION, figure, new_axes, panels, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def rate_waterfall(
    frequencies: ArrayLike,
    ts: ArrayLike,
    rates: ArrayLike,
    *,
    labels: tuple[str, str] = ("qubit frequency", "time"),
    rate_label: str = r"relaxation rate $\Gamma_1$",
    log: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Gamma_1(f, t) as colours, time running down: TLSs are bright lines that jump and drift.

    Arguments:
        frequencies: (W,) ascending.
        ts: (T,) ascending.
        rates: (T, W), as `TLSBath.rate_trace` gives it; what is not finite is left white.
        labels: of both axes, with units.
        rate_label: of the colours, with its unit.
        log: colours by the logarithm.
        ax: axes to draw into; a new figure by default.

    Returns:
        The axes; `ax.collections[0]` are the colours.

    Raises:
        ValueError: for axes that do not ascend, rates of another shape, or none above 0 where `log`.

    Example:
        >>> f, t = np.linspace(4.9, 5.1, 4), np.arange(3.0)
        >>> ax = rate_waterfall(f, t, np.ones((3, 4)), labels=("frequency  [GHz]", "time  [h]"))
        >>> ax.get_ylabel(), bool(ax.yaxis_inverted())
        ('time  [h]', True)
    """
    from matplotlib.colors import LogNorm

    f, t, z = _grid(frequencies, ts, rates, "rates")
    good = z[np.isfinite(z) & (z > 0)]
    require(not log or good.size > 0, "rates", "hold a number > 0 for logarithmic colours", rates)
    ax = new_axes(ax, 6.4, 4.6)
    ax.grid(False)
    norm = LogNorm(good.min(), good.max() if good.max() > good.min() else 2 * good.max()) if log else None
    shown = np.ma.masked_invalid(np.where(z > 0, z, np.nan) if log else z)
    _colours(ax, f, t, shown, labels, rate_label, cmap="magma", norm=norm)
    ax.invert_yaxis()
    return ax


def swap_map(
    frequencies: ArrayLike,
    ts: ArrayLike,
    populations: ArrayLike,
    *,
    fitted: ArrayLike | None = None,
    tls: ArrayLike | Sequence[float] = (),
    labels: tuple[str, str] = ("qubit frequency", "swap time"),
    value_label: str = "excited population",
    ax: Axes | None = None,
) -> Axes:
    """Swap spectroscopy: population over frequency and time, with a fit's contours and TLSs on top.

    Arguments:
        frequencies: (W,) ascending.
        ts: (T,) ascending.
        populations: (W, T), as `TLSBath.swap_map` gives it; what is not finite is left white.
        fitted: (W, T) of a fit, or at more points, evenly spread over the same ranges; drawn as lines at a quarter,
            half and three quarters of its range.
        tls: frequencies of TLSs, marked above.
        labels: of both axes, with units.
        value_label: of the colours.
        ax: axes to draw into; a new figure by default.

    Returns:
        The axes; `ax.collections[0]` are the colours.

    Raises:
        ValueError: for axes that do not ascend, or values of another shape.

    Example:
        >>> w, ts = np.linspace(4.0, 6.0, 5), np.linspace(0.0, 9.0, 4)
        >>> p = jt.TLSBath([5.0], [0.3], 0.1).swap_map(w, ts)
        >>> ax = swap_map(w, ts, p, fitted=p, tls=[5.0])
        >>> len(ax.collections)
        2
    """
    f, t, z = _grid(frequencies, ts, np.asarray(populations).T, "populations")
    ax = new_axes(ax, 6.4, 4.6)
    ax.grid(False)
    _colours(ax, f, t, np.ma.masked_invalid(z), labels, value_label, cmap="viridis")
    if fitted is not None:
        curve = np.asarray(fitted, float).T
        finer = curve.ndim == 2 and curve.shape[0] >= t.size and curve.shape[1] >= f.size
        require(finer, "fitted", f"be at {f.size} frequencies and {t.size} times, or at more", f"shape {curve.T.shape}")
        places = [x if n == x.size else np.linspace(x[0], x[-1], n) for x, n in zip((f, t), curve.shape[::-1])]
        levels = curve.min() + np.array([0.25, 0.5, 0.75]) * np.ptp(curve)
        if np.ptp(curve) > 0:
            ax.contour(*places, curve, levels=levels, colors="white", linewidths=0.8)
    for place in np.ravel(np.asarray(tls)):
        ax.plot(place, 1.02, "v", color=VERMILION, ms=7, transform=ax.get_xaxis_transform(), clip_on=False)
    ax.set_xlim(f[0], f[-1])
    ax.set_ylim(t[0], t[-1])
    return ax


def swap_fit(
    frequencies: ArrayLike,
    ts: ArrayLike,
    populations: ArrayLike,
    fitted: ArrayLike | None,
    residuals: ArrayLike,
    *,
    tls: ArrayLike | Sequence[float] = (),
    labels: tuple[str, str] = ("qubit frequency  [MHz]", "swap time  [us]"),
    title: str = "",
) -> Figure:
    """A fitted swap map: data with the fit's contours, and the residuals in units of their errors.

    Arguments:
        frequencies, ts: (W,) and (T,) ascending.
        populations, residuals: (W, T); NaN where nothing was measured.
        fitted: as of `swap_map`.
        tls: fitted TLS frequencies.
        labels: of both axes.
        title: above the picture.

    Returns:
        A figure of two panels (and their colour bars).

    Example:
        >>> w, ts = np.linspace(4.0, 6.0, 5), np.linspace(0.0, 9.0, 4)
        >>> p = np.asarray(jt.TLSBath([5.0], [0.3], 0.1).swap_map(w, ts))
        >>> len(swap_fit(w, ts, p, p, 0 * p, tls=[5.0]).axes)
        4
    """
    fig = figure(7.0, 3.3)
    left, right = fig.subplots(1, 2, sharey=True)
    swap_map(frequencies, ts, populations, fitted=fitted, tls=tls, labels=labels, ax=left)
    f, t, z = _grid(frequencies, ts, np.asarray(residuals).T, "residuals")
    _residuals(right, f, t, z, labels[0])
    right.set_xlim(left.get_xlim())
    panels((left, right))
    if title:
        fig.suptitle(title, fontsize=9)
    return fig


def rate_fit(
    frequencies: ArrayLike,
    ts: ArrayLike,
    rates: ArrayLike,
    centres: ArrayLike,
    centre_errors: ArrayLike,
    *,
    diffusion: float,
    labels: tuple[str, str] = ("qubit frequency  [MHz]", "time  [h]"),
    title: str = "",
) -> Figure:
    """A TLS that wanders: Gamma_1(f, t) with its fitted frequency on top, and how far it moves in how long.

    Arguments:
        frequencies, ts: (W,) and (T,) ascending.
        rates: (T, W); NaN where nothing was measured.
        centres: fitted frequency of the TLS at each time, (T,).
        centre_errors: their standard errors (T,), or their covariance (T, T). Times with an error that is not finite,
            at which the TLS was not seen, are left out.
        diffusion: D of sigma = 2 D sqrt(t).
        labels: of both axes.
        title: above the picture.

    Returns:
        A figure of two panels and a colour bar. The shade of the second holds, at each time between, 90 % of records
        that diffuse by D and are measured with these errors.

    Raises:
        ValueError: for axes that do not ascend, or errors of another shape.

    Example:
        >>> f, t = np.linspace(0.0, 3.0, 4), np.arange(4.0)
        >>> places = np.array([1.0, 1.5, 1.2, 1.4])
        >>> fig = rate_fit(f, t, np.ones((4, 4)), places, 0.1 * np.ones(4), diffusion=0.2)
        >>> len(fig.axes)
        3
    """
    t, centres, errors = np.asarray(ts), np.asarray(centres), np.asarray(centre_errors)
    count = len(t)
    fits = errors.shape in ((count,), (count, count))
    require(fits, "centre_errors", f"have shape {(count,)} or {(count, count)}", f"shape {errors.shape}")
    covariance = np.diag(errors**2) if errors.ndim == 1 else errors
    known = np.isfinite(np.diag(covariance))
    t, centres = t[known], centres[known]
    covariance = covariance[np.ix_(known, known)]
    fig = figure(7.0, 3.3)
    left, right = fig.subplots(1, 2)
    rate_waterfall(frequencies, ts, rates, labels=labels, rate_label=r"$1/T_1$  [1/us]", ax=left)
    bars = np.sqrt(np.diag(covariance))
    left.errorbar(centres, t, xerr=bars, fmt="o-", ms=2.5, lw=0.8, color="white", mec=BLUE, ecolor=BLUE)
    if len(t) > 1:
        _moves(right, t, centres, covariance, diffusion)
    right.set_xlabel(f"apart in {labels[1]}")
    right.set_ylabel("moved by  [MHz]")
    tidy(right)
    panels((left, right))
    if title:
        fig.suptitle(title, fontsize=9)
    return fig


def flat_rates(
    frequencies: ArrayLike,
    ts: ArrayLike,
    rates: ArrayLike,
    residuals: ArrayLike,
    *,
    labels: tuple[str, str] = ("qubit frequency  [MHz]", "time  [h]"),
    title: str = "",
) -> Figure:
    """Scans of T1 without a TLS: Gamma_1(f, t), and how far each is from the mean in units of its error.

    Arguments:
        frequencies, ts: (W,) and (T,) ascending.
        rates, residuals: (T, W); NaN where nothing was measured.
        labels: of both axes.
        title: above the picture.

    Returns:
        A figure of two panels and their colour bars.

    Example:
        >>> f, t = np.linspace(0.0, 3.0, 4), np.arange(3.0)
        >>> len(flat_rates(f, t, np.ones((3, 4)), np.zeros((3, 4))).axes)
        4
    """
    fig = figure(7.0, 3.3)
    left, right = fig.subplots(1, 2, sharey=True)
    rate_waterfall(frequencies, ts, rates, labels=labels, rate_label=r"$1/T_1$  [1/us]", log=False, ax=left)
    f, t, z = _grid(frequencies, ts, residuals, "residuals")
    _residuals(right, f, t, z, labels[0])
    panels((left, right))
    if title:
        fig.suptitle(title, fontsize=9)
    return fig


def _residuals(ax: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, label: str) -> None:
    """What a fit leaves (T, W), in units of the errors."""
    ax.grid(False)
    _colours(ax, x, y, np.ma.masked_invalid(values), (label, ""), "residual / error", cmap="RdBu_r", vmin=-4, vmax=4)


def _moves(ax: Axes, t: np.ndarray, centres: np.ndarray, covariance: np.ndarray, diffusion: float) -> None:
    """Root mean square moves against the time between, those expected, and where records of that kind scatter."""
    shifts = range(1, max(2, len(t) // 2))
    apart = np.array([np.mean(t[k:] - t[:-k]) for k in shifts])
    low, high = move_band(t, covariance, diffusion)
    own = np.diag(covariance)
    noise = np.array([np.mean(own[k:] + own[:-k] - 2 * np.diag(covariance, k)) for k in shifts])
    moved = _moved(centres[None, :], len(shifts))[0]
    ax.fill_between(apart, low, high, color=VERMILION, alpha=0.15, lw=0, label="90 % of such records")
    ax.plot(apart, np.sqrt(4 * diffusion**2 * apart + noise), color=VERMILION, lw=1.5, label="diffusion and fit errors")
    ax.plot(apart, np.sqrt(noise), color="0.5", ls=":", lw=1.2, label="fit errors alone")
    ax.plot(apart, moved, "o", ms=3, color=BLUE, label="record, root mean square")
    ax.set_ylim(0, 1.55 * max(np.max(high), np.max(moved)))  # the legend's room
    ax.legend(frameon=False, fontsize=7, loc="upper left", handlelength=1.5, borderaxespad=0.2)


def move_band(t: np.ndarray, covariance: np.ndarray, diffusion: float) -> np.ndarray:
    """5 % and 95 % of root mean square moves 1, 2, ... times apart in records like this one, (2, max(1, T//2 - 1)).

    A record diffuses by sigma = 2 D sqrt(t) and is measured with the errors' covariance (T, T): neighbouring moves
    share an error, and few of the long ones are independent.
    """
    draws, count = np.random.default_rng(0), 2000
    steps = draws.normal(size=(count, len(t) - 1)) * 2 * diffusion * np.sqrt(np.diff(t))
    paths = np.concatenate([np.zeros((count, 1)), np.cumsum(steps, axis=1)], axis=1)
    # symmetric root: a covariance may be singular
    size, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    seen = paths + draws.normal(size=paths.shape) @ (axes * np.sqrt(np.clip(size, 0.0, None))).T
    return np.quantile(_moved(seen, max(1, len(t) // 2 - 1)), [0.05, 0.95], axis=0)


def _moved(paths: np.ndarray, shifts: int) -> np.ndarray:
    """Root mean square moves of records (N, T) over 1, 2, ... times, (N, shifts)."""
    found = [np.sqrt(np.mean((paths[:, k:] - paths[:, :-k]) ** 2, axis=1)) for k in range(1, shifts + 1)]
    return np.stack(found, axis=1)


def _colours(
    ax: Axes, f: np.ndarray, t: np.ndarray, values: np.ndarray, labels: tuple[str, str], label: str, **looks: Any
) -> None:
    """A map (T, W) as colours with their bar."""
    picture = ax.pcolormesh(f, t, values, shading="nearest", rasterized=True, **looks)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.figure.colorbar(picture, ax=ax).set_label(label)


def _grid(xs: ArrayLike, ys: ArrayLike, values: ArrayLike, name: str) -> tuple[Any, Any, Any]:
    x, y, z = np.asarray(xs, float), np.asarray(ys, float), np.asarray(values, float)
    for axis, points in (("frequencies", x), ("ts", y)):
        require(
            points.ndim == 1 and bool(np.all(np.diff(points) > 0)), axis, "be one-dimensional and ascending", points
        )
    require(z.shape == (y.size, x.size), name, f"fit {x.size} frequencies and {y.size} times", f"shape {z.shape}")
    return x, y, z
