"""`python -m jaxtls fit DATA.csv --model resonator`: TLS loss of a resonator from its quality factor."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._progress import Progress
from ..fitting import propagate
from ..models.resonator import BOLTZMANN, GAP_RATIO
from ..plot import resonator_fit
from .report import Quantity, Report
from .resonator_fit import BACKGROUND, VARIANTS, fit_variant, forms_for, memory_of, rms
from .tables import InputError, Table, read_table

ELECTRONVOLT = 1.602176634e-19  # J, exact in the SI of 2019

DESCRIBE = {
    "loss_tangent": ("", "F tan delta, filling factor times loss tangent of the TLSs"),
    "critical_power": ("", "D of n^beta2 tanh(x) / (D T^beta1), T in K"),
    "temperature_exponent": ("", "beta1, how the critical power grows with temperature"),
    "photon_exponent": ("", "beta2, how the loss saturates with photon number"),
    "critical_temperature": ("K", "Tc of the quasiparticle term"),
    "quasiparticle_amplitude": ("", "A of A exp(-1.76 Tc/T) sinh(x) K0(x)"),
    "constant_loss": ("", "loss that neither temperature nor power moves"),
}


def read(path: str, photon_number: float | None = None, max_temperature: float | None = None) -> Table:
    """The table of T_K, mean_photon_number, Q_internal and, where given, sigma_Q_internal.

    Arguments:
        path: a CSV file; further columns are ignored.
        photon_number: one photon number for all rows of a file without that column.
        max_temperature: keep rows up to this temperature [K].

    Raises:
        InputError: one sentence on the first fault.
    """
    drive = "mean_photon_number"
    table = read_table(
        path,
        ["T_K", "Q_internal"] if photon_number is not None else ["T_K", drive, "Q_internal"],
        ["sigma_Q_internal", drive] if photon_number is not None else ["sigma_Q_internal"],
        positive=["T_K", "Q_internal", "sigma_Q_internal"],
        not_negative=[drive],
    )
    if photon_number is not None:
        columns = {**table.columns, drive: np.full(len(table), float(photon_number))}
        table = dataclasses.replace(table, columns=columns)
    if max_temperature is not None:
        table = table.where(table["T_K"] <= max_temperature)
    least = len(BACKGROUND) + len(VARIANTS[forms_for(table)[0]]) + 1
    if len(table) < least:
        where = "" if max_temperature is None else f" up to {max_temperature:g} K"
        raise InputError(f"{table.name} has {len(table)} rows of data{where}, but this fit needs at least {least}.")
    if len(np.unique(table["T_K"])) < 4:
        raise InputError(f"{table.name} holds fewer than four temperatures, too few to tell TLSs from a constant loss.")
    return table


def run(
    table: Table, frequency: float, *, saturation: str = "auto", n_starts: int = 4, progress: Progress | None = None
) -> Report:
    """Fit every variant that the data can bear, choose by AIC (or take `saturation`), and report.

    Arguments:
        table: what `read` gave.
        frequency: of the resonance [Hz].
        saturation: "auto", "crowley", "standard" or "none".
        n_starts: starting points of each fit.
        progress: where to say what is being done.

    Returns:
        A Report.
    """
    progress = progress or Progress(quiet=True)
    variants = [*forms_for(table), "no TLS"]
    fits = {
        name: fit_variant(table, frequency, name, n_starts, progress)
        for name in dict.fromkeys([*variants, saturation])
        if name != "auto"
    }
    known = "sigma_Q_internal" in table
    rows = len(table)
    aic = {
        name: (float(f.chi2) if known else rows * math.log(float(f.chi2) / rows)) + 2 * len(f.names)
        for name, f in fits.items()
    }
    forms = [name for name in fits if name != "no TLS"]
    chosen = min(forms, key=aic.__getitem__) if saturation == "auto" else saturation
    comparison = [
        {
            "form": name,
            "free": len(f.names),
            "rms in ln Q [%]": round(100 * rms(table, f.model), 3),
            "chi2": float(f.chi2),
            "AIC - best": round(aic[name] - min(aic.values()), 2),
            "used": name == chosen,
        }
        for name, f in fits.items()
    ]
    best = fits[chosen]
    return Report(
        title=f"TLS loss of a resonator at {frequency / 1e9:.6g} GHz, saturation form: {chosen}",
        model="resonator",
        fit=best,
        describe=DESCRIBE | ({"critical_power": ("", "critical photon number")} if chosen == "standard" else {}),
        source={"name": table.name, "sha256": table.sha256, "rows": rows},
        derived=_derived(table, best),
        inputs={
            "frequency_Hz": float(frequency),
            "saturation": saturation,
            "starts": n_starts,
            "max_T_K": float(table["T_K"].max()),
        },
        comparison=comparison,
        notes=_notes(table, best, aic["no TLS"] - aic[chosen], known),
    )


def picture(table: Table, report: Report) -> Any:
    """Data, fit and residuals, and where the loss goes."""
    return resonator_fit(
        table["T_K"],
        table["mean_photon_number"],
        table["Q_internal"],
        table.columns.get("sigma_Q_internal"),
        report.fit.model,
        title=rf"{table.name}: $F\,\tan\delta$ = {report.derived['F tan delta'].mathtext()}",
    )


def _derived(table: Table, f: Any) -> dict[str, Quantity]:
    cold, weak = float(table["T_K"].min()), float(table["mean_photon_number"].min())
    gap = GAP_RATIO * BOLTZMANN / ELECTRONVOLT * 1e3
    wanted = {
        "F tan delta": (lambda m: m.loss_tangent, "", "filling factor times loss tangent"),
        "TLS share": (
            lambda m: m.tls_loss(cold, weak) / m.loss(cold, weak), "", f"of the loss at {cold:g} K, {weak:.3g} photons",
        ),
        "gap": (lambda m: gap * m.critical_temperature, "meV", "1.76 k Tc of the quasiparticle term"),
    }  # fmt: skip
    if f.model.saturation != "none":
        meaning = "photon number n_c that lowers the TLS loss by sqrt(2)"
        for level in dict.fromkeys([cold, 1.0] if cold < 1.0 <= table["T_K"].max() else [cold]):
            wanted[f"log10 n_c({level:g} K)"] = (lambda m, T=level: jnp.log10(m.critical_photon_number(T)), "", meaning)
    derived = {}
    for name, (function, unit, meaning) in wanted.items():
        value, stderr = propagate(function, f)
        derived[name] = Quantity(float(value), float(stderr), unit, meaning)
    return derived


def _notes(table: Table, f: Any, gain: float, known: bool) -> list[str]:
    """Sentences on what limits the answer."""
    notes = []
    reduced = float(f.chi2) / max(int(f.dof), 1)
    if not known:
        notes.append(
            "No error bars were given: ln Q has unit weights, and the scatter (reduced chi²) scales the errors."
        )
    elif reduced > 2:
        notes.append(
            f"chi²/dof = {reduced:.3g}: the form misses the data by more than their error bars; the errors "
            f"are too small by about {math.sqrt(reduced):.2g}."
        )
    if gain < 2:
        notes.append(
            f"A loss without TLSs describes the data as well (its AIC is {gain:+.2g} from this fit's): no TLS signal; "
            f"read F tan delta as an upper limit."
        )
    if len(np.unique(table["mean_photon_number"])) == 1:
        notes.append(
            "One drive power: the data cannot see saturation; F tan delta is what is left of it at that power."
        )
    memory = memory_of(table, f.model)
    if memory > 2 / math.sqrt(len(table)):
        notes.append(
            f"Residuals of neighbouring temperatures are alike (correlation {memory:.2f}): a trend that is not noise "
            f"is left in them, and the errors may be too small by about {math.sqrt((1 + memory) / (1 - memory)):.2g}."
        )
    hottest = float(table["T_K"].max())
    drive = float(table["mean_photon_number"].max())
    share = float(f.model.quasiparticle_loss(hottest) / f.model.loss(hottest, drive))
    if share < 0.2:
        notes.append(
            f"Quasiparticles make at most {100 * share:.2g} % of the loss at {hottest:g} K: "
            "the data cannot fix Tc and A apart."
        )
    return notes
