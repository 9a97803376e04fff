"""Writes what a report of T1 scans says: its verdict, its doubts, its notes."""

from __future__ import annotations

import math

import numpy as np

from ..fitting import FitResult
from .diffusion import Diffusion
from .report import Quantity
from .scans import misfit_notes, t1_unit_notes, unit_notes
from .t1_model import ERROR, FREQUENCY, T1, TIME
from .t1_search import GAIN
from .tables import Table

STILL = "no diffusion"


def words(count: int) -> str:
    """Says how many TLSs, for a title."""
    return "one TLS" if count == 1 else f"{count} TLSs"


def tag(k: int, count: int) -> str:
    """Gives what the names of a quantity of one of several TLSs end with."""
    return "" if count == 1 else f" [{k}]"


def verdict(
    table: Table, f: FitResult, moves: list[Diffusion | None], gains: list[float], most: int
) -> tuple[str, str]:
    """Gives a word and its sentence."""
    count, last = len(moves), gains[-1]
    further = f"One more raises 2 ln L by {max(last, 0.0):.2g} (asked for: {GAIN:g})."
    if last >= GAIN:
        further = f"More are there: one more raises 2 ln L by {last:.3g}, but {most} were looked for (--max-tls)."
    if count == 1:
        word, sentence = _one_verdict(moves[0])
        if moves[0] is None and _broad(table, f, 0):
            sentence = (
                "T1 varies over frequency, as beside a TLS that is broader than the range, or with a background that "
                "varies: no frequency of a TLS follows."
            )
        return word, f"{sentence} {further}"
    each = " ".join(_one_verdict(d, f"TLS {k}")[1] for k, d in enumerate(moves))
    return f"{count} TLSs", f"{count} TLSs. {each} Without the last one 2 ln L is lower by {gains[-2]:.3g}. {further}"


def _one_verdict(d: Diffusion | None, who: str = "the TLS") -> tuple[str, str]:
    if d is None:
        sentence = f"the frequency of {who} is known in fewer than three scans: nothing follows about its diffusion."
        return "cannot tell", sentence
    bound = f"D < {d.upper:.2g} MHz/sqrt(h) (95 %)"
    if d.gain > 4:
        value = Quantity(d.value, d.stderr, "MHz/sqrt(h)")
        sentence = (
            f"{who} moves, D = {value}. Without diffusion 2 ln L falls by {d.gain:.3g} (4 would be a sign); {bound}."
        )
        return "diffusion", sentence
    return STILL, f"no diffusion of {who} is seen, {bound}. D > 0 raises 2 ln L by {d.gain:.2g} (4 would be a sign)."


def doubts(table: Table) -> list[str]:
    """Says what looks like a slip of unit."""
    return unit_notes(table[FREQUENCY]) + t1_unit_notes(table[TIME], table[T1])


def notes_of(table: Table, f: FitResult, moves: list[Diffusion | None]) -> list[str]:
    """Gives sentences on what limits the answer."""
    count, notes = len(moves), []
    for k, (d, seen) in enumerate(zip(moves, seen_in(table, f), strict=True)):
        who = "the TLS" if count == 1 else f"TLS {k}"
        notes += [] if d is None else _jumps(d, who)
        lost = int(np.sum(~seen))
        if lost:
            notes.append(f"In {lost} scan{'s' * (lost > 1)} {who} is not seen: left out of D and of the picture.")
        if _broad(table, f, k):
            notes.append(f"The line of {who} is broad: a background that varies over frequency would look alike.")
    notes += _moves_notes([d for d in moves if d is not None])
    if count > 1:
        notes.append(
            "Where lines cross, which TLS is which follows from their heights and widths, and from the shorter way: "
            "of equal ones that avoid each other and that cross nothing here tells."
        )
    return notes + misfit_notes(
        f,
        ERROR in table,
        "ln T1 has unit weights, and the scatter scales the errors",
        "Lorentzians on a constant background miss the data",
        ", and D may hold what was missed",
    )


def _broad(table: Table, f: FitResult, k: int) -> bool:
    """Say whether a line is so broad that a background which varies over frequency would look alike."""
    return float(f.model.widths[k]) > float(np.ptp(table[FREQUENCY])) / 6


def _moves_notes(known: list[Diffusion]) -> list[str]:
    """Say how well as many moves fix D."""
    if not known:
        return []
    moves = min(len(d.moves) for d in known)
    return [
        f"{moves} moves of one TLS fix D to {100 / math.sqrt(2 * moves):.2g} % at best, however good each T1 is. "
        "Diffusion and a sum of many small fluctuators are the same to these data; so is another TLS of the same "
        "height that takes its place."
    ]


def _jumps(d: Diffusion, who: str) -> list[str]:
    """Tell of a move that is too large for diffusion."""
    largest = float(np.max(np.abs(d.moves)))
    if largest <= 3.5:
        return []
    return [
        f"One move of {who} is {largest:.2g} times what diffusion would give: a jump (a telegraph fluctuator, or "
        "another TLS), which raises D."
    ]


def seen_in(table: Table, f: FitResult) -> np.ndarray:
    """Finds scans (K, T) in which each TLS is seen: its frequency is known to a quarter of the range."""
    return np.asarray(f.stderr["centres"]) < np.ptp(table[FREQUENCY]) / 4
