"""The library's main programs compiled for a GPU that is described, none being present: kernels, bytes, modelled time.

Rows say how long a program compiled, what each turn of each loop launches and moves, and what a model makes of that;
beside dynamiqs compiled the same way where it has the problem. Where JAX finds a GPU the program also runs on it, and
the row has the ratio of the clock to the model.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
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

# Seconds of a run beyond which one is enough.
LONG = 3.0


def _rows(settings: Settings, table: Table) -> Iterator[Row]:
    target = _target(settings)
    peers = "dynamiqs" in settings.found()
    for name, (make, has_gradient) in table.items():
        program = make(settings.quick)
        yield _row(target, name, "jaxtls", program, program.function, program.turns, program.taken)
        if has_gradient:
            back = program.turns if program.turns_back is None else program.turns_back
            yield _row(target, name, "jaxtls, gradient", program, program.gradient(), back, program.taken)
        if peers and program.peer is not None:
            function = program.peer()
            yield _row(target, name, "dynamiqs", program, function, program.peer_turns)
            if has_gradient:
                yield _row(target, name, "dynamiqs, gradient", program, slope(function), program.peer_turns)


def _target(settings: Settings) -> Target:
    """The card that is here, or else the one that is asked for."""
    if device() != "gpu":
        return TARGETS[settings.target]
    kind = jax.devices()[0].device_kind
    for target in TARGETS.values():
        if target.name in re.split(r"[\s-]+", kind):
            return target
    known = ", ".join(TARGETS)
    raise SystemExit(f"{kind} is not described here, {known} are: --device cpu compiles for one of them.")


def _row(
    target: Target,
    case: str,
    name: str,
    program: Program,
    function: Callable[..., PyTree],
    turns: Turns,
    taken: Mapping[int, float] | None = None,
) -> Row:
    taken = taken or {}
    # What XLA refuses is a finding, and so is whatever a peer raises.
    refusals = (jax.errors.JaxRuntimeError, NotImplementedError) if name.startswith("jaxtls") else Exception
    start, processor = time.perf_counter(), time.process_time()
    try:
        with tracing_for("gpu"):
            compiled = target.compile(function, program.arguments)
    except refusals as error:
        return Row(case, name, program.size, note=f"does not compile: {type(error).__name__}: {str(error)[:200]}")
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    memory, reading = compiled.memory_analysis(), Reading(compiled.as_text(), target.bandwidth)
    whole = reading.total(turns, taken)
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
            "branches_taken": dict(taken),
            "launch_ms": 1e3 * whole.launches,
            "bytes_ms": 1e3 * whole.bytes / target.bandwidth,
            "looks_ms": 1e3 * whole.waits,
        },
    }
    row = Row(case, name, program.size, first=seconds, note=_note(target, whole, extra), extra=extra)
    if device() != "gpu":
        return row
    try:
        warm, repeats = _clock(function, program.arguments)
    except jax.errors.JaxRuntimeError as error:  # too little memory, most likely: other rows are wanted all the same
        return replace(row, note=f"{row.note}; does not run: {str(error)[:200]}")
    extra["clock_over_model"] = warm / whole.seconds
    return replace(row, warm=warm, repeats=repeats)


def _clock(function: Callable[..., PyTree], arguments: tuple[PyTree, ...]) -> tuple[float, int]:
    """The shortest of so many warm runs on the GPU that is here: five, or one where it takes long."""
    call = partial(jax.jit(function), *arguments)
    run(call)
    first = run(call)[0]
    repeats = 5 if first < LONG else 1
    return min([first, *(run(call)[0] for _ in range(repeats - 1))]), repeats


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
