"""Makes operators of an oscillator cut at n levels and of a two-level system, as dense complex matrices; hbar = 1.

Two-level basis: (excited, ground), so sigma_z = diag(1, -1) and sigma_minus lowers. Composite systems: the first
subsystem is the slowest index, as in `tensor`.
"""

from __future__ import annotations

from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Inexact, Shaped

from .._checks import positive, require, size
from .._types import Numbers
from ..numerics.products import einsum
from ._arrays import inexact, square, state, trace_product
from .foreign import Foreign


def destroy(n_levels: int) -> Complex[Array, "n n"]:
    """Gives the annihilation operator of an oscillator cut at `n_levels`: a|k> = sqrt(k)|k-1>.

    Arguments:
        n_levels: number of Fock states kept, 1 or more.

    Returns:
        (n, n) complex matrix. [a, a†] = 1 holds except in the last level.

    Raises:
        ValueError: `n_levels` is not a plain int >= 1.

    Example:
        >>> [round(float(c), 4) for c in destroy(3)[1].real]
        [0.0, 0.0, 1.4142]

    Source: P. A. M. Dirac, The Principles of Quantum Mechanics, § 34.
    """
    n = size("n_levels", n_levels)
    return jnp.asarray(np.diag(np.sqrt(np.arange(1, n)), 1), complex)


def create(n_levels: int) -> Complex[Array, "n n"]:
    """Gives the creation operator of an oscillator cut at `n_levels`: a†|k> = sqrt(k+1)|k+1>.

    Arguments, returns, raises, source: as `destroy`.

    Example:
        >>> bool(jnp.all(create(5) == dag(destroy(5))))
        True
    """
    return destroy(n_levels).T


def number(n_levels: int) -> Complex[Array, "n n"]:
    """Gives the number operator a†a = diag(0, 1, ..., n-1).

    Arguments, returns, raises, source: as `destroy`.

    Example:
        >>> bool(jnp.allclose(number(5), create(5) @ destroy(5)))
        True
    """
    return jnp.diag(jnp.arange(size("n_levels", n_levels)).astype(complex))


def position(n_levels: int, mass: ArrayLike = 1.0, omega: ArrayLike = 1.0) -> Complex[Array, "n n"]:
    """Gives the position x = (a + a†) / sqrt(2 M omega).

    Arguments:
        n_levels: number of Fock states kept.
        mass: M, scalar, in units where hbar = 1; may be traced.
        omega: angular frequency of the oscillator whose Fock states are used, scalar; may be traced.

    Returns:
        (n, n) complex matrix.

    Raises:
        ValueError: `mass` or `omega` is not positive.

    Example:
        >>> round(float(expect(position(4, mass=2.0) @ position(4, mass=2.0), jnp.eye(4)[0]).real), 4)
        0.25

    Source: C. Cohen-Tannoudji, B. Diu, F. Laloë, Quantum Mechanics, chapter V.
    """
    a = destroy(n_levels)
    return (a + a.T) / jnp.sqrt(2 * positive("mass", mass) * positive("omega", omega))


def momentum(n_levels: int, mass: ArrayLike = 1.0, omega: ArrayLike = 1.0) -> Complex[Array, "n n"]:
    """Gives the momentum p = i sqrt(M omega / 2) (a† - a).

    Arguments, returns, raises, source: as `position`.

    Example:
        >>> x, p = position(6), momentum(6)
        >>> bool(jnp.allclose((x @ p - p @ x)[:5, :5], 1j * jnp.eye(5), atol=1e-6))
        True
    """
    a = destroy(n_levels)
    return 1j * jnp.sqrt(positive("mass", mass) * positive("omega", omega) / 2) * (a.T - a)


def identity(n: int) -> Complex[Array, "n n"]:
    """Gives the identity on `n` levels.

    Arguments:
        n: dimension.

    Returns:
        (n, n) complex matrix.

    Raises:
        ValueError: `n` is not a plain int >= 1.

    Example:
        >>> identity(2).shape
        (2, 2)
    """
    return jnp.eye(size("n", n), dtype=complex)


def parity(n_levels: int) -> Complex[Array, "n n"]:
    """Gives the parity (-1)^{a†a}, which takes x to -x and p to -p.

    Arguments, returns, raises: as `destroy`.

    Example:
        >>> parity(4).real.diagonal().tolist()
        [1.0, -1.0, 1.0, -1.0]
    """
    return jnp.diag((1 - 2 * (jnp.arange(size("n_levels", n_levels)) % 2)).astype(complex))


def sigma_x() -> Complex[Array, "2 2"]:
    """Gives the Pauli matrix sigma_x = [[0, 1], [1, 0]] in the basis (excited, ground).

    Example:
        >>> bool(jnp.all(sigma_x() == sigma_plus() + sigma_minus()))
        True
    """
    return jnp.asarray([[0, 1], [1, 0]], complex)


