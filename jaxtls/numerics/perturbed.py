"""Says which arguments of a function with a reverse of its own are differentiated, as JAX tells its rule."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.custom_derivatives import CustomVJPPrimal, SymbolicZero
from jaxtyping import PyTree


def divided(primals: PyTree) -> tuple[PyTree, PyTree]:
    """Divides arrays into those that are differentiated and those that are not, None in the place of the others."""
    moving = jax.tree.map(lambda p: p.value if p.perturbed else None, primals, is_leaf=_is_primal)
    still = jax.tree.map(lambda p: None if p.perturbed else p.value, primals, is_leaf=_is_primal)
    return moving, still


def arrays_of(tree: PyTree) -> PyTree:
    """Gives primals and cotangents of a rule as plain arrays."""

    def plain(x: PyTree) -> PyTree:
        if isinstance(x, CustomVJPPrimal):
            return x.value
        return jnp.zeros(x.shape, x.dtype) if isinstance(x, SymbolicZero) else x

    return jax.tree.map(plain, tree, is_leaf=lambda x: isinstance(x, CustomVJPPrimal | SymbolicZero))


def _is_primal(x: PyTree) -> bool:
    return isinstance(x, CustomVJPPrimal)
