"""What cutting an ensemble into parts costs: `python -m benchmarks.parts [parts] [realizations a part]`.

Wall and processor time of a part that computes next to nothing (trace, fingerprint, folder, blocks), in a process that
has compiled its program; of a start from nothing; and of `jt.merge`, whose parts are copies of one, renumbered.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

import jaxtls as jt

TIMES = 60  # numbers of a realization, as the glass's concurrence has


def one(key: jax.Array) -> jax.Array:
    """A realization that costs nothing."""
    return jax.random.uniform(key, (TIMES,))


@contextmanager
def timed(what: str, say: Callable[[str], object]) -> Iterator[None]:
    """Say the wall and processor time of a block."""
    wall, busy = time.perf_counter(), time.process_time()
    yield
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    say(f"{what:<40} {wall:9.3g} s, processor {busy:9.3g} s")


def renumbered(source: Path, copy: Path, k: int, rows: int) -> None:
    """A copy of a part under another number."""
    shutil.copytree(source, copy)
    manifest = json.loads((copy / "zarr.json").read_text())
    manifest["attributes"] |= {"part": k, "low": k * rows, "high": (k + 1) * rows}
    (copy / "zarr.json").write_text(json.dumps(manifest))


def main(parts: int = 10_000, rows: int = 100, say: Callable[[str], object] = print) -> jt.EnsembleResult:
    """Measure; the result of the merge."""
    jax.config.update("jax_enable_x64", True)
    with tempfile.TemporaryDirectory() as folder:
        store, key, n = Path(folder) / "s", jax.random.key(0), parts * rows
        run = lambda k: jt.ensemble(one, key, n, batch_size=rows, store=store, part=(k, parts))
        with timed("import jaxtls, in a new process", say):
            subprocess.run([sys.executable, "-c", "import jaxtls, jax, zarr; jax.devices()"], check=True)
        with timed("first part", say):
            run(0)
        few = min(10, parts - 1)
        with timed(f"{few} more parts", say):
            for k in range(1, few + 1):
                run(k)
        with timed(f"{few} parts that are there", say):
            for k in range(1, few + 1):
                run(k)
        inside = store / "parts"
        for k in range(few + 1, parts):
            renumbered(inside / "00000", inside / f"{k:05d}", k, rows)
        with timed(f"merge of {parts} parts of {rows}", say):
            return jt.merge(store)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
