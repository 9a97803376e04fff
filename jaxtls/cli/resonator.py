"""`python -m jaxtls fit DATA.csv --model resonator` gives a report and a picture of what `analyse_resonator` finds."""

from __future__ import annotations

import math
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .._progress import Progress
from ..analysis import ResonatorAnalysis, ResonatorGroup, analyse_resonator, combine_resonators
from ..analysis.resonator.curves import Curves
from ..plot import resonator_batch, resonator_fit
from .report import Report
from .resonator_table import SHIFT, SIGMA, frequency_of
from .tables import InputError, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATA = pathlib.Path(__file__).parent / "data"
BUNDLED, BUNDLED_SHIFT, BUNDLED_FREQUENCY = DATA / "resonator_loss.csv", DATA / "resonator_shift.csv", 6e9

DESCRIBE = {
    "loss_tangent": ("", "F tan delta, filling factor times loss tangent of the TLSs"),
    "critical_power": ("", "critical photon number n_c"),
    "temperature_exponent": ("", "beta1, how the critical power grows with temperature"),
    "photon_exponent": ("", "beta2, how the loss saturates with photon number"),
    "critical_temperature": ("K", "Tc of the quasiparticle term"),
    "quasiparticle_amplitude": ("", "A of the quasiparticle term, 4/pi times the kinetic fraction"),
    "constant_loss": ("", "loss that neither temperature nor power moves"),
    "shift_offset": ("", "zero of the measured frequency shift"),
}

# arguments of `analyse_resonator` -> what a file calls them
OF_FILES = {
    "temperature": "T_K",
    "photon_number": "mean_photon_number",
    "quality_factor": "Q_internal",
    "sigma": "sigma_Q_internal",
    "shift": SHIFT,
    "shift[0]": "T_K",
    "shift[1]": SHIFT,
    "shift[2]": SIGMA,
}


def analyse(
    table: Table | None,
    frequency: float,
    *,
    shift: Table | None = None,
    saturation: str = "auto",
    held: Mapping[str, float] | None = None,
    n_starts: int = 4,
    bootstrap: int = 40,
    progress: Progress | None = None,
) -> ResonatorAnalysis:
    """Runs `analyse_resonator` on tables.

    Arguments:
        table: T_K, mean_photon_number, Q_internal and perhaps sigma_Q_internal; None to fit the shift alone.
        frequency: of the resonance [Hz].
        shift: T_K, fractional_frequency_shift and perhaps its sigma.
        saturation, held, n_starts, bootstrap: as there.
        progress: where to say what is being done.

    Returns:
        What `analyse_resonator` found.

    Raises:
        InputError: what `analyse_resonator` refuses, in its words.
    """
    loss = (None, None, None) if table is None else (table["T_K"], table["mean_photon_number"], table["Q_internal"])
    bars = None if table is None else table.columns.get("sigma_Q_internal")
    moved = None if shift is None else (shift["T_K"], shift[SHIFT], shift.columns.get(SIGMA))
    try:
        found = analyse_resonator(
            *loss,
            frequency=frequency,
            sigma=bars,
            shift=moved,
            saturation=saturation,
            held=held,
            n_starts=n_starts,
            bootstrap=bootstrap,
            say=None if progress is None else progress.stage,
        )
    except ValueError as error:
        raise InputError(_in_words_of_files(str(error))) from None
    if progress is not None:
        progress.done()
    return found


def _in_words_of_files(words: str) -> str:
    """Say of an option or a column what `analyse_resonator` said of an argument."""
    words = re.sub(r"^Argument `held\['(\w+)'\]`", r"Option `--hold \1`", words)
    words = words.replace("Argument `held`", "Option `--hold`", 1).replace("Argument `frequency`", "The frequency", 1)
    for ours, theirs in OF_FILES.items():
        words = words.replace(f"Argument `{ours}`", f"The data are refused: `{theirs}`", 1)
    return words.replace("Argument ", "The data are refused: argument ", 1)


