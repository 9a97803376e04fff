"""Wang & Taylor, Fig. 2: damping and dephasing of an entropic spring against N and against its entropic share R_S.

Parameters of Fig. 1. The paper gives no estimator. Here the damping rate is the slope of the logarithm of the amplitude
at the turning points of five periods, the dephasing rate the mean over the first period. Measured, beside first order
in 1/N (`weak_coupling_rates`):
- (a) "damping proportional to 1/N": N times the rate is constant to 8 % for N >= 40 and to 2.5 % for N >= 100; it is
  21 % higher at N = 20, 79 % at N = 10 and 6 times as high at N = 5. First order is met to 0.3 % at N = 1000 and
  0.05 % at N = 10^4. The rate is tiny: 5.6e-7 a period at N = 10^4.
- (b) "dephasing suppressed by 1/N": N times the rate is constant to 10 % for N >= 20; it is 18 % lower at N = 10 and
  29 % at N = 5, where the state is far from pure within one period. First order is met to 1.3 % at large N: the
  noise acts fully only after 1/Gamma.
- (c) "dephasing proportional to R_S": not found. With omega_eff = 1, which the paper's units ask for, the caption's
  omega must be omega sqrt(<sigma>_B), and the rate goes as R_S^3.6 at N = 10 (R_S^4 to first order in 1/N).
  With omega as printed, omega_eff falls from 0.80 to 0.52 and the rate goes as R_S^3.35.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from .. import EntropicSpring, evolve, plot
from .._progress import each
from ..models.spring.limits import weak_coupling_rates
from ._wang_taylor import ALPHA, PERIOD, POLARIZATION, measured_truncation, spring

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"n_spins": "", "coupling": ""}
N_SPINS = (5, 7, 10, 14, 20, 30, 40, 70, 100, 200, 400, 700, 1000, 2000, 4000, 7000, 10_000)
N_OF_C = 10


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Computes rates from five periods (a) and from the first (b, c), beside those of first order in 1/N.

    Arguments:
        quick: every second N, 7 couplings, 80 oscillator levels and 4 of the hierarchy; False: all N, 31 couplings,
            160 and 5.
        progress: show bars on stderr.

    Returns:
        n_spins (K,); damping_rate, dephasing_rate and theory_damping_rate, theory_dephasing_rate (K,) [1/period];
        for (c), at N = 10: coupling (J,), the paper's omega; entropic_ratio, ratio_dephasing_rate, ratio_theory (J,)
        in the reading with omega_eff = 1; literal_entropic_ratio, literal_dephasing_rate (J,), omega as printed.
    """
    n_levels, n_modes = (80, 3) if quick else (160, 4)
    counts = N_SPINS[::2] if quick else N_SPINS
    rows: list[tuple] = []
    for n in each(counts, "N", progress):
        model = spring(n, n_levels, n_modes)
        theory = weak_coupling_rates(model, ALPHA)
        damping, dephasing = rates(model, 5)
        rows.append((damping, dephasing, PERIOD * theory.position_damping, PERIOD * theory.impurity_slope))
    names: tuple[str, ...] = ("damping_rate", "dephasing_rate", "theory_damping_rate", "theory_dephasing_rate")
    found = {"n_spins": np.array(counts, float), **dict(zip(names, np.array(rows).T, strict=True))}

    couplings = np.linspace(0.7, 1.0, 7 if quick else 31)
    rows = []
    for coupling in each(couplings, "omega", progress):
        bare = np.sqrt(max(0.0, 1 - coupling**2))
        model = spring(N_OF_C, n_levels, n_modes, omega=coupling / np.sqrt(POLARIZATION), omega_0=bare)
        literal = spring(N_OF_C, n_levels, n_modes, omega=coupling, omega_0=bare)
        theory = weak_coupling_rates(model, ALPHA)
        rows.append(
            (
                model.entropic_ratio,
                rates(model, 1)[1],
                PERIOD * theory.impurity_slope,
                literal.entropic_ratio,
                rates(literal, 1)[1],
            )
        )
    names = (
        "entropic_ratio",
        "ratio_dephasing_rate",
        "ratio_theory",
        "literal_entropic_ratio",
        "literal_dephasing_rate",
    )
    return {**found, "coupling": couplings, **dict(zip(names, np.array(rows, float).T, strict=True))}


