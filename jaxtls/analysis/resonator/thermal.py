"""Gives what thermal quasiparticles of amplitude 1 lose and pull, and slopes by Tc, in NumPy: searches compile nothing.

The integrals are those of `models.resonator.mattis_bardeen`, at the same nodes; exp(-E/kT) factorises into the gap's
part and the node's, so that many Tc share all but a square root.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import scipy.special

from ...models.resonator import BOLTZMANN, GAP_RATIO, PLANCK
from ...models.resonator.mattis_bardeen import NEAREST, NODES, RATIO

LEAST_GAP = 0.51  # of hf, where the conductivity is defined
COLDEST_SHARE = 0.02  # T/Tc below which the gap is whole


class Slope(NamedTuple):
    """Holds a value and its slope by Tc."""

    value: np.ndarray
    slope: np.ndarray


def dilute(frequency: float, tc: np.ndarray, temperature: np.ndarray) -> tuple[Slope, Slope]:
    """Returns loss and shift (K, T) by "dilute" quasiparticles.

    Example:
        >>> loss, shift = dilute(5e9, np.array([9.0]), np.array([1.0, 2.0]))
        >>> bool(loss.value[0, 1] > loss.value[0, 0] > 0 > shift.value[0, 0])
        True
    """
    x = PLANCK / (2 * BOLTZMANN) * frequency / temperature
    gap = GAP_RATIO * tc[:, None]
    rare, by_tc = np.exp(-gap / temperature), -GAP_RATIO / temperature
    loss = rare * -np.expm1(-2 * x) / 2 * scipy.special.k0e(x)
    root = np.sqrt(2 * np.pi * temperature / gap)
    shift = -np.pi / 8 * rare * (root + 2 * scipy.special.i0e(x))
    return Slope(loss, loss * by_tc), Slope(shift, shift * by_tc + np.pi / 16 * rare * root / tc[:, None])


def mattis_bardeen(frequency: float, tc: np.ndarray, temperature: np.ndarray) -> tuple[Slope, Slope]:
    """Returns loss and shift (K, T) by the complex conductivity of a BCS superconductor.

    Example:
        >>> loss, shift = mattis_bardeen(5e9, np.array([9.0]), np.array([1.0, 2.0]))
        >>> bool(loss.value[0, 1] > loss.value[0, 0] > 0 > shift.value[0, 0])
        True
    """
    w = PLANCK / BOLTZMANN * frequency
    gap = _at_least(_gap(tc[:, None], temperature), LEAST_GAP * w)
    whole = _at_least(Slope(GAP_RATIO * tc[:, None], np.full((len(tc), 1), GAP_RATIO)), LEAST_GAP * w)
    s1, s2 = _dissipative(w, gap, temperature), _reactive(w, gap, temperature)
    full = _reactive(w, whole, None)
    loss = np.pi / 4 * s1.value / s2.value
    by_tc = np.pi / 4 * (s1.slope - s1.value / s2.value * s2.slope) / s2.value
    ratio = s2.value / full.value
    shift = np.pi / 8 * (ratio - 1)
    return Slope(loss, by_tc), Slope(shift, np.pi / 8 * (s2.slope - ratio * full.slope) / full.value)


def tls_shift(frequency: float, temperature: np.ndarray) -> np.ndarray:
    """Returns the shift (T,) by TLSs of F tan delta = 1."""
    y = PLANCK / (2 * np.pi * BOLTZMANN) * frequency / temperature
    shift: np.ndarray = (scipy.special.digamma(0.5 - 1j * y).real - np.log(y)) / np.pi
    return shift


def _at_least(gap: Slope, least: float) -> Slope:
    return Slope(np.maximum(gap.value, least), np.where(gap.value > least, gap.slope, 0.0))


@functools.cache
def _gap_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give Delta(T)/Delta(0) and its slope on even steps of sqrt(1 - T/Tc), in which it is smooth up to Tc."""
    root = np.linspace(np.sqrt(1 - NEAREST), np.sqrt(1 - COLDEST_SHARE), 2048)
    t, nodes = 1 - root**2, np.linspace(0.0, 1.0, NODES + 1)
    weights = np.r_[0.5, np.ones(NODES - 1), 0.5] / NODES
    y = RATIO / t * np.tanh(1.74 * np.sqrt(1 / t - 1))
    for _ in range(8):
        longest = np.arccosh(1 + 40 / y)[:, None]
        cosh = np.cosh(longest * nodes)
        filled = scipy.special.expit(-y[:, None] * cosh)
        value = 2 * longest[:, 0] * (filled @ weights)
        slope = -2 * longest[:, 0] * ((cosh * filled * (1 - filled)) @ weights)
        y = np.maximum(y - (np.log(y * t / RATIO) + value) / (1 / y + slope), 1e-3)
    # d ln(y t)/dt by the implicit function, then by the root
    by_t = y / RATIO + t / RATIO * (-1 / t / (1 / y + slope))
    return root, y * t / RATIO, -2 * root * by_t


