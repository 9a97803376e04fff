"""Draws two-parameter sweeps as maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._checks import require
from .._types import Numbers
from ._style import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def sweep(
    xs: Numbers,
    ys: Numbers,
    values: Numbers,
    *,
    labels: tuple[str, str] = ("", ""),
    value_label: str = "",
    scale: str = "linear",
    levels: Sequence[float] = (),
    level_format: str = "{:g}",
    ax: Axes | None = None,
) -> Axes:
    """Draws a quantity over two parameters, as R_S over frequency and temperature: colours, and lines at chosen values.

    Arguments:
        xs: (X,) of the horizontal axis, ascending.
        ys: (Y,) of the vertical axis, ascending.
        values: (X, Y), as two nested vmaps give it, x outside; what is not finite is left white.
        labels: of both axes, with units.
        value_label: of the colours, with its unit.
        scale: "linear", "semilogx", "semilogy" or "loglog".
        levels: values at which lines are drawn.
        level_format: how they are written.
        ax: axes to draw into; a new figure by default.

    Returns:
        The axes; `ax.collections[0]` are the colours.

    Raises:
        ValueError: for an unknown scale, axes that do not ascend, or values of another shape.

    Example:
        >>> omega, kelvin = np.geomspace(1e6, 1e9, 5), np.geomspace(0.1, 10.0, 4)
        >>> ratio = 1 / (1 + omega[:, None] / (1e8 * kelvin**3))  # or jt.TunnellingSolid(...).entropic_ratio
        >>> labels = ("frequency  [rad/s]", "temperature  [K]")
        >>> ax = sweep(omega, kelvin, 100 * ratio, labels=labels, value_label="share  [%]", scale="loglog")
        >>> ax.get_ylabel(), ax.get_xscale()
        ('temperature  [K]', 'log')
    """
    scales = {"linear": "", "semilogx": "x", "semilogy": "y", "loglog": "xy"}
    require(scale in scales, "scale", f"be among {', '.join(scales)}", repr(scale))
    x, y, z = np.asarray(xs), np.asarray(ys), np.asarray(values)
    for name, axis in (("xs", x), ("ys", y)):
        require(axis.ndim == 1 and bool(np.all(np.diff(axis) > 0)), name, "be one-dimensional and ascending", axis)
    require(z.shape == (x.size, y.size), "values", f"have shape ({x.size}, {y.size}), x first", f"shape {z.shape}")
    ax = new_axes(ax, 6.4, 4.6)
    ax.grid(False)
    for which, name in (("x", "xscale"), ("y", "yscale")):
        if which in scales[scale]:
            ax.set(**{name: "log"})
    shown = np.ma.masked_invalid(z.T)
    picture = ax.pcolormesh(x, y, shown, cmap="viridis", shading="nearest", rasterized=True)
    if len(levels):
        lines = ax.contour(x, y, shown, levels=sorted(levels), colors="white", linewidths=0.9)
        ax.clabel(lines, fmt=level_format.format, fontsize=8)
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(y[0], y[-1])
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    ax.figure.colorbar(picture, ax=ax).set_label(value_label)
    return ax
