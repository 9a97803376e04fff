"""Small constant Lindblad equations by one matrix exponential: rho(t + h) = exp(h L) rho(t), for many at a time.

For a few levels exp(h L) of one interval costs less than a series at each, and needs no bound on the spectrum: the form
for equations whose numbers are traced, batches of them above all. Hermitian matrices are n^2 real numbers, on which L
is real.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..dynamics.evolve import as_solution
from ..dynamics.solution import Solution
from .rhs.fields import HIGHEST

if TYPE_CHECKING:
    from .equation import MasterEquation

# Most levels: exponentials of 64 x 64 matrices.
LEVELS = 8
# exp(h L) is squared at most this many times: h |L| may be 1e9.
SQUARINGS = 32


def suits(n: int, ts: np.ndarray | None) -> bool:
    """Whether the equation is small and the times are known and equally spaced."""
    if n > LEVELS or ts is None:
        return False
    steps = np.diff(ts)
    return bool(np.ptp(steps) <= 1e-9 * np.max(steps))


def solve(equation: MasterEquation, rho: Array, ts: Array, save_states: bool) -> Solution:
    """For equally spaced times; records what `constant.solve` does."""
    n = equation.lindbladian.n
    known = _hermitian_basis(n) if equation.hermitian else np.eye(n * n, dtype=complex).reshape(-1, n, n)
    basis = jnp.asarray(known, rho.dtype)
    moved = jax.vmap(lambda b: equation.generator(rho)(0.0, b, None))(basis)
    generator = _coordinates(basis, moved, equation.hermitian).T
    step = jax.scipy.linalg.expm((ts[1] - ts[0]) * generator, max_squarings=SQUARINGS)
    start = _coordinates(basis, rho[None], equation.hermitian)[0]

    def move(x: Array, _: None) -> tuple[Array, Array]:
        x = jnp.matmul(step, x, precision=HIGHEST)
        return x, x

    _, later = jax.lax.scan(move, start, None, length=ts.shape[0] - 1)
    found = jnp.concatenate([start[None], later])
    read = lambda operators: jnp.einsum(
        "ta,kij,aji->tk", found, operators, basis, precision=HIGHEST, optimize="optimal"
    )
    one = jnp.eye(n, dtype=rho.dtype)[None]
    trace_error = jnp.max(jnp.abs(read(one)[:, 0] - equation.trace))
    rounding = jnp.finfo(ts.dtype).eps * (1 + (ts[-1] - ts[0]) * jnp.linalg.norm(generator))
    records = {
        "observables": {"expects": read(equation.operators)} if equation.operators.shape[0] else {},
        "states": jnp.tensordot(found, basis, 1, precision=HIGHEST) if save_states else None,
    }
    stats = {"method": "matrix exponential", "steps": ts.shape[0] - 1, "levels": n, "layout": "dense"}
    diagnostics = jax.lax.stop_gradient({"trace_error": trace_error, "time_error": rounding})
    return as_solution(records, ts, stats, diagnostics, {"trace_error": 1e-5, "time_error": 1e-5}, jnp.array(True))


def _hermitian_basis(n: int) -> np.ndarray:
    """(n^2, n, n): matrices of which every Hermitian one is a real combination, orthogonal, of norm 1."""
    found = np.zeros((n, n, n, n), complex)
    for i, j in np.ndindex(n, n):
        unit = np.zeros((n, n), complex)
        unit[i, j] = 1 if i <= j else 1j
        found[i, j] = (unit + unit.conj().T) / (2 if i == j else np.sqrt(2))
    return found.reshape(-1, n, n)


def _coordinates(basis: Array, matrices: Array, hermitian: bool) -> Array:
    """(K, n, n) -> (K, n^2), real where matrices and basis are Hermitian."""
    found = jnp.einsum("aij,kij->ka", basis.conj(), matrices, precision=HIGHEST)
    return found.real if hermitian else found
