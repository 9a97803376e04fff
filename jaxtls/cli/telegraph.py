"""`python -m jaxtls fit [DATA.csv] --model telegraph`: switching rates of a defect from a noisy record."""

from __future__ import annotations

import math
import pathlib
from functools import partial
from typing import TYPE_CHECKING, Unpack

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..fitting import LikelihoodFit, propagate
from ..models.fluctuators import TelegraphRecord
from ..plot import telegraph_fit
from .report import Quantity, Report
from .tables import InputError, Reading, Table, read_table
from .telegraph_fit import VARIANTS, fit_variants, noise_only

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUNDLED = pathlib.Path(__file__).parent / "data" / "telegraph.csv"
DESCRIBE = {
    "amplitudes": ("signal", "half the distance of the two levels"),
    "rates_up": ("1/time", "switchings to the upper level, per unit of time spent in the lower"),
    "rates_down": ("1/time", "switchings to the lower level, per unit of time spent in the upper"),
    "offset": ("signal", "middle of the levels"),
    "sigma": ("signal", "standard deviation of one reading"),
}


def read(path: str | pathlib.Path, **reading: Unpack[Reading]) -> Table:
    """The table of time and signal: T1, a frequency or a parity, one reading a row; InputError where it is unfit."""
    table = read_table(path, ["time", "signal"], ascending=["time"], least_rows=20, **reading)
    if float(np.std(table["signal"])) == 0:
        raise InputError(f"{table.name}: the column `signal` never changes.")
    return table


def run(table: Table, *, fluctuators: str = "auto", n_starts: int = 4, progress: Progress | None = None) -> Report:
    """Fit one and two fluctuators by exact likelihood, choose by AIC (or take `fluctuators`), and report.

    Arguments:
        table: what `read` gave.
        fluctuators: "1", "2" or "auto".
        n_starts: starting points of each fit.
        progress: where to say what is being done.

    Returns:
        A Report.
    """
    progress = progress or Progress(quiet=True)
    fits = fit_variants(table, n_starts, progress)
    silent = noise_only(table)
    aic = {"noise only": silent, **{name: float(f.aic) for name, f in fits.items()}}
    # two more levels may describe anything: a second fluctuator has to earn more than its parameters
    two = aic["one fluctuator"] - aic["two fluctuators"] > 6 and fits["two fluctuators"].success
    chosen = {"1": VARIANTS[1], "2": VARIANTS[2], "auto": VARIANTS[2] if two else VARIANTS[1]}[fluctuators]
    best = fits[chosen]
    comparison = [
        {
            "form": name,
            "free": 2 if name == "noise only" else len(fits[name].names),
            "AIC - best": round(value - min(aic.values()), 2),
            "used": name == chosen,
        }
        for name, value in aic.items()
    ]
    gain = aic["noise only"] - aic[chosen]
    word, sentence = _verdict(gain)
    return Report(
        title=f"telegraph noise: {chosen}",
        model="telegraph",
        fit=best,
        describe={name: _described(name) for name in best.names},
        source={"name": table.name, "sha256": table.sha256, "rows": len(table)},
        derived=_derived(table, best),
        inputs={"fluctuators": fluctuators, "starts": n_starts},
        comparison=comparison,
        verdict=word,
        verdict_text=sentence,
        notes=_notes(table, best, aic, chosen),
    )


def picture(table: Table, report: Report) -> Figure:
    """The record with the most likely levels, a stretch of it, and its Allan deviation beside that of the fit."""
    model = report.fit.model
    expected = np.asarray(model.expected_signal(jnp.asarray(table["time"]), jnp.asarray(table["signal"])))
    return telegraph_fit(
        table["time"],
        table["signal"],
        expected,
        model.source,
        float(model.sigma),
        title=f"{table.name}: {report.title}",
    )


def _described(name: str) -> tuple[str, str]:
    field = name.removeprefix("source.").partition("[")[0]
    return DESCRIBE[field]


