"""Artiaco, Balducci & Scardicchio, Fig. 3: mean concurrence of a closed glass, from its rise to its plateau.

In full size, 5000 realizations:
- "A linear rise": in the limit of short times. The slope of ln C in ln t is 0.9 at 1e-6 and 0.85 at 1e-5 hbar/W, as the
  couplings have 1/r³ tails. The peak hardly depends on N: 0.1968(6), 0.1882(5), 0.1831(4), 0.1741(3), 0.1680(2),
  0.1660(2) at N = 6, 8, 10, 20, 40, 60, between 1.0e-3 and 1.8e-3 hbar/W. Both agree with the paper.
- "A power law of exponent beta_i, finite at large N": the mean slope over 10^-2.5..10^-1.75 hbar/W levels off. It is
  0.855(9), 1.46(1), 2.03(2), 2.85(3) at N = 8, 10, 12, 16, and 3.25(3), 3.56(3), 3.77(4), 3.80(4), 3.84(3) at N = 20,
  30, 40, 50, 60. But the curve is no power law there: weighted by the errors, that is at early times, the slopes of the
  last five are 2.69(2), 2.99(2), 3.11(1), 3.16(1), 3.21(1), and at N = 60 the local one goes from 2.0 at 3e-3 to 4.3 at
  1e-2 hbar/W, and down again.
- The plateau is in Fig. 4a.
The quick size, with 80 to 1000 realizations, agrees within its errors. The full size takes an hour on half a core of a
CPU.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import plot
from .._progress import each
from ._artiaco import (
    CONCURRENCE,
    DECAY,
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

AXES = {"n_tls": "", "t": "hbar/W", "n_fit": ""}
# N: realizations
QUICK = {6: 1000, 8: 1000, 10: 1000, 20: 300, 40: 120, 60: 80}
FULL = dict.fromkeys((4, 6, 8, 10, 12, 16, 20, 30, 40, 50, 60), 5000)
FIRST = 8  # from this N on there is a decay to be fitted within the window


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Computes C(t) at several N, and its exponents.

    Arguments:
        quick: six N with 80 to 1000 realizations; False: eleven with 5000.
        progress: show bars on stderr.
        store: folder for the realizations, from which a later call goes on.

    Returns:
        n_tls (K,), t (T,) [hbar/W], C_N<n> and C_N<n>_sem (T,); n_fit (L,), beta, beta_sem,
        beta_amplitude, beta_weighted, beta_weighted_sem, beta_since, beta_until (L,): the fits.
    """
    sizes = QUICK if quick else FULL
    ts = times(-6, 0 if quick else 1, 8)
    found: dict[str, np.ndarray] = {"n_tls": np.array([*sizes], float), "t": ts}
    fits = {}
    for n, count in each(sizes.items(), "N", progress):
        curves = average(["concurrence"], n, ts, count, window=DECAY, store=store, progress=progress)
        found |= columns(curves, "concurrence", [f"C_N{n}"])
        if n >= FIRST:
            fits[n] = power_law(curves)
    return found | {"n_fit": np.array([*fits], float), **exponents(fits, "beta")}


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws C(t), and the exponents in an inset."""
    fig = plot.figure(7.0, 5.0)
    ax = fig.subplots()
    for n, colour in zip(data["n_tls"], plot.ramp(len(data["n_tls"])), strict=True):
        draw_curve(ax, data["t"], data, f"C_N{n:g}", color=colour, label=f"{n:g}")
    draw_power_laws(ax, data, "beta", label=r"fit $t^{-\beta_i}$")
    rise = data["t"][data["t"] < 1e-4]
    start = data[f"C_N{data['n_tls'][-1]:g}"][0]
    ax.plot(rise, start * rise / rise[0], color=plot.VERMILION, ls="-.", lw=1.2, label=r"$\propto t$")
    ax.set(xscale="log", yscale="log", xlim=data["t"][[0, -1]], ylim=(1e-6, 20))
    dress(ax, TIME, CONCURRENCE)
    ax.legend(title="$N$", frameon=False, fontsize=8, loc="upper right", ncols=4)
    inset = ax.inset_axes((0.12, 0.12, 0.36, 0.36))
    n = data["n_fit"]
    inset.errorbar(n, data["beta"], data["beta_sem"], fmt="o", ms=4, lw=1, color=plot.BLUE, label="equal weights")
    looks: dict[str, Any] = {"fmt": "o", "mfc": "white", "ms": 4, "lw": 1, "color": plot.VERMILION}
    inset.errorbar(n, data["beta_weighted"], data["beta_weighted_sem"], **looks, label=r"weights $1/\mathrm{sem}^2$")
    inset.legend(frameon=False, fontsize=7, loc="lower right")
    inset.set_ylim(0, None)
    dress(inset, "$N$", r"exponent $\beta_i$")
    return fig