def sigma_y() -> Complex[Array, "2 2"]:
    """Gives the Pauli matrix sigma_y = [[0, -i], [i, 0]] in the basis (excited, ground).

    Example:
        >>> bool(jnp.all(sigma_x() @ sigma_y() == 1j * sigma_z()))
        True
    """
    return jnp.asarray([[0, -1j], [1j, 0]], complex)


def sigma_z() -> Complex[Array, "2 2"]:
    """Gives the Pauli matrix sigma_z = diag(1, -1): +1 in the excited state, which comes first.

    Example:
        >>> sigma_z().real.tolist()
        [[1.0, 0.0], [0.0, -1.0]]
    """
    return jnp.asarray([[1, 0], [0, -1]], complex)


def sigma_minus() -> Complex[Array, "2 2"]:
    """Gives the lowering operator |ground><excited| = [[0, 0], [1, 0]].

    Example:
        >>> sigma_minus().real.tolist()
        [[0.0, 0.0], [1.0, 0.0]]
    """
    return jnp.asarray([[0, 0], [1, 0]], complex)


def sigma_plus() -> Complex[Array, "2 2"]:
    """Gives the raising operator |excited><ground| = [[0, 1], [0, 0]].

    Example:
        >>> bool(jnp.all(sigma_plus() == dag(sigma_minus())))
        True
    """
    return jnp.asarray([[0, 1], [0, 0]], complex)


def dag(op: Shaped[Array, "*batch m n"] | Numbers | Foreign) -> Inexact[Array, "*batch n m"]:
    """Gives the Hermitian conjugate of the last two axes, (op†)_ij = conj(op_ji).

    Arguments:
        op: (..., m, n).

    Returns:
        (..., n, m).

    Raises:
        ValueError: `op` has fewer than two axes.

    Example:
        >>> bool(jnp.all(dag(sigma_y()) == sigma_y()))
        True
    """
    array = inexact("op", op)
    require(array.ndim >= 2, "op", "have shape (..., m, n)", f"shape {array.shape}")
    return jnp.conj(jnp.swapaxes(array, -1, -2))


def tensor(*ops: Shaped[Array, "*op"] | Numbers) -> Inexact[Array, "*product"]:
    """Gives the tensor product of operators or of kets; the first factor is the slowest index.

    (A ⊗ B)_{(i k),(j l)} = A_ij B_kl.

    Arguments:
        *ops: all kets (n_i,), or all matrices (..., m_i, n_i) with leading axes that broadcast.

    Returns:
        (prod n_i,) or (..., prod m_i, prod n_i).

    Raises:
        ValueError: no factor, or kets mixed with matrices.

    Example:
        >>> tensor(sigma_z(), identity(2)).real.diagonal().tolist()
        [1.0, 1.0, -1.0, -1.0]
    """
    require(len(ops) > 0, "ops", "hold at least one factor", "none")
    arrays = [inexact("ops", op) for op in ops]
    kets = {a.ndim == 1 for a in arrays}
    good = len(kets) == 1 and all(a.ndim >= 1 for a in arrays)
    require(good, "ops", "be all kets (n,) or all matrices (..., m, n)", f"shapes {[a.shape for a in arrays]}")
    return reduce(jnp.kron if kets == {True} else _kron, arrays)


def _kron(a: Array, b: Array) -> Array:
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    return product.reshape(*product.shape[:-4], a.shape[-2] * b.shape[-2], a.shape[-1] * b.shape[-1])


def expect(
    op: Shaped[Array, "*batch_a n n"] | Numbers | Foreign,
    rho: Shaped[Array, "*batch_b n"] | Numbers | Foreign,
    ket: bool | None = None,
) -> Inexact[Array, "*batch"]:
    """Gives the expectation value Tr(op rho), or <psi|op|psi> for a ket.

    Arguments:
        op: (..., n, n) operator.
        rho: ket (n,) or density matrices (..., n, n); leading axes broadcast against those of `op`.
        ket: True where `rho` is a batch of kets (..., n), whose shape alone could be mistaken.

    Returns:
        (...) values, complex where an argument is; the imaginary part of a Hermitian operator's value is rounding.

    Raises:
        ValueError: a shape does not fit.

    Example:
        >>> round(float(expect(sigma_z(), jnp.array([0.6, 0.8])).real), 4)
        -0.28
    """
    operator = square("op", op)
    array, is_ket = state("rho", rho, ket)
    require(
        array.shape[-1] == operator.shape[-1],
        "rho",
        f"have the operator's dimension {operator.shape[-1]}",
        f"shape {array.shape}",
    )
    return _expect(operator, array, is_ket)


@partial(jax.jit, static_argnums=2)
def _expect(operator: Array, array: Array, is_ket: bool) -> Array:
    if is_ket:
        return einsum("...i,...ij,...j->...", array.conj(), operator, array)
    return trace_product(operator, array)
