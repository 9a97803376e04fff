"""What a Hamiltonian or a jump operator may be: a sum of matrices, modulated matrices and functions of time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import concrete, finite, is_traced, require, size
from .._types import Numbers
from . import foreign
from .storage.diagonals import Diagonals


class Term(eqx.Module):
    """`envelope(t) * matrix`; no envelope stands for 1. A function of time stands for itself, with no matrix."""

    matrix: Any  # an array, NumPy's where known, Diagonals, or None
    envelope: Callable | None = None
    function: Callable | None = None

    def dense(self, t: ArrayLike) -> Any:
        if self.function is not None:
            return foreign.as_matrix("hamiltonian", self.function(t))
        array = self.matrix.dense() if isinstance(self.matrix, Diagonals) else self.matrix
        assert array is not None
        return array if self.envelope is None else self.envelope(t) * array


class Operator(eqx.Module):
    """A sum of terms, made by `local`, `modulated` and `piecewise_constant`; `+`, `-` and products with numbers work.

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
        """True where no term depends on time."""
        return all(term.envelope is None and term.function is None for term in self.terms)

    def __call__(self, t: ArrayLike = 0.0) -> Array:
        """The dense (n, n) matrix at time t."""
        return sum((term.dense(t) for term in self.terms), jnp.zeros((self.n, self.n), complex))

    def __add__(self, other: OperatorLike) -> Operator:
        return Operator(self.terms + as_operator("operator", other, self.n).terms, self.n)

    def __radd__(self, other: OperatorLike) -> Operator:
        # sum() starts from 0.
        return self if isinstance(other, int | float) and other == 0 else as_operator("operator", other, self.n) + self

    def __mul__(self, factor: ArrayLike) -> Operator:
        known = concrete(factor)
        number = jnp.asarray(factor) if known is None else known
        require(number.ndim == 0, "factor", "be a number", f"shape {number.shape}")
        return Operator(tuple(_scaled(term, number) for term in self.terms), self.n)

    __rmul__ = __mul__

    def __neg__(self) -> Operator:
        return -1.0 * self

    def __sub__(self, other: OperatorLike) -> Operator:
        return self + -1.0 * as_operator("operator", other, self.n)

    def __rsub__(self, other: OperatorLike) -> Operator:
        return as_operator("operator", other, self.n) - self

    def dag(self) -> Operator:
        """The Hermitian conjugate."""
        return Operator(tuple(_conjugated(term) for term in self.terms), self.n)


# One operator: numbers, ours, another library's, or a function of time.
Single: TypeAlias = Numbers | Operator | foreign.Qutip | foreign.Dynamiqs | foreign.Sparse | Callable
# That, or a list of operators and of pairs (operator, coefficient).
OperatorLike: TypeAlias = Single | Sequence[Single | tuple[Single, ArrayLike | Callable]]


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
    if isinstance(term.matrix, Diagonals):
        return Term(eqx.tree_at(lambda m: m.values, term.matrix, factor * term.matrix.values), term.envelope)
    assert term.matrix is not None
    return Term(factor * term.matrix, term.envelope)


def _conjugated(term: Term) -> Term:
    if term.function is not None:
        return Term(None, None, _Conjugated(term.function))
    assert term.matrix is not None
    matrix = term.matrix.dag() if isinstance(term.matrix, Diagonals) else term.matrix.T.conj()
    return Term(matrix, None if term.envelope is None else _Conjugated(term.envelope))


class PiecewiseConstant(eqx.Module):
    """A number of time, values[k] for times[k] <= t < times[k+1] and 0 outside; its edges are known to the solver.

    Example:
        >>> f = PiecewiseConstant(jnp.array([0.0, 1.0, 2.0]), jnp.array([3.0, 5.0]))
        >>> [float(f(t)) for t in (-0.5, 0.0, 1.0, 1.9, 2.0)]
        [0.0, 3.0, 5.0, 5.0, 0.0]
    """

    times: Array
    values: Array

    def __init__(self, times: Numbers, values: Numbers):
        self.times = finite("times", times)
        self.values = jnp.asarray(values)
        require(self.times.ndim == 1 and len(self.times) >= 2, "times", "list two edges or more", self.times.shape)
        known = concrete(self.times)
        require(known is None or bool(np.all(np.diff(known) > 0)), "times", "be strictly ascending", times)
        wanted = (self.times.shape[0] - 1,)
        require(self.values.shape == wanted, "values", f"have shape {wanted}, one between each two edges", values)

    @property
    def discontinuities(self) -> Array:
        return self.times

    def __call__(self, t: ArrayLike) -> Array:
        held = jnp.concatenate([jnp.zeros_like(self.values[:1]), self.values, jnp.zeros_like(self.values[:1])])
        return held[jnp.searchsorted(self.times, t, side="right")]


