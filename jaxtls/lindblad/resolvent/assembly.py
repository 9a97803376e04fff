"""Makes the matrix of M = s - L + m Tr(.) 1/n in the blocks of an `Order`, from the numbers of H and the jumps."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ...numerics.hermitian import mirrored, on_unknowns
from ..lindbladian import Lindbladian
from .levels import Entries, Order, entries
from .sparse import Structure


class Scatter(NamedTuple):
    """Holds places in (K, 3, P, P), flat, and which numbers go there."""

    where: np.ndarray
    source: np.ndarray


def from_operators(model: Lindbladian, structure: Structure, order: Order, trace: ArrayLike, s: ArrayLike) -> Array:
    """Makes the blocks (K, 3, P, P) of the elements of H and the jumps."""
    effective = model.effective()
    found, scatter = _entries(structure), _scatter(structure, order)
    values = model.jumps.values.reshape(-1)
    products = model.rates[found.owner] * values[found.first] * values[found.second].conj()
    numbers = jnp.concatenate([effective.reshape(-1), effective.conj().reshape(-1), products.astype(effective.dtype)])
    if order.hermitian:
        numbers = jnp.concatenate([numbers.real, numbers.imag])
    size = order.count * 3 * order.width**2
    blocks = jnp.zeros(size, numbers.dtype).at[scatter.where].add(-numbers[scatter.source])
    return _completed(blocks.reshape(order.count, 3, order.width, order.width), order, trace, s)


def from_matrix(matrix: Array, order: Order, trace: ArrayLike, s: ArrayLike) -> Array:
    """Makes the one block (1, 3, P, P) of the whole of L on elements, (n^2, n^2)."""
    own = -(on_unknowns(matrix, order.n) if order.hermitian else matrix)
    slot, width = order.slot, order.width
    own = jnp.zeros((width, width), own.dtype).at[slot[:, None], slot[None, :]].set(own)
    nothing = jnp.zeros_like(own)
    return _completed(jnp.stack([nothing, own, nothing])[None], order, trace, s)


def _completed(blocks: Array, order: Order, trace: ArrayLike, s: ArrayLike) -> Array:
    """Add s and the padding on the diagonal, and the trace among the populations, all of them in the last block."""
    empty = order.padding()
    diagonal = (s * (1 - empty) + empty).astype(blocks.dtype)
    index = np.arange(order.width)
    blocks = blocks.at[:, 1, index, index].add(diagonal)
    n = order.n
    inside = order.place[np.arange(n) * (n + 1)]
    return blocks.at[order.count - 1, 1, inside[:, None], inside[None, :]].add(jnp.asarray(trace / n, blocks.dtype))


@functools.lru_cache(maxsize=16)
def _entries(structure: Structure) -> Entries:
    return entries(structure)


@functools.lru_cache(maxsize=16)
def _scatter(structure: Structure, order: Order) -> Scatter:
    found, n = _entries(structure), order.n
    if not order.hermitian:
        return Scatter(_where(order, found.rows, found.columns), found.number)
    # As `on_unknowns` has it: real parts at the element, imaginary ones at its mirror image.
    columns = np.concatenate([found.columns, mirrored(n)[found.columns]])
    number = np.concatenate([found.number, found.number + 2 * n * n + len(found.first)])
    return Scatter(_where(order, np.tile(found.rows, 2), columns), number)


def _where(order: Order, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Find the flat places in (K, 3, P, P) of unknowns' rows and columns."""
    side = order.block[columns] - order.block[rows] + 1
    found = ((order.block[rows] * 3 + side) * order.width + order.place[rows]) * order.width + order.place[columns]
    return found
