"""Computes the Wigner function of an oscillator state on a grid."""

from __future__ import annotations

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from .._checks import real, require
from .._types import Numbers
from ..numerics.products import matmul
from ._arrays import as_complex, state
from .dvr import hermite_dvr
from .foreign import Foreign
from .hermite import hermite_functions


@lru_cache(maxsize=16)
def _quadrature(n_levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give half-line nodes v >= 0 (n,) of the Gauss-Hermite rule of 2n-1 points, its weights' roots, the transform.

    The rule is exact for products of two functions of degree 2n-2 times exp(-v²): enough for all of rho(x-y, x+y).
    """
    full = 2 * n_levels - 1
    nodes = hermite_dvr(full)[0][n_levels - 1 :]
    # phi_k(v) and 1/w = sum_k phi_k(v)² by the recurrence from 1, its growth kept as a logarithm.
    columns, log_scale = [np.zeros(n_levels), np.ones(n_levels)], np.zeros(n_levels)
    for k in range(full - 1):
        columns.append(np.sqrt(2 / (k + 1)) * nodes * columns[-1] - np.sqrt(k / (k + 1)) * columns[-2])
        shrink = np.where(np.abs(columns[-1]) > 1e100, 1e-100, 1.0)
        columns = [column * shrink for column in columns]
        log_scale = log_scale - np.log(shrink)
    values = np.stack(columns[1:], axis=1)
    norm = np.sqrt(np.sum(values**2, axis=1))
    return nodes, np.exp(nodes**2 / 2 + np.log(np.pi) / 4 - log_scale) / norm, values / norm[:, None]


def wigner(
    rho: Shaped[Array, "*batch n n"] | Numbers | Foreign,
    xs: Shaped[Array, " x"] | Numbers,
    ps: Shaped[Array, " p"] | Numbers,
) -> Float[Array, "*batch x p"]:
    """Gives the Wigner function W(x, p) = (1/pi) ∫ dy <x-y|rho|x+y> exp(2ipy),
    with x = (a+a†)/sqrt(2), p = (a-a†)/(i sqrt(2)).

    It integrates to Tr rho over dx dp, and the vacuum is exp(-x²-p²)/pi.

    Arguments:
        rho: density matrices (..., n, n) in the Fock basis, Hermitian, or a ket (n,).
        xs: positions (X,), in units of sqrt(hbar/(M omega)).
        ps: momenta (P,), in units of sqrt(hbar M omega).

    Returns:
        (..., X, P) real: the first grid axis is x (plotting libraries often want the transpose).

    Raises:
        ValueError: `rho` is neither, or `xs` or `ps` is not one-dimensional and real.

    Example:
        >>> one = jnp.array([0.0, 1.0])
        >>> bool(jnp.allclose(wigner(one, [0.0], [0.0]), -1 / jnp.pi))
        True

    Source: E. Wigner, Phys. Rev. 40, 749 (1932), Eq. (5); the integral over y is an exact Gauss-Hermite sum, its
    Fourier transform taken term by term, so hundreds of levels neither overflow nor cancel.
    """
    array, is_ket = state("rho", rho)
    x, p = real("xs", xs), real("ps", ps)
    for name, grid in (("xs", x), ("ps", p)):
        require(grid.ndim == 1, name, "be one-dimensional", f"shape {grid.shape}")
    return _on_grid(array, x, p, is_ket)


@partial(jax.jit, static_argnums=3)
def _on_grid(array: Array, x: Array, p: Array, is_ket: bool) -> Array:
    array = as_complex(array)
    n = array.shape[-1]
    dtype = jnp.result_type(jnp.finfo(array.dtype).dtype, x, p)
    x, p = x.astype(dtype), p.astype(dtype)
    nodes, roots, transform = _quadrature(n)
    y = jnp.asarray(nodes / np.sqrt(2), dtype)
    # y and -y give conjugate terms: twice the real part of those with y > 0.
    weights = jnp.asarray(roots * np.where(np.arange(n) == 0, 1.0, 2.0) / np.sqrt(np.pi), dtype)

    @jax.checkpoint
    def matrix_elements(at):
        """Gives <x-y|rho|x+y> on the nodes, (..., n)."""
        left, right = hermite_functions(n, at - y), hermite_functions(n, at + y)
        if is_ket:
            return matmul(left, array) * matmul(right, array.conj())
        return jnp.sum(matmul(left, array) * right, axis=-1)

    # A few rows of the grid at a time: memory stays flat, the products stay large.
    elements = jnp.moveaxis(jax.lax.map(matrix_elements, x, batch_size=8), 0, -2) * weights
    phases = np.array([1, 1j, -1, -1j])[np.arange(2 * n - 1) % 4]
    kernel = jnp.asarray(transform * phases, elements.dtype)
    # ∫ phi_k(sqrt(2) y) exp(2ipy) dy = sqrt(pi) i^k phi_k(sqrt(2) p).
    waves = matmul(kernel, hermite_functions(2 * n - 1, 2**0.5 * p).T)
    return jnp.real(matmul(elements, waves))
