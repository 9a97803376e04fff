"""`python -m jaxtls fit TRACE --model resonator`: one trace of S21 gives f_r, Q_internal and Q_coupling."""

from __future__ import annotations

import hashlib
import pathlib
from typing import TYPE_CHECKING, Any

from ..analysis.trace_files import Trace
from ..analysis.trace_table import fit_traces
from ..analysis.traces import TraceFit
from ..plot import resonance
from .report import Quantity, quantity_lines, versions
from .resonator_table import LEAST, Reading
from .tables import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DESCRIBE = {
    "f_r": ("Hz", "resonance frequency"),
    "Q_internal": ("", "internal quality factor"),
    "Q_coupling": ("", "quality factor of the coupling, real: the losses 1/Q add"),
    "Q_loaded": ("", "quality factor of both together"),
    "asymmetry": ("rad", "angle by which mismatch of the line turns the circle"),
    "delay": ("s", "of the cables"),
}
VERDICT = (
    f"One trace tells Q_internal, but not what makes the loss: for F tan delta give {LEAST} traces or more, or a table "
    "of Q_internal, at other powers or temperatures."
)


def fitted(path: str, reading: Reading) -> tuple[Trace, TraceFit]:
    """Reads a trace and fits its circle.

    Raises:
        InputError: if it cannot be read, or its circle cannot be trusted.
    """
    if not pathlib.Path(path).is_file():
        raise InputError(f"No such file: {path}.")
    if reading.coupling == "transmission" and reading.coupling_quality is None:
        raise InputError("--coupling transmission tells Q_loaded only: give --q-coupling to have Q_internal.")
    form = None if reading.coupling == "notch" else reading.coupling
    try:
        found = fit_traces([path], form=form, Q_coupling=reading.coupling_quality)
    except ValueError as error:
        raise InputError(str(error)) from None
    if not found.fits:
        raise InputError(found.refused[0][1])
    if found.refused:
        raise InputError(f"The resonance of {found.fits[0].name} cannot be trusted: {found.fits[0].reason}.")
    return found.traces[0], found.fits[0]


def text(trace: Trace, found: TraceFit, path: str) -> str:
    """Gives the report as people read it."""
    known = [f"{trace.power_dBm:g} dBm"] if trace.power_dBm is not None else []
    known += [f"{trace.temperature:g} K"] if trace.temperature is not None else []
    lines = [
        f"one trace of {_parameter(trace)}, fitted as {_form(found)}",
        ", ".join([f"data: {trace.name}", f"{len(trace.s21)} points", *known, f"sha256 {_digest(path)[:12]}"]),
        "",
        f"verdict: {VERDICT}",
        "",
        "fitted",
        *quantity_lines(_quantities(found)),
        "",
        f"noise {found.noise:.2g} of the line",
        *(["", "notes"] if found.notes else []),
        *(f"  {note}" for note in found.notes),
    ]
    return "\n".join(lines) + "\n"


def content(trace: Trace, found: TraceFit, path: str, command: str) -> dict[str, Any]:
    """Gives the report as plain numbers, lists and strings, by the names that reports of tables have."""
    known = {"power_dBm": trace.power_dBm, "T_K": trace.temperature}
    return {
        "title": f"one trace of {_parameter(trace)}",
        "model": "resonator",
        "command": command,
        "input": {"name": trace.name, "sha256": _digest(path), "points": len(trace.s21), **known},
        "held": {"form": _form(found)},
        "values": dict(found.values),
        "stderr": dict(found.stderr),
        "units": {name: DESCRIBE[name][0] for name in found.values},
        "noise": found.noise,
        "success": found.success,
        "verdict": "cannot tell",
        "verdict_text": VERDICT,
        "upper_limit": None,
        "notes": list(found.notes),
        "versions": versions(),
    }


def picture(trace: Trace, found: TraceFit) -> Figure:
    """Draws the circle, its dip, and what the fit leaves."""
    parts = _quantities(found)
    title = rf"{trace.name}: $Q_i$ = {parts['Q_internal'].mathtext()}, $Q_c$ = {parts['Q_coupling'].mathtext()}"
    quantity = f"S_{{{_parameter(trace)[1:]}}}"
    return resonance(found.frequencies, found.s21, found.model, title=title, quantity=quantity)


def _quantities(found: TraceFit) -> dict[str, Quantity]:
    return {name: Quantity(value, found.stderr[name], *DESCRIBE[name]) for name, value in found.values.items()}


def _parameter(trace: Trace) -> str:
    return trace.parameter or "S21"


def _form(found: TraceFit) -> str:
    assert found.model is not None
    return found.model.form


def _digest(path: str) -> str:
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
