"""Reads numbers of other libraries, recognised by what they offer; nothing of theirs is imported."""

from __future__ import annotations

from collections.abc import Sequence
from types import FunctionType
from typing import Any, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np


@runtime_checkable
class Qutip(Protocol):
    """Names what is read of a QuTiP `Qobj`."""

    def full(self) -> np.ndarray:
        """Gives the numbers as a dense array."""


@runtime_checkable
class Dynamiqs(Protocol):
    """Names what is read of a dynamiqs `QArray`."""

    def to_jax(self) -> jax.Array:
        """Gives the numbers as a dense array."""


@runtime_checkable
class Sparse(Protocol):
    """Names what is read of a SciPy sparse matrix."""

    def toarray(self) -> np.ndarray:
        """Gives the numbers as a dense array."""


# A state or operator of another library, or a list of them.
Foreign: TypeAlias = Qutip | Dynamiqs | Sparse | Sequence[Qutip | Dynamiqs | Sparse]


# What no other library's object is: to ask an object for what it offers takes many times as long.
PLAIN = frozenset({np.ndarray, float, int, complex, FunctionType})


def is_plain(value: object) -> bool:
    """Returns True for a NumPy array, one of Python's numbers or a function."""
    return type(value) in PLAIN


def is_foreign(value: object) -> bool:
    """Returns True for a SciPy sparse matrix, a QuTiP `Qobj` (has `full()`) or a dynamiqs `QArray` (has `to_jax()`)."""
    return not is_plain(value) and isinstance(value, Sparse | Qutip | Dynamiqs)


def unwrapped(value: object) -> Any:
    """Gives the numbers of a foreign object, or of a list of such; other things as they are.

    Example:
        >>> import scipy.sparse
        >>> unwrapped([scipy.sparse.eye_array(2)]).shape, unwrapped(3.0)
        ((1, 2, 2), 3.0)
    """
    if is_plain(value):
        return value
    if isinstance(value, Dynamiqs):
        return value.to_jax()
    if isinstance(value, Qutip):
        return value.full()
    if isinstance(value, Sparse):
        return value.toarray()
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0 and all(map(is_foreign, value)):
        parts = [unwrapped(part) for part in value]
        if len({part.shape for part in parts}) == 1:
            # Known numbers stay NumPy's, also inside jit.
            traced = any(isinstance(part, jax.core.Tracer) for part in parts)
            return jnp.stack(parts) if traced else np.stack(parts)
    return value


def is_column(value: object) -> bool:
    """Says whether it is a foreign ket, or a list of them: other libraries keep kets as columns."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return len(value) > 0 and all(is_foreign(part) and is_column(part) for part in value)
    shape: tuple[int, ...] = unwrapped(value).shape if is_foreign(value) else ()
    return len(shape) >= 2 and shape[-1] == 1 < shape[-2]
