"""Gives standard errors as the data deserve them: scaled where chi2 asks for it, resampled without error bars."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from ...fitting import FitResult
from .bootstrap import bootstrap, half_width
from .search import NAMES, Optimum, Searcher

DOUBTED = 0.01  # probability of chi2 below which the error bars are not believed


def scaled(
    searcher: Searcher, form: str, free: tuple[str, ...], optimum: Optimum, draws: int, say: Callable[[str], None]
) -> tuple[FitResult, float]:
    """Returns the fit with the errors to be quoted, and the factor by which error bars were too small."""
    fit = searcher.result(form, free, optimum)
    if not searcher.measured.known:
        return (_resampled(searcher, form, free, optimum, fit, draws, say) if draws else fit), 1.0
    reduced = float(fit.chi2) / fit.dof if fit.dof > 0 else 1.0
    doubted = reduced > 1 and fit.dof > 0 and float(fit.p_value) < DOUBTED
    return widened(fit, math.sqrt(reduced)) if doubted else fit, math.sqrt(reduced) if doubted else 1.0


def widened(fit: FitResult, factor: float) -> FitResult:
    """Returns the same fit with all errors times a factor."""
    return dataclasses.replace(
        fit,
        stderr={name: jnp.asarray(factor * np.asarray(error)) for name, error in fit.stderr.items()},
        covariance=jnp.asarray(factor**2 * np.asarray(fit.covariance)),
        identifiability=dataclasses.replace(fit.identifiability, errors=factor * fit.identifiability.errors),
    )


def _resampled(
    searcher: Searcher,
    form: str,
    free: tuple[str, ...],
    optimum: Optimum,
    fit: FitResult,
    draws: int,
    say: Callable[[str], None],
) -> FitResult:
    """Give errors from refits, where enough of them converged to speak of errors."""
    say(f"bootstrap, {draws} draws")
    values = bootstrap(searcher, form, free, optimum, draws)[:, [NAMES.index(name) for name in free]]
    if len(values) < max(10, draws // 2):
        return fit
    errors = np.array([half_width(column) for column in values.T])
    varies = np.std(values, axis=0) > 0
    correlation = np.eye(len(free))
    both = np.ix_(varies, varies)
    correlation[both] = np.atleast_2d(np.corrcoef(values[:, varies], rowvar=False)) if varies.any() else 0.0
    covariance = correlation * errors[:, None] * errors
    np.fill_diagonal(covariance, errors**2)
    stderr = {name: jnp.asarray(error) for name, error in zip(free, errors, strict=True)}
    return dataclasses.replace(fit, stderr=stderr, covariance=jnp.asarray(covariance))
