"""`python -m jaxtls fit [DATA.csv] --model t1`: spectral diffusion of a TLS from T1 over frequency and time."""

from __future__ import annotations

import math
import pathlib
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from .._progress import Progress
from ..fitting import FitResult
from ..plot import flat_rates, rate_fit
from .diffusion import Diffusion
from .report import Quantity, Report
from .scans import Scan, misfit_notes, t1_unit_notes, unit_notes
from .t1_fit import ERROR, FREQUENCY, T1, TIME, fit_constant, fit_tls
from .t1_search import GAIN, Scans
from .tables import InputError, Reading, Table, read_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUNDLED = pathlib.Path(__file__).parent / "data" / "t1_scan.csv"
NO_TLS, STILL = "no TLS", "no diffusion"

DESCRIBE = {
    "coupling": ("MHz", "g/2pi of the TLS"),
    "width": ("MHz", "half width of its line at half maximum, (gamma/2 + gphi)/2pi"),
    "background": ("1/us", "relaxation rate without the TLS"),
    "centres": ("MHz", "frequency of the TLS at one time"),
}


def read(path: str | pathlib.Path, **reading: Unpack[Reading]) -> Table:
    """The table of time_h, frequency_MHz, T1_us and, where given, T1_error_us: a row for each measurement.

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
    if counts.min() < 4:
        raise InputError(
            f"{table.name} has {counts.min()} rows at {TIME} = {times[counts.argmin()]:g}, but needs four."
        )
    return table


def run(table: Table, *, progress: Progress | None = None) -> Report:
    """Fit ln T1 with a TLS whose frequency is free at each time, then the diffusion constant of these frequencies.

    Arguments:
        table: what `read` gave.
        progress: where to say what is being done.

    Returns:
        A Report; its derived quantity D is that of sigma = 2 D sqrt(t).
    """
    progress = progress or Progress(quiet=True)
    times, which = np.unique(table[TIME], return_inverse=True)
    progress.stage("look for a TLS")
    scans = Scans.of(table[FREQUENCY], which, table[T1], table.columns.get(ERROR))
    gain = scans.gain()
    progress.done(f"2 ln L higher by {gain:.3g}")
    inputs = {"scans": len(times), "span [h]": float(np.ptp(times))}
    source = {"name": table.name, "sha256": table.sha256, "rows": len(table)}
    if gain < GAIN:
        return _without(table, scans, gain, inputs, source)
    f = fit_tls(table, which, progress)
    progress.stage("diffusion of the fitted frequencies")
    d = diffusion_of(table, f)
    progress.done()
    describe = DESCRIBE | {f"centres[{k}]": ("MHz", f"frequency of the TLS at {t:g} h") for k, t in enumerate(times)}
    word, sentence = _verdict(d)
    return Report(
        title=f"T1 over frequency and time: one TLS, its frequency free in each of {len(times)} scans",
        model="t1",
        fit=f,
        describe=describe,
        source=source,
        derived=_derived(f, d),
        inputs=inputs,
        verdict=word,
        verdict_text=sentence,
        upper_limit=None if d is None else d.upper,
        notes=_notes(table, f, d),
        listed=("centres",),
    )


def picture(table: Table, report: Report) -> Figure:
    """Gamma_1(f, t) with the TLS on top, and its moves against the time between; what is left where there is none."""
    scan, f = Scan.of(table, TIME, FREQUENCY), report.fit
    rates = scan.filled(1 / table[T1])
    if report.verdict == NO_TLS:
        share = table[ERROR] / table[T1] if ERROR in table else np.full(len(table), _scatter(f))
        left = scan.filled((np.asarray(f.predicted) - np.log(table[T1])) / share)
        title = f"{table.name}: no TLS seen, T1 = {report.derived['T1'].mathtext()}"
        return flat_rates(scan.second, scan.first, rates, left, title=title)
    here, covariance = _places(f)
    seen = _seen(table, f)
    d = report.derived.get("D")
    said = "" if d is None else f": D = {d.mathtext()}"
    if report.verdict == STILL and d is not None:
        said = f": D < {report.upper_limit:.2g} {d.unit} (95 %)"
    return rate_fit(
        scan.second,
        scan.first,
        rates,
        here,
        np.where(seen[:, None] & seen, covariance, np.inf),
        diffusion=0.0 if d is None else d.value,
        title=f"{table.name}{said}",
    )


def diffusion_of(table: Table, f: FitResult) -> Diffusion | None:
    """D of the fitted frequencies, with the covariance of their errors; None where fewer than three are known."""
    seen = _seen(table, f)
    if seen.sum() < 3:
        return None
    places, covariance = _places(f)
    return Diffusion.of(np.unique(table[TIME])[seen], places[seen], covariance[np.ix_(seen, seen)])


def _places(f: FitResult) -> tuple[np.ndarray, np.ndarray]:
    """The TLS's frequency in each scan (T,), and the covariance of their errors (T, T)."""
    here = [k for k, name in enumerate(f.names) if name.startswith("centres")]
    return np.asarray(f.model.centres), np.asarray(f.covariance)[np.ix_(here, here)]


