"""A fitted resonator: quality factor, frequency shift, and where the loss goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._style import BLACK, BLUE, GREEN, VERMILION, figure, power, ramp, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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

    Example:
        >>> model = jt.ResonatorLoss(frequency=5e9, loss_tangent=1e-6)
        >>> kelvin, photons = np.array([0.1, 0.2, 0.1, 0.2]), np.array([1.0, 1.0, 100.0, 100.0])
        >>> fig = resonator_fit(kelvin, photons, np.asarray(model.quality_factor(kelvin, photons)), None, model)
        >>> len(fig.axes)
        3
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
        ax.errorbar(temperature[here], q[here], bars, fmt="o", ms=4, lw=1, color=colour, label=power(drive))
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
    parts.set_title(f"where the loss goes at {power(weakest)} photons", fontsize=9)
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
