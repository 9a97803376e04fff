"""Finds which part of the density matrix a constant equation ever fills: reachable states, and blocks between sectors.

States are nodes of a graph whose edges are the elements of H, of the jumps and of their L†L that can differ from 0.
What no edge leads to from the initial state stays empty. H and the L†L alone fall into connected components, the
sectors (parity, numbers); where every jump takes each sector from one other, rho has blocks (a, b) between sectors, and
only those blocks are kept that the initial ones lead to.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from ..storage.family import Entries

# Sectors pay below this share of the elements of the whole matrix.
WORTHWHILE = 0.75


class Blocks(NamedTuple):
    """Holds the kept blocks of a density matrix: `states` (B, m), -1 where padded; `pairs` (P, 2) of sectors.

    `sources` (K, B): the sector from which jump k feeds each sector, -1 for none. `block`, `place` (n,): sector of each
    state and position in it, -1 where dropped. `mirror` (P,): where the block (b, a) of block (a, b) is.
    """

    states: np.ndarray
    pairs: np.ndarray
    sources: np.ndarray
    block: np.ndarray
    place: np.ndarray
    mirror: np.ndarray

    @property
    def size(self) -> int:
        return self.states.shape[1]


def distances(h: Entries, jumps: Entries, n: int, filled: np.ndarray) -> np.ndarray:
    """Counts edges from the nearest state that `filled` (n, n) holds, -1 for states never reached."""
    graph = _matrix(h.row, h.column, n)
    moved = _matrix(jumps.row, jumps.column, n)
    losses = _losses(jumps, n)
    step = ((graph + graph.T + losses + losses.T + moved) > 0).astype(np.int32).tocsr()
    front = np.any(filled, 0) | np.any(filled, 1)
    found = np.where(front, 0, -1)
    for length in range(1, n):
        front = (step @ front.astype(np.int32) > 0) & (found < 0)
        if not np.any(front):
            break
        found[front] = length
    return found


def blocks(h: Entries, jumps: Entries, count: int, n: int, filled: np.ndarray, kept: np.ndarray) -> Blocks:
    """Finds the sectors among the states `kept` (ascending), one block of all of them where sectors do not pay."""
    whole = _one_block(count, n, kept)
    graph = _matrix(h.row, h.column, n) + _losses(jumps, n)
    number, label = connected_components(graph[kept][:, kept], directed=False)
    if number == 1:
        return whole
    sizes = np.bincount(label)
    m = int(np.max(sizes))
    block, place = np.full(n, -1), np.full(n, -1)
    block[kept] = label
    order = np.argsort(label, kind="stable")
    place[kept[order]] = np.arange(len(kept)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    states = np.full((number, m), -1)
    states[label, place[kept]] = kept
    feeds = np.stack([jumps.owner, block[jumps.row], block[jumps.column]], 1)
    feeds = np.unique(feeds[np.all(feeds >= 0, 1)], axis=0)
    if len(np.unique(feeds[:, :2], axis=0)) < len(feeds):
        return whole
    sources = np.full((count, number), -1)
    sources[feeds[:, 0], feeds[:, 1]] = feeds[:, 2]
    pairs = _reached_pairs(block, filled, sources)
    if len(pairs) * m * m > WORTHWHILE * len(kept) ** 2:
        return whole
    index = {tuple(pair): k for k, pair in enumerate(pairs.tolist())}
    mirror = np.array([index[b, a] for a, b in pairs.tolist()])
    return Blocks(states, pairs, sources, block, place, mirror)


def _one_block(count: int, n: int, kept: np.ndarray) -> Blocks:
    block, place = np.full(n, -1), np.full(n, -1)
    block[kept], place[kept] = 0, np.arange(len(kept))
    zero = np.zeros((1, 2), int)
    return Blocks(kept[None], zero, np.zeros((count, 1), int), block, place, np.zeros(1, int))


def _reached_pairs(block: np.ndarray, filled: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """List the blocks (a, b) that the initial ones lead to, with their mirrors, sorted."""
    rows, columns = np.nonzero(filled)
    inside = (block[rows] >= 0) & (block[columns] >= 0)
    new = np.zeros((sources.shape[1],) * 2, bool)
    new[block[rows[inside]], block[columns[inside]]] = True
    found = new | new.T
    while True:
        grown = found.copy()
        for source in sources:
            fed = np.nonzero(source >= 0)[0]
            grown[np.ix_(fed, fed)] |= found[np.ix_(source[fed], source[fed])]
        if np.array_equal(grown, found):
            return np.argwhere(found)
        found = grown


def _matrix(rows: np.ndarray, columns: np.ndarray, n: int) -> sp.csr_matrix:
    return sp.csr_matrix((np.ones(len(rows), np.int64), (rows, columns)), shape=(n, n))


def _losses(jumps: Entries, n: int) -> sp.csr_matrix:
    """Return the pattern of sum_k L_k† L_k."""
    if len(jumps.row) == 0:
        return sp.csr_matrix((n, n), dtype=np.int64)
    rows = jumps.owner * n + jumps.row
    stacked = sp.csr_matrix((np.ones(len(rows), np.int64), (rows, jumps.column)), shape=(int(np.max(rows)) + 1, n))
    return (stacked.T @ stacked).tocsr()
