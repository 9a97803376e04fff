"""Solves least squares on whitened residuals by Levenberg-Marquardt, or any optax optimiser, all starts together.

The model is evaluated outside the optimiser, predictions and Jacobian at once: it is compiled once, the Jacobian at the
optimum comes for free, and a model that fails at a trial point ends no search. The optimiser is stepped by hand and
told what was found at its trial point.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PyTree

from .. import _progress
from .evaluation import over_starts

RUNNING, CONVERGED, STALLED, NOT_FINITE, OUT_OF_STEPS = range(5)


@runtime_checkable
class Optimiser(Protocol):
    """Stands for what optax calls a gradient transformation."""

    init: Callable
    update: Callable


class Point(NamedTuple):
    """Holds one evaluated point of a search; of all searches, with a leading axis."""

    u: np.ndarray  # (n,), unconstrained
    prediction: np.ndarray  # (N,)
    jacobian: np.ndarray  # (N, n), of the predictions by physical values
    slope: np.ndarray  # (n,), derivative of the physical values by u


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """Holds what a search needs to know.

    Arguments:
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
        """Gives residuals (N,) in units of sigma and their Jacobian (N, n) by the unconstrained coordinates."""
        residuals = (point.prediction - self.data) * self.weight
        return residuals, point.jacobian * self.weight[:, None] * point.slope[..., None, :]

    def promised_decrease(self, r: np.ndarray, J: np.ndarray) -> float:
        r"""Gives the decrease of chi2 left to win, $r^T J (J^T J + C)^{-1} J^T r$: squared distance in standard errors.

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
        """Says if the promised decrease is not worth another evaluation."""
        size = np.sum((self.data * self.weight) ** 2) + np.sum((prediction * self.weight) ** 2)
        absolute = self.atol**2 if self.sigma_given else 0.0
        return bool(decrease <= absolute + self.rtol**2 * chi2 + (8 * self.eps) ** 2 * size)

    def near_enough(self, decrease: float, chi2: float) -> bool:
        """Says if the optimum is within a tenth of a standard error: as good as a noisy `predict` lets one ask for."""
        reduced = chi2 / max(int(np.sum(self.weight > 0)) - len(self.longest), 1)
        return bool(decrease <= 0.01 * (max(1.0, reduced) if self.sigma_given else reduced))


class Search:
    """Holds one search: the best point that it met, and whether and why it ended."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.best: Point | None = None
        self.chi2 = self.decrease = np.inf
        self.steps, self.best_step, self.code = 0, 0, RUNNING

    def tell(self, point: Point, r: np.ndarray, J: np.ndarray) -> bool:
        """Take an evaluated point; False if it is not finite."""
        self.steps += 1
        chi2 = float(np.sum(r**2))
        if not (np.isfinite(chi2) and all(np.all(np.isfinite(part)) for part in (*point, J))):
            return False
        if chi2 <= self.chi2:
            self.best, self.chi2, self.best_step = point, chi2, self.steps
            self.decrease = self.problem.promised_decrease(r, J)
            if self.problem.small_enough(self.decrease, chi2, point.prediction):
                self.code = CONVERGED
        return True

    def stalls(self, promised: float) -> bool:
        """Says if the noise of `predict` hides what the next trial promises, or has refused the last few trials."""
        refused = self.steps - self.best_step >= 4 and self.problem.near_enough(self.decrease, self.chi2)
        return refused or bool(promised <= 4 * self.problem.eps * self.chi2)


STEEP = 30.0
ACCEPTED, GOOD = 0.01, 0.75  # share of the promised decrease that a trial must win to be kept, and to be trusted more
LONGER, SHORTER = 3.5, 0.25
LEAST_DAMPING = 1e-15


