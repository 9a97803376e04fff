"""Artiaco, Balducci & Scardicchio, Fig. 8: how weak dissipation takes the plateau of the concurrence away.

"A stretched exponential alpha exp(-((t + t0)/tau)^delta), delta = 0.2 and tau = O(1)": it fits well, with a smaller
delta. In full size (20 000 realizations), fitted to eps = 1e-6 over eps t = 1e-6..1 where C is above 5 standard errors
(weighted with them, as if times were independent), alpha such that the law is one at t = 0: delta = 0.161(2), 0.138(3),
0.139(5), 0.143(9), 0.131(17) at N = 5 to 9; tau = 1.6(3), 0.05(2), 0.02(1), 0.01(1), 0.001(2) hbar/W, alpha = 4, 9, 13,
16, 37: from N = 6 on the data fix the shape, not tau. With alpha free a power law, the limit delta = 0, fits the few
points at N = 8 of the quick size as well.
The paper gives tau without its eps: time enters as eps t alone once the plateau is reached (both eps fall on one curve
in the figure), so tau goes as 1/eps. Larger N fall earlier: half the plateau is left at eps t = 1.7e-4, 1.0e-4, 6e-5,
4e-5, 3e-5. The quick size (2500 realizations at N = 5, 6, 8) agrees: delta = 0.164(7), 0.149(14), 0.16(5). The full
size takes six minutes on one core of a CPU.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .. import Positive, fit, plot
from .._progress import each
from ._artiaco import average, columns, dress, tex, times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"n_tls": "", "dissipation": "", "t": "hbar/W"}
DISSIPATION = (0.0, 1e-6, 1e-4)
LAW = ("delay", "lifetime", "stretch")
# N: realizations
QUICK = {5: 2500, 6: 2500, 8: 2500}
FULL = dict.fromkeys((5, 6, 7, 8, 9), 20_000)
WINDOW = (1e-6, 1.0)  # of eps t, over which the law is fitted


class StretchedExponential(eqx.Module):
    """Describes alpha exp(-((t + delay)/lifetime)^stretch), one at t = 0, t in units of hbar/(eps W)."""

    delay: Array | float = 1e-4
    lifetime: Array | float = 0.01
    stretch: Array | float = 0.3

    def depth(self, t: ArrayLike) -> Any:
        """Gives -ln of the law without alpha: ((t + delay)/lifetime)^stretch."""
        return ((t + self.delay) / self.lifetime) ** self.stretch

    def log(self, t: ArrayLike) -> Any:
        """Gives the logarithm of the law."""
        return self.depth(0.0) - self.depth(t)


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Computes C(t; eps)/C(inf; 0) and a stretched exponential for each N.

    Arguments:
        quick: N = 5, 6, 8 and 2500 realizations; False: N = 5 to 9 and 20 000.
        progress: show bars on stderr.
        store: folder for the realizations, from which a later call goes on.

    Returns:
        n_tls (K,), dissipation (2,), t (T,) [hbar/W], ratio_eps<e>_N<n> and ratio_eps<e>_N<n>_sem (T,), the error
        without that of the plateau; delay, lifetime, stretch and their _sem (K,), fitted to the ratios of the
        smaller dissipation over `WINDOW` as far as fit_until (K,), the last eps t with C above 5 standard errors.
    """
    sizes = QUICK if quick else FULL
    ts = times(-1, 7, 4)
    found = {"n_tls": np.array([*sizes], float), "dissipation": np.array(DISSIPATION[1:]), "t": ts}
    fits, vary = [], ("dissipation", DISSIPATION)
    for n, count in each(sizes.items(), "N", progress):
        curves = average(["concurrence"], n, ts, count, vary=vary, store=store, progress=progress)
        plateau = curves.mean["concurrence"][0, ts >= 1e2].mean()
        ratios = columns(curves, "concurrence", [f"ratio_eps{e:g}_N{n}" for e in DISSIPATION])
        ratios = {name: values / plateau for name, values in ratios.items() if "eps0_" not in name}
        name = f"ratio_eps{DISSIPATION[1]:g}_N{n}"
        fits.append(stretched(DISSIPATION[1] * ts, ratios[name], ratios[name + "_sem"]))
        found |= ratios
    names = (*LAW, *(f"{name}_sem" for name in LAW), "fit_until")
    return found | dict(zip(names, np.array(fits).T, strict=True))


def stretched(eps_t: np.ndarray, ratio: np.ndarray, sem: np.ndarray) -> tuple[float, ...]:
    """Fits the law by least squares in logarithms, weighted with the standard errors: numbers, errors, last time."""
    here = (eps_t >= WINDOW[0]) & (eps_t <= WINDOW[1]) & (ratio > 5 * sem)
    t, y, error = (jnp.asarray(x[here]) for x in (eps_t, np.log(ratio), sem / ratio))
    free = dict.fromkeys(LAW, Positive())
    found = fit(lambda law: law.log(t), StretchedExponential(), y, sigma=error, free=free)
    numbers = [float(values[name]) for values in (found.values, found.stderr) for name in LAW]
    return (*numbers, float(t[-1]))


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws ratios against eps t, and -ln(ratio/alpha), a straight line for a stretched exponential."""
    fig = plot.figure(9.5, 4.2)
    axes = fig.subplots(1, 2)
    law = StretchedExponential()
    for i, (n, colour) in enumerate(zip(data["n_tls"], plot.ramp(len(data["n_tls"])), strict=True)):
        law = StretchedExponential(*(float(data[name][i]) for name in LAW))
        for e, marker in zip(data["dissipation"], "o^", strict=True):
            t, name = e * data["t"], f"ratio_eps{e:g}_N{n:g}"
            ratio, sem = np.where(data[name] > 0, data[name], np.nan), data[f"{name}_sem"]
            here = (ratio > 3 * sem) & (ratio > 1e-4) & (t >= 1e-6) & (data["t"] >= 0.1)
            looks = {"fmt": marker, "ms": 3.5, "lw": 0.8, "color": colour, "mfc": colour if marker == "o" else "white"}
            label = rf"$N = {n:g}$, $\epsilon = {tex(e)}$"
            axes[0].errorbar(t[here], ratio[here], sem[here], **looks, label=label)
            depth = float(law.depth(0.0)) - np.log(ratio)
            here &= depth > 3 * sem / ratio
            axes[1].errorbar(t[here], depth[here], (sem / ratio)[here], **looks)
        line = np.geomspace(WINDOW[0], data["fit_until"][i], 100)
        axes[0].plot(line, np.exp(law.log(line)), color=colour, lw=1.2)
        axes[1].plot(line, law.depth(line), color=colour, lw=1.2)
    axes[0].set(xscale="log", ylim=(0, 1.15))
    axes[1].set(xscale="log", yscale="log", yticks=(1, 2, 5, 10, 20), yticklabels=("1", "2", "5", "10", "20"))
    axes[1].tick_params(axis="y", which="minor", left=False, labelleft=False)
    dress(axes[0], r"$\epsilon t$  [$\hbar/W$]", r"$C(t; \epsilon) \, / \, C(\infty; 0)$", "a")
    dress(axes[1], r"$\epsilon t$  [$\hbar/W$]", r"$-\ln[C(t; \epsilon) \, / \, \alpha \, C(\infty; 0)]$", "b")
    axes[0].legend(frameon=False, fontsize=8, loc="upper right")
    return fig
