r"""Writes the network's master equation on density matrices that are block diagonal in the number of excitations.

Two-body couplings and local baths conserve that form, so C(2N, N) real unknowns replace 4^N complex ones. H and all
jumps are real in the site basis; with rho packed as M = Re + Im,

    dM/dt = D(M) - (H M^T - M^T H),   D the dissipators,

a real sparse matrix, linear in the parameters: its positions and signs are tabulated once for each N. The diagonal
alone (the classical master equation) closes where no coupling is coherent.

Three-body couplings g (a_i a_j^dagger a_k + h.c.) conserve no number, but each coherent coupling turns a pair of basis
states (a, b) by its own vector: what the populations reach are the pairs whose a - b is a sum of such vectors, 52 of
1024 for two refrigerators that share a site, 1424 of 262144 for four.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...numerics.products import matmul
from .linear import solve_probed

# The sites of coherent couplings, in pairs or in threes (i, j, k) of a_i a_j^dagger a_k.
Moves = tuple[tuple[int, ...], ...]
# Which elements of a density matrix are kept: `pairs` has them.
Kept = Literal["populations", "sectors"] | Moves


class Parameters(NamedTuple):
    """Holds w (N,), K (N, N), Gamma (N,), Gamma x (N,), Y (N, N), g (M,) of the three-body couplings."""

    frequencies: Array
    coherent: Array
    loss: Array
    gain: Array
    incoherent: Array
    triple: Array


class Table(NamedTuple):
    """Holds pairs of basis states (a, b) kept, and the entries of the generator: row, column, sign, which parameter."""

    n: int
    a: np.ndarray
    b: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    factors: np.ndarray
    which: np.ndarray

    @property
    def size(self) -> int:
        """Says how many real numbers a state has."""
        return len(self.a)

    @property
    def diagonal(self) -> np.ndarray:
        """Gives the positions of the populations."""
        return np.nonzero(self.a == self.b)[0]


def dimension(n: int) -> int:
    """Gives C(2N, N), computed without a table."""
    found = 1
    for k in range(1, n + 1):
        found = found * (n + k) // k
    return found


def bits(n: int) -> np.ndarray:
    """Lists the states (2^N, N): 1 where the site is excited; first site slowest."""
    return (np.arange(2**n)[:, None] >> np.arange(n - 1, -1, -1)[None, :]) & 1


def flip(n: int, sites: tuple[int, ...]) -> int:
    """Flips the bits of some sites."""
    return sum(1 << (n - 1 - i) for i in sites)


@lru_cache(maxsize=16)
def pairs(n: int, kept: Kept = "sectors") -> tuple[np.ndarray, np.ndarray]:
    """Lists basis states (a, b) with equally many excitations, or a = b alone, or those couplings reach from there."""
    if kept == "populations":
        return np.arange(2**n), np.arange(2**n)
    if kept != "sectors":
        return reached(n, kept)
    count = bits(n).sum(axis=1)
    a, b = np.nonzero(count[:, None] == count[None, :])
    return a, b


def reached(n: int, moves: Moves) -> tuple[np.ndarray, np.ndarray]:
    """Lists pairs (a, b) whose difference of occupations is reached from 0 by vectors of `moves`, each at most once."""
    vectors = []
    for sites in moves:
        vector = np.zeros(n, int)
        vector[list(sites)] = [-1, 1, -1][: len(sites)]
        vectors += [vector, -vector]
    waiting, seen = [(0,) * n], {(0,) * n}
    while waiting:
        difference = np.array(waiting.pop())
        for vector in vectors:
            moved = tuple((difference + vector).tolist())
            if max(map(abs, moved)) <= 1 and moved not in seen:
                seen.add(moved)
                waiting.append(moved)
    found = []
    for moved in sorted(seen):
        free = [i for i in range(n) if moved[i] == 0]
        common = bits(len(free)) @ np.array([flip(n, (i,)) for i in free], int) if free else np.zeros(1, int)
        up, down = (flip(n, tuple(i for i in range(n) if moved[i] == sign)) for sign in (1, -1))
        found.append(np.stack([common + up, common + down]))
    a, b = np.concatenate(found, axis=1)
    order = np.lexsort((b, a))
    return a[order], b[order]


@lru_cache(maxsize=8)
def table(n: int, kept: Kept = "sectors") -> Table:
    """Lists all entries of the generator for N sites."""
    a, b = pairs(n, kept)
    where = np.full((2**n, 2**n), -1)
    where[a, b] = np.arange(len(a))
    excited = bits(n).astype(bool)
    ea, eb = excited[a], excited[b]
    entries: list[tuple[np.ndarray, ...]] = []
    offsets = np.cumsum([0, n, n * n, n, n, n * n])
    here = np.arange(len(a))

    def add(
        kind: int, index: int, mask: np.ndarray, ca: np.ndarray, cb: np.ndarray, factor: np.ndarray | float
    ) -> None:
        columns = where[ca, cb]
        keep = mask & (columns >= 0) & (np.broadcast_to(factor, mask.shape) != 0)
        values = np.broadcast_to(factor, mask.shape)[keep].astype(float)
        entries.append((here[keep], columns[keep], values, np.full(keep.sum(), offsets[kind] + index)))

    everywhere = np.ones(len(a), bool)
    for i in range(n):
        bit = 1 << (n - 1 - i)
        na, nb = ea[:, i].astype(float), eb[:, i].astype(float)
        add(0, i, everywhere, b, a, nb - na)
        add(2, i, ~ea[:, i] & ~eb[:, i], a ^ bit, b ^ bit, 1.0)
        add(2, i, everywhere, a, b, -(na + nb) / 2)
        add(3, i, ea[:, i] & eb[:, i], a ^ bit, b ^ bit, 1.0)
        add(3, i, everywhere, a, b, -(2 - na - nb) / 2)
        for k in range(i + 1, n):
            both = bit | 1 << (n - 1 - k)
            movable_a, movable_b = ea[:, i] != ea[:, k], eb[:, i] != eb[:, k]
            index = i * n + k
            add(1, index, movable_a, b, a ^ both, -1.0)
            add(1, index, movable_b, b ^ both, a, 1.0)
            add(4, index, movable_a & movable_b & (ea[:, i] == eb[:, i]), a ^ both, b ^ both, 1.0)
            add(4, index, everywhere, a, b, -(movable_a.astype(float) + movable_b) / 2)
    triples = () if isinstance(kept, str) else [sites for sites in kept if len(sites) == 3]
    for index, (i, j, k) in enumerate(triples):
        turn = flip(n, (i, j, k))
        movable_a, movable_b = ((e[:, i] != e[:, j]) & (e[:, i] == e[:, k]) for e in (ea, eb))
        add(5, index, movable_a, b, a ^ turn, -1.0)
        add(5, index, movable_b, b ^ turn, a, 1.0)
    rows, columns, factors, which = (np.concatenate(part) for part in zip(*entries))
    return Table(n, a, b, rows, columns, factors, which)


def values(entries: Table, parameters: Parameters) -> Array:
    """Gives the entries' numbers."""
    flat = jnp.concatenate([part.reshape(-1) for part in parameters])
    return jnp.asarray(entries.factors, flat.dtype) * flat[entries.which]