def report_of(
    found: ResonatorAnalysis, table: Table | None, shift: Table | None, saturation: str, n_starts: int
) -> Report:
    """Gives the analysis as a report."""
    source = table if table is not None else shift
    assert source is not None
    moved = shift if table is not None else None
    extra = {} if moved is None else {"shift": moved.name, "shift_sha256": moved.sha256, "shift_rows": len(moved)}
    notes = [*found.notes]
    for read in filter(None, (table, shift)):
        notes += read.remarks()
    describe = dict(DESCRIBE)
    if found.form == "crowley":
        describe["critical_power"] = ("", "D of n^beta2 tanh(x) / (D T^beta1), T in K")
    m = found.measured
    inputs = {"frequency_Hz": m.frequency, "saturation": saturation, "starts": n_starts, "hottest_row_K": m.hottest}
    return Report(
        title=f"TLS loss of a resonator at {m.frequency / 1e9:.6g} GHz, saturation form: {found.form}",
        model="resonator",
        fit=found.fit,
        describe=describe,
        source={"name": source.name, "sha256": source.sha256, "rows": len(source), "skipped": source.skipped} | extra,
        derived=found.derived,
        inputs={**inputs, **({"quasiparticles": found.model.quasiparticles} if found.has_gap else {}), **found.held},
        comparison=[
            {
                "form": row["form"],
                "free": row["free"],
                **({} if math.isnan(row["rms_loss"]) else {"rms in ln Q [%]": round(100 * row["rms_loss"], 3)}),
                **({} if math.isnan(row["rms_shift"]) else {"rms of shift": float(f"{row['rms_shift']:.3g}")}),
                "chi2": row["chi2"],
                "AIC - best": round(row["aic"], 2),
                "F tan delta": float(f"{row['tangent']:.4g}"),
                "used": row["used"],
            }
            for row in found.comparison
        ],
        verdict=found.verdict.word,
        verdict_text=found.verdict.text,
        upper_limit=found.verdict.upper_limit,
        notes=notes,
    )


def picture(found: ResonatorAnalysis, name: str) -> Figure:
    """Draws data, fit and residuals, where the loss goes, and the shift where one was fitted."""
    m = found.measured
    word = f"{found.verdict.word}; is T in mK?" if found.verdict.doubt else found.verdict.word
    critical = rf", $n_c$ = {found.derived['n_c'].mathtext()}" if "n_c" in found.derived else ""
    return resonator_fit(
        m.temperature,
        m.photons,
        m.quality,
        m.sigma,
        Curves(found.model, m),
        shift=(m.cold, m.shift, m.shift_sigma) if len(m.shift) else None,
        title=rf"{name}: $F\,\tan\delta$ = {found.loss_tangent.mathtext()}{critical} ({word})",
    )


def analyse_groups(
    table: Table, group: str, frequency: float | None, options: Mapping[str, object], progress: Progress
) -> tuple[ResonatorGroup, dict[str, str]]:
    """Analyses each resonator of a file by itself, then all together.

    Arguments:
        table: with a column of labels.
        group: its name.
        frequency: of all resonances [Hz], for a file without f_r_Hz.
        options: keyword arguments of `analyse`.
        progress: where to say what is being done.

    Returns:
        The analyses, by label, with what they say together; and why others were left out.

    Raises:
        InputError: if none of the resonators can be fitted.
    """
    labels, found, faults = table.labels[group], {}, dict[str, str]()
    for name in dict.fromkeys(labels.tolist()):
        part = table.where(labels == name)
        own = frequency or frequency_of(part, f"{group} = {name} names several")
        if own is None:
            raise InputError("--model resonator needs --frequency, or a column f_r_Hz for each resonator.")
        try:
            found[str(name)] = analyse(part, own, progress=progress, **options)  # type: ignore[arg-type]
        except InputError as fault:
            faults[str(name)] = str(fault)
    if not found:
        raise InputError(
            f"None of the resonators of {table.name} can be fitted; the first: {next(iter(faults.values()))}"
        )
    return combine_resonators(found), faults


def group_text(group: ResonatorGroup, left_out: Mapping[str, str], remarks: Sequence[str]) -> str:
    """Gives one line a resonator, then what they have in common, and what was left out."""
    width = max(len(name) for name in group.analyses)
    lines = [f"{'':{width}}  F tan delta            verdict      form         chi²/dof"]
    for name, found in group.analyses.items():
        reduced = float(found.fit.chi2) / max(int(found.fit.dof), 1)
        tangent = str(found.loss_tangent)
        lines.append(f"{name:<{width}}  {tangent:<21}  {found.verdict.word:<11}  {found.form:<11}  {reduced:.3g}")
    if group.mean is None or group.spread is None:
        lines += ["", "Fewer than two resonators with a TLS signature: nothing to combine."]
    else:
        lines += ["", f"typical F tan delta  {group.mean}  ({group.mean.meaning})"]
        lines += [f"spread               {group.spread}  ({group.spread.meaning})"]
    notes = [f"{name}: {found.verdict.doubt}" for name, found in group.analyses.items() if found.verdict.doubt]
    notes += [f"{name} was left out. {fault}" for name, fault in left_out.items()] + [*remarks]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def group_picture(group: ResonatorGroup, name: str) -> Figure:
    """Draws all resonators in one picture."""
    curves = {}
    for label, found in group.analyses.items():
        m = found.measured
        curves[label] = (m.temperature, m.photons, m.quality, m.sigma, Curves(found.model, m))
    tangents = {label: (f.loss_tangent.value, f.loss_tangent.stderr) for label, f in group.analyses.items()}
    mean = None if group.mean is None else (group.mean.value, group.mean.stderr)
    return resonator_batch(curves, tangents, mean, title=name)
