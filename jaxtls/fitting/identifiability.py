"""Finds what data can see: singular directions of the Jacobian at the optimum, the covariance, and words for both."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

UNSEEN = 1e-3  # a direction known to no better than 1000 times the parameters' own size is not known
ENTANGLED = 0.95  # correlation from which parameters are hardly separable


@dataclasses.dataclass(frozen=True, eq=False)
class Identifiability:
    r"""Holds directions in parameter space that the data fix and do not fix.

    With D the parameters' sizes, $J D = U S V^T$ for the whitened Jacobian J: the column $V_i$ is a direction of
    relative change and $1/S_i$ its standard error.

    Arguments:
        names: one name for each free scalar.
        values: their fitted values (n,).
        scales: D, the sizes to which changes are compared (n,).
        directions: V, (n, n), columns.
        errors: the standard error along each direction (n,), in units of the sizes; inf where nothing is seen.
        seen: which directions the data fix (n,), bool.
        logarithmic: which parameters are fitted on a log scale (n,), bool; only words depend on it.
        tolerance: a weight of a parameter in a direction below this is round-off.
        at_bound: names of parameters that the fit left at a bound of their range.
    """

    names: tuple[str, ...]
    values: np.ndarray
    scales: np.ndarray
    directions: np.ndarray
    errors: np.ndarray
    seen: np.ndarray
    logarithmic: np.ndarray
    tolerance: float = 1e-6
    at_bound: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """Gives the number of directions that the data fix."""
        return int(np.sum(self.seen))

    @property
    def unidentified(self) -> tuple[str, ...]:
        """Names the parameters whose value the data do not fix."""
        return tuple(name for name, weight in zip(self.names, self._unseen_weight()) if weight > self.tolerance)

    def _unseen_weight(self) -> np.ndarray:
        return np.linalg.norm(self.directions[:, ~self.seen], axis=1)

    def covariance_of(self, gradient: np.ndarray) -> np.ndarray:
        """Gives the covariance (m, m) of quantities with gradients (m, n) by the physical parameters.

        Infinite where a quantity moves along a direction that the data do not see, finite where it does not.
        """
        relative = np.asarray(gradient) * self.scales
        along = relative @ self.directions
        fixed = along * np.where(np.isinf(self.errors), 0.0, self.errors)
        covariance = fixed @ fixed.T
        size = np.linalg.norm(relative, axis=1, keepdims=True)
        hidden = np.where(np.abs(along) > self.tolerance * size, along, 0.0)[:, ~self.seen]
        together = hidden @ hidden.T
        small = self.tolerance**2 * (size @ size.T)
        return np.where(np.abs(together) > small, np.copysign(np.inf, together), covariance)

    @property
    def combinations(self) -> tuple[str, ...]:
        """Gives words for what the data do not fix, one for each unseen direction."""
        space = self.directions[:, ~self.seen]
        if not space.shape[1]:
            return ()
        weight = self._unseen_weight()
        alone = weight > 1 - self.tolerance
        words = [f"the data cannot see {name}" for name, is_alone in zip(self.names, alone) if is_alone]
        rest = np.where(alone[:, None], 0.0, space)
        return (*words, *(self._words(row) for row in _sparse_rows(rest.T, self.tolerance)))

    def _words(self, row: np.ndarray) -> str:
        """Give words for one unseen direction of relative change."""
        involved = np.flatnonzero(np.abs(row) > self.tolerance * np.max(np.abs(row)))
        names = [self.names[k] for k in involved]
        power = bool(np.all(self.logarithmic[involved])) and bool(np.all(self.values[involved] != 0))
        change = (
            (row * self.scales / np.where(self.values == 0, 1.0, self.values))[involved]
            if power
            else (row * self.scales)[involved]
        )
        if len(involved) == 2:
            ratio = -change[0] / change[1]
            if power:
                combination = f"{names[0]} * {names[1]}^{ratio:.3g}"
            else:
                combination = f"{names[0]} {'+' if ratio >= 0 else '-'} {abs(ratio):.3g} {names[1]}"
            return f"of {names[0]} and {names[1]} the data fix only the combination {combination}"
        change = change / np.max(np.abs(change))
        listed = ", ".join(f"{c:+.3g} {'ln ' if power else ''}{name}" for c, name in zip(change, names))
        return f"the data do not see {', '.join(names)} change together by ({listed})"

    @property
    def correlation(self) -> np.ndarray:
        """Gives the correlation matrix (n, n) of the parameters by the seen directions; nan where one has no error."""
        spread = self.directions * np.where(self.seen, self.errors, 0.0)
        covariance = spread @ spread.T
        error = np.sqrt(np.diag(covariance))
        size = np.where((error > 0) & (self._unseen_weight() <= self.tolerance), error, np.nan)
        with np.errstate(invalid="ignore"):  # infinite errors have no ratio
            return covariance / np.outer(size, size)

    @property
    def faults(self) -> tuple[str, ...]:
        """Gives words for what the data do not fix, and for parameters left at a bound."""
        lines = [f"{name} ended at a bound of its range: its error means little there" for name in self.at_bound]
        return (*self.combinations, *lines)

    def sentences(self, groups: Sequence[tuple[tuple[str, ...], float]]) -> tuple[str, ...]:
        """Gives words for all of it, with what `entangled` found to be hardly separable."""
        whole = f"the data fix all {len(self.names)} parameters"
        if not groups:
            return self.faults or (whole,)
        words = ", ".join(f"{_listed(names)} ({correlated(value)})" for names, value in groups)
        if self.faults:
            return (*self.faults, f"hardly separable: {words}")
        return (f"{whole}, but {words} only in combination: hardly separable",)

    def __str__(self) -> str:
        return "; ".join(self.sentences(entangled(self.names, self.correlation)))

    __repr__ = __str__


def entangled(names: Sequence[str], correlation: np.ndarray) -> list[tuple[tuple[str, ...], float]]:
    """Finds parameters that hang together by correlations beyond ENTANGLED, in one another or through others.

    Arguments:
        names: of the parameters (n); equal names are one, which may hang together with itself.
        correlation: (n, n); nan where it is not known.

    Returns:
        For each group its names, and its strongest correlation.

    Example:
        >>> entangled(["a", "b", "c"], np.array([[1, -0.99, 0], [-0.99, 1, 0.1], [0, 0.1, 1]]))
        [(('a', 'b'), -0.99)]
    """
    groups: list[tuple[set[str], float]] = []
    for i, j in itertools.combinations(range(len(names)), 2):
        value = float(correlation[i, j])
        if abs(value) > ENTANGLED:
            joined = [group for group in groups if group[0] & {names[i], names[j]}]
            members = {names[i], names[j]}.union(*(group[0] for group in joined))
            groups = [group for group in groups if group not in joined]
            groups.append((members, max([value, *(group[1] for group in joined)], key=abs)))
    return [(tuple(name for name in dict.fromkeys(names) if name in members), value) for members, value in groups]


def correlated(value: float) -> str:
    """Gives words for a correlation, never rounded to 1.

    Example:
        >>> correlated(-0.9756), correlated(0.99996)
        ('correlation -0.976', 'correlation beyond +0.999')
    """
    return f"correlation {value:+.3f}" if abs(value) < 0.9995 else f"correlation beyond {np.sign(value) * 0.999:+.3f}"


def _listed(names: tuple[str, ...]) -> str:
    """Give names as words."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else f"{last} among each other"


