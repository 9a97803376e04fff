"""Sets looks: figures, colours, labels.

Figures are made without pyplot, so they need no display and are freed like any other object; a notebook shows a figure
that is a cell's last line. Colours are Okabe and Ito's, told apart with any colour vision; ordered ones a ramp.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000",
)  # fmt: skip
PALETTE = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)

LABELS = {
    "x": r"$\langle x \rangle$",
    "p": r"$\langle p \rangle$",
    "x2": r"$\langle x^2 \rangle$",
    "p2": r"$\langle p^2 \rangle$",
    "n": r"$\langle n \rangle$",
    "impurity": r"$1 - \mathrm{Tr}\,\rho^2$",
    "spin_entropy": r"$S_{\mathrm{TLS}} - S_{\mathrm{th}}$",
    "excitation": r"$\langle k \rangle / N$",
}


def figure(width: float = 7.0, height: float = 4.5) -> Figure:
    """Makes an empty figure [inches] with jaxtls's looks, bound to Agg's canvas: `fig.savefig("x.png")` works anywhere.

    Example:
        >>> ax = figure(4.0, 3.0).subplots()
        >>> [line] = ax.plot([0, 1], [0, 1], color=BLUE)
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install 'jaxtls[plot]'.") from error
    fig = Figure(figsize=(width, height), dpi=160, layout="constrained", facecolor="white")
    FigureCanvasAgg(fig)
    # IPython draws a Figure by itself only where pyplot was imported
    setattr(fig, "_repr_png_", partial(_png, fig))  # noqa: B010
    return fig


def _png(fig: Figure) -> bytes:
    kept = io.BytesIO()
    fig.savefig(kept, format="png")
    return kept.getvalue()


def new_axes(ax: Axes | None, width: float = 6.0, height: float = 4.0) -> Axes:
    """Gives the axes given, or those of a new figure, with a light grid."""
    if ax is None:
        ax = figure(width, height).subplots()
        tidy(ax)
    return ax


def tidy(ax: Axes) -> None:
    """Takes the box away, and puts a light grid behind what is drawn.

    Example:
        >>> ax = figure().subplots()
        >>> tidy(ax)
        >>> ax.spines["top"].get_visible()
        False
    """
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="0.9", lw=0.6)
    ax.set_axisbelow(True)


def key_above(ax: Axes, columns: int = 0) -> None:
    """Puts a legend above the axes, at the right, where no data are; in one row by default.

    Example:
        >>> ax = figure().subplots()
        >>> _ = ax.plot([0, 1], label="line")
        >>> key_above(ax)
        >>> len(ax.get_legend().get_texts())
        1
    """
    count = len(ax.get_legend_handles_labels()[0])
    looks = {"frameon": False, "fontsize": 8, "handlelength": 1.4, "columnspacing": 1.0, "borderaxespad": 0.2}
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=columns or max(count, 1), **looks)


def panels(axes: Sequence[Axes], size: float = 8.0) -> None:
    """Puts letters (a), (b), ... above panels and small print of one size, as in a figure of a paper, 7 in wide.

    Example:
        >>> axes = figure().subplots(1, 2)
        >>> panels(axes)
        >>> axes[1].get_title(loc="left")
        '(b)'
    """
    for letter, ax in zip("abcdefgh", axes):
        ax.set_title(f"({letter})", loc="left", fontsize=size + 1)
    # colour bars as well
    for ax in axes[0].figure.axes:
        ax.tick_params(which="both", labelsize=size)
        ax.xaxis.label.set_fontsize(size)
        ax.yaxis.label.set_fontsize(size)


def few_decades(ax: Axes) -> None:
    """Puts plain 1, 2, 5 at a logarithmic y axis of less than two decades, where powers of ten would be one or none.

    Example:
        >>> ax = figure().subplots()
        >>> _ = ax.loglog([1.0, 10.0], [0.3, 4.0])
        >>> few_decades(ax)
        >>> [ax.yaxis.get_major_formatter()(value) for value in (0.5, 2.0)]
        ['0.5', '2']
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = ax.get_ylim()
    if high < 100 * low and low > 1e-4 and high < 1e5:
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())


def cycle(count: int) -> list[str]:
    """Gives colours for things without an order."""
    return [PALETTE[i % len(PALETTE)] for i in range(count)]


def ramp(count: int) -> list[Any]:
    """Gives colours for an ordered quantity: dark to light, without the pale end.

    Example:
        >>> len(ramp(3))
        3
    """
    import matplotlib

    return list(matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, count)))


def power(value: float, digits: int = 2) -> str:
    """Writes a number as 1.4 or 1.4 x 10^6, for a legend or an axis."""
    value = float(f"{value:.{digits + 1}g}")  # 999.99 is 1000
    if value == 0 or 0.01 <= value < 1000:
        return f"{value:.{digits + 1}g}"
    value = float(f"{value:.{digits}g}")
    exponent = int(np.floor(np.log10(value)))
    return rf"${value / 10.0**exponent:.{digits}g} \times 10^{{{exponent}}}$"