def modulated(envelope: Callable, op: OperatorLike) -> Operator:
    """The time-dependent term envelope(t) * op.

    Arguments:
        envelope: t -> number, traceable by JAX. A fresh lambda compiles anew in each call: for sweeps make it an
            eqx.Module with `__call__`, whose numbers are arguments of the compiled code.
        op: an (n, n) array, an `Operator`, a QuTiP `Qobj` or a dynamiqs `QArray`.

    Returns:
        Operator: for a Hamiltonian or a jump operator, alone or in a sum.

    Raises:
        ValueError: `envelope` is not a function.

    Example:
        >>> drive = modulated(jnp.cos, jnp.array([[0, 1], [1, 0]]))
        >>> sol = jt.mesolve(drive, [], jnp.array([1.0, 0.0]), jnp.array([0.0, jnp.pi / 2]))
        >>> round(float(sol.states[-1, 1, 1].real), 4), round(float(jnp.sin(1.0) ** 2), 4)
        (0.7081, 0.7081)

    Source: none; the usual form of a drive.
    """
    require(foreign.is_callable(envelope), "envelope", "be a function of time", repr(envelope))
    operator = as_operator("op", op)
    envelope, shape = _hoisted(envelope, jnp.asarray)
    require(shape == (), "envelope", "return a number", f"shape {shape}")
    terms = []
    for term in operator.terms:
        if term.function is not None:
            terms.append(Term(None, None, _Product(envelope, term.function)))
        else:
            terms.append(Term(term.matrix, envelope if term.envelope is None else _Product(envelope, term.envelope)))
    return Operator(tuple(terms), operator.n)


def piecewise_constant(times: Numbers, values: Numbers, op: OperatorLike) -> Operator:
    """The term v(t) op with v(t) = values[k] for times[k] <= t < times[k+1], and 0 outside.

    The solver stops at each edge and starts anew behind it, so no pulse is stepped over.

    Arguments:
        times: (K + 1,) ascending edges [time].
        values: (K,) real or complex.
        op: as in `modulated`.

    Returns:
        Operator.

    Raises:
        ValueError: the edges are not ascending, or `values` does not fit.

    Example:
        >>> pulse = piecewise_constant([5.0, 5.1], [jnp.pi / 0.2], jnp.array([[0, 1], [1, 0]]))
        >>> sol = jt.mesolve(pulse, [], jnp.array([1.0, 0.0]), jnp.array([0.0, 10.0]))
        >>> round(float(sol.states[-1, 1, 1].real), 4)
        1.0

    Source: none.
    """
    return modulated(PiecewiseConstant(times, values), op)


def local(dims: Sequence[int], factors: Mapping[int, OperatorLike]) -> Operator:
    """A product of operators on some subsystems, the identity on the others, kept as diagonals.

    O = O_0 (x) O_1 (x) ...; the first subsystem is the slowest index. The numbers of `factors` and those that
    multiply the result may be traced; which diagonals a factor has is read from it where it is known.

    Arguments:
        dims: dimensions of all subsystems.
        factors: subsystem -> its (d, d) operator.

    Returns:
        Operator: sums of these make structured Hamiltonians that never become dense where that is dearer.

    Raises:
        ValueError: a factor does not fit its subsystem.

    Example:
        >>> zz = local((2, 2), {0: [[1, 0], [0, -1]], 1: [[1, 0], [0, -1]]})
        >>> zz(0.0).real.diagonal().tolist()
        [1.0, -1.0, -1.0, 1.0]

    Source: none.
    """
    sizes = tuple(size("dims", d) for d in dims)
    require(len(sizes) > 0, "dims", "list at least one subsystem", dims)
    parts = [Diagonals.identity(d) for d in sizes]
    for site, factor in factors.items():
        exists = isinstance(site, int | np.integer) and bool(0 <= site < len(sizes))
        require(exists, "factors", f"name subsystems 0 .. {len(sizes) - 1}", repr(site))
        matrix = foreign.as_matrix(f"factors[{site}]", factor, sizes[site])
        known = concrete(matrix)
        # Real operators stay real: a real Hamiltonian costs half as much.
        parts[site] = Diagonals.from_array(matrix if known is None or np.any(known.imag) else known.real)
    return Operator((Term(reduce(Diagonals.kron, parts)),), math.prod(sizes))


