"""Writes the right-hand side of few levels as a real matrix on the numbers of a Hermitian state, by coefficients.

With P = R + I of rho = R + i I, A = a + i b and L = l + i k (see `packed`), d P_ij = sum M_ijkl P_kl,

    M = a_ik 1_jl + 1_ik a_jl + b_il 1_jk - 1_il b_jk + sum r (l_ik l_jl + k_ik k_jl + k_il l_jk - l_il k_jk)
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ...numerics.products import einsum, matmul, tensordot
from ..lindbladian import Lindbladian
from .fields import DenseParts
from .moving import Group

# Most levels n: a product is n^4 multiplications for each coefficient.
LEVELS = 8


class MatrixField(eqx.Module):
    """Moves by t, P -> L(t) P, P of n x n real numbers."""

    matrices: Array  # (G, n^2, n^2), for each real coefficient
    law: Lindbladian
    groups: tuple[Group, ...] = eqx.field(static=True)

    @classmethod
    def make(cls, law: Lindbladian, groups: tuple[Group, ...]) -> MatrixField:
        """Makes the matrices of all coefficients."""
        return cls(matrices_of(law, groups), law, groups)

    def __call__(self, t: ArrayLike, z: Array) -> Array:
        count, d, _ = self.matrices.shape
        found = matmul(self.matrices.reshape(count * d, d), z.reshape(d)).reshape(count, *z.shape)
        return tensordot(real_coefficients(self.law, self.groups, t), found, 1)


def real_coefficients(law: Lindbladian, groups: tuple[Group, ...], t: ArrayLike) -> Array:
    """Gives the coefficients (G,) at time t."""
    found = law.coefficients(t)
    assert found is not None
    return jnp.stack([found[g.index].imag if g.imaginary else found[g.index].real for g in groups])


def matrices_of(law: Lindbladian, groups: tuple[Group, ...]) -> Array:
    """Returns the share of each real coefficient in the equation, (G, n^2, n^2) real."""
    rates = law.rates[: law.jumps.count]
    n_groups = 1 + len(law.envelopes) + len(law.jump_envelopes)
    parts = DenseParts.build(law.terms, law.jumps, rates, law.groups, n_groups)
    index, turned = np.array([g.index for g in groups]), np.array([1j if g.imaginary else 1.0 for g in groups])
    effective = parts.effective[index] * turned[:, None, None].astype(parts.effective.dtype)
    mine = np.asarray(law.groups, int) == index[:, None]
    mine &= ~np.array([g.imaginary for g in groups])[:, None]
    return jax.vmap(_matrix, (0, None, 0))(effective, parts.operators, jnp.where(mine, rates, 0.0))


def _matrix(effective: Array, operators: Array, rates: Array) -> Array:
    n, (a, b), (l, k) = effective.shape[-1], _parts(effective), _parts(operators)
    one = np.eye(n)
    product = lambda indices, *arrays: einsum(f"{indices}->ijkl", *arrays)
    found = product("ik,jl", a, one) + product("ik,jl", one, a) + product("il,jk", b, one) - product("il,jk", one, b)
    if operators.shape[0]:
        found += product("r,rik,rjl", rates, l, l) + product("r,rik,rjl", rates, k, k)
        found += product("r,ril,rjk", rates, k, l) - product("r,ril,rjk", rates, l, k)
    return found.reshape(n * n, n * n)


def _parts(x: Array) -> tuple[Array, Array]:
    return x.real, x.imag
