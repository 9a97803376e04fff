"""The books of a run: realizations come in, in the order of their index, from the store or from the devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .statistics import Moments, Stream, finite
from .store import Store

SPAN = 4096  # realizations read from the store at a time


class Ledger:
    """Feeds the statistics in index order and the store with what is new.

    Args:
        stream: the statistics.
        n: realizations in all.
        store: an open store, or None.
        tell: called when more have been taken.
    """

    def __init__(self, stream: Stream, n: int, store: Store | None, tell: Callable[[], None]):
        self.stream, self.n, self.store, self.tell = stream, n, store, tell
        # As the store was found: what is computed now is new.
        self.known = None if store is None or not store.known[:n].any() else store.known[:n].copy()

    @property
    def is_done(self) -> bool:
        """Whether no further realization is wanted."""
        return self.stream.reached or self.stream.tried >= self.n

    def begin(self, batch_size: int) -> None:
        """Note the size of the batches that will come."""
        if self.store is not None:
            self.store.remember(batch_size)

    def advance(self, upto: int) -> bool:
        """Take what the store knows up to an index; whether the run is done."""
        while self.store is not None and self.stream.tried < upto and not self.is_done:
            low = self.stream.tried
            values = self.store.read(low, min(upto, low + SPAN))
            self.stream.add(values, finite(values))
            self.tell()
        return self.is_done

    def take(self, start: int, values: Sequence[np.ndarray]) -> bool:
        """Take the batch of realizations start, start + 1, ... just computed; whether the run is done.

        All before them have been taken, and perhaps the first of them from the store.
        """
        low, high = self.stream.tried, min(start + len(values[0]), self.n)
        values = [value[low - start : high - start] for value in values]
        if self.store is not None and self.known is not None and self.known[low:high].any():
            # The store's values stand: those of another batch size may differ in the last bit.
            known = self.known[low:high]
            old = self.store.read(low, high)
            values = [np.where(known.reshape(-1, *(1,) * (v.ndim - 1)), o, v) for o, v in zip(old, values)]
        good = finite(values)
        taken = self.stream.add(values, good)
        if self.store is not None:
            self.store.put(low, [value[:taken] for value in values], good[:taken])
        self.tell()
        return self.is_done

    def finish(self) -> tuple[Moments, list[int], bool]:
        """Take the rest from the store, close it, and sum up: moments, failed indices, whether the target was met."""
        self.advance(self.n)
        if self.store is not None:
            self.store.close(self.stream.tried)
        return self.stream.total(), self.stream.failed, self.stream.reached