class LevenbergMarquardt:
    """Runs Levenberg-Marquardt from the starts u0 (k, n), in units that make all columns of J alike there.

    Each step solves the least squares of [J; sqrt(damping)] against [-r; 0], shortened as a whole to at most `longest`
    in any coordinate; the damping falls where the linear model foretells the decrease of chi2 and rises where a trial
    is refused. It starts at 1: small against columns of norm STEEP. In NumPy, since a problem of ten parameters is
    solved in less time than a compiled one takes to be called.

    Source: N. I. M. Gould et al., 4OR 3, 227 (2005), for the shares and factors.
    """

    steps_back: ClassVar[bool] = True

    def __init__(self, problem: Problem, u0: np.ndarray):
        self.longest, self.u0 = problem.longest, u0
        self.noise = 8 * problem.eps * np.linalg.norm(problem.data * problem.weight)
        self.is_first = True
        self.damping = np.ones(len(u0))
        self.y = self.trial = np.zeros_like(u0)
        self.promised = np.zeros(len(u0))

    def __call__(self, u: np.ndarray, r: np.ndarray, J: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gives next trials (k, n), and the decreases of chi2 (k,) that they promise, from those evaluated last."""
        n = u.shape[1]
        if self.is_first:
            size = np.linalg.norm(J, axis=1)
            # What the data do not see has a derivative of round-off, not to be made as large as the others.
            self.scale = np.where(size > self.noise / self.longest, size, 1.0) / STEEP
        # An orthogonal transformation leaves n + 1 residuals.
        R = np.asarray(np.linalg.qr(np.concatenate([J / self.scale[:, None], r[..., None]], axis=2), mode="r"))
        self._judge(R[..., :n], R[..., n])
        step = self._step()
        self.trial = self.y + step
        left = self.r + np.einsum("kij,kj->ki", self.J, step)
        self.promised = np.sum(self.r**2, axis=1) - np.sum(left**2, axis=1)
        return self.u0 + self.trial / self.scale, self.promised

    def _judge(self, J: np.ndarray, r: np.ndarray) -> None:
        """Keep the trials that lower chi2, and set the damping by how well that was foretold."""
        if self.is_first:
            self.J, self.r, self.is_first = J, r, False
            return
        won = np.sum(self.r**2, axis=1) - np.sum(r**2, axis=1)
        kept = won >= ACCEPTED * self.promised  # false for what is not a number
        good = (won > GOOD * self.promised) & (self.promised > 0)
        self.damping = np.maximum(self.damping / np.where(kept, np.where(good, LONGER, 1.0), SHORTER), LEAST_DAMPING)
        self.y = np.where(kept[:, None], self.trial, self.y)
        self.J = np.where(kept[:, None, None], J, self.J)
        self.r = np.where(kept[:, None], r, self.r)

    def _step(self) -> np.ndarray:
        k, n = self.y.shape
        damped = np.concatenate([self.J, np.sqrt(self.damping)[:, None, None] * np.eye(n)], axis=1)
        Q, R = np.linalg.qr(damped)
        target = np.concatenate([-self.r, np.zeros((k, n))], axis=1)
        step: np.ndarray = np.linalg.solve(R, np.einsum("kij,ki->kj", Q, target)[..., None])[..., 0]
        longest = self.longest * self.scale
        return step / np.maximum(1.0, np.max(np.abs(step) / longest, axis=1, keepdims=True))


class FirstOrder:
    """Runs an optax optimiser on chi2 / N over unconstrained coordinates; `loss` serves one that searches along a line.

    The gradient comes with the Jacobian.
    """

    steps_back: ClassVar[bool] = False

    def __init__(self, optimiser: Optimiser, loss: Callable, u0: np.ndarray):
        method, is_one = optax.with_extra_args_support(optimiser), len(u0) == 1

        def update(u: Array, state: PyTree, value: Array, gradient: Array) -> tuple[Array, PyTree]:
            change, state = method.update(gradient, state, u, value=value, grad=gradient, value_fn=loss)
            return optax.apply_updates(u, change), state

        self.update = eqx.filter_jit(over_starts(update, is_one))
        self.state = eqx.filter_jit(over_starts(method.init, is_one))(jnp.asarray(u0, float))

    def __call__(self, u: np.ndarray, r: np.ndarray, J: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gives next trials (k, n); what they promise is not known."""
        value, gradient = np.mean(r**2, axis=1), (2 / r.shape[1]) * np.einsum("ki,kij->kj", r, J)
        u, self.state = self.update(*(jnp.asarray(u, float), self.state), jnp.asarray(value), jnp.asarray(gradient))
        return np.asarray(u, float), np.full(len(u), np.nan)


def run(
    method: Any, problem: Problem, u0: np.ndarray, evaluate: Callable, max_steps: int, progress: bool
) -> list[Search]:
    """Search from all starts u0 (k, n) together; `evaluate` takes trials (k, n) to arrays with a leading axis k."""
    searches, u = [Search(problem) for _ in u0], u0
    with _progress.bar(max_steps, "fit", progress) as bar:
        for _ in range(max_steps):
            point = Point(u, *(np.asarray(part, float) for part in evaluate(u)))
            r, J = problem.whiten(point)
            for i, search in enumerate(searches):
                if search.code == RUNNING:
                    finite = search.tell(Point(*(part[i] for part in point)), r[i], J[i])
                    if not finite and (search.best is None or not method.steps_back):
                        search.code = NOT_FINITE
            bar.update()
            bar.set_postfix_str(f"chi2 {min(search.chi2 for search in searches):.6g}")
            if all(search.code != RUNNING for search in searches):
                return searches
            u, promised = method(u, r, J)
            for search, decrease in zip(searches, promised):
                if search.code == RUNNING and method.steps_back and search.stalls(decrease):
                    search.code = STALLED
            running = [search.code == RUNNING for search in searches]
            if not any(running):
                return searches
            # The batch keeps its size, or it would be compiled again; what has ended repeats what has not.
            u = np.where(np.array(running)[:, None], u, u[running.index(True)])
    for search in searches:
        if search.code == RUNNING:
            search.code = OUT_OF_STEPS
    return searches