def rates(model: EntropicSpring, periods: int) -> tuple[float, float]:
    """Gives the decay rate of the amplitude of <x>, and mean dephasing over the first period [1/period].

    The amplitude sqrt(x^2 + (p/M omega_eff)^2) is read each half period, near the turning points, and a line laid
    through its logarithm; the start is left out, as the noise has yet to set in.
    """
    frequency = float(model.effective_frequency)
    ts = np.pi / frequency * np.arange(2 * periods + 1)
    with measured_truncation():
        sol = evolve(model, model.coherent_state(ALPHA), jnp.asarray(ts), observables=("x", "p", "impurity"), rtol=1e-6)
    x, p = np.asarray(sol.observables["x"]), np.asarray(sol.observables["p"])
    amplitude = np.hypot(x, p / (float(model.mass) * frequency))
    damping = -np.polyfit(ts[1:] * frequency / PERIOD, np.log(amplitude[1:]), 1)[0]
    return float(damping), float(sol.observables["impurity"][2])


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws the three panels (a) to (c)."""
    fig = plot.figure(12.0, 4.0)
    axes = fig.subplots(1, 3)
    n = data["n_spins"]
    line = np.geomspace(n[0], n[-1], 50)
    panels = (
        ("damping_rate", r"inverse damping rate of $\langle x \rangle$  [$\tau$]"),
        ("dephasing_rate", r"inverse dephasing rate  [$\tau$]"),
    )
    for ax, (name, label) in zip(axes, panels, strict=False):
        first_order = (n * data["theory_" + name])[-1] / line
        ax.loglog(line, 1 / first_order, color=plot.VERMILION, lw=1.4, label="first order in $1/N$")
        ax.loglog(n, 1 / data[name], "o", color=plot.BLUE, ms=5, label="evolve")
        ax.set_xlabel("number of TLSs $N$")
        ax.set_ylabel(label)
        ax.legend(frameon=False, loc="upper left")
    ax, ratio, rate = axes[2], data["entropic_ratio"], data["ratio_dephasing_rate"]
    other, other_rate = data["literal_entropic_ratio"], data["literal_dephasing_rate"]
    line = np.linspace(ratio[0], ratio[-1], 100)
    first_order = data["ratio_theory"][-1] * (line / line[-1]) ** 4
    ax.plot(line, first_order, color=plot.VERMILION, lw=1.4, label=r"first order in $1/N$: $R_S^4$")
    ax.plot(line, rate[-1] * line / line[-1], color="0.55", lw=1.2, ls="--", label=r"$\propto R_S$ (paper)")
    ax.plot(
        ratio,
        rate,
        "o",
        color=plot.BLUE,
        ms=5,
        label=rf"evolve, $\omega_\mathrm{{eff}} = 1$: $R_S^{{{slope(ratio, rate):.1f}}}$",
    )
    label = rf"evolve, $\omega$ as printed: $R_S^{{{slope(other, other_rate):.1f}}}$"
    ax.plot(other, other_rate, "s", mfc="white", mec=plot.GREEN, ms=5, label=label)
    ax.set_xlabel(r"entropic spring parameter $R_S$")
    ax.set_ylabel(r"dephasing rate  [$1/\tau$]")
    ax.set_title(f"$N = {N_OF_C}$", fontsize=10)
    ax.legend(frameon=False, loc="upper left")
    for ax, letter in zip(axes, "abc", strict=True):
        ax.set_title(f"({letter})", loc="left", fontsize=10)
        plot.tidy(ax)
    return fig


def slope(x: np.ndarray, y: np.ndarray) -> float:
    """Gives the exponent of a power law, by a line through the logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