def _derived(table: Table, f: LikelihoodFit) -> dict[str, Quantity]:
    span = float(table["time"][-1] - table["time"][0])
    derived = {}
    for k in range(len(f.model.source.amplitudes)):
        tag = f" [{k}]" if len(f.model.source.amplitudes) > 1 else ""
        u, d = (lambda m, k=k: m.source.rates_up[k]), (lambda m, k=k: m.source.rates_down[k])
        wanted = {
            "total rate": (lambda m, u=u, d=d: u(m) + d(m), "1/time", "Gamma: correlations fall as e^(-Gamma t)"),
            "share above": (lambda m, u=u, d=d: u(m) / (u(m) + d(m)), "", "of the time, in the upper level"),
            "E/T": (lambda m, u=u, d=d: jnp.log(d(m) / u(m)), "", "upper level's energy over temperature, ln(d/u)"),
            "switchings": (
                lambda m, u=u, d=d: 2 * u(m) * d(m) / (u(m) + d(m)) * span, "", "expected within the record",
            ),
        }  # fmt: skip
        for name, (function, unit, meaning) in wanted.items():
            value, stderr = propagate(function, f)
            derived[name + tag] = Quantity(float(value), float(stderr), unit, meaning)
    return derived


def _verdict(gain: float) -> tuple[str, str]:
    """A word and its sentence."""
    if gain > 6:
        return "telegraph noise", f"telegraph noise. Without a fluctuator the AIC is {gain:.3g} worse."
    return (
        "cannot tell",
        f"no telegraph noise is seen. Independent normal readings describe the record as well (AIC {gain:+.2g} from "
        "them, where 6 would be a sign); take the values below for nothing.",
    )


def _bias(k: int, model: TelegraphRecord) -> Array:
    """ln(d/u) of a fluctuator."""
    return jnp.log(model.source.rates_down[k] / model.source.rates_up[k])


def _notes(table: Table, f: LikelihoodFit, aic: dict[str, float], chosen: str) -> list[str]:
    """What the record cannot say."""
    notes = []
    count, equal = len(f.model.source.amplitudes), aic["equal rates"] - aic["one fluctuator"]
    for k in range(count):
        bias, spread = propagate(partial(_bias, k), f)
        away, error = float(bias), float(spread)
        of = f" of fluctuator [{k}]" if count > 1 else ""
        if not abs(away) > 2 * error:
            alike = "" if count > 1 else f", and one rate for both directions has an AIC {equal:+.2g} from two"
            notes.append(f"Unequal rates{of} are not seen: ln(d/u) = {away:.2g} ± {error:.2g}{alike}.")
        else:
            notes.append(f"The rates{of} differ by {abs(away / error):.2g} standard errors of ln(d/u).")
    second = aic["one fluctuator"] - aic["two fluctuators"]
    if chosen == "one fluctuator":
        notes.append(
            f"A second fluctuator is not called for (AIC {second:+.2g} in its favour, where 6 would be a sign)."
        )
    else:
        notes.append("Which of two fluctuators is called the first is a matter of name: the likelihood is the same.")
    notes.append(
        "A further fluctuator that is weaker than the noise of a reading, faster than the sampling or slower than the "
        "record would hide in sigma or the offset."
    )
    step, span = float(np.median(np.diff(table["time"]))), float(table["time"][-1] - table["time"][0])
    rate = np.asarray(f.model.source.total_rates)
    if np.any(rate * step > 1):
        notes.append(
            f"A total rate of {float(rate.max()):.3g} is beyond the sampling, one reading each {step:.3g}: readings "
            "are taken as of one moment, and a defect that switches within a reading would look weaker than it is."
        )
    if np.any(rate * span < 10):
        notes.append(
            f"A total rate of {float(rate.min()):.3g} leaves few switchings in a record of {span:.3g}: its errors, "
            "from the curvature of ln L, are rough."
        )
    a = np.abs(np.asarray(f.model.source.amplitudes))
    if len(a) > 1 and a.min() < 0.3 * float(f.model.sigma) / math.sqrt(max(1.0, 1 / (float(rate.max()) * step))):
        notes.append("The weaker fluctuator is near the noise of a reading: drift or coloured noise would look alike.")
    return notes
