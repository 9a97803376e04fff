"""`python -m jaxtls fit [DATA.csv] --model spring`: couplings of an entropic spring from traces of x and x^2."""

from __future__ import annotations

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..dynamics import evolve
from ..fitting import Positive, fit, propagate
from ..models.spring import EntropicSpring
from ..plot import trace_fit
from .progress import Progress
from .report import Quantity, Report
from .tables import Table, read_table

BUNDLED = pathlib.Path(__file__).parent / "data" / "spring_trace.csv"
TRACES = ("x", "x2")

DESCRIBE = {
    "gamma": ("1/time", "relaxation rate of each TLS into its reservoir"),
    "splitting": ("1/time", "B, energy of a TLS with the oscillator at rest"),
    "omega": ("1/time", "frequency that all TLSs up would give the oscillator"),
}


def read(path: str | pathlib.Path) -> Table:
    """The table of time, x, x_error, x2, x2_error; one sentence (InputError) where it is not fit for use."""
    return read_table(
        path,
        ["time", "x", "x_error", "x2", "x2_error"],
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
    start: dict[str, float] | None = None,
    n_starts: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Fit gamma, splitting and omega to both traces by Levenberg-Marquardt on the exact equation of motion, and report.

    Arguments:
        table: what `read` gave.
        n_spins, beta, alpha: number of TLSs, inverse temperature and coherent amplitude of the start, known.
        start: gamma, splitting and omega to start from.
        n_starts: starting points of the fit.
        progress: where to say what is being done.

    Returns:
        A Report; its derived quantity R_S is the static entropic ratio.
    """
    progress = progress or Progress(quiet=True)
    start = {"gamma": 5.0, "splitting": 130.0, "omega": 1.7, **(start or {})}
    model = EntropicSpring(**start, beta=beta, n_spins=n_spins)
    ts = jnp.asarray(table["time"])
    data = {name: jnp.asarray(table[name]) for name in TRACES}
    sigma = {name: jnp.asarray(table[f"{name}_error"]) for name in TRACES}

    def predict(spring: EntropicSpring) -> dict[str, Any]:
        sol = evolve(spring, spring.coherent_state(alpha), ts, observables=list(TRACES))
        return {name: sol.observables[name] for name in TRACES}

    progress.stage(f"fit {len(table)} times, {n_spins} TLSs, 3 free")
    f = fit(
        progress.count(predict), model, data, sigma=sigma, free={name: Positive() for name in start},
        n_starts=n_starts, key=jax.random.key(0),
    )  # fmt: skip
    progress.done(f"chi² {float(f.chi2):.4g} of {int(f.dof)}")

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
    notes = []
    if reduced > 2:
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
        inputs={"n_spins": n_spins, "beta": float(beta), "alpha": float(alpha), "starts": n_starts, "start": start},
        notes=notes,
    )


def picture(table: Table, report: Report) -> Any:
    """Both traces, the fit and the residuals."""
    data, sigma = {name: table[name] for name in TRACES}, {name: table[f"{name}_error"] for name in TRACES}
    title = f"{table.name}: $R_S$ = {report.derived['R_S'].mathtext()}"
    return trace_fit(table["time"], data, sigma, report.fit.predicted, title=title)
