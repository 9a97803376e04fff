"""`python -m jaxtls fit [DATA.csv] --model telegraph`: switching rates of a defect from a noisy record."""

from __future__ import annotations

import math
import pathlib
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..fitting import LikelihoodFit, propagate
from ..models.fluctuators import TelegraphRecord
from ..plot import telegraph_fit, white_record
from .report import Quantity, Report
from .tables import InputError, Reading, Table, read_table
from .telegraph_fit import EQUAL, MIXED, NOISE, ONE, TWO, fit_variants
from .telegraph_limits import amplitudes_seen

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUNDLED = pathlib.Path(__file__).parent / "data" / "telegraph.csv"
SIGN = 6.0  # of the AIC, to believe in a fluctuator
NONE = "no telegraph noise"
TIME_UNIT = (
    "Rates are per unit of the column `time`: with times in s they are in 1/s (switchings, no angular frequency)."
)
DESCRIBE = {
    "amplitudes": ("signal", "half the distance of the two levels"),
    "rates_up": ("1/time", "switchings to the upper level, per unit of time spent in the lower"),
    "rates_down": ("1/time", "switchings to the lower level, per unit of time spent in the upper"),
    "offset": ("signal", "middle of the levels"),
    "sigma": ("signal", "standard deviation of one reading"),
}
WITHOUT = {"offset": ("signal", "mean of the readings"), "sigma": ("signal", "their standard deviation")}


def read(path: str | pathlib.Path, **reading: Unpack[Reading]) -> Table:
    """The table of time and signal: T1, a frequency or a parity, one reading a row; InputError where it is unfit."""
    table = read_table(path, ["time", "signal"], ascending=["time"], least_rows=20, **reading)
    if float(np.std(table["signal"])) == 0:
        raise InputError(f"{table.name}: the column `signal` never changes.")
    return table


def run(table: Table, *, fluctuators: str = "auto", n_starts: int = 4, progress: Progress | None = None) -> Report:
    """Fit fluctuators by exact likelihood, compare with readings that have no memory, and report what is seen.

    Arguments:
        table: what `read` gave.
        fluctuators: "1" fits one, "2" one and two and reports two, "auto" chooses by AIC.
        n_starts: starting points of each fit.
        progress: where to say what is being done.

    Returns:
        A Report: of the fluctuators, or, where none is seen, of the mean and the noise of the readings.
    """
    progress = progress or Progress(quiet=True)
    fits = fit_variants(table, fluctuators, n_starts, progress)
    aic = {name: float(f.aic) for name, f in fits.items()}
    forms = [name for name in (ONE, TWO) if name in fits]
    # two more levels may describe anything: a second fluctuator has to earn more than its parameters
    earned = TWO in fits and aic[ONE] - aic[TWO] > SIGN and fits[TWO].success
    chosen = TWO if TWO in fits and (fluctuators == "2" or earned) else ONE
    gain = min(aic[NOISE], aic[MIXED]) - min(aic[name] for name in forms)
    chosen = chosen if gain > SIGN else NOISE
    comparison = [
        {
            "form": name,
            "free": len(f.names),
            "AIC - best": round(aic[name] - min(aic.values()), 2),
            "converged": bool(f.success),
            "used": name == chosen,
        }
        for name, f in fits.items()
    ]
    common: dict[str, Any] = {
        "model": "telegraph",
        "fit": fits[chosen],
        "describe": {name: (WITHOUT if chosen == NOISE else DESCRIBE)[_field(name)] for name in fits[chosen].names},
        "source": {"name": table.name, "sha256": table.sha256, "rows": len(table)},
        "inputs": {"fluctuators": fluctuators, "starts": n_starts},
        "comparison": comparison,
    }
    if chosen == NOISE:
        progress.stage("what would have been seen")
        report = _unseen(table, fits, gain, common)
        progress.done()
        return report
    return Report(
        title=f"telegraph noise: {chosen}",
        derived=_derived(table, fits[chosen]),
        verdict="telegraph noise",
        verdict_text=f"telegraph noise. Readings without memory have an AIC that is {gain:.3g} higher.",
        notes=_notes(table, fits, chosen),
        **common,
    )


def picture(table: Table, report: Report) -> Figure:
    """The record with the most likely levels, its histogram and Allan deviation; without levels what would be seen."""
    model = report.fit.model
    title = f"{table.name}: {report.title}"
    if report.verdict == NONE:
        bounds = np.array([quantity.value for quantity in report.derived.values()])
        rates = rates_to_try(table)
        return white_record(
            table["time"], table["signal"], float(model.offset), float(model.sigma), rates, bounds, title=title
        )
    expected = np.asarray(model.expected_signal(jnp.asarray(table["time"]), jnp.asarray(table["signal"])))
    return telegraph_fit(table["time"], table["signal"], expected, model.source, float(model.sigma), title=title)


