"""`python -m jaxtls.reproduce`: published figures as PNG and CSV."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    top = argparse.ArgumentParser(
        prog="python -m jaxtls.reproduce", description="Compute published figures; write NAME.png and NAME.csv."
    )
    top.add_argument("names", nargs="*", metavar="NAME", help="figures to make; all of them by default")
    top.add_argument("--list", action="store_true", help="list the figures and stop")
    top.add_argument("--out", default="figures", metavar="DIR", help="folder for the files (default: figures)")
    top.add_argument("--full", action="store_true", help="the paper's sizes, in minutes instead of about one")
    top.add_argument("--store", metavar="DIR", help="keep what ensembles computed there, and go on from it")
    top.add_argument("--quiet", action="store_true", help="no progress on stderr")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if all went well, 2 for a fault in the input."""
    options = parser().parse_args(arguments)

    import jax

    # A program may choose its precision; a library may not.
    jax.config.update("jax_enable_x64", True)

    from . import FIGURES, run

    if options.list:
        for name, module in FIGURES.items():
            print(f"{name:16s} {(module.__doc__ or '').splitlines()[0]}")
        return 0
    unknown = [name for name in options.names if name not in FIGURES]
    if unknown:
        print(f"No figure is called {', '.join(unknown)}; there are {', '.join(FIGURES)}.", file=sys.stderr)
        return 2
    for name in options.names or FIGURES:
        try:
            paths = run(name, options.out, quick=not options.full, progress=not options.quiet, store=options.store)
        except OSError as error:
            # Those of the store name their file and the remedy, and have no number of the system.
            said = f"The folder {options.out} cannot be written: {error.strerror}." if error.strerror else error
            print(said, file=sys.stderr)
            return 2
        print("written: " + ", ".join(paths))
    return 0


if __name__ == "__main__":
    sys.exit(main())
