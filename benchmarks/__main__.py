"""`python -m benchmarks CASE [options]`: run a benchmark, print its table, write its JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import jax


def parser() -> argparse.ArgumentParser:
    from . import glass, heated
    from .spring import PARTS

    main = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    cases = main.add_subparsers(dest="benchmark", required=True)
    spring = cases.add_parser("spring", help="the entropic spring: against its peers, cost in N, gradients, batches")
    spring.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    spring.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/spring-<device>.json)")
    spring.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="run dynamiqs and QuTiP")
    spring.add_argument(
        "--peer-budget",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="a peer whose run would take longer is compared on a twentieth of the time span, in a row that says so",
    )
    spring.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"some of {', '.join(PARTS)}")
    other = cases.add_parser("heated", help="the TLS-heated oscillator against its peers")
    other.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    other.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/heated-<device>.json)")
    other.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="run dynamiqs and QuTiP")
    other.add_argument(
        "--only", nargs="+", choices=heated.PARTS, metavar="PART", help=f"some of {', '.join(heated.PARTS)}"
    )
    third = cases.add_parser("glass", help="the glass: against NumPy and 4^N solvers, throughput, cost in N, gradients")
    third.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    third.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/glass-<device>.json)")
    third.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="run dynamiqs and QuTiP")
    third.add_argument(
        "--only", nargs="+", choices=glass.PARTS, metavar="PART", help=f"some of {', '.join(glass.PARTS)}"
    )
    return main


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    jax.config.update("jax_enable_x64", True)
    from . import glass, harness, heated, spring

    name = options.benchmark
    benchmark: Any = {"spring": spring, "heated": heated, "glass": glass}[name]
    parts = tuple(options.only or benchmark.PARTS)
    budget = {"peer_budget": options.peer_budget} if name == "spring" else {}
    rows = []
    for row in benchmark.rows(parts, quick=options.quick, peers=options.peers, **budget):
        print(f"... {row.case}: {row.name}", file=sys.stderr, flush=True)
        rows.append(row)
    default = Path(__file__).parent / "results" / f"{name}-{harness.device()}{'-quick' if options.quick else ''}.json"
    path = harness.write(options.out or default, name, rows, quick=options.quick, parts=parts)
    print(harness.table(rows))
    print(f"\nwritten to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
