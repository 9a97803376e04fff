r"""Functions of the transition frequencies of H, with derivatives that hold where levels are equal.

`levels` gives V and B = V† H V, and `weighted` the matrix M_ab g(e_b - e_a) in the eigenbasis. The derivative of an
eigenvector has 1/(e_b - e_a), which is not finite for equal levels; but what is made of them need not care. V turns
only between different levels, and what dH does among equal ones stays in B:

    dV = V W,  W_ab = (V† dH V)_ab / (e_b - e_a) or 0,   dB_ab = 0 or (V† dH V)_ab,
    d(g o M) = g o dM + dg o M + g' o [M, dB]            (the divided differences of g among equal levels).

Second derivatives at equal levels would need more; they are nan there, and right elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ..numerics.products import HIGHEST

# A real function of one frequency.
Spectrum = Callable[[Array], Array]
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
    found = levels(primals[0])
    equal = frequencies(jnp.diagonal(found[1]).real) == 0
    parted = jnp.any(equal & ~jnp.eye(len(equal), dtype=bool))
    vectors, blocks = once(found[0], parted), once(found[1], parted)
    released = frequencies(jnp.diagonal(blocks).real)
    moved = product(product(vectors.conj().T, tangents[0]), vectors)
    moved = (moved + moved.conj().T) / 2
    turn = jnp.where(equal, 0.0, moved / jnp.where(equal, 1.0, released))
    return found, (product(vectors, turn), jnp.where(equal, moved, 0.0))


@jax.custom_jvp
def once(value: Array, degenerate: Array) -> Array:
    """The value itself, whose derivative is nan where `degenerate`."""
    return value


@once.defjvp
def _once_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    value, degenerate = primals
    return once(value, degenerate), tangents[0] * jnp.where(degenerate, jnp.nan, 1.0)


def weighted(spectrum: Spectrum, blocks: Array, matrix: Array) -> Array:
    """g(e_b - e_a) M_ab for a real function g that JAX can trace; M and the result in the basis of `levels`."""
    # What the function closes over becomes a leaf: a custom rule sees nothing else.
    now = jnp.zeros((), blocks.real.dtype)

    def number(w: Array) -> Array:
        return jnp.asarray(spectrum(w)).reshape(())

    return _weighted(eqx.filter_closure_convert(number, now), blocks, matrix)


def sampled(spectrum: Spectrum, released: Array) -> Array:
    """The function at each of (n, n) frequencies."""
    return jax.vmap(spectrum)(released.reshape(-1)).reshape(released.shape).astype(released.dtype)


@eqx.filter_custom_jvp
def _weighted(spectrum: Spectrum, blocks: Array, matrix: Array) -> Array:
    return sampled(spectrum, frequencies(jnp.diagonal(blocks).real)) * matrix


@_weighted.def_jvp
def _weighted_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    spectrum, blocks, matrix = primals
    along, d_blocks, d_matrix = tangents
    released = frequencies(jnp.diagonal(blocks).real)
    value = sampled(spectrum, released)
    tangent = jnp.zeros_like(matrix)
    if d_matrix is not None:
        tangent = tangent + value * d_matrix
    if any(leaf is not None for leaf in jax.tree.leaves(along)):
        tangent = tangent + _change(spectrum, along, released) * matrix
    if d_blocks is not None:
        slope = sampled(jax.grad(spectrum), released)
        tangent = tangent + slope * (product(matrix, d_blocks) - product(d_blocks, matrix))
    return _weighted(spectrum, blocks, matrix), tangent


def _change(spectrum: Spectrum, along: PyTree, released: Array) -> Array:
    """The derivative with respect to the function's own numbers."""
    return eqx.filter_jvp(lambda f: sampled(f, released), (spectrum,), (along,))[1]
