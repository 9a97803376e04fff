"""Draws random TLSs of the standard tunnelling model.

Sources: W. A. Phillips, J. Low Temp. Phys. 7, 351 (1972); P. W. Anderson, B. I. Halperin & C. M. Varma, Phil. Mag. 25,
1 (1972); J. M. Martinis et al., Phys. Rev. Lett. 95, 210503 (2005).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array


class Draws(NamedTuple):
    """Holds TLSs by energies (uniform in (0, 1)), tunnelling shares u = Delta_0/E, dipole factors |cos theta|, (n,)."""

    energies: Array
    shares: Array
    cosines: Array


def logarithm(min_tunnelling: Array) -> Array:
    """Gives L = arccosh(1/u_min), the integral of 1/(u sqrt(1 - u²)) from u_min to 1."""
    return jnp.arccosh(1 / min_tunnelling)


def draw(key: Array, n: int, min_tunnelling: Array) -> Draws:
    """Draws n independent TLSs: u = 1/cosh X with X uniform on (0, L) has the density 1/(L u sqrt(1 - u²))."""
    first, second, third = jax.random.split(key, 3)
    dtype = min_tunnelling.dtype
    x = logarithm(min_tunnelling) * jax.random.uniform(second, (n,), dtype=dtype)
    # 1 - U lies in (0, 1]: no coupling is exactly 0
    cosines = 1 - jax.random.uniform(third, (n,), dtype=dtype)
    return Draws(jax.random.uniform(first, (n,), dtype=dtype), 1 / jnp.cosh(x), cosines)
