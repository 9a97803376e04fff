"""Pictures of solutions and fits. matplotlib is imported when a picture is asked for, and no window is opened.

Figures are made without pyplot, so they need no display and are freed like any other object; a notebook shows a figure
that is a cell's last line. Colours are Okabe and Ito's, told apart with any colour vision; ordered ones a ramp.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """An empty figure [inches] with jaxtls's looks, bound to the Agg canvas: `fig.savefig("x.png")` works anywhere."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Pictures need matplotlib: pip install 'jaxtls[plot]'.") from error
    fig = Figure(figsize=(width, height), dpi=160, layout="constrained", facecolor="white")
    FigureCanvasAgg(fig)
    return fig


def traces(sol: Any, names: Sequence[str] | None = None, *, time_label: str = "time") -> list[Axes]:
    """Observables of a Solution against its times, one panel each.

    Arguments:
        sol: anything with `ts` (T,) and `observables`, a dict of (T,) arrays.
        names: which observables, from the top; all that are real and one-dimensional by default.
        time_label: the label of the time axis, with its unit.

    Returns:
        The axes; `axes[0].figure` is the figure.

    Raises:
        ValueError: for a name that the solution does not have.

    Example:
        >>> from types import SimpleNamespace
        >>> ts = np.linspace(0, 1, 5)
        >>> axes = traces(SimpleNamespace(ts=ts, observables={"x": np.cos(ts)}), ["x"])
        >>> axes[0].get_xlabel()
        'time'
    """
    ts, observables = np.asarray(sol.ts), {name: np.asarray(values) for name, values in sol.observables.items()}
    if names is None:
        names = [name for name, values in observables.items() if values.shape == ts.shape]
    unknown = [name for name in names if name not in observables]
    if unknown or not names:
        raise ValueError(f"Argument `names` must be among {', '.join(observables)}, but got {list(names)}.")
    fig = figure(7.0, 0.6 + 1.7 * len(names))
    axes = list(np.atleast_1d(fig.subplots(len(names), 1, sharex=True)))
    for ax, name, colour in zip(axes, names, _cycle(len(names)), strict=True):
        ax.plot(ts, observables[name].real, color=colour, lw=1.5)
        ax.set_ylabel(LABELS.get(name, name))
        tidy(ax)
    axes[-1].set_xlabel(time_label)
    axes[-1].set_xlim(ts[0], ts[-1])
    return axes


def band(
    ts: Any,
    r: Any,
    *,
    name: str | None = None,
    scale: str = "linear",
    label: str = "",
    time_label: str = "time",
    ax: Axes | None = None,
) -> Axes:
    r"""Mean of an ensemble against time, with the band of one standard error on both sides.

    $$\bar x(t) \pm \mathrm{sem}(t)$$

    Arguments:
        ts: times (T,).
        r: anything with pytrees `mean` and `sem`, as an `EnsembleResult`; of a complex mean the real part is drawn.
        name: which leaf, by its path as "x" or "spring.x"; may be left out where only one has shape (T,).
        scale: "linear", "semilogx", "semilogy" or "loglog". On a logarithmic axis what is not positive is left out, and
            a band that reaches zero ends at the foot of the picture.
        label: for the legend; no legend without.
        time_label: the label of the time axis, with its unit.
        ax: axes to draw into, next to what is there; a new figure by default.

    Returns:
        The axes; `ax.figure` is the figure.

    Raises:
        ValueError: for an unknown scale or name, or where several leaves have shape (T,) and none is named.

    Example:
        >>> ts = np.linspace(0.1, 1, 5)
        >>> r = jt.ensemble(lambda key: jnp.exp(-jax.random.uniform(key) * ts), jax.random.key(0), 50)
        >>> band(ts, r, scale="loglog").get_yscale()
        'log'
    """
    scales = {"linear": "", "semilogx": "x", "semilogy": "y", "loglog": "xy"}
    if scale not in scales:
        raise ValueError(f"Argument `scale` must be among {', '.join(scales)}, but got {scale!r}.")
    ts = np.asarray(ts)
    name, mean, sem = _curve(ts, r, name)
    shown = np.isfinite(mean)
    if "x" in scales[scale]:
        shown &= ts > 0
    if "y" in scales[scale]:
        shown &= mean > 0
    if ax is None:
        ax = figure(6.0, 4.0).subplots()
        tidy(ax)
    colour = PALETTE[len(ax.lines) % len(PALETTE)]
    ax.plot(ts[shown], mean[shown], color=colour, lw=1.5, label=label or None, zorder=2)
    if "x" in scales[scale]:
        ax.set_xscale("log")
    if "y" in scales[scale]:
        ax.set_yscale("log")
    low, high = (mean - sem)[shown], (mean + sem)[shown]
    if "y" in scales[scale] and shown.any():
        low = np.where(low > 0, low, 1e-12 * mean[shown].min())
    ax.fill_between(ts[shown], low, high, color=colour, alpha=0.25, lw=0, zorder=1)
    if "y" in scales[scale] and shown.any() and ax.get_autoscaley_on():
        # The means set the range: a band that reaches zero has no lower edge on this axis.
        drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.lines])
        drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
        ax.set_ylim(drawn.min() / 2, 2 * max(drawn.max(), np.nanmax(high, initial=0.0)), auto=True)
    ax.set_xlabel(time_label)
    ax.set_ylabel(LABELS.get(name, "" if name == "value" else name))
    if label:
        ax.legend(frameon=False)
    return ax


