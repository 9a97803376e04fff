"""A qubit among its TLSs: relaxation rate over frequency and time, swap spectroscopy, and fits of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike

from .._checks import require
from ._style import BLUE, VERMILION, figure, new_axes, tidy

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
        fitted: (W, T) of a fit, drawn as lines at a quarter, half and three quarters of its range.
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
        _, _, curve = _grid(frequencies, ts, np.asarray(fitted).T, "fitted")
        levels = curve.min() + np.array([0.25, 0.5, 0.75]) * np.ptp(curve)
        if np.ptp(curve) > 0:
            ax.contour(f, t, curve, levels=levels, colors="white", linewidths=0.8)
    for place in np.ravel(np.asarray(tls)):
        ax.plot(place, 1.02, "v", color=VERMILION, ms=7, transform=ax.get_xaxis_transform(), clip_on=False)
    ax.set_xlim(f[0], f[-1])
    ax.set_ylim(t[0], t[-1])
    return ax


def swap_fit(
    frequencies: ArrayLike,
    ts: ArrayLike,
    populations: ArrayLike,
    fitted: ArrayLike,
    residuals: ArrayLike,
    *,
    tls: ArrayLike | Sequence[float] = (),
    labels: tuple[str, str] = ("qubit frequency  [MHz]", "swap time  [us]"),
    title: str = "",
) -> Figure:
    """A fitted swap map: data with the fit's contours, and the residuals in units of their errors.

    Arguments:
        frequencies, ts: (W,) and (T,) ascending.
        populations, fitted, residuals: (W, T); NaN where nothing was measured.
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
    fig = figure(10.5, 4.4)
    left, right = fig.subplots(1, 2, sharey=True)
    swap_map(frequencies, ts, populations, fitted=fitted, tls=tls, labels=labels, ax=left)
    left.set_title("data (colours) and fit (lines)", fontsize=10, pad=14)
    f, t, z = _grid(frequencies, ts, np.asarray(residuals).T, "residuals")
    _colours(right, f, t, np.ma.masked_invalid(z), (labels[0], ""), "residual / error", cmap="RdBu_r", vmin=-4, vmax=4)
    right.set_title("what the fit leaves", fontsize=10, pad=14)
    if title:
        fig.suptitle(title, fontsize=11)
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
        centres, centre_errors: fitted frequency of the TLS at each time, (T,).
        diffusion: D of sigma = 2 D sqrt(t).
        labels: of both axes.
        title: above the picture.

    Returns:
        A figure of two panels and a colour bar.

    Example:
        >>> f, t = np.linspace(0.0, 3.0, 4), np.arange(3.0)
        >>> places = np.array([1.0, 1.5, 1.2])
        >>> fig = rate_fit(f, t, np.ones((3, 4)), places, 0.1 * np.ones(3), diffusion=0.2)
        >>> len(fig.axes)
        3
    """
    t, centres = np.asarray(ts), np.asarray(centres)
    fig = figure(10.5, 4.4)
    left, right = fig.subplots(1, 2)
    rate_waterfall(frequencies, ts, rates, labels=labels, rate_label=r"$1/T_1$  [1/us]", ax=left)
    left.errorbar(centres, t, xerr=centre_errors, fmt="o-", ms=3, lw=0.8, color="white", mec=BLUE, ecolor=BLUE)
    lags = [(t[k:] - t[:-k], centres[k:] - centres[:-k]) for k in range(1, max(2, len(t) // 2))]
    apart = np.array([np.mean(lag) for lag, _ in lags])
    moved = np.array([np.sqrt(np.mean(step**2)) for _, step in lags])
    right.plot(apart, moved, "o", ms=4, color=BLUE, label="root mean square of the moves")
    noise = float(np.sqrt(2 * np.mean(np.square(np.asarray(centre_errors)))))
    curve = np.linspace(0, apart.max() * 1.05, 200)
    right.plot(curve, np.hypot(2 * diffusion * np.sqrt(curve), noise), color=VERMILION, label="diffusion and fit error")
    low, high = np.hypot(_records(t, diffusion, len(lags)), noise)
    right.fill_between(apart, low, high, color=VERMILION, alpha=0.15, lw=0, label="90 % of such records")
    right.axhline(noise, color="0.6", ls=":", lw=1.2, label="fit error alone")
    right.set_xlabel(f"apart in {labels[1]}")
    right.set_ylabel("moved by  [MHz]")
    right.set_ylim(0, None)
    right.legend(frameon=False, fontsize=8)
    tidy(right)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def _colours(
    ax: Axes, f: np.ndarray, t: np.ndarray, values: np.ndarray, labels: tuple[str, str], label: str, **looks: Any
) -> None:
    """A map (T, W) as colours with their bar."""
    picture = ax.pcolormesh(f, t, values, shading="nearest", rasterized=True, **looks)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.figure.colorbar(picture, ax=ax).set_label(label)


def _records(t: np.ndarray, diffusion: float, lags: int) -> np.ndarray:
    """5 % and 95 % of the root mean square moves of random records at these times, for each lag, (2, lags)."""
    steps = np.random.default_rng(0).normal(size=(1000, len(t) - 1)) * 2 * diffusion * np.sqrt(np.diff(t))
    paths = np.concatenate([np.zeros((1000, 1)), np.cumsum(steps, axis=1)], axis=1)
    moves = [np.sqrt(np.mean((paths[:, k:] - paths[:, :-k]) ** 2, axis=1)) for k in range(1, lags + 1)]
    return np.quantile(np.array(moves), [0.05, 0.95], axis=1)


def _grid(xs: ArrayLike, ys: ArrayLike, values: ArrayLike, name: str) -> tuple[Any, Any, Any]:
    x, y, z = np.asarray(xs, float), np.asarray(ys, float), np.asarray(values, float)
    for axis, points in (("frequencies", x), ("ts", y)):
        require(
            points.ndim == 1 and bool(np.all(np.diff(points) > 0)), axis, "be one-dimensional and ascending", points
        )
    require(z.shape == (y.size, x.size), name, f"fit {x.size} frequencies and {y.size} times", f"shape {z.shape}")
    return x, y, z
