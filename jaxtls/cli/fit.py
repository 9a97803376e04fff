"""`jaxtls fit` goes from a file to a report; its arguments are here."""

from __future__ import annotations

import argparse
import dataclasses
import math
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .arguments import Help
from .tables import InputError

# the names of `models.resonator`, said here so that --help needs no JAX
FORMS = ("crowley", "standard", "earnest", "power", "logarithmic", "none")

if TYPE_CHECKING:
    from .._progress import Progress
    from .report import Report
    from .tables import Reading as TableReading
    from .tables import Table


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to argparse's subparsers."""
    fit = commands.add_parser(
        "fit",
        usage="jaxtls fit [DATA.csv ...] --model MODEL [options]; jaxtls fit --help lists them",
        help="fit TLS couplings to measured data",
        description="Fit TLS couplings to measured data; write report.txt, report.json and fit.png.",
        epilog="t1: columns time_h, frequency_MHz, T1_us, optional T1_error_us; frees each TLS's frequency at each "
        "time, its coupling and width, and a background; D of its diffusion is derived. Where no TLS is seen it says "
        "which one would have been. Of the options above it has --max-tls.",
        formatter_class=Help,
    )
    fit.add_argument(
        "data",
        nargs="*",
        metavar="DATA.csv",
        help="measured data, for a resonator also traces of S21 (.s2p, .csv, .npy); each model brings an example",
    )
    fit.add_argument("--skip-bad", action="store_true", help="leave out rows that cannot be read, and count them")
    fit.add_argument(
        "--column",
        action="append",
        type=_pair,
        default=[],
        metavar="OURS=THEIRS",
        help="a column of the file by our name: T_mK=temp and the like; once for each",
    )
    fit.add_argument("--model", choices=list(MODELS), required=True, help="what the data are of")
    fit.add_argument("--out", type=pathlib.Path, help="folder for the report (default: jaxtls-fit/MODEL)")
    fit.add_argument(
        "--starts",
        type=_count,
        default=None,
        help="starting points of the fit (spring 1, resonator and telegraph 4; swap and t1 find theirs in the data)",
    )
    fit.add_argument("--quiet", action="store_true", help="no progress on stderr")

    _add_spring(fit)
    _add_resonator(fit)
    _add_defects(fit)
    fit.set_defaults(run=run)


def _add_spring(fit: argparse.ArgumentParser) -> None:
    spring = fit.add_argument_group(
        "spring: columns time, x, optional x_error, x2, x2_error; frees gamma, splitting, omega"
    )
    spring.add_argument("--n-spins", type=_count, default=10, help="number of TLSs, known")
    spring.add_argument("--beta", type=_positive, default=0.01, help="inverse temperature, known")
    spring.add_argument("--alpha", type=_finite, default=1.0, help="coherent amplitude of the start, known")
    spring.add_argument("--gamma", type=_positive, default=5.0, help="relaxation rate to start from")
    spring.add_argument("--splitting", type=_positive, default=130.0, help="TLS splitting B to start from")
    spring.add_argument(
        "--omega", type=_positive, help="coupling frequency to start from; by default that of the data's period"
    )


def _add_resonator(fit: argparse.ArgumentParser) -> None:
    resonator = fit.add_argument_group(
        "resonator: columns T_K, mean_photon_number, Q_internal, optional sigma_Q_internal; or T_mK, power_dBm with "
        "Q_coupling, inverse_Q_internal, sigma_inverse_Q_internal, f_r_Hz"
    )
    resonator.add_argument("--frequency", type=_positive, help="resonance frequency [Hz]; needed without f_r_Hz")
    resonator.add_argument(
        "--saturation",
        choices=["auto", *FORMS],
        default="auto",
        help="form of the TLS loss; auto compares them",
    )
    resonator.add_argument(
        "--shift",
        metavar="SHIFT.csv",
        help="fit the shift too, or alone without DATA.csv: columns T_K, fractional_frequency_shift or f_r_Hz",
    )
    resonator.add_argument(
        "--hold", action="append", type=_pair, default=[], metavar="NAME=VALUE", help="keep a parameter at a value"
    )
    resonator.add_argument("--tc", type=_positive, help="keep the critical temperature at this [K]")
    resonator.add_argument("--group", metavar="COLUMN", help="a column that tells several resonators apart")
    resonator.add_argument(
        "--attenuation", type=_finite, default=0.0, help="dB between the source of power_dBm and the resonator"
    )
    resonator.add_argument(
        "--coupling",
        choices=["notch", "reflection", "transmission"],
        default="notch",
        help="n = g Ql^2 P / (Qc hbar omega^2), g = 4 by reflection, else 2 (McRae et al., RSI 91, 091101)",
    )
    resonator.add_argument("--q-coupling", type=_positive, help="Q_c, for a file without the column Q_coupling")
    resonator.add_argument(
        "--bootstrap", type=_whole, default=40, metavar="N", help="draws for the errors of data without any; 0 for none"
    )
    resonator.add_argument("--photon-number", type=_positive, help="one photon number for a file without that column")
    resonator.add_argument("--max-temperature", type=_positive, help="leave out hotter rows [K]")
    resonator.add_argument("--temperature", type=_positive, help="of rows or traces of S21 that do not tell theirs [K]")


