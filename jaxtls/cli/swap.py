"""`python -m jaxtls fit [DATA.csv] --model swap` finds single TLSs from swap spectroscopy."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from typing import TYPE_CHECKING, Unpack

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..fitting import AbstractTransform, FitResult, Interval, Positive, Real, fit
from ..models.tls_bath import TLSBath
from ..plot import swap_fit
from .report import Quantity, Report
from .scans import Scan, alone, left_out_notes, misfit_notes, swap_unit_notes, unit_notes
from .swap_search import next_tls, weakest_seen
from .tables import InputError, Reading, Table, read_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUNDLED = pathlib.Path(__file__).parent / "data" / "swap_map.csv"
FREQUENCY, TIME, POPULATION, ERROR = "frequency_MHz", "time_us", "population", "population_error"
GAIN = 10.0  # of the AIC, to believe in one TLS more

DESCRIBE = {
    "frequencies": ("MHz", "frequency of the TLS"),
    "couplings": ("MHz", "g/2pi, half the splitting at resonance"),
    "relaxation": ("1/us", "loss of the TLS (what dephasing it has is counted in)"),
    "loss": ("1/us", "the qubit's own relaxation rate"),
    "contrast": ("", "population at t = 0 less the offset"),
    "offset": ("", "population read when the qubit is empty"),
}


class SwapMap(eqx.Module):
    """Holds what is fitted: TLSs, the qubit's loss and its read-out."""

    frequencies: Array
    couplings: Array
    relaxation: Array
    loss: Array
    contrast: Array
    offset: Array

    def populations(self, frequencies: Array, ts: Array) -> Array:
        """Gives populations (W, T) at qubit frequencies [MHz] and times [us]."""
        middle = jnp.mean(frequencies)  # taken off: 5000 MHz would cost digits
        bath = TLSBath(2 * math.pi * (self.frequencies - middle), 2 * math.pi * self.couplings, self.relaxation)
        return self.offset + self.contrast * bath.swap_map(2 * math.pi * (frequencies - middle), ts, self.loss)


def read(path: str | pathlib.Path, **reading: Unpack[Reading]) -> Table:
    """Reads the table of frequency_MHz, time_us, population and, where given, population_error: a row for each point.

    Arguments:
        path: a CSV file, rows in any order; points may be missing.
        reading: `mapping` and `skip_bad` of `read_table`.

    Returns:
        The table, checked.

    Raises:
        InputError: one sentence on the first fault.
    """
    table = read_table(
        path, [FREQUENCY, TIME, POPULATION], [ERROR], positive=[ERROR], not_negative=[TIME], least_rows=20, **reading
    )
    for name, least in ((FREQUENCY, 4), (TIME, 4)):
        if len(np.unique(table[name])) < least:
            raise InputError(f"{table.name} holds fewer than {least} different values of {name}, too few for a map.")
    return table


def run(table: Table, *, most: int = 4, progress: Progress | None = None) -> Report:
    """Add TLSs one at a time while the AIC falls by more than GAIN, each time fitting all of them exactly.

    Points that stand alone far from the fit of all are left out, and all is done again.

    Arguments:
        table: what `read` gave.
        most: TLSs to look for.
        progress: where to say what is being done.

    Returns:
        A Report.
    """
    progress = progress or Progress(quiet=True)
    progress.say(doubts(table))
    report = _searched(table, most, progress)
    left = (table[POPULATION] - np.asarray(report.fit.predicted)) / _sigma(table, report.fit)
    far = alone(Scan.of(table, FREQUENCY, TIME), left)
    if not far.any():
        return report
    said = left_out_notes([f"{p:.3g} at {f:.6g} MHz, {t:.3g} us" for f, t, p in _points(table.where(far))])
    progress.say(said)
    report = _searched(table.where(~far), most, progress)
    inputs = report.inputs | {"left out": int(np.sum(far))}
    source = report.source | {"rows": len(table)}
    return dataclasses.replace(report, inputs=inputs, source=source, doubts=[*report.doubts, *said], used=~far)


def _points(table: Table) -> zip:
    return zip(table[FREQUENCY], table[TIME], table[POPULATION], strict=True)


def _searched(table: Table, most: int, progress: Progress) -> Report:
    """Make the report of all rows."""
    fits = [_without(table, progress)]
    aic = [_aic(table, fits[0])]
    for count in range(1, most + 1):
        progress.stage(f"look for TLS {count}")
        start = _with_one_more(table, fits[-1].model)
        progress.done(f"{float(start.frequencies[-1]):.6g} MHz")
        fits.append(_fit(table, start, progress))
        aic.append(_aic(table, fits[-1]))
        if aic[-2] - aic[-1] < GAIN:
            break
    chosen = len(fits) - 1 if len(fits) == 1 or aic[-2] - aic[-1] >= GAIN else len(fits) - 2
    comparison = [
        {
            "TLSs": k,
            "free": len(f.names),
            "chi2": float(f.chi2),
            "AIC - best": round(aic[k] - min(aic), 2),
            "used": k == chosen,
        }
        for k, f in enumerate(fits)
    ]
    best = fits[chosen]
    word, sentence = _verdict(table, best, chosen, aic, most)
    return Report(
        title=f"swap spectroscopy: {_words(chosen)} beside a qubit",
        model="swap",
        fit=best,
        describe={f"{name}[{k}]": value for name, value in DESCRIBE.items() for k in range(chosen)} | DESCRIBE,
        source={"name": table.name, "sha256": table.sha256, "rows": len(table)},
        derived=_derived(best),
        inputs={"most TLSs": most},
        comparison=comparison,
        verdict=word,
        verdict_text=sentence,
        notes=_notes(table, best),
        doubts=doubts(table),
    )


