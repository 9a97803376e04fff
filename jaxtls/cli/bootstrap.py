"""Errors by resampling whole temperatures, for data that came without error bars."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._progress import Progress

SEED = 20261121


class Bootstrap:
    """Refits of data in which each temperature counts as often as it was drawn (with replacement).

    Rows of one temperature are drawn together, so what they have in common (a wrong thermometer, a slow drift) widens
    the errors as it should. A row drawn m times has its error bar divided by sqrt(m), one not drawn an infinite one:
    the shapes stay, and the compiled fit serves all draws.

    Arguments:
        temperatures: set name -> (R,) temperature of each row.
        sigma: set name -> (R,) error bar or weight of each row.
        refit: sigma -> FitResult.
        draws: how many.
        progress: where to say what is being done.

    Attributes:
        models: the fitted models of those draws that converged.

    Source: B. Efron & R. J. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall (1993).
    """

    def __init__(
        self,
        temperatures: dict[str, np.ndarray],
        sigma: dict[str, np.ndarray],
        refit: Callable[[dict[str, np.ndarray]], Any],
        draws: int,
        progress: Progress,
    ):
        rng = np.random.default_rng(SEED)
        self.models: list[Any] = []
        progress.stage(f"bootstrap, {draws} draws")
        for _ in range(draws):
            found = refit({name: _drawn(rng, temperatures[name], bars) for name, bars in sigma.items()})
            if found.success:
                self.models.append(found.model)
        progress.done(f"{len(self.models)} converged")

    def error_of(self, function: Callable[[Any], Any]) -> float:
        """Half of the central 68 % range of a quantity of the model: one standard error, deaf to stray draws."""
        values = np.array([float(function(model)) for model in self.models])
        low, high = np.percentile(values, [15.87, 84.13])
        return float(high - low) / 2

    def applied(self, fit: Any) -> Any:
        """The fit with its standard errors and covariance replaced."""
        draws = np.array([[float(getattr(model, name)) for name in fit.names] for model in self.models])
        errors = np.array([self.error_of(lambda model, name=name: getattr(model, name)) for name in fit.names])
        correlation = np.corrcoef(draws, rowvar=False).reshape(len(errors), len(errors))
        covariance = np.where(np.isfinite(correlation), correlation, 0.0) * errors[:, None] * errors
        np.fill_diagonal(covariance, errors**2)
        stderr = {name: jnp.asarray(error) for name, error in zip(fit.names, errors, strict=True)}
        return dataclasses.replace(fit, stderr=stderr, covariance=jnp.asarray(covariance))


def _drawn(rng: np.random.Generator, temperatures: np.ndarray, bars: np.ndarray) -> np.ndarray:
    levels, member = np.unique(temperatures, return_inverse=True)
    counts = np.bincount(rng.integers(len(levels), size=len(levels)), minlength=len(levels))[member]
    with np.errstate(divide="ignore"):
        return bars / np.sqrt(counts)