def _seen(table: Table, f: FitResult) -> np.ndarray:
    """Scans (T,) in which the TLS is seen: its frequency is known to a quarter of the range."""
    return np.asarray(f.stderr["centres"]) < np.ptp(table[FREQUENCY]) / 4


def _derived(f: FitResult, d: Diffusion | None) -> dict[str, Quantity]:
    g, width = (2 * math.pi * float(x) for x in (f.model.coupling, f.model.width))
    peak = 2 * g**2 / width
    found = {}
    if d is not None:
        error = d.stderr if math.isfinite(d.stderr) else None
        found["D"] = Quantity(d.value, error, "MHz/sqrt(h)", "spectral diffusion, sigma = 2 D sqrt(t)")
        found["D, 95 % below"] = Quantity(float(f"{d.upper:.3g}"), None, "MHz/sqrt(h)", "from the likelihood of D")
    return found | {
        "shortest T1": Quantity(1 / (peak + float(f.model.background)), None, "us", "on resonance with the TLS"),
        "longest T1": Quantity(1 / float(f.model.background), None, "us", "far from it"),
    }


def _scatter(f: FitResult) -> float:
    """Standard deviation of ln T1 about a fit without error bars."""
    return math.sqrt(float(f.chi2) / max(f.dof, 1))


def _without(table: Table, scans: Scans, gain: float, inputs: dict[str, Any], source: dict[str, Any]) -> Report:
    """The report of scans without a TLS: one T1, and the TLS that would have been seen."""
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
        derived["coupling seen"] = Quantity(g, None, "MHz", meaning)
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
        upper_limit=g if math.isfinite(depth) else None,
        notes=_unit_notes(table)
        + misfit_notes(
            f,
            ERROR in table,
            "ln T1 has unit weights, and the scatter scales the errors",
            "T1 varies by more than its errors, but not as a TLS within these frequencies makes it",
            "",
        ),
    )


def _verdict(d: Diffusion | None) -> tuple[str, str]:
    """A word and its sentence."""
    if d is None:
        return "cannot tell", "a TLS is seen, but in fewer than three scans: nothing follows about its diffusion."
    bound = f"D < {d.upper:.2g} MHz/sqrt(h) (95 %)"
    if d.gain > 4:
        value = Quantity(d.value, d.stderr, "MHz/sqrt(h)")
        sentence = (
            f"the TLS moves, D = {value}. Without diffusion 2 ln L falls by {d.gain:.3g} (4 would be a sign); {bound}."
        )
        return "diffusion", sentence
    return STILL, f"no diffusion seen, {bound}. D > 0 raises 2 ln L by {d.gain:.2g} (4 would be a sign)."


def _unit_notes(table: Table) -> list[str]:
    """What looks like a slip of unit."""
    return unit_notes(table[FREQUENCY]) + t1_unit_notes(table[TIME], table[T1])


def _notes(table: Table, f: FitResult, d: Diffusion | None) -> list[str]:
    """Sentences on what limits the answer."""
    notes = [] if d is None else _diffusion_notes(d)
    lost = int(np.sum(~_seen(table, f)))
    if lost:
        notes.append(f"In {lost} scan{'s' * (lost > 1)} the TLS is not seen: left out of D and of the picture.")
    return (
        _unit_notes(table)
        + notes
        + misfit_notes(
            f,
            ERROR in table,
            "ln T1 has unit weights, and the scatter scales the errors",
            "one Lorentzian on a constant background misses the data",
            ", and D may hold other TLSs",
        )
    )


def _diffusion_notes(d: Diffusion) -> list[str]:
    moves = len(d.moves)
    notes = [
        f"{moves} moves of one TLS fix D to {100 / math.sqrt(2 * moves):.2g} % at best, however good each T1 is. "
        "Diffusion and a sum of many small fluctuators are the same to these data; so is a second TLS of the same "
        "height that takes the first one's place."
    ]
    largest = float(np.max(np.abs(d.moves)))
    if largest > 3.5:
        notes.append(
            f"One move is {largest:.2g} times what diffusion would give: a jump (a telegraph fluctuator, or another "
            "TLS), which raises D."
        )
    return notes
