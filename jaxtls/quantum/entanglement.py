"""Measures entanglement of mixed states: concurrence of two qubits, negativity of any two parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from .._checks import require
from .._types import Numbers
from . import _spectral, _wootters
from ._arrays import as_complex, density_matrix, subsystems
from .foreign import Foreign


def concurrence(rho: Shaped[Array, "*batch 4 4"] | Numbers | Foreign) -> Float[Array, "*batch"]:
    """Gives the concurrence of two qubits, C = max(0, s1 - s2 - s3 - s4).

    s are the square roots of the eigenvalues of rho rho~, rho~ = (sy ⊗ sy) rho* (sy ⊗ sy), largest first. They are
    taken as singular values of L^T (sy ⊗ sy) L with rho = L L†, which keeps the digits that the square roots lose.

    Arguments:
        rho: density matrices (..., 4, 4), of which the Hermitian part is used, or a ket (4,). A trace other than one
            scales C with it.

    Returns:
        (...) real, in [0, 1]. The derivative is finite everywhere: 0 where C = 0, one-sided (into the states) where
        rho is rank-deficient, with an error of the order of the square root of the type's epsilon.

    Raises:
        ValueError: the last two axes are not (4, 4).

    Example:
        >>> bell = jnp.array([1.0, 0.0, 0.0, 1.0]) / jnp.sqrt(2.0)
        >>> werner = 0.6 * jnp.outer(bell, bell) + 0.4 * jnp.eye(4) / 4
        >>> round(float(concurrence(werner)), 4)
        0.4

    Source: W. K. Wootters, Phys. Rev. Lett. 80, 2245 (1998), Eqs. (7)-(10).
    """
    array = density_matrix("rho", rho)
    remedy = "Use negativity for other dimensions."
    require(array.shape[-1] == 4, "rho", "have shape (..., 4, 4)", f"shape {array.shape}", remedy)
    return _concurrence(array)


@jax.jit
def _concurrence(array: Array) -> Array:
    entries = jnp.moveaxis(as_complex(array), (-2, -1), (0, 1))
    return _wootters.concurrence(_wootters.packed(entries.reshape(4, 4, -1))).reshape(entries.shape[2:])


def negativity(
    rho: Shaped[Array, "*batch n n"] | Numbers | Foreign, dims: Sequence[int] | np.ndarray
) -> Float[Array, "*batch"]:
    """Gives the negativity (||rho^{T_A}||_1 - 1)/2, A the first subsystem.

    It is minus the sum of the negative eigenvalues of the partial transpose rho^{T_A}.

    Arguments:
        rho: density matrices (..., n, n) of trace one, of which the Hermitian part is used, or a ket (n,).
        dims: dimensions of the subsystems, at least two, product n; the first against the rest.

    Returns:
        (...) real; 0 for every state that is not entangled, and in 2 x 2 and 2 x 3 for no other. The derivative takes
        eigenvalues at zero as staying there.

    Raises:
        ValueError: `dims` does not multiply to n or lists fewer than two subsystems.

    Example:
        >>> bell = jnp.array([1.0, 0.0, 0.0, 1.0]) / jnp.sqrt(2.0)
        >>> round(float(negativity(jnp.outer(bell, bell), (2, 2))), 4)
        0.5

    Source: G. Vidal, R. F. Werner, Phys. Rev. A 65, 032314 (2002), Eq. (1).
    """
    array = density_matrix("rho", rho)
    sizes = subsystems(dims, array.shape[-1])
    require(len(sizes) >= 2, "dims", "list at least two subsystems", sizes)
    return _negativity(array, sizes[0], array.shape[-1] // sizes[0])


@partial(jax.jit, static_argnums=(1, 2))
def _negativity(array: Array, first: int, rest: int) -> Array:
    split = array.reshape(*array.shape[:-2], first, rest, first, rest)
    return _spectral.negative_weight(jnp.swapaxes(split, -4, -2).reshape(array.shape))
