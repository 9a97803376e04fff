"""Draws a fitted resonator: quality factor, frequency shift, and where the loss goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Array, ArrayLike

from ..analysis.resonator.measured import drives_of, levels_of
from ._style import BLACK, BLUE, GREEN, VERMILION, figure, power, ramp, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec


@runtime_checkable
class ResonatorModel(Protocol):
    """Names what is drawn of a `ResonatorLoss`."""

    @property
    def quasiparticle_amplitude(self) -> Array: ...

    @property
    def constant_loss(self) -> Array: ...

    @property
    def shift_offset(self) -> Array: ...

    def tls_loss(self, temperature: ArrayLike, photon_number: ArrayLike) -> ArrayLike: ...

    def quasiparticle_loss(self, temperature: ArrayLike) -> ArrayLike: ...

    def tls_shift(self, temperature: ArrayLike) -> ArrayLike: ...

    def quasiparticle_shift(self, temperature: ArrayLike) -> ArrayLike: ...


Shift: TypeAlias = tuple[ArrayLike, ArrayLike, ArrayLike | None]  # temperatures, shifts, errors
Resonator: TypeAlias = tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike | None, ResonatorModel]

MOST_CURVES = 12
POINTS = 120  # of a curve


@dataclasses.dataclass(frozen=True)
class Sweep:
    """Holds what was swept, and the curves: one for each value of what was not."""

    is_thermal: bool
    x: np.ndarray
    group: np.ndarray
    labels: list[str]
    title: str

    @property
    def label(self) -> str:
        """Gives the label of the horizontal axis."""
        return "temperature [K]" if self.is_thermal else "mean photon number $n$"


def sweep_of(temperature: np.ndarray, photons: np.ndarray, quality: np.ndarray) -> Sweep:
    """Sweeps against n where fewer temperatures than drives were taken, against T elsewhere."""
    drive, level = drives_of(photons, quality, temperature), levels_of(temperature)
    if level.max() >= drive.max():
        middles = [np.exp(np.mean(np.log(np.maximum(photons[drive == d], 1e-30)))) for d in np.unique(drive)]
        return Sweep(True, temperature, drive, [power(n) for n in middles], "mean photon number")
    middles = [float(np.mean(temperature[level == i])) for i in np.unique(level)]
    return Sweep(False, photons, level, [f"{t:.3g} K" for t in middles], "temperature")


def resonator_fit(
    temperature: ArrayLike,
    photon_number: ArrayLike,
    quality_factor: ArrayLike,
    sigma: ArrayLike | None,
    model: ResonatorModel,
    *,
    shift: Shift | None = None,
    title: str = "",
) -> Figure:
    """Draws the internal quality factor against what was swept, fit and residuals; and where the loss goes.

    Arguments:
        temperature: (R,) [K]; empty where the shift was fitted alone.
        photon_number: (R,); rows of one drive make one curve, also where their photon numbers follow Q.
        quality_factor: (R,).
        sigma: (R,) error of the quality factor, or None.
        model: a fitted `ResonatorLoss`.
        shift: temperatures, fractional frequency shifts and their errors (or None), where they were fitted.
        title: above the picture.

    Returns:
        A figure of three panels, five with a shift, two with a shift alone.

    Example:
        >>> model = jt.ResonatorLoss(frequency=5e9, loss_tangent=1e-6)
        >>> kelvin, photons = np.array([0.1, 0.2, 0.1, 0.2]), np.array([1.0, 1.0, 100.0, 100.0])
        >>> fig = resonator_fit(kelvin, photons, np.asarray(model.quality_factor(kelvin, photons)), None, model)
        >>> len(fig.axes)
        3
    """
    temperature, photons, q = (np.asarray(values, float) for values in (temperature, photon_number, quality_factor))
    has_loss = bool(len(q))
    fig = figure(10.5, 5.4 if shift is None or not has_loss else 8.4)
    heights = [3, 1] + [2] * (shift is not None) if has_loss else [1]
    space = fig.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=[1.35, 1])
    panels = []
    if has_loss:
        sweep = sweep_of(temperature, photons, q)
        ax = fig.add_subplot(space[0, 0])
        rest = fig.add_subplot(space[1, 0], sharex=ax)
        parts = fig.add_subplot(space[:, 1] if shift is None else space[0, 1])
        _panels_of_loss(
            (ax, rest, parts), sweep, temperature, photons, q, None if sigma is None else np.asarray(sigma), model
        )
        panels += [ax, rest, parts]
    if shift is not None:
        panels += _shift_panels(fig, space, shift, model, has_loss)
    for axes in panels:
        tidy(axes)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def _grid(values: np.ndarray, logarithmic: bool) -> np.ndarray:
    """Give points over the range of the values and a little more."""
    if not logarithmic:
        return np.linspace(values.min() * 0.97, values.max() * 1.02, POINTS)
    positive = values[values > 0]
    if not len(positive):
        return np.array([0.1, 1.0])
    return np.geomspace(positive.min() / 1.5, positive.max() * 1.5, POINTS)


def _curve(sweep: Sweep, here: np.ndarray, temperature: np.ndarray, photons: np.ndarray) -> tuple[np.ndarray, ...]:
    """Give x, T and n along the curve of one group; the photon number of one drive is interpolated between its rows."""
    if not sweep.is_thermal:
        grid = _grid(sweep.x, True)
        return grid, np.full_like(grid, temperature[here].mean()), grid
    grid = _grid(sweep.x, _is_logarithmic(sweep.x))
    order = np.argsort(temperature[here])
    logs = np.log(np.maximum(photons[here][order], 1e-30))
    return grid, grid, np.exp(np.interp(grid, temperature[here][order], logs))


def _is_logarithmic(x: np.ndarray) -> bool:
    return bool(x.min() > 0 and x.max() > 30 * x.min())


@dataclasses.dataclass(frozen=True)
class Loss:
    """Holds the terms of 1/Q_i at the same points."""

    tls: np.ndarray
    quasiparticles: np.ndarray
    constant: np.ndarray

    @property
    def whole(self) -> np.ndarray:
        """Gives the sum of all three."""
        return self.tls + self.quasiparticles + self.constant


def _losses(model: ResonatorModel, points: list[tuple[np.ndarray, np.ndarray]]) -> list[Loss]:
    """Give the terms of the loss at each (T, n), all asked of the model in one call: it is compiled once a shape."""
    ends = np.cumsum([len(t) for t, _ in points])[:-1]
    temperature, photons = (np.concatenate(columns) for columns in zip(*points, strict=True))
    tls = np.asarray(model.tls_loss(temperature, photons))
    hot = np.zeros_like(tls)
    if float(model.quasiparticle_amplitude) > 0:
        hot = np.asarray(model.quasiparticle_loss(temperature))
    terms = (np.split(part, ends) for part in (tls, hot, np.full_like(tls, float(model.constant_loss))))
    return [Loss(*parts) for parts in zip(*terms, strict=True)]


def _panels_of_loss(
    axes: tuple[Axes, Axes, Axes],
    sweep: Sweep,
    temperature: np.ndarray,
    photons: np.ndarray,
    q: np.ndarray,
    sigma: np.ndarray | None,
    model: ResonatorModel,
) -> None:
    """Draw Q of the first MOST_CURVES groups, what is left of it, and where the loss of the first goes."""
    ax, rest, parts = axes
    groups = np.unique(sweep.group)
    shown = groups[np.unique(np.linspace(0, len(groups) - 1, MOST_CURVES).astype(int))]
    curves = [_curve(sweep, sweep.group == g, temperature, photons) for g in shown]
    rows, *lines = _losses(model, [(temperature, photons), *((t, n) for _, t, n in curves)])
    misfit = 100 * np.log(q * rows.whole)
    for g, (x, _, _), line, colour in zip(shown, curves, lines, ramp(len(shown)), strict=True):
        here = np.flatnonzero(sweep.group == g)
        here = here[np.argsort(sweep.x[here])]
        bars = None if sigma is None else sigma[here]
        ax.errorbar(sweep.x[here], q[here], bars, fmt="o", ms=4, lw=1, color=colour, label=sweep.labels[g])
        ax.plot(x, 1 / line.whole, color=colour, lw=1.5)
        relative = None if bars is None else 100 * bars / q[here]
        rest.errorbar(sweep.x[here], misfit[here], relative, fmt="o-", ms=3, lw=0.6, elinewidth=0.5, color=colour)
    if not sweep.is_thermal or _is_logarithmic(sweep.x):
        ax.set_xscale("symlog" if np.any(sweep.x <= 0) else "log")
    ax.set_yscale("log")
    _sparse_ticks(ax, q)
    ax.set_ylabel(r"internal quality factor $Q_i$")
    ax.tick_params(labelbottom=False, which="both")
    heading = sweep.title + ("\n(points data, lines fit)" if len(shown) == len(groups) else "\n(some of them)")
    ax.legend(title=heading, frameon=False, fontsize=8, title_fontsize=8, loc="best")
    rest.axhline(0, color=BLACK, lw=0.8)
    rest.set_ylabel("residual in\nln Q [%]")
    rest.set_xlabel(sweep.label)
    _loss_panel(parts, sweep, q, curves[0][0], lines[0])


def _sparse_ticks(ax: Axes, values: np.ndarray) -> None:
    """Make labels that do not overlap where a logarithmic axis spans less than a decade or two."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    decades = np.log10(values.max() / values.min()) if values.min() > 0 else 9.0
    if decades < 1.0:
        # as many digits as tell one tick from the next
        step = max(float(np.ptp(values)) / 5, 1e-12 * float(values.max()))
        digits = max(2, 1 + int(np.ceil(np.log10(values.max() / step))))
        ax.yaxis.set_major_locator(MaxNLocator(5, prune="lower"))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power(value, digits)))
        ax.yaxis.set_minor_locator(NullLocator())
    elif decades < 2.5:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _loss_panel(parts: Axes, sweep: Sweep, q: np.ndarray, x: np.ndarray, loss: Loss) -> None:
    """Draw the terms of the loss along the first curve: the weakest drive, or the coldest temperature."""
    here = sweep.group == 0
    terms = {"TLSs": (loss.tls, BLUE, "--")}
    if np.any(loss.quasiparticles > 0):
        terms["quasiparticles"] = (loss.quasiparticles, VERMILION, "-.")
    terms["constant"] = (loss.constant, GREEN, ":")
    parts.plot(sweep.x[here], 1 / q[here], "o", ms=4, color=BLACK, label="data")
    parts.plot(x, loss.whole, color=BLACK, lw=1.5, label="fit")
    for name, (values, colour, style) in terms.items():
        parts.plot(x, values, color=colour, ls=style, lw=1.6, label=name)
    if not sweep.is_thermal or _is_logarithmic(sweep.x):
        parts.set_xscale("symlog" if np.any(sweep.x <= 0) else "log")
    parts.set_yscale("log")
    lowest = min(1 / q[here].max() / 100, float(loss.tls.max()) / 3 or np.inf)
    parts.set_ylim(max(lowest, 1e-4 / q[here].max()), 3 / q[here].min())
    parts.set_xlabel(sweep.label)
    parts.set_ylabel(r"loss $1/Q_i$")
    what = f"n = {sweep.labels[0]}" if sweep.is_thermal else sweep.labels[0]
    parts.set_title(f"where the loss goes at {what}", fontsize=9)
    parts.legend(frameon=False, fontsize=8, loc="best")


