"""`AbstractGenerator` is a linear right-hand side on density matrices, d rho/dt = L(t) rho."""

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import require
from ..dynamics.model import AbstractModel, VectorField
from ..numerics.products import matmul
from .foreign import as_matrix

# Of a generator as a matrix.
MOST_BYTES = 2**31
# Vectors of random signs that probe a generator for the motion between its jumps.
PROBES = 4
# Share of |H| beyond which its anti-Hermitian part is no rounding.
HALF_DRIVE = 1e-6


class AbstractGenerator(AbstractModel):
    r"""Stands for a generator L of a quantum master equation; `Lindbladian` is one, `BlochRedfield` another, a user's
    own a third.

    What has to be given is `n`, `dtype`, `is_constant` and `generator`. `mesolve`, `steady_state`, `correlation`,
    `spectrum` and `propagator` take any of them.

    Example:
        >>> class Dephasing(jt.AbstractGenerator):
        ...     rates: jax.Array                           # (n, n), at which the elements decay
        ...     n, dtype, is_constant = 2, jnp.dtype(complex), True
        ...     def generator(self, y0=None, *, hermitian=False):
        ...         return lambda t, rho, args=None: -self.rates * rho
        >>> L = Dephasing(jnp.array([[0.0, 0.5], [0.5, 0.0]]))
        >>> sol = jt.mesolve(L, [], jnp.ones((2, 2)) / 2, jnp.array([0.0, 2.0]))
        >>> round(float(sol.states[-1, 0, 1].real), 4)
        0.1839

    Source: none; the contract that the engine reads.
    """

    closes_over: ClassVar[bool] = False
    zeros_are_structure: ClassVar[bool] = True
    # Arrays to the left must leave sums and products to this class.
    __array_ufunc__ = None
    # Fields or properties, as a generator likes; a type checker has one word for what may be either.
    if TYPE_CHECKING:

        @property
        def n(self) -> int:
            """Gives the dimension of the Hilbert space."""

        @property
        def dtype(self) -> jnp.dtype:
            """Gives the complex type of its numbers."""

        @property
        def is_constant(self) -> bool:
            """Says whether it is the same at all times."""

    else:
        n: eqx.AbstractVar[int]
        dtype: eqx.AbstractVar[jnp.dtype]
        is_constant: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def generator(self, y0: Array | None = None, *, hermitian: bool = False) -> VectorField:
        """Returns t, rho, args -> L(t) rho for any (n, n) matrix; with `hermitian` only Hermitian ones are passed."""

    def vector_field(self, t: ArrayLike, y: ArrayLike, args: None = None) -> Array:
        """Returns d rho/dt at time t for any (n, n) matrix, Hermitian or not; pure, linear in y."""
        return self.generator()(t, jnp.asarray(as_matrix("y", y, self.n)), args)

    def apply(self, rho: ArrayLike, t: ArrayLike = 0.0) -> Array:
        """Returns the image L(t) rho of a matrix."""
        return self.vector_field(t, rho)

    def matrix(self, t: ArrayLike = 0.0) -> Array:
        """Returns L(t) on vec(rho), written row by row: (n^2, n^2); refused where it would take more than 2 GiB."""
        size = self.n**4 * jnp.dtype(self.dtype).itemsize
        remedy = "`apply` needs the (n, n) state alone."
        require(
            size <= MOST_BYTES,
            "n",
            "be small enough for a matrix of 2 GiB",
            f"{self.n} ({size / 2**30:.3g} GiB)",
            remedy,
        )
        return self.whole(t)

    def whole(self, t: ArrayLike = 0.0) -> Array:
        """Does what `matrix` does, for any size; it is to be overridden where the elements are known."""
        basis = jnp.eye(self.n**2, dtype=self.dtype).reshape(-1, self.n, self.n)
        field = self.generator()
        return jax.vmap(lambda y: field(t, y, None).reshape(-1))(basis).T

    def effective(self, t: ArrayLike = 0.0) -> Array:
        """Gives A of the part A y + y A† of L(t), the motion between jumps, (n, n); here by probing, up to an estimate.

        sum_j <k| L(|i><j|) |j> = n A_ki + (Tr A)* delta_ki + what jumps leave behind; the sum by random signs.
        """
        n, field, one = self.n, self.generator(), jnp.eye(self.n, dtype=self.dtype)
        signs = jnp.asarray(np.random.default_rng(0).choice([-1.0, 1.0], (PROBES, n)), one.dtype)
        seen = lambda v: jax.lax.map(lambda ket: matmul(field(t, jnp.outer(ket, v), None), v), one)
        found = jnp.mean(jax.vmap(seen)(signs), 0).T / n
        return found - 0.5 * jnp.trace(found).conj() / n * one

    # --- what a method may make use of --------------------------------------------------------------------------------

    @property
    def has_operators(self) -> bool:
        """Says whether it is given by operators whose patterns and bounds can be looked at, as a `Lindbladian` is."""
        return False

    @property
    def has_jumps(self) -> bool:
        """Says whether anything but a Hamiltonian moves states; where nothing does, kets stay kets."""
        return True

    @property
    def is_sum(self) -> bool:
        """Says whether all its terms are known matrices times numbers or functions of time."""
        return False

    @property
    def is_modulated(self) -> bool:
        """Says whether a known matrix is multiplied by a function of time."""
        return False

    @property
    def layout(self) -> str:
        """Says how products are done."""
        return "dense"

    def hermiticity_error(self, ts: Array) -> float | None:
        """Gives the largest share of the Hamiltonian that is not Hermitian at some times; None where it is unknown."""
        return None

    def objection(self, ts: Array) -> str | None:
        """Names a Hamiltonian that is not Hermitian, as half a drive is without its conjugate."""
        error = self.hermiticity_error(ts)
        if error is None or not error > HALF_DRIVE:
            return None
        return (
            f"the Hamiltonian is not Hermitian (|H - H†| up to {error:.1e} of |H|): add the conjugate of each "
            "drive, as in modulated(f, a) + modulated(lambda t: jnp.conj(f(t)), a.T)"
        )

    def __add__(self, other: object) -> "GeneratorSum":
        if not isinstance(other, AbstractGenerator):
            return NotImplemented
        return GeneratorSum((self, other))  # type: ignore[call-arg, arg-type]

    def __radd__(self, other: object) -> "AbstractGenerator":
        # Python's sum begins with 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, factor: object) -> "ScaledGenerator":
        if not isinstance(factor, int | float | complex | np.number | np.ndarray | jax.Array):
            return NotImplemented
        number = jnp.asarray(factor)
        require(number.shape == (), "factor", "be one number", f"shape {number.shape}", "For several, use jax.vmap.")
        return ScaledGenerator(self, number)  # type: ignore[call-arg, arg-type]

    __rmul__ = __mul__


