"""Least squares on whitened residuals: Levenberg-Marquardt, or any first-order optimiser.

The model is evaluated in one place, predictions and Jacobian together and all starts at once, so it is compiled once
and the Jacobian at the optimum, which the uncertainties need, comes for free. The algebra between two evaluations is
small and stays in NumPy: compiling it would cost more than the search, and a model that fails at a trial point ends no
search.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

RUNNING, CONVERGED, STALLED, NOT_FINITE, OUT_OF_STEPS = range(5)


class Point(NamedTuple):
    """One evaluated point of a search."""

    u: np.ndarray  # (n,), unconstrained
    prediction: np.ndarray  # (N,)
    jacobian: np.ndarray  # (N, n), of the predictions by physical values
    slope: np.ndarray  # (n,), derivative of the physical values by u


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What a search needs to know.

    Args:
        data: (N,).
        weight: (N,), 1 / sigma.
        longest: (n,), longest step in each unconstrained coordinate.
        sigma_given: whether chi2 has an absolute meaning.
        rtol: a further decrease of chi2 below `rtol^2 chi2` is not worth a step ...
        atol: ... nor one below `atol^2`, if sigma is given.
        eps: round-off of the predictions.
    """

    data: np.ndarray
    weight: np.ndarray
    longest: np.ndarray
    sigma_given: bool
    rtol: float
    atol: float
    eps: float

    def whiten(self, point: Point) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (N,) in units of sigma and their Jacobian (N, n) by the unconstrained coordinates."""
        residuals = (point.prediction - self.data) * self.weight
        return residuals, point.jacobian * self.weight[:, None] * point.slope

    def promised_decrease(self, r: np.ndarray, J: np.ndarray) -> float:
        r"""The decrease of chi2 still to be won, $r^T J (J^T J + C)^{-1} J^T r$: squared distance in standard errors.

        C = 1/longest^2 is a weak prior. Without it a parameter that runs away along its transform (towards a bound, or
        to zero on a log scale) would promise the same decrease for ever; one known within a factor does not notice.
        """
        n_data, n = J.shape
        spread = 1.0 if self.sigma_given else np.sqrt(np.sum(r**2) / max(n_data - n, 1))
        augmented = np.concatenate([J, spread * np.diag(1 / self.longest)])
        size = np.linalg.norm(augmented, axis=0)
        U, s, _ = np.linalg.svd(augmented / np.where(size > 0, size, 1.0), full_matrices=False)
        seen = s > self.eps * max(augmented.shape) * np.max(s)
        return float(np.sum((U[:n_data, seen].T @ r) ** 2))

    def small_enough(self, decrease: float, chi2: float, prediction: np.ndarray) -> bool:
        """True if the promised decrease is not worth another evaluation."""
        size = np.sum((self.data * self.weight) ** 2) + np.sum((prediction * self.weight) ** 2)
        absolute = self.atol**2 if self.sigma_given else 0.0
        return bool(decrease <= absolute + self.rtol**2 * chi2 + (8 * self.eps) ** 2 * size)


class Search:
    """One search: `trial` asks for an evaluation, `tell` answers it; `best` is the best point met."""

    def __init__(self, problem: Problem, u0: np.ndarray):
        self.problem = problem
        self.trial = u0
        self.best: Point | None = None
        self.chi2 = np.inf
        self.decrease = np.inf
        self.steps = 0
        self.code = RUNNING

    def tell(self, point: Point) -> None:
        """Take the evaluation at `trial`, and choose the next trial or an end."""
        raise NotImplementedError

    def _take(self, point: Point) -> tuple[float, bool]:
        """chi2 at the point, and whether it is the best so far."""
        self.steps += 1
        finite = all(bool(np.all(np.isfinite(part))) for part in point)
        chi2 = float(np.sum(self.problem.whiten(point)[0] ** 2)) if finite else np.inf
        better = bool(np.isfinite(chi2)) and chi2 <= self.chi2
        if better:
            self.best, self.chi2 = point, chi2
        return chi2, better

    def _converged(self, r: np.ndarray, J: np.ndarray) -> bool:
        assert self.best is not None
        self.decrease = self.problem.promised_decrease(r, J)
        return self.problem.small_enough(self.decrease, self.chi2, self.best.prediction)


class LevenbergMarquardt(Search):
    """Levenberg-Marquardt with Moré's column scaling and Nielsen's rule for the damping.

    Sources: J. J. Moré, Lecture Notes in Mathematics 630, 105 (1978); H. B. Nielsen, IMM-REP-1999-05, DTU (1999).
    """

    def __init__(self, problem: Problem, u0: np.ndarray):
        super().__init__(problem, u0)
        self.size = np.zeros_like(u0)
        self.damping, self.growth, self.promised = 1e-3, 2.0, np.inf

    def tell(self, point: Point) -> None:
        before = self.chi2
        chi2, better = self._take(point)
        if self.best is None:
            self.code = NOT_FINITE
            return
        r, J = self.problem.whiten(self.best)
        if better:
            if np.isfinite(before):
                ratio = min((before - chi2) / self.promised, 2.0)
                self.damping = max(self.damping * float(np.clip(1 - (2 * ratio - 1) ** 3, 0.1, 2.0)), 1e-14)
            self.growth = 2.0
            self.size = np.maximum(self.size, np.linalg.norm(J, axis=0))
            if self._converged(r, J):
                self.code = CONVERGED
                return
        else:
            self.damping *= self.growth
            self.growth *= 2
        step, self.promised = self._step(r, J)
        # A decrease that round-off could hide, or a damping that stops all motion: the model's own noise is reached.
        if self.promised <= 4 * self.problem.eps * self.chi2 or self.damping > self.problem.eps**-2:
            self.code = STALLED
        self.trial = self.best.u + step

    def _step(self, r: np.ndarray, J: np.ndarray) -> tuple[np.ndarray, float]:
        """The damped step in u, no longer than allowed in any coordinate, and the decrease that it promises."""
        longest, scale = self.problem.longest, np.where(self.size > 0, self.size, 1.0)
        scaled = J / scale
        step = self._damped(scaled, r) / scale
        held = np.abs(step) > longest
        if np.any(held):
            # The others answer to the shortened step, or one runaway parameter would stall them.
            capped = np.where(held, np.sign(step) * np.where(held, longest, 0.0), 0.0)
            rest = self._damped(np.where(held, 0.0, scaled), r + J @ capped) / scale
            step = np.where(held, capped, np.clip(rest, -longest, longest))
        change = J @ step
        return step, -float(np.sum(change * (2 * r + change)))

    def _damped(self, J: np.ndarray, r: np.ndarray) -> np.ndarray:
        """argmin |J z + r|^2 + damping |z|^2, zero along null directions."""
        U, s, Vt = np.linalg.svd(J, full_matrices=False)
        seen = s > self.problem.eps * max(J.shape) * np.max(s, initial=0.0)
        return -Vt[seen].T @ (s[seen] / (s[seen] ** 2 + self.damping) * (U[:, seen].T @ r))


class FirstOrder(Search):
    """An optax optimiser on chi2 / N over the unconstrained coordinates; the best point met is kept."""

    def __init__(self, problem: Problem, u0: np.ndarray, initial: Callable, update: Callable):
        super().__init__(problem, u0)
        self.update, self.state = update, initial(u0)

    def tell(self, point: Point) -> None:
        chi2, better = self._take(point)
        if not np.isfinite(chi2):
            self.code = NOT_FINITE
            return
        r, J = self.problem.whiten(point)
        if better and self._converged(r, J):
            self.code = CONVERGED
            return
        gradient = (2 / len(r)) * (r @ J)
        self.trial, self.state = self.update(gradient, self.state, point.u, chi2 / len(r))
        self.trial = np.asarray(self.trial, float)


def first_order(optimiser: Any, loss: Callable) -> tuple[Callable, Callable]:
    """Start and step of an optax optimiser; `loss` serves those that search along a line."""
    import optax  # slow to import, and most fits do without

    method = optax.with_extra_args_support(optimiser)

    @jax.jit
    def update(gradient: Any, state: Any, u: Any, value: Any) -> Any:
        change, state = method.update(gradient, state, u, value=value, grad=gradient, value_fn=loss)
        return u + change, state

    return jax.jit(method.init), update


def run(searches: list[Any], evaluate: Callable, max_steps: int, progress: bool) -> None:
    """Advance all searches together; `evaluate` takes (k, n) trials to arrays with a leading axis k."""
    for step in range(max_steps):
        active = [search for search in searches if search.code == RUNNING]
        if not active:
            return
        # The batch keeps its size, or it would be compiled again; what has ended repeats what has not.
        asked = active + [active[0]] * (len(searches) - len(active))
        answers = evaluate(np.stack([search.trial for search in asked]))
        for i, search in enumerate(active):
            search.tell(Point(search.trial, *(np.asarray(part[i], float) for part in answers)))
        if progress:
            print(
                f"fit: step {step + 1}, {len(active)} searching, chi2 {min(s.chi2 for s in searches):.6g}", flush=True
            )
    for search in searches:
        if search.code == RUNNING:
            search.code = OUT_OF_STEPS
