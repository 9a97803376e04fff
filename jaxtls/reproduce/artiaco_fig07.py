"""Artiaco, Balducci & Scardicchio, Fig. 7: mean concurrence of open glasses, past the paper's N.

Agrees with the paper; T = 0. Measured with 5000 realizations at N = 6 to 9 and, past the paper, 20, 1000 at 60,
that is in full size:
- eps = 1 lowers the maximum and moves it to earlier times: 0.1952(6) to 0.1078(8) at N = 6, 0.1841(5) to 0.1061(6) at
  N = 9, 0.1741(3) to 0.1027(4) at N = 20, 0.1653(4) to 0.1004(5) at N = 60; from 2.2e-3 (N = 6) or 1.5e-3 to 1.0e-3
  hbar/W, from N = 20 on from 1.0e-3 to 0.7e-3.
- eps = 1e-6 changes nothing (1e-4 of the maximum) before 0.01 hbar/W, 1 % of it at 1 hbar/W for N = 6 and 0.2 % for
  N = 9, then takes the plateau away: 0.092(1), 0.047(1), 0.022(1), 0.0093(3) become 0.
- At N = 20 and 60 there is no plateau to be taken: the curves of 0 and 1e-6 are the same.
The quick size, 1000 realizations at N = 6 and 8 and 200 at N = 20, agrees within its errors. The full size takes an
hour on one core of a CPU.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from .. import plot
from .._progress import each
from ._artiaco import CONCURRENCE, TIME, average, columns, draw_curve, dress, tex, times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"n_tls": "", "dissipation": "", "t": "hbar/W"}
DISSIPATION = (0.0, 1e-6, 1.0)
COLOURS, DASHES = (plot.BLUE, plot.VERMILION, plot.GREEN), ("-", (0, (5, 2)), "-")
# N: realizations
QUICK = {6: 1000, 8: 1000, 20: 200}
FULL = {6: 5000, 7: 5000, 8: 5000, 9: 5000, 20: 5000, 60: 1000}


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Computes C(t) at three dissipations, the same draws at each.

    Arguments:
        quick: N = 6, 8, 20 and 200 to 1000 realizations; False: N = 6 to 9, 20, 60, and 1000 to 5000.
        progress: show bars on stderr.
        store: folder for the realizations, from which a later call goes on.

    Returns:
        n_tls (K,), dissipation (E,), t (T,) [hbar/W], C_eps<e>_N<n> and C_eps<e>_N<n>_sem (T,); peak_time, peak,
        peak_sem (K E,): largest value of each curve, the dissipations of the first N first.
    """
    sizes = QUICK if quick else FULL
    ts = np.concatenate([times(-6, 0, 6), times(0, 7, 3)[1:]])
    found = {"n_tls": np.array([*sizes], float), "dissipation": np.array(DISSIPATION), "t": ts}
    vary, peaks = ("dissipation", DISSIPATION), []
    for n, count in each(sizes.items(), "N", progress):
        curves = average(["concurrence"], n, ts, count, vary=vary, store=store, progress=progress)
        found |= columns(curves, "concurrence", [f"C_eps{e:g}_N{n}" for e in DISSIPATION])
        mean, sem = curves.mean["concurrence"], curves.sem["concurrence"]
        peaks += [(ts[i], mean[k, i], sem[k, i]) for k, i in enumerate(mean.argmax(axis=1))]
    return found | dict(zip(("peak_time", "peak", "peak_sem"), np.array(peaks).T, strict=True))


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws a panel for each N."""
    n = data["n_tls"]
    fig = plot.figure(0.8 + 3.3 * len(n), 3.9)
    axes = np.atleast_1d(fig.subplots(1, len(n), sharey=True))
    for ax, letter, k in zip(axes, "abcdefgh", n, strict=False):
        for e, colour, dash in zip(data["dissipation"], COLOURS, DASHES, strict=True):
            label = rf"$\epsilon = {tex(e)}$"
            draw_curve(ax, data["t"], data, f"C_eps{e:g}_N{k:g}", color=colour, ls=dash, label=label)
        ax.set(xscale="log", yscale="log", xlim=data["t"][[0, -1]], ylim=(1e-5, 0.4))
        ax.set_xticks(10.0 ** np.arange(-6, 8, 3))
        ax.minorticks_off()
        dress(ax, TIME, CONCURRENCE, letter)
        ax.label_outer()
        ax.set_title(f"$N = {k:g}$", fontsize=10)
    axes[-1].legend(frameon=False, fontsize=8, loc="upper right")
    return fig
