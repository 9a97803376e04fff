"""`jaxtls docs` makes the documentation as a folder of HTML that needs no network."""

from __future__ import annotations

import argparse
import pathlib

from .faults import InputError


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to argparse's subparsers."""
    command = commands.add_parser(
        "docs",
        help="build the documentation",
        description="Build the documentation as a folder of HTML that needs no network: guides, reference, notebooks, "
        "figures, search. Needs pip install 'jaxtls[docs]'.",
    )
    command.add_argument("out", type=pathlib.Path, metavar="OUT", help="folder for the pages; open OUT/index.html")
    command.add_argument("--quiet", action="store_true", help="no progress on stderr")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build, and say where to look."""
    from ..docs import build

    try:
        index = build(options.out, quiet=options.quiet)
    except ImportError as error:
        raise InputError(str(error)) from None
    except (OSError, ValueError) as error:
        raise InputError(f"The documentation cannot be built: {error}") from None
    print(f"written: {index}")
    return 0