def rates_to_try(table: Table) -> np.ndarray:
    """Total rates between ten in the whole record and one from reading to reading."""
    ts = table["time"]
    return np.geomspace(10 / float(np.ptp(ts)), 1 / float(np.median(np.diff(ts))), 5)


def _field(name: str) -> str:
    return name.removeprefix("source.").partition("[")[0]


def _unseen(table: Table, fits: dict[str, LikelihoodFit], gain: float, common: dict[str, Any]) -> Report:
    """The report of a record without telegraph noise: its mean, its noise, and what may hide in it."""
    model = fits[NOISE].model
    rates = rates_to_try(table)
    # AIC counts three more parameters of one fluctuator
    bounds = amplitudes_seen(table["time"], float(model.sigma), rates, SIGN + 6)
    derived = {
        f"amplitude at {rate:.2g}": Quantity(
            float(f"{bound:.2g}"),
            None if math.isfinite(bound) else math.inf,
            "signal",
            "of a fluctuator of this total rate that nine of ten such records show",
        )
        for rate, bound in zip(rates, bounds, strict=True)
    }
    most = float(np.max(bounds))
    hidden = (
        f"Nine of ten such records would show levels {most:.2g} or more above and below their middle that switch, as "
        f"often up as down, at a total rate from {rates[0]:.3g} to {rates[-1]:.3g}; weaker, slower, faster or rarer "
        "ones hide."
        if math.isfinite(most)
        else "Not even levels ten times the noise from their middle would be seen at all rates tried: see below."
    )
    notes = [TIME_UNIT]
    mixed = float(fits[NOISE].aic - fits[MIXED].aic)
    if mixed > SIGN:
        notes.append(
            f"The readings are not normal: two levels without memory have an AIC {mixed:.3g} lower, but neighbours "
            "share nothing. Outliers do this, and a defect that switches much faster than the sampling; the errors and "
            "amplitudes above take the readings for normal."
        )
    notes.append("Drift and steps that come once in the record are no telegraph noise, and are not looked for.")
    return Report(
        title="no telegraph noise seen",
        derived=derived,
        verdict=NONE,
        verdict_text="no telegraph noise is seen. Readings without memory describe the record as well (AIC "
        f"{gain:+.2g} from them, where {SIGN:g} would be a sign). {hidden}",
        upper_limit=most if math.isfinite(most) else None,
        notes=notes,
        **common,
    )


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


def _bias(k: int, model: TelegraphRecord) -> Array:
    """ln(d/u) of a fluctuator."""
    return jnp.log(model.source.rates_down[k] / model.source.rates_up[k])


def _notes(table: Table, fits: dict[str, LikelihoodFit], chosen: str) -> list[str]:
    """What the record cannot say."""
    notes, f = [TIME_UNIT], fits[chosen]
    count, equal = len(f.model.source.amplitudes), float(fits[EQUAL].aic - fits[ONE].aic)
    for k in range(count):
        bias, spread = propagate(partial(_bias, k), f)
        away, error = float(bias), float(spread)
        of = f" of fluctuator [{k}]" if count > 1 else ""
        if not math.isfinite(error):
            notes.append(f"The two rates{of} are not told apart: one of them is not determined.")
        elif abs(away) <= 2 * error:
            alike = "" if count > 1 else f", and one rate for both directions has an AIC {equal:+.2g} from two"
            notes.append(f"Unequal rates{of} are not seen: ln(d/u) = {away:.2g} ± {error:.2g}{alike}.")
        else:
            notes.append(f"The rates{of} differ by {abs(away / error):.2g} standard errors of ln(d/u).")
    notes.append(_second(fits, chosen))
    notes.append(
        "A further fluctuator that is weaker than the noise of a reading, faster than the sampling or slower than the "
        "record would hide in sigma or the offset."
    )
    return notes + _reach(table, f)


def _second(fits: dict[str, LikelihoodFit], chosen: str) -> str:
    """What is known of a second fluctuator."""
    if TWO not in fits:
        return "A second fluctuator was not looked for (--fluctuators 1)."
    second = float(fits[ONE].aic - fits[TWO].aic)
    if chosen == TWO:
        earned = "" if second > SIGN else f" The second one is not called for (AIC {second:+.2g} in its favour)."
        return f"Which of two fluctuators is called the first is a matter of name: the likelihood is the same.{earned}"
    doubt = "" if fits[TWO].success else "; its search did not converge, so that it may be a little more"
    return f"A second fluctuator is not called for (AIC {second:+.2g} in its favour{doubt}; {SIGN:g} would be a sign)."


def _reach(table: Table, f: LikelihoodFit) -> list[str]:
    """Rates and amplitudes at the edge of what the record resolves."""
    notes = []
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
