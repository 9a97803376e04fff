"""`python -m jaxtls fit [DATA.csv] --model telegraph` finds switching rates of a defect from a noisy record."""

from __future__ import annotations

import math
import pathlib
from typing import TYPE_CHECKING, Any, Unpack

import jax.numpy as jnp
import numpy as np

from .._progress import Progress
from ..fitting import LikelihoodFit, propagate
from ..plot import telegraph_fit, white_record
from .report import Quantity, Report
from .tables import InputError, Reading, Table, read_table
from .telegraph_fit import ONE, TWO, fit_variants, two_values
from .telegraph_limits import amplitudes_seen
from .telegraph_notes import SIGN, TIME_UNIT, aic_change, drift, few, notes_of, readout
from .telegraph_rivals import LINE, MIXED, NOISE, OUTLIERS, PAIRS, RIVALS
from .telegraph_sift import ALIKE, alike, outlying, sifted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUNDLED = pathlib.Path(__file__).parent / "data" / "telegraph.csv"
NONE = "no telegraph noise"
DESCRIBE = {
    "amplitudes": ("signal", "half the distance of the two levels"),
    "rates_up": ("1/time", "switchings to the upper level, per unit of time spent in the lower"),
    "rates_down": ("1/time", "switchings to the lower level, per unit of time spent in the upper"),
    "offset": ("signal", "middle of the levels"),
    "sigma": ("signal", "standard deviation of one reading"),
}
STEPS = "Steps that come once in the record are no telegraph noise, and are not looked for."
WITHOUT = {
    "offset": ("signal", "mean of the readings"),
    "drift": ("signal", "change along a straight line, from the first reading to the last"),
    "sigma": ("signal", "their standard deviation"),
    "shares": ("", "of the upper value among the readings"),
}


def read(path: str | pathlib.Path, **reading: Unpack[Reading]) -> Table:
    """Reads the table of time and signal: T1, a frequency or a parity, one reading a row; InputError if it is unfit."""
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
    used, left_out = sifted(table)
    whole, table = len(table), table.where(used)
    progress.say(left_out)
    fits = fit_variants(table, fluctuators, n_starts, progress)
    aic = {name: float(f.aic) for name, f in fits.items()}
    forms = [name for name in (ONE, TWO) if name in fits]
    # two more levels may describe anything: a second fluctuator has to earn more than its parameters
    earned = TWO in fits and aic[ONE] - aic[TWO] > SIGN and fits[TWO].success
    chosen = TWO if TWO in fits and (fluctuators == "2" or earned) else ONE
    gain = min(aic[name] for name in RIVALS if name in fits) - min(aic[name] for name in forms)
    seen = gain > SIGN
    chosen = chosen if seen else _still(table, aic)
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
        "describe": {name: (DESCRIBE if seen else WITHOUT)[_field(name)] for name in fits[chosen].names},
        "source": {"name": table.name, "sha256": table.sha256, "rows": whole},
        "inputs": {"fluctuators": fluctuators, "starts": n_starts}
        | ({"left out": whole - len(table)} if left_out else {}),
        "doubts": left_out,
        "used": used,
        "comparison": comparison,
    }
    if not seen:
        progress.stage("what would have been seen")
        report = _unseen(table, fits, chosen, gain, common)
        progress.done()
        return report.in_units(units(table))
    beaten = f"telegraph noise. Readings without memory have an AIC that is {gain:.3g} higher."
    return Report(
        title=f"telegraph noise: {chosen}",
        derived=_derived(table, fits[chosen]),
        verdict="telegraph noise",
        verdict_text=" ".join([beaten, *few(table, fits[chosen].model)]),
        notes=notes_of(table, fits, chosen),
        **common,
    ).in_units(units(table))


def _still(table: Table, aic: dict[str, float]) -> str:
    """Say what is told of readings without memory: two values, a straight line where it is better, or mean, noise."""
    if two_values(table):
        return MIXED
    return LINE if aic[NOISE] - aic[LINE] > SIGN else NOISE