def _shift_panels(fig: Figure, space: GridSpec, shift: Shift, model: ResonatorModel, has_loss: bool) -> list[Axes]:
    """Draw the frequency shift with its parts, and what is left of it."""
    temperature, values = np.asarray(shift[0]), np.asarray(shift[1])
    offset = float(model.shift_offset)
    grid = _grid(temperature, _is_logarithmic(temperature))
    everywhere = np.concatenate([grid, temperature])
    tls, pull = np.asarray(model.tls_shift(everywhere)), np.zeros(len(everywhere))
    if float(model.quasiparticle_amplitude) > 0:
        pull = np.asarray(model.quasiparticle_shift(everywhere))
    whole = tls + pull + offset
    ax = fig.add_subplot(space[2, 0] if has_loss else space[0, 0])
    rest = fig.add_subplot(space[1:, 1] if has_loss else space[0, 1])
    bars = None if shift[2] is None else 1e6 * np.asarray(shift[2])
    ax.errorbar(temperature, 1e6 * values, bars, fmt="o", ms=4, lw=1, color=BLACK, label="data")
    ax.plot(grid, 1e6 * whole[: len(grid)], color=BLACK, lw=1.5, label="fit")
    ax.plot(grid, 1e6 * (tls[: len(grid)] + offset), color=BLUE, ls="--", lw=1.6, label="TLSs")
    if np.any(pull):
        hot = 1e6 * (pull[: len(grid)] + offset)
        ax.plot(grid, hot, color=VERMILION, ls="-.", lw=1.6, label="quasiparticles")
    room = 0.12 * float(np.ptp(values))
    # the fit may fall far beyond the hottest row
    ax.set_ylim(1e6 * (values.min() - room), 1e6 * (values.max() + room))
    ax.set_ylabel(r"shift $\Delta f/f$  [$10^{-6}$]")
    ax.legend(frameon=False, fontsize=8, loc="best")
    rest.axhline(0, color=BLACK, lw=0.8)
    rest.errorbar(temperature, 1e6 * (values - whole[len(grid) :]), bars, fmt="o-", ms=4, lw=0.6, color=BLACK)
    rest.set_ylabel(r"residual of shift  [$10^{-6}$]")
    for axes in (ax, rest):
        axes.set_xlabel("temperature [K]")
        if _is_logarithmic(temperature):
            axes.set_xscale("log")
    return [ax, rest]


