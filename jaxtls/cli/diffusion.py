"""Finds the diffusion constant of a frequency that was measured now and then, each time with an error.

Moves between neighbouring times are normal with covariance 4 D² dt on the diagonal, plus that of the measurement: the
likelihood of D is a Gaussian's, and its maximum needs no smoothing of the record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Diffusion:
    """Holds D of sigma = 2 D sqrt(t).

    Attributes:
        value: most likely D.
        stderr: from the curvature of ln L in ln D; infinite where the maximum is at 0.
        upper: 95 % of the likelihood, flat in D, lies below.
        gain: 2 ln L(D) - 2 ln L(0).
        moves: (T - 1,) moves in units of what D and the errors give, independent.
    """

    value: float
    stderr: float
    upper: float
    gain: float
    moves: np.ndarray

    @classmethod
    def of(cls, times: np.ndarray, places: np.ndarray, covariance: np.ndarray) -> Diffusion:
        """Finds D from places (T,) at ascending times (T,) with the covariance (T, T) of their errors.

        Example:
            >>> rng = np.random.default_rng(0)
            >>> t = np.linspace(0.0, 10.0, 2001)
            >>> path = np.concatenate([[0.0], np.cumsum(2 * 1.5 * np.sqrt(np.diff(t)) * rng.normal(size=2000))])
            >>> d = Diffusion.of(t[::20], path[::20], 1e-6 * np.eye(101))
            >>> bool(abs(d.value - 1.5) < 3 * d.stderr), bool(0.05 < d.stderr < 0.15)
            (True, True)
        """
        steps, moves = np.diff(times), np.diff(places)
        noise = np.diff(np.diff(covariance, axis=0), axis=1)
        noise = np.where(np.isfinite(noise), noise, 0.0) + 1e-12 * np.eye(len(steps)) * np.mean(moves**2 + 1e-12)
        scale = float(np.sqrt(np.mean(moves**2 / (4 * steps)))) or 1.0
        tried = scale * np.geomspace(1e-3, 10.0, 401)
        log_l = np.array([_log_likelihood(d, steps, moves, noise) for d in tried])
        at = int(np.argmax(log_l))
        best, zero = float(tried[at]), _log_likelihood(0.0, steps, moves, noise)
        stderr = math.inf
        if 0 < at < len(tried) - 1:
            # the vertex of the parabola through three values, in ln D
            step, bend = math.log(tried[1] / tried[0]), log_l[at + 1] + log_l[at - 1] - 2 * log_l[at]
            if bend < 0:
                best *= math.exp(step * (log_l[at - 1] - log_l[at + 1]) / (2 * bend))
                stderr = best * step / math.sqrt(-bend)
        else:
            best = 0.0 if at == 0 else best
        weight = np.exp(log_l - log_l.max()) * tried  # even in D, not in ln D
        share = np.cumsum(weight) / np.sum(weight)
        lower = np.linalg.cholesky(noise + np.diag(4 * best**2 * steps))
        gain = max(0.0, 2 * (float(log_l[at]) - zero))
        return cls(best, stderr, float(tried[np.searchsorted(share, 0.95)]), gain, np.linalg.solve(lower, moves))


def _log_likelihood(d: float, steps: np.ndarray, moves: np.ndarray, noise: np.ndarray) -> float:
    lower = np.linalg.cholesky(noise + np.diag(4 * d**2 * steps))
    return float(-0.5 * np.sum(np.linalg.solve(lower, moves) ** 2) - np.sum(np.log(np.diag(lower))))
