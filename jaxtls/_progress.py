"""Progress on stderr: a line a stage, and within a stage the number of model evaluations and the time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import jax
from jaxtyping import PyTree


class Progress:
    """Says what is being done. On a terminal the running line is rewritten; in a file it is repeated every few seconds.

    Arguments:
        stream: a text stream to write to; stderr by default.
        quiet: write nothing.
    """

    def __init__(self, stream: TextIO | None = None, quiet: bool = False):
        self.stream = stream or sys.stderr
        self.quiet = quiet
        self.terminal = self.stream.isatty()
        self.started = self.said = time.monotonic()
        self.evaluations = 0
        self.label = ""

    def stage(self, label: str) -> None:
        """Begin a stage: close the line of the last one and name this one."""
        self.done()
        self.label, self.evaluations = label, 0
        self.started = self.said = time.monotonic()
        if not self.terminal:
            self._write(f"{label} ...\n")
        else:
            self._write(f"\r{label} ...")

    def done(self, remark: str = "") -> None:
        """End the stage with its counts and a remark."""
        if not self.label:
            return
        tail = f"; {remark}" if remark else ""
        self._write(f"{self._head()}{self._counts()}{tail}\n")
        self.label = ""

    def count(self, predict: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The same function of a model, which reports here each time it is evaluated, under jit as well."""

        def counted(model: PyTree) -> Any:
            jax.debug.callback(self._step)
            return predict(model)

        return counted

    def _step(self) -> None:
        self.evaluations += 1
        now = time.monotonic()
        if now - self.said > (0.1 if self.terminal else 5.0):
            self.said = now
            self._write(f"{self._head()}{self._counts()}" + ("" if self.terminal else "\n"))

    def _head(self) -> str:
        # Back to the line's start and clear it to the end.
        return f"\r\x1b[K{self.label}: " if self.terminal else f"{self.label}: "

    def _counts(self) -> str:
        evaluations = f"{self.evaluations} evaluations, " if self.evaluations else ""
        return f"{evaluations}{time.monotonic() - self.started:.1f} s"

    def _write(self, text: str) -> None:
        if not self.quiet:
            self.stream.write(text)
            self.stream.flush()
