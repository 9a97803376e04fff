"""Says what a record cannot tell of the fluctuators fitted to it, and what else would look like them."""

from __future__ import annotations

import math
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..fitting import LikelihoodFit, propagate
from ..models.fluctuators import TelegraphRecord
from .tables import Table
from .telegraph_fit import CLEAN, EQUAL, ONE, TWO, two_values
from .telegraph_rivals import LINE, NOISE
from .telegraph_sift import outlying

SIGN = 6.0  # of the AIC, to believe in a fluctuator
FEW = 3.0  # switchings within the record, below which nothing says that they come again
TIME_UNIT = (
    "Rates are per unit of the column `time`: with times in s they are in 1/s (switchings, no angular frequency)."
)


def aic_change(change: float) -> str:
    """Says what a form does to the AIC.

    Example:
        >>> aic_change(-3.14), aic_change(2.0)
        ('lowers the AIC by 3.1', 'raises the AIC by 2')
    """
    return f"{'lowers' if change < 0 else 'raises'} the AIC by {abs(change):.2g}"


def readout(table: Table) -> list[str]:
    """Says what is assumed of readings of two values."""
    if not two_values(table):
        return []
    step = float(np.ptp(table["signal"]))
    return [
        f"The readings take two values: read-out noise is held at {CLEAN * step:.3g}, {100 * CLEAN:g} % of their "
        "distance, and the levels at the values. A reading that was mistaken for the other value counts as two "
        "switchings."
    ]


def switchings(table: Table, record: TelegraphRecord) -> np.ndarray:
    """Gives those expected of each fluctuator within the record (K,)."""
    up, down = (np.asarray(part) for part in (record.source.rates_up, record.source.rates_down))
    return 2 * up * down / (up + down) * float(np.ptp(table["time"]))


def few(table: Table, record: TelegraphRecord) -> list[str]:
    """Names fluctuators that a step, a drift or outliers would look like."""
    source, words = record.source, []
    share = np.asarray(source.rates_up / source.total_rates)
    single = len(table) * np.minimum(share, 1 - share)
    fast = np.asarray(source.total_rates) * float(np.median(np.diff(table["time"]))) > 1
    for k, count in enumerate(switchings(table, record)):
        who = f"Fluctuator [{k}]" if len(share) > 1 else "The fluctuator"
        if count < FEW:
            words.append(f"{who} switches {count:.1f} times within the record: one step or drift would look alike.")
        elif fast[k] and single[k] < FEW + 0.01 * len(table):
            words.append(f"{who} leaves its level for {single[k]:.0f} single readings: outliers would look alike.")
    return words


def drift(fits: dict[str, LikelihoodFit], seen: bool) -> list[str]:
    """Says where a straight line improves the record, and what follows."""
    if LINE not in fits or float(fits[NOISE].aic - fits[LINE].aic) <= SIGN:
        return []
    lower, change = float(fits[NOISE].aic - fits[LINE].aic), float(fits[LINE].values["drift"])
    follows = (
        "a drift would be taken for a slow fluctuator, and a slow fluctuator for a drift."
        if seen
        else "what switches about that line was not looked for. Take the line off and fit again."
    )
    return [
        f"A straight line (a change of {change:.3g} within the record) has an AIC {lower:.3g} lower than no line: "
        f"{follows}"
    ]


def _bias(k: int, model: TelegraphRecord) -> Array:
    """Give ln(d/u) of a fluctuator."""
    return jnp.log(model.source.rates_down[k] / model.source.rates_up[k])


def notes_of(table: Table, fits: dict[str, LikelihoodFit], chosen: str) -> list[str]:
    """Says what the record cannot."""
    f = fits[chosen]
    notes = [TIME_UNIT, *readout(table), *few(table, f.model), *drift(fits, seen=True), *outlying(table)]
    count, equal = len(f.model.source.amplitudes), float(fits[EQUAL].aic - fits[ONE].aic)
    for k in range(count):
        bias, spread = propagate(partial(_bias, k), f)
        away, error = float(bias), float(spread)
        of = f" of fluctuator [{k}]" if count > 1 else ""
        if not math.isfinite(error):
            notes.append(f"The two rates{of} are not told apart: one of them is not determined.")
        elif abs(away) <= 2 * error:
            alike = "" if count > 1 else f", and one rate for both directions {aic_change(equal)}"
            notes.append(f"Unequal rates{of} are not seen: ln(d/u) = {away:.2g} ± {error:.2g}{alike}.")
        else:
            notes.append(f"The rates{of} differ by {abs(away / error):.2g} standard errors of ln(d/u).")
    notes.append(_second(table, fits, chosen))
    if not two_values(table):
        notes.append(
            "A further fluctuator that is weaker than the noise of a reading, faster than the sampling or slower than "
            "the record would hide in sigma or the offset."
        )
    return notes + _reach(table, f)


def _second(table: Table, fits: dict[str, LikelihoodFit], chosen: str) -> str:
    """Say what is known of a second fluctuator."""
    if two_values(table):
        return "Two values leave no place for a second fluctuator."
    if TWO not in fits:
        return "A second fluctuator was not looked for (--fluctuators 1)."
    second = float(fits[ONE].aic - fits[TWO].aic)
    if chosen == TWO:
        earned = "" if second > SIGN else f" The second one is not called for: it {aic_change(-second)}."
        return f"Which of two fluctuators is called the first is a matter of name: the likelihood is the same.{earned}"
    doubt = "" if fits[TWO].success else ", though its search did not converge"
    change = aic_change(-second)
    return f"A second fluctuator is not called for: it {change}{doubt} (a fall of {SIGN:g} would be a sign)."


def _reach(table: Table, f: LikelihoodFit) -> list[str]:
    """Name rates and amplitudes at the edge of what the record resolves."""
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
