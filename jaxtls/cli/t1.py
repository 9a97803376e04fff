"""`python -m jaxtls fit [DATA.csv] --model t1` finds spectral diffusion of TLSs from T1 over frequency and time."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..fitting import FitResult, propagate
from ..plot import flat_rates, rate_fit
from .diffusion import Diffusion
from .report import Quantity, Report
from .scans import Scan, alone, left_out_notes, misfit_notes
from .t1_fit import fit_constant, fit_one, fit_one_more
from .t1_model import ERROR, FREQUENCY, T1, TIME, WanderingTLSs
from .t1_search import GAIN, Candidate, Scans
from .t1_words import STILL, doubts, notes_of, seen_in, tag, verdict, words
from .tables import InputError, Reading, Table, read_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUNDLED = pathlib.Path(__file__).parent / "data" / "t1_scan.csv"
NO_TLS = "no TLS"
MOST = 4
LEAST = 4  # rows of a scan

DESCRIBE = {
    "couplings": ("MHz", "g/2pi of the TLS"),
    "widths": ("MHz", "half width of its line at half maximum, (gamma/2 + gphi)/2pi"),
    "background": ("1/us", "relaxation rate without TLSs"),
}


def read(path: str | pathlib.Path, **reading: Unpack[Reading]) -> Table:
    """Reads the table of time_h, frequency_MHz, T1_us and, where given, T1_error_us: a row for each measurement.

    Arguments:
        path: a CSV file, rows in any order; rows of one time_h make one scan.
        reading: `mapping` and `skip_bad` of `read_table`.

    Returns:
        The table, checked.

    Raises:
        InputError: one sentence on the first fault.
    """
    table = read_table(path, [TIME, FREQUENCY, T1], [ERROR], positive=[T1, ERROR, FREQUENCY], least_rows=12, **reading)
    times, counts = np.unique(table[TIME], return_counts=True)
    if len(times) < 3:
        raise InputError(f"{table.name} holds {len(times)} different values of {TIME}, but diffusion needs three.")
    if counts.min() < LEAST:
        raise InputError(
            f"{table.name} has {counts.min()} rows at {TIME} = {times[counts.argmin()]:g}, but needs four."
        )
    return table


def run(table: Table, *, most: int = MOST, progress: Progress | None = None) -> Report:
    """Fit ln T1 with TLSs whose frequencies are free at each time, then the diffusion constants of these frequencies.

    TLSs are added while one more raises 2 ln L, averaged over its place, by GAIN. Readings that stand alone far from
    the fit of all are left out, and all is done again.

    Arguments:
        table: what `read` gave.
        most: TLSs to look for.
        progress: where to say what is being done.

    Returns:
        A Report; its derived quantity D is that of sigma = 2 D sqrt(t).
    """
    progress = progress or Progress(quiet=True)
    progress.say(doubts(table))
    report = _searched(table, most, progress)
    far = alone(Scan.of(table, TIME, FREQUENCY), _left(table, report.fit))
    _, counts = np.unique(table[TIME][~far], return_counts=True)
    if not far.any() or counts.min() < LEAST:
        return report
    points = zip(*(table[name][far] for name in (T1, FREQUENCY, TIME)), strict=True)
    said = left_out_notes([f"T1 = {t1:.3g} us at {f:.6g} MHz, {t:.3g} h" for t1, f, t in points])
    progress.say(said)
    report = _searched(table.where(~far), most, progress)
    inputs, source = report.inputs | {"left out": int(np.sum(far))}, report.source | {"rows": len(table)}
    return dataclasses.replace(report, inputs=inputs, source=source, doubts=[*report.doubts, *said], used=~far)


def _searched(table: Table, most: int, progress: Progress) -> Report:
    """Make the report of all rows."""
    times, which = np.unique(table[TIME], return_inverse=True)
    scans = Scans.of(table[FREQUENCY], which, table[T1], table.columns.get(ERROR))
    found = _look(scans, progress)
    inputs = {"scans": len(times), "span [h]": float(np.ptp(times)), "most TLSs": most}
    source = {"name": table.name, "sha256": table.sha256, "rows": len(table)}
    if found.gain < GAIN:
        return _without(table, scans, found.gain, inputs, source)
    fits, gains = [fit_one(table, which, progress)], [found.gain]
    while True:
        left = _look(_beside(table, which, fits[-1]), progress)
        gains.append(left.gain)
        if left.gain < GAIN or len(fits) == most:
            break
        fits.append(fit_one_more(table, which, fits[-1].model, left, progress))
    f = fits[-1]
    progress.stage("diffusion of the fitted frequencies")
    moves = diffusions_of(table, f)
    progress.done()
    count = len(moves)
    places = {
        f"centres[{k},{i}]": ("MHz", f"frequency of TLS {k} at {t:g} h")
        for k in range(count)
        for i, t in enumerate(times)
    }
    known = {f"{name}[{k}]": said for name, said in DESCRIBE.items() for k in range(count)}
    word, sentence = verdict(table, f, moves, gains, most)
    uppers = [d.upper for d in moves if d is not None]
    return Report(
        title=f"T1 over frequency and time: {words(count)}, frequencies free in each of {len(times)} scans",
        model="t1",
        fit=f,
        describe=DESCRIBE | known | places,
        source=source,
        derived=_derived(f, moves),
        inputs=inputs,
        verdict=word,
        verdict_text=sentence,
        upper_limit=max(uppers, default=None),
        notes=notes_of(table, f, moves),
        doubts=doubts(table),
        listed={f"centres{tag(k, count)}": f"centres[{k}," for k in range(count)},
    )


def picture(table: Table, report: Report) -> Figure:
    """Draws Gamma_1(f, t) with the TLSs on top, what is left of it, and their moves against the time between."""
    table = table if report.used is None else table.where(report.used)
    scan, f = Scan.of(table, TIME, FREQUENCY), report.fit
    rates = scan.filled(1 / table[T1])
    left = scan.filled(_left(table, f))
    labels = table.axis(FREQUENCY, "qubit frequency  [MHz]", "MHz"), table.axis(TIME, "time  [h]", "h")
    if report.verdict == NO_TLS:
        title = f"{table.name}: no TLS seen, T1 = {report.derived['T1'].mathtext()}"
        return flat_rates(scan.second, scan.first, rates, left, labels=labels, title=title)
    seen = seen_in(table, f)
    count = len(seen)
    covariances = [np.where(here[:, None] & here, _places(f, k)[1], np.inf) for k, here in enumerate(seen)]
    known = [report.derived.get(f"D{tag(k, count)}") for k in range(count)]
    said = f": {words(count)}"
    if count == 1 and known[0] is not None:
        d = known[0]
        moves = f"D = {d.mathtext()}" if report.verdict != STILL else f"D < {report.upper_limit:.2g} {d.unit} (95 %)"
        said = f": {moves}"
    return rate_fit(
        scan.second,
        scan.first,
        rates,
        np.asarray(f.model.centres),
        np.array(covariances),
        diffusion=np.array([0.0 if d is None else d.value for d in known]),
        residuals=left,
        labels=labels,
        title=f"{table.name}{said}",
    )


def diffusions_of(table: Table, f: FitResult) -> list[Diffusion | None]:
    """Finds D of each TLS from its fitted frequencies and the covariance of their errors; None of fewer than three."""
    found: list[Diffusion | None] = []
    times = np.unique(table[TIME])
    for k, seen in enumerate(seen_in(table, f)):
        places, covariance = _places(f, k)
        enough = seen.sum() >= 3
        found.append(Diffusion.of(times[seen], places[seen], covariance[np.ix_(seen, seen)]) if enough else None)
    return found


def _look(scans: Scans, progress: Progress) -> Candidate:
    progress.stage("look for a TLS")
    found = scans.best()
    progress.done(f"2 ln L higher by {found.gain:.3g}")
    return found


def _beside(table: Table, which: np.ndarray, f: FitResult) -> Scans:
    """Give what the fitted TLSs leave."""
    rates, background = np.exp(-np.asarray(f.predicted)), float(f.model.background)
    return Scans.of(table[FREQUENCY], which, table[T1], table.columns.get(ERROR), rates, background)


def _places(f: FitResult, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Give a TLS's frequency in each scan (T,), and the covariance of their errors (T, T)."""
    here = [i for i, name in enumerate(f.names) if name.startswith(f"centres[{k},")]
    return np.asarray(f.model.centres)[k], np.asarray(f.covariance)[np.ix_(here, here)]


