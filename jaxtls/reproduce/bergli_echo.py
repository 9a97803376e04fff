"""Bergli, Galperin & Altshuler (arXiv:0904.4597): echo under one fluctuator and under 1/f noise.

The figures of the paper were not at hand: these are its two situations with our parameters, so that shapes and laws may
be compared and no curve was read off. Ours are exact products of 2x2 transfer matrices. Measured here:
- one fluctuator: the Gaussian approximation exp(-<phi²>/2) holds for a << Gamma alone (off by 0.003 at a/Gamma = 0.25,
  0.02 at 1) and misses the steps that a strong one leaves (off by 0.33 at a/Gamma = 3, 0.66 at 10): what has not
  switched is refocused, whatever its a. The echo never goes below zero, as it is a sum of squares.
- many weak fluctuators over six decades: the echo falls as exp(-s2 t² ln2/2pi), without the logarithm that Ramsey has;
  the exact product is within 0.0012 of that law down to D = 0.1, and within 3e-5 of the Gaussian approximation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import Fluctuators, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"t": "1/Gamma", "t_bath": "1/(middle rate)"}
RATIOS = (0.25, 1.0, 3.0, 10.0)
DECADES, STRENGTH = 6, 0.01


def gaussian_echo(f: Fluctuators, ts: np.ndarray) -> np.ndarray:
    """Gives exp(-<phi²>/2); phi is t/2 times the difference of adjacent means: <phi²>/2 is (t/2)² times Allan's
    variance.
    """
    return np.exp(-((ts / 2) ** 2) * np.asarray(f.allan_variance(ts / 2)))


def bath(n: int) -> Fluctuators:
    """Takes equal amplitudes, total rates evenly spread over the decades about 1; s2 does not depend on n."""
    rates = 10.0 ** (DECADES * ((np.arange(n) + 0.5) / n - 0.5))
    return Fluctuators(np.full(n, STRENGTH * np.sqrt(4000 / n)), rates / 2, rates / 2)


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Gives echo of one fluctuator at each a/Gamma, exact and Gaussian; echo and Ramsey of a 1/f bath with the ln2 law.

    Arguments:
        quick: 4000 fluctuators; False: 100 000.
        progress: not used, as it takes seconds.

    Returns:
        t (T,); exact_r, gaussian_r (T,) for r = a/Gamma; t_bath (T,); bath_echo, bath_gaussian, bath_law, bath_ramsey.
    """
    del progress
    ts = np.linspace(0.0, 6.0, 241)
    found = {"t": ts}
    for ratio in RATIOS:
        one = Fluctuators(np.array([ratio]), np.array([0.5]), np.array([0.5]))
        found[f"exact_{ratio:g}"] = np.asarray(one.coherence(ts, pulses=1)).real
        found[f"gaussian_{ratio:g}"] = gaussian_echo(one, ts)
    t = np.linspace(0.0, 16.0, 161)
    many = bath(4000 if quick else 100_000)
    s2 = 4000 * STRENGTH**2 * np.pi / np.log(10.0**DECADES)
    found |= {
        "t_bath": t,
        "bath_echo": np.asarray(many.coherence(t, pulses=1)).real,
        "bath_gaussian": gaussian_echo(many, t),
        "bath_law": np.exp(-s2 * t**2 * np.log(2) / (2 * np.pi)),
        "bath_ramsey": np.asarray(many.coherence(t)).real,
    }
    return found


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws the panels (a) one fluctuator and (b) 1/f noise."""
    fig = plot.figure(9.4, 4.3)
    left, right = fig.subplots(1, 2)
    for ratio, colour in zip(RATIOS, plot.ramp(len(RATIOS)), strict=True):
        left.plot(data["t"], data[f"exact_{ratio:g}"], color=colour, lw=1.7, label=f"{ratio:g}")
        left.plot(data["t"], data[f"gaussian_{ratio:g}"], color=colour, lw=1.1, ls=":")
    left.set_title("(a)  one fluctuator: exact, and Gaussian (dotted)", loc="left", fontsize=10)
    left.set_xlabel(r"time $t$  [$1/\Gamma$]")
    left.legend(title=r"$a/\Gamma$", frameon=False)
    few = slice(None, None, 8)
    right.plot(data["t_bath"], data["bath_echo"], color=plot.BLUE, lw=1.7, label="echo, exact")
    right.plot(data["t_bath"][few], data["bath_law"][few], "o", mfc="white", mec=plot.BLUE, ms=5, label="ln 2 law")
    right.plot(data["t_bath"], data["bath_ramsey"], color=plot.VERMILION, lw=1.7, label="Ramsey, exact")
    right.set_title(f"(b)  1/f noise of fluctuators over {DECADES} decades", loc="left", fontsize=10)
    right.set_xlabel("time $t$  [1/middle rate]")
    right.legend(frameon=False)
    for ax in (left, right):
        ax.set_ylabel("coherence $D(t)$")
        ax.set_ylim(-0.02, 1.02)
        ax.set_xlim(0, None)
        plot.tidy(ax)
    return fig
