"""Several processes (`jax.distributed`): process 0 keeps the books, all compute. One process needs none of this."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from .._checks import require


class Hosts:
    """What the processes of one run tell each other. Every method is called by all of them, in the same order."""

    def __init__(self) -> None:
        self.count = jax.process_count()
        self.rank = jax.process_index()

    @property
    def is_first(self) -> bool:
        """Whether this process keeps the books."""
        return self.rank == 0

    def agree(self, **settings: Any) -> None:
        """ValueError unless all processes have the same settings."""
        if self.count == 1:
            return
        from jax.experimental.multihost_utils import process_allgather

        words = [f"{name} {value}" for name, value in settings.items()]
        mine = np.stack([np.frombuffer(hashlib.sha256(word.encode()).digest(), np.uint8) for word in words])
        everyone = np.asarray(process_allgather(mine))
        for i, name in enumerate(settings):
            same = bool(np.all(everyone[:, i] == everyone[0, i]))
            remedy = "Run the same script in every process."
            require(same, name, "be the same in all processes", f"{words[i]} in process {self.rank}", remedy)

    def first(self, work: Callable[[], Any]) -> Any:
        """Process 0 works and all have the answer; its error is an error in all of them."""
        if self.count == 1:
            return work()
        from jax.experimental.multihost_utils import broadcast_one_to_all

        error: Exception | None = None
        answer = b""
        if self.is_first:
            try:
                answer = pickle.dumps((True, work()))
            except Exception as raised:
                error = raised
                answer = pickle.dumps((False, f"{type(raised).__name__}: {raised}"))
        length = int(broadcast_one_to_all(np.int32(len(answer))))
        padded = np.frombuffer(answer, np.uint8) if self.is_first else np.zeros(length, np.uint8)
        succeeded, value = pickle.loads(np.asarray(broadcast_one_to_all(padded)).tobytes())
        if error is not None:
            raise error
        if not succeeded:
            raise RuntimeError(f"Process 0 stopped the ensemble. {value}")
        return value

    def gather(self, leaves: Sequence[Any]) -> list[list[np.ndarray]]:
        """The leaves of every process, in NumPy."""
        if self.count == 1:
            return [[np.asarray(leaf) for leaf in leaves]]
        from jax.experimental.multihost_utils import process_allgather

        found = [np.asarray(process_allgather(np.asarray(leaf))) for leaf in leaves]
        return [[leaf[rank] for leaf in found] for rank in range(self.count)]
