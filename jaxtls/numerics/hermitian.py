"""A Hermitian matrix R + iI as the one real matrix R + I, which loses nothing: R is symmetric, I antisymmetric.

Half the memory, real products, and no round-off can make it less Hermitian.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array


def pack(hermitian: Array) -> Array:
    """R + I, of the same shape."""
    return hermitian.real + hermitian.imag


def unpack(packed: Array, transposed: Array | None = None) -> Array:
    """The Hermitian matrices (..., n, n) of `pack`; `transposed` are the real ones transposed, where that is more than
    a swap of the last two axes.

    Example:
        >>> print(unpack(pack(jnp.array([[1.0, 2.0j], [-2.0j, 3.0]]))))
        [[1.+0.j 0.+2.j]
         [0.-2.j 3.+0.j]]
    """
    other = jnp.swapaxes(packed, -1, -2) if transposed is None else transposed
    return ((packed + other) + 1j * (packed - other)) / 2
