"""Says what a Hamiltonian or a jump operator may be: a sum of matrices, modulated matrices and functions of time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import concrete, is_traced, require, size
from .._types import Numbers
from . import foreign
from .envelopes import PiecewisePolynomial, as_envelope, hoisted, is_envelope
from .storage.diagonals import Diagonals


class Term(eqx.Module):
    """Stands for `envelope(t) * factor * base`; what is None stands for 1. A function of time stands for itself,
    without base."""

    base: Any  # an array, NumPy's where known, Diagonals, or None
    envelope: Callable | None = None
    function: Callable | None = None
    factor: Any = None  # a traced number before a base that is known: a gradient in it is one of a number

    @property
    def matrix(self) -> Any:
        """Gives factor * base."""
        return self.base if self.factor is None else _multiplied(self.base, self.factor)

    def part(self, factor: Any) -> Any:
        """Gives the base where the term has that factor, or zeros in its place."""
        return self.base if self.factor is factor else _multiplied(self.base, 0.0)

    def dense(self, t: ArrayLike) -> Any:
        if self.function is not None:
            return foreign.as_matrix("hamiltonian", self.function(t))
        array = self.matrix.dense() if isinstance(self.matrix, Diagonals) else self.matrix
        assert array is not None
        return array if self.envelope is None else self.envelope(t) * array


class Operator(eqx.Module):
    """Sums terms, made by `local`, `modulated` and `piecewise_constant`; `+`, `-` and products with numbers work.

    Example:
        >>> chain = local((2, 2), {0: [[1, 0], [0, -1]]}) + 0.5 * local((2, 2), {1: [[0, 1], [1, 0]]})
        >>> chain(0.0).real[0].tolist()
        [1.0, 0.5, 0.0, 0.0]
    """

    terms: tuple[Term, ...]
    n: int = eqx.field(static=True)
    # Arrays to the left must leave the sum to this class.
    __array_ufunc__ = None

    @property
    def is_constant(self) -> bool:
        """Returns True where no term depends on time."""
        return all(term.envelope is None and term.function is None for term in self.terms)

    def __call__(self, t: ArrayLike = 0.0) -> Array:
        """Returns the dense (n, n) matrix at time t."""
        return sum((term.dense(t) for term in self.terms), jnp.zeros((self.n, self.n), complex))

    def __add__(self, other: OperatorLike) -> Operator:
        return Operator(self.terms + as_operator("operator", other, self.n).terms, self.n)

    def __radd__(self, other: OperatorLike) -> Operator:
        # sum() starts from 0.
        return self if isinstance(other, int | float) and other == 0 else as_operator("operator", other, self.n) + self

    def __mul__(self, factor: ArrayLike) -> Operator:
        known = concrete(factor)
        # A tracer as it is: one number stays one.
        number: Any = factor if known is None else known
        require(number.ndim == 0, "factor", "be a number", f"shape {number.shape}")
        return Operator(tuple(_scaled(term, number) for term in self.terms), self.n)

    __rmul__ = __mul__

    def __neg__(self) -> Operator:
        return -1.0 * self

    def __sub__(self, other: OperatorLike) -> Operator:
        return self + -1.0 * as_operator("operator", other, self.n)

    def __rsub__(self, other: OperatorLike) -> Operator:
        return as_operator("operator", other, self.n) - self

    def times(self, name: str, envelope: object) -> Operator:
        """Multiplies the sum by envelope(t), a function or what else `as_envelope` takes, named `name` in messages."""
        f = as_envelope(name, envelope)
        return Operator(tuple(_enveloped(term, f) for term in self.terms), self.n)

    def dag(self) -> Operator:
        """Returns the Hermitian conjugate."""
        return Operator(tuple(_conjugated(term) for term in self.terms), self.n)


# A number of time, or samples of one.
Coefficient: TypeAlias = Numbers | Callable | foreign.Interpolation | foreign.QutipCoefficient | str
# One operator: numbers, ours, another library's, or a function of time.
Single: TypeAlias = (
    Numbers | Operator | foreign.Qutip | foreign.QutipTime | foreign.Dynamiqs | foreign.Sparse | Callable
)
# That, a pair (operator, coefficient), or a list of operators and of pairs.
OperatorLike: TypeAlias = Single | Sequence[Single | Coefficient | Sequence[Single | Coefficient]]
if TYPE_CHECKING:
    # Several: a list, a dict, a stack (K, n, n), or one alone.
    OperatorsLike: TypeAlias = OperatorLike | Sequence[OperatorLike] | Mapping[str, OperatorLike]
    # A ket or a density matrix.
    StateLike: TypeAlias = Numbers | foreign.Qutip | foreign.Dynamiqs | foreign.Sparse
    # Times, rates, frequencies.
    TimesLike: TypeAlias = Numbers
else:
    # What is wrong is refused in words that name the argument, also where a checker of types at run time is on.
    OperatorLike = OperatorsLike = StateLike = TimesLike = object


class _Scaled(eqx.Module):
    factor: Any
    function: Callable

    def __call__(self, t: ArrayLike) -> Array:
        return self.factor * jnp.asarray(foreign.as_array("function", self.function(t)))


class _Conjugated(eqx.Module):
    function: Callable

    def __call__(self, t: ArrayLike) -> Array:
        value = foreign.as_array("function", self.function(t))
        return jnp.conj(value.T)


class _Product(eqx.Module):
    first: Callable
    second: Callable

    def __call__(self, t: ArrayLike) -> Array:
        return self.first(t) * self.second(t)


def _scaled(term: Term, factor: ArrayLike) -> Term:
    if term.function is not None:
        return Term(None, None, _Scaled(factor, term.function))
    if is_traced(factor) and not is_traced(term.base):
        return dataclasses.replace(term, factor=factor if term.factor is None else factor * term.factor)
    return dataclasses.replace(term, base=_multiplied(term.base, factor))


def _multiplied(base: Any, factor: ArrayLike) -> Any:
    if isinstance(base, Diagonals):
        return dataclasses.replace(base, values=factor * base.values)
    return factor * base


def _enveloped(term: Term, f: Callable) -> Term:
    if term.function is not None:
        return Term(None, None, _Product(f, term.function))
    return dataclasses.replace(term, envelope=f if term.envelope is None else _Product(f, term.envelope))


def _conjugated(term: Term) -> Term:
    if term.function is not None:
        return Term(None, None, _Conjugated(term.function))
    base = term.base.dag() if isinstance(term.base, Diagonals) else term.base.T.conj()
    envelope = None if term.envelope is None else _Conjugated(term.envelope)
    return Term(base, envelope, factor=None if term.factor is None else jnp.conj(term.factor))


def local(dims: Sequence[int], factors: Mapping[int, OperatorLike]) -> Operator:
    """Makes a product of operators on some subsystems, the identity on the others, kept as diagonals.

    O = O_0 (x) O_1 (x) ...; the first subsystem is the slowest index. The numbers of `factors` and those that
    multiply the result may be traced; which diagonals a factor has is read from it where it is known.

    Arguments:
        dims: dimensions of all subsystems.
        factors: subsystem -> its (d, d) operator.

    Returns:
        Operator: sums of these make structured Hamiltonians that never become dense where that is dearer.

    Raises:
        ValueError: `dims` is no list of sizes, `factors` no mapping, or a factor does not fit its subsystem.

    Example:
        >>> zz = local((2, 2), {0: [[1, 0], [0, -1]], 1: [[1, 0], [0, -1]]})
        >>> zz(0.0).real.diagonal().tolist()
        [1.0, -1.0, -1.0, 1.0]

    Source: none.
    """
    like = "Write (2, 2) for two TLSs."
    require(isinstance(dims, Iterable), "dims", "list the dimensions of all subsystems", repr(dims), like)
    require(
        isinstance(factors, Mapping), "factors", "be a mapping of subsystems to operators", repr(factors),
        "Write {0: op} for `op` on the first.",
    )  # fmt: skip
    sizes = tuple(size("dims", d) for d in dims)
    require(len(sizes) > 0, "dims", "list at least one subsystem", dims)
    parts = [Diagonals.identity(d) for d in sizes]
    for site, factor in factors.items():
        exists = isinstance(site, int | np.integer) and bool(0 <= site < len(sizes))
        require(exists, "factors", f"name subsystems 0 .. {len(sizes) - 1}", repr(site))
        matrix = constant_matrix(f"factors[{site}]", factor, sizes[site])
        known = concrete(matrix)
        # Real operators stay real: a real Hamiltonian costs half as much.
        parts[site] = Diagonals.from_array(matrix if known is None or np.any(known.imag) else known.real)
    return Operator((Term(reduce(Diagonals.kron, parts)),), math.prod(sizes))


def constant_matrix(name: str, value: object, n: int | None = None) -> Any:
    """Gives the matrix (n, n) of what may stand for an operator and must not depend on time; NumPy's where it is known.

    Example:
        >>> constant_matrix("a", [[[1, 0], [0, -1]], ([[0, 1], [1, 0]], 0.5)]).real.tolist()
        [[1.0, 0.5], [0.5, -1.0]]
    """
    found = as_operator(name, value, n)
    require(found.is_constant, name, "not depend on time", "an operator with an envelope or function")
    parts = [term.dense(0.0) for term in found.terms]
    return sum(parts[1:], parts[0]) if parts else np.zeros((found.n, found.n), complex)


def as_operator(name: str, value: object, n: int | None = None) -> Operator:
    """Makes an `Operator` from anything that may stand for one, checked by name."""
    if isinstance(value, Operator):
        require(n is None or value.n == n, name, f"have dimension {n}", value.n)
        return value
    if not foreign.is_plain(value) and isinstance(value, foreign.QutipTime):
        return _from_list(name, [_plain(part) for part in value.to_list()], n)
    if foreign.is_callable(value):
        function, shape = hoisted(name, value, lambda found: foreign.as_array(name, found))
        good = len(shape) == 2 and shape[0] == shape[1] and (n is None or shape[0] == n)
        wanted = "(n, n)" if n is None else f"({n}, {n})"
        require(good, name, f"return an array of shape {wanted}", f"shape {shape}")
        return Operator((Term(None, None, function),), int(shape[0]))
    if isinstance(value, list | tuple):
        if _is_pair(value) and not _gives_matrix(name, value[1]):
            return _from_pair(name, value, n)
        require(not _is_turned(value), name, "have the operator first", "(coefficient, operator)", "Exchange the two.")
        if any(_is_pair(part) or _is_turned(part) or _is_special(part) for part in value):
            return _from_list(name, value, n)
    matrix = foreign.as_matrix(name, value, n)
    known = concrete(matrix)
    require(known is None or bool(np.all(np.isfinite(known))), name, "be finite", value)
    return Operator((Term(matrix if known is None else known),), matrix.shape[0])


def on_times(name: str, value: object, ts: Array) -> Any:
    """Gives an operator whose pairs (operator, samples) have them at the times `ts`, as in QuTiP; others as given."""
    if not isinstance(value, list | tuple):
        return value
    if _is_pair(value):
        operator, samples = value
        if _depth(samples) != 1:
            return value
        good = np.shape(samples) == ts.shape
        remedy = "Samples at other times: jt.sampled(times, values, op)."
        require(good, name, f"have {len(ts)} samples, one for each output time", f"shape {np.shape(samples)}", remedy)
        return operator, PiecewisePolynomial.through(ts, samples, name=name)
    return [on_times(f"{name}[{k}]", part, ts) if _is_pair(part) else part for k, part in enumerate(value)]


def _depth(value: object) -> int:
    """Count the dimensions of an array or of nested lists, which may hold tracers; -1 of what holds no numbers."""
    if isinstance(value, list | tuple):
        return 1 + _depth(value[0]) if value else 1
    if value is None or isinstance(value, str | Operator) or foreign.is_callable(value) or is_envelope(value):
        return -1
    return np.ndim(value)  # type: ignore[arg-type]


def _is_special(value: object) -> bool:
    """Return True for an operator that is no array or list of numbers."""
    return isinstance(value, Operator | foreign.QutipTime) or foreign.is_foreign(value) or foreign.is_callable(value)


def _is_pair(part: object) -> bool:
    """Say whether a member of a list is (operator, coefficient), and not a row of numbers."""
    if not isinstance(part, list | tuple) or len(part) != 2:
        return False
    operator, coefficient = part
    if not (_is_special(operator) or _depth(operator) == 2) or _is_turned(coefficient):
        return False
    return is_envelope(coefficient) or foreign.is_callable(coefficient) or _depth(coefficient) in (0, 1)


def _is_turned(part: object) -> bool:
    """Say whether a member of a list is (coefficient, operator)."""
    return isinstance(part, list | tuple) and not _is_pair(part) and _is_pair(part[::-1])


def _gives_matrix(name: str, coefficient: object) -> bool:
    """Return True for a function that is an operator of its own beside another, and no coefficient of it."""
    if is_envelope(coefficient) or not foreign.is_callable(coefficient):
        return False
    return len(hoisted(name, coefficient, lambda found: foreign.as_array(name, found))[1]) > 0


def _from_list(name: str, value: Sequence, n: int | None) -> Operator:
    """Read QuTiP's list form [H0, (V, x), (W, f)]: a sum of operators and of pairs of operator and coefficient."""
    total: Operator | None = None
    for k, part in enumerate(value):
        label = f"{name}[{k}]"
        term = _from_pair(label, part, n) if _is_pair(part) else _structured(as_operator(label, part, n))
        n = term.n
        total = term if total is None else total + term
    assert total is not None
    return total


