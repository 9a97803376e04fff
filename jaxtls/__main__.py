"""`python -m jaxtls` runs fits, figures, ensembles, citations and documentation, a thin face over public names."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import __version__
from .cli import cite, docs, doctor, ensemble, fit, info, reproduce
from .cli.arguments import joined, misspelt
from .cli.tables import InputError


def parser() -> argparse.ArgumentParser:
    """Gives the command's arguments."""
    return _parsers()[0]


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Give the parser of the whole, and those of the commands by name."""
    top = argparse.ArgumentParser(
        prog="jaxtls",
        description="Two-level systems coupled to oscillators and baths: fit data, reproduce figures, run ensembles.",
    )
    top.add_argument("--version", action="version", version=f"jaxtls {__version__}")
    commands = top.add_subparsers(dest="command", required=True)
    for command in (fit, reproduce, ensemble, cite, docs, info, doctor):
        command.add(commands)
    return top, commands.choices


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if all went well, 1 if a fit did not converge, 2 for a fault in the input."""
    said = list(sys.argv[1:] if arguments is None else arguments)
    top, commands = _parsers()
    words = joined(said)
    # faults in a command's arguments are shown with its own usage
    command = commands.get(words[0], top) if words else top
    if fault := misspelt(words, command):
        command.error(fault)
    options, unknown = top.parse_known_args(words)
    if unknown:
        command.error(f"unrecognized arguments: {' '.join(unknown)}")
    options.said = "jaxtls " + " ".join(said)
    try:
        return options.run(options)
    except InputError as error:
        print(f"jaxtls: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
