"""Gives sums and products over many fluctuators at many points, without an array of both."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..._platform import platform


def _elements() -> int:
    """Count the elements of a chunk's arrays (fluctuators times points): what fits a cache, or few kernels on a GPU."""
    return 2**16 if platform() == "cpu" else 2**22


def total(
    term: Callable[..., Array], parameters: tuple[Array, ...], neutral: tuple[float, ...], n_points: int
) -> Array:
    """Sums term(*parameters) over fluctuators, (k,) each -> (k, n_points); `neutral` parameters add 0."""
    return _reduce(lambda *p: jnp.sum(term(*p), axis=0), jnp.add, parameters, neutral, n_points)


def product(
    factor: Callable[..., Array], parameters: tuple[Array, ...], neutral: tuple[float, ...], n_points: int
) -> Array:
    """Multiplies factor(*parameters) over fluctuators, (k,) each -> (k, n_points); `neutral` parameters give 1."""
    return _reduce(lambda *p: tree_product(factor(*p)), jnp.multiply, parameters, neutral, n_points)


def tree_product(factors: Array) -> Array:
    """Multiplies over the leading axis by halves: the derivative is one of products, and a zero factor no fault."""
    while len(factors) > 1:
        half = len(factors) // 2
        odd = factors[2 * half :]
        factors = factors[:half] * factors[half : 2 * half]
        if len(odd):
            factors = factors.at[0].multiply(odd[0])
    return factors[0]


def _reduce(
    part: Callable[..., Array],
    join: Callable[[Array, Array], Array],
    parameters: tuple[Array, ...],
    neutral: tuple[float, ...],
    n_points: int,
) -> Array:
    """Apply `part` to chunks of fluctuators, joined; reverse mode computes a chunk again rather than keep it."""
    n = parameters[0].shape[0]
    count = -(-n // max(1, _elements() // max(n_points, 1)))
    if count == 1:
        return part(*parameters)
    size = -(-n // count)
    chunks = tuple(
        jnp.pad(p, (0, count * size - n), constant_values=value).reshape(count, size)
        for p, value in zip(parameters, neutral, strict=True)
    )
    again = jax.checkpoint(part)
    first = again(*(chunk[0] for chunk in chunks))

    def step(sum_so_far: Array, chunk: tuple[Array, ...]) -> tuple[Array, None]:
        return join(sum_so_far, again(*chunk)), None

    return jax.lax.scan(step, first, tuple(chunk[1:] for chunk in chunks))[0]
