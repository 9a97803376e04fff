"""Draws a qubit among its TLSs: relaxation rate over frequency and time, swap spectroscopy, and fits of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import ArrayLike

from .._checks import require
from ._style import VERMILION, figure, new_axes, panels

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
    """Draws Gamma_1(f, t) as colours, time running down: TLSs are bright lines that jump and drift.

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

    f, t, z = mapped(frequencies, ts, rates, "rates")
    good = z[np.isfinite(z) & (z > 0)]
    require(not log or good.size > 0, "rates", "hold a number > 0 for logarithmic colours", rates)
    ax = new_axes(ax, 6.4, 4.6)
    ax.grid(False)
    norm = LogNorm(good.min(), good.max() if good.max() > good.min() else 2 * good.max()) if log else None
    shown = np.ma.masked_invalid(np.where(z > 0, z, np.nan) if log else z)
    colour_map(ax, f, t, shown, labels, rate_label, cmap="magma", norm=norm)
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
    """Draws swap spectroscopy: population over frequency and time, with a fit's contours and TLSs on top.

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
    f, t, z = mapped(frequencies, ts, np.asarray(populations).T, "populations")
    ax = new_axes(ax, 6.4, 4.6)
    ax.grid(False)
    colour_map(ax, f, t, np.ma.masked_invalid(z), labels, value_label, cmap="viridis")
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
    """Draws a fitted swap map: data with the fit's contours, and the residuals in units of their errors.

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
    f, t, z = mapped(frequencies, ts, np.asarray(residuals).T, "residuals")
    residual_map(right, f, t, z, labels[0])
    right.set_xlim(left.get_xlim())
    panels((left, right))
    if title:
        fig.suptitle(title, fontsize=9)
    return fig


def residual_map(ax: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, label: str) -> None:
    """Draws what a fit leaves (T, W), in units of the errors."""
    ax.grid(False)
    colour_map(ax, x, y, np.ma.masked_invalid(values), (label, ""), "residual / error", cmap="RdBu_r", vmin=-4, vmax=4)


def colour_map(
    ax: Axes, f: np.ndarray, t: np.ndarray, values: np.ndarray, labels: tuple[str, str], label: str, **looks: Any
) -> None:
    """Draws a map (T, W) as colours with their bar."""
    picture = ax.pcolormesh(f, t, values, shading="nearest", rasterized=True, **looks)
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.figure.colorbar(picture, ax=ax).set_label(label)


def mapped(xs: ArrayLike, ys: ArrayLike, values: ArrayLike, name: str) -> tuple[Any, Any, Any]:
    """Gives two axes and a map over them, checked; `name` is what the caller calls the map."""
    x, y, z = np.asarray(xs, float), np.asarray(ys, float), np.asarray(values, float)
    for axis, points in (("frequencies", x), ("ts", y)):
        require(
            points.ndim == 1 and bool(np.all(np.diff(points) > 0)), axis, "be one-dimensional and ascending", points
        )
    require(z.shape == (y.size, x.size), name, f"fit {x.size} frequencies and {y.size} times", f"shape {z.shape}")
    return x, y, z
