r"""The network's master equation on density matrices that are block diagonal in the number of excitations.

Two-body couplings and local baths conserve that form, so C(2N, N) real unknowns replace 4^N complex ones. H and all
jumps are real in the site basis; with rho packed as M = Re + Im,

    dM/dt = D(M) - (H M^T - M^T H),   D the dissipators,

a real sparse matrix, linear in the parameters: its positions and signs are tabulated once for each N. The diagonal
alone (the classical master equation) closes where no coupling is coherent. With three-body couplings nothing less than
all elements does: they are packed the same way, and moved by the engine for Lindblad equations (`full`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .linear import solve_probed

# Which elements of a density matrix are kept.
Kept = Literal["populations", "sectors", "all"]


class Parameters(NamedTuple):
    """w (N,), K (N, N), Gamma (N,), Gamma x (N,), Y (N, N)."""

    frequencies: Array
    coherent: Array
    loss: Array
    gain: Array
    incoherent: Array


class Table(NamedTuple):
    """Pairs of basis states (a, b) kept, and the entries of the generator: row, column, sign, which parameter."""

    n: int
    a: np.ndarray
    b: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    factors: np.ndarray
    which: np.ndarray

    @property
    def size(self) -> int:
        """C(2N, N), how many real numbers a state has."""
        return len(self.a)

    @property
    def diagonal(self) -> np.ndarray:
        """Positions of the populations."""
        return np.nonzero(self.a == self.b)[0]


def dimension(n: int) -> int:
    """C(2N, N), computed without a table."""
    found = 1
    for k in range(1, n + 1):
        found = found * (n + k) // k
    return found


def bits(n: int) -> np.ndarray:
    """(2^N, N): 1 where the site is excited; first site slowest."""
    return (np.arange(2**n)[:, None] >> np.arange(n - 1, -1, -1)[None, :]) & 1


@lru_cache(maxsize=16)
def pairs(n: int, kept: Kept = "sectors") -> tuple[np.ndarray, np.ndarray]:
    """Basis states (a, b) with equally many excitations, or a = b alone, or all."""
    if kept == "populations":
        return np.arange(2**n), np.arange(2**n)
    count = bits(n).sum(axis=1) * (kept == "sectors")
    a, b = np.nonzero(count[:, None] == count[None, :])
    return a, b


def kept_of(n: int, packed: Array) -> Kept:
    """What a packed density matrix holds."""
    return "all" if packed.shape[-1] == 4**n else "sectors"


@lru_cache(maxsize=8)
def table(n: int, kept: Kept = "sectors") -> Table:
    """All entries of the generator for N sites."""
    a, b = pairs(n, kept)
    where = np.full((2**n, 2**n), -1)
    where[a, b] = np.arange(len(a))
    excited = bits(n).astype(bool)
    ea, eb = excited[a], excited[b]
    entries: list[tuple[np.ndarray, ...]] = []
    offsets = np.cumsum([0, n, n * n, n, n])
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
    rows, columns, factors, which = (np.concatenate(part) for part in zip(*entries))
    return Table(n, a, b, rows, columns, factors, which)


def values(entries: Table, parameters: Parameters) -> Array:
    """The entries' numbers."""
    flat = jnp.concatenate([part.reshape(-1) for part in parameters])
    return jnp.asarray(entries.factors, flat.dtype) * flat[entries.which]


def apply(entries: Table, numbers: Array, m: Array) -> Array:
    """dM/dt for packed M (size,)."""
    return jnp.zeros_like(m).at[entries.rows].add(numbers * m[entries.columns])


def dense(entries: Table, parameters: Parameters) -> Array:
    """The generator as a (size, size) matrix."""
    numbers = values(entries, parameters)
    return jnp.zeros((entries.size, entries.size), numbers.dtype).at[entries.rows, entries.columns].add(numbers)


@eqx.filter_jit
def product_state(n: int, populations: Array, kept: Kept = "sectors") -> Array:
    """The product of diagonal states, packed (size,)."""
    a, b = pairs(n, kept)
    diagonal = np.nonzero(a == b)[0]
    excited = jnp.asarray(bits(n)[a[diagonal]].astype(bool))
    weights = jnp.prod(jnp.where(excited, populations, 1 - populations), axis=1)
    return jnp.zeros(len(a), populations.dtype).at[diagonal].set(weights)


@eqx.filter_jit
def steady_excess(entries_of: tuple[int, Kept], parameters: Parameters, extra: Array | None, thermal: Array) -> tuple:
    """M - M0 of the steady state over the product of `thermal` populations, and a condition number.

    `extra`: a further generator (size, size) in place of local baths, whose rates are then 0.
    """
    entries = table(*entries_of)
    generator, start = dense(entries, parameters), product_state(entries_of[0], thermal, entries_of[1])
    couplings = parameters
    if extra is not None:
        generator = generator + extra
    else:
        # The local baths leave the product of their own thermal states alone: to the last digit, if left out.
        none = jnp.zeros_like(parameters.loss)
        couplings = parameters._replace(loss=none, gain=none)
    source = apply(entries, values(entries, couplings), start)
    if extra is not None:
        source = source + jnp.matmul(extra, start)
    # Trace 0 takes the place of one equation, which the others imply.
    scale = jnp.max(jnp.abs(generator))
    trace = jnp.zeros(entries.size, generator.dtype).at[entries.diagonal].set(scale)
    row = int(entries.diagonal[0])
    return solve_probed(generator.at[row].set(trace), (-source).at[row].set(0.0))


def matrix(n: int, packed: Array) -> Array:
    """Packed entries as a (2^N, 2^N) packed matrix."""
    if kept_of(n, packed) == "all":
        return packed.reshape(2**n, 2**n)
    return jnp.zeros((2**n, 2**n), packed.dtype).at[pairs(n)].set(packed)


@eqx.filter_jit
def site_populations(n: int, packed: Array) -> Array:
    """<n_i> of a packed state, or of an excess, (N,)."""
    a, b = pairs(n, kept_of(n, packed))
    here = np.nonzero(a == b)[0]
    return jnp.asarray(bits(n)[a[here]].T, packed.dtype) @ packed[here]


@eqx.filter_jit
def site_correlations(n: int, packed: Array) -> Array:
    """<n_i n_k>, (N, N)."""
    a, b = pairs(n, kept_of(n, packed))
    here = np.nonzero(a == b)[0]
    excited = jnp.asarray(bits(n)[a[here]], packed.dtype)
    return (excited * packed[here][:, None]).T @ excited


@eqx.filter_jit
def site_coherences(n: int, packed: Array) -> Array:
    """Re <a_i^dagger a_k> for i != k, (N, N) with a zero diagonal."""
    full, excited = matrix(n, packed), bits(n).astype(bool)
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
def triple_coherences(n: int, packed: Array, triples: tuple[tuple[int, int, int], ...]) -> Array:
    """Re <a_i a_j^dagger a_k> of each triple (i, j, k), (K,)."""
    full, excited = matrix(n, packed), bits(n).astype(bool)
    found = []
    for i, j, k in triples:
        turned = sum(1 << (n - 1 - site) for site in (i, j, k))
        s = np.nonzero(excited[:, i] & ~excited[:, j] & excited[:, k])[0]
        found.append(jnp.sum(full[s ^ turned, s] + full[s, s ^ turned]) / 2)
    return jnp.stack(found) if found else jnp.zeros(0, packed.dtype)
