"""Artiaco, Balducci & Scardicchio, Fig. 4b: compression only shifts the clock of a closed glass, as R³.

"Rescaling the time as t R/10^3 the curves collapse": with R³, not with R, as the couplings are proportional to R³ and
nothing else enters C at eps = 0. The collapse is then exact, realization by realization: the same draws at R and R/2
differ by 1.2e-13 at most (N = 20, 200 realizations), on average over 1000 of N = 50 (full size) by 3e-14.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from .. import plot
from ._artiaco import CONCURRENCE, average, columns, draw_curve, dress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"n_tls": "", "compression": "", "t": "hbar/W"}
COMPRESSIONS = (250.0, 500.0, 1000.0, 2000.0, 4000.0)
STEPS = 2  # times per octave: a factor 8 in J is a shift by 3 STEPS times
QUICK, FULL = (20, 200), (50, 1000)  # N, realizations


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Computes C(t) at five compressions, the same draws at each.

    Arguments:
        quick: N = 20 and 200 realizations; False: N = 50 and 1000.
        progress: show a bar on stderr.
        store: folder for the realizations, from which a later call goes on.

    Returns:
        n_tls (1,), compression (K,), t (T,) [hbar/W], C_R<R> and C_R<R>_sem (T,); misfit (K-1,): the largest
        |C(t; R) - C(8t; R/2)|.
    """
    n, count = QUICK if quick else FULL
    ts = 2.0 ** np.arange(-26, -1 + 1 / STEPS, 1 / STEPS)
    vary = ("compression", COMPRESSIONS)
    curves = average(["concurrence"], n, ts, count, vary=vary, store=store, progress=progress)
    c, shift = curves.mean["concurrence"], 3 * STEPS
    found = {"n_tls": np.array([float(n)]), "compression": np.array(COMPRESSIONS), "t": ts}
    found |= columns(curves, "concurrence", [f"C_R{r:g}" for r in COMPRESSIONS])
    return found | {"misfit": np.abs(c[1:, :-shift] - c[:-1, shift:]).max(axis=1)}


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws C against time rescaled as the caption says, and by R³."""
    fig = plot.figure(9.0, 3.9)
    axes = fig.subplots(1, 2, sharey=True)
    colours = plot.ramp(len(data["compression"]))
    for ax, power in zip(axes, (1, 3), strict=True):
        for i, (r, colour) in enumerate(zip(data["compression"], colours, strict=True)):
            looks = {"color": colour, "ls": (3 * i, (3, 12)) if power == 3 else "-", "lw": 2.2 if power == 3 else 1.4}
            draw_curve(ax, data["t"] * (r / 1e3) ** power, data, f"C_R{r:g}", label=f"{r:g}", **looks)
        ax.set(xscale="log", yscale="log", ylim=(1e-4, 0.4), xlim=(1e-7, 1e-1))
    dress(axes[0], r"$t \, R/10^3$  [$\hbar/W$], as printed", CONCURRENCE, "a")
    dress(axes[1], r"$t \, (R/10^3)^3$  [$\hbar/W$]", CONCURRENCE, "b")
    axes[1].label_outer()
    axes[0].set_title(f"$N = {data['n_tls'][0]:g}$", fontsize=10)
    handles, labels = axes[0].get_legend_handles_labels()
    axes[1].legend(handles, labels, title="compression $R$", frameon=False, fontsize=8, loc="lower center")
    return fig
