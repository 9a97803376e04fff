"""Computes numbers that say how mixed, how far apart, how correlated states are; leading batch axes everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact, Shaped

from .._checks import require, size
from .._types import Numbers
from ..numerics.products import einsum, matmul
from . import _spectral
from ._arrays import density_matrix, state, subsystems, trace_product
from .foreign import Foreign


def partial_trace(
    rho: Shaped[Array, "*batch n n"] | Numbers | Foreign,
    dims: Sequence[int] | np.ndarray,
    keep: int | Sequence[int] | np.ndarray,
) -> Inexact[Array, "*batch k k"]:
    """Gives the reduced density matrix of the kept subsystems, rho_A = Tr_B rho.

    Arguments:
        rho: density matrices (..., n, n), or a ket (n,), whose density matrix is then never formed.
        dims: dimensions of the subsystems, product n; the first is the slowest index.
        keep: the kept subsystems, 0 for the first; the result has them in the order listed.

    Returns:
        (..., k, k), k the product of the kept dimensions.

    Raises:
        ValueError: `dims` does not multiply to n; `keep` repeats a subsystem or names one that is not there.

    Example:
        >>> bell = jnp.array([1.0, 0.0, 0.0, 1.0]) / jnp.sqrt(2.0)
        >>> bool(jnp.allclose(partial_trace(bell, (2, 2), 0), jnp.eye(2) / 2))
        True

    Source: M. A. Nielsen, I. L. Chuang, Quantum Computation and Quantum Information, Eq. (2.178).
    """
    array, is_ket = state("rho", rho)
    sizes = subsystems(dims, array.shape[-1])
    kept = [size("keep", k, least=0) for k in ([keep] if isinstance(keep, int | np.integer) else keep)]
    good = len(set(kept)) == len(kept) and all(k < len(sizes) for k in kept)
    require(good, "keep", f"list different subsystems from 0 to {len(sizes) - 1}", kept)
    return _partial_trace(array, is_ket, sizes, tuple(kept))


def purity(rho: Shaped[Array, "*batch n n"] | Numbers | Foreign) -> Float[Array, "*batch"]:
    """Gives the purity Tr rho²: 1 for a pure state, 1/n for the fully mixed one.

    Arguments:
        rho: density matrices (..., n, n) or a ket (n,), an array, a `Qobj` or a `QArray`.

    Returns:
        (...) real.

    Raises:
        ValueError: `rho` is neither a ket nor square.

    Example:
        >>> float(purity(jnp.eye(4) / 4))
        0.25
    """
    array = density_matrix("rho", rho)
    return _overlap(array, array)


def von_neumann_entropy(rho: Shaped[Array, "*batch n n"] | Numbers | Foreign) -> Float[Array, "*batch"]:
    """Gives the von Neumann entropy S = -Tr rho log rho, natural logarithm.

    Arguments:
        rho: density matrices (..., n, n), of which the Hermitian part is used, or a ket (n,).

    Returns:
        (...) real. The derivative is -Tr((log rho + 1) d rho), finite also for pure and degenerate states (where it
        truly diverges, an eigenvalue leaving zero at first order, it is about 72 per unit in float64).

    Raises:
        ValueError: `rho` is neither a ket nor square.

    Example:
        >>> bool(jnp.allclose(von_neumann_entropy(jnp.eye(3) / 3), jnp.log(3.0)))
        True

    Source: J. von Neumann, Mathematische Grundlagen der Quantenmechanik (1932), chapter V.
    """
    return _entropy(density_matrix("rho", rho))


def relative_entropy(
    rho: Shaped[Array, "*batch_a n n"] | Numbers | Foreign, sigma: Shaped[Array, "*batch_b n n"] | Numbers | Foreign
) -> Float[Array, "*batch"]:
    """Gives the quantum relative entropy S(rho||sigma) = Tr rho (log rho - log sigma) >= 0, natural logarithm.

    Arguments:
        rho: density matrices (..., n, n) or a ket (n,), an array, a `Qobj` or a `QArray`.
        sigma: the same. Where its support misses part of rho's the value is infinite; here it is then a large finite
            number, as eigenvalues below eps² of the largest count as that.

    Returns:
        (...) real.

    Raises:
        ValueError: a state is neither a ket nor square, or dimensions differ.

    Example:
        >>> bool(jnp.allclose(relative_entropy(jnp.diag(jnp.array([1.0, 0.0])), jnp.eye(2) / 2), jnp.log(2.0)))
        True

    Source: H. Umegaki, Kodai Math. Sem. Rep. 14, 59 (1962).
    """
    a, b = _same_dimension(density_matrix("rho", rho), density_matrix("sigma", sigma))
    return _relative_entropy(a, b)


def fidelity(
    rho: Shaped[Array, "*batch_a n"] | Numbers | Foreign, sigma: Shaped[Array, "*batch_b n"] | Numbers | Foreign
) -> Float[Array, "*batch"]:
    """Gives the fidelity, squared: F = (Tr sqrt(sqrt(rho) sigma sqrt(rho)))², which is |<a|b>|² on pure states.

    Arguments:
        rho: density matrices (..., n, n) or a ket (n,).
        sigma: the same; leading axes broadcast.

    Returns:
        (...) real, 1 for equal states. Kets are used directly, which is faster and differentiable also at F = 0.

    Raises:
        ValueError: shapes do not fit.

    Example:
        >>> float(fidelity(jnp.array([1.0, 0.0]), jnp.eye(2) / 2))
        0.5

    Source: R. Jozsa, J. Mod. Opt. 41, 2315 (1994).
    """
    (a, a_ket), (b, b_ket) = state("rho", rho), state("sigma", sigma)
    a, b = _same_dimension(a, b)
    if a_ket and b_ket:
        overlap = matmul(a.conj(), b)
        return jnp.real(overlap) ** 2 + jnp.imag(overlap) ** 2
    if a_ket or b_ket:
        psi, matrix = (a, b) if a_ket else (b, a)
        return jnp.real(einsum("i,...ij,j->...", psi.conj(), matrix, psi))
    return _fidelity(a, b)


def trace_distance(
    rho: Shaped[Array, "*batch_a n n"] | Numbers | Foreign, sigma: Shaped[Array, "*batch_b n n"] | Numbers | Foreign
) -> Float[Array, "*batch"]:
    """Gives the trace distance ||rho - sigma||_1 / 2, between 0 and 1.

    Arguments:
        rho: density matrices (..., n, n) or a ket (n,), an array, a `Qobj` or a `QArray`.
        sigma: density matrices (..., n, n) or a ket (n,).

    Returns:
        (...) real; at coinciding states the derivative is 0, one of the subgradients.

    Raises:
        ValueError: a state is neither a ket nor square, or dimensions differ.

    Example:
        >>> float(trace_distance(jnp.diag(jnp.array([1.0, 0.0])), jnp.diag(jnp.array([0.0, 1.0]))))
        1.0

    Source: M. A. Nielsen, I. L. Chuang, Quantum Computation and Quantum Information, Eq. (9.11).
    """
    a, b = _same_dimension(density_matrix("rho", rho), density_matrix("sigma", sigma))
    return _trace_distance(a, b)


def _same_dimension(a: Array, b: Array) -> tuple[Array, Array]:
    good = a.shape[-1] == b.shape[-1]
    require(good, "sigma", f"have the dimension {a.shape[-1]} of `rho`", f"shape {b.shape}")
    dtype = jnp.result_type(a, b)
    return a.astype(dtype), b.astype(dtype)


# --- compiled: an eager call would pay for each operation by itself --------------------------------------------------

_entropy = jax.jit(_spectral.entropy)


@partial(jax.jit, static_argnums=(1, 2, 3))
def _partial_trace(array: Array, is_ket: bool, sizes: tuple[int, ...], kept: tuple[int, ...]) -> Array:
    gone = [k for k in range(len(sizes)) if k not in kept]
    n_kept = math.prod(sizes[k] for k in kept)
    n_gone = array.shape[-1] // n_kept
    if is_ket:
        m = array.reshape(sizes).transpose(*kept, *gone).reshape(n_kept, n_gone)
        return matmul(m, m.conj().T)
    batch = array.shape[:-2]
    b, d = len(batch), len(sizes)
    order = [*kept, *gone]
    axes = [*range(b), *(b + k for k in order), *(b + d + k for k in order)]
    split = array.reshape(*batch, *sizes, *sizes).transpose(axes).reshape(*batch, n_kept, n_gone, n_kept, n_gone)
    return jnp.sum(jnp.diagonal(split, axis1=-3, axis2=-1), axis=-1)


@jax.jit
def _overlap(a: Array, b: Array) -> Array:
    return jnp.real(trace_product(a, b))


@jax.jit
def _relative_entropy(a: Array, b: Array) -> Array:
    return -_spectral.entropy(a) - jnp.real(trace_product(a, _spectral.log_hermitian(b)))


@jax.jit
def _fidelity(a: Array, b: Array) -> Array:
    return _spectral.root_fidelity(*jnp.broadcast_arrays(a, b)) ** 2


@jax.jit
def _trace_distance(a: Array, b: Array) -> Array:
    difference = a - b
    return (_spectral.negative_weight(difference) + _spectral.negative_weight(-difference)) / 2
