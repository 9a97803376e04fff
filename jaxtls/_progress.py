"""Holds everything that says how far it is: tqdm's bars, also from compiled loops, and stages of a command."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

import jax
from jaxtyping import Array, ArrayLike, PyTree
from tqdm.auto import tqdm

T = TypeVar("T")

# Bars that compiled code may move, the innermost last: compiled code never holds one.
_bars: list[tqdm] = []


# --- bars ------------------------------------------------------------------------------------------------------------


def bar(total: int, description: str, wanted: bool = True) -> tqdm:
    """Makes a bar of `total` ticks, a context manager; one that shows nothing where it is not wanted."""
    return tqdm(total=total, desc=description, leave=False, disable=not wanted)


def each(items: Iterable[T], description: str, wanted: bool = True) -> Iterator[T]:
    """Gives the items, with a bar that counts them and stays.

    Example:
        >>> list(each([1, 2], "N", wanted=False))
        [1, 2]
    """
    yield from tqdm(items, desc=description, disable=not wanted)


# --- bars of compiled loops ------------------------------------------------------------------------------------------


@contextmanager
def shown(wanted: bool, total: int, description: str) -> Iterator[None]:
    """Shows a bar that `tick` and `reach` move while the block runs, where it is wanted."""
    if not wanted:
        yield
        return
    with bar(total, description) as one:
        _bars.append(one)
        try:
            yield
            jax.effects_barrier()
        finally:
            _bars.remove(one)


def tick(amount: ArrayLike) -> None:
    """Move the innermost bar on, from inside compiled code."""
    jax.debug.callback(_advance, amount)


def reach(fraction: ArrayLike) -> None:
    """Move the innermost bar to a fraction of its length, from inside compiled code."""
    jax.debug.callback(_reach, fraction)


def _advance(amount: Array) -> None:
    if _bars:
        _bars[-1].update(int(amount))


def _reach(fraction: Array) -> None:
    if _bars:
        one = _bars[-1]
        one.update(max(0, round(float(fraction) * one.total) - one.n))


# --- stages of a command ---------------------------------------------------------------------------------------------


class Progress:
    """Says what is being done, a line a stage with the number of model evaluations and the time.

    On a terminal the running line is rewritten; in a file it is repeated every few seconds.

    Arguments:
        stream: a text stream to write to; stderr by default.
        quiet: write nothing.
    """

    def __init__(self, stream: TextIO | io.TextIOBase | None = None, quiet: bool = False):
        self.stream = stream or sys.stderr
        self.quiet = quiet
        self.terminal = self.stream.isatty()
        self.started = self.said = time.monotonic()
        self.evaluations = 0
        self.label = ""
        self.line: tqdm | None = None

    def stage(self, label: str) -> None:
        """Begin a stage: close the line of the last one and name this one."""
        self.done()
        self.label, self.evaluations = label, 0
        self.started = self.said = time.monotonic()
        if self.terminal and not self.quiet:
            self.line = tqdm(desc=f"{label} ...", bar_format="{desc}", file=self.stream, leave=False)
        else:
            self._write(f"{label} ...")

    def done(self, remark: str = "") -> None:
        """End the stage with its counts and a remark."""
        if not self.label:
            return
        if self.line is not None:
            self.line.close()
            self.line = None
        self._write(self._counts() + (f"; {remark}" if remark else ""))
        self.label = ""

    def say(self, sentences: Iterable[str]) -> None:
        """Write sentences that the reader should have before the answer."""
        self.done()
        for sentence in sentences:
            self._write(sentence)

    def count(self, predict: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Returns the same function of a model, which reports here each time it is evaluated, under jit as well."""

        def counted(model: PyTree) -> Any:
            jax.debug.callback(self._step)
            return predict(model)

        return counted

    def _step(self) -> None:
        self.evaluations += 1
        now = time.monotonic()
        if now - self.said > (0.1 if self.terminal else 5.0):
            self.said = now
            if self.line is None:
                self._write(self._counts())
            else:
                self.line.set_description_str(self._counts())

    def _counts(self) -> str:
        evaluations = f"{self.evaluations} evaluations, " if self.evaluations else ""
        return f"{self.label}: {evaluations}{time.monotonic() - self.started:.1f} s"

    def _write(self, text: str) -> None:
        if not self.quiet:
            tqdm.write(text, file=self.stream)
            self.stream.flush()
