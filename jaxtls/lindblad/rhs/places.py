"""Says where the numbers of a Lindbladian go in its block form: indices alone, made once for a structure."""

from __future__ import annotations

import numpy as np

from ..storage.family import Entries, Skeleton
from .sectors import Blocks

# None: the matrix A is kept whole beside its diagonal; else by these shifts.
Offsets = tuple[int, ...] | None


def _pairs_within(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List indices (first, second) of all ordered pairs that share a key."""
    order = np.argsort(keys, kind="stable")
    _, start, size = np.unique(keys[order], return_index=True, return_counts=True)
    begin, width = np.repeat(start, size), np.repeat(size, size)
    first = np.repeat(np.arange(len(keys)), width)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(width) - width, width)
    return order[first], order[np.repeat(begin, width) + offset]


def of_energies(terms: Skeleton, blocks: Blocks) -> tuple[np.ndarray, ...]:
    """Lists the elements of H between kept states: place of the value, operator, sector, row, column."""
    h, block, place = terms.entries(), blocks.block, blocks.place
    inside = (block[h.row] >= 0) & (block[h.column] >= 0)
    listed = (h.place, h.owner, block[h.row], place[h.row], place[h.column])
    return tuple(part[inside] for part in listed)


def sources(
    listed: tuple[np.ndarray, ...], offsets: Offsets, shape: tuple[int, ...], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Says from which of `count` values each element of A comes."""
    source, owner, sector, row, column = listed
    on = row == column
    diagonal = np.full(shape, count)
    diagonal[owner[on], sector[on], row[on]] = source[on]
    operators, sectors, m = shape
    rest = np.full((operators, sectors, m, m) if offsets is None else (operators, len(offsets), sectors, m), count)
    rest[(owner[~on], *_beside(offsets, sector[~on], row[~on], column[~on]))] = source[~on]
    return diagonal, rest


def of_losses(jumps: Entries, blocks: Blocks) -> tuple[np.ndarray, ...]:
    """Lists the elements of the L†L, by pairs of elements of one row of one jump: both places, jump, and where."""
    n, block, place = len(blocks.block), blocks.block, blocks.place
    first, second = _pairs_within(jumps.owner * n + jumps.row)
    kept = (block[jumps.column[first]] >= 0) & (block[jumps.column[second]] >= 0)
    first, second = first[kept], second[kept]
    row, column = jumps.column[first], jumps.column[second]
    return jumps.place[first], jumps.place[second], jumps.owner[first], block[row], place[row], place[column]


def targets(lost: tuple[np.ndarray, ...], offsets: Offsets) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Says where each of them goes, on the diagonal of A and beside it."""
    *values, sector, row, column = lost
    on = row == column
    diagonal = (*(part[on] for part in values), sector[on], row[on])
    return diagonal, (*(part[~on] for part in values), *_beside(offsets, sector[~on], row[~on], column[~on]))


def _beside(offsets: Offsets, sector: np.ndarray, row: np.ndarray, column: np.ndarray) -> tuple:
    """Give the place of an element beside the diagonal: by its shift, or in the whole matrix."""
    if offsets is None:
        return sector, row, column
    return np.searchsorted(np.asarray(offsets, int), column - row), sector, row


def of_jumps(jumps: Entries, blocks: Blocks, count: int) -> tuple:
    """Writes jumps as vectors on shifts, L_k = sum_v diag(v) shift, and lists the pairs of them that make L rho L†."""
    block, place = blocks.block, blocks.place
    inside = (block[jumps.row] >= 0) & (block[jumps.column] >= 0)
    owner, row, column, where = (part[inside] for part in jumps)
    shift = place[column] - place[row]
    labels, vector = np.unique(np.stack([owner, shift], 1), axis=0, return_inverse=True)
    vectors = np.full((len(labels), *blocks.states.shape), count)
    vectors[vector.reshape(-1), block[row], place[row]] = where
    first, second = _pairs_within(labels[:, 0])
    index = {tuple(pair): k for k, pair in enumerate(blocks.pairs.tolist())}
    identity = tuple(range(len(blocks.pairs)))
    sources = []
    for fed in blocks.sources:
        found = (index.get((int(fed[a]), int(fed[b])), -1) for a, b in blocks.pairs)
        sources.append(tuple(found))
    groups: dict[tuple, int] = {(identity, 0, 0): 0}
    group = []
    for k, l in zip(first, second):
        source = sources[labels[k, 0]]
        # Where nothing feeds a block the weights are 0: any source will do, the block itself the cheapest.
        if all(s in (-1, i) for i, s in enumerate(source)):
            source = identity
        key = (source, int(labels[k, 1]), int(labels[l, 1]))
        group.append(groups.setdefault(key, len(groups)))
    terms = (labels[first, 0], first, second, np.asarray(group, int))
    return vectors, terms, tuple(groups)
