"""Says what may be coupled to what: read from known numbers, declared by the user where numbers are traced."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..._checks import require


class Structure(NamedTuple):
    """Marks what may differ from zero: baths (N,), coherent (N, N), incoherent (N, N)."""

    baths: np.ndarray
    coherent: np.ndarray
    incoherent: np.ndarray
    triples: tuple[tuple[int, int, int], ...]

    @property
    def edges(self) -> np.ndarray:
        """Marks which pairs (N, N) anything couples."""
        joined = self.coherent | self.incoherent
        for i, j, k in self.triples:
            joined[[i, j, j, k], [j, i, k, j]] = True
        return joined

    @property
    def moves(self) -> tuple[tuple[int, ...], ...]:
        """Lists sites of the coherent couplings: pairs i < k, then triples."""
        rows, columns = np.nonzero(np.triu(self.coherent))
        return (*zip(rows.tolist(), columns.tolist()), *self.triples)

    def components(self) -> list[list[int]]:
        """Lists connected sets of sites."""
        unseen, found = set(range(len(self.baths))), []
        while unseen:
            group, stack = [], [min(unseen)]
            unseen.discard(stack[0])
            while stack:
                site = stack.pop()
                group.append(site)
                near = [int(k) for k in np.nonzero(self.edges[site])[0] if int(k) in unseen]
                unseen.difference_update(near)
                stack += near
            found.append(sorted(group))
        return found

    def is_chains(self) -> bool:
        """Says whether every component is a path with baths at its ends alone."""
        for sites in self.components():
            degrees = self.edges[np.ix_(sites, sites)].sum(axis=1)
            tree = degrees.sum() == 2 * (len(sites) - 1)
            if not tree or degrees.max() > 2 or np.any(self.baths[sites] & (degrees > 1)):
                return False
        return True


def _adjacency(n: int, edges: Iterable[tuple[int, int]]) -> np.ndarray:
    matrix = np.zeros((n, n), bool)
    for i, k in edges:
        matrix[i, k] = matrix[k, i] = True
    return matrix


def checked_sites(n: int, baths: Iterable[int] | None) -> tuple[int, ...] | None:
    """Checks `baths`, as a sorted tuple."""
    if baths is None:
        return None
    sites = tuple(sorted({int(site) for site in baths}))
    require(all(0 <= site < n for site in sites), "baths", f"name sites 0..{n - 1}", baths)
    return sites


def checked_edges(n: int, edges: Iterable[tuple[int, int]] | None) -> tuple[tuple[int, int], ...] | None:
    """Checks `edges`, as a sorted tuple of pairs i < k."""
    if edges is None:
        return None
    pairs = tuple(sorted({(min(int(i), int(k)), max(int(i), int(k))) for i, k in edges}))
    require(all(0 <= i < k < n for i, k in pairs), "edges", f"hold pairs of different sites 0..{n - 1}", edges)
    return pairs


def mask_of(n: int, edges: Iterable[tuple[int, int]] | None) -> np.ndarray:
    """Marks which pairs (N, N) may be coupled."""
    return ~np.eye(n, dtype=bool) if edges is None else _adjacency(n, edges)
