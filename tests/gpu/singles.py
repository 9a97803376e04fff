"""`python -m tests.gpu.singles FILE`: what the programs give in a session without x64, pickled by name."""

import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .programs import PUBLIC


def numbers(name: str) -> list[np.ndarray]:
    """The numbers that a program gives."""
    program = PUBLIC[name]
    found = jax.tree.leaves(jax.jit(program.function)(*(jnp.asarray(a) for a in program.arguments)))
    return [np.asarray(leaf) for leaf in found if jnp.issubdtype(leaf.dtype, jnp.inexact)]


def said(name: str) -> Any:
    """Or what was raised."""
    try:
        return numbers(name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    path, *names = sys.argv[1:]
    Path(path).write_bytes(pickle.dumps({name: said(name) for name in names}))
