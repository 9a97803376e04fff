"""Draws one resonance of a network analyser: its circle, its dip, and what the fit leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, ArrayLike

from ._style import BLACK, BLUE, ORANGE, VERMILION, figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@runtime_checkable
class Resonance(Protocol):
    """Has what a fitted trace can say: `ResonatorTrace` can."""

    @property
    def f_r(self) -> ArrayLike:
        """Gives the resonance frequency [Hz]."""
        ...

    def line(self, frequencies: ArrayLike) -> Array:
        """Gives what the line alone would do."""
        ...

    def resonance(self, frequencies: ArrayLike) -> Array:
        """Gives the resonance alone."""
        ...


def resonance(
    frequencies: ArrayLike, s21: ArrayLike, model: Resonance | None = None, *, title: str = "", quantity: str = "S_{21}"
) -> Figure:
    """Draws the circle in the complex plane, magnitude and phase against frequency, and residuals.

    Data are divided by the fitted line (gain, phase, delay), so that a perfect line lies at 1.

    Arguments:
        frequencies: (n,) [Hz], ascending.
        s21: (n,) complex.
        model: a `ResonatorTrace`; None draws the data as they are, to see why a trace was refused.
        title: above the picture.
        quantity: for the labels, in LaTeX.

    Returns:
        A figure of four panels, three without a model.

    Example:
        >>> model = jt.ResonatorTrace(f_r=5e9, Q_internal=2e5, Q_coupling=1e5)
        >>> f = 5e9 + np.linspace(-5e5, 5e5, 101)
        >>> fig = jt.plot.resonance(f, np.asarray(model.response(f)), model)
        >>> len(fig.axes)
        4
    """
    f, z = np.asarray(frequencies, float), np.asarray(s21, complex)
    centre = float(np.mean(f[[0, -1]])) if model is None else float(np.asarray(model.f_r))
    dense = np.linspace(f[0], f[-1], max(2001, len(f)))
    if model is not None:
        # Most of a circle lies within a few linewidths: points even in angle as well as in frequency.
        span = f[-1] - f[0]
        near = centre + span * np.geomspace(1e-5, 1, 1000)
        dense = np.unique(np.clip(np.concatenate([dense, near, 2 * centre - near, [centre]]), f[0], f[-1]))
        z = z / np.asarray(model.line(f))
    unit, scale = _unit(f[-1] - f[0])
    fig = figure(10.0, 4.8)
    heights = [1.2, 1] if model is None else [1.2, 1, 0.8]
    space = fig.add_gridspec(len(heights), 2, width_ratios=[1, 1.15], height_ratios=heights)
    plane, size, angle = (fig.add_subplot(space[where]) for where in (np.s_[:, 0], np.s_[0, 1], np.s_[1, 1]))
    panels = [plane, size, angle]
    x = (f - centre) / scale
    for ax, *points in ((plane, z.real, z.imag), (size, x, _decibel(z)), (angle, x, _phase(z))):
        ax.plot(*points, "o", ms=2.5, color=BLUE, label="data")
    if model is not None:
        curve, place = np.asarray(model.resonance(dense)), (dense - centre) / scale
        plane.plot(curve.real, curve.imag, color=VERMILION, lw=1.3, label="fit")
        size.plot(place, _decibel(curve), color=VERMILION, lw=1.3)
        angle.plot(place, _phase(curve), color=VERMILION, lw=1.3)
        middle = complex(np.asarray(model.resonance(centre)))
        plane.plot(middle.real, middle.imag, "s", ms=6, color=BLACK, label="resonance")
        rest = fig.add_subplot(space[2, 1])
        panels.append(rest)
        _residuals(rest, x, z - np.asarray(model.resonance(f)))
    plane.set_aspect("equal", adjustable="datalim")
    over = "" if model is None else " / line"
    plane.set_xlabel(rf"Re ${quantity}${over}")
    plane.set_ylabel(rf"Im ${quantity}${over}")
    plane.legend(frameon=False, fontsize=8, loc="best")
    size.set_ylabel(rf"$|{quantity}|$  [dB]")
    angle.set_ylabel("phase  [rad]")
    for ax in panels[1:-1]:
        ax.tick_params(labelbottom=False)
    start = rf"$f$ − {centre / 1e9:.6f} GHz" if model is None else r"$f - f_r$"
    panels[-1].set_xlabel(f"{start}  [{unit}]")
    for ax in panels:
        tidy(ax)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def _residuals(ax: Axes, x: np.ndarray, left: np.ndarray) -> None:
    ax.axhline(0, color=BLACK, lw=0.8)
    ax.plot(x, 100 * left.real, ".", ms=3, color=BLUE, label="Re")
    ax.plot(x, 100 * left.imag, ".", ms=3, color=ORANGE, label="Im")
    ax.set_ylabel("residual  [%]")
    ax.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.95), borderaxespad=0)


def _decibel(z: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.maximum(np.abs(z), 1e-300))


def _phase(z: np.ndarray) -> np.ndarray:
    """Give the phase, continuous along the trace, about zero."""
    phase = np.unwrap(np.angle(z))
    return phase - 2 * np.pi * np.round(np.mean(phase[[0, -1]]) / (2 * np.pi))


def _unit(span: float) -> tuple[str, float]:
    units = (("GHz", 1e9), ("MHz", 1e6), ("kHz", 1e3))
    return next(((name, size) for name, size in units if span >= 2 * size), ("Hz", 1.0))
