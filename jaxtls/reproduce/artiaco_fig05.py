"""Artiaco, Balducci & Scardicchio, Fig. 5: how the decay of a closed glass depends on the tunnelling amplitude.

"The smaller the tunnelling, the faster the decay": agrees. Slope of ln C in ln t between a third and a hundredth of
the peak, equal weights, N = 50 and 5000 realizations (full size): 4.28(2), 3.67(2), 2.75(2), 1.91(1) for a typical
amplitude of 0.03, 0.1, 0.3, 1 W; at 0.01 W, where C falls fastest, it passes the window within three times of the grid,
and no slope is given. N = 30 and 200 realizations (quick size): 4.72(16) at 0.01 W, then 3.84(12), 3.40(13), 2.56(11),
1.74(7), as at smaller N the plateau is nearer. "The decay remains a power law": 0.3 W comes near (weighted by the
errors, that is at early times, 2.63(1)) and 1 W (1.87(1)) until a hundredth of the peak; all are steeper below it.
The full size takes half an hour on one core of a CPU.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from .. import plot
from ._artiaco import (
    CONCURRENCE,
    TIME,
    average,
    columns,
    draw_curve,
    draw_power_laws,
    dress,
    exponents,
    power_law,
    times,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"n_tls": "", "tunnelling": "W", "t": "hbar/W"}
TUNNELLING = (0.01, 0.03, 0.1, 0.3, 1.0)
QUICK, FULL = (30, 200), (50, 5000)  # N, realizations
TAIL = (1e-3, 1.0)


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Gives C(t) at five typical tunnelling amplitudes, and its exponents between a third and a hundredth of its peak.

    Arguments:
        quick: N = 30 and 200 realizations; False: N = 50 and 5000.
        progress: show a bar on stderr.
        store: folder for the realizations, from which a later call goes on.

    Returns:
        n_tls (1,), tunnelling (K,) [W], t (T,) [hbar/W], C_D<D> and C_D<D>_sem (T,); beta, beta_sem, beta_amplitude,
        beta_weighted, beta_weighted_sem, beta_since, beta_until (K,).
    """
    n, count = QUICK if quick else FULL
    ts = times(-5, 0, 8)
    vary = ("tunnelling", TUNNELLING)
    curves = average(["concurrence"], n, ts, count, vary=vary, window=TAIL, store=store, progress=progress)
    found = {"n_tls": np.array([float(n)]), "tunnelling": np.array(TUNNELLING), "t": ts}
    found |= columns(curves, "concurrence", [f"C_D{d:g}" for d in TUNNELLING])
    fits = {d: power_law(curves, k, falling(ts, found[f"C_D{d:g}"])) for k, d in enumerate(TUNNELLING)}
    return found | exponents(fits, "beta")


def falling(ts: np.ndarray, mean: np.ndarray) -> tuple[float, float]:
    """Gives the first time after the peak at which C is below a third of it, and the last above a hundredth."""
    peak = int(np.argmax(mean))
    below = mean[peak:] < mean[peak] / 3
    above = mean[peak:] > mean[peak] / 100
    last = peak + int(np.argmin(above)) - 1 if not above.all() else len(ts) - 1
    return float(ts[peak + np.argmax(below)]), float(ts[last])


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws C(t), and the exponents in an inset."""
    fig = plot.figure(7.0, 4.8)
    ax = fig.subplots()
    for d, colour in zip(data["tunnelling"], plot.ramp(len(data["tunnelling"])), strict=True):
        draw_curve(ax, data["t"], data, f"C_D{d:g}", color=colour, label=f"{d:g}")
    draw_power_laws(ax, data, "beta", label=r"fit $t^{-\beta_i}$")
    ax.set(xscale="log", yscale="log", xlim=data["t"][[0, -1]], ylim=(1e-5, 0.5))
    dress(ax, TIME, CONCURRENCE)
    ax.set_title(f"$N = {data['n_tls'][0]:g}$", fontsize=10)
    ax.legend(title=r"$\bar\Delta$  [$W$]", frameon=False, fontsize=8, loc="upper right")
    inset = ax.inset_axes((0.12, 0.12, 0.34, 0.36))
    inset.errorbar(data["tunnelling"], data["beta"], data["beta_sem"], fmt="o", ms=4, lw=1, color=plot.BLUE)
    inset.set(xscale="log")
    inset.set_ylim(0, None)
    dress(inset, r"$\bar\Delta$  [$W$]", r"exponent $\beta_i$")
    return fig
