"""Turns files of a network analyser into the table that `jaxtls fit --model resonator` fits."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Sequence

from ..analysis.trace_columns import is_of_trace
from ..analysis.trace_table import TraceTable, fit_traces
from .resonator_table import KNOWN, LEAST, NEEDED, Reading, cut, in_our_units
from .tables import InputError, Table, header_of

SHOWN = 3  # of the files that are named in a message
ENDINGS = (".s1p", ".s2p", ".s3p", ".s4p", ".npy")


def are_traces(paths: Sequence[str], columns: Sequence[tuple[str, str]] = ()) -> bool:
    """Says whether files are traces of S21: several, or by their endings, or one by its header, unless --column names
    columns of a table of Q."""
    if len(paths) > 1 or any(path.lower().endswith(ENDINGS) for path in paths):
        return True
    try:
        header = header_of(paths[0], KNOWN)
    except InputError:
        return False  # who reads the table says why
    return not columns and not set(NEEDED["Q_internal"]) & set(header) and is_of_trace(header)


def read(paths: Sequence[str], reading: Reading, temperature: float | None) -> tuple[Table, list[str]]:
    """Reads the quality factors of the circles that can be trusted, and gives a note for each that was left out.

    Raises:
        InputError: one sentence on what is wrong.
    """
    absent = [path for path in paths if not pathlib.Path(path).is_file()]
    if absent:
        raise InputError(f"No such file: {', '.join(absent[:SHOWN])}{' ...' * (len(absent) > SHOWN)}.")
    form = None if reading.coupling == "notch" else reading.coupling
    try:
        found = fit_traces(paths, form=form, temperature=temperature, Q_coupling=reading.coupling_quality)
    except ValueError as error:
        raise InputError(str(error)) from None
    notes = [f"{name} was left out: {reason}" for name, reason in found.refused]
    _require(found, notes, reading, any(path.lower().endswith(ENDINGS) for path in paths))
    if {fit.model.form for fit in found.fits if fit.success and fit.model is not None} == {"reflection"}:
        reading = dataclasses.replace(reading, coupling="reflection")
    digest = hashlib.sha256()
    for path in paths:
        digest.update(pathlib.Path(path).read_bytes())
    table = Table(f"{len(found)} traces", digest.hexdigest(), found.columns)
    return cut(in_our_units(table, reading), reading, LEAST), notes


def _require(found: TraceTable, notes: list[str], reading: Reading, are_of_analyser: bool) -> None:
    if len(found) < LEAST:
        what = f"{len(found)} of {len(found) + len(notes)} traces can be trusted, but this fit needs at least {LEAST}."
        first = " ".join(f"{note.rstrip('.')}." for note in notes[:SHOWN]) + " ..." * (len(notes) > SHOWN)
        remedy = "" if are_of_analyser else "Tables of Q go into one file, with a column for --group."
        if reading.coupling == "transmission" and reading.coupling_quality is None:
            remedy = "Give --q-coupling."
        raise InputError(" ".join(filter(None, (what, first, remedy))))
    if "T_K" not in found.columns:
        raise InputError("The traces do not tell their temperature: name the files so (T20mK) or give --temperature.")
    if "power_dBm" not in found.columns and reading.photon_number is None:
        raise InputError("The traces do not tell their power: name the files so (-60dBm) or give --photon-number.")
