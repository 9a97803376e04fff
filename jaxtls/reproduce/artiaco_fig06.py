"""Artiaco, Balducci & Scardicchio, Fig. 6: half-system entropy of a closed glass, beside its concurrence.

Bubbles of N/2 TLSs. Measured with 150, 80, 40 realizations at N = 4, 6, 8:
- "A volume law": agrees. The plateau S_E is 0.57(2), 0.97(3), 1.40(5), about 0.2 more for each TLS, half of the most
  possible; S_E/N is 0.143(5), 0.161(5), 0.175(6) and still grows with N.
- S_E grows while C falls from its peak: agrees.
- "The growth is compatible with log(t)": over one decade, 1e-3..1e-2 hbar/W, where most of it happens; at these N the
  curve is bent on both sides, and the plateau is reached near 0.05 hbar/W. The paper's fit is at N = 16 (full size).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from .. import plot
from ._artiaco import CONCURRENCE, ENTROPY, TIME, average, columns, draw_curve, dress, level, times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLATEAU = (1e1, 1e3)
GROWTH = (1e-3, 1e-2)  # of the logarithm
# N: realizations
QUICK = {4: 200, 6: 120, 8: 60, 10: 25}
FULL = dict.fromkeys((4, 6, 8, 10, 12, 14, 16), 1000)


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """S_E(t)/N and C(t) at several N, plateaus, and a logarithm fitted to the growth at the largest N.

    Arguments:
        quick: N = 4 to 10 and 25 to 200 realizations; False: to 16, and 1000.
        progress: show bars on stderr.
        store: folder for the realizations, from which a later call goes on.

    Returns:
        n_tls (K,), t (T,) [hbar/W], S_N<n>, S_N<n>_sem, C_N<n>, C_N<n>_sem (T,), S divided by N; plateau, plateau_sem
        (K,): mean of S_E from 10 to 1000 hbar/W, not divided; log_slope, log_level (1,): S_E/N = level + slope ln t.
    """
    sizes = QUICK if quick else FULL
    ts = times(-5, 3, 3)
    found: dict[str, np.ndarray] = {"n_tls": np.array([*sizes], float), "t": ts}
    plateaus = []
    for n, count in tqdm(sizes.items(), desc="N", disable=not progress):
        observables = ["half_system_entropy", "concurrence"]
        curves = average(observables, n, ts, count, window=PLATEAU, store=store, progress=progress)
        entropy = columns(curves, "half_system_entropy", [f"S_N{n}"])
        found |= {name: values / n for name, values in entropy.items()}
        found |= columns(curves, "concurrence", [f"C_N{n}"])
        plateaus.append(level(curves, 0, PLATEAU))
    grows = (ts >= GROWTH[0] * 0.999) & (ts <= GROWTH[1] * 1.001)
    slope, start = np.polyfit(np.log(ts[grows]), found[f"S_N{[*sizes][-1]}"][grows], 1)
    found |= dict(zip(("plateau", "plateau_sem"), np.array(plateaus).T, strict=True))
    return found | {"log_slope": np.array([slope]), "log_level": np.array([start])}


def draw(data: dict[str, np.ndarray]) -> Figure:
    """S_E/N and C on two scales, and the volume law."""
    fig = plot.figure(10.5, 4.3)
    ax, right = fig.subplots(1, 2, width_ratios=[1.7, 1])
    other = ax.twinx()
    n = data["n_tls"]
    for k, colour in zip(n, plot.ramp(len(n)), strict=True):
        draw_curve(ax, data["t"], data, f"S_N{k:g}", color=colour, label=f"{k:g}")
        draw_curve(other, data["t"], data, f"C_N{k:g}", color=colour, ls="--", lw=1.1)
    grows = np.array(GROWTH) * [0.5, 2]
    fit = data["log_level"][0] + data["log_slope"][0] * np.log(grows)
    ax.plot(grows, fit, color=plot.VERMILION, ls=":", lw=1.8, label=rf"$\propto \ln t$, $N = {n[-1]:g}$", zorder=4)
    ax.set(xscale="log", xlim=data["t"][[0, -1]])
    ax.set_ylim(0, None)
    other.set_ylim(0, 0.42)
    dress(ax, TIME, f"{ENTROPY} (solid)", "a")
    other.set_ylabel(f"{CONCURRENCE} (dashed)")
    other.spines["top"].set_visible(False)
    ax.legend(title="$N$", frameon=False, fontsize=8, loc="upper left")
    right.errorbar(n, data["plateau"], data["plateau_sem"], fmt="o", ms=5, lw=1, color=plot.BLUE, label="plateau")
    line = np.array([0, n[-1] + 1])
    right.plot(line, line / 2 * np.log(2), color="0.5", ls="--", lw=1.2, label=r"most possible, $(N/2) \ln 2$")
    right.set(xlim=(0, n[-1] + 1))
    right.set_ylim(0, None)
    dress(right, "number of TLSs $N$", r"plateau $S_E(\infty)$", "b")
    right.legend(frameon=False, fontsize=8, loc="upper left")
    return fig