def picture(table: Table, report: Report) -> Figure:
    """Draws the map with the fit's contours, and what is left of it."""
    table = table if report.used is None else table.where(report.used)
    scan, model = Scan.of(table, FREQUENCY, TIME), report.fit.model
    data = scan.filled(table[POPULATION])
    left = scan.filled((table[POPULATION] - np.asarray(report.fit.predicted)) / _sigma(table, report.fit))
    fitted = None
    if _count(model):
        # at more points than were measured: contours of a coarse map have corners
        fine = (jnp.linspace(axis[0], axis[-1], 3 * len(axis)) for axis in (scan.first, scan.second))
        fitted = np.asarray(model.populations(*fine))
    tls = np.asarray(model.frequencies)[: _count(model)]
    title = f"{table.name}: {report.title}"
    labels = table.axis(FREQUENCY, "qubit frequency  [MHz]", "MHz"), table.axis(TIME, "swap time  [us]", "us")
    return swap_fit(scan.first, scan.second, data, fitted, left, tls=tls, labels=labels, title=title)


def _empty(table: Table) -> SwapMap:
    """Make a model of no TLS: one of coupling 0, which stays fixed, keeps the shapes."""
    middle = jnp.asarray([float(np.mean(table[FREQUENCY]))])
    early = table[POPULATION][table[TIME] <= np.quantile(table[TIME], 0.1)]
    least, span = float(np.quantile(table[POPULATION], 0.01)), table[TIME].max()
    offset = min(least, 0.0) if least < 0.1 else least
    contrast = max(float(np.quantile(early, 0.9)) - offset, 0.1)
    loss, height, ground = (jnp.asarray(x) for x in (0.1 / span, contrast, offset))
    return SwapMap(middle, jnp.zeros(1), jnp.ones(1), loss, height, ground)


def _without(table: Table, progress: Progress) -> FitResult:
    """Make the fit without a TLS; with the offset at 0 where nothing happens that tells it from the contrast."""
    f = _fit(table, _empty(table), progress)
    if float(f.stderr["contrast"]) < float(f.values["contrast"]) / 3:
        return f
    height, least = float(np.mean(table[POPULATION])), 0.01 / float(table[TIME].max())
    still = dataclasses.replace(
        _empty(table), loss=jnp.asarray(least), contrast=jnp.asarray(height), offset=jnp.zeros(())
    )
    return _fit(table, still, progress, offset=False)


def _count(model: SwapMap) -> int:
    return int(np.count_nonzero(np.asarray(model.couplings)))


def _with_one_more(table: Table, model: SwapMap) -> SwapMap:
    scan = Scan.of(table, FREQUENCY, TIME)
    base = np.asarray(model.populations(jnp.asarray(scan.first), jnp.asarray(scan.second)))[scan.rows]
    found = next_tls(table[FREQUENCY], table[TIME], table[POPULATION], base, float(model.offset))
    kept = _count(model)
    tls = model.frequencies, model.couplings, model.relaxation
    places, couplings, losses = (jnp.append(x[:kept], y) for x, y in zip(tls, found))
    return SwapMap(places, couplings, losses, model.loss, model.contrast, model.offset)


def _fit(table: Table, start: SwapMap, progress: Progress, offset: bool = True) -> FitResult:
    scan, count = Scan.of(table, FREQUENCY, TIME), _count(start)
    progress.stage(f"fit {count} TLSs to {len(table)} points")
    w, times = jnp.asarray(scan.first), jnp.asarray(scan.second)

    def predict(model: SwapMap) -> Array:
        return model.populations(w, times)[scan.rows]

    # A TLS outside the map is seen by the flank of its chevron alone.
    low, high = float(scan.first[0]), float(scan.first[-1])
    margin = 0.25 * (high - low)
    transforms: dict[str, AbstractTransform] = {"loss": Positive(), "contrast": Positive()}
    if offset:
        transforms["offset"] = Real()
    if count:
        reach = Interval(low - margin, high + margin)
        transforms = {"frequencies": reach, "couplings": Positive(), "relaxation": Positive(), **transforms}
    sigma = jnp.asarray(table[ERROR]) if ERROR in table else None
    f = fit(progress.count(predict), start, jnp.asarray(table[POPULATION]), sigma=sigma, free=transforms,
            key=jax.random.key(0), max_steps=64)  # fmt: skip
    progress.done(f"chi² {float(f.chi2):.4g}")
    return f