def apply(entries: Table, numbers: Array, m: Array) -> Array:
    """Gives dM/dt for packed M (size,)."""
    return jnp.zeros_like(m).at[entries.rows].add(numbers * m[entries.columns])


def dense(entries: Table, parameters: Parameters) -> Array:
    """Gives the generator as a (size, size) matrix."""
    numbers = values(entries, parameters)
    return jnp.zeros((entries.size, entries.size), numbers.dtype).at[entries.rows, entries.columns].add(numbers)


@eqx.filter_jit
def product_state(n: int, populations: Array, kept: Kept = "sectors") -> Array:
    """Gives the product of diagonal states, packed (size,)."""
    a, b = pairs(n, kept)
    diagonal = np.nonzero(a == b)[0]
    excited = jnp.asarray(bits(n)[a[diagonal]].astype(bool))
    weights = jnp.prod(jnp.where(excited, populations, 1 - populations), axis=1)
    return jnp.zeros(len(a), populations.dtype).at[diagonal].set(weights)


@eqx.filter_jit
def steady_excess(n: int, kept: Kept, parameters: Parameters, extra: Array | None, thermal: Array) -> tuple:
    """Gives M - M0 of the steady state over the product of `thermal` populations, and a condition number.

    `extra`: a further generator (size, size) in place of local baths, whose rates are then 0.
    """
    entries = table(n, kept)
    generator, start = dense(entries, parameters), product_state(n, thermal, kept)
    couplings = parameters
    if extra is not None:
        generator = generator + extra
    else:
        # The local baths leave the product of their own thermal states alone: to the last digit, if left out.
        none = jnp.zeros_like(parameters.loss)
        couplings = parameters._replace(loss=none, gain=none)
    source = apply(entries, values(entries, couplings), start)
    if extra is not None:
        source = source + matmul(extra, start)
    # Trace 0 takes the place of one equation, which the others imply.
    scale = jnp.max(jnp.abs(generator))
    trace = jnp.zeros(entries.size, generator.dtype).at[entries.diagonal].set(scale)
    row = int(entries.diagonal[0])
    return solve_probed(generator.at[row].set(trace), (-source).at[row].set(0.0))


