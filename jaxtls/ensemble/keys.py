"""Keys: realization i depends on `jax.random.fold_in(key, i)` and on nothing else."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._checks import require

MOST = 2**32  # fold_in takes 32 bits of the index


def is_typed(key: Any) -> bool:
    """True for keys of `jax.random.key`, False for the raw bits of `jax.random.PRNGKey`."""
    return bool(jnp.issubdtype(key.dtype, jax.dtypes.prng_key))


def checked(key: Any) -> Array:
    """One key, of either kind."""
    remedy = "Make one with jax.random.key(seed)."
    require(hasattr(key, "dtype") and hasattr(key, "shape"), "key", "be a JAX random key", repr(key), remedy)
    if is_typed(key):
        require(key.shape == (), "key", "be a single key", f"keys of shape {key.shape}", "Use key[0], or split less.")
        return key
    bits = np.shape(jax.random.key_data(jax.random.key(0)))
    fits = key.dtype == jnp.uint32 and key.shape == bits
    require(fits, "key", "be a JAX random key", f"an array of {key.dtype}, shape {key.shape}", remedy)
    return jnp.asarray(key)


def describe(key: Array) -> str:
    """The generator and the bits in hexadecimal, equal for equal keys."""
    typed = key if is_typed(key) else jax.random.wrap_key_data(key)
    words = np.asarray(jax.random.key_data(typed)).ravel()
    return f"{jax.random.key_impl(typed)}:" + "".join(f"{int(word):08x}" for word in words)