def _curve(ts: np.ndarray, r: Any, name: str | None) -> tuple[str, np.ndarray, np.ndarray]:
    """One leaf of an ensemble's mean and its error, as real arrays like ts."""
    from jax.tree_util import keystr, tree_leaves, tree_leaves_with_path

    leaves = {}
    for (path, mean), sem in zip(tree_leaves_with_path(r.mean), tree_leaves(r.sem), strict=True):
        leaves[keystr(path, simple=True, separator=".") or "value"] = np.asarray(mean).real, np.asarray(sem)
    fits = [key for key, (mean, _) in leaves.items() if mean.shape == ts.shape and ts.ndim == 1]
    if name is None and len(fits) == 1:
        name = fits[0]
    if name not in fits:
        shapes = ", ".join(f"{key} {mean.shape}" for key, (mean, _) in leaves.items())
        raise ValueError(
            f"Argument `name` must be a leaf of shape {ts.shape}, as `ts`, but got {name!r}. The ensemble has {shapes}."
        )
    return name, *leaves[name]


def trace_fit(
    ts: Any,
    data: dict[str, Any],
    sigma: dict[str, Any],
    predicted: dict[str, Any],
    *,
    title: str = "",
    time_label: str = "time",
) -> Figure:
    """Measured traces with error bars, the fit through them, and the residuals in units of the error bars.

    Arguments:
        ts: times (T,).
        data, sigma, predicted: name -> (T,) array, the same names in each.
        title: above the picture.
        time_label: the label of the time axis, with its unit.

    Returns:
        A figure with one column for each name.
    """
    fig = figure(4.6 * len(data), 5.0)
    top, bottom = fig.subplots(2, len(data), sharex=True, squeeze=False, height_ratios=[3, 1])
    for column, name in enumerate(data):
        ax, rest = top[column], bottom[column]
        label = LABELS.get(name, name)
        ax.errorbar(ts, data[name], sigma[name], fmt="o", ms=3, lw=1, color=BLUE, label="data", zorder=1)
        ax.plot(ts, predicted[name], color=VERMILION, lw=1.5, label="fit", zorder=2)
        ax.set_ylabel(label)
        ax.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
        pulls = (np.asarray(data[name]) - np.asarray(predicted[name])) / np.asarray(sigma[name])
        rest.axhspan(-1, 1, color=SKY, alpha=0.25, lw=0)
        rest.axhline(0, color=VERMILION, lw=1)
        rest.plot(ts, pulls, "o", ms=3, color=BLUE)
        reach = max(3.2, 1.1 * float(np.max(np.abs(pulls))))
        rest.set_ylim(-reach, reach)
        rest.set_ylabel("residual / error")
        rest.set_xlabel(time_label)
        tidy(ax)
        tidy(rest)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def resonator_fit(
    temperature: Any,
    photon_number: Any,
    quality_factor: Any,
    sigma: Any,
    model: Any,
    *,
    shift: tuple[Any, Any, Any] | None = None,
    title: str = "",
) -> Figure:
    """Internal quality factor against temperature, fit and residuals; and where the loss goes at the weakest drive.

    Arguments:
        temperature: (R,) [K].
        photon_number: (R,), one curve for each different value.
        quality_factor: (R,).
        sigma: (R,) error of the quality factor, or None.
        model: a fitted `ResonatorLoss`.
        shift: temperatures, fractional frequency shifts and their errors (or None), where they were fitted.
        title: above the picture.

    Returns:
        A figure of three panels, five with a shift.
    """
    temperature, photons, q = (np.asarray(values) for values in (temperature, photon_number, quality_factor))
    drives = np.unique(photons)
    grid = np.linspace(temperature.min() * 0.97, temperature.max() * 1.02, 300)
    fig = figure(10.5, 5.4 if shift is None else 8.4)
    heights = [3, 1] if shift is None else [3, 1, 2]
    space = fig.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=[1.35, 1])
    ax = fig.add_subplot(space[0, 0])
    rest = fig.add_subplot(space[1, 0], sharex=ax)
    parts = fig.add_subplot(space[:, 1] if shift is None else space[0, 1])

    # One call for all curves: each new shape is compiled.
    curves = np.asarray(model.quality_factor(grid, drives[:, None]))
    misfit = 100 * np.log(q / np.asarray(model.quality_factor(temperature, photons)))
    for drive, curve, colour in zip(drives, curves, ramp(len(drives)), strict=True):
        here = photons == drive
        bars = None if sigma is None else np.asarray(sigma)[here]
        ax.errorbar(temperature[here], q[here], bars, fmt="o", ms=4, lw=1, color=colour, label=_power(drive))
        ax.plot(grid, curve, color=colour, lw=1.5)
        rest.plot(temperature[here], misfit[here], "o-", ms=3, lw=0.6, color=colour)
    ax.set_yscale("log")
    ax.set_ylabel(r"internal quality factor $Q_i$")
    ax.tick_params(labelbottom=False)
    ax.legend(
        title="mean photon number\n(points data, lines fit)", frameon=False, fontsize=8, title_fontsize=8, loc="best"
    )
    rest.axhline(0, color=BLACK, lw=0.8)
    rest.set_ylabel("residual in ln Q [%]")
    rest.set_xlabel("temperature [K]")

    weakest = drives[0]
    here = photons == weakest
    terms = {
        "TLSs": (model.tls_loss(grid, weakest), BLUE),
        "quasiparticles": (model.quasiparticle_loss(grid), VERMILION),
        "constant": (np.full_like(grid, float(model.constant_loss)), GREEN),
    }
    parts.plot(temperature[here], 1 / q[here], "o", ms=4, color=BLACK, label="data")
    parts.plot(grid, 1 / curves[0], color=BLACK, lw=1.5, label="fit")
    for (name, (values, colour)), style in zip(terms.items(), ("--", "-.", ":"), strict=True):
        parts.plot(grid, np.asarray(values), color=colour, ls=style, lw=1.6, label=name)
    parts.set_yscale("log")
    least = 1 / q[here].max()
    parts.set_ylim(least / 100, 3 / q[here].min())
    parts.set_xlabel("temperature [K]")
    parts.set_ylabel(r"loss $1/Q_i$")
    parts.set_title(f"where the loss goes at {_power(weakest)} photons", fontsize=9)
    parts.legend(frameon=False, fontsize=8, loc="best")
    panels = [ax, rest, parts]
    if shift is not None:
        panels += _shift_panels(fig, space, shift, model)
    for axes in panels:
        tidy(axes)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def _shift_panels(fig: Figure, space: Any, shift: tuple[Any, Any, Any], model: Any) -> list[Axes]:
    """The frequency shift with its parts, and what is left of it."""
    temperature, values = np.asarray(shift[0]), np.asarray(shift[1])
    offset = float(model.shift_offset)
    grid = np.linspace(temperature.min() * 0.97, temperature.max() * 1.02, 300)
    ax, rest = fig.add_subplot(space[2, 0]), fig.add_subplot(space[1:, 1])
    bars = None if shift[2] is None else 1e6 * np.asarray(shift[2])
    ax.errorbar(temperature, 1e6 * values, bars, fmt="o", ms=4, lw=1, color=BLACK, label="data")
    ax.plot(grid, 1e6 * np.asarray(model.frequency_shift(grid)), color=BLACK, lw=1.5, label="fit")
    ax.plot(grid, 1e6 * (np.asarray(model.tls_shift(grid)) + offset), color=BLUE, ls="--", lw=1.6, label="TLSs")
    pull = 1e6 * (np.asarray(model.quasiparticle_shift(grid)) + offset)
    ax.plot(grid, pull, color=VERMILION, ls="-.", lw=1.6, label="quasiparticles")
    ax.set_ylabel(r"shift $\Delta f/f$  [$10^{-6}$]")
    ax.legend(frameon=False, fontsize=8, loc="best")
    rest.axhline(0, color=BLACK, lw=0.8)
    left = 1e6 * (values - np.asarray(model.frequency_shift(temperature)))
    rest.errorbar(temperature, left, bars, fmt="o-", ms=4, lw=0.6, color=BLACK)
    rest.set_ylabel(r"residual of shift  [$10^{-6}$]")
    for axes in (ax, rest):
        axes.set_xlabel("temperature [K]")
    return [ax, rest]


def tidy(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="0.9", lw=0.6)
    ax.set_axisbelow(True)


def _cycle(count: int) -> list[str]:
    return [PALETTE[i % len(PALETTE)] for i in range(count)]


def ramp(count: int) -> list[Any]:
    """Colours for an ordered quantity: dark to light, without the pale end."""
    import matplotlib

    return list(matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, count)))


def _power(value: float) -> str:
    """A number as 1.4 or 1.4 x 10^6, for a legend."""
    if value == 0 or 0.01 <= value < 1000:
        return f"{value:.3g}"
    exponent = int(np.floor(np.log10(value)))
    return rf"${value / 10.0**exponent:.2g} \times 10^{{{exponent}}}$"
