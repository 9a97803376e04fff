"""The store: every realization's values in Zarr arrays with a leading axis of realizations.

    PATH/zarr.json          the manifest, as attributes of the group
    PATH/<leaf>/...         one array for each leaf, dimensions ("realization", "<leaf>_0", ...)
    PATH/status/...         0 not computed, 1 computed, 2 computed and not finite

All arrays are cut into the same blocks of realizations, whose length depends on the shapes alone. A block's values
are on the disk before its status says so, and every file is replaced whole: what a killed run leaves is valid, and at
most unfinished.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._checks import require
from . import files
from .manifest import refusal

STATUS = "status"
UNKNOWN, GOOD, BAD = 0, 1, 2
BLOCK_BYTES = 2**21
MOST_ROWS = 4096
ROOM = "What was written before is whole: make room and run again."
WRITING = 0.05  # share of the time that goes into writing blocks that are not full yet


def block_rows(leaves: Sequence[tuple[tuple[int, ...], np.dtype]]) -> int:
    """Realizations in a block: a power of two, of about `BLOCK_BYTES` for all leaves together."""
    row = sum(int(np.prod(shape)) * kind.itemsize for shape, kind in leaves)
    return int(2 ** int(np.log2(np.clip(BLOCK_BYTES / max(row, 1), 1, MOST_ROWS))))


class Store:
    """An open store, locked against other processes.

    Args:
        path: a folder of this machine's file system.
        group: the Zarr group in it.
        names: of the leaves.
        n: realizations that the run asks for.
        guard: descriptor of the lock.
    """

    def __init__(self, path: Path, group: Any, names: Sequence[str], n: int, guard: int | None):
        self.path, self.names, self.n = path, tuple(names), n
        self._group = group
        self._guard = guard
        self._arrays = _zarr().arrays(group, (*self.names, STATUS))
        self._rows = int(self._arrays[-1].chunks[0])
        self._block = -1
        self._values: list[np.ndarray] = []
        self._is_dirty = False
        self._written, self._cost = 0.0, 0.0
        files.sweep(path)
        self._grow()
        self.known = self._known()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike,
        n: int,
        names: Sequence[str],
        leaves: Sequence[tuple[tuple[int, ...], np.dtype]],
        manifest: Mapping[str, Any],
    ) -> Store:
        """Open a store, or make it; ValueError if another run wrote it."""
        _zarr()
        text = os.fspath(path)
        remedy = "Copy the finished store there, or mount it."
        require("://" not in text, "store", "be a path of this machine's file system", repr(text), remedy)
        place = Path(text).absolute()
        if not place.exists() or (place.is_dir() and not any(place.iterdir())):
            _create(place, n, names, leaves, manifest)
        remedy = "Give a path where nothing is yet."
        is_ours = (place / "zarr.json").is_file()
        require(is_ours, "store", "be a new path or a store of jt.ensemble", text, remedy)
        try:
            guard = files.lock(place)
        except BlockingIOError:
            raise ValueError(f"Argument `store` must not be in use, but another run is writing {text}.") from None
        try:
            with _plainly(f"Cannot open the store {text}"):
                group = _zarr().open_group(place)
            old = dict(group.attrs)
            require("jaxtls_store" in old, "store", "be a new path or a store of jt.ensemble", text, remedy)
            why = refusal(old, manifest)
            remedy = "Give another path, or delete the store if its realizations are not needed any more."
            require(why is None, "store", "hold the same run", f"{text}: {why}", remedy)
            return cls(place, group, names, n, guard)
        except BaseException:
            _release(guard)
            raise

    @property
    def batch_size(self) -> int | None:
        """The batch size of an earlier run with the same n."""
        found = dict(self._group.attrs)
        return int(found["batch_size"]) if found.get("n") == self.n and "batch_size" in found else None

    def remember(self, batch_size: int) -> None:
        """Note n and the batch size of this run; a resumed run with the same batches is the same to the last bit."""
        if (self.batch_size, self._group.attrs.get("n")) != (batch_size, self.n):
            with _plainly(f"Cannot write to the store {self.path}", ROOM):
                self._group = _zarr().consolidate(self.path)
                self._group.attrs.update({"n": self.n, "batch_size": batch_size})

    def read(self, low: int, high: int) -> list[np.ndarray]:
        """Values of the realizations low .. high - 1, one array for each leaf; what is not known is arbitrary."""
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
        """Bring everything to the disk."""
        if not self._is_dirty:
            return
        started = time.monotonic()
        self._is_dirty = False  # a write that failed is not tried again on the way out
        first = self._block * self._rows
        stop = min(first + self._rows, len(self.known))
        with _plainly(f"Cannot write to the store {self.path}", ROOM):
            for array, values in zip(self._arrays, self._values):
                array[first:stop] = values[: stop - first]
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
        """Make a block the open one, with what the disk has of it; its first realization."""
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
        """Which realizations the store holds."""
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
        return _plainly(f"Cannot read a block of the store {self.path}", remedy)

    def _grow(self) -> None:
        """Make all arrays at least `n` and equally long; a kill may have left them otherwise."""
        have = max(array.shape[0] for array in self._arrays)
        if self.n > have or any(array.shape[0] != have for array in self._arrays):
            self._resize(max(self.n, have))

    def _resize(self, n: int) -> None:
        with _plainly(f"Cannot write to the store {self.path}", ROOM):
            for array in self._arrays:
                array.resize((n, *array.shape[1:]))
            _zarr().consolidate(self.path)


@contextlib.contextmanager
def _plainly(what: str, remedy: str = "") -> Iterator[None]:
    """Errors of disks and decoders as one OSError that says what failed and what to do."""
    try:
        yield
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        message = f"{what}: {reason}. {remedy}".strip()
        number = error.errno if isinstance(error, OSError) else None
        raise (OSError(message) if number is None else OSError(number, message)) from error


def _release(guard: int | None) -> None:
    if guard is not None:
        os.close(guard)


def _zarr() -> Any:
    """zarr takes a second to import and is an extra."""
    from . import _zarr as module

    return module


def _create(
    place: Path,
    n: int,
    names: Sequence[str],
    leaves: Sequence[tuple[tuple[int, ...], np.dtype]],
    manifest: Mapping[str, Any],
) -> None:
    """Make an empty store beside its place and move it there whole."""
    beside = place.with_name(f".{place.name}.{uuid.uuid4().hex}{files.PARTIAL}")
    rows = block_rows(leaves)
    try:
        with _plainly(f"Cannot make the store {place}"):
            place.parent.mkdir(parents=True, exist_ok=True)
            group = _zarr().make_group(beside, manifest)
            for name, (shape, kind) in zip(names, leaves):
                _zarr().make_array(group, name, (n, *shape), rows, kind)
            flags = {"flag_values": [UNKNOWN, GOOD, BAD], "flag_meanings": "not_computed computed not_finite"}
            _zarr().make_array(group, STATUS, (n,), rows, np.dtype(np.uint8), flags)
            _zarr().consolidate(beside)
            try:
                os.rename(beside, place)
            except OSError:
                if not (place / "zarr.json").exists():  # another process made the store first: its lock decides
                    raise
            files.sync_folder(place.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