def _shortest(k: int, model: WanderingTLSs) -> Array:
    """Give T1 on resonance with a TLS that is alone."""
    return 1 / (4 * math.pi * model.couplings[k] ** 2 / model.widths[k] + model.background)


def _derived(f: FitResult, moves: list[Diffusion | None]) -> dict[str, Quantity]:
    found, count = {}, len(moves)
    for k, d in enumerate(moves):
        if d is not None:
            error = d.stderr if math.isfinite(d.stderr) else None
            meaning = "spectral diffusion, sigma = 2 D sqrt(t)"
            found[f"D{tag(k, count)}"] = Quantity(d.value, error, "MHz/sqrt(h)", meaning)
            upper = Quantity(float(f"{d.upper:.3g}"), None, "MHz/sqrt(h)", "from the likelihood of D")
            found[f"D{tag(k, count)}, 95 % below"] = upper
    for k in range(count):
        value, error = propagate(partial(_shortest, k), f)
        meaning = "on resonance with the TLS, alone"
        found[f"shortest T1{tag(k, count)}"] = Quantity(float(value), float(error), "us", meaning)
    value, error = propagate(lambda m: 1 / m.background, f)
    return found | {"longest T1": Quantity(float(value), float(error), "us", "far from all TLSs")}


def _left(table: Table, f: FitResult) -> np.ndarray:
    """Give what the fit leaves of ln(1/T1), (R,), in units of the errors, or where none are given of the scatter."""
    share = table[ERROR] / table[T1] if ERROR in table else math.sqrt(float(f.chi2) / max(f.dof, 1))
    return (np.asarray(f.predicted) - np.log(table[T1])) / share


