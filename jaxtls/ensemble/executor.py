"""Runs parts by any `concurrent.futures.Executor`: which to run, which to take back, and whose errors are whose."""

from __future__ import annotations

import pickle
import re
import time
import uuid
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, Future, as_completed
from pathlib import Path

from .parts import NAMED, Gathering, Plan, Tell, folder, folders, same_run
from .result import EnsembleResult
from .store import InUse, Store, mark

# In what pickle, cloudpickle and the engines say of an object that does not go to a worker, or not out of its bytes.
SENDING = re.compile(r"pickl|serializ|local object|get attribute", re.IGNORECASE)
PATIENCE = 30.0  # seconds: what a worker wrote shows late on a network file system
Job = Callable[[int, str, str], Exception | None]


def spread(executor: Executor, job: Job, plan: Plan, store: Path, target: float | None, tell: Tell) -> EnsembleResult:
    """Run the parts that the store lacks, in order, and average the unbroken head of parts as it grows.

    A bad part, of a full disk or a damaged block, does not stop the others: RuntimeError names it at the end.

    Arguments:
        executor: where `job(k, caller, ticket)` runs.
        job: computes and stores part k; its answer is None or an error of its own.
        plan: what the parts do, as it looks in this process.
        store: their common folder.
        target: once the head meets it, parts that have not begun are taken back.
        tell: called when parts have come.

    Returns:
        The result over the unbroken head of parts.
    """
    program, cut = plan.program, plan.cut
    gathering = Gathering(program.leaves, target)
    bad: dict[int, Exception] = {}
    done: set[int] = set()
    for k, path in folders(store).items():
        try:
            same_run(path, plan.manifest(k))
            if Store.view(path, program.names).known.all():
                done.add(k)
        except OSError as error:
            bad[k] = error
    head = 0

    def came(*parts: int) -> bool:
        """Notes parts that are done; says whether no more are wanted."""
        nonlocal head
        done.update(k for k in parts if k not in bad)
        while head in done and not gathering.stream.reached:
            try:
                gathering.take(_seen(store, plan, head), cut.range(head).start)
                head += 1
            except OSError as error:
                bad[head] = error
                done.remove(head)
        tell(sum(len(cut.range(k)) for k in done), gathering.stream)
        return gathering.stream.reached

    todo = [] if came() else [k for k in range(cut.parts) if k not in done and k not in bad]
    caller = mark(plan.manifest(None))
    waiting: dict[Future[Exception | None], int] = {}
    try:
        for k in todo:
            future = _submitted(executor, job, k, caller, store)
            waiting[future] = k
            if future.done():
                _answered(future, store, waiting[future], bad)
                if came(waiting.pop(future)):
                    break
        else:
            for future in as_completed(waiting):
                _answered(future, store, waiting[future], bad)
                if came(waiting[future]):
                    break
    finally:
        for future in waiting:
            future.cancel()
    if bad and not gathering.stream.reached:
        raise _failed(bad, plan, store) from bad[min(bad)]
    rest = {"n": cut.n, "store": store, "key": plan.key, "names": program.names, "program": program}
    return gathering.result(program.tree, **rest)


def _failed(bad: dict[int, Exception], plan: Plan, store: Path) -> RuntimeError:
    """Say what is wrong with the parts that failed, the first few by name, after all others have been computed."""
    words = [f"part {k} of {plan.cut.parts} ({type(bad[k]).__name__}: {bad[k]})" for k in sorted(bad)[:NAMED]]
    more = f" and {len(bad) - NAMED} more parts" if len(bad) > NAMED else ""
    remedy = f"The other parts are in {store}: the same call computes these alone."
    return RuntimeError(f"Parts failed: {', '.join(words)}{more}. {remedy}")


def _seen(store: Path, plan: Plan, k: int) -> Store:
    """Read a part that its worker says is done."""
    path = folder(store, k)
    patience = time.monotonic() + PATIENCE
    while True:
        part = Store.view(path, plan.program.names) if path.exists() else None
        if part is not None and part.known.all():
            return part
        if time.monotonic() > patience:
            remedy = "Workers need the store on a file system that they share with this process."
            raise RuntimeError(
                f"Part {k} of {plan.cut.parts} was computed, but {store} does not show it here. {remedy}"
            )
        time.sleep(0.1)


def _submitted(executor: Executor, job: Job, k: int, caller: str, store: Path) -> Future[Exception | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what engines say of sizes and of forks; a forked worker refuses by itself
            # Dask gives equal calls one answer: the ticket makes each a new one.
            return executor.submit(job, k, caller, uuid.uuid4().hex)
    except Exception as error:
        raise _engine_error(error, store) from error


def _answered(future: Future[Exception | None], store: Path, k: int, bad: dict[int, Exception]) -> None:
    """Note what went wrong in part k; raise what is wrong with the executor or with the arguments."""
    try:
        error = future.result()
    except Exception as failure:
        raise _engine_error(failure, store) from failure
    if isinstance(error, ValueError) and not isinstance(error, InUse):  # of the call, and so of every part
        raise error
    if error is not None:
        bad[k] = error


def _engine_error(error: Exception, store: Path) -> Exception:
    """Tell an executor's own error: it could not send the function, or it lost its workers."""
    said = f"{type(error).__name__}: {error}"[:120]
    is_name = isinstance(error, AttributeError | TypeError) and SENDING.search(str(error)) is not None
    if is_name or isinstance(error, pickle.PicklingError):
        remedy = "Define it at the top of a module that workers can import, or use Dask, which sends it by cloudpickle."
        return ValueError(
            f"Argument `realization` must be a function that the executor can send, but got {said}. {remedy}"
        )
    remedy = f"Run the same call again, with a new executor where this one is broken: {store} keeps what was computed."
    cause = (
        "Workers that die at once may not find `realization`: one that is defined in a notebook or by python -c "
        "cannot be loaded there; put it into a module."
    )
    return RuntimeError(f"The executor failed ({said}). {remedy} {cause}")
