"""Makes states of an oscillator cut at n levels, and the way between kets, density matrices and the position basis."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Inexact, Shaped

from .._checks import concrete, positive, require, size
from .._types import Numbers
from ..numerics.products import einsum, matmul
from ._arrays import as_complex, inexact, state
from .dvr import hermite_dvr
from .foreign import Foreign


def fock_state(n_levels: int, k: int) -> Complex[Array, " n"]:
    """Gives the number state |k> of an oscillator cut at `n_levels`.

    Arguments:
        n_levels: number of Fock states kept.
        k: level, 0 <= k < n_levels.

    Returns:
        (n,) complex ket.

    Raises:
        ValueError: a size is not a plain int, or k >= n_levels.

    Example:
        >>> fock_state(3, 1).real.tolist()
        [0.0, 1.0, 0.0]
    """
    n, level = size("n_levels", n_levels), size("k", k, least=0)
    require(level < n, "k", f"be below n_levels = {n}", level)
    return jnp.asarray(np.arange(n) == level, complex)


def coherent_state(n_levels: int, alpha: Shaped[Array, "*batch"] | Numbers) -> Complex[Array, "*batch n"]:
    """Gives a coherent state, closed form in the Fock basis: c_k = exp(-|alpha|²/2) alpha^k / sqrt(k!).

    Arguments:
        n_levels: number of Fock states kept.
        alpha: complex amplitudes (...), dimensionless; may be traced. <x> = sqrt(2) Re alpha where M omega = hbar = 1.

    Returns:
        (..., n) complex kets, not renormalised: 1 - <psi|psi> is the weight beyond the cut-off.

    Raises:
        ValueError: `n_levels` is not a plain int >= 1, or `alpha` is not finite.

    Example:
        >>> psi = coherent_state(40, 1 + 2j)
        >>> bool(jnp.allclose(psi[1], (1 + 2j) * psi[0]))
        True

    Source: R. J. Glauber, Phys. Rev. 131, 2766 (1963), Eq. (3.4).
    """
    n = size("n_levels", n_levels)
    amplitude = inexact("alpha", alpha)
    known = concrete(amplitude)
    require(known is None or bool(np.all(np.isfinite(known))), "alpha", "be finite", alpha)
    return _coherent(n, amplitude)


@partial(jax.jit, static_argnums=0)
def _coherent(n: int, amplitude: Array) -> Array:
    square = (jnp.real(amplitude) ** 2 + jnp.imag(amplitude) ** 2)[..., None]
    # With s² = 1 + |alpha|² (smooth, never 0), alpha^k / sqrt(k!) = (alpha/s)^k · s^k / sqrt(k!): the first factor is
    # at most 1, and the second times exp(-|alpha|²/2) is at most exp(1/2). In u = s²/k its logarithm is
    # (k/2)(log u + 1 - u) + 1/2 + (Stirling's remainder), free of cancellation.
    k = np.arange(1, n)
    remainder = (k * np.log(k) - k - np.cumsum(np.log(k))) / 2
    excess = (square + 1 - k) / k
    near = jnp.abs(excess) < 0.5
    log_u = jnp.where(near, jnp.log1p(jnp.where(near, excess, 0.0)), jnp.log((square + 1) / k))
    weights = jnp.exp(k / 2 * (log_u - excess) + 0.5 + remainder).astype(square.dtype)
    weights = jnp.concatenate([jnp.exp(-square / 2), weights], axis=-1)
    return as_complex(weights * _powers(amplitude / jnp.sqrt(1 + square[..., 0]), n))


def thermal_state(n_levels: int, mean_number: Shaped[Array, "*batch"] | Numbers) -> Complex[Array, "*batch n n"]:
    """Gives a thermal state of an oscillator, rho_kk proportional to (m/(1+m))^k with m the mean number.

    Arguments:
        n_levels: number of Fock states kept.
        mean_number: m >= 0 (...), of the oscillator that is not cut, 1/(exp(beta omega) - 1); may be traced.

    Returns:
        (..., n, n) density matrices of trace 1: the Gibbs state of the levels kept.

    Raises:
        ValueError: `n_levels` is not a plain int >= 1, or `mean_number` is negative.

    Example:
        >>> rho = thermal_state(60, 0.5)
        >>> bool(jnp.allclose(rho[1, 1] / rho[0, 0], 1 / 3))
        True
    """
    n = size("n_levels", n_levels)
    return _thermal(n, positive("mean_number", mean_number, zero=True))


@partial(jax.jit, static_argnums=0)
def _thermal(n: int, m: Array) -> Array:
    weights = _powers(m / (1 + m), n)
    populations = weights / jnp.sum(weights, axis=-1, keepdims=True)
    return as_complex(populations[..., None] * jnp.eye(n, dtype=populations.dtype))


def to_density_matrix(
    psi: Shaped[Array, "*state n"] | Numbers | Foreign, ket: bool | None = None
) -> Inexact[Array, "*batch n n"]:
    """Gives the density matrix |psi><psi| of a ket; a density matrix is returned as it is.

    Arguments:
        psi: ket (n,) or density matrices (..., n, n).
        ket: True where `psi` is a batch of kets (..., n).

    Returns:
        (..., n, n).

    Raises:
        ValueError: the shape is neither.

    Example:
        >>> to_density_matrix(jnp.array([1.0, 0.0])).tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    array, is_ket = state("psi", psi, ket)
    return _projector(array) if is_ket else array


