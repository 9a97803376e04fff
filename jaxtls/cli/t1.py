"""`python -m jaxtls fit [DATA.csv] --model t1`: spectral diffusion of a TLS from T1 over frequency and time."""

from __future__ import annotations

import math
import pathlib
from typing import TYPE_CHECKING, Unpack

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..fitting import FitResult, Interval, Positive, fit
from ..models.tls_bath import TLSBath
from ..plot import rate_fit
from .diffusion import Diffusion
from .report import Quantity, Report
from .scans import Scan, misfit_notes, unit_notes
from .tables import InputError, Reading, Table, read_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUNDLED = pathlib.Path(__file__).parent / "data" / "t1_scan.csv"
TIME, FREQUENCY, T1, ERROR = "time_h", "frequency_MHz", "T1_us", "T1_error_us"

DESCRIBE = {
    "coupling": ("MHz", "g/2pi of the TLS"),
    "width": ("MHz", "half width of its line at half maximum, (gamma/2 + gphi)/2pi"),
    "background": ("1/us", "relaxation rate without the TLS"),
    "centres": ("MHz", "frequency of the TLS at one time"),
}


class WanderingTLS(eqx.Module):
    """What is fitted: one TLS, at another frequency at each time, on a constant background."""

    centres: Array
    coupling: Array
    width: Array
    background: Array

    def rates(self, frequencies: Array, which: Array) -> Array:
        """Gamma_1 [1/us] at frequencies [MHz] (R,) and the numbers of their times (R,)."""

        def one(frequency: Array, centre: Array) -> Array:
            g, width = 2 * math.pi * self.coupling, 2 * math.pi * self.width
            bath = TLSBath(jnp.zeros(1), g[None], 2 * width)
            return bath.relaxation_rate(2 * math.pi * (frequency - centre))

        return self.background + jax.vmap(one)(frequencies, self.centres[which])


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
    f = _fit(table, which, progress)
    progress.stage("diffusion of the fitted frequencies")
    d = diffusion_of(table, f)
    progress.done()
    describe = DESCRIBE | {f"centres[{k}]": ("MHz", f"frequency of the TLS at {t:g} h") for k, t in enumerate(times)}
    g, width = (2 * math.pi * float(x) for x in (f.model.coupling, f.model.width))
    peak = 2 * g**2 / width
    derived = {
        "D": Quantity(d.value, d.stderr, "MHz/sqrt(h)", "spectral diffusion, sigma = 2 D sqrt(t)"),
        "D, 95 % below": Quantity(d.upper, None, "MHz/sqrt(h)", "from the likelihood of D"),
        "shortest T1": Quantity(1 / (peak + float(f.model.background)), None, "us", "on resonance with the TLS"),
        "longest T1": Quantity(1 / float(f.model.background), None, "us", "far from it"),
    }
    word, sentence = _verdict(d)
    return Report(
        title=f"T1 over frequency and time: a TLS that wanders, {len(times)} scans",
        model="t1",
        fit=f,
        describe=describe,
        source={"name": table.name, "sha256": table.sha256, "rows": len(table)},
        derived=derived,
        inputs={"scans": len(times), "span [h]": float(np.ptp(times))},
        verdict=word,
        verdict_text=sentence,
        notes=_notes(table, f, d),
    )


def picture(table: Table, report: Report) -> Figure:
    """Gamma_1(f, t) with the TLS on top, and its moves against the time between."""
    scan, f = Scan.of(table, TIME, FREQUENCY), report.fit
    return rate_fit(
        scan.second,
        scan.first,
        scan.filled(1 / table[T1]),
        f.model.centres,
        np.asarray(f.stderr["centres"]),
        diffusion=report.derived["D"].value,
        title=f"{table.name}: D = {report.derived['D'].mathtext()}",
    )


def diffusion_of(table: Table, f: FitResult) -> Diffusion:
    """D of the fitted frequencies, with the covariance of their errors."""
    times = np.unique(table[TIME])
    here = [k for k, name in enumerate(f.names) if name.startswith("centres")]
    covariance = np.asarray(f.covariance)[np.ix_(here, here)]
    return Diffusion.of(times, np.asarray(f.model.centres), covariance)


def _fit(table: Table, which: np.ndarray, progress: Progress) -> FitResult:
    start = _start(table, which)
    frequencies, rows = jnp.asarray(table[FREQUENCY]), jnp.asarray(which)
    progress.stage(f"fit {len(start.centres)} frequencies of a TLS to {len(table)} values of T1")

    def predict(model: WanderingTLS) -> Array:
        return -jnp.log(model.rates(frequencies, rows))

    span = float(np.ptp(table[FREQUENCY]))
    low, high = float(table[FREQUENCY].min() - 0.5 * span), float(table[FREQUENCY].max() + 0.5 * span)
    free = {"centres": Interval(low, high), "coupling": Positive(), "width": Positive(), "background": Positive()}
    sigma = jnp.asarray(table[ERROR] / table[T1]) if ERROR in table else None
    f = fit(progress.count(predict), start, jnp.asarray(np.log(table[T1])), sigma=sigma, free=free)
    progress.done(f"chi² {float(f.chi2):.4g} of {int(f.dof)}")
    return f


def _start(table: Table, which: np.ndarray) -> WanderingTLS:
    """Each scan's shortest T1, smoothed over neighbours in frequency; height and width from all scans laid on it."""
    rate = 1 / table[T1]
    background = float(np.quantile(rate, 0.2))
    centres = []
    for k in range(which.max() + 1):
        f, excess = table[FREQUENCY][which == k], rate[which == k]
        near = np.exp(-(((f[:, None] - f) / (np.ptp(f) / len(f))) ** 2))
        centres.append(float(f[np.argmax(near @ np.log(excess) / near.sum(axis=1))]))
    away = np.abs(table[FREQUENCY] - np.array(centres)[which])
    peak = max(float(np.quantile(rate[away <= np.quantile(away, 0.1)], 0.8)) - background, 0.1 * background)
    step = float(np.ptp(table[FREQUENCY]) / len(np.unique(table[FREQUENCY])))
    high = away[rate > background + peak / 2]
    width = max(float(np.median(high)) if high.size else step, step / 2)
    coupling = math.sqrt(peak * 2 * math.pi * width / 2) / (2 * math.pi)
    return WanderingTLS(jnp.asarray(centres), *(jnp.asarray(x) for x in (coupling, width, background)))


def _verdict(d: Diffusion) -> tuple[str, str]:
    """A word and its sentence."""
    if d.gain > 4:
        return (
            "diffusion",
            f"the TLS moves. Without diffusion 2 ln L falls by {d.gain:.3g} (4 would be a sign).",
        )
    return (
        "no diffusion",
        f"no diffusion seen. D = 0 lowers 2 ln L by {d.gain:.2g} alone; D < {d.upper:.2g} MHz/sqrt(h) (95 %).",
    )


def _notes(table: Table, f: FitResult, d: Diffusion) -> list[str]:
    """Sentences on what limits the answer."""
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
    lost = np.asarray(f.stderr["centres"]) > np.ptp(table[FREQUENCY]) / 4
    if np.any(lost):
        notes.append(f"At {int(lost.sum())} times the TLS is not seen: the scan holds no dip there.")
    return (
        unit_notes(table[FREQUENCY])
        + notes
        + misfit_notes(
            f,
            ERROR in table,
            "ln T1 has unit weights, and the scatter scales the errors",
            "one Lorentzian on a constant background misses the data",
            ", and D may hold other TLSs",
        )
    )