def _without(table: Table, scans: Scans, gain: float, inputs: dict[str, Any], source: dict[str, Any]) -> Report:
    """Make the report of scans without a TLS: one T1, and the TLS that would have been seen."""
    f = fit_constant(table)
    rate, error = float(f.values["background"]), float(f.stderr["background"])
    width = scans.span / 10
    depth = scans.depth_seen(width)
    g = math.sqrt(depth * rate * 2 * math.pi * width / 2) / (2 * math.pi)
    unseen = (
        f"Nine of ten such tables would show one of {width:.2g} MHz half width from g/2pi = {g:.2g} MHz on (a T1 of "
        f"{1 / rate / (1 + depth):.3g} us at its middle); a weaker one may be there."
        if math.isfinite(depth)
        else f"None of {width:.2g} MHz half width would be seen in these data."
    )
    derived = {"T1": Quantity(1 / rate, error / rate**2, "us", "of all scans and frequencies")}
    if math.isfinite(depth):
        meaning = f"g/2pi from which a TLS of {width:.2g} MHz half width would be seen"
        derived["coupling seen"] = Quantity(float(f"{g:.2g}"), None, "MHz", meaning)
    return Report(
        title=f"T1 over frequency and time: no TLS seen in {inputs['scans']} scans",
        model="t1",
        fit=f,
        describe={"background": ("1/us", "relaxation rate of all scans and frequencies")},
        source=source,
        derived=derived,
        inputs=inputs,
        verdict=NO_TLS,
        verdict_text=f"no TLS. One raises 2 ln L by {max(gain, 0.0):.2g} (asked for: {GAIN:g}). {unseen}",
        upper_limit=float(f"{g:.2g}") if math.isfinite(depth) else None,
        doubts=doubts(table),
        notes=misfit_notes(
            f,
            ERROR in table,
            "ln T1 has unit weights, and the scatter scales the errors",
            "T1 varies by more than its errors, but not as a TLS within these frequencies makes it",
            "",
        ),
    )
