"""Gives errors by resampling whole temperatures, or whole rows of a power sweep, for data without error bars."""

from __future__ import annotations

import numpy as np

from .measured import Measured, levels_of
from .search import Optimum, Searcher

SEED = 20261121


def bootstrap(searcher: Searcher, form: str, free: tuple[str, ...], optimum: Optimum, draws: int) -> np.ndarray:
    """Refits data in which each temperature counts as often as it was drawn (with replacement).

    Rows of one temperature are drawn together, so what they have in common (a wrong thermometer, a slow drift) widens
    the errors as it should; below five temperatures single rows are drawn. A row drawn m times has its error bar
    divided by sqrt(m), one not drawn an infinite one.

    Returns:
        (D, 8) values of the refits that converged.

    Source: B. Efron & R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall (1993).
    """
    rng = np.random.default_rng(SEED)
    parts = _members(searcher.measured)
    bars = np.stack([searcher.sigma / np.sqrt(np.concatenate([_counts(rng, p) for p in parts])) for _ in range(draws)])
    found = searcher.run(form, free, np.repeat(optimum.values[None], draws, axis=0), bars)
    return np.array([f.values for f in found if np.isfinite(f.chi2)])


def half_width(values: np.ndarray) -> float:
    """Returns half of the central 68 % range: one standard error, deaf to stray draws.

    Example:
        >>> round(half_width(np.arange(101.0)), 2)
        34.13
    """
    low, high = np.percentile(values, [15.87, 84.13])
    return float(high - low) / 2


def _members(m: Measured) -> list[np.ndarray]:
    found = []
    for temperature in (m.temperature, m.cold):
        levels = levels_of(temperature, 1.001)
        found.append(levels if levels.max(initial=0) >= 4 else np.arange(len(levels)))
    return found


def _counts(rng: np.random.Generator, members: np.ndarray) -> np.ndarray:
    if not len(members):
        return np.zeros(0)
    size = int(members.max()) + 1
    # what is not drawn keeps a weight too small to count, so that every error bar is a number
    return np.maximum(np.bincount(rng.integers(size, size=size), minlength=size)[members], 1e-12)