def _gap(tc: np.ndarray, temperature: np.ndarray) -> Slope:
    """Give the gap over k (K, T) by cubic interpolation."""
    root, share, slope = _gap_table()
    t = temperature / tc
    s = np.sqrt(1 - np.clip(t, COLDEST_SHARE, NEAREST))
    step = root[1] - root[0]
    i = np.clip(((s - root[0]) / step).astype(int), 0, len(root) - 2)
    u = (s - root[i]) / step
    rise, a, b = share[i + 1] - share[i], step * slope[i], step * slope[i + 1]
    # Hermite's cubic: value, and derivative by s
    value = share[i] + u * (a + u * (3 * rise - 2 * a - b + u * (a + b - 2 * rise)))
    by_s = (a + u * (2 * (3 * rise - 2 * a - b) + 3 * u * (a + b - 2 * rise))) / step
    moves = (t > COLDEST_SHARE) & (t < NEAREST)
    return Slope(GAP_RATIO * tc * value, GAP_RATIO * (value + np.where(moves, by_s * t / (2 * s), 0.0)))


def _coherence(w: float, gap: Slope, energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give (E^2 + D^2 + w E) / sqrt((E + D) (E + w + D)) and its slope by the gap D, with which E moves."""
    d = gap.value[..., None]
    one, other = energy + d, energy + w + d
    found = (energy**2 + d**2 + w * energy) / np.sqrt(one * other)
    return found, (2 * one + w) / np.sqrt(one * other) - found * (1 / one + 1 / other)


def _dissipative(w: float, gap: Slope, temperature: np.ndarray) -> Slope:
    """Give the dissipative part sigma_1."""
    longest = np.arcsinh(np.sqrt(40 * temperature / w))
    weights = np.r_[0.5, np.ones(NODES - 1), 0.5] / NODES
    above = w * np.sinh(longest[:, None] * np.linspace(0.0, 1.0, NODES + 1)) ** 2
    t = temperature[:, None]
    e = np.exp(-gap.value / temperature)[..., None] * np.exp(-above / t)
    later = e * np.exp(-w / t)
    share = e / ((1 + e) * (1 + later)) * -np.expm1(-w / t)
    by_gap = share / t * (e / (1 + e) + later / (1 + later) - 1)
    coherence, slope = _coherence(w, gap, gap.value[..., None] + above)
    scale = 4 / w * longest
    return Slope(
        scale * ((share * coherence) @ weights),
        scale * ((by_gap * coherence + share * slope) @ weights) * gap.slope,
    )


def _reactive(w: float, gap: Slope, temperature: np.ndarray | None) -> Slope:
    """Give sigma_2; without a temperature that of no quasiparticle."""
    below = w / 2 * (1 - np.cos((np.arange(NODES) + 0.5) * np.pi / NODES))
    coherence, slope = _coherence(w, gap, gap.value[..., None] - below)
    if temperature is None:
        return Slope(np.pi / w * coherence.mean(axis=-1), np.pi / w * slope.mean(axis=-1) * gap.slope)
    t = temperature[:, None]
    f = np.exp(-gap.value / temperature)[..., None] * np.exp((below - w) / t)
    empty = (1 - f) / (1 + f)
    by_gap = 2 * f / (t * (1 + f) ** 2)
    return Slope(
        np.pi / w * (empty * coherence).mean(axis=-1),
        np.pi / w * (by_gap * coherence + empty * slope).mean(axis=-1) * gap.slope,
    )
