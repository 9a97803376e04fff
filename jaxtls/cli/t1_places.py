"""Finds which of several TLSs is where in each scan: a fit does not exchange two of them by itself.

In each scan the places are tried anew from every order, one TLS after another on a grid; of these the choice is made
for all scans together, so that chi² and the moves between scans, in units of what is usual, are least.
"""

from __future__ import annotations

import dataclasses
import itertools
import math

import jax.numpy as jnp
import numpy as np

from .t1_model import ERROR, FREQUENCY, T1, TIME, WanderingTLSs, reach
from .tables import Table

GRID, SWEEPS = 161, 2


def rearranged(table: Table, which: np.ndarray, model: WanderingTLSs) -> WanderingTLSs:
    """Returns the model with the best places; its own where none are better."""
    centres = np.asarray(model.centres)
    found = [_options(table, which == k, model, here) for k, here in enumerate(centres.T)]
    # (T, P, K) places and (T, P) chi² of as many choices as there are orders
    places, chi2 = np.stack([one for one, _ in found]), np.stack([one for _, one in found])
    scale = _usual(table, centres)
    least, came = chi2[0], []
    for before, after, here, s in zip(places[:-1], places[1:], chi2[1:], scale, strict=True):
        total = least[:, None] + np.sum(((after - before[:, None]) / s) ** 2, axis=-1)
        came.append(np.argmin(total, axis=0))
        least = here + np.min(total, axis=0)
    path = [int(np.argmin(least))]
    for step in reversed(came):
        path.append(int(step[path[-1]]))
    chosen = np.stack([choices[k] for choices, k in zip(places, reversed(path), strict=True)], axis=1)
    return dataclasses.replace(model, centres=jnp.asarray(chosen))


def cost(table: Table, which: np.ndarray, model: WanderingTLSs) -> float:
    """Gives chi² and moves together, as `rearranged` weighs them for these places."""
    centres = np.asarray(model.centres)
    chi2 = sum(_chi2(table, which == k, model, here) for k, here in enumerate(centres.T))
    return float(chi2 + np.sum((np.diff(centres, axis=1) / _usual(table, centres).T) ** 2))


def _usual(table: Table, centres: np.ndarray) -> np.ndarray:
    """Give moves usual between neighbouring scans [MHz], (T - 1, 1): as the square root of the time between."""
    apart = np.sqrt(np.diff(np.unique(table[TIME])))
    spacing = float(np.ptp(table[FREQUENCY])) / len(np.unique(table[FREQUENCY]))
    speed = float(np.median(np.abs(np.diff(centres, axis=1)) / apart))
    return (1.5 * speed * apart + spacing / 4)[:, None]


def _lines(model: WanderingTLSs, detuning: np.ndarray) -> np.ndarray:
    """Give rates [1/us] of each TLS (K, ...) at detunings (K, ...) [MHz]."""
    shape = (-1, *[1] * (detuning.ndim - 1))
    g, width = (np.asarray(part).reshape(shape) for part in (model.couplings, model.widths))
    return 4 * math.pi * g**2 * width / (width**2 + detuning**2)


def _chi2(table: Table, rows: np.ndarray, model: WanderingTLSs, places: np.ndarray) -> float:
    """Give chi² of some rows with all TLSs at their places (K,)."""
    return float(_misfit(table, rows, model, _lines(model, table[FREQUENCY][rows] - places[:, None]).sum(axis=0)))


def _misfit(table: Table, rows: np.ndarray, model: WanderingTLSs, rates: np.ndarray) -> np.ndarray:
    """Give chi² of ln T1 of some rows, rates of all TLSs (..., R) -> (...)."""
    left = np.log(table[T1][rows] * (float(model.background) + rates))
    sigma = table[ERROR][rows] / table[T1][rows] if ERROR in table else _scatter(table, model)
    return np.asarray(np.sum((left / sigma) ** 2, axis=-1))


def _scatter(table: Table, model: WanderingTLSs) -> float:
    """Give the scatter of ln T1 about the model, where no errors are given."""
    _, which = np.unique(table[TIME], return_inverse=True)
    rates = _lines(model, table[FREQUENCY] - np.asarray(model.centres)[:, which]).sum(axis=0)
    return float(np.std(np.log(table[T1] * (float(model.background) + rates))))


def _options(table: Table, rows: np.ndarray, model: WanderingTLSs, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give places (P, K) of one scan from each order of those it has, and their chi² (P,)."""
    f = table[FREQUENCY][rows]
    grid = np.linspace(*reach(table), GRID)
    tried = _lines(model, np.broadcast_to(f - grid[:, None], (len(here), GRID, len(f))))
    found, misfit = [], []
    for order in itertools.permutations(here):
        places = np.array(order)
        for _, k in itertools.product(range(SWEEPS), range(len(places))):
            lines = _lines(model, f - places[:, None])
            others = lines.sum(axis=0) - lines[k]
            chi2 = _misfit(table, rows, model, others + tried[k])
            if chi2.min() < _misfit(table, rows, model, others + lines[k]) - 1:
                places[k] = grid[np.argmin(chi2)]
        found.append(places)
        misfit.append(_chi2(table, rows, model, places))
    return np.array(found), np.array(misfit)
