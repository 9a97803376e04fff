"""Makes of a network analyser's files a table of quality factors, one row a trace that can be trusted."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from .._checks import require
from .trace_files import Trace, read_trace
from .traces import TraceFit, fit_trace


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TraceTable:
    """Holds what `fit_traces` found.

    Arguments:
        names: of the files of the rows.
        columns: name -> (rows,): f_r_Hz, Q_internal, Q_coupling, Q_loaded, asymmetry_rad (not of transmission) and
            their errors sigma_..., and power_dBm and T_K where they are known.
        refused: (name, reason) of the traces left out.
        fits: of all traces that could be read.
        traces: as read, in the order of `fits`.

    Example:
        >>> jt.fit_traces(["lost.s2p"])
        TraceTable: 0 of 1 traces
          left out lost.s2p: Argument `path` must be a file that is there, but got lost.s2p.
    """

    names: tuple[str, ...]
    columns: dict[str, np.ndarray]
    refused: tuple[tuple[str, str], ...]
    fits: tuple[TraceFit, ...]
    traces: tuple[Trace, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        shown = [name for name in self.columns if not name.startswith("sigma_")]
        width = max([4, *map(len, self.names)])
        lines = [f"TraceTable: {len(self)} of {len(self) + len(self.refused)} traces"]
        if self.names:
            lines.append(f"  {'':<{width}}" + "".join(f"{name:>16}" for name in shown))
        for i, name in enumerate(self.names):
            lines.append(f"  {name:<{width}}" + "".join(f"{self.columns[key][i]:>16.9g}" for key in shown))
        return "\n".join(lines + [f"  left out {name}: {reason}" for name, reason in self.refused])


def fit_traces(
    paths: Sequence[str | pathlib.Path],
    *,
    form: str | None = None,
    parameter: str | None = None,
    temperature: float | Sequence[float] | None = None,
    power_dBm: float | Sequence[float] | None = None,
    gain: float | None = None,
    Q_coupling: float | None = None,
) -> TraceTable:
    """Fit the resonance of each file; what cannot be read or trusted is named and left out.

    Arguments:
        paths: files, as `read_trace` takes them.
        form: "notch", "reflection" or "transmission"; None: reflection where S11 (S22, ...) was read, else notch.
        parameter: as for `read_trace`; None with form="reflection": S11.
        temperature: [K], one for all or one a file; None: from names and headers.
        power_dBm: likewise.
        gain: of the line, for transmission; see `fit_trace`.
        Q_coupling: likewise.

    Returns:
        A `TraceTable`. Where some traces tell power (temperature) and others do not, the others are left out.

    Raises:
        ValueError: if an argument is out of range, or there are not as many temperatures or powers as files.

    Example:
        >>> import pathlib, tempfile
        >>> folder, f = pathlib.Path(tempfile.mkdtemp()), 5e9 + np.linspace(-5e5, 5e5, 201)
        >>> for power in (-60, -40):
        ...     s = jt.ResonatorTrace(f_r=5e9, Q_internal=2e5 - 1e3 * power, Q_coupling=1e5).response(f)
        ...     np.save(folder / f"r1_10mK_{power}dBm.npy", np.stack([f, s], 1))
        >>> table = jt.fit_traces(sorted(folder.glob("*.npy")))
        >>> table.columns["power_dBm"].tolist(), table.columns["Q_internal"].round(3).tolist()
        ([-40.0, -60.0], [240000.0, 260000.0])

    Source: S. Probst et al., Rev. Sci. Instrum. 86, 024706 (2015).
    """
    files = [pathlib.Path(path) for path in paths]
    kelvins, powers = _each("temperature", temperature, len(files)), _each("power_dBm", power_dBm, len(files))
    bad = [value for value in kelvins if value is not None and not value > 0]
    require(not bad, "temperature", "be > 0", bad, "It is in K.")
    if parameter is None and form == "reflection":
        parameter = "S11"
    kept: list[tuple[Trace, TraceFit]] = []
    refused: list[tuple[str, str]] = []
    for path, kelvin, power in zip(files, kelvins, powers):
        try:
            trace = read_trace(path, parameter=None if path.suffix.lower() == ".s1p" else parameter)
            chosen = form or ("reflection" if trace.parameter in ("S11", "S22", "S33", "S44") else "notch")
            options = {"gain": gain, "Q_coupling": Q_coupling} if chosen == "transmission" else {}
            found = fit_trace(trace.frequencies, trace.s21, form=chosen, name=trace.name, **options)
        except ValueError as error:
            refused.append((path.name, str(error)))
            continue
        kelvin, power = (trace.temperature if kelvin is None else kelvin), (trace.power_dBm if power is None else power)
        kept.append((dataclasses.replace(trace, temperature=kelvin, power_dBm=power), found))
    return _table(kept, refused)


def _each(name: str, value: float | Sequence[float] | None, count: int) -> list[float | None]:
    """Give one value for each file."""
    if value is None:
        return [None] * count
    try:
        values = np.atleast_1d(np.asarray(value, float))
    except (TypeError, ValueError):
        raise ValueError(f"Argument `{name}` must be a real number or one a file, but got {value!r}.") from None
    require(values.shape in ((1,), (count,)), name, f"be one number or {count}, one a file", f"shape {values.shape}")
    require(bool(np.all(np.isfinite(values))), name, "be finite", value)
    return [float(one) for one in np.broadcast_to(values, (count,))]


def _table(found: list[tuple[Trace, TraceFit]], refused: list[tuple[str, str]]) -> TraceTable:
    refused = refused + [(fit.name, fit.reason) for _, fit in found if not fit.success]
    good = [(trace, fit) for trace, fit in found if fit.success]
    conditions = {"T_K": "temperature", "power_dBm": "power"}
    values = {"T_K": [trace.temperature for trace, _ in good], "power_dBm": [trace.power_dBm for trace, _ in good]}
    keep = [True] * len(good)
    for key, column in values.items():
        if any(value is not None for value in column):
            for i, value in enumerate(column):
                if value is None and keep[i]:
                    keep[i] = False
                    reason = f"neither its name nor its header tells the {conditions[key]}, which others tell"
                    refused.append((good[i][0].name, reason))
    rows = [pair for pair, is_kept in zip(good, keep) if is_kept]
    columns = {
        key: np.array(kept)
        for key, column in values.items()
        if (kept := [value for value, is_kept in zip(column, keep) if is_kept and value is not None])
    }
    units = {"f_r": "f_r_Hz", "asymmetry": "asymmetry_rad"}
    for key in ("f_r", "Q_internal", "Q_coupling", "Q_loaded", "asymmetry"):
        if rows and all(key in fit.values for _, fit in rows):
            columns[units.get(key, key)] = np.array([fit.values[key] for _, fit in rows])
            columns[f"sigma_{units.get(key, key)}"] = np.array([fit.stderr[key] for _, fit in rows])
    names = tuple(trace.name for trace, _ in rows)
    traces, fits = tuple(trace for trace, _ in found), tuple(fit for _, fit in found)
    return TraceTable(names, columns, tuple(refused), fits, traces)
