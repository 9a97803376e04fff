"""Finds where the TLSs of a swap map are, roughly: one after another, by chevrons that multiply.

A TLS alone leaves the qubit 1 - (4 g²/W²)(1 - e^{-gamma t/2} cos W t)/2, W² = 4 g² + detuning²; several are taken as a
product. That is good enough to start from; the fit uses the exact amplitude.
"""

from __future__ import annotations

import math

import numpy as np

LOSSES = (0.1, 1.0, 4.0)  # times 1/(longest swap time)


def chevron(detuning: np.ndarray, t: np.ndarray, coupling: float, loss: float) -> np.ndarray:
    """Gives the population left by one TLS; detuning and coupling [MHz], t [us], loss [1/us]."""
    w2 = (2 * math.pi) ** 2 * (4 * coupling**2 + detuning**2)
    share = (4 * math.pi * coupling) ** 2 / w2
    loss = min(loss, 8 * math.pi * coupling)  # an overdamped TLS takes no more than its coupling gives it
    return 1 - share * (1 - np.exp(-loss * t / 2) * np.cos(np.sqrt(w2) * t)) / 2


def couplings_to_try(t: np.ndarray) -> np.ndarray:
    """Gives couplings from an eighth of a swap in the longest time to a swap between two times [MHz]."""
    times = np.unique(t)
    fastest = 1 / (4 * np.min(np.diff(times)))
    return np.geomspace(1 / (16 * times[-1]), max(fastest, 1 / times[-1]), 24)


def next_tls(
    frequency: np.ndarray, t: np.ndarray, population: np.ndarray, base: np.ndarray, least: float
) -> tuple[float, float, float]:
    """Finds frequency, coupling [MHz] and loss [1/us] of the TLS that explains most of what a map still holds.

    Arguments:
        frequency, t, population: rows of the map, (R,).
        base: what the TLSs found so far leave, (R,), in the same units as the population.
        least: population at the end of everything (the offset).

    Returns:
        Frequency [MHz], coupling [MHz] and loss [1/us].
    """
    places = np.unique(frequency)
    longest = t.max()
    best, found = math.inf, (float(places[0]), 1 / longest, 1 / longest)
    for place in places:
        for coupling in couplings_to_try(t):
            for loss in LOSSES:
                left = chevron(frequency - place, t, coupling, loss / longest)
                misfit = float(np.sum((population - least - (base - least) * left) ** 2))
                if misfit < best:
                    best, found = misfit, (float(place), float(coupling), loss / longest)
    return found


def weakest_seen(
    frequency: np.ndarray, t: np.ndarray, contrast: float, sigma: np.ndarray, gain: float, loss: float
) -> float:
    """Gives the coupling [MHz] whose chevron in the map's middle would lower chi² by `gain`; inf where none would."""
    middle = float(np.median(np.unique(frequency)))
    for coupling in np.geomspace(1e-3, 1.0, 121) / t.max():
        lost = contrast * np.exp(-loss * t) * (1 - chevron(frequency - middle, t, coupling, 0.0))
        if np.sum((lost / sigma) ** 2) > gain:
            return float(coupling)
    return math.inf
