"""The library's main programs compiled for a GPU that is described, none being present: kernels, bytes, modelled time.

Rows say how long a program compiled, what each turn of each loop launches and moves, and what a model makes of that;
beside dynamiqs compiled the same way where it has the problem. Where JAX finds a GPU the program also runs on it, and
the row has the ratio of the clock to the model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
from jaxtyping import PyTree

from jaxtls._platform import tracing_for

from . import programs
from .harness import Row, device, run
from .kernels import Cost, Reading, Turns
from .program import Program, slope
from .programs import Table
from .settings import Settings
from .targets import TARGETS, Target


def _rows(settings: Settings, table: Table) -> Iterator[Row]:
    target = TARGETS[settings.target]
    target.sharding()
    peers = "dynamiqs" in settings.found()
    for name, (make, has_gradient) in table.items():
        program = make(settings.quick)
        yield _row(target, name, "jaxtls", program, program.function, program.turns)
        if has_gradient:
            back = program.turns if program.turns_back is None else program.turns_back
            yield _row(target, name, "jaxtls, gradient", program, program.gradient(), back)
        if peers and program.peer is not None:
            function = program.peer()
            yield _row(target, name, "dynamiqs", program, function, program.peer_turns)
            if has_gradient:
                yield _row(target, name, "dynamiqs, gradient", program, slope(function), program.peer_turns)


def _row(target: Target, case: str, name: str, program: Program, function: Callable[..., PyTree], turns: Turns) -> Row:
    start, processor = time.perf_counter(), time.process_time()
    try:
        with tracing_for("gpu"):
            compiled = target.compile(function, program.arguments)
    except Exception as error:  # whatever XLA refuses, of ours or of a peer, is a finding
        return Row(case, name, program.size, note=f"does not compile: {type(error).__name__}: {str(error)[:200]}")
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    memory, reading = compiled.memory_analysis(), Reading(compiled.as_text(), target.bandwidth)
    whole = reading.total(turns, program.taken)
    extra: dict[str, Any] = {
        "compile_processor_seconds": processor,
        "memory_mib": (memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes) / 2**20,
        "entry": _cost(reading.cost()),
        "loops": [
            {"name": loop.name, "depth": loop.depth, "turns": loop.trips, **_cost(loop.turn)}
            for loop in reading.loops()
        ],
        "model": {
            **_cost(whole),
            "turns_by_depth": dict(turns),
            "branches_taken": dict(program.taken),
            "launch_ms": 1e3 * whole.launches,
            "bytes_ms": 1e3 * whole.bytes / target.bandwidth,
            "looks_ms": 1e3 * whole.waits,
        },
    }
    if device() == "gpu":
        warm = _clock(function, program.arguments)
        extra["clock_over_model"] = warm / whole.seconds
        return Row(case, name, program.size, first=seconds, warm=warm, repeats=5, note=target.name, extra=extra)
    return Row(case, name, program.size, first=seconds, note=_note(target, whole, extra), extra=extra)


def _clock(function: Callable[..., PyTree], arguments: tuple[PyTree, ...]) -> float:
    """The shortest of five warm runs on the GPU that is here."""
    call = partial(jax.jit(function), *arguments)
    run(call)
    return min(run(call)[0] for _ in range(5))


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "kernels": cost.kernels,
        "mib": cost.bytes / 2**20,
        "host_looks": cost.looks,
        "ms": 1e3 * cost.seconds,
        "calls": {kind: number for kind, number in cost.calls.items() if kind not in ("fusion", "copy")},
    }


def _note(target: Target, whole: Cost, extra: dict[str, Any]) -> str:
    loops = ", ".join(f"{loop['kernels']:g}" for loop in extra["loops"])
    turns = f"; kernels a turn {loops}" if loops else ""
    return f"{target.name}: modelled {1e3 * whole.seconds:.3g} ms, {extra['memory_mib']:.0f} MiB{turns}"


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    name: partial(_rows, table=table) for name, table in programs.PARTS.items()
}
