"""Draws a thermal network: who is coupled to whom, and where heat flows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import require
from .._types import Numbers
from ._style import BLACK, BLUE, VERMILION, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROUNDING = 1e-12


def heat_flows(model: Any, state: Any = None, *, positions: Numbers | None = None, ax: Axes | None = None) -> Axes:
    """Draws a network's TLSs, baths and couplings, with the heat that each bath gives (vermilion) or takes (blue).

    Arguments:
        model: a `ThermalNetwork`.
        state: of the network; its steady state by default.
        positions: (N, 2) of the TLSs; by default a line where couplings join neighbours alone, else a circle.
        ax: axes to draw into; a new figure by default.

    Returns:
        The axes. Discs are TLSs, as dark as they are excited, with their populations; squares are baths with their
        temperatures; arrows are as wide as their heat current [energy/time]. Coherent couplings are solid lines,
        incoherent ones dashed. The title has the power of the coupling noise and the entropy production.

    Raises:
        ValueError: for positions of another shape.

    Example:
        >>> net = jt.ThermalNetwork([1.0, 1.0], [0.5, 1.0], [0.1, 0.1], incoherent=[[0.0, 0.05], [0.05, 0.0]])
        >>> ax = heat_flows(net)
        >>> ax.get_title()
        'coupling noise 0, entropy production 0.00162'
    """
    state = model.steady_state() if state is None else state
    balance = model.balance(state)
    n = model.n_tls
    coherent, noise = (np.zeros((n, n)) if k is None else np.asarray(k) for k in (model.coherent, model.incoherent))
    edges = [(i, k) for i in range(n) for k in range(i + 1, n) if coherent[i, k] or noise[i, k]]
    spots, outward = _places(n, edges, positions)
    baths, warm = spots + outward, np.flatnonzero(np.asarray(model.rates)).tolist()
    everything = np.concatenate([spots, baths[warm]])
    if ax is None:
        span = np.ptp(everything, axis=0)
        ax = figure(1.2 + 1.15 * max(span[0], 2.5), 1.3 + 1.15 * max(span[1], 0.4)).subplots()
    write = partial(ax.annotate, ha="center", va="center", fontsize=8, zorder=4)

    for i, k in edges:
        for amount, style in ((coherent[i, k], "-"), (noise[i, k], (0, (4, 3)))):
            if amount:
                ax.plot(*spots[[i, k]].T, color="0.45", lw=2, ls=style, zorder=1)
        amounts = " and ".join(f"{amount:.3g}" for amount in (coherent[i, k], noise[i, k]) if amount)
        write(amounts, tuple(spots[[i, k]].mean(axis=0)), color="0.3", bbox={"fc": "white", "ec": "none", "pad": 1.5})
    p = np.asarray(balance.populations)
    ax.scatter(spots[:, 0], spots[:, 1], s=720, c=p, cmap="Greys", vmin=0, vmax=0.6, edgecolors=BLACK, zorder=3)
    for spot, value in zip(spots, p, strict=True):
        write(f"{value:.3f}", tuple(spot), color="white" if value > 0.35 else "black")

    currents, betas = np.asarray(balance.heat_currents), np.asarray(model.betas)
    most = float(np.max(np.abs(currents), initial=0.0))
    for i in warm:
        ax.scatter(baths[i, 0], baths[i, 1], s=1000, marker="s", color="0.93", edgecolors="0.4", zorder=2)
        write(_temperature(float(betas[i])), baths[i])
        if abs(currents[i]) > ROUNDING * most:
            _arrow(ax, baths[i] - 0.28 * outward[i], spots[i] + 0.3 * outward[i], float(currents[i]), most)

    low, high = everything.min(axis=0) - 0.5, everything.max(axis=0) + 0.5
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    ax.set_axis_off()
    power, entropy = float(balance.work_power), float(balance.entropy_production)
    scale = float(np.sum(np.abs(np.where(np.isfinite(betas), betas, 0.0) * currents)))
    said = f"coupling noise {_small(power, most)}, entropy production {_small(entropy, scale)}"
    ax.set_title(said + (", second law VIOLATED" if bool(balance.violates_second_law) else ""), fontsize=9)
    return ax


def _arrow(ax: Axes, bath: np.ndarray, site: np.ndarray, current: float, most: float) -> None:
    """Draw an arrow from the bath where the current is positive, to it where it is negative; its size beside it."""
    colour, (tail, tip) = (VERMILION, (bath, site)) if current > 0 else (BLUE, (site, bath))
    width = 1.0 + 5.0 * abs(current) / most
    head = {"arrowstyle": "-|>", "mutation_scale": 8 + 2 * width, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", tuple(tip), tuple(tail), arrowprops={**head, "color": colour, "lw": width}, zorder=2)
    away = (bath - site) / np.linalg.norm(bath - site)
    side = np.array([-away[1], away[0]]) * (1 if away[0] > 0 else -1)
    sideways = abs(side[0]) > 0.5
    across = ("left" if side[0] > 0 else "right") if sideways else "center"
    ax.annotate(
        f"{abs(current):.3g}", tuple((tail + tip) / 2), tuple(10 * side), textcoords="offset points", fontsize=8,
        color=colour, ha=across, va="center" if sideways else "bottom",
    )  # fmt: skip


def _places(n: int, edges: list[tuple[int, int]], positions: Numbers | None) -> tuple[np.ndarray, np.ndarray]:
    """Say where TLSs are, and the direction of each one's bath."""
    if positions is not None:
        spots = np.asarray(positions, float)
        require(spots.shape == (n, 2), "positions", f"have shape ({n}, 2)", f"shape {spots.shape}")
    elif all(k == i + 1 for i, k in edges):
        spots = 1.5 * np.stack([np.arange(n), np.zeros(n)], axis=1)
        outward = np.tile([0.0, 1.0], (n, 1))
        # The ends of a line have their baths beyond it.
        outward[0], outward[-1] = ([-1.0, 0.0], [1.0, 0.0]) if n > 1 else ([0.0, 1.0], [0.0, 1.0])
        return spots, outward
    else:
        angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
        radius = max(1.0, 1.5 / (2 * np.sin(np.pi / n)))
        spots = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    away = spots - spots.mean(axis=0)
    length = np.linalg.norm(away, axis=1, keepdims=True)
    return spots, np.where(length > 1e-9, away / np.where(length > 1e-9, length, 1.0), [0.0, 1.0])


def _temperature(beta: float) -> str:
    if beta == 0:
        return r"$T = \infty$"
    return f"$T = {1 / beta:.3g}$" if np.isfinite(beta) else "$T = 0$"


def _small(value: float, scale: float) -> str:
    """Give three digits; what is rounding beside the scale is zero."""
    if not np.isfinite(value):
        return "infinite" if value > 0 else "-infinite"
    return "0" if abs(value) <= ROUNDING * scale else f"{value:.3g}"
