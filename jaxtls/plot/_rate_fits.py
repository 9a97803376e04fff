"""Draws fits of T1 over frequency and time: TLSs that wander, and scans without any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import ArrayLike

from .._checks import require
from ._style import BLUE, VERMILION, cycle, figure, panels, tidy
from ._tls_bath import mapped, rate_waterfall, residual_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def rate_fit(
    frequencies: ArrayLike,
    ts: ArrayLike,
    rates: ArrayLike,
    centres: ArrayLike,
    centre_errors: ArrayLike,
    *,
    diffusion: ArrayLike,
    residuals: ArrayLike | None = None,
    labels: tuple[str, str] = ("qubit frequency  [MHz]", "time  [h]"),
    title: str = "",
) -> Figure:
    """Draws TLSs that wander: Gamma_1(f, t) with their fitted frequencies on top, and how far they move in how long.

    Arguments:
        frequencies, ts: (W,) and (T,) ascending.
        rates: (T, W); NaN where nothing was measured.
        centres: fitted frequency of one TLS at each time, (T,), or of several, (K, T).
        centre_errors: their standard errors (T,) or (K, T), or their covariance (T, T) or (K, T, T). Times with an
            error that is not finite, at which a TLS was not seen, are left out.
        diffusion: D of sigma = 2 D sqrt(t), a number or (K,).
        residuals: (T, W) in units of their errors, drawn beside the map.
        labels: of both axes.
        title: above the picture.

    Returns:
        A figure of two panels and a colour bar, with residuals of three and two. The shade of the last panel holds, at
        each time between, 90 % of records that diffuse by D and are measured with these errors.

    Raises:
        ValueError: for axes that do not ascend, or errors of another shape.

    Example:
        >>> f, t = np.linspace(0.0, 3.0, 4), np.arange(4.0)
        >>> places = np.array([1.0, 1.5, 1.2, 1.4])
        >>> fig = rate_fit(f, t, np.ones((4, 4)), places, 0.1 * np.ones(4), diffusion=0.2)
        >>> len(fig.axes)
        3
    """
    t, places, errors = np.asarray(ts), np.asarray(centres), np.asarray(centre_errors)
    fits = errors.shape in (places.shape, (*places.shape, len(t)))
    require(fits, "centre_errors", f"have shape {places.shape} or {(*places.shape, len(t))}", f"shape {errors.shape}")
    several = places.ndim == 2
    lines, given = (places, errors) if several else (places[None], errors[None])
    strengths = np.broadcast_to(np.asarray(diffusion, float), len(lines))
    fig = figure(7.0, 3.3 if residuals is None else 5.6)
    if residuals is None:
        left, right = fig.subplots(1, 2)
        axes = [left, right]
    else:
        space = fig.add_gridspec(2, 2)
        left, beside, right = (fig.add_subplot(space[where]) for where in ((0, 0), (0, 1), (1, slice(None))))
        axes = [left, beside, right]
        f, t, z = mapped(frequencies, ts, residuals, "residuals")
        residual_map(beside, f, t, z, labels[0])
        beside.invert_yaxis()
    rate_waterfall(frequencies, ts, rates, labels=labels, rate_label=r"$1/T_1$  [1/us]", ax=left)
    colours = [(VERMILION, BLUE)] if len(lines) == 1 else [(colour, colour) for colour in cycle(len(lines))]
    top = 0.0
    for k, (line, error, d, (curve, dots)) in enumerate(zip(lines, given, strengths, colours, strict=True)):
        covariance = np.diag(error**2) if error.ndim == 1 else error
        known = np.isfinite(np.diag(covariance))
        there, line, covariance = t[known], line[known], covariance[np.ix_(known, known)]
        bars = np.sqrt(np.diag(covariance))
        left.errorbar(line, there, xerr=bars, fmt="o-", ms=2.5, lw=0.8, color="white", mec=dots, ecolor=dots)
        if len(there) > 1:
            name = f"TLS {k}" if len(lines) > 1 else ""
            top = max(top, _moves(right, there, line, covariance, float(d), (curve, dots), name))
    if len(lines) > 1:
        right.fill_between([], [], [], color="0.6", alpha=0.4, lw=0, label="90 % of such records")
        right.plot([], [], color="0.4", lw=1.5, label="diffusion and fit errors")
        right.plot([], [], color="0.4", ls=":", lw=1.2, label="fit errors alone")
    if top:
        right.set_ylim(0, (1.55 if residuals is None else 1.4) * top)  # the legend's room
        wide = residuals is not None or len(lines) > 1
        looks = {"handlelength": 1.5, "borderaxespad": 0.2, "ncols": 2 if wide else 1}
        right.legend(frameon=False, fontsize=7, loc="upper left", **looks)
    else:
        right.set(xticks=[], yticks=[])
        right.text(0.5, 0.5, "seen in fewer than two scans: no moves", ha="center", transform=right.transAxes)
    right.set_xlabel(f"apart in {labels[1]}")
    right.set_ylabel("moved by  [MHz]")
    tidy(right)
    panels(axes)
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
    """Draws scans of T1 without a TLS: Gamma_1(f, t), and how far each is from the mean in units of its error.

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
    f, t, z = mapped(frequencies, ts, residuals, "residuals")
    residual_map(right, f, t, z, labels[0])
    panels((left, right))
    if title:
        fig.suptitle(title, fontsize=9)
    return fig


def _moves(
    ax: Axes,
    t: np.ndarray,
    centres: np.ndarray,
    covariance: np.ndarray,
    diffusion: float,
    colours: tuple[str, str],
    name: str,
) -> float:
    """Draw root mean square moves against the time between, those expected, and where records of that kind scatter.

    A TLS with a name is one of several: it is what the legend says. Returns the highest value drawn.
    """
    shifts = range(1, max(2, len(t) // 2))
    apart = np.array([np.mean(t[k:] - t[:-k]) for k in shifts])
    low, high = move_band(t, covariance, diffusion)
    own = np.diag(covariance)
    noise = np.array([np.mean(own[k:] + own[:-k] - 2 * np.diag(covariance, k)) for k in shifts])
    moved = _moved(centres[None, :], len(shifts))[0]
    curve, dots = colours
    words = (None, None, None, name) if name else (
        "90 % of such records", "diffusion and fit errors", "fit errors alone", "record, root mean square"
    )  # fmt: skip
    ax.fill_between(apart, low, high, color=curve, alpha=0.15, lw=0, label=words[0])
    ax.plot(apart, np.sqrt(4 * diffusion**2 * apart + noise), color=curve, lw=1.5, label=words[1])
    ax.plot(apart, np.sqrt(noise), color=curve if name else "0.5", ls=":", lw=1.2, label=words[2])
    ax.plot(apart, moved, "o", ms=3, color=dots, label=words[3])
    return float(max(np.max(high), np.max(moved)))


def move_band(t: np.ndarray, covariance: np.ndarray, diffusion: float) -> np.ndarray:
    """Gives 5 % and 95 % of root mean square moves 1, 2, ... times apart in such records, (2, max(1, T//2 - 1)).

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
    """Give root mean square moves of records (N, T) over 1, 2, ... times, (N, shifts)."""
    found = [np.sqrt(np.mean((paths[:, k:] - paths[:, :-k]) ** 2, axis=1)) for k in range(1, shifts + 1)]
    return np.stack(found, axis=1)
