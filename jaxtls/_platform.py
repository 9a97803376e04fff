"""Says which kind of device a program is traced for: layouts and sizes of chunks differ between CPUs and GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax

_TARGET: ContextVar[str | None] = ContextVar("target", default=None)


def platform() -> str:
    """Returns "cpu", "gpu" or "tpu": where JAX computes, or what `tracing_for` names."""
    return _TARGET.get() or jax.default_backend()


@contextmanager
def tracing_for(name: str) -> Iterator[None]:
    """Trace as for a device that is not there, to lower or compile for it; programs traced otherwise are forgotten."""
    jax.clear_caches()
    token = _TARGET.set(name)
    try:
        yield
    finally:
        _TARGET.reset(token)
        jax.clear_caches()
