"""Wang & Taylor, Fig. 1: an entropic spring of N TLSs swings, heats, dephases, and its entropy breathes.

beta = 0.01, B = 100, gamma = 10, omega_0 = 0, omega = sqrt(1 + e^(beta B)), a coherent start with alpha = 1.
Five periods. The paper names its N in a legend only; these are ours. Measured here, against what the paper says:
- (a) "damped oscillations in <x>": true and tiny. In five periods <x> loses 6 % of its height at N = 5, 0.9 % at
  N = 10, 0.003 % at N = 1000. The eye sees a slower clock at N = 5 (the spins' response softens the spring), not more.
- (b) "damped oscillations in <x^2>": the swing shrinks, but its mean grows, by 36 % at N = 10 from the first period to
  the fifth (0.3 % at N = 1000): the fluctuating stiffness heats the oscillator, which the paper leaves out.
- (c) "an oscillating amplitude independent of N": true of the first swing after the spins have settled (7.249e-3 to
  7.269e-3, 0.3 %). The fifth period's is 7.23e-3 at N = 1000, 5 % less at N = 40 and half at N = 5, as that of <x^2>
  shrinks. The slope of S against <x^2> is -3.61e-3 to -3.62e-3 at every N; Eq. 5, without delay, has -3.655e-3.
- (d) "the dephasing reduces as N increases": true. Impurity after five periods, in the order of N_SPINS: 0.658, 0.482,
  0.319, 0.191, 0.0876, 0.00962.
At N = 5 the heated tail reaches past any basis: <x^2> at the end is 3.78 with 96 levels, 3.80 with 192.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from .. import evolve, plot
from .._progress import each
from ._wang_taylor import ALPHA, BETA, PERIOD, SPLITTING, measured_truncation, spring

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"n_spins": "", "t_over_period": ""}
N_SPINS = (5, 10, 20, 40, 100, 1000)
# oscillator levels, hierarchy
QUICK, FULL = (96, 3), (192, 4)
OBSERVABLES = ("x", "x2", "spin_entropy", "impurity")
LABELS = (
    r"$\langle x \rangle$  [$\sqrt{\hbar / M \omega_\mathrm{eff}}$]",
    r"$\langle x^2 \rangle$  [$\hbar / M \omega_\mathrm{eff}$]",
    r"$10^3\,(S_\mathrm{TLS} - S_\mathrm{thermal})$  [$k_B$]",
    r"impurity $1 - \mathrm{Tr}\,\rho_\mathrm{osc}^2$",
)


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Computes five periods at six N.

    Arguments:
        quick: 96 oscillator levels and 4 of the hierarchy; False: 192 and 5.
        progress: show a bar on stderr.

    Returns:
        n_spins (K,), t_over_period (T,), x, x2, spin_entropy, impurity (K, T),
        truncation (K,): largest population of the last four levels.
    """
    n_levels, n_modes = QUICK if quick else FULL
    ts = PERIOD * np.linspace(0.0, 5.0, 201)
    found: dict[str, list] = {name: [] for name in (*OBSERVABLES, "truncation")}
    for n in each(N_SPINS, "N", progress):
        model = spring(n, n_levels, n_modes)
        with measured_truncation():
            sol = evolve(model, model.coherent_state(ALPHA), jnp.asarray(ts), observables=OBSERVABLES)
        for name in OBSERVABLES:
            found[name].append(np.asarray(sol.observables[name]))
        found["truncation"].append(float(sol.diagnostics["truncation"]))
    stacked = {name: np.array(rows) for name, rows in found.items()}
    return {"n_spins": np.array(N_SPINS, float), "t_over_period": ts / PERIOD, **stacked}


def entropy_of_eq5(x2: np.ndarray) -> np.ndarray:
    """Gives S_TLS - S_B = -beta^2 M omega^2 B e^(beta B) x^2 / (2 (1 + e^(beta B))^2), omega^2 = 1 + e^(beta B)
    (Eq. 5).
    """
    boltzmann = np.exp(BETA * SPLITTING)
    return -(BETA**2) * SPLITTING * boltzmann / (2 * (1 + boltzmann)) * x2


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws the four panels (a) to (d)."""
    fig = plot.figure(9.0, 6.4)
    axes = fig.subplots(2, 2, sharex=True).ravel()
    t = data["t_over_period"]
    for ax, letter, name, label in zip(axes, "abcd", OBSERVABLES, LABELS, strict=True):
        scale = 1e3 if name == "spin_entropy" else 1.0
        for n, values, colour in zip(data["n_spins"], data[name], plot.ramp(len(data[name])), strict=True):
            ax.plot(t, scale * values, color=colour, lw=1.3, label=f"{n:g}")
        ax.set_ylabel(label)
        ax.set_title(f"({letter})", loc="left", fontsize=10)
        plot.tidy(ax)
    static = 1e3 * entropy_of_eq5(data["x2"][-1])
    axes[2].plot(t, static, color=plot.VERMILION, lw=1.2, ls=(0, (2, 2)), label=f"Eq. 5 at N = {data['n_spins'][-1]:g}")
    axes[2].legend(
        *[items[-1:] for items in axes[2].get_legend_handles_labels()], frameon=False, fontsize=8, loc="best"
    )
    for ax in axes[2:]:
        ax.set_xlabel(r"time $t / \tau$,  $\tau = 2\pi / \omega_\mathrm{eff}$")
        ax.set_xlim(t[0], t[-1])
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(
        handles, labels, title="number of TLSs $N$", loc="outside upper center", ncols=len(labels), frameon=False
    )
    return fig
