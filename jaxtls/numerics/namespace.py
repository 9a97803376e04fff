"""Takes NumPy for known numbers, so that nothing is compiled to prepare a run; jax.numpy for traced ones."""

from __future__ import annotations

from types import ModuleType

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike


def namespace(*numbers: ArrayLike) -> ModuleType:
    """Gives NumPy where all of the numbers are its own or Python's, else jax.numpy.

    Example:
        >>> namespace(np.ones(2), 1.0).__name__, namespace(np.ones(2), jnp.ones(2)).__name__
        ('numpy', 'jax.numpy')
    """
    known = all(isinstance(x, np.ndarray | np.generic | int | float | complex) for x in numbers)
    return np if known else jnp