def _sigma(table: Table, f: FitResult) -> np.ndarray:
    """Give error bars, given or from the scatter about the fit."""
    if ERROR in table:
        return table[ERROR]
    left = np.asarray(f.predicted) - table[POPULATION]
    return np.full(len(table), float(np.sqrt(np.sum(left**2) / max(f.dof, 1))))


def _aic(table: Table, f: FitResult) -> float:
    rows = len(table)
    misfit = float(f.chi2) if ERROR in table else rows * math.log(float(f.chi2) / rows)
    return misfit + 2 * len(f.names)


def _derived(f: FitResult) -> dict[str, Quantity]:
    model, derived = f.model, {}
    for k in range(_count(model)):
        g, error = float(model.couplings[k]), float(f.stderr["couplings"][k])
        meaning = "pi/2g: the qubit's quantum is in the TLS"
        derived[f"swap time {k}"] = Quantity(1 / (4 * g), error / (4 * g**2), "us", meaning)
        derived |= _lifetime(f"T1 of TLS {k}", model.relaxation[k], f.stderr["relaxation"][k], "inverse of its loss")
    words = "without the TLSs above" if _count(model) else "inverse of its loss"
    return derived | _lifetime("T1 of the qubit", model.loss, f.stderr["loss"], words)


def _lifetime(name: str, rate: Array, stderr: Array, meaning: str) -> dict[str, Quantity]:
    """Give 1/rate [us] with its error; where the rate may as well be 0, what it is above."""
    loss, error = float(rate), float(stderr)
    if error > loss / 2 and math.isfinite(error):
        return {
            f"{name}, 95 % above": Quantity(
                float(f"{1 / (loss + 1.645 * error):.3g}"), None, "us", f"{meaning}; too long to be seen"
            )
        }
    return {name: Quantity(1 / loss, error / loss**2, "us", meaning)}


def _words(count: int) -> str:
    return "no TLS seen" if count == 0 else f"{count} TLS{'' if count == 1 else 's'}"


def _verdict(table: Table, f: FitResult, count: int, aic: list[float], most: int) -> tuple[str, str]:
    """Give a word and its sentence."""
    model = f.model
    weakest = weakest_seen(
        table[FREQUENCY], table[TIME], float(model.contrast), _sigma(table, f), GAIN + 6, float(model.loss)
    )
    further = "A further TLS" if count else "A TLS"
    unseen = (
        f"{further} in the middle of the map of g/2pi below {weakest:.2g} MHz would go unseen."
        if math.isfinite(weakest)
        else f"{further} of any coupling would go unseen in this map."
    )
    reduced = float(f.chi2) / max(int(f.dof), 1)
    if ERROR in table and reduced > 5:
        unseen = f"No bound follows: chi²/dof is {reduced:.3g}, and these data are not what was fitted."
    if count == 0:
        return (
            "no TLS",
            f"no TLS. One changes the AIC by {aic[1] - aic[0]:+.3g}, where {-GAIN:g} is asked for. {unseen}",
        )
    more = ""
    if count == most:
        more = f" More may be there: {most} were looked for (--max-tls)."
    gain = aic[count - 1] - aic[count]
    word = _words(count)
    return word, f"{word}. Without the last one the AIC is {gain:.3g} worse.{more} {unseen}"


def doubts(table: Table) -> list[str]:
    """Says what looks like a slip of unit."""
    return unit_notes(table[FREQUENCY], table[POPULATION]) + swap_unit_notes(table[FREQUENCY], table[TIME])


def _notes(table: Table, f: FitResult) -> list[str]:
    """Give sentences on what limits the answer."""
    model, notes = f.model, []
    ts, frequencies = np.unique(table[TIME]), np.unique(table[FREQUENCY])
    longest = ts[-1]
    notes.append(
        f"Two TLSs closer than {1 / longest:.2g} MHz (one over the longest time) look like one, g² = g_1² + g_2². The "
        "sign of g does not show, and loss and dephasing of a TLS are not told apart."
    )
    if "offset" not in f.values:
        notes.append("The offset is held at 0: the populations do not change enough to tell it from the contrast.")
    for k in range(_count(model)):
        place, g = float(model.frequencies[k]), float(model.couplings[k])
        if not frequencies[0] <= place <= frequencies[-1]:
            notes.append(f"TLS {k} lies outside the measured frequencies: its flank alone is seen.")
        if 4 * g * longest < 1:
            notes.append(f"TLS {k} does not swap once in {longest:.3g} us: g shows by the start of the swap alone.")
    return notes + misfit_notes(
        f,
        ERROR in table,
        "the scatter about the fit scales the errors",
        "the model misses the data by more than their error bars",
        " (a TLS that jumped between the scans would do this)",
    )