def _sparse_rows(rows: np.ndarray, tolerance: float) -> list[np.ndarray]:
    """Give a reduced row echelon form with full pivoting: each remaining direction in as few parameters as it takes."""
    rows = rows.copy()
    done: list[int] = []
    while True:
        left = [i for i in range(len(rows)) if i not in done]
        if not left:
            break
        at, k = divmod(int(np.argmax(np.abs(rows[left]))), rows.shape[1])
        i = left[at]
        if abs(rows[i, k]) <= 10 * tolerance:
            break
        rows[i] /= rows[i, k]
        for j in range(len(rows)):
            if j != i:
                rows[j] -= rows[j, k] * rows[i]
        done.append(i)
    return [rows[i] for i in done]


def identify(
    jacobian: np.ndarray,
    names: tuple[str, ...],
    values: np.ndarray,
    scales: np.ndarray,
    logarithmic: np.ndarray,
    spread: float,
    noise: float,
    eps: float,
) -> Identifiability:
    r"""Finds singular directions of the whitened Jacobian (N, n) by physical values, in units of the parameters' sizes.

    Arguments:
        jacobian: derivative of the residuals in units of sigma.
        names: one for each column.
        values: fitted values.
        scales: sizes of the parameters, which make the answer independent of units.
        logarithmic: which parameters are fitted on a log scale.
        spread: the true standard error of the residuals in units of sigma: 1, or the root of the reduced chi2.
        noise: round-off of the residuals, in units of sigma.
        eps: relative round-off of the Jacobian.

    Returns:
        The directions with their singular values, and what the data cannot tell.
    """
    n_data, n = jacobian.shape
    scaled = jacobian * scales
    padded = np.concatenate([scaled, np.zeros((max(n - n_data, 0), n), scaled.dtype)])  # fewer data than parameters
    _, s, Vt = np.linalg.svd(padded, full_matrices=False)
    round_off = max(4 * eps * max(n_data, n) * float(np.max(s, initial=0.0)), 4 * noise)
    seen = s > max(UNSEEN * spread, round_off)
    errors = np.where(s > round_off, spread / np.where(s > round_off, s, 1.0), np.inf)
    tolerance = 1e-6 if eps < 1e-10 else 3e-2
    return Identifiability(names, values, scales, Vt.T, errors, seen, logarithmic, tolerance)