def picture(table: Table, report: Report) -> Figure:
    """Draws a record with its most likely levels, histogram and Allan deviation; without levels what would be seen."""
    model = report.fit.model
    table = table if report.used is None else table.where(report.used)
    title = f"{table.name}: {report.title}"
    names: dict[str, Any] = {"labels": (table.axis("time"), table.axis("signal")), "rate_unit": units(table)["1/time"]}
    if report.verdict == NONE:
        bounds = np.array([quantity.value for quantity in report.derived.values()])
        rates = rates_to_try(table)
        y = table["signal"]
        mean, sigma = float(np.mean(y)), _noise(table, model)
        return white_record(table["time"], y, mean, sigma, rates, bounds, title=title, **names)
    expected = np.asarray(model.expected_signal(jnp.asarray(table["time"]), jnp.asarray(table["signal"])))
    return telegraph_fit(
        table["time"], table["signal"], expected, model.source, float(model.sigma), residuals=True, title=title, **names
    )


def units(table: Table) -> dict[str, str]:
    """Gives the units of rates and readings as the file's own names of its columns tell them."""
    return {"1/time": f"1/{table.unit('time')}", "signal": table.unit("signal")}


def rates_to_try(table: Table) -> np.ndarray:
    """Gives total rates between ten in the whole record and one from reading to reading."""
    ts = table["time"]
    return np.geomspace(10 / float(np.ptp(ts)), 1 / float(np.median(np.diff(ts))), 5)


def _noise(table: Table, model: Any) -> float:
    """Give the standard deviation of readings that do not switch."""
    return float(np.std(table["signal"])) if two_values(table) else float(model.sigma)


def _field(name: str) -> str:
    return name.removeprefix("source.").partition("[")[0]


def _unseen(table: Table, fits: dict[str, LikelihoodFit], chosen: str, gain: float, common: dict[str, Any]) -> Report:
    """Make the report of a record without telegraph noise: its mean, its noise, and what may hide in it."""
    rates = rates_to_try(table)
    # AIC counts three more parameters of one fluctuator
    bounds = amplitudes_seen(table["time"], _noise(table, fits[chosen].model), rates, SIGN + 6)
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
    share, errors = alike(table)
    memory = (
        f" Yet neighbours are alike (rank correlation {share:.2g}, {errors:.2g} standard errors): something switches "
        "or drifts, but not as levels with normal noise do."
        if errors > ALIKE
        else ""
    )
    return Report(
        title="no telegraph noise seen",
        derived=derived,
        verdict=NONE,
        verdict_text="no telegraph noise is seen. Readings without memory describe the record as well: a fluctuator "
        f"{aic_change(-gain)} (a fall of {SIGN:g} would be a sign).{memory} {hidden}",
        upper_limit=most if math.isfinite(most) else None,
        notes=[TIME_UNIT, *readout(table), *drift(fits, seen=False), *_not_normal(table, fits), STEPS],
        **common,
    )


def _not_normal(table: Table, fits: dict[str, LikelihoodFit]) -> list[str]:
    """Find readings that are better described otherwise than as normal, without memory."""
    if two_values(table):
        return ["Neighbours share nothing: a defect that switches much faster than the sampling does this."]
    notes = outlying(table)
    forms = [name for name in (OUTLIERS, MIXED, PAIRS) if name in fits]
    best = min(forms, key=lambda name: float(fits[name].aic))
    lower = min(float(fits[name].aic) for name in (NOISE, LINE)) - float(fits[best].aic)
    if lower > SIGN:
        apart = "" if alike(table)[1] > ALIKE else ", but neighbours share nothing"
        notes.append(
            f'The readings are not normal: the form "{best}" has an AIC {lower:.3g} lower{apart}. Outliers do this, '
            "and a defect that switches much faster than the sampling; the errors and amplitudes above take the "
            "readings for normal."
        )
    return notes


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
