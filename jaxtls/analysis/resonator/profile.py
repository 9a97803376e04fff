"""Makes the profile likelihood of one parameter: the least chi2 with it held, all others fitted anew."""

from __future__ import annotations

import dataclasses

import numpy as np

from .search import NAMES, Optimum, Searcher


@dataclasses.dataclass(frozen=True, eq=False)
class Profile:
    """Holds chi2 above its minimum against the logarithm of the parameter.

    Arguments:
        name: of the parameter.
        best: its fitted value, > 0.
        logs: (P,) ln(value / best), sorted.
        rise: (P,) chi2 less the least one.
        better: a lower optimum met on the way, or None.
    """

    name: str
    best: float
    logs: np.ndarray
    rise: np.ndarray
    better: Optimum | None = None

    def crossing(self, rise: float, up: bool) -> float | None:
        """Finds the value above (or below) the best one where chi2 has risen so far; None if it never does."""
        side = self.logs >= 0 if up else self.logs <= 0
        logs, roots = np.abs(self.logs[side]), np.sqrt(np.maximum(self.rise[side], 0.0))
        order = np.argsort(logs)
        logs, roots = logs[order], roots[order]
        beyond = np.flatnonzero(roots >= np.sqrt(rise))
        if not len(beyond):
            return None
        i = beyond[0]
        at = np.interp(np.sqrt(rise), roots[i - 1 : i + 1], logs[i - 1 : i + 1]) if i else logs[0]
        return float(self.best * np.exp(at if up else -at))


def profile(
    searcher: Searcher, form: str, free: tuple[str, ...], optimum: Optimum, name: str, error: float, unit: float
) -> Profile:
    """Profile a positive parameter far enough to see chi2 rise by 4 `unit`, or six decades.

    Arguments:
        searcher, form, free, optimum: the fit.
        name: of the parameter, one of the free ones.
        error: its relative standard error, to choose the first steps.
        unit: the rise of chi2 that counts as one standard error (above 1 where errors are scaled).

    Returns:
        The profile: values of the parameter and the least chi2 at each.
    """
    column, rest = NAMES.index(name), tuple(other for other in free if other != name)
    best = float(optimum.values[column])
    step = float(np.clip(error if np.isfinite(error) else 1.0, 0.01, 1.0))
    logs, rise = np.array([0.0]), np.array([0.0])
    low, found = np.array([0.5, 1.0, 2.0, 3.0]), optimum
    for _ in range(4):
        wanted = np.concatenate([-low[::-1], low]) * step
        starts = np.repeat(optimum.values[None], len(wanted), axis=0)
        starts[:, column] = best * np.exp(wanted)
        if rest:
            tries = searcher.run(form, rest, starts)
            chi2 = np.array([t.chi2 for t in tries])
            lowest = tries[int(np.argmin(chi2))]
            found = lowest if lowest.chi2 < found.chi2 - 1e-3 else found
        else:
            predicted, _ = searcher.predict(form, starts)
            chi2 = np.sum(((predicted - searcher.data) / searcher.sigma) ** 2, axis=1)
        logs, rise = np.concatenate([logs, wanted]), np.concatenate([rise, chi2 - optimum.chi2])
        open_ends = [rise[logs * sign > 0].max() < 4.2 * unit for sign in (-1, 1)]
        if not any(open_ends) or step * low[-1] > 13:
            break
        low = low * 5
    order = np.argsort(logs)
    return Profile(name, best, logs[order], rise[order], found if found is not optimum else None)
