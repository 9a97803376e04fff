"""`jaxtls cite` prints BibTeX of the papers behind a model, and of jaxtls."""

from __future__ import annotations

import argparse

from .faults import InputError


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to argparse's subparsers."""
    command = commands.add_parser(
        "cite",
        help="BibTeX of the papers behind a model",
        description="Print BibTeX of the papers behind a model, and of jaxtls.",
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="the model, as EntropicSpring; without: jaxtls alone")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what `jt.cite` returns."""
    from .. import cite

    try:
        print(cite(options.name))
    except ValueError as error:
        raise InputError(str(error)) from None
    return 0
