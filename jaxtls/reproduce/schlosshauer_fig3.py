"""Schlosshauer, Hines & Milburn, Fig. 3: one TLS in a bosonic bath heats an oscillator.

Delta = Omega_0 = g = 1 (so splitting = 2), gamma = 10 (a) and 100 (b), from the ground state of the oscillator with the
TLS thermal. The paper names its three n_bar in a picture alone; ours are 0, 1 and 5. Measured:
- the adiabatic equation (crosses) is "a good description in the limit of large gamma": at gamma = 100 its <N> at
  t = 10 is 0.5 %, 0.1 % and 0.02 % too high for the three n_bar; at gamma = 10 it is 50 %, 3.5 % and 0.4 %.
- "the full model still shows diffusive heating" where the adiabatic one is off: at gamma = 10, n_bar = 0 the slope
  falls from 0.34 to 0.21 over the span, as the TLS also takes quanta back. Rates of second order (dotted) see that but
  too much of it, and are 27 % low at the end; they are within 0.2 % at the other five.
- "as the temperature goes to infinity ... no kicks at all": the rate falls as 1/(2 n_bar + 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from .. import TLSHeatedOscillator, evolve, plot
from .._progress import each

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"t": "1/Omega_0"}
GAMMAS, OCCUPATIONS = (10.0, 100.0), (0.0, 1.0, 5.0)
SPAN = 10.0


def model(gamma: float, n_bar: float, n_levels: int) -> TLSHeatedOscillator:
    """Makes a model of the paper's parameters: h = Delta = 1 in Eq. 35 is half the gap."""
    return TLSHeatedOscillator(1.0, splitting=2.0, coupling=1.0, gamma=gamma, n_bar=n_bar, n_levels=n_levels)


def second_order(heated: TLSHeatedOscillator, ts: np.ndarray) -> np.ndarray:
    """Gives <N> by the secular rates: d<N>/dt = up (<N> + 1) - down <N> from 0."""
    up, down = (float(rate) for rate in heated.transition_rates())
    away = (down - up) * ts
    return up * ts * np.where(np.abs(away) > 1e-9, -np.expm1(-away) / np.where(away == 0, 1.0, away), 1.0)


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Computes <N>(t) of the full equation, of the adiabatic one and by rates of second order.

    Arguments:
        quick: 90 levels; False: 160.
        progress: show a bar on stderr.

    Returns:
        t (T,); full_, adiabatic_ and second_order_ gamma_nbar (T,), as full_10_0.
    """
    levels = 90 if quick else 160
    ts = np.linspace(0.0, SPAN, 101)
    found = {"t": ts}
    cases = [(gamma, n_bar) for gamma in GAMMAS for n_bar in OCCUPATIONS]
    for gamma, n_bar in each(cases, "gamma, n_bar", progress):
        heated = model(gamma, n_bar, levels)
        sol = evolve(heated, heated.thermal_state(), jnp.asarray(ts), observables=["n"])
        label = f"{gamma:g}_{n_bar:g}"
        found[f"full_{label}"] = np.asarray(sol.observables["n"])
        found[f"adiabatic_{label}"] = np.asarray(heated.adiabatic().occupation(jnp.asarray(ts)))
        found[f"second_order_{label}"] = second_order(heated, ts)
    return found


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws the panels (a) gamma = 10 and (b) gamma = 100."""
    fig = plot.figure(9.4, 4.3)
    axes = fig.subplots(1, 2)
    t = data["t"]
    few = np.linspace(0, len(t) - 1, 21).astype(int)
    for ax, letter, gamma in zip(axes, "ab", GAMMAS, strict=True):
        for n_bar, colour in zip(OCCUPATIONS, plot.PALETTE, strict=False):
            label = f"{gamma:g}_{n_bar:g}"
            ax.plot(t, data[f"second_order_{label}"], color=colour, lw=1.2, ls=":")
            ax.plot(t[few], data[f"adiabatic_{label}"][few], "x", color=colour, ms=5, clip_on=False)
            ax.plot(t, data[f"full_{label}"], color=colour, lw=1.2)
            ax.plot(
                t[few],
                data[f"full_{label}"][few],
                "o",
                mfc="white",
                mec=colour,
                ms=5,
                clip_on=False,
                label=f"{n_bar:g}",
            )
        ax.set_title(rf"({letter})  $\gamma = {gamma:g}$", loc="left", fontsize=10)
        ax.set_xlabel(r"time $t$  [$1/\Omega_0$]")
        ax.set_ylabel(r"mean occupation $\langle N \rangle$")
        ax.set_xlim(0, t[-1])
        ax.set_ylim(0, None)
        plot.tidy(ax)
    axes[0].legend(title=r"$\bar n$", frameon=False, loc="upper left")
    styles = [
        axes[1].plot([], [], "o-", color="0.3", mfc="white", ms=5, lw=1.2)[0],
        axes[1].plot([], [], "x", color="0.3", ms=5)[0],
        axes[1].plot([], [], ":", color="0.3", lw=1.2)[0],
    ]
    names = ["full equation (35)", "adiabatic (40)", "second-order rates"]
    axes[1].legend(styles, names, frameon=False, loc="upper left")
    return fig
