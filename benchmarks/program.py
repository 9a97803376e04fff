"""A program to be compiled or lowered, its gradient, and what a model of its time has to be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .kernels import Turns


@dataclass(frozen=True)
class Program:
    """`function(*arguments)`; `peer()` is the same of dynamiqs, or None; `gradient`: of the sum of all its numbers."""

    function: Callable[..., PyTree]
    arguments: tuple[PyTree, ...]
    size: Mapping[str, int]
    peer: Callable[[], Callable[..., PyTree]] | None = None
    # What a model of time has to be told, by the depth of a loop: turns where their number is known only as it runs,
    # and the share of turns whose branch does something. From runs on a CPU. `turns_back`: of the gradient, where its
    # loops are others; several numbers at a depth are those of one loop after the other.
    turns: Turns = field(default_factory=dict)
    taken: Mapping[int, float] = field(default_factory=dict)
    turns_back: Turns | None = None
    # Of the peer and its gradient.
    peer_turns: Turns = field(default_factory=dict)

    def gradient(self) -> Callable[..., PyTree]:
        """The reverse-mode derivative of the function in its arguments."""
        return slope(self.function)


def slope(function: Callable[..., PyTree]) -> Callable[..., PyTree]:
    """Reverse-mode derivative of the sum of all the numbers that a function returns, in all its arguments."""

    def total(arguments: tuple[PyTree, ...]) -> Array:
        numbers = [leaf for leaf in jax.tree.leaves(function(*arguments)) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
        return jnp.sum(jnp.stack([jnp.sum(leaf.real) + jnp.sum(leaf.imag) for leaf in numbers]))

    return lambda *arguments: jax.grad(total)(arguments)
