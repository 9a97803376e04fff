"""The store holds every realization's values in Zarr arrays with a leading axis of realizations.

    PATH/zarr.json          the manifest, as attributes of the group
    PATH/<leaf>/...         one array for each leaf, dimensions ("realization", "<leaf>_0", ...)
    PATH/status/...         0 not computed, 1 computed, 2 computed and not finite

All arrays are cut into the same blocks of realizations, whose length depends on the shapes alone. Zarr replaces every
file whole, and a block's values are on the disk before its status says so: what a killed run leaves is valid, and at
most unfinished. A checksum in every block tells if it was damaged.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from .._checks import is_typed, require
from .fingerprint import UNKNOWABLE
from .program import Program, written

# Seconds for which a store that is in use is asked for again.
PATIENCE = 5.0
LEFT = 3600.0  # seconds after which nobody is making a store any more
FORMAT = 2
PARTIAL = ".partial"  # the end of the names under which Zarr writes files
STATUS = "status"
UNKNOWN, GOOD, BAD = 0, 1, 2
BLOCK_BYTES = 2**21
MOST_ROWS = 4096
ROOM = "What was written before is whole: make room and run again."
WRITING = 0.05  # share of the time that goes into writing blocks that are not full yet

Leaves = Sequence[tuple[tuple[int, ...], np.dtype]]
Manifest = Mapping[str, Any]


def manifest(program: Program, key: Array, caller: str = "") -> dict[str, Any]:
    """Tells what a store says about the run that wrote it: flat, of numbers and strings, so that xarray can write it.

    `caller` is the mark of the function where the run was submitted to an executor, perhaps on another platform.
    """
    leaves = [[name, list(shape), str(kind)] for name, (shape, kind) in zip(program.names, program.leaves)]
    return {
        "jaxtls_store": FORMAT,
        "jaxtls": version("jaxtls"),
        "jax": jax.__version__,
        "platform": jax.default_backend(),
        "key": written(key),
        "key_is_typed": int(is_typed(key)),
        "fingerprint": program.fingerprint,
        "caller": caller,
        "leaves": json.dumps(leaves),
        "tree": program.outline,
    }


def mark(manifest: Manifest) -> str:
    """Marks the function on its platform."""
    return f"{manifest['platform']}:{manifest['fingerprint']}"


def same_function(old: Manifest, new: Manifest) -> bool:
    """Says whether two runs average the same function, as far as can be known.

    On one platform the hash says so. Between platforms, and where it cannot say (`UNKNOWABLE`), a common caller does.
    """
    is_known = not (old["fingerprint"] + new["fingerprint"]).count(UNKNOWABLE)
    if old["platform"] == new["platform"] and is_known:
        return bool(old["fingerprint"] == new["fingerprint"])
    return bool(({mark(new), new["caller"]} & {mark(old), old.get("caller", "")}) - {""})


def submitted(mine: Manifest, caller: str) -> bool:
    """Says whether what a worker has traced is what `caller` marks."""
    platform, _, fingerprint = caller.partition(":")
    return same_function({"platform": platform, "fingerprint": fingerprint, "caller": caller}, mine)


def refusal(old: Manifest, new: Manifest, whose: str = "now") -> str | None:
    """Says why a run must not go on with a store, or with a part of one; None if it may. `whose` is what `new` says."""
    if ("parts" in old) != ("parts" in new):
        return f"it is {'a part of an ensemble' if 'parts' in old else 'a plain run, not a part'}"
    if old["key"] != new["key"]:
        return f"its key is {old['key']}, not {new['key']}"
    if old["leaves"] != new["leaves"]:
        return f"its arrays [name, shape, dtype] are {old['leaves']}, not {new['leaves']}"
    if [old.get(name) for name in ("n", "parts")] != [new.get(name) for name in ("n", "parts")] and "parts" in new:
        return f"it is cut for n = {old['n']} in {old['parts']} parts, not n = {new['n']} in {new['parts']}"
    if not same_function(old, new):
        names = ("jaxtls", "jax", "platform")
        changed = [f"{name} {old[name]} ({whose} {new[name]})" for name in names if old[name] != new[name]]
        why = f"; it was written with {', '.join(changed)}" if changed else ""
        return f"its realizations were computed by another function or with other parameters{why}"
    return None


def place(store: str | os.PathLike) -> Path:
    """Gives the folder that a user means."""
    text = os.fspath(store)
    remedy = "Copy the finished store there, or mount it."
    require("://" not in text, "store", "be a path of this machine's file system", repr(text), remedy)
    return Path(text).absolute()


def manifest_of(folder: Path) -> dict[str, Any]:
    """Reads the manifest of a store, without opening it; ValueError if it is not one of ours, or of another version."""
    remedy = "Give a path where nothing is yet."
    try:
        with plainly(f"Cannot open the store {folder}"):
            found = json.loads((folder / "zarr.json").read_text())["attributes"]
    except OSError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError | KeyError):
            found = {}
        else:
            raise
    require("jaxtls_store" in found, "store", "be a new path or a store of jt.ensemble", folder, remedy)
    wrote = found["jaxtls_store"]
    remedy = "Use the jaxtls that wrote it, or give another path; xarray.open_zarr reads its values."
    require(wrote == FORMAT, "store", f"have format {FORMAT}", f"{folder}, which has format {wrote}", remedy)
    return dict(found)


def block_rows(leaves: Leaves) -> int:
    """Counts realizations in a block: a power of two, of about `BLOCK_BYTES` for all leaves together."""
    row = sum(int(np.prod(shape)) * kind.itemsize for shape, kind in leaves)
    return int(2 ** int(np.log2(np.clip(BLOCK_BYTES / max(row, 1), 1, MOST_ROWS))))


class InUse(ValueError):
    """Says that another process is writing the store."""


class Store:
    """Holds an open store: one run's or one part's, locked against other processes unless it is only read.

    Arguments:
        path: a folder of this machine's file system.
        group: the Zarr group in it.
        names: of the leaves.
        guard: descriptor of the lock.
    """

    def __init__(self, path: Path, group: Any, names: Sequence[str], guard: int | None = None):
        self.path = path
        self._group, self._guard = group, guard
        with _zarr().config.set({"array.write_empty_chunks": True}):  # a missing file means not computed
            self._arrays = [group[name] for name in (*names, STATUS)]
        self._rows = int(self._arrays[-1].chunks[0])
        self._block = -1
        self._values: list[np.ndarray] = []
        self._is_dirty = False
        self._written, self._cost = 0.0, 0.0
        self.known = self._known()

    @classmethod
    def open(cls, path: Path, length: int, program: Program, manifest: Manifest) -> Store:
        """Open a store of at least `length` realizations, or make it; ValueError if another run wrote it."""
        _zarr()
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            _create(path, length, program, manifest)
        why = refusal(manifest_of(path), manifest)
        remedy = "Give another path, or delete the store if its realizations are not needed any more."
        require(why is None, "store", "hold the same run", f"{path}: {why}", remedy)
        guard = _lock(path)
        try:
            for leftover in path.rglob(f"*{PARTIAL}"):
                leftover.unlink(missing_ok=True)
            with plainly(f"Cannot open the store {path}"):
                group = _zarr().open_group(path, mode="r+", zarr_format=3, use_consolidated=False)
            store = cls(path, group, program.names, guard)
            have = max(array.shape[0] for array in store._arrays)
            if length > have or any(array.shape[0] != have for array in store._arrays):  # a kill may have left these
                store._resize(max(length, have))
                store.known = store._known()
            return store
        except BaseException:
            _release(guard)
            raise

    @classmethod
    def view(cls, path: Path, names: Sequence[str]) -> Store:
        """Open a store to read it, also while another process writes it; nothing is changed."""
        with plainly(f"Cannot open the store {path}"):
            return cls(path, _zarr().open_group(path, mode="r", zarr_format=3), names)

    def batch_size(self, n: int) -> int | None:
        """Gives the batch size of an earlier run with the same n."""
        found = dict(self._group.attrs)
        return int(found["batch_size"]) if found.get("n") == n and "batch_size" in found else None

    def remember(self, n: int, batch_size: int) -> None:
        """Note n and the batch size of this run; a resumed run with the same batches is the same to the last bit."""
        if self.batch_size(n) != batch_size:
            with plainly(f"Cannot write to the store {self.path}", ROOM):
                self._group = _consolidated(self.path)
                self._group.attrs.update({"n": n, "batch_size": batch_size})
                _settle([self.path / "zarr.json"])

    def read(self, low: int, high: int) -> list[np.ndarray]:
        """Reads values of the realizations low .. high - 1, one array for each leaf; what is not known is arbitrary."""
        parts = []
        while low < high:
            first = self._enter(low // self._rows)
            stop = min(high, first + self._rows)
            parts.append([values[low - first : stop - first].copy() for values in self._values[:-1]])
            low = stop
        return [np.concatenate(pieces) for pieces in zip(*parts)]

    def put(self, low: int, values: Sequence[np.ndarray], good: np.ndarray) -> None:
        """Keep the realizations low, low + 1, ...; written when their block is full, and now and then before."""
        done = 0
        while done < len(good):
            first = self._enter((low + done) // self._rows)
            here = low + done - first
            some = min(len(good) - done, self._rows - here)
            for block, value in zip(self._values, values):
                block[here : here + some] = value[done : done + some]
            self._values[-1][here : here + some] = np.where(good[done : done + some], GOOD, BAD)
            self.known[low + done : low + done + some] = True
            self._is_dirty = True
            done += some
        if time.monotonic() - self._written > self._cost / WRITING:
            self.flush()

    def flush(self) -> None:
        """Brings everything to the disk, the status last."""
        if not self._is_dirty:
            return
        started = time.monotonic()
        self._is_dirty = False  # a write that failed is not tried again on the way out
        first = self._block * self._rows
        stop = min(first + self._rows, len(self.known))
        with plainly(f"Cannot write to the store {self.path}", ROOM):
            for array, values in zip(self._arrays, self._values):
                array[first:stop] = values[: stop - first]
                if array.size:
                    _settle([self._file(array, self._block)])
        self._written = time.monotonic()
        self._cost = self._written - started

    def close(self, tried: int | None = None) -> None:
        """Flush and let go. With `tried`, a finished run that stopped early drops the empty rows at the end."""
        try:
            self.flush()
            if tried is not None:
                last = int(np.max(np.flatnonzero(self.known), initial=-1)) + 1
                if max(tried, last) < len(self.known):
                    self._resize(max(tried, last))
        finally:
            _release(self._guard)
            self._guard = None

    def _enter(self, block: int) -> int:
        """Make a block the open one, with what the disk has of it; give its first realization."""
        first = block * self._rows
        if block != self._block:
            self.flush()
            stop = min(first + self._rows, len(self.known))
            whole = [np.zeros((self._rows, *array.shape[1:]), array.dtype) for array in self._arrays]
            if np.any(self.known[first:stop]):
                for array, values in zip(self._arrays, whole):
                    with self._reading(array, block):
                        values[: stop - first] = array[first:stop]
                # A block of which a file is missing counts as not computed.
                whole[-1][: stop - first][~self.known[first:stop]] = UNKNOWN
            for values in whole[:-1]:
                if values.dtype.kind in "fc":
                    values[whole[-1] == UNKNOWN] = np.nan
            self._values, self._block = whole, block
        return first

    def _known(self) -> np.ndarray:
        """Say which realizations the store holds."""
        status = self._arrays[-1]
        known = np.zeros(status.shape[0], bool)
        for block in range(-(-status.shape[0] // self._rows)):
            rows = slice(block * self._rows, min((block + 1) * self._rows, status.shape[0]))
            if all(self._file(array, block).exists() for array in self._arrays if array.size):
                with self._reading(status, block):
                    known[rows] = status[rows] != UNKNOWN
        return known

    def _file(self, array: Any, block: int) -> Path:
        corner = (block, *(0 for _ in array.shape[1:]))
        return self.path / array.path / array.metadata.encode_chunk_key(corner)

    def _reading(self, array: Any, block: int) -> contextlib.AbstractContextManager[None]:
        file = self._file(array, block)
        remedy = f"Delete {file} to have the realizations of this block computed again; the others stay."
        return plainly(f"Cannot read a block of the store {self.path}", remedy)

    def _resize(self, length: int) -> None:
        with plainly(f"Cannot write to the store {self.path}", ROOM):
            for array in self._arrays:
                array.resize((length, *array.shape[1:]))
            _consolidated(self.path)


@contextlib.contextmanager
def plainly(what: str, remedy: str = "") -> Iterator[None]:
    """Turns errors of disks and decoders into one OSError that says what failed and what to do."""
    try:
        yield
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        message = f"{what}: {reason}. {remedy}".strip()
        number = error.errno if isinstance(error, OSError) else None
        raise (OSError(message) if number is None else OSError(number, message)) from error


def _zarr() -> ModuleType:
    """Import Zarr, which takes a second and is an extra."""
    try:
        import zarr
    except ImportError as error:
        raise ImportError("store= needs zarr 3.1.3 or newer: pip install 'jaxtls[store]'.") from error
    return zarr


def _consolidated(path: Path) -> Any:
    """Copy all shapes into the group's own file: readers open one file, and see one state of all arrays. The group."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr says that not every other implementation reads the copy
        return _zarr().consolidate_metadata(_zarr().storage.LocalStore(path), zarr_format=3)


