"""A compiled GPU program, read: kernels, bytes and modelled seconds of its entry and of each turn of each loop.

The text that `jax.stages.Compiled.as_text` gives has one instruction for each kernel. Of a kernel's arrays that are
only sliced, or updated in place, the slice is counted. The model is described in README.md.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

# By the depth of a loop: turns, of all of them or one after the other.
Turns = Mapping[int, float | Sequence[float]]
# Seconds to start a kernel, and of a turn (or a branch) that the host looks at before it goes on.
LAUNCH, LOOK = 2.5e-6, 8e-6
SIZES = {"pred": 1, "bf16": 2, "c64": 8, "c128": 16}
NO_KERNEL = {
    "parameter", "constant", "get-tuple-element", "tuple", "bitcast", "while", "conditional", "call", "after-all",
    "partition-id", "fusion-done", "copy-done", "async-done", "opt-barrier",
}  # fmt: skip
SLICES = ("dynamic-slice", "slice", "gather")
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{$")
_LINE = re.compile(r"^(ROOT )?%?([\w.\-]+) = (\(.*?\)|[\w\[\],{}:()*]+) ([\w\-]+)\((.*)$")
_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")


@dataclass(frozen=True)
class Instruction:
    """One line of a computation."""

    name: str
    kind: str
    op: str
    operands: tuple[str, ...]
    rest: str
    is_root: bool

    def named(self, attribute: str) -> str:
        """The computation that an attribute names, or ""."""
        found = re.search(rf"\b{attribute}=%?([\w.\-]+)", self.rest)
        return found.group(1) if found else ""

    @property
    def target(self) -> str:
        """Of a custom call."""
        found = re.search(r'custom_call_target="([^"]+)"', self.rest)
        return found.group(1) if found else ""

    @property
    def trips(self) -> int | None:
        """Turns of a loop, where they are known."""
        found = re.search(r'known_trip_count":\{"n":"(\d+)"', self.rest)
        return int(found.group(1)) if found else None

    @property
    def branches(self) -> list[str]:
        found = re.search(r"branch_computations=\{([^}]*)\}", self.rest)
        names = (
            found.group(1).split(",") if found else [self.named("true_computation"), self.named("false_computation")]
        )
        return [name.strip().lstrip("%") for name in names if name.strip()]


@dataclass
class Cost:
    """Of one run: kernels, bytes, looks of the host, seconds; loops are apart."""

    kernels: float = 0
    bytes: float = 0.0
    looks: float = 0
    seconds: float = 0.0
    calls: Mapping[str, float] = field(default_factory=dict)

    @property
    def launches(self) -> float:
        """Seconds to start its kernels."""
        return LAUNCH * self.kernels

    @property
    def waits(self) -> float:
        """Seconds until the host has looked."""
        return LOOK * self.looks

    def __add__(self, other: Cost) -> Cost:
        calls = {k: self.calls.get(k, 0) + other.calls.get(k, 0) for k in (*self.calls, *other.calls)}
        kernels, size, looks = self.kernels + other.kernels, self.bytes + other.bytes, self.looks + other.looks
        return Cost(kernels, size, looks, self.seconds + other.seconds, calls)

    def times(self, count: float) -> Cost:
        calls = {name: count * number for name, number in self.calls.items()}
        return Cost(count * self.kernels, count * self.bytes, count * self.looks, count * self.seconds, calls)


@dataclass(frozen=True)
class Loop:
    """A turn without the loops inside, how many there are (None: known only as it runs), and how deep it stands."""

    name: str
    depth: int
    trips: int | None
    turn: Cost


class Reading:
    """The computations of a compiled program, for a card of some bytes a second."""

    def __init__(self, text: str, bandwidth: float):
        self.bandwidth = bandwidth
        self.entry, self.computations = _parsed(text)

    def cost(self) -> Cost:
        """Of the entry, without loops."""
        return self._straight(self.entry)

    def loops(self) -> list[Loop]:
        """The outer ones first."""
        return self._loops(self.entry, 0)

    def total(self, turns: Turns, taken: Mapping[int, float] | None = None) -> Cost:
        """Of everything. `turns`: by depth, how often a loop turns whose count is known only as it runs, of each in the
        order of `loops` where there are several numbers; `taken`: the share of a loop's turns at which its branches do
        something.
        """
        counts = {
            depth: itertools.repeat(found) if isinstance(found, int | float) else iter(found)
            for depth, found in turns.items()
        }
        return self._total(self.entry, 0, counts, taken or {})

    def _total(self, name: str, depth: int, turns: Mapping[int, Iterator[float]], taken: Mapping[int, float]) -> Cost:
        share = taken.get(depth - 1, 1.0)
        found = self._straight(name, share)
        for loop, optional in self._whiles(name):
            count = next(turns.get(depth, iter(())), 1) if loop.trips is None else loop.trips
            turn = self._condition(loop) + self._total(loop.named("body"), depth + 1, turns, taken)
            found = found + turn.times(count * (share if optional else 1.0))
        return found

    def _loops(self, name: str, depth: int) -> list[Loop]:
        found = []
        for loop, _ in self._whiles(name):
            body = loop.named("body")
            turn = self._condition(loop) + self._straight(body)
            found += [Loop(body, depth, loop.trips, turn), *self._loops(body, depth + 1)]
        return found

    def _condition(self, loop: Instruction) -> Cost:
        """What a turn costs before it begins: nothing where the count is known."""
        if loop.trips is not None:
            return Cost()
        return self._straight(loop.named("condition")) + Cost(looks=1, seconds=LOOK)

    def _whiles(self, name: str, optional: bool = False) -> list[tuple[Instruction, bool]]:
        """Loops of a computation, of what it calls, and of its branches (True)."""
        found = []
        for instruction in self.computations[name].values():
            if instruction.op == "while":
                found.append((instruction, optional))
            elif instruction.op == "call":
                found += self._whiles(instruction.named("to_apply"), optional)
            elif instruction.op == "conditional":
                found += [loop for branch in instruction.branches for loop in self._whiles(branch, True)]
        return found

    def _straight(self, name: str, taken: float = 1.0) -> Cost:
        found = Cost()
        for instruction in self.computations[name].values():
            if instruction.op == "call":
                found = found + self._straight(instruction.named("to_apply"), taken)
            elif instruction.op == "conditional":
                # One of them runs: the longest.
                branches = [self._straight(branch) for branch in instruction.branches]
                longest = max(branches, key=lambda cost: cost.seconds)
                found = found + longest.times(taken) + Cost(looks=1, seconds=LOOK)
            elif instruction.op not in NO_KERNEL:
                size = self._moved(self.computations[name], instruction)
                kind = instruction.target or instruction.op.removesuffix("-start")
                found = found + Cost(1, size, 0, max(LAUNCH, size / self.bandwidth), {kind: 1})
        return found

    def _moved(self, around: Mapping[str, Instruction], kernel: Instruction) -> float:
        """Bytes that a kernel reads and writes."""
        given = [_size(around[operand].kind) if operand in around else 0.0 for operand in kernel.operands]
        inside = self.computations.get(kernel.named("calls"), {}) if "calls=" in kernel.rest else {}
        if kernel.op == "dynamic-update-slice":
            return 2 * given[1]
        if kernel.op in SLICES:
            return 2 * _size(kernel.kind)
        if not inside:
            return sum(given) + _size(kernel.kind, workspace=bool(kernel.target))
        read = sum(_read(inside, place, size) for place, size in enumerate(given))
        return read + sum(_written(inside, root) for root in _roots(inside))


def _parsed(text: str) -> tuple[str, dict[str, dict[str, Instruction]]]:
    entry, found, current = "", {}, None
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head:
            current = found.setdefault(head.group(2), {})
            entry = head.group(2) if head.group(1) else entry
        elif line.startswith("}"):
            current = None
        elif current is not None and (made := _LINE.match(line.strip())):
            root, name, kind, op, rest = made.groups()
            operands = tuple(re.findall(r"%([\w.\-]+)", re.split(r"\), |\)$", rest)[0]))
            current[name] = Instruction(name, kind, op, operands, rest, bool(root))
    return entry, found


def _size(kind: str, workspace: bool = False) -> float:
    """Bytes of an array or a tuple; what a library takes to work in is left out with `workspace`."""
    found = 0.0
    for name, dims in _ARRAY.findall(kind):
        if workspace and name == "s8":
            continue
        bits = re.fullmatch(r"[fsu](\d+)", name)
        size = SIZES.get(name, int(bits.group(1)) / 8 if bits else 4)
        for extent in dims.split(","):
            size *= int(extent) if extent else 1
        found += size
    return found


def _read(inside: Mapping[str, Instruction], place: int, size: float) -> float:
    """Bytes that a fused kernel reads of its argument number `place`."""
    own = [name for name, i in inside.items() if i.op == "parameter" and i.rest.startswith(f"{place})")]
    names, users = set(own), []
    for instruction in inside.values():  # in order: what is used stands before
        if names.isdisjoint(instruction.operands):
            continue
        if instruction.op == "bitcast":
            names.add(instruction.name)
        else:
            users.append(instruction)
    read = 0.0
    for user in users:
        if user.op in SLICES and user.operands[0] in names:
            read += _size(user.kind)
        elif not (user.op == "dynamic-update-slice" and user.operands[0] in names):
            return size
    return min(read, size)


def _roots(inside: Mapping[str, Instruction]) -> list[Instruction]:
    [root] = [i for i in inside.values() if i.is_root]
    return [inside[name] for name in root.operands] if root.op == "tuple" else [root]


def _written(inside: Mapping[str, Instruction], root: Instruction) -> float:
    while root.op == "bitcast" and root.operands[0] in inside:
        root = inside[root.operands[0]]
    if root.op == "dynamic-update-slice":
        return _size(inside[root.operands[1]].kind)
    return _size(root.kind)
