"""Artiaco, Balducci & Scardicchio, Fig. 10: half-system entropy of an open glass.

Bubbles of N/2 TLSs, T = 0. Measured with 1000 realizations at N = 4, 6, 8, 10, 12 (full size):
- eps = 0: plateau S_E/N = 0.136(2), 0.157(1), 0.171(1), 0.181(1), 0.189(1) from 0.05 to 1 hbar/W. Agrees with Fig. 6.
- eps = 1e-6: "in two steps". Agrees at first: the plateau of eps = 0 from 0.05 to 1 hbar/W, then up to 0.174(2),
  0.199(2), 0.212(1), 0.221(1), 0.227(1) near 200 to 300 hbar/W. But S_E falls again afterwards, to 0.011 at any N at
  1e7 hbar/W: at T = 0 the steady state is the pure ground state, and the entropy goes to the phonons.
- eps = 1: one maximum, 0.114(2), 0.126(2), 0.132(2), 0.137(1), 0.139(1) at 0.01 hbar/W, then to zero. "Almost
  independent of N" is true of the rise and of the fall; the maximum grows by a fifth from N = 4 to 12.
The quick size, 300, 200, 100 realizations at N = 4, 6, 8, agrees within its errors. The full size takes an hour on one
core of a CPU.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from .. import plot
from .._progress import each
from ._artiaco import ENTROPY, STYLES, TIME, average, columns, draw_curve, dress, tex, times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"n_tls": "", "dissipation": "", "t": "hbar/W"}
DISSIPATION = (0.0, 1e-6, 1.0)
# N: realizations
QUICK = {4: 300, 6: 200, 8: 100}
FULL = dict.fromkeys((4, 6, 8, 10, 12), 1000)


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Computes S_E(t)/N at three dissipations and several N.

    Arguments:
        quick: N = 4, 6, 8 and 100 to 300 realizations; False: to 12, and 1000.
        progress: show bars on stderr.
        store: folder for the realizations, from which a later call goes on.

    Returns:
        n_tls (K,), dissipation (E,), t (T,) [hbar/W], S_eps<e>_N<n> and S_eps<e>_N<n>_sem (T,), divided by N.
    """
    sizes = QUICK if quick else FULL
    ts = times(-5, 7, 4)
    found = {"n_tls": np.array([*sizes], float), "dissipation": np.array(DISSIPATION), "t": ts}
    vary = ("dissipation", DISSIPATION)
    for n, count in each(sizes.items(), "N", progress):
        curves = average(["half_system_entropy"], n, ts, count, vary=vary, store=store, progress=progress)
        entropy = columns(curves, "half_system_entropy", [f"S_eps{e:g}_N{n}" for e in DISSIPATION])
        found |= {name: values / n for name, values in entropy.items()}
    return found


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws a panel for each dissipation."""
    fig = plot.figure(11.0, 3.9)
    axes = fig.subplots(1, len(data["dissipation"]), sharey=True)
    n = data["n_tls"]
    for ax, letter, e in zip(axes, "abc", data["dissipation"], strict=True):
        for k, colour, style in zip(n, plot.ramp(len(n)), STYLES * 2, strict=False):
            draw_curve(ax, data["t"], data, f"S_eps{e:g}_N{k:g}", color=colour, ls=style, label=f"{k:g}")
        ax.axhline(np.log(2) / 2, color="0.5", lw=0.9, ls=(0, (1, 2)))
        ax.set(xscale="log", xlim=data["t"][[0, -1]], ylim=(0, 0.38))
        ax.set_xticks(10.0 ** np.arange(-5, 8, 3))
        ax.minorticks_off()
        dress(ax, TIME, ENTROPY, letter)
        ax.label_outer()
        ax.set_title(rf"$\epsilon = {tex(e)}$", fontsize=10)
    axes[0].text(2e-5, np.log(2) / 2 - 0.006, r"most possible, $\frac{1}{2} \ln 2$", fontsize=8, va="top")
    axes[-1].legend(title="$N$", frameon=False, fontsize=8, loc="center right")
    return fig
