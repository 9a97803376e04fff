"""Solves the equation M X = R of `linear.Resolvent` by one sparse factorisation (SciPy's SuperLU), on the host.

M, (n^2, n^2), is sparse where H and the jumps are; it falls into pieces that exchange nothing (parities, numbers), each
factorised when a right-hand side first needs it. Compiled programs call it back, with the numbers of H and the jumps.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee
from scipy.sparse.linalg import SuperLU, splu
from threadpoolctl import ThreadpoolController

from ..lindbladian import Lindbladian
from ..storage.diagonals import Pattern
from ..storage.family import Entries, Skeleton

# Most elements of M that are looked at, and most multiplications of its factorisation, for which it is chosen.
MOST_ELEMENTS = 5_000_000
MOST_WORK = 1e11
# Beyond this share of its size the bandwidth of a piece says that the factors are dense.
DENSE_SHARE = 0.6
# The diagonal is kept as pivot down to this share of the largest of its column: the order was made for it.
PIVOT_SHARE = 0.1
REFINEMENTS = 2


@dataclass(frozen=True)
class Structure:
    """Says where H and the jumps can differ from 0; hashable."""

    n: int
    hamiltonian: Skeleton
    jumps: Skeleton

    @classmethod
    def of(cls, model: Lindbladian) -> Structure:
        return cls(model.n, model.terms.skeleton, model.jumps.skeleton)

    def banded(self) -> Structure | None:
        """Gives the same with neighbouring levels alone coupled, where nothing is known of H; None: something is."""
        neighbours = np.abs(np.subtract.outer(np.arange(self.n), np.arange(self.n))) <= 1
        found = []
        for skeleton in (self.hamiltonian, self.jumps):
            mask = skeleton.pattern.mask
            if skeleton.offsets is not None:
                return None
            unknown = np.all(mask, (1, 2))
            found.append(dataclasses.replace(skeleton, pattern=Pattern(mask & (neighbours | ~unknown[:, None, None]))))
        return Structure(self.n, *found) if np.any(np.all(self.hamiltonian.pattern.mask, (1, 2))) else None

    def holds(self, model: Lindbladian) -> Array:
        """Says whether all numbers outside the patterns are 0."""
        outside = lambda skeleton, values: jnp.where(skeleton.pattern.mask, 0, values) == 0
        return jnp.all(outside(self.hamiltonian, model.terms.values)) & jnp.all(outside(self.jumps, model.jumps.values))

    def superoperator(self, h: np.ndarray, jumps: np.ndarray, rates: np.ndarray) -> sp.csc_array:
        """Returns L on rho written row by row, (n^2, n^2)."""
        hamiltonian = _operators(self.hamiltonian, h, self.n)
        one = sp.eye_array(self.n, format="csr")
        a = -1j * (hamiltonian[0] if hamiltonian else sp.csr_array((self.n, self.n), dtype=complex))
        gains = []
        for rate, jump in zip(rates, _operators(self.jumps, jumps, self.n)):
            a = a - 0.5 * rate * (jump.conj().T @ jump)
            gains.append(sp.kron(rate * jump, jump.conj(), format="csr"))
        return sum(gains, sp.kron(a, one, format="csr") + sp.kron(one, a.conj(), format="csr")).tocsc()

    def system(self, numbers: tuple[np.ndarray, ...], s: complex, scale: float) -> sp.csc_array:
        """Returns M = s - L + (scale/n) 1 Tr."""
        diagonal = np.arange(self.n) * (self.n + 1)
        rows, columns = np.repeat(diagonal, self.n), np.tile(diagonal, self.n)
        trace = sp.csc_array((np.full(self.n**2, scale / self.n), (rows, columns)), shape=(self.n**2,) * 2)
        return (s * sp.eye_array(self.n**2, format="csc") - self.superoperator(*numbers) + trace).tocsc()


@functools.lru_cache(maxsize=64)
def pays(structure: Structure) -> bool:
    """Says whether the factors stay sparse and small, by the bandwidth of each piece."""
    n = structure.n
    h, jumps = structure.hamiltonian.entries(), structure.jumps.entries()
    if 2 * n * (len(h.row) + n) + sum(np.bincount(jumps.owner) ** 2, 0) > MOST_ELEMENTS:
        return False
    # Random numbers, so that nothing cancels.
    rng = np.random.default_rng(0)
    ones = (rng.uniform(1, 2, s.pattern.mask.shape) for s in (structure.hamiltonian, structure.jumps))
    matrix = structure.system((*ones, rng.uniform(1, 2, structure.jumps.count)), 0j, 1.0)
    work = 0.0
    for piece in _pieces(matrix):
        inside = _pattern(matrix[piece][:, piece]).tocsr()
        order = reverse_cuthill_mckee(inside)
        permuted = inside[order][:, order].tocoo()
        width = int(np.max(np.abs(permuted.row - permuted.col), initial=0))
        if len(piece) > 400 and width > DENSE_SHARE * len(piece):
            return False
        work += 8.0 * len(piece) * width**2
    return work <= MOST_WORK


# SuperLU's products are small: on a busy machine the threads of BLAS make them ten times slower.
_threads = functools.cache(ThreadpoolController)


class Factorisation:
    """Holds M in factors, piece by piece."""

    def __init__(self, matrix: sp.csc_array):
        self.size = matrix.shape[0]
        self._pieces = _pieces(matrix)
        self._blocks = [matrix[piece][:, piece].tocsc() for piece in self._pieces]
        self._factors: dict[int, SuperLU | None] = {}

    def solve(self, b: np.ndarray, transposed: bool = False) -> np.ndarray:
        """Solves M X = b for X, or with the transpose; NaN where M is singular."""
        x = np.zeros(self.size, complex)
        for k, piece in enumerate(self._pieces):
            if np.any(b[piece]):
                with _threads().limit(limits=1, user_api="blas"):
                    x[piece] = self._solved(k, b[piece], transposed)
        return x

    def smallest(self) -> float:
        """Finds the smallest singular value of M, by inverse iteration in each piece."""
        with _threads().limit(limits=1, user_api="blas"):
            return min(self._smallest(k) for k in range(len(self._pieces)))

    def _smallest(self, k: int) -> float:
        vector = np.random.default_rng(0).normal(size=len(self._pieces[k])).astype(complex)
        growth = np.inf
        # The first two only point the vector the right way: their solutions need no refinement.
        for refinements in (0, 0, REFINEMENTS):
            vector /= np.linalg.norm(vector)
            right = self._solved(k, vector, False, refinements).conj()
            vector = self._solved(k, right, True, refinements).conj()
            growth = float(np.linalg.norm(vector))
            if not np.isfinite(growth):
                return 0.0
        return growth**-0.5

    def _solved(self, k: int, b: np.ndarray, transposed: bool, refinements: int = REFINEMENTS) -> np.ndarray:
        factors = self._factor(k)
        if factors is None:
            return np.full(len(b), np.nan)
        block, mode = (self._blocks[k].T, "T") if transposed else (self._blocks[k], "N")
        x = factors.solve(b, mode)
        for _ in range(refinements):
            x += factors.solve(b - block @ x, mode)
        return x

    def _factor(self, k: int) -> SuperLU | None:
        if k not in self._factors:
            options = {"SymmetricMode": True}
            order = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": PIVOT_SHARE, "options": options}
            try:
                self._factors[k] = splu(self._blocks[k], **order)
            except RuntimeError:  # "Factor is exactly singular"
                self._factors[k] = None
        return self._factors[k]


def solve(model: Lindbladian, scale: Any, s: Any, rhs: Array, transposed: bool) -> Array:
    """Solves M X = rhs for X, (n, n), traced or not."""
    structure = Structure.of(model)

    def host(b: Any, *numbers: Any) -> np.ndarray:
        b = np.asarray(b)
        return _factorised(structure, *numbers).solve(b.reshape(-1), transposed).reshape(b.shape).astype(b.dtype)

    like = jax.ShapeDtypeStruct(rhs.shape, rhs.dtype)
    return jax.pure_callback(host, like, rhs, *_numbers(model, s, scale), vmap_method="sequential")


def smallest(model: Lindbladian, scale: Any) -> Array:
    """Finds the smallest singular value of M at s = 0."""
    structure = Structure.of(model)
    like = jax.ShapeDtypeStruct((), model.rates.dtype)
    host = lambda *numbers: np.asarray(_factorised(structure, *numbers).smallest(), like.dtype)
    return jax.pure_callback(host, like, *_numbers(model, 0.0, scale), vmap_method="sequential")


def _numbers(model: Lindbladian, s: Any, scale: Any) -> tuple[Any, ...]:
    return tuple(jax.lax.stop_gradient((model.terms.values, model.jumps.values, model.rates, s, scale)))


def _factorised(structure: Structure, h: Any, jumps: Any, rates: Any, s: Any, scale: Any) -> Factorisation:
    # In double precision whatever the model's: the factors of single precision would lose the small eigenvalues.
    parts = (np.asarray(h, complex), np.asarray(jumps, complex), np.asarray(rates, float))
    return _kept(structure, *(part.tobytes() for part in parts), complex(s), float(scale))


# The state, its check and its derivative ask for the same factors one after the other.
@functools.lru_cache(maxsize=2)
def _kept(structure: Structure, h: bytes, jumps: bytes, rates: bytes, s: complex, scale: float) -> Factorisation:
    values = [
        np.frombuffer(part, complex).reshape(skeleton.pattern.mask.shape)
        for part, skeleton in ((h, structure.hamiltonian), (jumps, structure.jumps))
    ]
    return Factorisation(structure.system((*values, np.frombuffer(rates)), s, scale))


def _operators(skeleton: Skeleton, values: np.ndarray, n: int) -> list[sp.csr_array]:
    where: Entries = skeleton.entries()
    numbers = values.reshape(-1)[where.place]
    found = []
    for k in range(skeleton.count):
        own = where.owner == k
        found.append(sp.csr_array((numbers[own], (where.row[own], where.column[own])), shape=(n, n)))
    return found


def _pieces(matrix: sp.csc_array) -> list[np.ndarray]:
    """List indices that share a connected component."""
    count, label = connected_components(_pattern(matrix), directed=False)
    order = np.argsort(label, kind="stable")
    return np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1])


def _pattern(matrix: sp.csc_array) -> sp.csc_array:
    return sp.csc_array((np.ones(len(matrix.data), np.int8), matrix.indices, matrix.indptr), shape=matrix.shape)
