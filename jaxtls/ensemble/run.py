"""Holds the entry: check, trace, find what is already done, then batch after batch until done."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.experimental
import numpy as np
from jaxtyping import Array, PyTree

from .. import _progress
from .._checks import concrete, require, size
from . import devices as _devices
from . import parts as _parts
from . import program as _program
from .executor import spread
from .parts import SPAN, Cut, Plan, Tell
from .program import Batch, trace
from .result import EnsembleResult, concluded
from .statistics import Stream, finite
from .store import Store, place, submitted

IMPORTED_IN = os.getpid()
X64 = vars(jax)["enable_x64"] if "enable_x64" in vars(jax) else vars(jax.experimental)["enable_x64"]  # JAX before 0.8
# What changes numbers, and goes with a part to a worker. Each is a context of one thread.
FLAGS: dict[str, Callable[[Any], contextlib.AbstractContextManager[None]]] = {
    "jax_enable_x64": X64,
    "jax_threefry_partitionable": jax.threefry_partitionable,
    "jax_default_prng_impl": jax.default_prng_impl,
    "jax_default_matmul_precision": jax.default_matmul_precision,
}


def ensemble(
    realization: Callable[[Array], PyTree],
    key: Array,
    n: int,
    *,
    batch_size: int | str = "auto",
    devices: Sequence[jax.Device] | int | str | None = None,
    store: str | os.PathLike | None = None,
    target_error: float | None = None,
    progress: bool | Callable[[int, int], object] = False,
    part: Any = None,
    executor: Any = None,
    parts: int | None = None,
) -> EnsembleResult:
    r"""Estimates mean and standard error of a function of a random key over many keys.

    $$\bar x = \frac1n \sum_{i<n} f(\mathrm{fold\_in}(\mathrm{key}, i))$$

    Realization i depends on `jax.random.fold_in(key, i)` alone, and sums are taken in the order of i: answers do not
    depend on batch size, number of devices or parts, or interruption (to the rounding with which XLA computes one
    realization in batches of different sizes; to the last bit with the same `batch_size` and devices).

    So an ensemble may be cut into parts that know nothing of each other. Each runs anywhere, in any order, at the same
    time as others, and again after it was killed: `part=(k, K)` computes and stores realizations n*k//K to
    n*(k+1)//K - 1, and `jt.merge(store)` has the numbers of one run. `executor=` does both, through any
    `concurrent.futures.Executor`: `ProcessPoolExecutor` (with spawned workers, as JAX has threads), Dask's
    `client.get_executor()`, `mpi4py.futures.MPIPoolExecutor`, loky. A worker needs `store` on a file system that it
    shares with this process; `submitit` and job arrays of a cluster run `part=`, as `python -m jaxtls ensemble` does.

    Arguments:
        realization: key -> pytree of arrays of fixed shapes (real, complex, integer or boolean). It is traced once and
            run under jit and vmap.
        key: a JAX random key, of `jax.random.key` or `jax.random.PRNGKey`.
        n: number of realizations, at most 2^32.
        batch_size: realizations computed at a time by all devices of one process together, rounded up to a multiple of
            the devices; what is beyond n is computed and dropped. "auto": a program is compiled and asked for its
            memory, and the batch fills at most half of the free memory of an accelerator, or 64 MiB for each CPU
            device, and an eighth of n, or of the part.
        devices: list of JAX devices, or how many of them; by default all of this process. Each worker of an executor
            uses all of its own.
        store: path of a folder for the values of all realizations, in Zarr (needs `pip install 'jaxtls[store]'`),
            written as batches finish: a kill loses at most the batches in flight. The same call again goes on where it
            stopped, a larger n extends it, and a smaller one uses its first part (parts are cut for one n). Another key
            or function (also: other values that it closes over, another platform, perhaps another JAX) is refused.
            `xarray.open_zarr(store)` opens it, or store/parts/00003 of a store of parts; its variable `status` is 1
            where a realization was computed, 2 where it is not finite and 0 where it is missing.
        target_error: stop when no standard error of the mean, of any element of any leaf, is larger (absolute). Looked
            at every 32 realizations, in order, from 64 on; a quantity that is zero in all of them looks exact. With an
            executor no further part is started then, and the result ends at the same realization as a single run.
        progress: show a tqdm bar; or a function that is called with (realizations done, in all).
        part: (k, K) for part k of K alone, 0 <= k < K. Needs `store`; `failed_indices` count from 0 of the whole.
        executor: runs the parts. Parts that are in `store` already are not computed again, and a worker that dies
            costs what it had not written yet: where the executor does not repeat its part by itself (Dask does), the
            same call again does. Precision (`jax_enable_x64`) and random number flags go along.
        parts: with an executor, how many; several for each worker, and each long against its start and compilation.

    Returns:
        An `EnsembleResult`. Realizations with a value that is not finite are left out, counted in `failed` and listed
        in `failed_indices`.

    Raises:
        ValueError: for bad arguments, a call inside jit, grad or vmap, a store of another run, or a function that the
            executor cannot send (a lambda to a process pool).
        RuntimeError: if the executor lost its workers; or, when all other parts are done, if parts of it failed.
        OSError: if the store cannot be written (a full disk) or a block of it cannot be read; it says which file to
            delete to have that block computed again. Nothing written before is lost.
        ImportError: for a store without zarr.

    Example:
        >>> def one(key):
        ...     k1, k2 = jax.random.split(key)
        ...     return {"angle": jax.random.uniform(k1, (3,)), "energy": jax.random.normal(k2)}
        >>> r = jt.ensemble(one, jax.random.key(0), 2000, target_error=0.05)
        >>> r.count < 2000, bool(r.sem["energy"] <= 0.05), r.mean["angle"].shape
        (True, True, (3,))

    Source: T. F. Chan, G. H. Golub, R. J. LeVeque, Am. Stat. 37, 242 (1983), for merging means and variances.
    """
    key = _program.checked(key)
    n = size("n", n)
    require(n <= _program.MOST, "n", f"be at most {_program.MOST}", n)
    if batch_size != "auto":
        batch_size = size("batch_size", batch_size)
    target = _target(target_error)
    cut, k = _parts.checked(n, store, target, part, executor, parts)
    where = None if store is None else place(store)
    chosen = _chosen(devices, part, executor)
    plan = Plan(trace(realization, key), key, cut, k, batch_size, chosen, where)
    if executor is None or where is None:
        with _teller(progress, len(plan.whole)) as tell:
            return _run(plan, target, tell)
    flags = {name: getattr(jax.config, name) for name in FLAGS}
    job = _Job(realization, _program.packed(key), cut, batch_size, where, flags)
    with _teller(progress, n) as tell:
        return spread(executor, job, plan, where, target, tell)


@dataclasses.dataclass(frozen=True)
class _Job:
    """Computes part k by its number, in any process: what an executor gets. Its error is an answer, not the
    executor's."""

    realization: Callable[[Array], PyTree]
    key: tuple[str, np.ndarray]
    cut: Cut
    batch_size: int | str
    store: Path
    flags: dict[str, Any]

    def __call__(self, k: int, caller: str, ticket: str) -> Exception | None:
        """Compute part k; `ticket` makes the call unlike any other."""
        del ticket
        try:
            remedy = 'ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) does; a fork of JAX hangs.'
            require(os.getpid() == IMPORTED_IN, "executor", "start fresh processes", "a fork of this one", remedy)
            with contextlib.ExitStack() as stack:
                for name, value in self.flags.items():
                    stack.enter_context(FLAGS[name](value))
                key = _program.unpacked(*self.key)
                program, devices = trace(self.realization, key), _devices.chosen(None)
                plan = Plan(program, key, self.cut, k, self.batch_size, devices, self.store, caller)
                remedy = "A worker that lives long keeps modules as they were, or has another JAX: start it anew."
                is_same = submitted(plan.manifest(None), caller)
                require(is_same, "executor", "have workers that run this function", "one that runs another", remedy)
                _run(plan, None, lambda *_: None)
        except Exception as error:
            error.add_note(f"In part {k} of {self.cut.parts}:\n{traceback.format_exc()}")
            return error
        return None


