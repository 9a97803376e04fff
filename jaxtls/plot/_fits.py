"""Draws fits: data, curve, residuals, and how the parameters' errors hang together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, SupportsFloat, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import ArrayLike, PyTree

from .._checks import require
from .._types import Numbers
from ._style import BLUE, LABELS, SKY, VERMILION, figure, new_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Data: TypeAlias = Numbers | Mapping[str, Numbers]
# Data, error bars or None, prediction.
Column: TypeAlias = tuple[np.ndarray, np.ndarray | None, np.ndarray]


@runtime_checkable
class Estimated(Protocol):
    """Holds parameters and how their errors hang together."""

    @property
    def names(self) -> Sequence[str]:
        """Gives the names of the parameters, in the order of the correlations."""

    @property
    def values(self) -> Mapping[str, ArrayLike]:
        """Gives the values of the parameters."""

    @property
    def stderr(self) -> Mapping[str, ArrayLike]:
        """Gives standard errors of the parameters."""

    @property
    def correlation(self) -> ArrayLike:
        """Gives the matrix of correlations."""


@runtime_checkable
class Fitted(Estimated, Protocol):
    """Holds a fit of a curve to data."""

    @property
    def predicted(self) -> PyTree:
        """Gives the prediction, like the data."""

    @property
    def chi2(self) -> SupportsFloat:
        """Gives the sum of squares, not reduced."""

    @property
    def dof(self) -> int:
        """Gives data less parameters."""


def trace_fit(
    ts: Numbers,
    data: dict[str, Any],
    sigma: dict[str, Any],
    predicted: dict[str, Any],
    *,
    title: str = "",
    time_label: str = "time",
) -> Figure:
    """Draws measured traces with error bars, the fit through them, and the residuals in units of the error bars.

    Arguments:
        ts: times (T,).
        data, sigma, predicted: name -> (T,) array, the same names in each.
        title: above the picture.
        time_label: the label of the time axis, with its unit.

    Returns:
        A figure with one column for each name.

    Example:
        >>> ts, x = np.arange(3.0), {"x": np.ones(3)}
        >>> fig = trace_fit(ts, x, x, {"x": np.zeros(3)}, time_label="time  [s]")
        >>> [ax.get_ylabel() for ax in fig.axes]
        ['$\\\\langle x \\\\rangle$', 'residual / error']
    """
    fig = figure(4.6 * len(data), 5.0)
    top, bottom = fig.subplots(2, len(data), sharex=True, squeeze=False, height_ratios=[3, 1])
    for column, name in enumerate(data):
        found = np.asarray(data[name]), np.asarray(sigma[name]), np.asarray(predicted[name])
        _data_and_fit(top[column], bottom[column], np.asarray(ts), found, LABELS.get(name, name))
        bottom[column].set_xlabel(time_label)
    if title:
        fig.suptitle(title, fontsize=11)
    return fig


def fit_report(
    f: Fitted, x: Numbers, data: Data, *, sigma: Data | None = None, x_label: str = "time", title: str | None = None
) -> list[Axes]:
    """Draws a fit on one page: data with error bars and curve, residuals, and the correlation of the fitted parameters.

    Arguments:
        f: a `FitResult` (anything with `predicted`, `names`, `values`, `stderr`, `correlation`, `chi2`, `dof`).
        x: (T,) what the data are drawn against.
        data: as `jt.fit` was given them: a (T,) array, or a dict of name -> (T,) array; numbers of other shapes are
            left out.
        sigma: as `jt.fit` was given it: a number, or a pytree like the data; None draws residuals in the data's unit.
        x_label: with its unit.
        title: above the picture; chi2 by default.

    Returns:
        The axes: data and residuals of each name, then the correlation matrix.

    Raises:
        ValueError: if nothing in the data is as long as x, or sigma is not like the data.

    Example:
        >>> import equinox as eqx
        >>> class Line(eqx.Module):
        ...     slope: float
        ...     offset: float
        >>> x = jnp.linspace(0.0, 1.0, 5)
        >>> predict, free = lambda m: m.offset + m.slope * x, {"slope": jt.Real(), "offset": jt.Real()}
        >>> f = jt.fit(predict, Line(1.0, 0.0), 2 * x + 1, sigma=0.1, free=free)
        >>> axes = jt.plot.fit_report(f, x, 2 * x + 1, sigma=0.1)
        >>> axes[1].get_ylabel(), axes[-1].get_title()
        ('residual / error', 'correlation')
    """
    x = np.asarray(x)
    columns = _columns(f, x, data, sigma)
    fig = figure(4.2 * len(columns) + 4.0, 4.6)
    space = fig.add_gridspec(2, len(columns) + 1, height_ratios=[3, 1], width_ratios=[1.1] * len(columns) + [1])
    axes = []
    for i, (name, values) in enumerate(columns.items()):
        ax = fig.add_subplot(space[0, i])
        rest = fig.add_subplot(space[1, i], sharex=ax)
        _data_and_fit(ax, rest, x, values, LABELS.get(name, name))
        ax.tick_params(labelbottom=False)
        rest.set_xlabel(x_label)
        axes += [ax, rest]
    axes.append(correlations(f, ax=fig.add_subplot(space[:, -1])))
    dof = int(f.dof)
    reduced = rf", $\chi^2$/dof = {float(f.chi2) / dof:.3g}" if dof > 0 else ""
    fig.suptitle(
        rf"$\chi^2$ = {float(f.chi2):.4g}, {dof} degrees of freedom{reduced}" if title is None else title, fontsize=11
    )
    return axes


def correlations(f: Estimated, *, ax: Axes | None = None) -> Axes:
    r"""Draws the correlation matrix of the fitted parameters, with the values beside their names.

    $$\rho_{ij} = \mathrm{cov}_{ij} / \sqrt{\mathrm{cov}_{ii} \, \mathrm{cov}_{jj}}$$

    Arguments:
        f: a `FitResult` (anything with `names`, `values`, `stderr` and `correlation`).
        ax: axes to draw into; a new figure by default.

    Returns:
        The axes. Entries of parameters that the data do not fix are left blank.

    Example:
        >>> from types import SimpleNamespace
        >>> numbers = dict(values={"a": 1.0, "b": 2.0}, stderr={"a": 0.1, "b": 0.2})
        >>> f = SimpleNamespace(names=("a", "b"), correlation=np.array([[1.0, -0.9], [-0.9, 1.0]]), **numbers)
        >>> [text.get_text() for text in correlations(f).texts]
        ['1', '-0.90', '-0.90', '1']
    """
    from ..fitting.estimates import with_error

    matrix, n = np.asarray(f.correlation, float), len(f.names)
    ax = new_axes(ax, 1.6 + 0.6 * n, 1.4 + 0.6 * n)
    ax.grid(False)
    picture = ax.imshow(np.ma.masked_invalid(matrix), cmap="RdBu_r", vmin=-1, vmax=1)
    if n <= 12:
        for i, j in np.argwhere(np.isfinite(matrix)):
            number = "1" if i == j else f"{matrix[i, j]:.2f}"
            colour = "white" if abs(matrix[i, j]) > 0.6 else "black"
            ax.text(j, i, number, ha="center", va="center", fontsize=8, color=colour)
    numbers, errors = (
        np.concatenate([np.ravel(np.asarray(v)) for v in tree.values()]).tolist() for tree in (f.values, f.stderr)
    )
    rows = [f"{name}\n{with_error(*pair)}" for name, *pair in zip(f.names, numbers, errors, strict=True)]
    long = max(map(len, f.names)) > 4
    ax.set_xticks(range(n), f.names, rotation=45 * long, ha="right" if long else "center", fontsize=8)
    ax.set_yticks(range(n), rows, fontsize=8)
    ax.tick_params(length=0)
    ax.set_title("correlation", fontsize=10)
    ax.figure.colorbar(picture, ax=ax, shrink=0.8, ticks=(-1, 0, 1))
    return ax


def _columns(f: Fitted, x: np.ndarray, data: Data, sigma: Data | None) -> dict[str, Column]:
    """Give name -> data, error or None, prediction, of what is as long as x."""
    single = not isinstance(data, Mapping)
    everything = data if isinstance(data, Mapping) else {"data": data}
    predicted = {"data": f.predicted} if single else f.predicted
    bars: Mapping[str, Numbers | None]
    if isinstance(sigma, Mapping):
        good, bars = set(sigma) >= set(everything), sigma
    else:
        good, bars = sigma is None or np.ndim(np.asarray(sigma)) == 0 or single, dict.fromkeys(everything, sigma)
    require(good, "sigma", "be a number or like the data", type(sigma).__name__)
    columns = {}
    for name, values in everything.items():
        if np.shape(np.asarray(values)) == x.shape:
            bar = None if bars[name] is None else np.broadcast_to(np.asarray(bars[name], float), x.shape)
            columns[name] = np.asarray(values), bar, np.asarray(predicted[name])
    shapes = ", ".join(f"{name} {np.shape(np.asarray(values))}" for name, values in everything.items())
    require(bool(columns), "data", f"hold an array of shape {x.shape}, as `x`", shapes)
    return columns


def _data_and_fit(ax: Axes, rest: Axes, x: np.ndarray, column: Column, label: str) -> None:
    """Draw points with error bars and curve; below, residuals in units of the errors, or plain ones without errors."""
    data, sigma, predicted = column
    ax.errorbar(x, data, sigma, fmt="o", ms=3, lw=1, color=BLUE, label="data", zorder=1)
    ax.plot(x, predicted, color=VERMILION, lw=1.5, label="fit", zorder=2)
    ax.set_ylabel(label)
    ax.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    left = data - predicted
    rest.axhline(0, color=VERMILION, lw=1)
    if sigma is not None:
        left = left / sigma
        rest.axhspan(-1, 1, color=SKY, alpha=0.25, lw=0)
        reach = max(3.2, 1.1 * float(np.max(np.abs(left))))
        rest.set_ylim(-reach, reach)
    rest.plot(x, left, "o", ms=3, color=BLUE)
    rest.set_ylabel("residual" if sigma is None else "residual / error")
    tidy(ax)
    tidy(rest)