def _from_pair(name: str, pair: Sequence, n: int | None) -> Operator:
    """Make an operator times a number, traced or not, or a function of time; a traced one's pattern is kept."""
    term = _structured(as_operator(name, pair[0], n))
    coefficient = pair[1]
    if is_envelope(coefficient) or foreign.is_callable(coefficient):
        return term.times(name, coefficient)
    number = coefficient if is_traced(coefficient) else np.asarray(coefficient)
    must, remedy = "pair an operator with a number or a function of time", ""
    if number.ndim == 1:
        remedy = "Samples need their times: jt.sampled(times, values, op); jt.mesolve takes those at its output times."
    require(number.ndim == 0 and number.dtype.kind in "biufc", name, must, f"an array of shape {number.shape}", remedy)
    return term * number


def _plain(part: object) -> object:
    """Read a term of a `QobjEvo`; functions that return a `Qobj` stand beside the arguments they are called with."""
    if not (isinstance(part, list) and isinstance(part[1], dict)):
        return part
    function, arguments = part
    return (lambda t: function(t, **arguments)) if arguments else function


def _structured(op: Operator) -> Operator:
    """Keep matrices as diagonals, whose pattern survives a traced factor."""
    terms = []
    for term in op.terms:
        base = term.base
        if base is not None and not isinstance(base, Diagonals) and (known := concrete(base)) is not None:
            # Real operators stay real: a real Hamiltonian costs half as much.
            base = Diagonals.from_array(known if np.any(known.imag) else known.real)
        terms.append(dataclasses.replace(term, base=base))
    return Operator(tuple(terms), op.n)