def _run(plan: Plan, target: float | None, tell: Tell) -> EnsembleResult:
    """Run all realizations, or those of one part, in this process."""
    program, whole = plan.program, plan.whole
    with contextlib.ExitStack() as stack:
        store = plan.opened()
        if store is not None:
            stack.callback(store.close)
        stream = Stream(program.leaves, target)
        books = Books(stream, len(whole), store, tell)
        batch = None if books.advance(books.head) else _computed(books, plan)
        books.finish()
    return concluded(
        stream,
        [whole.start + i for i in stream.failed],
        program.tree,
        batch_size=0 if batch is None else batch.size,
        memory=0 if batch is None else batch.memory,
        devices=plan.devices,
        n=len(whole),
        part=None if plan.part is None else (plan.part, plan.cut.parts),
        store=plan.store,
        key=plan.key,
        names=program.names,
        program=program,
    )


def _computed(books: Books, plan: Plan) -> Batch:
    """Compute what the books lack, in batches of one program."""
    n, store, size = plan.cut.n, books.store, plan.batch_size
    compile = functools.partial(Batch, plan.program, plan.key, plan.devices)
    if isinstance(size, str):
        batch = _devices.sized(compile, books.n, plan.devices, None if store is None else store.batch_size(n))
    else:
        batch = compile(math.ceil(min(size, n) / len(plan.devices)))
    starts: Sequence[int] = range(0, books.n, batch.size)
    if books.known is not None:
        starts = (np.flatnonzero(np.logical_or.reduceat(~books.known, starts)) * batch.size).tolist()
    if store is not None:
        store.remember(n, batch.size)
    for start, leaves in _ahead(lambda start: batch(plan.whole.start + start), starts):
        if books.advance(start) or books.take(start, [np.asarray(leaf) for leaf in leaves]):
            break
    return batch


