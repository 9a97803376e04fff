"""Measured frequency shifts: reading them, and fitting them together with the loss."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._progress import Progress
from ..fitting import Positive, Real, fit
from ..models.resonator import ResonatorLoss
from .resonator_fit import guess, loss_transforms, misfit_of
from .tables import InputError, Table, header_of, read_table

SHIFT, SIGMA = "fractional_frequency_shift", "sigma_fractional_frequency_shift"


def read(path: str, max_temperature: float | None = None) -> Table:
    """The table of T_K, fractional_frequency_shift and, where given, its sigma.

    The shift's column is any whose name begins with fractional_frequency_shift (any zero will do: an offset is fitted),
    or else f_r_Hz, taken relative to its first row; errors are in sigma_ and the same name.

    Arguments:
        path: a CSV file; further columns are ignored.
        max_temperature: keep rows up to this temperature [K].

    Raises:
        InputError: one sentence on the first fault.
    """
    names = header_of(path)
    column = next((name for name in names if name.startswith(SHIFT)), "f_r_Hz")
    if column not in names:
        found = ", ".join(names)[:200]
        raise InputError(f"{path} has no column named {SHIFT}... or f_r_Hz; its header reads: {found}.")
    sigma = f"sigma_{column}"
    table = read_table(path, ["T_K", column], [sigma], positive=["T_K", sigma, "f_r_Hz"], least_rows=5)
    shift, scale = table[column], 1.0
    if column == "f_r_Hz":
        scale = float(shift[0])
        shift = shift / scale - 1
    columns = {"T_K": table["T_K"], SHIFT: shift}
    if sigma in table:
        columns[SIGMA] = table[sigma] / scale
    table = dataclasses.replace(table, columns=columns)
    return table if max_temperature is None else table.where(table["T_K"] <= max_temperature)


def errors_of(table: Table, shift: Table, model: ResonatorLoss | None = None) -> dict[str, np.ndarray]:
    """Error bars of ln Q and of the shift: as measured, else the scatter about `model` (at first a tenth, a 20th)."""
    if "sigma_Q_internal" in table:
        loss = table["sigma_Q_internal"] / table["Q_internal"]
    else:
        scatter = 0.1 if model is None else float(np.sqrt(np.mean(misfit_of(table, model) ** 2)))
        loss = np.full(len(table), scatter)
    if SIGMA in shift:
        return {"loss": loss, "shift": shift[SIGMA]}
    scatter = np.ptp(shift[SHIFT]) / 20 if model is None else float(np.sqrt(np.mean(shift_misfit(shift, model) ** 2)))
    return {"loss": loss, "shift": np.full(len(shift), scatter)}


def shift_misfit(shift: Table, model: ResonatorLoss) -> np.ndarray:
    """Measured less fitted shift, row by row."""
    return shift[SHIFT] - np.asarray(model.frequency_shift(shift["T_K"]))


class JointFit:
    """One variant of the loss, and the shift (where there is one) that the same TLSs and quasiparticles make.

    Compiled once, for any error bars.
    """

    def __init__(self, table: Table, shift: Table | None, frequency: float, variant: str):
        start = guess(table, frequency, "none" if variant == "no TLS" else variant)
        if variant == "no TLS":
            start = dataclasses.replace(start, loss_tangent=jnp.asarray(0.0))
        self.start, self.free = start, loss_transforms(variant)
        self.data = {"loss": jnp.log(table["Q_internal"])}
        temperature, photons = jnp.asarray(table["T_K"]), jnp.asarray(table["mean_photon_number"])
        cold = None
        if shift is not None:
            offset = float(np.mean(shift[SHIFT] - np.asarray(start.tls_shift(shift["T_K"]))))
            self.start = dataclasses.replace(start, shift_offset=jnp.asarray(offset))
            self.free["shift_offset"] = Real()
            self.data["shift"] = jnp.asarray(shift[SHIFT])
            cold = jnp.asarray(shift["T_K"])

        @eqx.filter_jit
        def predict(model: ResonatorLoss) -> Any:
            found = {"loss": -jnp.log(model.loss(temperature, photons))}
            return found if cold is None else {**found, "shift": model.frequency_shift(cold)}

        self.predict = predict

    def run(self, sigma: dict[str, np.ndarray], n_starts: int, start: ResonatorLoss | None = None) -> Any:
        weights = {name: jnp.asarray(value) for name, value in sigma.items()}
        begin = self.start if start is None else start
        return fit(
            self.predict, begin, self.data, sigma=weights, free=self.free, n_starts=n_starts, key=jax.random.key(0)
        )


def fit_jointly(
    table: Table, shift: Table, frequency: float, variants: list[str], n_starts: int, progress: Progress
) -> tuple[dict[str, Any], dict[str, JointFit], dict[str, np.ndarray]]:
    """Every variant fitted to loss and shift with one set of error bars.

    Error bars that are not given are the scatter about the richest variant, found in three rounds: the two kinds of
    data then weigh as their own noise says.

    Returns:
        (variant -> FitResult, variant -> JointFit, error bars).
    """
    problems = {name: JointFit(table, shift, frequency, name) for name in variants}
    sigma = errors_of(table, shift)
    first = problems[variants[0]]
    progress.stage(f"fit loss and shift, {len(table)} + {len(shift)} rows: weigh them")
    known = "sigma_Q_internal" in table and SIGMA in shift
    model = None
    for _ in range(0 if known else 3):
        model = first.run(sigma, n_starts if model is None else 1, model).model
        sigma = errors_of(table, shift, model)
    fits = {}
    for name, problem in problems.items():
        progress.stage(f"fit loss and shift, {name if name == 'no TLS' else 'saturation ' + name}")
        fits[name] = problem.run(sigma, n_starts, model if name == variants[0] else None)
        progress.done(f"chi2 {float(fits[name].chi2):.4g}")
    return fits, problems, sigma


def tangent_of_shift(shift: Table, fitted: ResonatorLoss, sigma: np.ndarray) -> tuple[float, float]:
    """F tan delta and its error from the shift alone, with the quasiparticles' Tc and A where the fit has them."""
    temperature, data = jnp.asarray(shift["T_K"]), jnp.asarray(shift[SHIFT])
    start = dataclasses.replace(fitted, loss_tangent=jnp.maximum(fitted.loss_tangent, 1e-9))
    found = fit(
        lambda model: model.frequency_shift(temperature),
        start,
        data,
        sigma=jnp.asarray(sigma),
        free={"loss_tangent": Positive(), "shift_offset": Real(), "quasiparticle_amplitude": Positive()},
    )
    return float(found.values["loss_tangent"]), float(found.stderr["loss_tangent"])
