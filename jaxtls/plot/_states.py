"""Draws states: Wigner functions and populations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .._checks import require
from .._types import Numbers
from ..quantum import wigner as wigner_function
from ._style import PALETTE, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# What the horizontal axis counts.
KINDS = {"fock": "Fock level $n$", "spins": "excited TLSs $k$", "sites": "TLS"}


def wigner(rho: Numbers, xs: Numbers | None = None, ps: Numbers | None = None, *, ax: Axes | None = None) -> Axes:
    r"""Draws the Wigner function of an oscillator, red where positive and blue where negative.

    $$W(x, p) = \frac1\pi \int dy \, \langle x - y | \rho | x + y \rangle \, e^{2ipy}$$

    Arguments:
        rho: density matrix (n, n) in the Fock basis, or a ket (n,).
        xs: positions (X,) [sqrt(hbar/(M omega))]; by default as far as the state's levels reach.
        ps: momenta (P,) [sqrt(hbar M omega)]; as xs by default.
        ax: axes to draw into; a new figure by default.

    Returns:
        The axes.

    Raises:
        ValueError: as `jt.wigner`.

    Example:
        >>> ax = jt.plot.wigner(jnp.array([0.0, 1.0]))
        >>> float(ax.collections[0].get_array().min()) < -0.3
        True
    """
    state = np.asarray(rho)
    if xs is None:
        # As far as the highest level that holds a ten-thousandth, and the width of a vacuum beyond.
        p = np.abs(state) ** 2 if state.ndim == 1 else np.abs(np.diagonal(state))
        top = int(np.max(np.flatnonzero(p > 1e-4), initial=0))
        xs = np.linspace(-1, 1, 201) * (np.sqrt(2 * top + 1) + 1.5)
    xs = np.asarray(xs)
    ps = xs if ps is None else np.asarray(ps)
    values = np.asarray(wigner_function(state, xs, ps))
    ax = new_axes(ax, 5.2, 4.2)
    ax.grid(False)
    most = float(np.max(np.abs(values)))
    picture = ax.pcolormesh(xs, ps, values.T, cmap="RdBu_r", vmin=-most, vmax=most, shading="nearest", rasterized=True)
    ax.set_aspect("equal")
    ax.set_xlabel(r"position $x$  [$\sqrt{\hbar / M\omega}$]")
    ax.set_ylabel(r"momentum $p$  [$\sqrt{\hbar M \omega}$]")
    ax.figure.colorbar(picture, ax=ax, shrink=0.85).set_label(r"$W(x, p)$  [$1/\hbar$]")
    return ax


def populations(
    states: Numbers | Mapping[str, Numbers],
    *,
    ts: Numbers | None = None,
    kind: str = "fock",
    time_label: str = "time",
    ax: Axes | None = None,
) -> Axes:
    r"""Draws populations of levels: bars for one state or several, a map for a state that moves.

    $$P_n = \langle n | \rho | n \rangle$$

    Arguments:
        states: density matrix (n, n), ket or probabilities (n,) (real numbers are a ket where their squares add up
            to one); a dict of label to such; with `ts` an array of them, (T, n, n) or (T, n).
        ts: (T,) times, for a map of log10 P against time.
        kind: what is counted: "fock" levels, excited "spins", or "sites" (whose probabilities need not add up to one).
        time_label: with its unit.
        ax: axes to draw into; a new figure by default.

    Returns:
        The axes.

    Raises:
        ValueError: for an unknown kind, or states of another shape.

    Example:
        >>> ax = jt.plot.populations({"cold": [0.9, 0.1], "hot": [0.6, 0.4]})
        >>> ax.get_xlabel(), [round(float(bar.get_height()), 3) for bar in ax.patches]
        ('Fock level $n$', [0.9, 0.1, 0.6, 0.4])
    """
    require(kind in KINDS, "kind", f"be one of {', '.join(KINDS)}", repr(kind))
    if ts is not None:
        times, p = np.asarray(ts), _diagonal(states, kind, batch=True)
        require(p.shape[:1] == times.shape, "states", f"have a leading axis like `ts`, {times.shape}", p.shape)
        ax = new_axes(ax)
        ax.grid(False)
        shown = np.log10(np.where(p > 0, p, np.nan)).T
        levels = np.arange(p.shape[1])
        picture = ax.pcolormesh(
            times, levels, shown, cmap="viridis", vmin=-6, vmax=0, shading="nearest", rasterized=True
        )
        ax.figure.colorbar(picture, ax=ax, extend="min").set_label(r"$\log_{10} P$")
        ax.locator_params(axis="y", integer=True)
        ax.set_xlabel(time_label)
        ax.set_ylabel(KINDS[kind])
        return ax
    several = states if isinstance(states, Mapping) else {"": states}
    ax = new_axes(ax)
    width = 0.8 / len(several)
    most = 0
    for i, (label, state) in enumerate(several.items()):
        p = _diagonal(state, kind)
        places = np.arange(len(p)) + width * (i - (len(several) - 1) / 2)
        ax.bar(places, p, width, color=PALETTE[i % len(PALETTE)], label=label or None)
        most = max(most, len(p))
    ax.locator_params(axis="x", integer=True)
    ax.set_xlim(-0.6, most - 0.4)
    ax.set_xlabel(KINDS[kind])
    ax.set_ylabel("population")
    if len(several) > 1 or "" not in several:
        ax.legend(frameon=False)
    return ax


def _diagonal(state: Numbers | Mapping[str, Numbers], kind: str, batch: bool = False) -> np.ndarray:
    """Give populations of a density matrix, a ket or probabilities."""
    array = np.asarray(state)
    axes = array.ndim - batch
    if axes == 2 and array.shape[-1] == array.shape[-2]:
        return np.diagonal(array, axis1=-2, axis2=-1).real
    require(axes == 1, "states", "be (n, n) or (n,), with `ts` of a leading axis T", f"shape {array.shape}")
    squares = np.abs(array) ** 2
    if np.iscomplexobj(array):
        return squares
    is_ket = (
        kind != "sites" and np.allclose(squares.sum(-1), 1, atol=1e-4) and not np.allclose(array.sum(-1), 1, atol=1e-4)
    )
    return squares if is_ket else array
