"""The TLS bath in plain NumPy, written well: no array of TLSs times times, products in place, one pass over memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TERMS = 30  # of the Taylor series
REACH = 4.0  # (norm) x (step)
NODES = 16  # of Talbot's contour, one half


@dataclass(frozen=True)
class Bath:
    """J TLSs: frequencies, couplings, relaxation, pure dephasing, (J,) each."""

    frequencies: np.ndarray
    couplings: np.ndarray
    relaxation: np.ndarray
    dephasing: np.ndarray


def draw(n: int, dephasing: bool, seed: int = 0) -> Bath:
    """A band of width 20, sum of g² = 0.3, losses up to 0.3."""
    rng = np.random.default_rng(seed)
    g = rng.random(n)
    g *= np.sqrt(0.3 / np.sum(g**2))
    return Bath(20 * (rng.random(n) - 0.5), g, 0.3 * rng.random(n), 0.2 * rng.random(n) * dephasing)


def amplitude(bath: Bath, w: float, ts: np.ndarray) -> np.ndarray:
    """c(t) by Taylor steps of the full vector, about the middle of the spectrum."""
    diagonal = -1j * (bath.frequencies - w) - bath.relaxation / 2
    row = -1j * bath.couplings
    middle = -1j * (np.max(bath.frequencies) + np.min(bath.frequencies) - 2 * w) / 2
    diagonal = diagonal - middle
    norm = np.max(np.abs(diagonal)) + np.sqrt(np.sum(bath.couplings**2)) + abs(middle)
    c, b, t, found = 1.0 + 0j, np.zeros(len(row), complex), 0.0, []
    for end in ts:
        steps = int(np.ceil((end - t) * norm / REACH))
        for _ in range(steps):
            h = (end - t) / steps
            term_c, term_b = c, b.copy()
            for k in range(1, TERMS):
                next_c = (row @ term_b - middle * term_c) * (h / k)
                term_b *= diagonal
                term_b += row * term_c
                term_b *= h / k
                term_c = next_c
                c = c + term_c
                b += term_b
            phase = np.exp(middle * h)
            c, b = c * phase, b * phase
        t = end
        found.append(c)
    return np.array(found)


def populations(bath: Bath, w: float, ts: np.ndarray) -> np.ndarray:
    """p_q(t) by Talbot's contour, one for each time."""
    widths = bath.relaxation / 2 + bath.dephasing
    rate = 2 * bath.couplings**2 * widths / (widths**2 + (w - bath.frequencies) ** 2)
    decay = bath.relaxation + rate
    theta = (2 * np.arange(NODES) + 1) * np.pi / (2 * NODES)
    cot = 1 / np.tan(0.6407 * theta)
    scale = 2 * NODES
    z = scale * (0.5017 * theta * cot - 0.6122 + 0.2645j * theta)
    slope = scale * (0.5017 * cot - 0.5017 * 0.6407 * theta / np.sin(0.6407 * theta) ** 2 + 0.2645j)
    weight = np.exp(z) * slope / (1j * scale)
    found = []
    for t in ts:
        s = z / t
        x = np.array([1 / (v + np.sum(rate * (v + bath.relaxation) / (v + decay))) for v in s])
        found.append(np.sum(weight * x).real * 2 / t)
    return np.array(found)


def rates(bath: Bath, ws: np.ndarray, chunk: int = 256) -> np.ndarray:
    """Golden rule at many frequencies, some TLSs at a time."""
    total = np.zeros(len(ws))
    for i in range(0, len(bath.couplings), chunk):
        part = slice(i, i + chunk)
        widths = bath.relaxation[part] / 2 + bath.dephasing[part]
        squares = (ws[:, None] - bath.frequencies[part]) ** 2
        squares += widths**2
        total += (1 / squares) @ (2 * bath.couplings[part] ** 2 * widths)
    return total
