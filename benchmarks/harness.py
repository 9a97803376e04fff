"""Measuring and reporting: first call apart from warm ones, error beside time, versions and device inside the JSON."""

from __future__ import annotations

import ctypes
import functools
import gc
import json
import math
import os
import platform
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Tolerances of the `precision` parts.
RTOLS = (1e-3, 1e-5, 1e-7, 1e-9)
PACKAGES = ("jaxtls", "jax", "jaxlib", "diffrax", "equinox", "numpy", "dynamiqs", "qutip", "scipy")
# Seconds for the warm repeats of calls that take turns, an equal part for each call.
WARM_SECONDS = 60.0
# Seconds of a first call that is called long.
LONG = 10.0
# Of glibc's mallopt.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3


@dataclass
class Timing:
    """Seconds: the first call (compilation and run), the median of warm calls and their spread (largest - smallest).

    `peak_mib`: what a warm call adds to the memory of the process at its peak, None where the system does not tell.
    """

    first: float
    warm: float
    spread: float | None
    repeats: int
    peak_mib: float | None = None


@dataclass
class Row:
    """One line of a table; `ratio` is this row's warm time over that of what `ratio_to` names."""

    case: str
    name: str
    size: Mapping[str, Any] = field(default_factory=dict)
    first: float | None = None
    warm: float | None = None
    spread: float | None = None
    repeats: int = 0
    peak_mib: float | None = None
    error: Mapping[str, float] | None = None
    ratio: float | None = None
    ratio_to: str = ""
    note: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    work: Mapping[str, float] | None = None  # flops and bytes of the algorithm, where they were counted

    def share(self, ceilings: Mapping[str, float]) -> dict[str, float] | None:
        """The rates of its flops and bytes as parts of what the machine reaches."""
        if self.work is None or not self.warm:
            return None
        return {name: amount / self.warm / ceilings[name] for name, amount in self.work.items()}

    @classmethod
    def timed(cls, case: str, name: str, timing: Timing, **fields: Any) -> Row:
        return cls(case, name, **asdict(timing), **fields)


