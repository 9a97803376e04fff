"""Parts through any `concurrent.futures.Executor`: which to run, which to take back, and whose errors are whose."""

from __future__ import annotations

import pickle
import uuid
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, Future, as_completed
from pathlib import Path

from .parts import Gathering, Plan, Tell, folder, folders, same_run
from .result import EnsembleResult
from .store import Store, mark

Job = Callable[[int, str, str], Exception | None]


def spread(executor: Executor, job: Job, plan: Plan, store: Path, target: float | None, tell: Tell) -> EnsembleResult:
    """Run the parts that the store lacks, in order, and average the unbroken head of parts as it grows.

    Args:
        executor: where `job(k, caller, ticket)` runs.
        job: computes and stores part k; its answer is None or an error of its own.
        plan: what the parts do, as it looks in this process.
        store: their common folder.
        target: once the head meets it, parts that have not begun are taken back.
        tell: called when parts have come.
    """
    program, cut = plan.program, plan.cut
    gathering = Gathering(program.leaves, target)
    done: set[int] = set()
    for k, path in folders(store).items():
        same_run(path, plan.manifest(k))
        if Store.view(path, program.names).known.all():
            done.add(k)
    head = 0

    def came(*parts: int) -> bool:
        """Note parts that are done; whether no more are wanted."""
        nonlocal head
        done.update(parts)
        while head in done and not gathering.stream.reached:
            gathering.take(_seen(store, plan, head), cut.range(head).start)
            head += 1
        tell(sum(len(cut.range(k)) for k in done), gathering.stream)
        return gathering.stream.reached

    todo = [] if came() else [k for k in range(cut.parts) if k not in done]
    caller = mark(plan.manifest(None))
    waiting: dict[Future[Exception | None], int] = {}
    try:
        for k in todo:
            future = _submitted(executor, job, k, caller, store)
            waiting[future] = k
            if future.done():
                _answered(future, store)
                if came(waiting.pop(future)):
                    break
        else:
            for future in as_completed(waiting):
                _answered(future, store)
                if came(waiting[future]):
                    break
    finally:
        for future in waiting:
            future.cancel()
    rest = {"n": cut.n, "store": store, "key": plan.key, "names": program.names, "program": program}
    return gathering.result(program.tree, **rest)


def _seen(store: Path, plan: Plan, k: int) -> Store:
    """A part that its worker says is done."""
    path = folder(store, k)
    part = Store.view(path, plan.program.names) if path.exists() else None
    if part is None or not part.known.all():
        remedy = "Workers need the store on a file system that they share with this process."
        raise RuntimeError(f"Part {k} of {plan.cut.parts} was computed, but {store} does not show it here. {remedy}")
    return part


def _submitted(executor: Executor, job: Job, k: int, caller: str, store: Path) -> Future[Exception | None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what engines say of sizes and of forks; a forked worker refuses by itself
            # Dask gives equal calls one answer: the ticket makes each a new one.
            return executor.submit(job, k, caller, uuid.uuid4().hex)
    except Exception as error:
        raise _engine_error(error, store) from error


def _answered(future: Future[Exception | None], store: Path) -> None:
    """Raise what went wrong in the part, or with the executor."""
    try:
        error = future.result()
    except Exception as failure:
        raise _engine_error(failure, store) from failure
    if error is not None:
        raise error


def _engine_error(error: Exception, store: Path) -> Exception:
    """An executor's own error: it could not send the function, or it lost its workers."""
    said = f"{type(error).__name__}: {error}"[:120]
    if isinstance(error, pickle.PicklingError | AttributeError | TypeError):
        remedy = "Define it at the top of a module that workers can import, or use Dask, which sends it by cloudpickle."
        return ValueError(
            f"Argument `realization` must be a function that the executor can send, but got {said}. {remedy}"
        )
    remedy = "Run the same call again, with a new executor where this one is broken"
    return RuntimeError(f"The executor failed ({said}). {remedy}: {store} keeps what was computed.")
