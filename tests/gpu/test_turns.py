"""Turns of loops that a model of a GPU's time is told, counted as the same programs run here."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import pytest

from benchmarks.programs import MAIN
from jaxtls._platform import tracing_for

# Those whose full size is run in a few seconds.
NAMES = (
    "limit cycles, driven chain", "steady state, Ising chain", "steady states, Kerr", "driven qubits", "driven chains",
    "Kerr oscillator", "heated oscillator", "trajectories of a qubit",
)  # fmt: skip


@contextmanager
def counting(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Outermost loops whose count is known only as they run say how often they turned, for each lane of a vmap."""
    found: list[int] = []
    depth = 0
    plain = jax.lax.while_loop

    def while_loop(cond: Callable, body: Callable, init: object) -> object:
        nonlocal depth

        def counted(carry: tuple) -> tuple:
            nonlocal depth
            depth += 1
            try:
                return carry[0] + 1, body(carry[1])
            finally:
                depth -= 1

        outermost = depth == 0
        turns, state = plain(lambda carry: cond(carry[1]), counted, (jnp.zeros((), int), init))
        if outermost:
            jax.debug.callback(lambda n: found.append(int(n)), turns)
        return state

    with monkeypatch.context() as patch, tracing_for("gpu"):
        patch.setattr(jax.lax, "while_loop", functools.wraps(plain)(while_loop))
        yield found
        jax.effects_barrier()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_model_is_told_the_turns_of_a_run(name, monkeypatch):
    program = MAIN[name][0](False)
    with counting(monkeypatch) as found:
        jax.block_until_ready(jax.jit(program.function)(*program.arguments))
    told = program.turns[0]
    assert max(found) == pytest.approx(told, rel=0.05), (max(found), told)
