"""Combines several resonators: one F tan delta for the batch, and how much it differs from one to the next."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from ..._checks import require
from ..quantity import Quantity
from .result import ResonatorAnalysis


@dataclasses.dataclass(frozen=True, eq=False)
class ResonatorGroup:
    """Holds analyses by name, and what they have in common.

    Arguments:
        analyses: name -> `ResonatorAnalysis`.
        used: names of those whose F tan delta counts: verdict "TLS" and a finite error.
        mean: F tan delta of a typical resonator, the median of a log-normal; None where fewer than two count.
        spread: standard deviation of ln F tan delta between resonators, beyond their errors.

    Example:
        >>> ResonatorGroup({}, [], None, None).used
        []
    """

    analyses: dict[str, ResonatorAnalysis]
    used: list[str]
    mean: Quantity | None
    spread: Quantity | None


def combine_resonators(analyses: Mapping[str, ResonatorAnalysis]) -> ResonatorGroup:
    r"""Fits a hierarchical F tan delta across resonators.

        ln F_i = mu + tau a_i + s_i b_i,   a_i, b_i ~ N(0, 1)

    with s_i the relative error of each fit; mu and tau maximise the restricted likelihood.

    Arguments:
        analyses: name -> what `analyse_resonator` gave.

    Returns:
        A `ResonatorGroup`.

    Raises:
        ValueError: if there is none.

    Example:
        >>> n = np.geomspace(0.1, 1e5, 12)
        >>> def resonator(tangent):
        ...     truth = jt.ResonatorLoss(frequency=5e9, loss_tangent=tangent, critical_power=10.0, photon_exponent=0.9,
        ...                              constant_loss=2e-7, saturation="standard")
        ...     q = np.asarray(truth.quality_factor(0.02, n))
        ...     return jt.analyse_resonator(np.full(12, 0.02), n, q, frequency=5e9, sigma=0.02 * q)
        >>> group = jt.combine_resonators({"a": resonator(1e-6), "b": resonator(2e-6)})
        >>> round(group.mean.value * 1e6, 2)
        1.41

    Source: D. A. Harville, J. Am. Stat. Assoc. 72, 320 (1977).
    """
    require(bool(analyses), "analyses", "hold at least one resonator", "none")
    used = [name for name, found in analyses.items() if found.verdict.word == "TLS" and _known(found.loss_tangent)]
    if len(used) < 2:
        return ResonatorGroup(dict(analyses), used, None, None)
    numbers = [analyses[name].loss_tangent for name in used]
    logs = np.array([math.log(q.value) for q in numbers])
    errors = np.array([(q.stderr or 0.0) / q.value for q in numbers])
    mu, mu_error, tau, tau_error = random_effects(logs, errors)
    mean = Quantity(
        math.exp(mu), math.exp(mu) * mu_error, "", f"F tan delta of a typical one of {len(used)} resonators"
    )
    spread = Quantity(tau, tau_error, "", "standard deviation of ln F tan delta between them, beyond their errors")
    return ResonatorGroup(dict(analyses), used, mean, spread)


def _known(quantity: Quantity) -> bool:
    return quantity.value > 0 and quantity.stderr is not None and 0 < quantity.stderr < math.inf


def random_effects(values: np.ndarray, errors: np.ndarray) -> tuple[float, float, float, float]:
    """Returns mean, its error, spread and its error of values that scatter beyond their errors (restricted likelihood).

    Example:
        >>> mean, _, spread, _ = random_effects(np.array([1.0, 3.0]), np.array([1e-3, 1e-3]))
        >>> round(mean, 6), round(spread, 3)
        (2.0, 1.414)
    """
    scale = max(float(np.std(values)), float(errors.max()), 1e-12)
    grid = np.concatenate([[0.0], scale * np.geomspace(1e-3, 30.0, 4000)])
    weight = 1 / (errors**2 + grid[:, None] ** 2)
    total = weight.sum(axis=1)
    mean = (weight * values).sum(axis=1) / total
    misfit = (weight * (values - mean[:, None]) ** 2).sum(axis=1)
    log_likelihood = 0.5 * (np.log(weight).sum(axis=1) - np.log(total) - misfit)
    best = int(np.argmax(log_likelihood))
    likelihood = np.exp(log_likelihood - log_likelihood[best])
    # a few values leave a long tail, in which a standard deviation would get lost: half of the central 68 % range
    below = np.cumsum(np.gradient(grid) * likelihood)
    low, high = np.interp([0.1587, 0.8413], below / below[-1], grid)
    error = float(high - low) / 2
    return float(mean[best]), float(total[best] ** -0.5), float(grid[best]), error
