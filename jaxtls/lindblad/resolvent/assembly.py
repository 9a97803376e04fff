"""The matrix of M = s - L + m Tr(.) 1/n in the blocks of an `Order`, from the numbers of H and the jumps."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ...numerics.products import HIGHEST
from ..generator import AbstractGenerator
from ..lindbladian import Lindbladian
from .levels import Entries, Order, entries
from .sparse import Structure
from .unknowns import in_real_numbers, places


class Scatter(NamedTuple):
    """Places in (K, 3, P, P), flat, and which numbers go there with which sign."""

    where: np.ndarray
    source: np.ndarray
    sign: np.ndarray


def from_lindbladian(model: Lindbladian, structure: Structure, order: Order, trace: ArrayLike, s: ArrayLike) -> Array:
    """(K, 3, P, P) blocks, by elements where there are several blocks and as a whole where there is one."""
    n = order.n
    if order.count == 1:
        return from_matrix(whole(model), order, trace, s)
    effective = model.ket_generator()(0.0, jnp.eye(n, dtype=model.dtype))
    found, scatter = _entries(structure), _scatter(structure, order)
    values = model.jumps.values.reshape(-1)
    products = model.rates[found.owner] * values[found.first] * values[found.second].conj()
    numbers = jnp.concatenate([effective.reshape(-1), effective.conj().reshape(-1), products.astype(effective.dtype)])
    if order.hermitian:
        numbers = jnp.concatenate([numbers.real, numbers.imag])
    size = order.count * 3 * order.width**2
    signed = -jnp.asarray(scatter.sign, numbers.real.dtype) * numbers[scatter.source]
    blocks = jnp.zeros(size, numbers.dtype).at[scatter.where].add(signed)
    return _completed(blocks.reshape(order.count, 3, order.width, order.width), order, trace, s)


def from_matrix(matrix: Array, order: Order, trace: ArrayLike, s: ArrayLike) -> Array:
    """(1, 3, P, P) from the whole of L on elements, (n^2, n^2)."""
    own = -(in_real_numbers(matrix, order.n) if order.hermitian else matrix)
    slot, width = order.slot, order.width
    own = jnp.zeros((width, width), own.dtype).at[slot[:, None], slot[None, :]].set(own)
    nothing = jnp.zeros_like(own)
    return _completed(jnp.stack([nothing, own, nothing])[None], order, trace, s)


def whole(model: AbstractGenerator) -> Array:
    """L as a matrix on the rows of rho laid end to end, (n^2, n^2); of a `Lindbladian` each element is written once."""
    if not isinstance(model, Lindbladian):
        return model.matrix()
    n, one = model.n, jnp.eye(model.n, dtype=model.dtype)
    effective, jumps = model.ket_generator()(0.0, one), model.jumps.dense()
    outer = lambda a, b: (a[:, None, :, None] * b[None, :, None, :]).reshape(n * n, n * n)
    total = outer(effective, one) + outer(one, effective.conj())
    if model.jumps.count == 0:
        return total
    rates = model.rates[: model.jumps.count].astype(jumps.dtype)
    gains = jnp.einsum("c,cik,cjl->ijkl", rates, jumps, jumps.conj(), precision=HIGHEST)
    return total + gains.reshape(n * n, n * n)


def _completed(blocks: Array, order: Order, trace: ArrayLike, s: ArrayLike) -> Array:
    """With s and the padding on the diagonal, and the trace among the populations, all of them in the last block."""
    empty = order.padding()
    diagonal = (s * (1 - empty) + empty).astype(blocks.dtype)
    index = np.arange(order.width)
    blocks = blocks.at[:, 1, index, index].add(diagonal)
    n = order.n
    populations = np.diagonal(places(n).real) if order.hermitian else np.arange(n) * (n + 1)
    inside = order.place[populations]
    return blocks.at[order.count - 1, 1, inside[:, None], inside[None, :]].add(jnp.asarray(trace / n, blocks.dtype))


@functools.lru_cache(maxsize=16)
def _entries(structure: Structure) -> Entries:
    return entries(structure)


@functools.lru_cache(maxsize=16)
def _scatter(structure: Structure, order: Order) -> Scatter:
    found, n = _entries(structure), order.n
    if not order.hermitian:
        where = _where(order, found.rows, found.columns)
        return Scatter(where, found.number, np.ones(len(where)))
    kept = found.rows // n >= found.rows % n
    rows, columns, number = found.rows[kept], found.columns[kept], found.number[kept]
    total = 2 * n * n + len(found.first)
    real, imaginary, sign = (part.reshape(-1) for part in places(n))
    parts = []
    # (u + i v)(a + i b sigma): real part u a - v b sigma, imaginary part v a + u b sigma.
    for row_part, column_part, is_imaginary, factor in (
        (real, real, 0, np.ones(len(rows))),
        (real, imaginary, 1, -sign[columns]),
        (imaginary, real, 1, np.ones(len(rows))),
        (imaginary, imaginary, 0, sign[columns]),
    ):
        own = (row_part[rows] >= 0) & (column_part[columns] >= 0)
        where = _where(order, row_part[rows[own]], column_part[columns[own]])
        parts.append((where, number[own] + is_imaginary * total, factor[own]))
    return Scatter(*(np.concatenate([part[k] for part in parts]) for k in range(3)))


def _where(order: Order, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Flat places in (K, 3, P, P) of unknowns' rows and columns."""
    side = order.block[columns] - order.block[rows] + 1
    found = ((order.block[rows] * 3 + side) * order.width + order.place[rows]) * order.width + order.place[columns]
    return found
