"""Fits every form, each never worse than what it contains, and finds which of them the data ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from ..._checks import require
from .measured import Measured
from .search import NAMES, Optimum, Searcher
from .starts import as_start_of, forms_for, freed, starts

AS_GOOD = 6.0  # AIC within which forms describe the data as well: the most used of them is taken
USUAL = ("none", "standard", "crowley", "earnest", "power", "logarithmic")
GAP_GAIN = 9.0  # fall of chi2 that a gap term has to buy, in units of the scaled error


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
    """Holds the forms' optima and the one chosen."""

    forms: dict[str, Optimum]
    free: dict[str, tuple[str, ...]]
    aic: dict[str, float]
    chosen: str
    has_gap: bool
    too_rich: list[str]

    @property
    def best(self) -> Optimum:
        """Returns the optimum of the chosen form."""
        return self.forms[self.chosen]

    def excess(self, name: str) -> float:
        """Returns max(1, chi2/dof) of a form."""
        dof = len(self.best.search.problem.data) - len(self.free[name])
        return max(1.0, self.forms[name].chi2 / max(dof, 1))


def choose(
    searcher: Searcher,
    saturation: str,
    gap: bool,
    held: dict[str, float],
    n_starts: int,
    say: Callable[[str], None],
) -> Choice:
    """Fit all forms that the data can bear, without a gap term where it buys nothing, and choose by AIC."""
    tried = [saturation] if saturation != "auto" else _names(searcher.measured, saturation, gap, held)[:-1]
    idle = not any(freed(name, searcher.measured, gap, held) for name in tried)
    require(not idle, "held", f"leave a parameter of the form {', '.join(tried)} free", ", ".join(held))
    if not searcher.measured.known:
        _estimate_errors(searcher, saturation, gap, held, n_starts, say)
    found = _fit_all(searcher, saturation, gap, held, n_starts, say)
    if gap and not {"critical_temperature", "quasiparticle_amplitude"} & set(held):
        without = _fit_all(searcher, saturation, False, held, n_starts, say)
        if without.best.chi2 - found.best.chi2 < GAP_GAIN * found.excess(found.chosen):
            return without
    return found


def _names(measured: Measured, saturation: str, gap: bool, held: dict[str, float]) -> list[str]:
    """List the forms to fit, the richest first; those with too many parameters for the rows are left out."""
    names = forms_for(measured)
    names += [saturation] * (saturation != "auto" and saturation not in names)
    room = len(measured.data) - 1
    kept = [n for n in names if n in ("none", saturation) or len(freed(n, measured, gap, held)) <= room]
    return [*kept, "no TLS"]


def _fit_all(
    searcher: Searcher, saturation: str, gap: bool, held: dict[str, float], n_starts: int, say: Callable[[str], None]
) -> Choice:
    m = searcher.measured
    names = _names(m, saturation, gap, held)
    free = {name: freed(name, m, gap, held) for name in names}
    forms: dict[str, Optimum] = {}
    for name in reversed(names):
        say(f"fit {len(m.data)} rows, {name if name == 'no TLS' else 'saturation ' + name}, {len(free[name])} free")
        forms[name] = fit_form(searcher, name, free[name], gap, held, n_starts, list(forms.items()))
    forms = {name: forms[name] for name in names}
    real = [name for name in names if name != "no TLS"]
    dof = {name: max(len(m.data) - len(free[name]), 1) for name in names}
    excess = max(1.0, min(forms[name].chi2 / dof[name] for name in real))
    aic = {name: forms[name].chi2 / excess + 2 * len(free[name]) for name in names}
    least = min(aic[name] for name in real if free[name])
    usual = [name for name in USUAL if name in real and aic[name] - least < AS_GOOD and free[name]]
    chosen = usual[0] if saturation == "auto" else saturation
    too_rich = [name for name in forms_for(m) if name not in names]
    return Choice(forms, free, aic, chosen, gap, too_rich)


def fit_form(
    searcher: Searcher,
    form: str,
    free: tuple[str, ...],
    gap: bool,
    held: dict[str, float],
    n_starts: int,
    simpler: list[tuple[str, Optimum]],
) -> Optimum:
    """Finds the lowest optimum from the data's own guesses and the optima of the forms that this one contains."""
    m = searcher.measured
    begin = starts(m, form, gap, held, max(n_starts, 1))
    fixed = {NAMES.index(name): value for name, value in held.items()}
    for name, optimum in simpler:
        seed = optimum.values.copy()
        if name == "none" and form != "none":
            seed = as_start_of(form, seed, m)
        elif name == "standard" and form == "crowley":
            # n_c where the drives are, for a start: the same curve at one temperature
            at = np.median(np.tanh(0.024 * m.frequency / 1e9 / m.temperature))
            seed[1] = max(seed[1], 1e-12) ** seed[3] * at / np.median(m.temperature) ** begin[0, 2]
            seed[2] = begin[0, 2]
        elif name != "no TLS" or form != "none":
            continue
        if seed[0] <= 0:
            seed[0] = 0.1 * begin[0, 0]
        for column, value in fixed.items():
            seed[column] = value
        begin = np.concatenate([begin, seed[None]])
    if not free:
        return searcher.as_held(form, begin[0])
    found = searcher.run(form, free, begin)
    return _lowest(found)


def _lowest(found: list[Optimum]) -> Optimum:
    """Return the lowest chi2; among equals one whose search says that it converged."""
    lowest = min(f.chi2 for f in found)
    equals = [f for f in found if f.chi2 <= lowest * (1 + 1e-6) + 1e-6]
    return min(equals, key=lambda f: (f.search.code, f.chi2))


def _estimate_errors(
    searcher: Searcher, saturation: str, gap: bool, held: dict[str, float], n_starts: int, say: Callable[[str], None]
) -> None:
    """Error bars that are not given are the scatter about the richest form, so loss and shift weigh as they should."""
    m = searcher.measured
    richest = _names(m, saturation, gap, held)[0]
    free = freed(richest, m, gap, held)
    searcher.sigma = m.errors(0.1, max(float(np.ptp(m.shift)) if len(m.shift) else 1.0, 1e-12) / 20)
    say(f"weigh {len(m.data)} rows by their scatter")
    n_loss, seeds = len(m.quality), starts(m, richest, gap, held, n_starts)
    for _ in range(3):
        best = _lowest(searcher.run(richest, free, seeds))
        misfit = searcher.predict(richest, best.values[None])[0][0] - m.data
        widen = np.sqrt(len(m.data) / max(len(m.data) - len(free), 1))
        parts = [
            max(float(np.sqrt(np.mean(p**2))) * widen, 1e-12) if len(p) else 1.0 for p in np.split(misfit, [n_loss])
        ]
        searcher.sigma = m.errors(max(parts[0], 1e-6), parts[1])
        seeds = np.concatenate([best.values[None], seeds[:1]])
