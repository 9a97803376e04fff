"""`python -m jaxtls fit DATA.csv --model resonator`: TLS loss of a resonator from its quality factor."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._progress import Progress
from ..fitting import propagate
from ..models._constants import BOLTZMANN, ELECTRONVOLT
from ..models.resonator import GAP_RATIO
from ..plot import resonator_fit
from . import resonator_shift
from .bootstrap import Bootstrap
from .report import Quantity, Report
from .resonator_fit import BACKGROUND, VARIANTS, fit_variant, forms_for, memory_of, rms
from .tables import InputError, Table, read_table

DATA = pathlib.Path(__file__).parent / "data"
BUNDLED, BUNDLED_SHIFT, BUNDLED_FREQUENCY = DATA / "resonator_loss.csv", DATA / "resonator_shift.csv", 6e9

DESCRIBE = {
    "loss_tangent": ("", "F tan delta, filling factor times loss tangent of the TLSs"),
    "critical_power": ("", "D of n^beta2 tanh(x) / (D T^beta1), T in K"),
    "temperature_exponent": ("", "beta1, how the critical power grows with temperature"),
    "photon_exponent": ("", "beta2, how the loss saturates with photon number"),
    "critical_temperature": ("K", "Tc of the quasiparticle term"),
    "quasiparticle_amplitude": ("", "A of A exp(-1.76 Tc/T) sinh(x) K0(x)"),
    "constant_loss": ("", "loss that neither temperature nor power moves"),
    "shift_offset": ("", "zero of the measured frequency shift"),
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
    table: Table,
    frequency: float,
    *,
    shift: Table | None = None,
    saturation: str = "auto",
    n_starts: int = 4,
    bootstrap: int = 40,
    progress: Progress | None = None,
) -> Report:
    """Fit every variant that the data can bear, choose by AIC (or take `saturation`), and report.

    Arguments:
        table: what `read` gave.
        frequency: of the resonance [Hz].
        shift: what `resonator_shift.read` gave, to be fitted jointly with the loss.
        saturation: "auto", "crowley", "standard" or "none".
        n_starts: starting points of each fit.
        bootstrap: draws for the errors of data that have none; 0 keeps the errors of the linearised model.
        progress: where to say what is being done.

    Returns:
        A Report.
    """
    progress = progress or Progress(quiet=True)
    variants = list(dict.fromkeys([*forms_for(table), *([] if saturation == "auto" else [saturation]), "no TLS"]))
    known = "sigma_Q_internal" in table and (shift is None or resonator_shift.SIGMA in shift)
    rows, problems, sigma = len(table), None, None
    if shift is None:
        fits = {name: fit_variant(table, frequency, name, n_starts, progress) for name in variants}
        misfits = {n: float(f.chi2) if known else rows * math.log(float(f.chi2) / rows) for n, f in fits.items()}
    else:
        fits, problems, sigma = resonator_shift.fit_jointly(table, shift, frequency, variants, n_starts, progress)
        misfits = {name: float(f.chi2) for name, f in fits.items()}
    aic = {name: misfits[name] + 2 * len(f.names) for name, f in fits.items()}
    forms = [name for name in fits if name != "no TLS"]
    chosen = min(forms, key=aic.__getitem__) if saturation == "auto" else saturation
    comparison = [
        {
            "form": name,
            "free": len(f.names),
            "rms in ln Q [%]": round(100 * rms(table, f.model), 3),
            **({} if shift is None else {"rms of shift": float(f"{_shift_rms(shift, f.model):.3g}")}),
            "chi2": float(f.chi2),
            "AIC - best": round(aic[name] - min(aic.values()), 2),
            "used": name == chosen,
        }
        for name, f in fits.items()
    ]
    best, draws = fits[chosen], None
    if bootstrap and not known:
        draws = _bootstrap(table, shift, frequency, chosen, best, problems, sigma, bootstrap, progress)
        best = best if draws is None else draws.applied(best)
    derived = _derived(table, best, draws)
    # where the form misses the data by more than their error bars, neither AIC nor errors count for what they say
    excess = max(1.0, float(best.chi2) / max(int(best.dof), 1)) if known else 1.0
    gain = (aic["no TLS"] - aic[chosen]) / excess
    notes = _notes(table, best, known, draws is not None)
    verdict = _verdict(derived["F tan delta"], gain, math.sqrt(excess))
    if shift is not None and sigma is not None and "no TLS" not in verdict:
        notes += _agreement(table, shift, frequency, chosen, best, sigma, derived, n_starts, progress)
    return Report(
        title=f"TLS loss of a resonator at {frequency / 1e9:.6g} GHz, saturation form: {chosen}",
        model="resonator",
        fit=best,
        describe=DESCRIBE | ({"critical_power": ("", "critical photon number")} if chosen == "standard" else {}),
        source={"name": table.name, "sha256": table.sha256, "rows": rows}
        | ({} if shift is None else {"shift": shift.name, "shift_sha256": shift.sha256, "shift_rows": len(shift)}),
        derived=derived,
        inputs={
            "frequency_Hz": float(frequency),
            "saturation": saturation,
            "starts": n_starts,
            "max_T_K": float(table["T_K"].max()),
        },
        comparison=comparison,
        verdict=verdict,
        notes=notes,
    )


def picture(table: Table, report: Report, shift: Table | None = None) -> Any:
    """Data, fit and residuals, where the loss goes, and the shift where one was fitted."""
    shifts = None
    if shift is not None:
        shifts = (shift["T_K"], shift[resonator_shift.SHIFT], shift.columns.get(resonator_shift.SIGMA))
    return resonator_fit(
        table["T_K"],
        table["mean_photon_number"],
        table["Q_internal"],
        table.columns.get("sigma_Q_internal"),
        report.fit.model,
        shift=shifts,
        title=rf"{table.name}: $F\,\tan\delta$ = {report.derived['F tan delta'].mathtext()}",
    )


def _shift_rms(shift: Table, model: Any) -> float:
    return float(np.sqrt(np.mean(resonator_shift.shift_misfit(shift, model) ** 2)))


def _bootstrap(
    table: Table,
    shift: Table | None,
    frequency: float,
    chosen: str,
    best: Any,
    problems: Any,
    sigma: Any,
    count: int,
    progress: Progress,
) -> Bootstrap | None:
    """Refits of the chosen variant, or None where too few of them converge to speak of errors."""
    problem = resonator_shift.JointFit(table, None, frequency, chosen) if problems is None else problems[chosen]
    if sigma is None:
        sigma = {"loss": np.full(len(table), rms(table, best.model))}
    temperatures = {"loss": table["T_K"]} | ({} if shift is None else {"shift": shift["T_K"]})
    draws = Bootstrap(temperatures, sigma, lambda bars: problem.run(bars, 1, best.model), count, progress)
    return draws if len(draws.models) >= max(10, count // 2) else None


def _verdict(tangent: Quantity, gain: float, widening: float = 1.0) -> str:
    """Whether TLSs are seen: the model without them must be much worse, and F tan delta must stand off zero.

    Errors are widened by `widening`, the root of the reduced chi² of a form that misses the data.
    """
    error = tangent.stderr if tangent.stderr is not None and math.isfinite(tangent.stderr) else math.inf
    error *= widening
    distance = tangent.value / error if error > 0 else math.inf
    if gain > 6 and distance > 3:
        return (
            f"verdict: TLS signature. Without TLSs the AIC is {gain:.3g} worse, and F tan delta stands "
            f"{distance:.2g} standard errors off zero."
        )
    limit = f"F tan delta < {tangent.value + 2 * error:.2g} (two standard errors{', widened' * (widening > 1)})."
    if gain > 6:
        return (
            f"verdict: no TLS signature. F tan delta stands {distance:.2g} standard errors off zero, too few, though "
            f"without TLSs the AIC is {gain:.3g} worse; {limit}"
        )
    return (
        "verdict: no TLS signature. A loss without TLSs describes the data as well (AIC "
        f"{gain:+.2g} from it, where 6 would be a sign); {limit}"
    )


def _agreement(
    table: Table,
    shift: Table,
    frequency: float,
    chosen: str,
    best: Any,
    sigma: dict,
    derived: dict[str, Quantity],
    n_starts: int,
    progress: Progress,
) -> list[str]:
    """F tan delta from the loss alone and from the shift alone, and what their difference says."""
    progress.stage("loss alone, shift alone")
    alone = resonator_shift.JointFit(table, None, frequency, chosen).run({"loss": sigma["loss"]}, n_starts, best.model)
    loss = float(alone.values["loss_tangent"]), float(alone.stderr["loss_tangent"])
    pull = resonator_shift.tangent_of_shift(shift, best.model, sigma["shift"])
    progress.done()
    derived["F tan delta, loss alone"] = Quantity(*loss, "", "by the form of the loss")
    derived["F tan delta, shift alone"] = Quantity(*pull, "", "no saturation enters it")
    away = abs(loss[0] - pull[0]) / math.hypot(loss[1], pull[1])
    if away <= 2:
        return [f"Loss and shift agree on F tan delta ({away:.2g} joint standard errors apart)."]
    return [
        f"Loss and shift disagree on F tan delta by {away:.2g} joint standard errors. The loss sees TLSs at the "
        "resonance alone, as far as the saturation form leaves them; the shift sees all up to kT, and no saturation. "
        "A density of TLSs that grows with energy would do this, or error bars that are too small (see the residuals)."
    ]


def _derived(table: Table, f: Any, draws: Bootstrap | None) -> dict[str, Quantity]:
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
        if draws is None:
            value, stderr = propagate(function, f)
        else:
            value, stderr = function(f.model), draws.error_of(function)
        derived[name] = Quantity(float(value), float(stderr), unit, meaning)
    return derived


def _notes(table: Table, f: Any, known: bool, resampled: bool) -> list[str]:
    """Sentences on what limits the answer."""
    notes = []
    reduced = float(f.chi2) / max(int(f.dof), 1)
    if not known and resampled:
        notes.append("No error bars were given: errors are from a bootstrap that draws whole temperatures.")
    elif not known:
        notes.append(
            "No error bars were given: ln Q has unit weights, and the scatter (reduced chi²) scales the errors."
        )
    elif reduced > 2:
        notes.append(
            f"chi²/dof = {reduced:.3g}: the form misses the data by more than their error bars; the errors "
            f"are too small by about {math.sqrt(reduced):.2g}."
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
