"""Makes a traced time of which NumPy's functions are JAX's: functions written with np.cos need not be written anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np
from jaxtyping import Array, ArrayLike

from .foreign import unwrapped


class NumpyTime(np.lib.mixins.NDArrayOperatorsMixin):
    """Carries a number or array that is traced, for arithmetic and for functions of NumPy and `scipy.special`.

    Example:
        >>> t = NumpyTime(jnp.asarray(0.5))
        >>> round(float((2 * np.cos(t) + np.where(t > 1, 5.0, 0.0)).value), 4)
        1.7552
    """

    def __init__(self, value: Array) -> None:
        self.value = value

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **options: object) -> Any:
        return NotImplemented if method != "__call__" or options else _called(ufunc.__name__, inputs)

    def __array_function__(self, function: Callable, types: object, given: Sequence, options: dict) -> Any:
        return _called(function.__name__, given, **options)

    @property
    def real(self) -> NumpyTime:
        """Gives the real part."""
        return NumpyTime(jnp.real(self.value))

    @property
    def imag(self) -> NumpyTime:
        """Gives the imaginary part."""
        return NumpyTime(jnp.imag(self.value))

    def conj(self) -> NumpyTime:
        """Returns the complex conjugate of it."""
        return NumpyTime(jnp.conj(self.value))

    conjugate = conj

    # Numbers that Python asks for are refused by JAX.
    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __complex__(self) -> complex:
        return complex(self.value)

    def __int__(self) -> int:
        return int(self.value)


class ByNumpy:
    """Calls a function of time with a `NumpyTime`; it is the same for JAX where the function is the same."""

    def __init__(self, function: Callable) -> None:
        self.function = function

    def __call__(self, t: ArrayLike) -> ArrayLike:
        return _plain(self.function(NumpyTime(jnp.asarray(t))))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByNumpy) and other.function == self.function

    def __hash__(self) -> int:
        return hash(self.function)


def _called(name: str, given: Sequence, **options: object) -> Any:
    """Call JAX's function of a name, of plain arguments."""
    function = vars(jnp).get(name, vars(jax.scipy.special).get(name))
    if function is None:
        return NotImplemented
    given, options = jax.tree.map(_plain, (tuple(given), options), is_leaf=lambda x: isinstance(x, NumpyTime))
    return jax.tree.map(NumpyTime, function(*given, **options))


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, NumpyTime) else unwrapped(value)
