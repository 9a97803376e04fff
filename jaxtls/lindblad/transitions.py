r"""Functions of the transition frequencies of H, with derivatives that hold where levels are equal.

`levels` gives V and B = V† H V, and `weighted` the matrix M_ab g(e_b - e_a) in the eigenbasis. The derivative of an
eigenvector has 1/(e_b - e_a), which is not finite for equal levels; but what is made of them need not care. V turns
only between different levels, and what dH does among equal ones stays in B:

    dV = V W,  W_ab = (V† dH V)_ab / (e_b - e_a) or 0,   dB_ab = 0 or (V† dH V)_ab,
    d(g o M) = g o dM + dg o M + g' o [M, dB]            (the divided differences of g among equal levels).

Both rules hold for perturbations of any order, because they are written with functions that have such rules themselves:
W solves the equation B W - W B + V† dH V = 0 between different levels, and g(k - ad D) of a D among equal levels, which
commutes with the frequencies k, is its Taylor series in D.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..numerics.products import HIGHEST

# A real function of one frequency.
Spectrum = Callable[[Array], Array]
Matrices: TypeAlias = tuple[Array, ...]
# Known numbers stay NumPy's, inside jit too.
Numbers = Array | np.ndarray


def product(a: Numbers, b: Numbers) -> Array:
    """a b, in full precision."""
    return jnp.matmul(a, b, precision=HIGHEST)


def rounding(energies: Numbers) -> Array:
    """Below this, two frequencies are one: 1e-9 of the width of the spectrum, and what its offset costs."""
    eps = float(jnp.finfo(energies.dtype).eps)
    width = jnp.max(energies) - jnp.min(energies)
    return max(1e-9, 64 * eps) * width + 64 * eps * jnp.max(jnp.abs(energies))


def frequencies(energies: Numbers) -> Array:
    """e_b - e_a at (a, b), (n, n): what a transition b -> a releases; exactly 0 between equal levels."""
    released = energies[None, :] - energies[:, None]
    return jnp.where(jnp.abs(released) <= rounding(energies), 0.0, released)


@jax.custom_jvp
def levels(hamiltonian: Array) -> tuple[Array, Array]:
    """V (n, n) and B = V† H V, whose diagonal are the energies, ascending.

    Example:
        >>> v, b = levels(jnp.array([[0.0, 1.0], [1.0, 0.0]]))
        >>> jnp.diagonal(b).tolist()
        [-1.0, 1.0]
    """
    energies, vectors = jnp.linalg.eigh(hamiltonian)
    return vectors, jnp.diag(energies).astype(vectors.dtype)


@levels.defjvp
def _levels_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple:
    vectors, blocks = levels(primals[0])
    moved = product(product(vectors.conj().T, tangents[0]), vectors)
    moved = (moved + moved.conj().T) / 2
    return (vectors, blocks), (product(vectors, turning(blocks, moved)), jnp.where(_equal(blocks), moved, 0.0))


def _equal(blocks: Array) -> Array:
    """True at pairs of equal levels, (n, n)."""
    return frequencies(jnp.diagonal(blocks).real) == 0


@jax.custom_jvp
def turning(blocks: Array, moved: Array) -> Array:
    """W with B W - W B + M = 0 between different levels, and 0 among equal ones."""
    equal = _equal(blocks)
    return jnp.where(equal, 0.0, moved / jnp.where(equal, 1.0, frequencies(jnp.diagonal(blocks).real)))


@turning.defjvp
def _turning_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    turn = turning(*primals)
    moved = tangents[1] + product(tangents[0], turn) - product(turn, tangents[0])
    return turn, turning(primals[0], moved)


def weighted(spectrum: Spectrum, blocks: Array, matrix: Array) -> Array:
    """g(e_b - e_a) M_ab for a real function g that JAX can trace; M and the result in the basis of `levels`."""
    # What the function closes over becomes a leaf: a custom rule sees nothing else.
    now = jnp.zeros((), blocks.real.dtype)

    def number(w: Array) -> Array:
        return jnp.asarray(spectrum(w)).reshape(())

    return _inserted(eqx.filter_closure_convert(number, now), blocks, (), matrix, ())


def sampled(spectrum: Spectrum, released: Array) -> Array:
    """The function at each of (n, n) frequencies."""
    return jax.vmap(spectrum)(released.reshape(-1)).reshape(released.shape).astype(released.dtype)


@eqx.filter_custom_jvp
def _inserted(spectrum: Spectrum, blocks: Array, left: Matrices, matrix: Array, right: Matrices) -> Array:
    """(-1)^r/(r! s!) g^(r + s)(e_b - e_a) times the product of r matrices, M, and s matrices.

    A term of the Taylor series of g(k - ad D) M in D, which the r + s matrices stand for.
    """
    return _shares(spectrum, blocks, left, right) * reduce(product, (*left, matrix, *right))


@_inserted.def_jvp
def _inserted_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    spectrum, blocks, left, matrix, right = primals
    along, d_blocks, d_left, d_matrix, d_right = tangents
    tangent = jnp.zeros_like(matrix)
    if d_matrix is not None:
        tangent = tangent + _inserted(spectrum, blocks, left, d_matrix, right)
    if any(leaf is not None for leaf in jax.tree.leaves(along)):
        change = eqx.filter_jvp(lambda f: _shares(f, blocks, left, right), (spectrum,), (along,))[1]
        tangent = tangent + change * reduce(product, (*left, matrix, *right))
    for k, d in enumerate(d_left):
        if d is not None:
            tangent = tangent + _inserted(spectrum, blocks, (*left[:k], d, *left[k + 1 :]), matrix, right)
    for k, d in enumerate(d_right):
        if d is not None:
            tangent = tangent + _inserted(spectrum, blocks, left, matrix, (*right[:k], d, *right[k + 1 :]))
    if d_blocks is not None:
        for k in range(len(left) + 1):
            tangent = tangent + _inserted(spectrum, blocks, (*left[:k], d_blocks, *left[k:]), matrix, right)
        for k in range(len(right) + 1):
            tangent = tangent + _inserted(spectrum, blocks, left, matrix, (*right[:k], d_blocks, *right[k:]))
    return _inserted(*primals), tangent


def _shares(spectrum: Spectrum, blocks: Array, left: Matrices, right: Matrices) -> Array:
    """(-1)^r/(r! s!) g^(r + s) at each frequency, (n, n)."""
    r, s = len(left), len(right)
    slope = spectrum
    for _ in range(r + s):
        slope = jax.grad(slope)
    return (-1) ** r / (math.factorial(r) * math.factorial(s)) * sampled(slope, frequencies(jnp.diagonal(blocks).real))
