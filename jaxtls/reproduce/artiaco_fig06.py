"""Artiaco, Balducci & Scardicchio, Fig. 6: half-system entropy of a closed glass, beside its concurrence.

Bubbles of N/2 TLSs. Measured with 1000 realizations at N = 4, 6, 8, 10, 12, 14, 16 (the quick size, 60 to 200
realizations and N up to 8, agrees within its errors):
- "A volume law": agrees. The plateau S_E is 0.546(6), 0.946(8), 1.379(9), 1.833(10), 2.288(11), 2.738(11), 3.199(13), a
  line with 0.2223(9) for each TLS (0.216(6) to 0.231(9) from step to step, 0.200(5) from 4 to 6), 0.39 to 0.58 of the
  most possible; S_E/N is 0.1365(15) to 0.1999(8) and still grows.
- S_E grows while C falls from its peak: agrees.
- "The growth is compatible with log(t)", which the paper fits at N = 16: over one decade, 1e-3..1e-2 hbar/W, where most
  of it happens; the slope of S_E/N in ln t is 0.0518(4), 0.0532(3), 0.0542(3), 0.0554(3) at N = 10, 12, 14, 16 there,
  but its parts at N = 16 are 0.043, 0.061, 0.060, with 0.024 before and 0.033 after: the curve is bent on both sides,
  and reaches 0.97 of the plateau at 0.05 hbar/W.
The full size takes 2.7 hours of one core of a CPU, 2.1 of them at N = 16, 7 to 8 s a realization (9 of the 18 ms of
each of their 400 matrices are eigenvalues); a run goes on where it was stopped, as this one did. On an H200 a
realization of N = 16 is modelled at 14 ms, all 1000 at 14 s, without the eigenvalues of 400 000 matrices, which the
model leaves out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from .. import plot
from .._progress import each
from ._artiaco import CONCURRENCE, ENTROPY, TIME, average, columns, draw_curve, dress, level, logarithm, times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"n_tls": "", "t": "hbar/W"}
PLATEAU = (1e1, 1e3)
GROWTH = (1e-3, 1e-2)  # of the logarithm
# N: realizations
QUICK = {4: 200, 6: 120, 8: 60}
FULL = dict.fromkeys((4, 6, 8, 10, 12, 14, 16), 1000)


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Computes S_E(t)/N and C(t) at several N, plateaus, and a logarithm fitted to the growth at the largest N.

    Arguments:
        quick: N = 4 to 8 and 60 to 200 realizations; False: to 16, and 1000.
        progress: show bars on stderr.
        store: folder for the realizations, from which a later call goes on.

    Returns:
        n_tls (K,), t (T,) [hbar/W], S_N<n>, S_N<n>_sem, C_N<n>, C_N<n>_sem (T,), S divided by N; plateau, plateau_sem
        (K,): mean of S_E from 10 to 1000 hbar/W, not divided; per_tls, per_tls_sem, per_tls_level (1,): line of equal
        weights through the plateaus; log_slope, log_slope_sem, log_level (1,): S_E/N = level + slope ln t at the
        largest N from 1e-3 to 1e-2 hbar/W, at equal weights.
    """
    sizes = QUICK if quick else FULL
    ts = times(-5, 3, 3)
    found: dict[str, np.ndarray] = {"n_tls": np.array([*sizes], float), "t": ts}
    plateaus = []
    for n, count in each(sizes.items(), "N", progress):
        observables = ["half_system_entropy", "concurrence"]
        curves = average(observables, n, ts, count, window=(GROWTH[0], PLATEAU[1]), store=store, progress=progress)
        entropy = columns(curves, "half_system_entropy", [f"S_N{n}"])
        found |= {name: values / n for name, values in entropy.items()}
        found |= columns(curves, "concurrence", [f"C_N{n}"])
        plateaus.append(level(curves, 0, PLATEAU))
    found |= dict(zip(("plateau", "plateau_sem"), np.array(plateaus).T, strict=True))
    n_tls, values = found["n_tls"], found["plateau"]
    rule = (n_tls - n_tls.mean()) / np.sum((n_tls - n_tls.mean()) ** 2)
    found["per_tls"] = np.array([rule @ values])
    found["per_tls_sem"] = np.array([np.linalg.norm(rule * found["plateau_sem"])])
    found["per_tls_level"] = values.mean() - found["per_tls"] * n_tls.mean()
    line = np.array(logarithm(curves, 0, GROWTH)) / n
    return found | dict(zip(("log_slope", "log_slope_sem", "log_level"), line[:, None], strict=True))


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws S_E/N and C on two scales, and the volume law."""
    fig = plot.figure(10.5, 4.3)
    ax, right = fig.subplots(1, 2, width_ratios=[1.7, 1], gridspec_kw={"wspace": 0.05})
    other = ax.twinx()
    n = data["n_tls"]
    for k, colour in zip(n, plot.ramp(len(n)), strict=True):
        draw_curve(ax, data["t"], data, f"S_N{k:g}", color=colour, label=f"{k:g}")
        draw_curve(other, data["t"], data, f"C_N{k:g}", color=colour, ls="--", lw=1.1)
    fit = data["log_level"][0] + data["log_slope"][0] * np.log(GROWTH)
    ax.plot(GROWTH, fit, color=plot.VERMILION, ls=":", lw=2.4, label=rf"fit to $\ln t$, $N = {n[-1]:g}$", zorder=4)
    ax.set(xscale="log", xlim=data["t"][[0, -1]])
    ax.set_ylim(0, None)
    other.set_ylim(0, 0.42)
    dress(ax, TIME, f"{ENTROPY} (solid)", "a")
    other.set_ylabel(f"{CONCURRENCE} (dashed)")
    other.spines["top"].set_visible(False)
    ax.legend(title="$N$", frameon=False, fontsize=8, loc="upper left")
    right.errorbar(n, data["plateau"], data["plateau_sem"], fmt="o", ms=5, lw=1, color=plot.BLUE, label="plateau")
    line = np.array([0, n[-1] + 1])
    slope, error = data["per_tls"][0], data["per_tls_sem"][0]
    label = rf"slope ${slope:.3f} \pm {error:.3f}$"
    right.plot(n[[0, -1]], data["per_tls_level"][0] + slope * n[[0, -1]], color=plot.VERMILION, lw=1.2, label=label)
    right.plot(line, line / 2 * np.log(2), color="0.5", ls="--", lw=1.2, label=r"most possible, $(N/2) \ln 2$")
    right.set(xlim=(0, n[-1] + 1))
    right.set_ylim(0, None)
    dress(right, "number of TLSs $N$", r"plateau $S_E(\infty)$", "b")
    right.legend(frameon=False, fontsize=8, loc="upper left")
    return fig