@jax.jit
def _projector(psi: Array) -> Array:
    return psi[..., :, None] * psi[..., None, :].conj()


def to_position_basis(
    rho: Shaped[Array, "*batch n"] | Numbers | Foreign, ket: bool | None = None
) -> Inexact[Array, "*batch n"]:
    """Gives the state on the n Hermite nodes: V psi, or V rho V^T, with (nodes, V) = hermite_dvr(n).

    |amplitude_i|² is the probability of node i; divided by the quadrature weight it is the density at x_i.

    Arguments:
        rho: ket (n,) or density matrices (..., n, n) in the Fock basis.
        ket: True where `rho` is a batch of kets (..., n).

    Returns:
        the same shape, on the nodes.

    Raises:
        ValueError: the shape is neither.

    Example:
        >>> from jaxtls.quantum import hermite_dvr
        >>> nodes, _ = hermite_dvr(30)
        >>> weight = jnp.abs(to_position_basis(coherent_state(30, 1.0))) ** 2
        >>> bool(jnp.allclose(weight @ nodes, 2**0.5, atol=1e-5))
        True

    Source: as `hermite_dvr`.
    """
    return _rotate(rho, ket, to_nodes=True)


def from_position_basis(
    rho: Shaped[Array, "*batch n"] | Numbers | Foreign, ket: bool | None = None
) -> Inexact[Array, "*batch n"]:
    """Gives the state in the Fock basis from its values on the Hermite nodes, the inverse of `to_position_basis`.

    Arguments, returns, raises, source: as `to_position_basis`, the other way.

    Example:
        >>> psi = coherent_state(30, 1.0)
        >>> bool(jnp.allclose(from_position_basis(to_position_basis(psi)), psi, atol=1e-6))
        True
    """
    return _rotate(rho, ket, to_nodes=False)


def _powers(base: Array, n: int) -> Array:
    """Give base^k for k = 0 ... n-1 along a new last axis, |base| <= 1, from repeated squares: smooth at 0, no log."""
    k = np.arange(n)
    powers, square = jnp.ones((*base.shape, n), base.dtype), base[..., None]
    for bit in range((n - 1).bit_length()):
        powers = jnp.where((k >> bit) & 1, powers * square, powers)
        square = square * square
    return powers


def _rotate(rho: Numbers | Foreign, ket: bool | None, to_nodes: bool) -> Array:
    array, is_ket = state("rho", rho, ket)
    matrix = hermite_dvr(array.shape[-1])[1]
    v = jnp.asarray(matrix if to_nodes else matrix.T, jnp.finfo(array.dtype).dtype).astype(array.dtype)
    if is_ket:
        return einsum("ij,...j->...i", v, array)
    return matmul(matmul(v, array), v.T)
