"""A tqdm bar that compiled loops can move. The bar is found through a stack, so that compiled code never holds one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import jax
from jaxtyping import Array, ArrayLike
from tqdm.auto import tqdm

_bars: list[tqdm] = []


@contextmanager
def bar(total: int, description: str) -> Iterator[None]:
    """Show a bar of `total` ticks on standard error while the block runs."""
    with tqdm(total=total, desc=description, leave=False) as shown:
        _bars.append(shown)
        try:
            yield
            jax.effects_barrier()
        finally:
            _bars.remove(shown)


def shown(wanted: bool, total: int, description: str) -> AbstractContextManager[None]:
    """The bar where it is wanted."""
    return bar(total, description) if wanted else nullcontext()


def tick(amount: ArrayLike) -> None:
    """Move the innermost bar from inside compiled code."""
    jax.debug.callback(_advance, amount)


def _advance(amount: Array) -> None:
    if _bars:
        _bars[-1].update(int(amount))
