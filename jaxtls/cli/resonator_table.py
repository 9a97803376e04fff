"""Reads the columns of a resonator's file: which names are known, and how they become T, n, Q and its error."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from .._nearest import did_you_mean
from ..analysis.resonator.measured import levels_of
from ..models.resonator import photon_number as photons_of_power
from .tables import InputError, Table, header_of, read_table

LEAST = 4
APART = 2e-3  # of the frequency: neither drive nor a reading moves one resonator so far at one temperature
SHIFT, SIGMA = "fractional_frequency_shift", "sigma_fractional_frequency_shift"
NEEDED = {
    "T_K": ("T_K", "T_mK"),
    "Q_internal": ("Q_internal", "inverse_Q_internal"),
    "mean_photon_number": ("mean_photon_number", "power_dBm"),
}
EXTRA = ("sigma_Q_internal", "sigma_inverse_Q_internal", "Q_coupling", "f_r_Hz", "f_r_GHz")
KNOWN = tuple(name for names in NEEDED.values() for name in names) + EXTRA
OF_SHIFT = ("T_K", "T_mK", SHIFT, SIGMA, "f_r_Hz", "sigma_f_r_Hz")


@dataclasses.dataclass(frozen=True)
class Reading:
    """Says how to read a resonator's files.

    Arguments:
        columns: our name -> the file's.
        photon_number: one photon number for a file without any.
        temperature: one temperature [K] for a file without any.
        max_temperature: hotter rows are left out [K].
        frequency: of the resonance [Hz], where the file has none.
        attenuation: between the source of power_dBm and the resonator [dB].
        coupling: "notch", "reflection" or "transmission".
        coupling_quality: Q_c for a file without that column.
        group: a column that tells resonators apart.
        skip_bad: leave out bad rows.
    """

    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    photon_number: float | None = None
    temperature: float | None = None
    max_temperature: float | None = None
    frequency: float | None = None
    attenuation: float = 0.0
    coupling: str = "notch"
    coupling_quality: float | None = None
    group: str | None = None
    skip_bad: bool = False


def read(path: str, reading: Reading | None = None) -> Table:
    """Reads T_K, mean_photon_number, Q_internal and, where given, sigma_Q_internal and f_r_Hz.

    Raises:
        InputError: one sentence on what is wrong.
    """
    how = reading or Reading()
    for ours in how.columns:
        if ours not in (*KNOWN, *OF_SHIFT):
            asked = did_you_mean(ours, (*KNOWN, *OF_SHIFT))
            raise InputError(f"--column {ours}=...: {ours} is none of {', '.join(KNOWN)}. {asked}".rstrip())
    mapping = {ours: theirs for ours, theirs in how.columns.items() if ours in KNOWN}
    header = header_of(path, KNOWN, mapping)
    required = [next((n for n in names if n in header), names[0]) for names in NEEDED.values()]
    if how.photon_number is not None and required[-1] not in header:
        required.pop()
    if how.temperature is not None and required[0] not in header:
        required.pop(0)
    table = read_table(
        path,
        required,
        [name for name in EXTRA if name in header],
        positive=[name for name in KNOWN if name not in ("mean_photon_number", "power_dBm")],
        not_negative=["mean_photon_number"],
        instead={
            "T_K": "T_mK, or the option --temperature",
            "mean_photon_number": "power_dBm, or the option --photon-number",
            "Q_internal": "inverse_Q_internal",
        },
        hints={"mean_photon_number": "a power in dBm belongs in power_dBm"},
        mapping=mapping,
        words=[how.group] if how.group else [],
        skip_bad=how.skip_bad,
    )
    return cut(in_our_units(table, how), how, LEAST)


def in_our_units(table: Table, how: Reading) -> Table:
    """Gives any table of known columns as T_K, mean_photon_number, Q_internal, sigma_Q_internal and f_r_Hz.

    Example:
        >>> from jaxtls.cli.tables import Table
        >>> t = Table("x", "", {"T_mK": np.array([10.0]), "inverse_Q_internal": np.array([1e-6])})
        >>> float(in_our_units(t, Reading(photon_number=1.0))["Q_internal"][0])
        1000000.0
    """
    given = table.columns
    if "T_K" in given or "T_mK" in given:
        found = {"T_K": given["T_K"] if "T_K" in given else given["T_mK"] / 1000}
    else:
        assert how.temperature is not None
        found = {"T_K": np.full(len(table), how.temperature)}
    if "Q_internal" in given:
        found["Q_internal"] = given["Q_internal"]
    else:
        found["Q_internal"] = 1 / given["inverse_Q_internal"]
    if "sigma_Q_internal" in given:
        found["sigma_Q_internal"] = given["sigma_Q_internal"]
    elif "sigma_inverse_Q_internal" in given:
        found["sigma_Q_internal"] = given["sigma_inverse_Q_internal"] * found["Q_internal"] ** 2
    if "f_r_Hz" in given or "f_r_GHz" in given:
        found["f_r_Hz"] = given["f_r_Hz"] if "f_r_Hz" in given else 1e9 * given["f_r_GHz"]
    if how.photon_number is not None:
        found["mean_photon_number"] = np.full(len(table), float(how.photon_number))
    elif "mean_photon_number" in given:
        found["mean_photon_number"] = given["mean_photon_number"]
    else:
        found["mean_photon_number"] = _from_power(table, found, how)
    said = "" if "mean_photon_number" in given or how.photon_number is not None else _how_from_power(table, how)
    return dataclasses.replace(table, columns=found, said=(*table.said, *([said] if said else [])))


def _how_from_power(table: Table, how: Reading) -> str:
    outer = "of each row" if "Q_coupling" in table else f"{how.coupling_quality:g}"
    return (
        f"Photon numbers are from power_dBm: {how.coupling}, {how.attenuation:g} dB of attenuation, Q_coupling {outer}."
    )


def _from_power(table: Table, found: Mapping[str, np.ndarray], how: Reading) -> np.ndarray:
    if "Q_coupling" not in table and how.coupling_quality is None:
        raise InputError(
            f"{table.name} gives power_dBm, from which photon numbers need a column Q_coupling or --q-coupling."
        )
    frequency = found.get("f_r_Hz", how.frequency)
    if frequency is None:
        raise InputError(
            f"{table.name} gives power_dBm, from which photon numbers need --frequency or a column f_r_Hz."
        )
    outer = table.columns.get("Q_coupling", how.coupling_quality)
    assert outer is not None
    given = table["power_dBm"]
    if given.min() > 0 and given.max() < 1e-3 and given.max() > 3 * given.min():
        raise InputError(
            f"{table.name}: power_dBm from {given.min():.3g} to {given.max():.3g} looks like watts, not dBm."
        )
    powers = photons_of_power(
        table["power_dBm"], found["Q_internal"], outer, frequency, attenuation=how.attenuation, coupling=how.coupling
    )
    return np.asarray(powers, float)


def cut(table: Table, how: Reading, least: int) -> Table:
    """Keeps rows up to the highest temperature, refused where too few are left."""
    if how.max_temperature is not None:
        table = table.where(table["T_K"] <= how.max_temperature)
    if len(table) < least:
        where = "" if how.max_temperature is None else f" up to {how.max_temperature:g} K"
        count = f"{len(table)} row" + "s" * (len(table) != 1)
        raise InputError(f"{table.name} has {count} of data{where}, but this fit needs at least {least}.")
    return table


def frequency_of(table: Table, remedy: str) -> float | None:
    """Gives the middle of f_r_Hz, where the table has it, refused where rows of one temperature lie too far apart.

    Raises:
        InputError: if these are several resonators; it ends with the remedy.
    """
    if "f_r_Hz" not in table:
        return None
    f_r, level = table["f_r_Hz"], levels_of(table["T_K"])
    for one in np.unique(level):
        here = f_r[level == one]
        if np.ptp(here) > APART * here.min():
            raise InputError(
                f"{table.name}: resonances from {here.min():.6g} to {here.max():.6g} Hz at one temperature cannot be "
                f"of one resonator: {remedy}."
            )
    return float(np.median(f_r))


def read_shift(path: str, reading: Reading | None = None) -> Table:
    """Reads T_K, fractional_frequency_shift and, where given, its sigma.

    The shift's column is any whose name begins with fractional_frequency_shift (any zero will do: an offset is fitted),
    or else f_r_Hz, taken relative to its first row; errors are in sigma_ and the same name.

    Raises:
        InputError: one sentence on the first fault.
    """
    how = reading or Reading()
    mapping = {ours: theirs for ours, theirs in how.columns.items() if ours in OF_SHIFT}
    # a --column that names the loss file's columns does not speak of this one
    plain = header_of(path)
    mapping = {ours: theirs for ours, theirs in mapping.items() if theirs in plain}
    names = header_of(path, OF_SHIFT, mapping)
    column = next((name for name in names if name.startswith(SHIFT)), "f_r_Hz")
    if column not in names:
        found = ", ".join(names)[:200]
        raise InputError(
            f"{path} has no column named {SHIFT}... or f_r_Hz; its header reads: {found}. Say which it is with "
            f"--column {SHIFT}=THEIRS."
        )
    sigma, kelvin = f"sigma_{column}", "T_mK" if "T_mK" in names and "T_K" not in names else "T_K"
    optional = [sigma] if sigma in names else []
    positive = [kelvin, sigma, "f_r_Hz"]
    table = read_table(
        path, [kelvin, column], optional, positive=positive, least_rows=5, mapping=mapping, skip_bad=how.skip_bad
    )
    shift, scale = table[column], 1.0
    if column == "f_r_Hz":
        f_r, scale = shift, float(shift[0])
        shift = f_r / scale - 1
    columns = {"T_K": table[kelvin] / (1000.0 if kelvin == "T_mK" else 1.0), SHIFT: shift}
    if column == "f_r_Hz":
        columns["f_r_Hz"] = f_r
    if sigma in table:
        columns[SIGMA] = table[sigma] / scale
    table = dataclasses.replace(table, columns=columns)
    return table if how.max_temperature is None else table.where(table["T_K"] <= how.max_temperature)