def matrix(n: int, packed: Array, kept: Kept = "sectors") -> Array:
    """Makes packed entries a (2^N, 2^N) packed matrix."""
    return jnp.zeros((2**n, 2**n), packed.dtype).at[pairs(n, kept)].set(packed)


@eqx.filter_jit
def site_populations(n: int, packed: Array, kept: Kept = "sectors") -> Array:
    """Gives <n_i> of a packed state, or of an excess, (N,)."""
    a, b = pairs(n, kept)
    here = np.nonzero(a == b)[0]
    return matmul(jnp.asarray(bits(n)[a[here]].T, packed.dtype), packed[here])


@eqx.filter_jit
def site_correlations(n: int, packed: Array, kept: Kept = "sectors") -> Array:
    """Gives <n_i n_k>, (N, N)."""
    a, b = pairs(n, kept)
    here = np.nonzero(a == b)[0]
    excited = jnp.asarray(bits(n)[a[here]], packed.dtype)
    return matmul((excited * packed[here][:, None]).T, excited)


@eqx.filter_jit
def site_coherences(n: int, packed: Array, kept: Kept = "sectors") -> Array:
    """Gives Re <a_i^dagger a_k> for i != k, (N, N) with a zero diagonal."""
    full, excited = matrix(n, packed, kept), bits(n).astype(bool)
    found = jnp.zeros((n, n), packed.dtype)
    for i in range(n):
        for k in range(i + 1, n):
            both = (1 << (n - 1 - i)) | (1 << (n - 1 - k))
            s = np.nonzero(excited[:, i] & ~excited[:, k])[0]
            # Re rho = (M + M^T)/2
            value = jnp.sum(full[s ^ both, s] + full[s, s ^ both]) / 2
            found = found.at[i, k].set(value).at[k, i].set(value)
    return found


@eqx.filter_jit
def triple_coherences(n: int, packed: Array, kept: Moves) -> Array:
    """Gives Re <a_i a_j^dagger a_k> of each three-body coupling, (M,)."""
    full, excited = matrix(n, packed, kept), bits(n).astype(bool)
    found = []
    for i, j, k in (sites for sites in kept if len(sites) == 3):
        s = np.nonzero(excited[:, i] & ~excited[:, j] & excited[:, k])[0]
        turned = s ^ flip(n, (i, j, k))
        found.append(jnp.sum(full[turned, s] + full[s, turned]) / 2)
    return jnp.stack(found)
