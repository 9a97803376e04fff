"""`jaxtls ensemble` and `jaxtls merge` compute an ensemble, or one part of it, from a script; job arrays call them."""

from __future__ import annotations

import argparse
import importlib
import pathlib
import runpy
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import Written
from .tables import InputError

if TYPE_CHECKING:
    from jaxtyping import Array, PyTree

    from ..ensemble import EnsembleResult

SBATCH = """\
#!/bin/bash
#SBATCH --array=0-63 --gres=gpu:1 --cpus-per-task=8 --time=02:00:00 --requeue
srun --cpus-per-task=$SLURM_CPUS_PER_TASK \\
    python -m jaxtls ensemble glass.py:one --n 1000000 --store glass --part $SLURM_ARRAY_TASK_ID/64
"""
ARRAY = f"""\
A job array of SLURM, parts.sbatch. Each task has one GPU and knows its number alone. After a
failure of the node or a preemption Slurm starts a task again by itself (--requeue); after an error
of its own or the end of its time, `sbatch --array=17 parts.sbatch` does. Both go on where it was. K
is written out: it stays 64 then. A merge that waited for a task that failed waits for ever: cancel
it, and send it again.

{SBATCH}
sbatch --dependency=afterok:$(sbatch --parsable parts.sbatch) \\
    --wrap="python -m jaxtls merge glass --out glass.npz"
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add both commands to argparse's subparsers."""
    one = commands.add_parser(
        "ensemble",
        help="average a function of a random key, in parts on a cluster",
        description="Average a function of a random key over n realizations, or compute part k of K of them.",
        epilog=ARRAY,
        formatter_class=Written,
    )
    one.add_argument("function", metavar="SCRIPT.py:NAME", help="the realization; or PACKAGE.MODULE:NAME")
    one.add_argument("--n", type=int, required=True, help="number of realizations in all")
    one.add_argument("--store", required=True, help="folder for the values, common to all parts")
    one.add_argument("--part", type=_part, metavar="k/K", help="compute this part alone, 0 <= k < K")
    one.add_argument("--seed", type=int, default=0, help="of jax.random.key")
    one.add_argument("--batch-size", type=_batch, default="auto", help="realizations at a time")
    one.add_argument("--target-error", type=float, help="stop at this standard error of the mean; not with --part")
    one.add_argument("--single", action="store_true", help="single precision")
    one.set_defaults(run=run)

    merged = commands.add_parser(
        "merge",
        help="average the parts of an ensemble",
        description="Average the parts of an ensemble: the numbers of a single run, to the last bit.",
    )
    merged.add_argument("store", help="the folder that the parts were given")
    merged.add_argument("--partial", action="store_true", help="average what is there")
    merged.add_argument("--out", metavar="FILE.npz", help="write NAME, NAME_std, NAME_sem, count and failed_indices")
    merged.set_defaults(run=run_merge)


def run(options: argparse.Namespace) -> int:
    """Compute what the store lacks and print the result."""
    import jax

    # A program may choose its precision; a library may not.
    jax.config.update("jax_enable_x64", not options.single)

    from .. import ensemble

    function = _function(options.function)
    raised: list[Exception] = []

    def realization(key: Array) -> PyTree:
        try:
            return function(key)
        except Exception as error:
            raised.append(error)
            raise

    found = _plainly(
        lambda: ensemble(
            realization,
            jax.random.key(options.seed),
            options.n,
            store=options.store,
            part=options.part,
            batch_size=options.batch_size,
            target_error=options.target_error,
            progress=sys.stderr.isatty(),
        ),
        raised,
    )
    print(found)
    return 0


def run_merge(options: argparse.Namespace) -> int:
    """Average the parts, print the result and write it."""
    import jax

    jax.config.update("jax_enable_x64", True)

    from .. import merge

    found = _plainly(lambda: merge(options.store, partial=options.partial))
    print(found)
    if options.out is not None:
        with _writable(options.out) as file:
            np.savez(file, **_arrays(found))
    return 0


def _arrays(found: EnsembleResult) -> dict[str, Any]:
    """Give what `--out` writes, by name; a leaf whose name, or NAME_std, is taken gets a _ and is told of."""
    import jax

    arrays = {
        "count": np.asarray(found.count),
        "failed_indices": np.asarray(found.failed_indices, dtype=np.int64),
    }
    endings = ("", "_std", "_sem")
    parts = [jax.tree.leaves(tree) for tree in (found.mean, found.std, found.sem)]
    for i, name in enumerate(found.names):
        free = name
        while any(free + ending in (*arrays, *found.names[i + 1 :], "file") for ending in endings):
            free += "_"
        if free != name:
            print(f"{name} is written as {free}: its name or one of NAME_std and NAME_sem is taken.")
        arrays |= {free + ending: np.asarray(part[i]) for ending, part in zip(endings, parts)}
    return arrays


def _plainly(work: Callable[[], EnsembleResult], raised: Sequence[Exception] = ()) -> EnsembleResult:
    """Say faults of the arguments and of the disk in one sentence; what the script itself `raised` passes as it is."""
    try:
        return work()
    except (ValueError, OSError, ImportError) as error:
        is_ours = isinstance(error, OSError) or str(error).startswith(("Argument `", "store= needs"))
        if not is_ours or any(error is other for other in raised):
            raise
        raise InputError(str(error)) from None


def _writable(path: str) -> Any:
    try:
        return open(path, "wb")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None


def _function(text: str) -> Callable[..., Any]:
    """Find the function of SCRIPT.py:NAME or MODULE:NAME."""
    where, _, name = text.rpartition(":")
    if not where or where.startswith(".") or not name.isidentifier():
        raise InputError(f"{text!r} must be SCRIPT.py:NAME or PACKAGE.MODULE:NAME.")
    if where.endswith(".py"):
        path = pathlib.Path(where)
        if not path.is_file():
            raise InputError(f"{where} is not a file.")
        sys.path.insert(0, str(path.absolute().parent))  # as for a script that is run
        names = runpy.run_path(str(path), run_name="__jaxtls__")
    else:
        sys.path.insert(0, "")
        try:
            names = vars(importlib.import_module(where))
        except ModuleNotFoundError as error:
            # What the module itself fails to import is its own fault, and keeps its traceback.
            if not f"{where}.".startswith(f"{error.name}."):
                raise
            raise InputError(f"{text!r}: there is no module {error.name}.") from None
    if name not in names:
        raise InputError(f"{where} defines no {name}.")
    if not callable(names[name]):
        raise InputError(f"{name} of {where} is no function of a key.")
    return names[name]


def _part(text: str) -> tuple[int, int]:
    k, _, parts = text.partition("/")
    if not (k.isdecimal() and parts.isdecimal() and int(k) < int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} must be k/K with 0 <= k < K, as 3/64")
    return int(k), int(parts)


def _batch(text: str) -> int | str:
    if text != "auto" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number or auto")
    return text if text == "auto" else int(text)
