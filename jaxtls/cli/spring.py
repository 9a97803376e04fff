"""`python -m jaxtls fit [DATA.csv] --model spring`: couplings of an entropic spring from traces of x and x^2."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..dynamics import evolve
from ..fitting import Positive, fit, propagate
from ..models.spring import EntropicSpring
from ..plot import trace_fit
from .report import Quantity, Report
from .tables import Table, read_table

BUNDLED = pathlib.Path(__file__).parent / "data" / "spring_trace.csv"
TRACES = ("x", "x2")
RTOL = 1e-4  # of the integration in the fit: far below any error bar
TOLERANCE = 0.05  # error bars by which the fit's basis may move a point

DESCRIBE = {
    "gamma": ("1/time", "relaxation rate of each TLS into its reservoir"),
    "splitting": ("1/time", "B, energy of a TLS with the oscillator at rest"),
    "omega": ("1/time", "frequency that all TLSs up would give the oscillator"),
}


def read(path: str | pathlib.Path, skip_bad: bool = False) -> Table:
    """The table of time, x and, where given, x_error, x2, x2_error; one sentence (InputError) where it is not fit."""
    return read_table(
        path,
        ["time", "x"],
        ["x_error", "x2", "x2_error"],
        skip_bad=skip_bad,
        positive=["x_error", "x2_error"],
        not_negative=["time", "x2"],
        ascending=["time"],
        least_rows=5,
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
    f, misfit = _fit(auto, alpha, table, n_starts, progress)

    wanted = {
        "R_S": (lambda m: m.entropic_ratio, "", "entropic frequency over effective frequency, static"),
        "omega_eff": (lambda m: m.effective_frequency, "1/time", "frequency with the TLSs in equilibrium"),
        "omega_S": (lambda m: m.entropic_frequency, "1/time", "entropic part of the frequency"),
    }
    derived = {}
    for name, (function, unit, meaning) in wanted.items():
        value, stderr = propagate(function, f)
        derived[name] = Quantity(float(value), float(stderr), unit, meaning)
    reduced = float(f.chi2) / max(int(f.dof), 1)
    notes = [f"The basis of the fit moves no point by more than {misfit:.1g} error bars (checked at the end)."]
    if "x2" not in table:
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
    )


def traces_in(table: Table) -> tuple[str, ...]:
    """x, and x2 where it was measured too: a plain ring-down has x alone."""
    return tuple(name for name in TRACES if name in table)


def errors_in(table: Table) -> dict[str, Any] | None:
    """Error bars of all traces, or None, so that the scatter gives the errors."""
    names = traces_in(table)
    if not all(f"{name}_error" in table for name in names):
        return None
    return {name: jnp.asarray(table[f"{name}_error"]) for name in names}


def frequency_of(table: Table) -> float:
    """Angular frequency of the harmonic that fits x best: a scan up to a quarter of the sampling rate."""
    ts, x = table["time"], table["x"]
    span = ts[-1] - ts[0]
    scan = np.arange(0.5, len(ts) / 4, 0.02) * 2 * np.pi / span

    def misfit(frequency: float) -> float:
        waves = np.stack([np.cos(frequency * ts), np.sin(frequency * ts)], axis=1)
        return float(np.sum((x - waves @ np.linalg.lstsq(waves, x, rcond=None)[0]) ** 2))

    return float(min(scan, key=misfit))


class Trial(eqx.Module):
    """A spring by its effective frequency in place of omega.

    The data fix omega_eff = omega sqrt(p(B)) a hundred times better than omega or B alone. In (omega, B) that makes a
    curved valley, which least squares follow in small steps; in (omega_eff, B) the valley is straight.
    """

    spring: EntropicSpring
    gamma: Array | None
    splitting: Array
    frequency: Array

    def build(self) -> EntropicSpring:
        """The spring of these values (omega_0 = 0): omega = omega_eff sqrt(1 + e^{beta B})."""
        omega = self.frequency * jnp.sqrt(1 + jnp.exp(self.spring.beta * self.splitting))
        return dataclasses.replace(self.spring, gamma=self.gamma, splitting=self.splitting, omega=omega)


def _fit(auto: EntropicSpring, alpha: float, table: Table, n_starts: int, progress: Progress) -> tuple[Any, float]:
    """Fit with a small basis, compare with a run that chooses and checks its own, enlarge and repeat where they differ.

    Returns the fit and the largest difference, in error bars.
    """
    ts = jnp.asarray(table["time"])
    names = traces_in(table)
    data = {name: jnp.asarray(table[name]) for name in names}
    sigma = errors_in(table)

    def predict(spring: EntropicSpring) -> dict[str, Any]:
        sol = evolve(spring, spring.coherent_state(alpha), ts, observables=names, rtol=RTOL, throw=False)
        return {name: sol.observables[name] for name in names}

    values = auto
    n_levels, n_modes = auto.coherent_state(alpha).shape[-1] + 16, min(2, int(auto.n_spins))
    while True:
        model = dataclasses.replace(values, n_levels=n_levels, n_modes=n_modes)
        progress.stage(f"search {len(table)} times, {auto.n_spins} TLSs, {n_levels} levels, {n_modes} excitations")
        trial = Trial(model, model.gamma, model.splitting, model.effective_frequency)
        free = {
            name: Positive() for name in ("gamma", "splitting", "frequency") if name != "splitting" or "x2" in names
        }
        f = fit(
            progress.count(lambda trial: predict(trial.build())), trial, data, sigma=sigma, free=free,
            n_starts=n_starts, key=jax.random.key(0),
        )  # fmt: skip
        progress.done(f"chi² {float(f.chi2):.4g}")
        last = {name: Positive() for name in DESCRIBE if name != "splitting" or "x2" in names}
        progress.stage(f"fit {', '.join(last)} from there")
        model = f.model.build()
        f = fit(progress.count(predict), model, data, sigma=sigma, free=last)
        progress.done(f"chi² {float(f.chi2):.4g} of {int(f.dof)}")

        progress.stage("check the basis")
        values = dataclasses.replace(f.model, n_levels=None, n_modes="auto")
        sol = evolve(values, values.coherent_state(alpha), ts, observables=names)
        residuals = {name: np.sqrt(np.mean((data[name] - f.predicted[name]) ** 2)) for name in names}
        bars = residuals if sigma is None else sigma
        moved = [np.max(np.abs((sol.observables[name] - f.predicted[name]) / bars[name])) for name in names]
        misfit = float(max(moved))
        progress.done(f"moves the fit by {misfit:.1g} error bars")
        larger = max(n_levels, int(sol.stats["n_levels"])), max(n_modes, int(sol.stats["n_coefficients"]) - 1)
        if "x2" not in names:
            # the tails that ask for hundreds of levels are those of x2: a mean needs few, and the note says how few
            larger = min(larger[0], 64), min(larger[1], 3)
        if misfit < TOLERANCE or larger == (n_levels, n_modes):
            return f, misfit
        n_levels, n_modes = larger


def picture(table: Table, report: Report) -> Any:
    """Both traces, the fit and the residuals."""
    names, sigma = traces_in(table), errors_in(table)
    data = {name: table[name] for name in names}
    if sigma is None:
        scatter = {name: float(np.sqrt(np.mean((data[name] - report.fit.predicted[name]) ** 2))) for name in names}
        sigma = {name: np.full(len(table), scatter[name]) for name in names}
    title = f"{table.name}: $R_S$ = {report.derived['R_S'].mathtext()}"
    return trace_fit(table["time"], data, sigma, report.fit.predicted, title=title)