def as_operator(name: str, value: object, n: int | None = None) -> Operator:
    """An `Operator` from anything that may stand for one, checked by name."""
    if isinstance(value, Operator):
        require(n is None or value.n == n, name, f"have dimension {n}", value.n)
        return value
    if foreign.is_callable(value):
        function, shape = _hoisted(value, lambda found: foreign.as_array(name, found))
        good = len(shape) == 2 and shape[0] == shape[1] and (n is None or shape[0] == n)
        wanted = "(n, n)" if n is None else f"({n}, {n})"
        require(good, name, f"return an array of shape {wanted}", f"shape {shape}")
        return Operator((Term(None, None, function),), int(shape[0]))
    if isinstance(value, list | tuple) and any(isinstance(part, tuple | list) and _is_pair(part) for part in value):
        return _from_list(name, value, n)
    matrix = foreign.as_matrix(name, value, n)
    known = concrete(matrix)
    require(known is None or bool(np.all(np.isfinite(known))), name, "be finite", value)
    return Operator((Term(matrix if known is None else known),), matrix.shape[0])


def _is_pair(part: Sequence) -> bool:
    """Whether a member of a list is (operator, coefficient), and not a row of numbers."""
    return len(part) == 2 and not (np.ndim(part[0]) == 0 and not isinstance(part[0], Operator | Callable))


def _from_list(name: str, value: Sequence, n: int | None) -> Operator:
    """QuTiP's list form [H0, (V, x), (W, f)]: each pair an operator and a number, traced or not, or function of time.

    The patterns of the operators are kept where x is traced.
    """
    total: Operator | None = None
    for k, part in enumerate(value):
        label = f"{name}[{k}]"
        operator, coefficient = part if isinstance(part, tuple | list) and _is_pair(part) else (part, None)
        term = _structured(as_operator(label, operator, n))
        n = term.n
        if coefficient is not None and foreign.is_callable(coefficient):
            term = modulated(coefficient, term)
        elif coefficient is not None:
            number = coefficient if is_traced(coefficient) else np.asarray(coefficient)
            good = number.ndim == 0 and number.dtype.kind in "biufc"
            require(good, label, "pair an operator with a number or a function of time", repr(coefficient))
            term = term * number
        total = term if total is None else total + term
    assert total is not None
    return total


def _structured(op: Operator) -> Operator:
    """With matrices as diagonals, whose pattern survives a traced factor."""
    terms = []
    for term in op.terms:
        matrix = term.matrix
        if matrix is not None and not isinstance(matrix, Diagonals) and (known := concrete(matrix)) is not None:
            # Real operators stay real: a real Hamiltonian costs half as much.
            matrix = Diagonals.from_array(known if np.any(known.imag) else known.real)
        terms.append(Term(matrix, term.envelope, term.function))
    return Operator(tuple(terms), op.n)


class _Hoisted(eqx.Module):
    function: Callable

    def __call__(self, t: ArrayLike) -> Array:
        return self.function(jnp.asarray(t, float))


def _hoisted(f: Callable, convert: Callable[[Any], ArrayLike]) -> tuple[Callable, tuple[int, ...]]:
    """A function of time with the tracers that it closes over as leaves, so that derivatives see them; its shape."""

    def converted(t: Array) -> ArrayLike:
        return convert(f(t))

    now = jnp.zeros((), float)
    closed = jax.make_jaxpr(converted)(now)
    # A pytree shows its leaves itself. Other functions are left alone where they can be: converting compiles anew.
    hidden = jax.tree_util.all_leaves([f]) and any(isinstance(c, jax.core.Tracer) for c in closed.consts)
    if hidden:
        return _Hoisted(eqx.filter_closure_convert(converted, now)), tuple(closed.out_avals[0].shape)
    return f, tuple(closed.out_avals[0].shape)
