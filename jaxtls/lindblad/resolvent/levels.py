"""Finds an order of the density matrix's elements in which a Lindblad equation is block-tridiagonal.

Elements that L connects are neighbours. All elements at one distance from the populations make a level; a level is
connected with itself and the two beside it. Levels are eliminated from the farthest, the fastest coherences, to the
populations, which hold the null vector; small ones are merged as long as that costs nothing. Kerr: the levels are the
pairs of diagonals, 2(n - d) real unknowns at distance d, and the work is of order n^4 where dense factors take n^6.

Everything here is static, made from the patterns of H and the jumps.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array
from scipy.sparse.csgraph import connected_components

from ...numerics.hermitian import mirrored
from .elimination import leaf_of
from .sparse import Structure

# A step of the elimination costs as much as this many multiplications, whatever its size.
STEP = 2e5
# Multiplications of a step's inverse and two products, over the cube of its size.
CUBES = 6.0 / 2
# Beyond this share of all n^4 the equation is taken as a full matrix.
FULL_SHARE = 0.25


@dataclass(frozen=True)
class Entries:
    """Lists the elements of L that can differ from 0: row, column, and where the number is.

    A number's index is into [A flat, conj A flat, the products of two elements of a jump]; `first`, `second`, `owner`
    say which product.
    """

    rows: np.ndarray
    columns: np.ndarray
    number: np.ndarray
    first: np.ndarray
    second: np.ndarray
    owner: np.ndarray


class Order:
    """Unknown `u` stands in block `block[u]` at `place[u]`; K blocks of P places, the populations in the last one."""

    def __init__(self, n: int, hermitian: bool, block: np.ndarray, count: int):
        self.n, self.hermitian, self.count, self.block = n, hermitian, count, block
        # An element and its mirror image, and elements that stand near each other, share a leaf.
        near = np.arange(n * n)
        near = np.minimum(near, mirrored(n)) if hermitian else near
        order = np.lexsort((near, block))
        sizes = np.bincount(block, minlength=count)
        leaf = leaf_of(int(np.max(sizes)))
        self.width = -(-int(np.max(sizes)) // leaf) * leaf
        self.place = np.empty(len(block), int)
        self.place[order] = np.arange(len(block)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        self.slot = block * self.width + self.place

    @property
    def work(self) -> float:
        """Counts the multiplications of the factorisation."""
        return _work(self.count, self.width)

    def spread(self, v: Array) -> Array:
        """Spreads the unknowns (n^2,) over their blocks, (K, P)."""
        return jnp.zeros(self.count * self.width, v.dtype).at[self.slot].set(v).reshape(self.count, self.width)

    def gathered(self, blocks: Array) -> Array:
        """Gathers blocks into (n^2,)."""
        return blocks.reshape(-1)[self.slot]

    def padding(self) -> np.ndarray:
        """Gives 1 on the diagonal where no unknown stands, 0 elsewhere, (K, P)."""
        empty = np.ones(self.count * self.width)
        empty[self.slot] = 0
        return empty.reshape(self.count, self.width)


def entries(structure: Structure) -> Entries:
    """Lists all of L's elements, a population's column included."""
    n = structure.n
    a_rows, a_columns = effective_pattern(structure)
    other = np.arange(n)
    left = (a_rows[:, None] * n + other, a_columns[:, None] * n + other, (a_rows * n + a_columns)[:, None] + 0 * other)
    right = (other * n + a_rows[:, None], other * n + a_columns[:, None], left[2] + n * n)
    jumps = structure.jumps.entries()
    order = np.argsort(jumps.owner, kind="stable")
    counts = np.bincount(jumps.owner, minlength=structure.jumps.count)
    starts = np.cumsum(counts) - counts
    pairs = [(order[s : s + c].repeat(c), np.tile(order[s : s + c], c)) for s, c in zip(starts, counts)]
    first, second = (np.concatenate([np.zeros(0, int), *(pair[k] for pair in pairs)]) for k in (0, 1))
    rows = jumps.row[first] * n + jumps.row[second]
    columns = jumps.column[first] * n + jumps.column[second]
    joined = [np.concatenate([left[k].reshape(-1), right[k].reshape(-1)]) for k in range(3)]
    return Entries(
        np.concatenate([joined[0], rows]),
        np.concatenate([joined[1], columns]),
        np.concatenate([joined[2], 2 * n * n + np.arange(len(first))]),
        jumps.place[first],
        jumps.place[second],
        jumps.owner[first],
    )


def effective_pattern(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
    """Finds rows and columns of A = -i H - (1/2) sum_k r_k L_k† L_k that can differ from 0."""
    n = structure.n
    h, jumps = structure.hamiltonian.entries(), structure.jumps.entries()
    stacked = sp.csr_array(
        (np.ones(len(jumps.row)), (jumps.owner * n + jumps.row, jumps.column)), shape=(structure.jumps.count * n + 1, n)
    )
    pattern = (sp.csr_array((np.ones(len(h.row)), (h.row, h.column)), shape=(n, n)) + stacked.T @ stacked).tocoo()
    return pattern.row.astype(int), pattern.col.astype(int)


@functools.lru_cache(maxsize=64)
def full(structure: Structure) -> bool:
    """Says whether L has so many elements that no order helps."""
    n = structure.n
    counts = np.bincount(structure.jumps.entries().owner, minlength=1)
    elements = 2 * n * len(effective_pattern(structure)[0]) + float(np.sum(counts.astype(float) ** 2))
    return elements > FULL_SHARE * n**4


@functools.lru_cache(maxsize=64)
def order(structure: Structure, hermitian: bool) -> Order:
    """Finds the cheapest merging of levels; one block where that is cheapest, or L is full."""
    n = structure.n
    if n == 1 or full(structure):
        return one_block(n, hermitian)
    found = entries(structure)
    ones = np.ones(len(found.rows), np.int8)
    graph = sp.csr_array((ones, (found.rows, found.columns)), shape=(n * n, n * n)).astype(bool)
    level = _distances(graph + graph.T, np.arange(n) * (n + 1), mirrored(n))
    sizes = np.bincount(level)[::-1]
    merged = min((_merged(sizes, int(limit)) for limit in _limits(sizes)), key=lambda found: found[0])
    block = merged[1][len(sizes) - 1 - level]
    return Order(n, hermitian, block, int(np.max(block)) + 1)


@functools.lru_cache(maxsize=64)
def one_block(n: int, hermitian: bool) -> Order:
    """Puts all unknowns together."""
    return Order(n, hermitian, np.zeros(n * n, int), 1)


def _distances(graph: sp.csr_array, start: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Count edges from the nearest node of `start`; parts without one start at one of theirs and its mirror image."""
    count, label = connected_components(graph, directed=False)
    has = np.zeros(count, bool)
    has[label[start]] = True
    _, first = np.unique(label, return_index=True)
    front = np.zeros(graph.shape[0], bool)
    front[start] = True
    # A Hermitian matrix couples an element with what couples to its mirror image: both have one distance.
    front[first[~has]] = front[mirror[first[~has]]] = True
    steps, found, length = graph.astype(np.int32), np.where(front, 0, -1), 0
    while np.any(front):
        length += 1
        front = (steps @ front.astype(np.int32) > 0) & (found < 0)
        found[front] = length
    return found


def _limits(sizes: np.ndarray) -> np.ndarray:
    largest, total = int(np.max(sizes)), int(np.sum(sizes))
    found = largest * np.array([1, 1.25, 1.5, 2, 3, 4, 6, 8])
    return np.append(found[found < total], total)


def _merged(sizes: np.ndarray, limit: int) -> tuple[float, np.ndarray]:
    """Count the work, and find each level's block, the farthest first, where blocks hold at most `limit` unknowns."""
    block, held, where, width = 0, 0, [], 0
    for size in sizes:
        if held and held + size > limit:
            block, held = block + 1, 0
        held += int(size)
        width = max(width, held)
        where.append(block)
    return _work(block + 1, width), np.array(where)


def _work(count: int, width: int) -> float:
    # One block has nothing beside it.
    return width**3 + STEP if count == 1 else count * (CUBES * width**3 + STEP)