def resonator_batch(
    resonators: Mapping[str, Resonator],
    tangents: Mapping[str, tuple[float, float | None]],
    mean: tuple[float, float | None] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draws several resonators: quality factors with their fits, and F tan delta of each beside that of the batch.

    Arguments:
        resonators: name -> (temperature, photon_number, quality_factor, sigma or None, fitted model).
        tangents: name -> F tan delta and its error, or None.
        mean: F tan delta of a typical one and its error.
        title: above the picture.

    Returns:
        A figure of two panels.

    Example:
        >>> model = jt.ResonatorLoss(frequency=5e9, loss_tangent=1e-6, saturation="standard")
        >>> n = np.geomspace(1.0, 1e4, 5)
        >>> one = (np.full(5, 0.1), n, np.asarray(model.quality_factor(0.1, n)), None, model)
        >>> len(resonator_batch({"a": one}, {"a": (1e-6, 1e-7)}).axes)
        2
    """
    fig = figure(10.5, 4.8)
    ax, right = fig.subplots(1, 2, width_ratios=[1.35, 1])
    colours = ramp(len(resonators))
    _batch_curves(ax, resonators, colours)
    _batch_tangents(right, tangents, mean, colours)
    for axes in (ax, right):
        tidy(axes)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def _batch_curves(ax: Axes, resonators: Mapping[str, Resonator], colours: list[Any]) -> None:
    """Draw Q of each resonator's first group, and its fit."""
    for (name, (temperature, photons, q, sigma, model)), colour in zip(resonators.items(), colours, strict=True):
        temperature, photons, q = (np.asarray(values, float) for values in (temperature, photons, q))
        sweep = sweep_of(temperature, photons, q)
        here = sweep.group == 0
        bars = None if sigma is None else np.asarray(sigma)[here]
        ax.errorbar(sweep.x[here], q[here], bars, fmt="o", ms=4, lw=1, color=colour, label=name)
        x, t, n = _curve(sweep, here, temperature, photons)
        ax.plot(x, 1 / _losses(model, [(t, n)])[0].whole, color=colour, lw=1.5)
        ax.set_xlabel(sweep.label)
        if not sweep.is_thermal:
            ax.set_xscale("log")
    ax.set_yscale("log")
    _sparse_ticks(ax, np.concatenate([np.asarray(q, float) for _, _, q, _, _ in resonators.values()]))
    ax.set_ylabel(r"internal quality factor $Q_i$")
    if len(resonators) <= MOST_CURVES:
        ax.legend(title="resonator\n(points data, lines fit)", frameon=False, fontsize=8, title_fontsize=8)


def _batch_tangents(
    ax: Axes,
    tangents: Mapping[str, tuple[float, float | None]],
    mean: tuple[float, float | None] | None,
    colours: list[Any],
) -> None:
    """Draw F tan delta of each resonator, and that of a typical one."""
    for i, ((value, error), colour) in enumerate(zip(tangents.values(), colours, strict=True)):
        bar = error if error is not None and np.isfinite(error) else None
        ax.errorbar(value, i, xerr=bar, fmt="o", ms=5, color=colour)
    ax.set_yticks(range(len(tangents)), list(tangents))
    ax.invert_yaxis()
    if mean is not None:
        ax.axvline(mean[0], color=BLACK, lw=1, label="typical one")
        if mean[1] is not None:
            width = np.exp(mean[1] / mean[0])
            ax.axvspan(mean[0] / width, mean[0] * width, color="0.85", lw=0)
        ax.legend(frameon=False, fontsize=8)
    if all(value > 0 for value, _ in tangents.values()):
        ax.set_xscale("log")
    ax.set_xlabel(r"$F\,\tan\delta$")
