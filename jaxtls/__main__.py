"""`python -m jaxtls` runs fits, figures, ensembles, citations and documentation, a thin face over public names."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import __version__
from .cli import cite, docs, doctor, ensemble, fit, info, reproduce
from .cli.tables import InputError


def parser() -> argparse.ArgumentParser:
    """Gives the command's arguments."""
    top = argparse.ArgumentParser(
        prog="jaxtls",
        description="Two-level systems coupled to oscillators and baths: fit data, reproduce figures, run ensembles.",
    )
    top.add_argument("--version", action="version", version=f"jaxtls {__version__}")
    commands = top.add_subparsers(dest="command", required=True)
    for command in (fit, reproduce, ensemble, cite, docs, info, doctor):
        command.add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if all went well, 1 if a fit did not converge, 2 for a fault in the input."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(arguments)
    options.said = "jaxtls " + " ".join(arguments)
    try:
        return options.run(options)
    except InputError as error:
        print(f"jaxtls: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
