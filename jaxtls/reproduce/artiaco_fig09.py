"""Artiaco, Balducci & Scardicchio, Fig. 9: the decay of the concurrence of an open glass, past their N <= 9.

(a) "A power law at large times": not seen. At eps = 1 the local slope at N = 5 grows from 0.6 at t = 0.01 to 1.2 at
t = 1 hbar/W, at N = 8 from 0.9 to 1.3 (after 1.1 at t = 0.008), at N = 60 from 2 to 5.5 between t = 0.003 and 0.01.
Exponents are means over a window, and depend on it. At the paper's small N over 0.01..1 hbar/W, in full size (5000
realizations): beta_o = 0.819(15), 0.871(17), 0.945(20), 1.000(27), 1.042(31), 1.217(43) at N = 5 to 10.
(b) "beta_o larger than beta_i": true of small N, where the plateau of the closed glass flattens it, and of large N, but
not between. Over 10^-2.5..10^-1.75 hbar/W, in full size (5000 realizations, 1000 at N = 100):
    N       6         8         10        12        16        20        30        40        60        100
    beta_i  0.320(5)  0.855(9)  1.460(15) 2.03(2)   2.85(3)   3.25(3)   3.56(3)   3.77(4)   3.84(3)   3.88(7)
    beta_o  0.677(9)  1.014(13) 1.425(17) 1.84(2)   2.61(3)   3.22(5)   3.96(6)   4.39(7)   4.67(8)   4.70(13)
"We expect large N to give a larger beta_o": so it is, 3.8 times the largest that N <= 9 shows, 1.24(2). Established:
both mean slopes stay as they are from N = 60 to 100, within their errors of 0.08 and 0.15. Not established: a power
law. Weights that favour early times give 3.25(2) and 3.47(3) at N = 100, and within the window the local slope of the
open glass goes from 2.2 to 5.7. The quick size has fewer realizations: where C falls below 3 standard errors before
the end of the window, as it does at N = 60, `beta_o_until` says so, and the mean slope is over what is left.
The full size takes 25 minutes on one core of a CPU, and gives the numbers of the quick size within their errors.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from .. import plot
from .._progress import each
from ._artiaco import (
    CONCURRENCE,
    DECAY,
    LATE,
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

AXES = {"n_tls": "", "t": "hbar/W", "n_late": ""}
# N: realizations
QUICK = {5: 1000, 6: 1000, 9: 1000, 20: 400, 60: 150}
FULL = dict.fromkeys((5, 6, 7, 8, 9, 10, 12, 16, 20, 30, 40, 60), 5000) | {100: 1000}
PAPER = 9  # the largest N of the paper with dissipation


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Computes C(t) at eps = 1 and its exponents, beside those of the closed glass.

    Arguments:
        quick: five N with 150 to 1000 realizations; False: twelve with 5000, and N = 100 with 1000.
        progress: show bars on stderr.
        store: folder for the realizations, from which a later call goes on.

    Returns:
        n_tls (K,), t (T,) [hbar/W], C_N<n> and C_N<n>_sem (T,); with _sem, _amplitude, _weighted, _weighted_sem and
        _since, _until: beta_i, beta_o (K,) over 10^-2.5..10^-1.75 hbar/W, and late_beta_o (L,) over 0.01..1 hbar/W, the
        paper's, at n_late (L,) <= 10.
    """
    sizes = QUICK if quick else FULL
    ts = times(-4, 0, 8)
    found = {"n_tls": np.array([*sizes], float), "t": ts}
    vary, window = ("dissipation", (0.0, 1.0)), (DECAY[0], LATE[1])
    closed, opened, late = {}, {}, {}
    for n, count in each(sizes.items(), "N", progress):
        curves = average(["concurrence"], n, ts, count, vary=vary, window=window, store=store, progress=progress)
        found |= columns(curves, "concurrence", [f"closed_N{n}", f"C_N{n}"])
        closed[n], opened[n] = power_law(curves, 0), power_law(curves, 1)
        if n <= 10:
            late[n] = power_law(curves, 1, LATE)
    found |= exponents(closed, "beta_i") | exponents(opened, "beta_o") | exponents(late, "late_beta_o")
    return found | {"n_late": np.array([*late], float)}


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws C(t) with its fits, and the exponents against 1/N."""
    fig = plot.figure(10.0, 4.4)
    ax, right = fig.subplots(1, 2)
    n = data["n_tls"]
    for k, colour in zip(n, plot.ramp(len(n)), strict=True):
        draw_curve(ax, data["t"], data, f"C_N{k:g}", color=colour, label=f"{k:g}")
    draw_power_laws(ax, data, "late_beta_o", label=r"fit $t^{-\beta_o}$")
    big = n >= 20
    fits = {name: values[big] for name, values in data.items() if name.startswith("beta_o")}
    draw_power_laws(ax, fits, "beta_o")
    ax.set(xscale="log", yscale="log", xlim=(1e-4, 1), ylim=(1e-5, 0.3))
    dress(ax, TIME, CONCURRENCE, "a")
    ax.set_title(r"$\epsilon = 1$", fontsize=10)
    ax.legend(title="$N$", frameon=False, fontsize=8, loc="lower left")
    early = r"$10^{-2.5} < t < 10^{-1.75}$"
    series = (
        ("beta_i", n, "o", plot.BLUE, rf"$\beta_i$, $\epsilon = 0$, {early}"),
        ("beta_o", n, "s", plot.VERMILION, rf"$\beta_o$, $\epsilon = 1$, {early}"),
        ("late_beta_o", data["n_late"], "D", plot.GREEN, r"$\beta_o$, $\epsilon = 1$, $0.01 < t < 1$"),
    )
    for name, sizes, marker, colour, label in series:
        looks = {"fmt": marker, "ms": 5, "lw": 1, "color": colour}
        right.errorbar(1 / sizes, data[name], data[name + "_sem"], **looks, label=label)
    right.axvspan(1 / (PAPER + 0.5), 0.25, color="0.93", lw=0, zorder=0)
    right.text(
        1 / (PAPER + 0.5) + 0.004, 0.15, "within the paper's\nreach at $\\epsilon = 1$", fontsize=8, color="0.35"
    )
    right.set(xlim=(0, 0.21), xticks=[0, 0.05, 0.1, 0.15, 0.2])
    right.set_ylim(0, None)
    dress(right, "$1/N$", "exponent", "b")
    right.legend(frameon=False, fontsize=8, loc="upper right")
    return fig
