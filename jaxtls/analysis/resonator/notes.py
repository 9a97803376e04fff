"""Gives sentences on what limits the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...models._constants import BOLTZMANN, PLANCK
from ..quantity import Quantity
from .choice import AS_GOOD, Choice
from .measured import Measured, levels_of
from .search import Searcher
from .starts import used_by

APART = 25.0  # fall of chi2 by a Tc, A and F of their own for loss and shift, in units of the scaled error
WARM = 4.2  # K: no resonator of TLSs is cold there
HALF_QUANTUM = PLANCK / (2 * BOLTZMANN)


def notes_of(
    measured: Measured,
    searcher: Searcher,
    choice: Choice,
    scale: float,
    derived: dict[str, Quantity],
    apart: float,
    held: Mapping[str, float],
    word: str,
    draws: int,
) -> list[str]:
    """Returns all sentences that apply."""
    notes = []
    if not measured.known:
        how = "a bootstrap that draws whole temperatures" if draws else "the scatter about the fit"
        notes.append(f"No error bars were given: errors are from {how}.")
    elif scale > 1:
        notes.append(
            f"chi²/dof = {scale**2:.3g}: the form misses the data by more than their error bars; all errors above are "
            f"widened by {scale:.2g}."
        )
    if choice.too_rich:
        notes.append(
            f"{len(measured.data)} rows are too few for the forms {', '.join(choice.too_rich)}: measure more, or hold "
            'what is known (--hold photon_exponent=1, held={"photon_exponent": 1.0}).'
        )
    notes += _of_forms(choice, word)
    idle = [name for name in held if name not in used_by(choice.chosen, choice.has_gap)]
    if idle:
        notes.append(f"Held, but no part of the form {choice.chosen}: {', '.join(idle)}.")
    if len(measured.quality):
        if measured.drives().max() == 0:
            notes.append(
                "One drive power: the data cannot see saturation; F tan delta is what is left of it at that power."
            )
        notes += _of_memory(measured, searcher, choice)
    if not choice.has_gap:
        levels = levels_of(np.concatenate([measured.temperature, measured.cold])).max() + 1
        why = "one temperature says nothing of a gap" if levels == 1 else "no row is hot enough to ask for one"
        notes.append(f"No term of quasiparticles: {why}.")
    elif len(measured.quality):
        row = int(np.lexsort((measured.photons, measured.temperature))[-1])
        hottest = float(measured.temperature[row])
        share = searcher.quasiparticle_share(choice.chosen, choice.best, row)
        if share < 0.2:
            notes.append(
                f"Quasiparticles make at most {100 * share:.2g} % of the loss at {hottest:g} K: "
                "the data cannot fix Tc and A apart."
            )
    joint = choice.best.chi2
    if choice.has_gap and joint - apart > APART * max(1.0, apart / max(len(measured.data) - 10, 1)):
        notes.append(
            f"With one Tc and A for both, chi² is {joint:.3g}; with their own it is {apart:.3g} together. "
            "The hot rows do not follow one law of quasiparticles: leave them out, or trust F tan delta of each alone."
        )
    return notes + _of_agreement(derived)


def doubt_of(measured: Measured) -> str:
    """Asks whether temperatures that no resonator of TLSs is measured at are in mK; "" where they are cold."""
    if measured.coldest <= WARM:
        return ""
    cold, left = measured.coldest, np.tanh(HALF_QUANTUM * measured.frequency / measured.coldest)
    return f"Yet the coldest row is at {cold:g} K, where thermal TLSs lose {left:.2g} of F tan delta: is it in mK?"


def _of_forms(choice: Choice, word: str) -> list[str]:
    """Say why a form is used that is not the best, and by how much F moves between those that are as good."""
    notes, lower = [], choice.aic[choice.chosen] - choice.aic["no TLS"]
    if lower > 0:
        notes.append(
            f"The form {choice.chosen} is used, though a loss without TLSs has an AIC lower by {lower:.2g}: that one "
            "has no F tan delta, of which error and limit are asked."
        )
    least = min(aic for name, aic in choice.aic.items() if name != "no TLS")
    good = [name for name, aic in choice.aic.items() if name != "no TLS" and aic - least < AS_GOOD]
    if len(good) < 2 or word == "no TLS":
        return notes
    tangents = [float(choice.forms[name].values[0]) for name in good]
    low, high = min(tangents), max(tangents)
    return [
        *notes,
        f"The forms {', '.join(good)} describe the data about as well (AIC within {AS_GOOD:g}); between them "
        f"F tan delta goes from {low:.3g} to {high:.3g}.",
    ]


def _of_memory(measured: Measured, searcher: Searcher, choice: Choice) -> list[str]:
    misfit = searcher.predict(choice.chosen, choice.best.values[None])[0][0] - searcher.data
    misfit, drive = misfit[: len(measured.quality)], measured.drives()
    swept = levels_of(measured.temperature).max() > 0
    group = drive if swept else levels_of(measured.temperature)
    order = np.lexsort((measured.temperature if swept else measured.photons, group))
    misfit, group = misfit[order], group[order]
    pairs = group[1:] == group[:-1]
    total = float(np.sum(misfit**2))
    memory = float(np.sum(misfit[1:][pairs] * misfit[:-1][pairs]) / total) if total > 0 else 0.0
    if memory <= 2 / math.sqrt(len(misfit)) or memory >= 1:
        return []
    what = "temperatures" if swept else "photon numbers"
    return [
        f"Residuals of neighbouring {what} are alike (correlation {memory:.2f}): a trend that is not noise is left in "
        f"them, and the errors may be too small by about {math.sqrt((1 + memory) / (1 - memory)):.2g}."
    ]


def _of_agreement(derived: dict[str, Quantity]) -> list[str]:
    """Say what the difference between loss alone and shift alone says."""
    if "F tan delta, shift alone" not in derived:
        return []
    loss, pull = derived["F tan delta, loss alone"], derived["F tan delta, shift alone"]
    error = math.hypot(loss.stderr or 0.0, pull.stderr or 0.0)
    if not math.isfinite(error) or error == 0:
        return ["Loss or shift alone does not fix F tan delta, so the two cannot be compared."]
    away = abs(loss.value - pull.value) / error
    if away <= 2:
        return [f"Loss and shift agree on F tan delta ({away:.2g} joint standard errors apart)."]
    return [
        f"Loss and shift disagree on F tan delta by {away:.2g} joint standard errors. The loss sees TLSs at the "
        "resonance alone, as far as the saturation form leaves them; the shift sees all up to kT, and no saturation. "
        "A density of TLSs that grows with energy would do this, or error bars that are too small (see the residuals)."
    ]
