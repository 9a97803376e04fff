"""The entry: check, trace, find what is already done, then batch after batch until done."""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree
from tqdm.auto import tqdm

from .._checks import concrete, require, size
from . import devices as _devices
from . import keys
from .hosts import Hosts
from .ledger import Ledger
from .manifest import manifest
from .program import Batch, Program, trace
from .result import EnsembleResult
from .statistics import Stream
from .store import Store


def ensemble(
    realization: Callable[[Array], PyTree],
    key: Any,
    n: int,
    *,
    batch_size: int | str = "auto",
    devices: Any = None,
    store: str | os.PathLike | None = None,
    target_error: Any = None,
    progress: bool = False,
) -> EnsembleResult:
    r"""Mean and standard error of a function of a random key over many keys.

    $$\bar x = \frac1n \sum_{i<n} f(\mathrm{fold\_in}(\mathrm{key}, i))$$

    Realization i depends on `jax.random.fold_in(key, i)` alone, and sums are taken in the order of i: answers do not
    depend on batch size, number of devices or processes, or interruption (to the rounding with which XLA computes
    one realization in batches of different sizes; to the last bit when a killed run is resumed as it was).

    Under `jax.distributed` every process calls this with the same arguments; each computes its share of the batches,
    all get the same result, and process 0 alone writes the store.

    Args:
        realization: key -> pytree of arrays of fixed shapes (real, complex, integer or boolean). It is traced once and
            run under jit and vmap.
        key: a JAX random key, of `jax.random.key` or `jax.random.PRNGKey`.
        n: number of realizations, at most 2^32.
        batch_size: realizations computed at a time by all devices of one process together, rounded up to a multiple of
            the devices; what is beyond n is computed and dropped. "auto": a program is compiled and asked for its
            memory, and the batch fills at most half of the free memory of an accelerator, or 64 MiB for each CPU
            device, and an eighth of n.
        devices: list of JAX devices, or how many of them; by default all of this process.
        store: path of a folder for the values of all realizations, in Zarr (needs `pip install 'jaxtls[store]'`),
            written as batches finish: a kill loses at most the batches in flight. The same call again goes on where it
            stopped, a larger n extends it, and a smaller one uses its first part. Another key or function (also: other
            values that it closes over) is refused. `xarray.open_zarr(store)` opens it; its variable `status` is 1 where
            a realization was computed, 2 where it is not finite and 0 where it is missing.
        target_error: stop when no standard error of the mean, of any element of any leaf, is larger (absolute). Looked
            at every 32 realizations, in order, from 64 on; a quantity that is zero in all of them looks exact.
        progress: show a tqdm bar.

    Returns:
        An `EnsembleResult`. Realizations with a value that is not finite are left out, counted in `failed` and listed
        in `failed_indices`.

    Raises:
        ValueError: for bad arguments, a call inside jit, grad or vmap, or a store of another run.
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
    key = keys.checked(key) if not isinstance(key, jax.core.Tracer) else key
    n = size("n", n)
    require(n <= keys.MOST, "n", f"be at most {keys.MOST}", n)
    if batch_size != "auto":
        batch_size = size("batch_size", batch_size)
    target = _target(target_error)
    program = trace(realization, key)
    chosen, hosts = _devices.chosen(devices), Hosts()
    hosts.agree(
        key=keys.describe(key),
        n=n,
        batch_size=batch_size,
        devices=len(chosen),
        target_error=target,
        realization=(program.fingerprint, program.leaves),
        store=store is not None,
    )

    with contextlib.ExitStack() as stack:
        ledger: Any = None  # kept by process 0 alone

        def begin() -> tuple[np.ndarray | None, int | None]:
            nonlocal ledger
            kept = None
            if store is not None:
                kept = Store.open(store, n, program.names, program.leaves, manifest(program, key))
                stack.callback(kept.close)
            bar = stack.enter_context(tqdm(total=n, desc="realizations", leave=False, disable=not progress))
            stream = Stream(program.leaves, target)
            ledger = Ledger(stream, n, kept, lambda: _show(bar, stream))
            return ledger.known, None if kept is None else kept.batch_size

        known, earlier = hosts.first(begin)
        first = 0 if known is None else int(np.argmin(known)) if not known.all() else n
        batch = None
        if not hosts.first(lambda: ledger.advance(first)):
            compile = functools.partial(Batch, program, key, chosen)
            if batch_size == "auto":
                batch = _devices.sized(compile, math.ceil(n / hosts.count), chosen, earlier)
            else:
                batch = compile(math.ceil(min(int(batch_size), n) / len(chosen)))
            hosts.agree(batch_size=batch.size)
            starts: Sequence[int] = range(0, n, batch.size)
            if known is not None:
                starts = (np.flatnonzero(np.logical_or.reduceat(~known, starts)) * batch.size).tolist()
            length = batch.size
            hosts.first(lambda: ledger.begin(length))
            for lows, results in _computed(batch, starts, hosts, program):
                if hosts.first(functools.partial(_take, ledger, lows, results)):
                    break

        moments, failed, reached = hosts.first(lambda: ledger.finish())

    means = moments.mean if moments.count else [np.full_like(mean, np.nan) for mean in moments.mean]
    mean, std, sem = (_tree(program, leaves) for leaves in (means, moments.std(), moments.sem()))
    return EnsembleResult(
        mean=mean,
        std=std,
        sem=sem,
        count=moments.count,
        failed_indices=tuple(failed),
        target_error=target,
        target_reached=reached or (target is not None and moments.largest_sem() <= target),
        batch_size=0 if batch is None else batch.size,
        memory=0 if batch is None else batch.memory,
        devices=chosen,
        processes=hosts.count,
        store=None if store is None else Path(store),
        key=key,
        program=program,
    )


def _computed(
    batch: Batch, starts: Sequence[int], hosts: Hosts, program: Program
) -> Iterator[tuple[Sequence[int], list[list[np.ndarray]]]]:
    """Rounds of one batch for each process: (first indices, leaves of each process).

    The next round is begun before this one is waited for, so that the devices do not wait for the books.
    """
    waiting: Any = None
    for at in range(0, len(starts) + hosts.count, hosts.count):
        lows = starts[at : at + hosts.count]
        if hosts.rank < len(lows):
            begun: Sequence[Any] = batch(lows[hosts.rank])
        else:
            begun = [np.zeros((batch.size, *shape), kind) for shape, kind in program.leaves]
        if waiting is not None:
            yield waiting[0], hosts.gather(waiting[1])
        if not lows:
            return
        waiting = lows, begun


def _take(ledger: Ledger, lows: Sequence[int], results: Sequence[Sequence[np.ndarray]]) -> bool:
    """Take a round in the order of the indices; whether the run is done."""
    return any(ledger.advance(low) or ledger.take(low, values) for low, values in zip(lows, results))


def _tree(program: Program, leaves: Sequence[np.ndarray]) -> PyTree[Array]:
    kinds = {"f": jnp.result_type(float), "c": jnp.result_type(complex)}
    return program.tree([jnp.asarray(leaf, kinds[leaf.dtype.kind]) for leaf in leaves])


def _target(value: Any) -> float | None:
    if value is None:
        return None
    remedy = "It is the largest standard error of the mean that you accept; None does all n realizations."
    known = concrete(value)
    is_number = known is not None and known.ndim == 0 and known.dtype.kind in "fiu"
    require(is_number and 0 < float(value) < math.inf, "target_error", "be a positive number", value, remedy)
    return float(value)


def _show(bar: tqdm, stream: Stream) -> None:
    if not bar.disable:
        if stream.target is not None:
            bar.set_postfix_str(f"sem {stream.moments.largest_sem():.2g}", refresh=False)
        bar.update(stream.tried - bar.n)
