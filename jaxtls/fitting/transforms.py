"""Says what a free parameter may be: smooth one-to-one maps between its physical range and the whole real line."""

from __future__ import annotations

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from .._checks import finite, positive, require


class AbstractTransform(eqx.Module):
    """Defines a smooth, element-wise, increasing map `forward` from an unconstrained u onto the values allowed."""

    # The longest step in u that an iteration may take: beyond it no linearisation of the map holds.
    max_step: ClassVar[float] = np.inf

    @abc.abstractmethod
    def forward(self, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Gives the physical value at the unconstrained coordinate u."""

    @abc.abstractmethod
    def inverse(self, v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Gives the unconstrained coordinate of the physical value v."""

    @abc.abstractmethod
    def spread(self, q: Float[Array, "*shape"], start: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Gives the value a fraction 0 < q < 1 of the way through the range searched; even q give even starts."""

    @abc.abstractmethod
    def check(self, name: str, start: ArrayLike) -> None:
        """Raise `ValueError` unless the starting value of the parameter `name` lies strictly inside the range."""

    def scale(self, v: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Gives a typical size of the parameter, in its unit: an error 1000 times as large means nothing is known."""
        size = max(float(np.max(np.abs(v), initial=0.0)), float(np.max(np.abs(start), initial=0.0)))
        return np.full(np.shape(v), size or 1.0)

    def bounds(self) -> tuple[ArrayLike, ArrayLike]:
        """Gives the open range (lower, upper) of values."""
        return -np.inf, np.inf


class Real(AbstractTransform):
    r"""Leaves a parameter without a bound: $v = u$.

    Arguments:
        width: how far the value may be off (unit of the parameter): further starts fill `start ± width/2`, and an error
            1000 times as large means that nothing is known. None: `2 |start|`, or 2 about zero.

    Example:
        >>> import jaxtls as jt, jax.numpy as jnp
        >>> float(jt.Real().forward(jnp.asarray(-2.0)))
        -2.0
    """

    width: ArrayLike | None = None

    def __check_init__(self) -> None:
        if self.width is not None:
            positive("width", self.width)

    def forward(self, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return u

    def inverse(self, v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return v

    def spread(self, q: Float[Array, "*shape"], start: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        natural = jnp.where(start == 0, 2.0, 2 * jnp.abs(start))
        return start + (natural if self.width is None else jnp.asarray(self.width)) * (q - 0.5)

    def check(self, name: str, start: ArrayLike) -> None:
        finite(name, start)

    def scale(self, v: np.ndarray, start: np.ndarray) -> np.ndarray:
        if self.width is None:
            return super().scale(v, start)
        return np.broadcast_to(np.asarray(self.width, float), np.shape(v))


class Positive(AbstractTransform):
    r"""Keeps a parameter above a lower bound, on a log scale: $v = \mathrm{lower} + e^u$.

    Arguments:
        lower: the bound, excluded (unit of the parameter).
        decades: further starts fill this many decades of `v - lower`, evenly in its logarithm, about the given start.

    Raises:
        ValueError: `lower` is not finite, or `decades` is not positive.

    Example:
        >>> import jaxtls as jt, jax.numpy as jnp
        >>> float(jt.Positive().forward(jnp.asarray(0.0)))
        1.0
    """

    lower: ArrayLike = 0.0
    decades: float | int = eqx.field(default=2.0, static=True)
    max_step: ClassVar[float] = 2.5

    def __check_init__(self) -> None:
        finite("lower", self.lower)
        positive("decades", self.decades)

    def forward(self, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.asarray(self.lower) + jnp.exp(u)

    def inverse(self, v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.log(v - jnp.asarray(self.lower))

    def spread(self, q: Float[Array, "*shape"], start: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        lower = jnp.asarray(self.lower)
        return lower + (start - lower) * 10.0 ** (self.decades * (q - 0.5))

    def check(self, name: str, start: ArrayLike) -> None:
        known = np.asarray(finite(name, start))
        remedy = "Start inside the range, lower the bound, or use jt.Real() for a parameter of either sign."
        require(bool(np.all(known > np.asarray(self.lower))), name, f"start above {self.lower}", start, remedy)

    def bounds(self) -> tuple[ArrayLike, ArrayLike]:
        return self.lower, np.inf


class Interval(AbstractTransform):
    r"""Keeps a parameter between two bounds: $v = \mathrm{lo} + (\mathrm{hi} - \mathrm{lo}) / (1 + e^{-u})$.

    Arguments:
        lo: lower bound, excluded (unit of the parameter).
        hi: upper bound, excluded (same unit). Further starts fill the interval evenly.

    Raises:
        ValueError: a bound is not finite, or `lo >= hi`.

    Example:
        >>> import jaxtls as jt, jax.numpy as jnp
        >>> float(jt.Interval(2.0, 4.0).forward(jnp.asarray(0.0)))
        3.0
    """

    lo: ArrayLike
    hi: ArrayLike
    max_step: ClassVar[float] = 2.5

    def __check_init__(self) -> None:
        finite("lo", self.lo, "For one open end use jt.Positive(lower).")
        finite("hi", self.hi, "For one open end use jt.Positive(lower).")
        ordered = bool(np.all(np.asarray(self.lo) < np.asarray(self.hi)))
        require(ordered, "hi", f"be above lo = {self.lo}", self.hi, "Write Interval(lo, hi).")

    def _ends(self) -> tuple[Array, Array]:
        return jnp.asarray(self.lo, float), jnp.asarray(self.hi, float)

    def forward(self, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        lo, hi = self._ends()
        # Written from the nearer end, so that a value close to a bound keeps its digits.
        near = (hi - lo) * jax.nn.sigmoid(-jnp.abs(u))
        return jnp.where(u < 0, lo + near, hi - near)

    def inverse(self, v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        lo, hi = self._ends()
        return jnp.log(v - lo) - jnp.log(hi - v)

    def spread(self, q: Float[Array, "*shape"], start: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        lo, hi = self._ends()
        return lo + (hi - lo) * q + 0 * start

    def check(self, name: str, start: ArrayLike) -> None:
        known = np.asarray(finite(name, start))
        inside = (known > np.asarray(self.lo)) & (known < np.asarray(self.hi))
        remedy = "Start inside the interval, or widen it."
        require(bool(np.all(inside)), name, f"start strictly between {self.lo} and {self.hi}", start, remedy)

    def scale(self, v: np.ndarray, start: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.hi, float) - np.asarray(self.lo, float), np.shape(v))

    def bounds(self) -> tuple[ArrayLike, ArrayLike]:
        return self.lo, self.hi


class Fixed(AbstractTransform):
    """Keeps a parameter as it is: the same as leaving it out of `free`, so that a fit can be narrowed by one word.

    Example:
        >>> import jaxtls as jt
        >>> free = {"gamma": jt.Positive(), "omega": jt.Fixed()}
    """

    def forward(self, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return u

    def inverse(self, v: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return v

    def spread(self, q: Float[Array, "*shape"], start: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return start

    def check(self, name: str, start: ArrayLike) -> None:
        pass
