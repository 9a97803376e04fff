r"""Computes functions of the transition frequencies of H, with derivatives that hold where levels are equal.

`levels` gives V and B = V† H V, and `weighted` the matrix M_ab g(e_b - e_a) in the eigenbasis. The derivative of an
eigenvector has 1/(e_b - e_a), which is not finite for equal levels; but what is made of them need not care. V turns
only between different levels, and what dH does among equal ones stays in B:

    dV = V W,  B W - W B + V† dH V = 0 between different levels, W = 0 among equal ones,
    dB = V† dH V among equal levels,
    g(k - ad D) M = g M + g' [M, D] + g'' [[M, D], D]/2 + ...,   D what B is beside the means of equal levels,

which commute with D. D is 0 in value; the series to second order gives first and second derivatives. Third derivatives
at equal levels are nan, and right elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..numerics import lapack
from ..numerics.hermitian import hermitian_part
from ..numerics.products import matmul

# A real function of one frequency.
Spectrum = Callable[[Array], Array]
# Derivatives that are right at equal levels.
ORDERS = 2
# Known numbers stay NumPy's, inside jit too.
Numbers = Array | np.ndarray


def rounding(energies: Numbers) -> Array:
    """Says below what two frequencies are one: 1e-9 of the width of the spectrum, and what its offset costs."""
    eps = float(jnp.finfo(energies.dtype).eps)
    width = jnp.max(energies) - jnp.min(energies)
    return max(1e-9, 64 * eps) * width + 64 * eps * jnp.max(jnp.abs(energies))


def frequencies(energies: Numbers) -> Array:
    """Returns e_b - e_a at (a, b), (n, n): what a transition b -> a releases; exactly 0 between equal levels."""
    released = energies[None, :] - energies[:, None]
    return jnp.where(jnp.abs(released) <= rounding(energies), 0.0, released)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def levels(hamiltonian: Array, order: int = 0) -> tuple[Array, Array]:
    """Finds V (n, n) and B = V† H V, whose diagonal are the energies, ascending; `order` counts derivatives.

    Example:
        >>> v, b = levels(jnp.array([[0.0, 1.0], [1.0, 0.0]]))
        >>> jnp.diagonal(b).tolist()
        [-1.0, 1.0]
    """
    energies, vectors = lapack.eigh(hamiltonian)
    return vectors, jnp.diag(energies).astype(vectors.dtype)


@levels.defjvp
def _levels_jvp(order: int, primals: tuple[Array], tangents: tuple[Array]) -> tuple:
    found = levels(primals[0], order + 1)
    equal = _equal(found[1])
    vectors, blocks = found
    if order + 1 == ORDERS:
        parted = jnp.any(equal & ~jnp.eye(len(equal), dtype=bool))
        vectors, blocks = once(vectors, parted), once(blocks, parted)
    moved = hermitian_part(matmul(matmul(vectors.conj().T, tangents[0]), vectors))
    return found, (matmul(vectors, _turn(equal, blocks, moved)), jnp.where(equal, moved, 0.0))


def _equal(blocks: Array) -> Array:
    """Mark pairs of equal levels, (n, n)."""
    return frequencies(jnp.diagonal(blocks).real) == 0


def _turn(equal: Array, blocks: Array, moved: Array) -> Array:
    """Solve B W - W B + M = 0 between different levels for W, to first order in B's part beside its diagonal."""
    inverse = jnp.where(equal, 0.0, 1 / jnp.where(equal, 1.0, frequencies(jnp.diagonal(blocks).real)))
    beside = blocks - jnp.diag(jnp.diagonal(blocks))
    turn = inverse * moved
    return inverse * (moved + matmul(beside, turn) - matmul(turn, beside))


@jax.custom_jvp
def once(value: Array, degenerate: Array) -> Array:
    """Gives the value itself, whose derivative is nan where `degenerate`."""
    return value


@once.defjvp
def _once_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    value, degenerate = primals
    return once(value, degenerate), tangents[0] * jnp.where(degenerate, jnp.nan, 1.0)


def weighted(spectrum: Spectrum, blocks: Array, matrix: Array) -> Array:
    """Gives g(e_b - e_a) M_ab for a real function g that JAX can trace; M and the result in the basis of `levels`."""
    # What the function closes over becomes a leaf: a custom rule sees nothing else.
    now = jnp.zeros((), blocks.real.dtype)

    def number(w: Array) -> Array:
        return jnp.asarray(spectrum(w)).reshape(())

    equal = _equal(blocks)
    centres = matmul(equal / jnp.sum(equal, 1, keepdims=True), jnp.diagonal(blocks).real)
    return _weighted(eqx.filter_closure_convert(number, now), centres, blocks - jnp.diag(centres), matrix)


def sampled(spectrum: Spectrum, released: Array) -> Array:
    """Samples the function at each of (n, n) frequencies."""
    return jax.vmap(spectrum)(released.reshape(-1)).reshape(released.shape).astype(released.dtype)


@eqx.filter_custom_jvp
def _weighted(spectrum: Spectrum, centres: Array, inside: Array, matrix: Array) -> Array:
    """Give g(k) M, k the frequencies of the means of equal levels; `inside` is 0, and counts in derivatives."""
    return sampled(spectrum, frequencies(centres)) * matrix


@_weighted.def_jvp
def _weighted_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    return _weighted(*primals), eqx.filter_jvp(_series, primals, tangents)[1]


def _series(spectrum: Spectrum, centres: Array, inside: Array, matrix: Array) -> Array:
    """Expand g(k - ad D) M to second order in D."""
    released, total = frequencies(centres), jnp.zeros_like(matrix)
    for order in range(ORDERS + 1):
        total = total + sampled(spectrum, released) * matrix / math.factorial(order)
        spectrum, matrix = jax.grad(spectrum), matmul(matrix, inside) - matmul(inside, matrix)
    return total
