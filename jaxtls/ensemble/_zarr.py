"""The only file that meets zarr. It is imported when a store is asked for."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import files

try:
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec
    from zarr.storage import LocalStore
except ImportError as error:
    raise ImportError("store= needs zarr 3 or newer: pip install 'jaxtls[store]'.") from error


class DurableStore(LocalStore):
    """A folder in which every file is replaced whole and is on the disk before the write returns."""

    async def set(self, key: str, value: Any) -> None:
        """Write one file."""
        self._check_writable()
        await asyncio.to_thread(files.write, self.root / key, value.to_bytes())

    def set_sync(self, key: str, value: Any) -> None:
        """Write one file, for versions of zarr that write without an event loop."""
        self._check_writable()
        files.write(self.root / key, value.to_bytes())


def make_group(path: Path, attributes: Mapping[str, Any]) -> Any:
    """A new group with attributes."""
    return zarr.create_group(DurableStore(path), zarr_format=3, attributes=dict(attributes))


def open_group(path: Path) -> Any:
    """An existing group, for reading and writing."""
    return zarr.open_group(DurableStore(path), mode="r+", zarr_format=3, use_consolidated=False)


def consolidate(path: Path) -> Any:
    """Copy all shapes into the group's own file: readers open one file, and see one state of all arrays. The group."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr says that not every other implementation reads the copy
        return zarr.consolidate_metadata(DurableStore(path), zarr_format=3)


def arrays(group: Any, names: Sequence[str]) -> list[Any]:
    """Arrays of a group. Blocks equal to the fill value are written too: a missing file means not computed."""
    with zarr.config.set({"array.write_empty_chunks": True}):
        return [group[name] for name in names]


def make_array(
    group: Any,
    name: str,
    shape: tuple[int, ...],
    rows: int,
    kind: np.dtype,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """A new array in blocks of `rows`; a checksum in every block tells if it was damaged."""
    group.create_array(
        name,
        shape=shape,
        chunks=(rows, *(max(length, 1) for length in shape[1:])),
        dtype=kind,
        fill_value=np.asarray(np.nan if kind.kind in "fc" else 0).astype(kind)[()],
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        dimension_names=("realization", *(f"{name}_{axis}" for axis in range(len(shape) - 1))),
        attributes=dict(attributes or {}),
    )
