"""`python -m jaxtls fit [DATA.csv] --model spring` fits couplings of an entropic spring to traces of x and x^2."""

from __future__ import annotations

import pathlib
from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..fitting import propagate
from ..models.spring import EntropicSpring
from ..plot import trace_fit
from .report import Quantity, Report
from .spring_fit import Traces, search_both, search_ring_down
from .tables import Reading, Table, read_table

BUNDLED = pathlib.Path(__file__).parent / "data" / "spring_trace.csv"
TRACES = ("x", "x2")

DESCRIBE = {
    "gamma": ("1/time", "relaxation rate of each TLS into its reservoir"),
    "splitting": ("1/time", "B, energy of a TLS with the oscillator at rest"),
    "omega": ("1/time", "frequency that all TLSs up would give the oscillator"),
}

# Share of a number below which its error is none.
ROUNDING = 1e-14


def read(path: str | pathlib.Path, **reading: Unpack[Reading]) -> Table:
    """Reads a table of time, x and, where given, x_error, x2, x2_error; one sentence (InputError) if it is not fit."""
    return read_table(
        path,
        ["time", "x"],
        ["x_error", "x2", "x2_error"],
        positive=["x_error", "x2_error"],
        not_negative=["time", "x2"],
        ascending=["time"],
        least_rows=5,
        **reading,
    )


def run(
    table: Table,
    *,
    n_spins: int = 10,
    beta: float = 0.01,
    alpha: float = 1.0,
    start: dict[str, float | None] | None = None,
    n_starts: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Fit gamma, splitting and omega to both traces by Levenberg-Marquardt on the exact equation of motion, and report.

    Arguments:
        table: what `read` gave.
        n_spins, beta, alpha: number of TLSs, inverse temperature and coherent amplitude of the start, known.
        start: gamma, splitting and omega to start from; without omega, the one that gives the frequency of the data.
        n_starts: starting points of the fit.
        progress: where to say what is being done.

    Returns:
        A Report; its derived quantity R_S is the static entropic ratio.
    """
    progress = progress or Progress(quiet=True)
    at: dict[str, Any] = {"gamma": 5.0, "splitting": 130.0, **(start or {})}
    if at.get("omega") is None:
        at["omega"] = frequency_of(table) * float(np.sqrt(1 + np.exp(beta * at["splitting"])))
    auto = EntropicSpring(**at, beta=beta, n_spins=n_spins)
    search = search_both if "x2" in table else search_ring_down
    f, misfit = search(auto, alpha, columns_of(table), errors_in(table), n_starts, progress)

    wanted = {
        "R_S": (lambda m: m.entropic_ratio, "", "entropic frequency over effective frequency, static"),
        "omega_eff": (lambda m: m.effective_frequency, "1/time", "frequency with the TLSs in equilibrium"),
        "omega_S": (lambda m: m.entropic_frequency, "1/time", "entropic part of the frequency"),
    }
    derived = {}
    for name, (function, unit, meaning) in wanted.items():
        value, stderr = propagate(function, f)
        # what follows from numbers held alone has no error of this fit, but for rounding
        known = abs(stderr) > ROUNDING * abs(value)
        derived[name] = Quantity(float(value), float(stderr) if known else None, unit, meaning)
    reduced = float(f.chi2) / max(int(f.dof), 1)
    if "x2" in table:
        notes = [f"The basis of the fit moves no point by more than {misfit:.1g} error bars (checked at the end)."]
    else:
        notes = [
            f"Predictions are of a basis of {2 * f.model.n_levels} levels; those of half as many differ by up to "
            f"{misfit:.1g} error bars."
        ]
        notes.append(
            f"x alone gives a frequency and a damping: B is held at {at['splitting']:g} (--splitting); "
            "measure x2 to fit it."
        )
    if reduced > 2 and "x_error" in table:
        notes.append(
            f"chi²/dof = {reduced:.3g}: the model misses the data by more than the error bars; check the known inputs "
            f"(n_spins, beta, alpha), and take the errors as too small by about {np.sqrt(reduced):.2g}."
        )
    return Report(
        title=f"entropic spring of {n_spins} TLSs at beta = {beta:g}",
        model="spring",
        fit=f,
        describe=DESCRIBE,
        source={"name": table.name, "sha256": table.sha256, "rows": len(table)},
        derived=derived,
        inputs={"n_spins": n_spins, "beta": float(beta), "alpha": float(alpha), "starts": n_starts, "start": at},
        notes=notes,
    ).in_units({"1/time": f"1/{table.unit('time')}"})


def columns_of(table: Table) -> Traces:
    """Gives times and traces as arrays."""
    return Traces(jnp.asarray(table["time"]), {name: jnp.asarray(table[name]) for name in traces_in(table)})


def traces_in(table: Table) -> tuple[str, ...]:
    """Names x, and x2 where it was measured too: a plain ring-down has x alone."""
    return tuple(name for name in TRACES if name in table)


def errors_in(table: Table) -> dict[str, Array] | None:
    """Gives error bars of all traces, or None, so that the scatter gives the errors."""
    names = traces_in(table)
    if not all(f"{name}_error" in table for name in names):
        return None
    return {name: jnp.asarray(table[f"{name}_error"]) for name in names}


def frequency_of(table: Table) -> float:
    """Finds the angular frequency of the harmonic that fits x best: a scan up to a quarter of the sampling rate."""
    ts, x = table["time"], table["x"]
    span = ts[-1] - ts[0]
    scan = np.arange(0.5, len(ts) / 4, 0.02) * 2 * np.pi / span

    def misfit(frequency: float) -> float:
        waves = np.stack([np.cos(frequency * ts), np.sin(frequency * ts)], axis=1)
        return float(np.sum((x - waves @ np.linalg.lstsq(waves, x, rcond=None)[0]) ** 2))

    return float(min(scan, key=misfit))


def picture(table: Table, report: Report) -> Any:
    """Draws both traces, the fit and the residuals."""
    names, errors = traces_in(table), errors_in(table)
    data = {name: table[name] for name in names}
    sigma: dict[str, Any] = errors or {}
    if errors is None:
        scatter = {name: float(np.sqrt(np.mean((data[name] - report.fit.predicted[name]) ** 2))) for name in names}
        sigma = {name: jnp.full(len(table), scatter[name]) for name in names}
    title = f"{table.name}: $R_S$ = {report.derived['R_S'].mathtext()}"
    shown = [{table.axis(name): part[name] for name in names} for part in (data, sigma, report.fit.predicted)]
    return trace_fit(table["time"], *shown, title=title, time_label=table.axis("time"))
