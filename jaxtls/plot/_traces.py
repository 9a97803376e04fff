"""Draws observables against time, and averages with their bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import ArrayLike, PyTree

from .._types import Numbers
from ._style import BLACK, LABELS, PALETTE, cycle, figure, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@runtime_checkable
class Recorded(Protocol):
    """Holds observables against time."""

    @property
    def ts(self) -> ArrayLike:
        """Gives the times, (T,)."""

    @property
    def observables(self) -> Mapping[str, ArrayLike]:
        """Gives each name -> its values, (T,) or more."""


@runtime_checkable
class Averaged(Protocol):
    """Holds a mean and its standard error, pytrees of one structure."""

    @property
    def mean(self) -> PyTree:
        """Gives the average of all."""

    @property
    def sem(self) -> PyTree:
        """Gives its standard error."""


def traces(sol: Recorded, names: Sequence[str] | None = None, *, time_label: str = "time") -> list[Axes]:
    """Draws observables of a Solution against its times, one panel each.

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
    for ax, name, colour in zip(axes, names, cycle(len(names)), strict=True):
        ax.plot(ts, observables[name].real, color=colour, lw=1.5)
        ax.set_ylabel(LABELS.get(name, name))
        tidy(ax)
    axes[-1].set_xlabel(time_label)
    axes[-1].set_xlim(ts[0], ts[-1])
    return axes


def band(
    ts: Numbers,
    r: Averaged,
    *,
    name: str | None = None,
    scale: str = "linear",
    label: str = "",
    time_label: str = "time",
    ax: Axes | None = None,
) -> Axes:
    r"""Draws the mean of an ensemble against time, with the band of one standard error on both sides.

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
    ax = new_axes(ax)
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
    # Next to other curves, labels that say more than the defaults stay.
    if not ax.get_xlabel() or time_label != "time":
        ax.set_xlabel(time_label)
    ax.set_ylabel(ax.get_ylabel() or LABELS.get(name, "" if name == "value" else name))
    if label:
        ax.legend(frameon=False)
    return ax


def power_law(
    ts: Numbers,
    r: Averaged,
    window: tuple[float, float] | None = None,
    *,
    name: str | None = None,
    covariance: Numbers | None = None,
    label: str = "",
    time_label: str = "time",
    ax: Axes | None = None,
) -> Axes:
    r"""Draws the mean of an ensemble with its band on logarithmic axes, and the power law fitted to it over a window.

    $$C(t) \propto t^{-\beta}$$

    Arguments:
        ts: times (T,), > 0.
        r: as for `band`.
        window: first and last time of the fit; all by default.
        name: as for `band`.
        covariance: (T, T) of the mean between times, for the exact error of the exponent; without it the legend has the
            largest that any correlation of the times allows (`jt.fit_power_law`).
        label: before the exponent in the legend.
        time_label: the label of the time axis, with its unit.
        ax: axes to draw into, next to what is there; a new figure by default.

    Returns:
        The axes; the last two lines are the mean and the fit.

    Raises:
        ValueError: as `band` and `jt.fit_power_law`.

    Example:
        >>> ts = np.geomspace(1.0, 100.0, 9)
        >>> from types import SimpleNamespace
        >>> ax = power_law(ts, SimpleNamespace(mean=ts**-2, sem=1e-3 * ts**-2), (2.0, 50.0))
        >>> ax.get_legend().get_texts()[0].get_text()
        '$t^{-2.0000 \\pm 0.0010}$'
    """
    from ..fitting.estimates import with_error
    from ..fitting.power_law import fit_power_law

    ts = np.asarray(ts)
    found, mean, sem = _curve(ts, r, name)
    law = fit_power_law(ts, mean, sem, covariance=covariance, window=window)
    ax = band(ts, r, name=found, scale="loglog", time_label=time_label, ax=ax)
    exponent = with_error(law.exponent, law.exponent_sem).replace("±", r"\pm")
    ax.lines[-1].set_label(f"{label}, " * bool(label) + f"$t^{{-{exponent}}}$")
    inside = ts[(ts >= law.since) & (ts <= law.until)]
    ax.plot(inside, law(inside), color=BLACK, ls=(0, (3, 2)), lw=1.2, zorder=3)
    ax.legend(frameon=False)
    return ax


def _curve(ts: np.ndarray, r: Averaged, name: str | None) -> tuple[str, np.ndarray, np.ndarray]:
    """Give one leaf of an ensemble's mean and its error, as real arrays like ts."""
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
