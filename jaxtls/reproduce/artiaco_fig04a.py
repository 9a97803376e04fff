"""Artiaco, Balducci & Scardicchio, Fig. 4a: the plateau of the mean concurrence of a closed glass against N.

"C(inf) goes as e^(-alpha N), alpha = 0.73": only on average over a window of N. In full size (20 000 to 400 000
realizations) a line of equal weights through ln C(inf) at N = 4 to 14 has alpha = 0.875(1), but the slope between
neighbours grows all the way: 0.444(2) from N = 4 to 6, 0.710(5), 0.910(7), 1.062(9), 1.208(11) from 12 to 14. Whoever
ends at N = 10 finds 0.69. The plateau is far above that of a random state, as the paper says: 3.81(6)e-5 at N = 14.
The quick size, with 2000 to 8000 realizations to N = 12, agrees within its errors. The full size takes ten minutes on
one core of a CPU.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from .. import plot
from .._progress import each
from ._artiaco import average, dress, level, times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"n_tls": "", "n_between": ""}
WINDOW = (1e2, 1e4)
# N: realizations
QUICK = {4: 2000, 6: 2000, 8: 2000, 10: 4000, 12: 8000}
FULL = {4: 20_000, 6: 20_000, 8: 20_000, 10: 50_000, 12: 100_000, 14: 400_000}
RANDOM_STATE = 0.127  # exp(-0.127 2^N), Fig. 11


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Computes C at late times and the slopes of its logarithm.

    Arguments:
        quick: N = 4 to 12 and 2000 to 8000 realizations; False: to 14, and 20 000 to 400 000.
        progress: show bars on stderr.
        store: folder for the realizations, from which a later call goes on.

    Returns:
        n_tls, plateau, plateau_sem (K,): mean over 9 times from 1e2 to 1e4 hbar/W; n_between, alpha_local,
        alpha_local_sem (K-1,): -d ln C/dN between neighbours; alpha, alpha_sem, log_amplitude (1,): line through ln C.
    """
    sizes = QUICK if quick else FULL
    ts = times(2, 4, 4)
    found = []
    for size, count in each(sizes.items(), "N", progress):
        curves = average(["concurrence"], size, ts, count, window=WINDOW, store=store, progress=progress)
        found.append(level(curves, 0, WINDOW))
    n, (mean, sem) = np.array([*sizes], float), np.array(found).T
    error = sem / mean
    rule = (n - n.mean()) / np.sum((n - n.mean()) ** 2)
    slope = rule @ np.log(mean)
    return {
        "n_tls": n,
        "plateau": mean,
        "plateau_sem": sem,
        "n_between": (n[1:] + n[:-1]) / 2,
        "alpha_local": -np.diff(np.log(mean)) / np.diff(n),
        "alpha_local_sem": np.hypot(error[1:], error[:-1]) / np.diff(n),
        "alpha": np.array([-slope]),
        "alpha_sem": np.array([np.linalg.norm(rule * error)]),
        "log_amplitude": np.array([np.log(mean).mean() - slope * n.mean()]),
    }


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws the plateau with both laws, and the local slope."""
    fig = plot.figure(9.0, 3.9)
    ax, right = fig.subplots(1, 2)
    n, line = data["n_tls"], np.linspace(data["n_tls"][0] - 0.5, data["n_tls"][-1] + 0.5, 200)
    alpha, error = data["alpha"][0], data["alpha_sem"][0]
    label = rf"$e^{{-\alpha N}}$, $\alpha = {alpha:.3f} \pm {error:.3f}$"
    ax.plot(line, np.exp(data["log_amplitude"][0] - alpha * line), color=plot.VERMILION, lw=1.4, label=label)
    random = np.exp(-RANDOM_STATE * 2**line)
    ax.plot(line, random, color="0.5", ls="--", lw=1.2, label=r"random state, $e^{-0.127 \cdot 2^N}$")
    looks = {"fmt": "o", "ms": 5, "lw": 1, "color": plot.BLUE}
    ax.errorbar(n, data["plateau"], data["plateau_sem"], **looks, label="closed glass")
    ax.set(yscale="log", ylim=(data["plateau"][-1] / 5, 1))
    dress(ax, "number of TLSs $N$", r"plateau $C(\infty)$", "a")
    ax.legend(frameon=False, fontsize=8, loc="upper right")
    right.errorbar(data["n_between"], data["alpha_local"], data["alpha_local_sem"], **looks)
    right.axhline(0.73, color="0.5", ls="--", lw=1.2, label="paper, 0.73")
    right.set_ylim(0, None)
    dress(right, "number of TLSs $N$", r"local slope $-\Delta \ln C(\infty) / \Delta N$", "b")
    right.legend(frameon=False, fontsize=8, loc="lower right")
    return fig