def _ahead(begin: Callable[[int], list[Array]], starts: Iterable[int]) -> Iterator[tuple[int, list[Array]]]:
    """Yield batches in turn. The next one is begun before this one is waited for, so that the devices are kept busy."""
    waiting: list[tuple[int, list[Array]]] = []
    for start in starts:
        waiting.append((start, begin(start)))
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting


class Books:
    """Takes realizations in the order of their index, from the store or the devices, to the statistics and the store.

    Arguments:
        stream: the statistics.
        n: realizations in all.
        store: an open store, or None.
        tell: called when more have been taken.
    """

    def __init__(self, stream: Stream, n: int, store: Store | None, tell: Tell):
        self.stream, self.n, self.store, self.tell = stream, n, store, tell
        # As the store was found: what is computed now is new.
        self.known = None if store is None or not store.known[:n].any() else store.known[:n].copy()

    @property
    def head(self) -> int:
        """Says how many, without a gap, the store held."""
        return 0 if self.known is None else self.n if self.known.all() else int(np.argmin(self.known))

    def _told(self) -> bool:
        """Say how far it is; tell whether no further realization is wanted."""
        self.tell(self.stream.tried, self.stream)
        return self.stream.reached or self.stream.tried >= self.n

    def advance(self, upto: int) -> bool:
        """Takes what the store knows up to an index; says whether the run is done."""
        is_done = self.stream.reached or self.stream.tried >= self.n
        while self.store is not None and self.stream.tried < upto and not is_done:
            low = self.stream.tried
            values = self.store.read(low, min(upto, low + SPAN))
            self.stream.add(values, finite(values))
            is_done = self._told()
        return is_done

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
        return self._told()

    def finish(self) -> None:
        """Take the rest from the store, and close it."""
        self.advance(self.n)
        if self.store is not None:
            self.store.close(self.stream.tried)


def _chosen(
    devices: Sequence[jax.Device] | int | str | None, part: tuple[int, int] | None, executor: Any
) -> tuple[jax.Device, ...]:
    """Give the devices of this process; none where an executor's workers use theirs."""
    if executor is not None:
        remedy = "Each worker uses all of its own: hide some by CUDA_VISIBLE_DEVICES."
        require(devices is None, "devices", "be None with an executor", repr(devices), remedy)
        return ()
    alone = jax.process_count() == 1 or part is not None
    remedy = "Each takes part=(jax.process_index(), jax.process_count()) of one store; then jt.merge(store)."
    require(alone, "part", "be given where jax.distributed joins several processes", part, remedy)
    return _devices.chosen(devices)


def _target(value: float | None) -> float | None:
    if value is None:
        return None
    remedy = "It is the largest standard error of the mean that you accept; None does all n realizations."
    known = concrete(value)
    if known is None or known.ndim or known.dtype.kind not in "fiu" or not 0 < float(known) < math.inf:
        raise ValueError(f"Argument `target_error` must be a positive number, but got {value}. {remedy}")
    return float(known)


@contextlib.contextmanager
def _teller(progress: bool | Callable[[int, int], object], total: int) -> Iterator[Tell]:
    """Says how many realizations are done: to a bar, to the user's function, or to nobody."""
    if callable(progress):
        call = progress

        def hand_on(done: int, stream: Stream) -> None:
            call(done, total)

        yield hand_on
        return
    with _progress.bar(total, "realizations", progress) as bar:

        def show(done: int, stream: Stream) -> None:
            if not bar.disable:
                if stream.target is not None:
                    bar.set_postfix_str(f"sem {stream.moments.largest_sem():.2g}", refresh=False)
                bar.update(done - bar.n)

        yield show