def run(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds until everything in the result is ready, and the result."""
    start = time.perf_counter()
    result = jax.block_until_ready(call())
    return time.perf_counter() - start, result


def measure(call: Callable[[], Any], repeats: int = 5) -> tuple[Timing, Any]:
    """Time one call from a cold compilation cache, then warm; returns the timing and the last result."""
    [timing], [result] = measure_together([call], repeats)
    return timing, result


def measure_together(calls: Sequence[Callable[[], Any]], repeats: int = 5) -> tuple[list[Timing], list[Any]]:
    """As `measure` for several calls whose ratios matter: warm repeats take turns, so drifts of the machine cancel.

    The cache is cleared once, so programs that two calls share count in the first call of the earlier one. A call whose
    repeats would take longer than its part of `WARM_SECONDS` drops out early, but runs warm at least once. The first
    warm run is watched for its memory, and only a long one, which is watched from afar, is timed at once.
    """
    first, results = [], [None] * len(calls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sizes are fixed on purpose: errors are reported beside the times
        jax.clear_caches()
        for call in calls:
            first.append(run(call)[0])
        warm: list[list[float]] = [[] for _ in calls]
        peaks = []
        for i, (times, call) in enumerate(zip(warm, calls)):
            short = first[i] < LONG
            seconds, results[i], peak = run_watched(call, short)
            peaks.append(peak)
            if not short:  # a short one runs many times slower while its memory is watched
                times.append(seconds)
        for _ in range(repeats):
            for i, (times, call) in enumerate(zip(warm, calls)):
                late = bool(times) and statistics.mean(times) * (len(times) + 1) > WARM_SECONDS / len(calls)
                if late or len(times) == repeats:
                    continue
                seconds, results[i] = run(call)
                times.append(seconds)
    timings = [
        Timing(f, statistics.median(times), max(times) - min(times) if times[1:] else None, len(times), peak)
        for f, times, peak in zip(first, warm, peaks)
    ]
    return timings, results


def run_watched(call: Callable[[], Any], short: bool = True) -> tuple[float, Any, float | None]:
    """As `run`, and the MiB that the call adds to the process at its peak, what was kept for reuse given back before.

    The allocator is made to keep nothing, which costs a call many times its time where it is short of breath; a long
    call runs once, with the allocator as it is. A lower bound: what threads had kept (64 MiB each at most) may go
    unseen, above all of a long call. None on a device of its own, and where the system does not tell.
    """
    gc.collect()  # programs of earlier measurements would go during the call
    try:
        allocator = ctypes.CDLL(None)
        if short:
            allocator.mallopt(MMAP_THRESHOLD, 2**16)
            allocator.mallopt(TRIM_THRESHOLD, 0)
            run(call)  # threads that compute give back what they had kept only as they free something
        allocator.malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here
        before = _resident("VmRSS")
    except (OSError, AttributeError):
        return *run(call), None
    seconds, result = run(call)
    peak = max(0.0, _resident("VmHWM") - before)
    if short:
        # What these come to by themselves in a process that has freed large arrays.
        allocator.mallopt(MMAP_THRESHOLD, 2**25)
        allocator.mallopt(TRIM_THRESHOLD, 2**26)
    return seconds, result, peak if device() == "cpu" else None


def _resident(name: str) -> float:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) / 2**10


def errors(found: Mapping[str, Any], reference: Mapping[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Largest deviation of each named observable over the run."""
    return {name: float(np.max(np.abs(np.asarray(found[name]) - np.asarray(reference[name])))) for name in names}


def compare(
    case: str,
    calls: Mapping[str, Callable[[], Mapping[str, Any]]],
    reference: Mapping[str, Any],
    *,
    size: Mapping[str, Any],
    repeats: int,
    note: str = "",
    work: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Row]:
    """Several solvers of one problem in turn: each one's error in every named answer, ratios to the first."""
    timings, results = measure_together(list(calls.values()), repeats)
    base = next(iter(calls))
    return [
        Row.timed(
            case,
            name,
            timing,
            size=size,
            error=errors(found, reference, [answer for answer in reference if answer in found]),
            ratio=timing.warm / timings[0].warm,
            ratio_to=base,
            note=note,
            extra={"first_call_ratio": timing.first / timings[0].first},
            work=(work or {}).get(name),
        )
        for name, timing, found in zip(calls, timings, results)
    ]


def environment() -> dict[str, Any]:
    """Versions, device and machine."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "versions": versions,
        "python": platform.python_version(),
        "device": device(),
        "device_kind": jax.devices()[0].device_kind,
        "devices": len(jax.devices()),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "x64": bool(jax.config.jax_enable_x64),
    }


@functools.cache
def ceilings(quick: bool = False) -> dict[str, float]:
    """What this machine reaches: flops/s of a large matrix product, bytes/s of a large sum of arrays.

    A quick run takes small ones, which say nothing about the machine.
    """
    size = 150 if quick else 1500
    a, b = jnp.ones((size, size)), jnp.ones(size**2 * 8)
    product, total = (
        measure(functools.partial(jax.jit(jnp.matmul), a, a))[0],
        measure(functools.partial(jax.jit(jnp.add), b, b))[0],
    )
    return {"flops": 2 * size**3 / product.warm, "bytes": 3 * b.nbytes / total.warm}


def device() -> str:
    """cpu, gpu or tpu: the platform that JAX computes on."""
    return jax.default_backend()


def peak_memory() -> dict[str, float]:
    """Largest memory so far in MiB: of the process, and of the device where it counts."""
    scale = 2**20 if sys.platform == "darwin" else 2**10
    found = {"process_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale}
    stats = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        found["device_mib"] = stats["peak_bytes_in_use"] / 2**20
    return found


def write(path: str | Path, benchmark: str, rows: Sequence[Row], **facts: Any) -> Path:
    """Write everything as JSON; numbers that are not finite become null."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    reached = ceilings(bool(facts.get("quick")))
    document = {
        "benchmark": benchmark,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
        "environment": environment(),
        "ceilings": reached,
        "peak_memory": peak_memory(),
        "rows": [asdict(row) | {"share": row.share(reached)} for row in rows],
    }
    path.write_text(json.dumps(_plain(document), indent=1, allow_nan=False) + "\n")
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray | jax.Array):
        return _plain(np.asarray(value).tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


COLUMNS = ("", "size", "first s", "warm s", "± s", "MiB", "error", "ratio", "flops, bytes", "")


def table(rows: Sequence[Row], reached: Mapping[str, float] | None = None) -> str:
    """The rows as text, one block a case; rates of flops and bytes in parts of what was `reached`."""
    blocks = []
    for case in dict.fromkeys(row.case for row in rows):
        lines = [COLUMNS, *(_cells(row, reached) for row in rows if row.case == case)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
        text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
        blocks.append("\n".join([case, *("  " + line for line in text)]))
    return "\n\n".join(blocks)


def _cells(row: Row, reached: Mapping[str, float] | None) -> tuple[str, ...]:
    error = " ".join(f"{name} {value:.0e}" for name, value in (row.error or {}).items())
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}x {row.ratio_to}".strip()
    size = " ".join(f"{name}={_short(value)}" for name, value in row.size.items())
    share = row.share(reached) if reached else None
    rates = "" if share is None else " ".join(f"{part:.1%}" for part in share.values())
    seconds = (_seconds(row.first), _seconds(row.warm), _seconds(row.spread))
    memory = "" if row.peak_mib is None else f"{row.peak_mib:.3g}"
    return (row.name, size, *seconds, memory, error, ratio, rates, row.note)


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
