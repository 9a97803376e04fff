"""`jaxtls reproduce` makes published figures as pictures and tables."""

from __future__ import annotations

import argparse
import pathlib
import sys

from .arguments import Help
from .tables import InputError


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to argparse's subparsers."""
    figures = commands.add_parser(
        "reproduce",
        help="compute published figures",
        description="Compute published figures; write NAME.png, NAME.csv (numbers with standard errors) and NAME.json "
        "(how they were made). A figure that is there already, of the same size, is not made again.",
        formatter_class=Help,
    )
    figures.add_argument("figures", nargs="*", metavar="FIGURE", help="figures to make; without any they are listed")
    figures.add_argument("--all", action="store_true", help="make all figures")
    figures.add_argument("--list", action="store_true", help="list the figures and stop")
    figures.add_argument("--full", action="store_true", help="the paper's sizes, instead of about a minute each")
    figures.add_argument(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("figures"),
        metavar="DIR",
        help="folder for the files",
    )
    figures.add_argument("--netcdf", action="store_true", help="write NAME.nc too (needs xarray)")
    figures.add_argument(
        "--store",
        metavar="DIR",
        help="keep what averages over disorder computed there, and go on from it",
    )
    figures.add_argument("--force", action="store_true", help="make again what is there")
    figures.add_argument("--quiet", action="store_true", help="no progress on stderr")
    figures.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List the figures or make them; 0 if all went well."""
    from .._nearest import did_you_mean
    from ..reproduce import FIGURES, is_made, summary
    from ..reproduce import run as make

    if options.list or not (options.figures or options.all):
        width = max(len(name) for name in FIGURES)
        print("\n".join(f"{name:<{width}}  {summary(name)}" for name in FIGURES))
        if not options.list:
            print("Name the figures to make, or --all.", file=sys.stderr)
        return 0
    unknown = [name for name in options.figures if name not in FIGURES]
    if unknown:
        asked = "".join(f" {question}" for name in unknown if (question := did_you_mean(name, FIGURES)))
        raise InputError(
            f"No figure is called {', '.join(unknown)}.{asked} `python -m jaxtls reproduce --list` names them."
        )

    import jax

    # A program may choose its precision; a library may not.
    jax.config.update("jax_enable_x64", True)

    names = list(FIGURES) if options.all else list(dict.fromkeys(options.figures))
    quick = not options.full
    for i, name in enumerate(names, start=1):
        count = f"[{i}/{len(names)}] " if len(names) > 1 else ""
        if not options.force and is_made(name, options.out, quick, netcdf=options.netcdf):
            print(f"{count}{name}: there already; --force makes it again", file=sys.stderr)
            continue
        if count and not options.quiet:
            print(f"{count}{name}", file=sys.stderr, flush=True)
        try:
            paths = make(name, options.out, quick, not options.quiet, options.store, netcdf=options.netcdf)
        except ImportError as error:
            raise InputError(str(error)) from None
        except OSError as error:
            # Those of the store name their file and the remedy, and have no number of the system.
            said = f"The folder {options.out} cannot be written: {error.strerror}." if error.strerror else str(error)
            raise InputError(said) from None
        print("written: " + ", ".join(paths))
        if len(names) == 1 and not options.quiet:
            print("\n" + (FIGURES[name].__doc__ or "").strip())
    return 0