def _settle(files: Iterable[Path]) -> None:
    """Wait until the disk has these files."""
    for file in files:
        descriptor = os.open(file, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _lock(folder: Path) -> int | None:
    """Hold the folder until the descriptor is closed or the process dies; None where the system has no such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    # A writer that was just killed may need a moment to be gone.
    patience = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() < patience:
                time.sleep(0.05)
                continue
            os.close(descriptor)
        except OSError:
            os.close(descriptor)
            return None
        remedy = "Wait until it is done, or stop it: the same call then goes on where it was."
        raise InUse(f"Argument `store` must not be in use, but another run is writing {folder}. {remedy}")


def _release(guard: int | None) -> None:
    if guard is not None:
        os.close(guard)


def _create(path: Path, length: int, program: Program, manifest: Manifest) -> None:
    """Make an empty store beside its place and move it there whole."""
    for leftover in path.parent.glob(f".{path.name}.*{PARTIAL}"):  # of processes that were killed here
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > LEFT:
                shutil.rmtree(leftover)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        with plainly(f"Cannot make the store {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            group = _zarr().create_group(beside, zarr_format=3, attributes=dict(manifest))
            rows = block_rows(program.leaves)
            for name, (shape, kind) in zip(program.names, program.leaves):
                _make_array(group, name, (length, *shape), rows, kind)
            _make_array(group, STATUS, (length,), rows, np.dtype(np.uint8))
            meanings = "not_computed computed not_finite"
            group[STATUS].attrs.update({"flag_values": [UNKNOWN, GOOD, BAD], "flag_meanings": meanings})
            _consolidated(beside)
            _settle(beside.rglob("zarr.json"))
            try:
                os.rename(beside, path)
            except OSError:
                if not (path / "zarr.json").exists():  # another process made the store first: its lock decides
                    raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _make_array(group: Any, name: str, shape: tuple[int, ...], rows: int, kind: np.dtype) -> None:
    """Make a new array in blocks of `rows`, with a checksum in every block."""
    codecs = _zarr().codecs
    group.create_array(
        name,
        shape=shape,
        chunks=(rows, *(max(length, 1) for length in shape[1:])),
        dtype=kind,
        fill_value=np.asarray(np.nan if kind.kind in "fc" else 0).astype(kind)[()],
        compressors=[codecs.ZstdCodec(level=1), codecs.Crc32cCodec()],
        dimension_names=("realization", *(f"{name}_{axis}" for axis in range(len(shape) - 1))),
    )