class GeneratorSum(AbstractGenerator):
    """Adds generators as one."""

    terms: tuple[AbstractGenerator, ...]

    def __check_init__(self) -> None:
        sizes = {term.n for term in self.terms}
        if len(sizes) > 1:
            raise ValueError(f"Argument `other` must be a generator of the same dimension, but got {sorted(sizes)}.")

    @property
    def n(self) -> int:
        return self.terms[0].n

    @property
    def dtype(self) -> jnp.dtype:
        return jnp.result_type(*(term.dtype for term in self.terms))

    @property
    def is_constant(self) -> bool:
        return all(term.is_constant for term in self.terms)

    @property
    def discontinuities(self) -> Sequence[Array]:
        return [edges for term in self.terms for edges in term.discontinuities]

    def stops(self, ts: Array) -> Array | None:
        found = [stops for term in self.terms if (stops := term.stops(ts)) is not None]
        return jnp.sort(jnp.concatenate(found)) if found else None

    def hermiticity_error(self, ts: Array) -> float | None:
        return max((e for term in self.terms if (e := term.hermiticity_error(ts)) is not None), default=None)

    def diagnostics(self, y: Array) -> dict[str, Array]:
        return {name: value for term in self.terms for name, value in term.diagnostics(y).items()}

    @property
    def diagnostic_limits(self) -> Mapping[str, float]:
        return {name: limit for term in self.terms for name, limit in term.diagnostic_limits.items()}

    def generator(self, y0: Array | None = None, *, hermitian: bool = False) -> VectorField:
        fields = [term.generator(y0, hermitian=hermitian) for term in self.terms]
        return lambda t, rho, args=None: sum((f(t, rho, args) for f in fields[1:]), fields[0](t, rho, args))


class ScaledGenerator(AbstractGenerator):
    """Multiplies a generator by a number."""

    base: AbstractGenerator
    factor: Array

    @property
    def n(self) -> int:
        return self.base.n

    @property
    def dtype(self) -> jnp.dtype:
        return self.base.dtype

    @property
    def is_constant(self) -> bool:
        return self.base.is_constant

    @property
    def discontinuities(self) -> Sequence[Array]:
        return self.base.discontinuities

    def stops(self, ts: Array) -> Array | None:
        return self.base.stops(ts)

    def hermiticity_error(self, ts: Array) -> float | None:
        return self.base.hermiticity_error(ts)

    def diagnostics(self, y: Array) -> dict[str, Array]:
        return dict(self.base.diagnostics(y))

    @property
    def diagnostic_limits(self) -> Mapping[str, float]:
        return self.base.diagnostic_limits

    def generator(self, y0: Array | None = None, *, hermitian: bool = False) -> VectorField:
        field = self.base.generator(y0, hermitian=hermitian)
        return lambda t, rho, args=None: self.factor * field(t, rho, args)
