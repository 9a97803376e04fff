"""Climbs a log-likelihood by Newton's ascent from many starts together, damped where not concave or not quadratic.

The likelihood is evaluated outside, value, gradient and Hessian at once, in coordinates u in which every parameter is
unconstrained; a trial that is worse or not finite is refused and the damping raised.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .. import _progress
from .solvers import CONVERGED, NOT_FINITE, OUT_OF_STEPS, RUNNING, STALLED

_NEAR_ENOUGH = 0.005  # a gain of ln L that moves the parameters by a tenth of a standard error


class Peak(NamedTuple):
    """Holds one evaluated point of a search; of all searches, with a leading axis."""

    u: np.ndarray  # (n,), unconstrained
    value: np.ndarray  # (), ln L
    gradient: np.ndarray  # (n,), by u
    hessian: np.ndarray  # (n, n), by u
    information: np.ndarray  # (n, n), -Hessian by the physical values


@dataclasses.dataclass(frozen=True, eq=False)
class Settings:
    """Holds what a search needs to know.

    Arguments:
        longest: (n,), longest step in each unconstrained coordinate.
        atol: a search ends where the promised gain of ln L is below atol²/2: `atol` standard errors from the maximum.
        eps: round-off of the log-likelihood.
    """

    longest: np.ndarray
    atol: float
    eps: float

    def noise(self, value: float) -> float:
        """Gives the round-off of ln L, below which no gain can be seen."""
        return 64 * self.eps * (1 + abs(value))


class Climb:
    """Holds one search: the highest point that it met, its damping, and whether and why it ended."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.best: Peak | None = None
        self.damping, self.gain, self.promised = 1e-3, np.inf, np.inf
        self.steps, self.code = 0, RUNNING

    def tell(self, point: Peak) -> None:
        """Take an evaluated trial: keep it, or refuse it and raise the damping."""
        self.steps += 1
        finite = all(np.all(np.isfinite(part)) for part in point)
        if self.best is None:
            if not finite:
                self.code = NOT_FINITE
                return
            self.best = point
            return
        won = float(point.value - self.best.value) if finite else -np.inf
        noise = self.settings.noise(float(self.best.value))
        if won < -noise or (won <= 0 and self.promised > 4 * noise):
            if self.promised <= 4 * noise:
                self.code = CONVERGED if self.gain <= _NEAR_ENOUGH else STALLED
            self.damping = max(8 * self.damping, 1e-3)
            if self.damping > 1e12:
                self.code = STALLED
            return
        ratio = won / max(self.promised, 1e-300)
        self.damping = self.damping / 8 if ratio > 0.75 else self.damping * (4 if ratio < 0.25 else 1)
        self.damping = 0.0 if self.damping < 1e-8 else self.damping
        self.best = point

    def trial(self) -> np.ndarray:
        """Gives the next point, from the best one; ends the search where nothing is left to gain."""
        assert self.best is not None
        g, information, longest = self.best.gradient, -self.best.hessian, self.settings.longest
        size = np.sqrt(np.abs(np.diag(information)) + 1 / longest**2)
        unit = 1 / np.where(size > 0, size, 1.0)
        curvature, V = np.linalg.eigh(unit[:, None] * information * unit)
        slope = V.T @ (unit * g)
        # A weak prior: what runs away along its transform would promise a gain for ever.
        prior = np.sum((V * (unit / longest)[:, None]) ** 2, axis=0)
        stiff = np.abs(curvature) + prior
        stiff = np.where(stiff > 1e-12, stiff, np.inf)
        self.gain = 0.5 * float(np.sum(slope**2 / stiff))
        is_saddle = curvature < -1e-6
        threshold = max(0.5 * self.settings.atol**2, self.settings.noise(float(self.best.value)))
        if self.gain <= threshold:
            if not np.any(is_saddle):
                self.code = CONVERGED
                return self.best.u
            # A symmetric start (equal fluctuators) rests on a saddle: leave it along its falling side.
            slope = np.where(is_saddle, np.where(slope < 0, -0.3, 0.3), slope)
        step = slope / (stiff + self.damping)
        du = unit * (V @ step)
        shorten = 1 / max(1.0, float(np.max(np.abs(du) / longest)))
        step, du = step * shorten, du * shorten
        self.promised = float(np.sum(slope * step - 0.5 * np.where(np.isinf(stiff), 0.0, curvature) * step**2))
        return self.best.u + du


def climb(
    settings: Settings, u0: np.ndarray, evaluate: Callable[[np.ndarray], Peak], max_steps: int, progress: bool
) -> list[Climb]:
    """Search from all starts u0 (k, n) together; `evaluate` takes trials (k, n) to a `Peak` with a leading axis k."""
    searches, u = [Climb(settings) for _ in u0], u0
    with _progress.bar(max_steps, "fit", progress) as bar:
        for _ in range(max_steps):
            points = evaluate(u)
            trials = u.copy()
            for i, search in enumerate(searches):
                if search.code == RUNNING:
                    search.tell(Peak(*(part[i] for part in points)))
                if search.code == RUNNING:
                    trials[i] = search.trial()
            bar.update()
            running = [search.code == RUNNING for search in searches]
            if not any(running):
                return searches
            # The batch keeps its size, or it would be compiled again; what has ended repeats what has not.
            u = np.where(np.array(running)[:, None], trials, trials[running.index(True)])
    for search in searches:
        if search.code == RUNNING:
            search.code = OUT_OF_STEPS
    return searches
