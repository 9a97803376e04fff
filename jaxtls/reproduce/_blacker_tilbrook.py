"""Holds what Figs. 2 and 3 of Blacker & Tilbrook share: transitions below, at and above critical damping; omega = 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from .. import DampedOscillator, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DAMPINGS = {"underdamped": 0.9, "critical": 1.0, "overdamped": 1.5}
DURATIONS = {"underdamped": 14.4, "critical": 8.0, "overdamped": 8.0}
LEVELS = (0, 2, 4, 6)
AXES = {f"t_{case}": "1/omega" for case in DAMPINGS}
STYLES = ("-", "--", "-.", ":")


def probabilities(initial: int, quick: bool) -> dict[str, np.ndarray]:
    """Gives t_CASE (T,) and P<initial><m>_CASE (T,), m in LEVELS, for the three dampings."""
    found = {}
    for case, damping in DAMPINGS.items():
        ts = np.linspace(0.0, DURATIONS[case], 301 if quick else 1501)
        values = DampedOscillator(1.0, damping).transition_probabilities(jnp.asarray(ts), initial, LEVELS[-1])
        found[f"t_{case}"] = ts
        found |= {f"P{initial}{m}_{case}": np.asarray(values[:, m]) for m in LEVELS}
    return found


def draw(data: dict[str, np.ndarray], initial: int) -> Figure:
    """Draws panels (a) under-, (b) critically and (c) overdamped."""
    fig = plot.figure(11.0, 3.9)
    axes = fig.subplots(1, 3, sharey=True)
    for ax, letter, (case, damping) in zip(axes, "abc", DAMPINGS.items(), strict=True):
        t = data[f"t_{case}"]
        for m, colour, style in zip(LEVELS, plot.PALETTE, STYLES, strict=False):
            label = rf"$P_{{{initial} \to {m}}}$"
            ax.plot(t, data[f"P{initial}{m}_{case}"], color=colour, ls=style, lw=1.6, label=label)
        ax.set_title(f"({letter})", loc="left", fontsize=10)
        ax.set_title(rf"{case}, $\alpha = {damping:g}\,\omega$", fontsize=10)
        ax.set_xlabel(r"time $t$  [$1/\omega$]")
        ax.set_ylabel("transition probability")
        ax.label_outer()
        ax.set_xlim(t[0], t[-1])
        ax.locator_params(axis="x", integer=True)
        ax.set_ylim(-0.02, 1.02)
        plot.tidy(ax)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    return fig
