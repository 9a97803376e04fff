"""The fits behind `--model resonator`: which parameters each form of the loss frees, and where they start."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._progress import Progress
from ..fitting import Interval, Positive, fit
from ..models.resonator import BOLTZMANN, GAP_RATIO, PLANCK, ResonatorLoss
from .tables import Table

# What each variant frees, beyond the quasiparticle term and the constant.
BACKGROUND = ("critical_temperature", "quasiparticle_amplitude", "constant_loss")
VARIANTS = {
    "crowley": ("loss_tangent", "critical_power", "temperature_exponent", "photon_exponent"),
    "standard": ("loss_tangent", "critical_power", "photon_exponent"),
    "none": ("loss_tangent",),
    "no TLS": (),
}


def forms_for(table: Table) -> list[str]:
    """Saturation forms that the data can tell apart: one drive power says nothing of saturation."""
    return ["crowley", "standard", "none"] if len(np.unique(table["mean_photon_number"])) > 1 else ["none"]


def fit_variant(table: Table, frequency: float, variant: str, n_starts: int, progress: Progress) -> Any:
    """Fit ln Q with one variant of the loss, from the data's own guess and `n_starts - 1` further points."""
    start = guess(table, frequency, "none" if variant == "no TLS" else variant)
    if variant == "no TLS":
        start = dataclasses.replace(start, loss_tangent=jnp.asarray(0.0))
    free = loss_transforms(variant)
    temperature, photons = jnp.asarray(table["T_K"]), jnp.asarray(table["mean_photon_number"])
    sigma = table["sigma_Q_internal"] / table["Q_internal"] if "sigma_Q_internal" in table else None

    def predict(model: ResonatorLoss) -> Any:
        return -jnp.log(model.loss(temperature, photons))

    progress.stage(
        f"fit {len(table)} rows, {variant if variant == 'no TLS' else 'saturation ' + variant}, {len(free)} free"
    )
    data = jnp.log(table["Q_internal"])
    result = fit(
        progress.count(predict), start, data, sigma=None if sigma is None else jnp.asarray(sigma), free=free,
        n_starts=n_starts, key=jax.random.key(0),
    )  # fmt: skip
    progress.done(f"rms {100 * rms(table, result.model):.2f} % in ln Q")
    return result


def loss_transforms(variant: str) -> dict[str, Any]:
    """What a variant frees, and the range of each."""
    transforms = {"temperature_exponent": Interval(-1.0, 4.0), "photon_exponent": Interval(0.02, 2.0)}
    return {name: transforms.get(name, Positive()) for name in (*VARIANTS[variant], *BACKGROUND)}


def misfit_of(table: Table, model: ResonatorLoss) -> np.ndarray:
    """ln(Q measured / Q fitted), row by row."""
    return np.log(table["Q_internal"]) + np.log(np.asarray(model.loss(table["T_K"], table["mean_photon_number"])))


def rms(table: Table, model: ResonatorLoss) -> float:
    """Root mean square of ln(Q measured / Q fitted)."""
    return float(np.sqrt(np.mean(misfit_of(table, model) ** 2)))


def memory_of(table: Table, model: ResonatorLoss) -> float:
    """Correlation of the misfits of neighbouring temperatures at the same drive."""
    order = np.lexsort((table["T_K"], table["mean_photon_number"]))
    misfit, photons = misfit_of(table, model)[order], table["mean_photon_number"][order]
    pairs = photons[1:] == photons[:-1]
    return float(np.sum(misfit[1:][pairs] * misfit[:-1][pairs]) / np.sum(misfit**2))


def guess(table: Table, frequency: float, saturation: str) -> ResonatorLoss:
    """Starting values: F tan delta from the cold end, Tc and A from the hot one, a floor from the best Q."""
    temperature, photons, loss = table["T_K"], table["mean_photon_number"], 1 / table["Q_internal"]
    x = PLANCK * frequency / (2 * BOLTZMANN * temperature)
    floor = 0.3 * loss.min()
    weak = photons == photons.min()
    coldest = np.argmin(np.where(weak, temperature, np.inf))
    tangent = max(loss[coldest] - floor, 0.1 * loss[coldest]) / math.tanh(x[coldest])
    # Tc from the slope of the mean ln(loss) between the two hottest temperatures, where loss rises at all.
    levels = np.unique(temperature)[-2:]
    low, high = (np.log(loss[temperature == level]).mean() for level in levels)
    slope = (high - low) / (1 / levels[0] - 1 / levels[1])
    critical_temperature = float(np.clip(slope / GAP_RATIO, 2 * levels[1], 12 * levels[1]))
    middle = math.exp(np.log(np.maximum(photons, 1e-3)).mean())
    exponent = 0.4
    model = ResonatorLoss(
        frequency=frequency,
        loss_tangent=tangent,
        critical_power=middle if saturation == "standard" else 0.3 * middle**exponent,
        temperature_exponent=0.5,
        photon_exponent=exponent,
        critical_temperature=critical_temperature,
        quasiparticle_amplitude=1.0,
        constant_loss=floor,
        saturation=saturation,
    )
    amplitude = 0.5 * math.exp(high) / float(model.quasiparticle_loss(levels[1]))
    return dataclasses.replace(model, quasiparticle_amplitude=jnp.asarray(amplitude))
