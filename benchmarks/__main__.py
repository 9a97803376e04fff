"""`python -m benchmarks CASE [options]`: run a benchmark, print its table, write its JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jax


def parser() -> argparse.ArgumentParser:
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
    return main


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    jax.config.update("jax_enable_x64", True)
    from . import harness, spring

    parts = tuple(options.only or spring.PARTS)
    rows = []
    for row in spring.rows(parts, quick=options.quick, peers=options.peers, peer_budget=options.peer_budget):
        print(f"... {row.case}: {row.name}", file=sys.stderr, flush=True)
        rows.append(row)
    default = Path(__file__).parent / "results" / f"spring-{harness.device()}{'-quick' if options.quick else ''}.json"
    path = harness.write(options.out or default, "spring", rows, quick=options.quick, parts=parts)
    print(harness.table(rows))
    print(f"\nwritten to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
