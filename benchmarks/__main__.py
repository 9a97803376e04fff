"""`python -m benchmarks [CASE ...]`: run benchmarks, print their tables, write a JSON file for each part.

python -m benchmarks                          every case
python -m benchmarks glass engine --quick     some of them, small
python -m benchmarks engine --only ising      some parts
python -m benchmarks compiled --target h100    for a GPU that need not be there
python -m benchmarks compare OLD NEW          two files or folders of results, row by row
python -m benchmarks table --write README.md  five rows of the results into the README, all into benchmarks/README.md
python -m benchmarks plot                     pictures of work against precision
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import jax

from . import results

CASES = {
    "spring": "the entropic spring: against its peers, cost in N, gradients, batches",
    "heated": "the TLS-heated oscillator against its peers",
    "engine": "Lindblad equations of the user's own: solving, gradients, batches, steady states, trajectories",
    "glass": "the glass: against NumPy and 4^N solvers, throughput, cost in N, gradients",
    "baths": "fluctuators, and a qubit among up to 10^6 TLSs: against NumPy, gradients, memory",
    "batches": "many small problems at once: springs, networks of two TLSs, glasses",
    "transformed": "inside jit, vmap and grad: chains, oscillators, drives, dense operators, beside dynamiqs",
    "open_engine": "Bloch-Redfield, limit cycles and counting statistics, beside QuTiP",
    "measures": "states and measures: first calls beside those of the peers",
    "compiled": "the main programs compiled for a GPU that need not be there: kernels, bytes, modelled time",
}


def parser() -> argparse.ArgumentParser:
    """Of a run."""
    form = argparse.RawDescriptionHelpFormatter
    main = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=form)
    main.add_argument("cases", nargs="*", metavar="CASE", help=f"some of {', '.join(CASES)}; all by default")
    main.add_argument("--device", choices=["cpu", "gpu"], help="where JAX computes (default: its own choice)")
    main.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    main.add_argument("--out", type=Path, default=results.FOLDER, metavar="DIR", help="folder for the JSON files")
    main.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="run dynamiqs and QuTiP")
    main.add_argument(
        "--target",
        choices=["h200", "h100", "a100"],
        default="h200",
        help="compiled: for which card, where there is none",
    )
    main.add_argument("--only", nargs="+", metavar="PART", help="some parts of the cases")
    main.add_argument(
        "--peer-budget",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="spring: a peer whose run would take longer is compared on a twentieth of the span, and the row says so",
    )
    return main


def _summaries() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="python -m benchmarks")
    commands = main.add_subparsers(dest="benchmark", required=True)
    compare = commands.add_parser("compare", help="warm times of two runs; exit 1 where one is 1.7 times slower")
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    for name, text in (("table", "the results as a table"), ("plot", "work against precision, PNG")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--results", type=Path, default=results.FOLDER, metavar="DIR")
        if name == "table":
            command.add_argument(
                "--write",
                type=Path,
                metavar="FILE",
                help="put five rows into this Markdown file, and all into benchmarks/README.md",
            )
    return main


def _benchmark(name: str) -> Any:
    return importlib.import_module(f".{name}", __package__)


def _chosen(options: argparse.Namespace) -> list[tuple[str, str]]:
    """Cases with their parts."""
    wrong = [name for name in options.cases if name not in CASES]
    if wrong:
        raise SystemExit(f"No case is called {', '.join(wrong)}; there are {', '.join(CASES)}.")
    # Compiling for a card needs a plugin of some 5 GB: only where it is asked for.
    usual = [name for name in CASES if name != "compiled"]
    found = [(name, part) for name in options.cases or usual for part in _benchmark(name).PARTS]
    missing = [part for part in options.only or () if part not in {part for _, part in found}]
    if missing:
        raise SystemExit(f"No part is called {', '.join(missing)}; there are {', '.join(part for _, part in found)}.")
    return [(name, part) for name, part in found if not options.only or part in options.only]


def main(arguments: list[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in ("compare", "table", "plot"):
        return results.summary(_summaries().parse_args(arguments))
    options = parser().parse_args(arguments)
    if options.device is not None:
        jax.config.update("jax_platforms", {"gpu": "cuda", "cpu": "cpu"}[options.device])
    if "compiled" in options.cases and len(set(options.cases)) > 1:
        raise SystemExit("compiled runs alone: checks of solvers are NaNs in its process. Run the other cases apart.")
    if "compiled" in options.cases:
        # Before equinox is imported: checks of solvers' own would call the host.
        os.environ.setdefault("EQX_ON_ERROR", "nan")
        # Nor may the plugin look for a driver, which a machine without a card has not.
        os.environ.setdefault("JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "1")
    chosen = _chosen(options)
    jax.config.update("jax_enable_x64", True)
    from . import harness
    from .settings import Settings

    settings = Settings(options.quick, options.peers, options.peer_budget, options.target)
    for name, part in chosen:
        where = options.target if name == "compiled" and harness.device() == "cpu" else harness.device()
        path = options.out / f"{name}-{part}-{where}{'-quick' if options.quick else ''}.json"
        rows = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # sizes are fixed on purpose: errors stand beside the times
            for row in _benchmark(name).PARTS[part](settings):
                print(f"... {row.case}: {row.name}", file=sys.stderr, flush=True)
                rows.append(row)
                # A killed run keeps what it has measured.
                harness.write(path, name, rows, quick=options.quick, parts=[part])
        print(f"{harness.table(rows, harness.ceilings(options.quick))}\n\nwritten to {path}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