def _add_defects(fit: argparse.ArgumentParser) -> None:
    telegraph = fit.add_argument_group(
        "telegraph: columns time, signal; a reading of T1, frequency or parity each row; rates are in 1 over the unit "
        "of the column time, whatever that is"
    )
    telegraph.add_argument(
        "--fluctuators",
        choices=["auto", "1", "2"],
        default="auto",
        help="1 fits one; 2 fits two, from where one ends; auto takes two where these lower the AIC by more than 6. "
        "None is reported where readings without memory do as well",
    )
    swap = fit.add_argument_group(
        "swap: columns frequency_MHz, time_us, population, optional population_error; frees each TLS's frequency, "
        "coupling and loss, the qubit's own loss, contrast and offset"
    )
    swap.add_argument("--max-tls", type=_count, default=4, metavar="N", help="most TLSs to look for, of t1 as well")


def run(options: argparse.Namespace) -> int:
    """Fit, write the report and print it; 0 if the fit converged, 1 if it did not."""
    import jax

    # A program may choose its precision; a library may not.
    jax.config.update("jax_enable_x64", True)

    from .._progress import Progress

    progress = Progress(quiet=options.quiet)
    # models do not overwrite each other's reports
    options.out = options.out or pathlib.Path("jaxtls-fit", options.model)
    # one file, or several traces of a resonator
    options.files, options.data = options.data, options.data[0] if options.data else None
    if len(options.files) > 1 and options.model != "resonator":
        raise InputError(f"--model {options.model} takes one file, but {len(options.files)} were given.")
    if options.model == "resonator" and options.group:
        return _run_group(options, progress)
    if options.model == "resonator" and options.shift is None and len(options.files) == 1:
        from . import traces

        if traces.are_traces(options.files, options.column):
            return _run_trace(options, progress)
    report, picture = MODELS[options.model](options, progress)
    report = dataclasses.replace(report, command=options.said)
    progress.stage("draw and write")
    paths = report.write(options.out, picture)
    progress.done()
    print(report.text())
    print("written: " + ", ".join(str(path) for path in paths))
    return 0 if report.fit.success else 1


def _plain_reading(options: argparse.Namespace) -> TableReading:
    return {"mapping": dict(options.column), "skip_bad": options.skip_bad}


def _remarked(report: Report, table: Table) -> Report:
    return dataclasses.replace(report, notes=[*report.notes, *table.remarks()])


def _reading(options: argparse.Namespace) -> Any:
    from .resonator_table import Reading

    return Reading(
        columns=dict(options.column),
        photon_number=options.photon_number,
        temperature=options.temperature,
        max_temperature=options.max_temperature,
        frequency=options.frequency,
        attenuation=options.attenuation,
        coupling=options.coupling,
        coupling_quality=options.q_coupling,
        group=options.group,
        skip_bad=options.skip_bad,
    )


def _choices(options: argparse.Namespace) -> dict[str, Any]:
    held = {}
    for name, text in options.hold:
        try:
            held[name] = float(text)
        except ValueError:
            raise InputError(f"--hold {name}={text}: {text!r} is not a number.") from None
    if options.tc is not None:
        held["critical_temperature"] = options.tc
    return {
        "saturation": options.saturation,
        "held": held,
        "n_starts": options.starts or 4,
        "bootstrap": options.bootstrap,
    }


def _resonator(options: argparse.Namespace, progress: Progress) -> tuple[Report, Any]:
    import numpy as np

    from . import resonator, traces
    from .resonator_table import frequency_of, read, read_shift

    reading, choices = _reading(options), _choices(options)
    # the example is used whole or not at all: a file of the user's is never mixed with it
    own = options.data is None and options.shift is None
    frequency = options.frequency or (resonator.BUNDLED_FREQUENCY if own else None)
    table = shift = None
    left_out: list[str] = []
    if options.data is not None and traces.are_traces(options.files, options.column):
        progress.stage("fit circles")
        table, left_out = traces.read(options.files, reading, options.temperature)
    elif options.data is not None or own:
        table = read(str(resonator.BUNDLED) if own else options.data, reading)
    if options.shift is not None or own:
        shift = read_shift(str(resonator.BUNDLED_SHIFT) if own else options.shift, reading)
    if table is not None:
        remedy = "take the files of each by themselves" if len(options.files) > 1 else "name the column with --group"
        frequency = frequency_of(table, remedy) if frequency is None else frequency
    if frequency is None and table is None and shift is not None and "f_r_Hz" in shift:
        frequency = float(np.median(shift["f_r_Hz"]))
    if frequency is None:
        raise InputError("--model resonator needs --frequency, the resonance frequency in Hz, or a column f_r_Hz.")
    found = resonator.analyse(table, frequency, shift=shift, progress=progress, **choices)
    report = resonator.report_of(found, table, shift, options.saturation, choices["n_starts"])
    report = dataclasses.replace(report, notes=[*report.notes, *left_out])
    return report, resonator.picture(found, report.source["name"])


