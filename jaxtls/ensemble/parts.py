"""Runs an ensemble in parts that know nothing of each other: their ranges, their folders, and `merge`.

    STORE/parts/00003/      a store of its own, as of a plain run: rows n*3//K .. n*4//K - 1 of the whole

There is no file of the whole, so nothing is shared by two writers, and copying the folders of several machines into
one makes their store. Each part's manifest says of which run it is.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, PyTree

from .._checks import require, size
from .program import Program, planted, trace, unwritten
from .result import EnsembleResult, concluded
from .statistics import Stream, finite
from .store import Manifest, Store, manifest, manifest_of, place, refusal

FOLDER = "parts"
SPAN = 4096  # realizations read at a time
OTHER = "the other part"
NAMED = 4  # parts in a message, of those that are missing

Tell = Callable[[int, Stream], None]  # how many realizations are done, and their statistics


@dataclasses.dataclass(frozen=True)
class Cut:
    """Cuts n realizations into `parts` ranges that follow each other, equal to one."""

    n: int
    parts: int

    def range(self, k: int) -> range:
        """Gives the realizations of part k."""
        return range(self.n * k // self.parts, self.n * (k + 1) // self.parts)


def checked(
    n: int, store: str | os.PathLike | None, target: float | None, part: Any, executor: Any, parts: int | None
) -> tuple[Cut, int | None]:
    """Says how a run is cut, and which part of it is wanted, if one is. ValueError for what does not fit together."""
    if executor is None:
        require(parts is None, "executor", "be given with `parts`", executor)
    else:
        kinds = "A ProcessPoolExecutor, Dask's client.get_executor(), ...; submitit runs part= by its map_array."
        require(isinstance(executor, Executor), "executor", "be a concurrent.futures.Executor", repr(executor), kinds)
        require(part is None, "part", "be None with an executor, which runs all parts", part)
        require(parts is not None, "parts", "be given with an executor", parts, "Several for each worker are good.")
    if part is None and parts is None:
        return Cut(n, 1), None
    if part is not None:
        is_pair = isinstance(part, tuple | list) and len(part) == 2
        whole = is_pair and all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in part)
        require(whole and 0 <= part[0] < part[1], "part", "be (k, K) with 0 <= k < K", repr(part))
    name, count = ("parts", size("parts", parts)) if part is None else ("part", int(part[1]))
    require(count <= n, name, f"cut n = {n} realizations into parts of one or more", count)
    require(store is not None, "store", "be given for parts", store, "It is where they meet.")
    remedy = "One part does not know the others' errors: give parts= and executor=, or do all n."
    require(target is None or part is None, "target_error", "be None for one part", target, remedy)
    return Cut(n, count), None if part is None else int(part[0])


@dataclasses.dataclass(frozen=True)
class Plan:
    """Says what a run is to do.

    Arguments:
        program: the traced realization.
        key: of the ensemble.
        cut: into parts; one for a plain run.
        part: number of the part, or None for all of a plain run.
        batch_size: a number, or "auto".
        devices: of this process.
        store: a folder, or None.
        caller: mark of the function in the process that submitted the part; "" where none did.
    """

    program: Program
    key: Array
    cut: Cut
    part: int | None
    batch_size: int | str
    devices: tuple[jax.Device, ...]
    store: Path | None
    caller: str = ""

    @property
    def whole(self) -> range:
        """Gives the realizations that this part has."""
        return self.cut.range(self.part or 0)

    def manifest(self, k: int | None) -> dict[str, Any]:
        """Gives what the store of part k says, or for None that of a plain run."""
        said = manifest(self.program, self.key, self.caller)
        if k is None:
            return said
        rows = self.cut.range(k)
        which = {"n": self.cut.n, "parts": self.cut.parts, "part": k, "low": rows.start, "high": rows.stop}
        return {**said, **which}

    def opened(self) -> Store | None:
        """Opens the store, to write; ValueError if another run has written there."""
        if self.store is None:
            return None
        said = self.manifest(self.part)
        if self.part is None:
            remedy = "jt.merge(store) averages them; part= or executor= goes on."
            require(not (self.store / FOLDER).is_dir(), "store", "not hold parts", self.store, remedy)
            return Store.open(self.store, self.cut.n, self.program, said)
        # One other part is looked at, not all: thousands of jobs start at once. `merge` looks at all.
        for _, other in _there(self.store):
            with contextlib.suppress(OSError):  # a damaged one hurts itself alone
                same_run(other, said)
                break
        return Store.open(folder(self.store, self.part), len(self.whole), self.program, said)


def folder(store: Path, k: int) -> Path:
    """Says where part k is."""
    return store / FOLDER / f"{k:05d}"


def folders(store: Path) -> dict[int, Path]:
    """Lists the parts that are there, by number."""
    return dict(sorted(_there(store)))


def _there(store: Path) -> Iterator[tuple[int, Path]]:
    """List numbers and folders of parts; ValueError for a place that is no store of parts and not empty."""
    inside = store / FOLDER
    # Looked at first: another part may make the folder in between.
    is_new = not store.exists() or (store.is_dir() and not any(store.iterdir()))
    if inside.is_dir():
        for path in inside.iterdir():
            if path.name.isdecimal() and (path / "zarr.json").exists():
                yield int(path.name), path
        return
    require(is_new, "store", "be a new path or a store of parts", store, "Give a path where nothing is yet.")


def same_run(other: Path, mine: Manifest) -> None:
    """Raises ValueError if a folder holds another run."""
    why = refusal(manifest_of(other), mine)
    remedy = "Give another path, or delete the store if its realizations are not needed any more."
    require(why is None, "store", "hold the same run", f"{other}: {why}", remedy)


class Gathering:
    """Gathers parts in the order of their number, through one stream: the sums of the single run, to the last bit.

    Arguments:
        leaves: (shape, dtype) of each leaf.
        target: where the stream stops, or None.
    """

    def __init__(self, leaves: Sequence[tuple[tuple[int, ...], np.dtype]], target: float | None = None):
        self.stream = Stream(leaves, target)
        self.failed: list[int] = []

    def take(self, part: Store, low: int) -> None:
        """Take what a part has of the realizations from `low` on."""
        for first in range(0, len(part.known), SPAN):
            rows = np.flatnonzero(part.known[first : first + SPAN])
            if not len(rows) or self.stream.reached:
                continue
            values = part.read(first, first + int(rows[-1]) + 1)
            values = [value[rows] for value in values]
            before, tried = len(self.stream.failed), self.stream.tried
            self.stream.add(values, finite(values))
            self.failed += [low + first + int(rows[i - tried]) for i in self.stream.failed[before:]]

    def result(self, grown: Callable[[Sequence[Array]], PyTree[Array]], **rest: Any) -> EnsembleResult:
        """Gives what was taken. It was computed elsewhere: no devices, no batches."""
        return concluded(self.stream, self.failed, grown, batch_size=0, memory=0, devices=(), part=None, **rest)


def merge(
    store: str | os.PathLike, *, partial: bool = False, realization: Callable[[Array], PyTree] | None = None
) -> EnsembleResult:
    r"""Gives the result of an ensemble whose parts were computed one by one, to the last bit that of a single run.

    $$\bar x = \frac1n \sum_{k<K} \; \sum_{i = \lfloor nk/K \rfloor}^{\lfloor n(k+1)/K \rfloor - 1} x_i$$

    summed in the order of i. It reads all values, a block at a time, and writes nothing; parts may still be running.

    Arguments:
        store: the path that `jt.ensemble(..., store=, part=)` or `executor=` was given; folders of several machines
            copied into one are one store. That of a plain run will do as well.
        partial: average what is there; the result says how much that is. Parts that cannot be read are left out whole,
            and `r.damaged` names their files.
        realization: the function that was averaged, for `r.realization(i)` and for pytrees that hold classes: a store
            holds numbers and names alone. It is compared with the store's where the platform (CPU, GPU) is the same.

    Returns:
        An `EnsembleResult` with `batch_size` 0 and no devices.

    Raises:
        ValueError: if parts are missing, unfinished (without `partial`), or of another run, which it names; or if
            nothing is there.
        OSError: if a part's block cannot be read (without `partial`, or if none can); it says which file to delete to
            have that block computed again.
        ImportError: without zarr.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> draw = lambda key: jax.random.normal(key, (2,))
        >>> for k in (1, 0):
        ...     r = jt.ensemble(draw, jax.random.key(0), 100, batch_size=10, store=folder, part=(k, 2))
        >>> whole = jt.ensemble(draw, jax.random.key(0), 100, batch_size=10)
        >>> bool(jnp.all(jt.merge(folder).mean == whole.mean))
        True
    """
    root = place(store)
    require(root.is_dir(), "store", "be the folder of an ensemble", root, "Nothing is there.")
    there = folders(root) if (root / FOLDER).is_dir() else {0: root}
    require(bool(there), "store", "hold parts of an ensemble", root, "None has been started.")
    damaged = Damaged(partial)
    said: dict[int, Manifest] = {}
    for k, path in there.items():
        with damaged.noted(k):
            said[k] = manifest_of(path)
    first = _agreed(said, there, damaged)
    names, leaves = _leaves(first)
    is_cut = "parts" in first
    cut = Cut(first["n"], first["parts"]) if is_cut else Cut(len(Store.view(root, names).known), 1)
    program, key = None, unwritten(first["key"], bool(first["key_is_typed"]))
    if realization is not None:
        program = _compared(trace(realization, key), key, first)
    is_known = program is not None or bool(first["tree"])
    require(is_known, "realization", "be given", realization, "It returns classes, which a store does not hold.")
    shown = {}
    for k in said:
        with damaged.noted(k):
            shown[k] = Store.view(there[k], names)
    found = {k: int(shown[k].known.sum()) if k in shown else 0 for k in range(cut.parts)}
    lacking = {k: count for k, count in found.items() if count < len(cut.range(k))}
    remedy = f"The store is {root}; partial=True takes what is there."
    require(partial or not lacking, "store", "be complete", _listed(lacking, cut), remedy)
    gathering = Gathering(leaves)
    for k in sorted(shown):
        before = copy.deepcopy(gathering) if partial else gathering
        with damaged.noted(k):
            gathering.take(shown.pop(k), cut.range(k).start)  # popped, as it holds a block
        if k in damaged.said:
            gathering = before
    grown = program.tree if program is not None else functools.partial(planted, first["tree"])
    rest = {"key": key, "names": names, "program": program, "damaged": damaged.listed()}
    return gathering.result(grown, n=cut.n, store=root, **rest)


class Damaged:
    """Collects parts that cannot be read.

    Arguments:
        is_left_out: whether they are noted and left out; otherwise the first one's OSError goes on.
    """

    def __init__(self, is_left_out: bool):
        self.is_left_out = is_left_out
        self.said: dict[int, OSError] = {}

    @contextlib.contextmanager
    def noted(self, k: int) -> Iterator[None]:
        """Note what cannot be read of part k."""
        try:
            yield
        except OSError as error:
            if not self.is_left_out:
                raise
            self.said[k] = error

    def listed(self) -> tuple[str, ...]:
        """Says what is wrong with each of them."""
        return tuple(f"part {k}: {error.strerror or error}" for k, error in sorted(self.said.items()))


def _agreed(said: dict[int, Manifest], there: dict[int, Path], damaged: Damaged) -> Manifest:
    """Take the manifest of the parts; ValueError if they are not of one run, OSError if none can be read."""
    if not said:
        raise next(iter(damaged.said.values()))
    lowest = min(said)
    # Functions are compared to the last bit on one platform alone, so each part with the first of its own, too.
    alike: dict[str, int] = {}
    for k in sorted(said):
        alike.setdefault(said[k]["platform"], k)
    for k, other in said.items():
        for beside in dict.fromkeys((lowest, alike[other["platform"]])):
            is_here = other.get("part", 0) == k
            why = refusal(other, said[beside], OTHER) if is_here else f"its manifest is that of part {other['part']}"
            # Which of the two is the foreign one, only the user knows.
            fits = f"hold parts of one run: delete {there[k]} or the others"
            require(why is None, "store", fits, f"part {k} beside part {beside}: {why}")
    return said[lowest]


def _leaves(said: Manifest) -> tuple[tuple[str, ...], list[tuple[tuple[int, ...], np.dtype]]]:
    rows = json.loads(said["leaves"])
    return tuple(row[0] for row in rows), [(tuple(row[1]), np.dtype(row[2])) for row in rows]


def _compared(program: Program, key: Array, first: Manifest) -> Program:
    """Take the program, unless it is not that of the parts."""
    mine = manifest(program, key)
    mine = {**mine, **{name: first[name] for name in ("n", "parts") if name in first}}
    if mine["platform"] != first["platform"]:
        mine["fingerprint"], mine["platform"] = first["fingerprint"], first["platform"]
    why = refusal(first, mine)
    require(why is None, "realization", "be the function of the store", why)
    return program


def _listed(lacking: dict[int, int], cut: Cut) -> str:
    """Name the parts that are not complete, the first few by name."""
    words = []
    for k, found in list(lacking.items())[:NAMED]:
        have = f" has {found} of {len(cut.range(k))}" if found else " is missing"
        words.append(f"part {k} of {cut.parts}{have}")
    more = f" and {len(lacking) - NAMED} more parts" if len(lacking) > NAMED else ""
    return ", ".join(words) + more
