"""Runs LAPACK's decompositions of (..., n, n), on a CPU the matrices of a batch one after the other.

JAX 0.10 and 0.11 hand the matrices of a batch to the threads that compute, and wait on one of them. Where as many
decompositions of batches run side by side as there are threads (two, on two cores) they wait for each other for ever.
That of one matrix does not wait; JAX 0.12 goes one by one, too.

Source: jax-ml/jax issue 39292, for the pool; the derivatives are those of jax.numpy.linalg.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike

from .._platform import platform
from .products import matmul

# Whether this JAX's batches can wait for each other.
WAITS = (0, 10) <= jax.__version_info__ < (0, 12)

R = TypeVar("R")


def _apart(f: Callable[..., R]) -> Callable[..., R]:
    """Make of f a function whose lanes under vmap follow each other."""
    in_turn = jax.custom_batching.sequential_vmap(f)

    def chosen(*arrays: Array) -> R:
        return (in_turn if WAITS and platform() == "cpu" else f)(*arrays)

    return chosen


def _each(f: Callable[..., R], *arrays: Array) -> R:
    """Apply f of (n, n) matrices to stacks of them."""
    return f(*arrays) if arrays[0].ndim == 2 else jax.vmap(lambda *part: _each(f, *part))(*arrays)


# From how many levels on a complex matrix is made tridiagonal for its eigenvalues alone: jax.numpy's finds the vectors,
# too. Its 256 levels take 17.6 ms, so they take 9.4; 64 levels .82 and .43; 32 are level.
ALONE = 64


def _eigenvalues(a: Array) -> Array:
    if not (platform() == "cpu" and jnp.iscomplexobj(a) and a.shape[-1] >= ALONE):
        return jnp.linalg.eigvalsh(a)
    _, diagonal, beside, _ = jax.lax.linalg.tridiagonal((a + a.conj().T) / 2, lower=True)
    return jax.scipy.linalg.eigh_tridiagonal(diagonal, beside, eigvals_only=True)


_levels = _apart(_eigenvalues)
# Lambdas: defaults of the functions themselves would be taken for arrays.
_both = _apart(lambda a: tuple(jnp.linalg.eigh(a)))
_solution = _apart(lambda a, b: jnp.linalg.solve(a, b))
_sizes = _apart(lambda a: jnp.linalg.svd(a, compute_uv=False))
_factors = _apart(lambda a: tuple(jnp.linalg.svd(a)))
_tridiagonal = _apart(lambda *rows: jax.lax.linalg.tridiagonal_solve(*rows))
_triangle = _apart(lambda a: jnp.linalg.qr(a, mode="r"))


@jax.custom_jvp
def _eigh(a: Array) -> tuple[Array, Array]:
    return _both(a)


@_eigh.defjvp
def _eigh_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple:
    values, vectors = _eigh(*primals)
    change = _in_basis(vectors, tangents[0])
    apart = jnp.eye(len(values), dtype=values.dtype) + values[None, :] - values[:, None]
    turned = matmul(vectors, (1 / apart - jnp.eye(len(values), dtype=values.dtype)) * change)
    return (values, vectors), (jnp.diagonal(change).real, turned)


@jax.custom_jvp
def _eigvalsh(a: Array) -> Array:
    return _levels(a)


@_eigvalsh.defjvp
def _eigvalsh_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    values, vectors = _eigh(*primals)
    return values, jnp.diagonal(_in_basis(vectors, tangents[0])).real


def _in_basis(vectors: Array, change: Array) -> Array:
    return matmul(vectors.conj().T, matmul((change + change.conj().T) / 2, vectors))


def _solve(a: Array, b: Array) -> Array:
    dtype = jnp.result_type(a, b)
    a, b = a.astype(dtype), b.astype(dtype)
    still = jax.lax.stop_gradient(a)
    forth, back = lambda _, x: _solution(still, x), lambda _, x: _solution(still.T, x)
    return jax.lax.custom_linear_solve(lambda x: matmul(a, x), b, forth, back)


def eigh(a: ArrayLike) -> tuple[Array, Array]:
    """Finds the eigenvalues (..., n), ascending, and vectors (..., n, n) of Hermitian matrices.

    Example:
        >>> eigh(jnp.diag(jnp.array([2.0, 1.0])))[0].tolist()
        [1.0, 2.0]
    """
    return _each(_eigh, jnp.asarray(a))


def eigvalsh(a: ArrayLike) -> Array:
    """Finds the eigenvalues (..., n) of Hermitian matrices, ascending.

    Example:
        >>> eigvalsh(jnp.diag(jnp.array([2.0, 1.0]))).tolist()
        [1.0, 2.0]
    """
    return _each(_eigvalsh, jnp.asarray(a))


def solve(a: ArrayLike, b: ArrayLike) -> Array:
    """Solves a x = b for x, with (n, n) and (n,) or (n, k).

    Example:
        >>> solve(jnp.diag(jnp.array([2.0, 4.0])), jnp.ones(2)).tolist()
        [0.5, 0.25]
    """
    return _solve(jnp.asarray(a), jnp.asarray(b))


def inv(a: ArrayLike) -> Array:
    """Inverts (n, n).

    Example:
        >>> inv(jnp.diag(jnp.array([2.0, 4.0]))).tolist()
        [[0.5, 0.0], [0.0, 0.25]]
    """
    a = jnp.asarray(a)
    return _solve(a, jnp.eye(a.shape[-1], dtype=a.dtype))


def tridiagonal_solve(lower: Array, diagonal: Array, upper: Array, b: Array) -> Array:
    """Solves lower_i x_{i-1} + diagonal_i x_i + upper_i x_{i+1} = b_i for x (n, k); lower_0 and upper_{n-1} are 0.

    Example:
        >>> zero, two = jnp.zeros(2), 2 * jnp.ones(2)
        >>> tridiagonal_solve(zero, two, zero, jnp.ones((2, 1))).tolist()
        [[0.5], [0.5]]
    """
    still = jax.lax.stop_gradient((lower, diagonal, upper))
    turned = jnp.roll(still[2], 1), still[1], jnp.roll(still[0], -1)

    def product(x: Array) -> Array:
        beside = lower[:, None] * jnp.roll(x, 1, 0) + upper[:, None] * jnp.roll(x, -1, 0)
        return diagonal[:, None] * x + beside

    forth, back = lambda _, x: _tridiagonal(*still, x), lambda _, x: _tridiagonal(*turned, x)
    return jax.lax.custom_linear_solve(product, b, forth, back)


def _by_jax(f: Callable[[Array], R], like: Callable[[Array], R]) -> Callable[[Array], R]:
    """Give f the derivative of `like`, which takes a decomposition of the batch itself."""
    found = jax.custom_jvp(f)
    found.defjvp(lambda primals, tangents: jax.jvp(like, primals, tangents))
    return found


_svdvals = _by_jax(_sizes, lambda a: jnp.linalg.svd(a, compute_uv=False))
_svd = _by_jax(_factors, lambda a: tuple(jnp.linalg.svd(a)))
_qr = _by_jax(_triangle, lambda a: jnp.linalg.qr(a, mode="r"))


def svdvals(a: ArrayLike) -> Array:
    """Finds the singular values (..., n), descending.

    Example:
        >>> svdvals(jnp.diag(jnp.array([1.0, -2.0]))).tolist()
        [2.0, 1.0]
    """
    return _each(_svdvals, jnp.asarray(a))


def svd(a: ArrayLike) -> tuple[Array, Array, Array]:
    """Finds U, S and V† of (..., n, n).

    Example:
        >>> svd(jnp.diag(jnp.array([1.0, -2.0])))[1].tolist()
        [2.0, 1.0]
    """
    u, s, wh = _each(_svd, jnp.asarray(a))
    return u, s, wh


def triangle(a: ArrayLike) -> Array:
    """Finds R of a = Q R, (min(m, n), n) of (m, n).

    Example:
        >>> abs(triangle(jnp.array([[3.0], [4.0]]))).round(6).tolist()
        [[5.0]]
    """
    return _qr(jnp.asarray(a))