def _run_trace(options: argparse.Namespace, progress: Progress) -> int:
    from . import one_trace
    from .report import written

    progress.stage("fit the circle")
    trace, found = one_trace.fitted(options.data, _reading(options))
    progress.done()
    text = one_trace.text(trace, found, options.data)
    content = one_trace.content(trace, found, options.data, options.said)
    paths = written(options.out, text, content, one_trace.picture(trace, found))
    print(text)
    print("written: " + ", ".join(str(path) for path in paths))
    return 0


def _run_group(options: argparse.Namespace, progress: Progress) -> int:
    from . import resonator, traces
    from .report import versions, written
    from .resonator_table import read

    if options.data is None:
        raise InputError("--group needs DATA.csv, a file with several resonators.")
    if len(options.files) > 1 or traces.are_traces(options.files, options.column):
        raise InputError("--group takes one table of several resonators, no traces and no second file.")
    if options.shift is not None:
        raise InputError("--shift belongs to one resonator; it does not go with --group.")
    table = read(options.data, _reading(options))
    choices = _choices(options)
    group, left_out = resonator.analyse_groups(table, options.group, options.frequency, choices, progress)
    text = resonator.group_text(group, left_out, table.remarks())
    labels = table.labels[options.group]
    parts = {
        name: resonator.report_of(
            found, table.where(labels == name), None, options.saturation, choices["n_starts"]
        ).to_dict()
        for name, found in group.analyses.items()
    }
    joint = {
        label: None if q is None else {"value": q.value, "stderr": q.stderr, "meaning": q.meaning}
        for label, q in (("F tan delta", group.mean), ("spread", group.spread))
    }
    whole = {"model": "resonator", "command": options.said, "group": options.group, "used": group.used, "joint": joint}
    whole["left_out"] = left_out
    content = {**whole, "resonators": parts, "versions": versions()}
    written(options.out, text, content, resonator.group_picture(group, table.name))
    print(text)
    return 0 if all(found.fit.success for found in group.analyses.values()) else 1


def _spring(options: argparse.Namespace, progress: Progress) -> tuple[Report, Any]:
    from . import spring

    table = spring.read(options.data or spring.BUNDLED, **_plain_reading(options))
    report = spring.run(
        table,
        n_spins=options.n_spins,
        beta=options.beta,
        alpha=options.alpha,
        start={"gamma": options.gamma, "splitting": options.splitting, "omega": options.omega},
        n_starts=options.starts or 1,
        progress=progress,
    )
    return _remarked(report, table), spring.picture(table, report)


def _telegraph(options: argparse.Namespace, progress: Progress) -> tuple[Report, Any]:
    from . import telegraph

    table = telegraph.read(options.data or telegraph.BUNDLED, **_plain_reading(options))
    report = telegraph.run(table, fluctuators=options.fluctuators, n_starts=options.starts or 4, progress=progress)
    return _remarked(report, table), telegraph.picture(table, report)


def _swap(options: argparse.Namespace, progress: Progress) -> tuple[Report, Any]:
    from . import swap

    table = swap.read(options.data or swap.BUNDLED, **_plain_reading(options))
    report = swap.run(table, most=options.max_tls, progress=progress)
    return _remarked(report, table), swap.picture(table, report)


def _t1(options: argparse.Namespace, progress: Progress) -> tuple[Report, Any]:
    from . import t1

    table = t1.read(options.data or t1.BUNDLED, **_plain_reading(options))
    report = t1.run(table, most=options.max_tls, progress=progress)
    return _remarked(report, table), t1.picture(table, report)


MODELS: dict[str, Callable[[argparse.Namespace, Progress], tuple[Report, Any]]] = {
    "spring": _spring,
    "resonator": _resonator,
    "telegraph": _telegraph,
    "swap": _swap,
    "t1": _t1,
}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name.strip() and value.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} must read NAME=VALUE")
    return name.strip(), value.strip()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, at least 1")
    return int(text)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number, 0 or more")
    return int(text)


def _finite(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} must be a finite number")
    return value


def _positive(text: str) -> float:
    value = _finite(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} must be greater than zero")
    return value
