"""`python -m benchmarks CASE [options]`: run a benchmark, print its table, write its JSON."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import jax

CASES = {
    "spring": "the entropic spring: against its peers, cost in N, gradients, batches",
    "heated": "the TLS-heated oscillator against its peers",
    "engine": "Lindblad equations of the user's own: solving, gradients, batches, steady states, trajectories",
    "glass": "the glass: against NumPy and 4^N solvers, throughput, cost in N, gradients",
}


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    cases = main.add_subparsers(dest="benchmark", required=True)
    for name, text in CASES.items():
        parts = tuple(_benchmark(name).PARTS)
        case = cases.add_parser(name, help=text)
        case.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
        case.add_argument("--out", type=Path, help=f"JSON file (default: benchmarks/results/{name}-<device>.json)")
        case.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="run dynamiqs and QuTiP")
        case.add_argument("--only", nargs="+", choices=parts, metavar="PART", help=f"some of {', '.join(parts)}")
        if name == "spring":
            case.add_argument(
                "--peer-budget",
                type=float,
                default=600.0,
                metavar="SECONDS",
                help="a peer whose run would take longer is compared on a twentieth of the span, and the row says so",
            )
    return main


def _benchmark(name: str) -> Any:
    return importlib.import_module(f".{name}", __package__)


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    jax.config.update("jax_enable_x64", True)
    from . import harness

    name = options.benchmark
    benchmark = _benchmark(name)
    parts = tuple(options.only or benchmark.PARTS)
    budget = {"peer_budget": options.peer_budget} if name == "spring" else {}
    default = Path(__file__).parent / "results" / f"{name}-{harness.device()}{'-quick' if options.quick else ''}.json"
    path, rows = options.out or default, []
    for row in benchmark.rows(parts, quick=options.quick, peers=options.peers, **budget):
        print(f"... {row.case}: {row.name}", file=sys.stderr, flush=True)
        rows.append(row)
        harness.write(path, name, rows, quick=options.quick, parts=parts)  # a killed run keeps what it has measured
    print(harness.table(rows))
    print(f"\nwritten to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
