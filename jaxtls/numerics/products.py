"""Products of matrices in the precision of their type, on any device."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

# Products ask for full precision themselves (a GPU's default would be TF32); no global flag is touched.
HIGHEST = jax.lax.Precision.HIGHEST


def matmul(a: Array, b: Array) -> Array:
    """a @ b; devices would else round single precision to fewer bits."""
    return jnp.matmul(a, b, precision=HIGHEST)
