"""Says which devices work, and how many realizations each takes at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import jax
import numpy as np

from .._checks import require, size

HOST_BUDGET = 2**26  # bytes for each CPU device: larger batches leave the caches and gain nothing
SHARE = 0.5  # of the free memory of an accelerator
TRIAL = {"cpu": 16}  # realizations in the program that is compiled to learn its memory
MOST = {"cpu": 1024}
BUSY = 32  # a batch that takes this part of the room, or more, is large enough
PIECES = 8  # at least so many batches, so that a killed run has something to keep


def chosen(devices: Sequence[jax.Device] | int | str | None) -> tuple[jax.Device, ...]:
    """Gives this process's part of the devices; all of them for None, the first few for a number."""
    if devices is None or isinstance(devices, int | np.integer):
        local = jax.local_devices()
        count = len(local) if devices is None else size("devices", devices)
        remedy = f"This process has {len(local)}."
        require(count <= len(local), "devices", "be no more than there are", devices, remedy)
        return tuple(local[:count])
    remedy = "Give a list like jax.devices()[:2], or a number."
    is_list = isinstance(devices, Sequence | np.ndarray) and all(isinstance(d, jax.Device) for d in np.ravel(devices))
    require(is_list and len(devices) > 0, "devices", "be JAX devices", repr(devices), remedy)
    given = list(dict.fromkeys(np.ravel(devices).tolist()))
    local = [device for device in given if device.process_index == jax.process_index()]
    require(bool(local), "devices", f"have at least one of process {jax.process_index()}", repr(devices))
    return tuple(local)


def budget(device: jax.Device) -> int:
    """Says how many bytes a batch may take on a device."""
    found = device.memory_stats() or {}
    if "bytes_limit" not in found:
        return HOST_BUDGET
    return int(SHARE * (found["bytes_limit"] - found.get("bytes_in_use", 0)))


@runtime_checkable
class Lanes(Protocol):
    """Holds a compiled batch: so many at a time on a device, and the bytes that they take there."""

    @property
    def lanes(self) -> int:
        """Says how many realizations run at a time."""
        ...

    @property
    def memory(self) -> int:
        """Says how many bytes they take."""
        ...


B = TypeVar("B", bound=Lanes)


def sized(
    compile: Callable[[int], B],
    n: int,
    devices: Sequence[jax.Device],
    earlier: int | None = None,
    pieces: int = PIECES,
) -> B:
    """Makes a batch as large as memory and `n` suggest: a power of two on each device.

    A small program is compiled first and asked for its memory. It is kept where it fits and is large enough to keep a
    device busy: compiling a large model again takes longer than a better size saves.

    Arguments:
        compile: lanes -> batch.
        n: realizations for these devices.
        devices: they are taken to be alike.
        earlier: size of the batches of a run that is resumed; used again if it fits.
        pieces: least number of batches; of a single one all may be side by side.

    Returns:
        The batch, compiled where that was needed to learn its memory.
    """
    kind, room = devices[0].platform, budget(devices[0])
    if earlier is not None and earlier % len(devices) == 0:
        batch = compile(earlier // len(devices))
        if batch.memory <= room:
            return batch
    share = n / (pieces * len(devices))
    most = min(MOST.get(kind, 8192), math.ceil(share) if pieces == 1 else _power_of_two(share))
    trial = compile(min(TRIAL.get(kind, 64), most))
    if trial.memory <= room and (trial.lanes == most or trial.memory * BUSY >= room):
        return trial
    batch = compile(min(_power_of_two(room * trial.lanes / max(trial.memory, 1)), most))
    while batch.memory > room and batch.lanes > 1:
        batch = compile(batch.lanes // 2)
    return batch


def _power_of_two(most: float) -> int:
    """Give the largest power of two that is no larger; at least 1."""
    return 2 ** int(math.log2(max(most, 1)))
