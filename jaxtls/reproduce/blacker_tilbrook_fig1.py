"""Blacker & Tilbrook, Fig. 1: the two lowest wavefunctions of a damped oscillator shrink towards the origin.

omega = m = hbar = 1, alpha = 0.2, at t = 0 and t = 5 (our numbers). Measured here, against what the paper says:
- "increasingly localised around the origin": true. Widths shrink as e^(-alpha t), by e at t = 5, and the functions stay
  normalised. So does the bound of the uncertainty product of x and m v, (hbar/2) e^(-2 alpha t): the description is
  closed, and what shrinks is not what a bath would leave (the ground state, of constant width).
The curves are psi_n without the dynamical phase e^(-i (n + 1/2) omega t) of Eq. 20, which no probability sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from .. import DampedOscillator, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"x": "sqrt(hbar/(m omega))", "t": "1/omega"}
DAMPING = 0.2
TIMES = (0.0, 5.0)
LEVELS = (0, 1)


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Computes psi_0 and psi_1 at two times.

    Arguments:
        quick: 401 positions; False: 2001.
        progress: nothing takes long enough to show.

    Returns:
        x (K,); t (2,); psi<n>_t<i> (K,), real, n = 0, 1, i = 0, 1.
    """
    x = np.linspace(-4.0, 4.0, 401 if quick else 2001)
    model = DampedOscillator(1.0, DAMPING)
    found = {"x": x, "t": np.array(TIMES)}
    for i, t in enumerate(TIMES):
        for n in LEVELS:
            found[f"psi{n}_t{i}"] = np.asarray(model.wavefunction(n, jnp.asarray(x), t, phase=False))
    return found


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws panels (a) at the start and (b) later."""
    fig = plot.figure(8.6, 3.8)
    axes = fig.subplots(1, 2, sharey=True)
    x = data["x"]
    for i, (ax, letter, t) in enumerate(zip(axes, "ab", data["t"], strict=True)):
        for n, colour, style in zip(LEVELS, plot.PALETTE, ("-", "--"), strict=False):
            psi = data[f"psi{n}_t{i}"]
            ax.plot(x, psi, color=colour, ls=style, lw=1.6, label=rf"$\psi_{n}$")
            ax.fill_between(x, psi**2, color=colour, alpha=0.15, lw=0, label=rf"$|\psi_{n}|^2$")
        ax.set_title(f"({letter})", loc="left", fontsize=10)
        ax.set_title(rf"$t = {t:g}/\omega$,  width $\times\, e^{{-{DAMPING * t:g}}}$" if t else r"$t = 0$", fontsize=10)
        ax.set_xlabel(r"position $x$  [$\sqrt{\hbar / m \omega}$]")
        ax.set_ylabel(r"$\psi_n$ and $|\psi_n|^2$  (units $\hbar = m = \omega = 1$)")
        ax.label_outer()
        ax.set_xlim(x[0], x[-1])
        plot.tidy(ax)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return fig
