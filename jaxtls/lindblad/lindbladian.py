"""`Lindbladian` joins a Hamiltonian and jump operators as one model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from .._checks import concrete, is_traced, known_array, real, require
from .._types import Numbers
from ..numerics.hermitian import hermitian_part
from ..numerics.products import einsum, matmul, tensordot
from . import foreign
from .factored import stacked
from .generator import AbstractGenerator
from .measured import listed
from .operators import Operator, OperatorLike, OperatorsLike, Term, as_operator
from .pulses import pulse_times
from .rhs.fields import AbstractParts, DenseParts, StencilParts
from .storage.diagonals import Diagonals
from .storage.family import Family, Skeleton, diagonals_of, total

Layout = Literal["auto", "dense", "stencil"]
# A product of n x n matrices does an element's multiplication this many times faster than a shifted copy does.
STENCIL_COST = 6
STENCIL_LEAST = 24
# Most elements of the jump weights (P, n, n) kept by the stencil.
STENCIL_ELEMENTS = 2**25


class Lindbladian(AbstractGenerator):
    r"""Moves density matrices by a Hamiltonian and jump operators, hbar = 1.

        d rho/dt = -i [H, rho] + sum_k r_k (L_k rho L_k† - {L_k† L_k, rho}/2)

    Arguments:
        hamiltonian: (n, n) Hermitian [frequency]: an array, a SciPy sparse matrix, a function t -> (n, n), an
            `Operator` (`local`, `modulated`, `sampled`, `piecewise_constant` and their sums), a QuTiP `Qobj` or
            `QobjEvo`, a dynamiqs `QArray`; or a list [H0, (H1, f), ...] of operators and of pairs of an operator and
            its number or function of time.
        jump_ops: list or dict of the same kinds of (n, n) operators, or one [sqrt(frequency)]; pure numbers with
            `rates`.
        rates: (K,) r_k >= 0 [frequency], 1 by default. Gradients are finite at r_k = 0, where those of
            sqrt(rate) * operator are not.
        layout: "dense" products, a "stencil" of diagonals, or "auto": the cheaper by a count of operations.

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> L = Lindbladian(jnp.diag(jnp.array([0.5, -0.5])), [jnp.array([[0, 0], [1, 0]])], rates=[0.1])
        >>> L.n, L.vector_field(0.0, jnp.eye(2) / 2).real.tolist()
        (2, [[-0.05, 0.0], [0.0, 0.05]])

    Source: G. Lindblad, Commun. Math. Phys. 48, 119 (1976).
    """

    terms: Family
    jumps: Family
    rates: Array
    envelopes: tuple[Callable, ...]
    jump_envelopes: tuple[Callable, ...]
    functions: tuple[Callable, ...]
    jump_functions: tuple[Callable, ...]
    # Group of each jump in `jumps`, and the positions of both kinds in the user's list.
    groups: tuple[int, ...] = eqx.field(static=True)
    order: tuple[int, ...] = eqx.field(static=True)
    n: int = eqx.field(static=True)

    def __init__(
        self,
        hamiltonian: OperatorLike,
        jump_ops: OperatorsLike | None,
        rates: Numbers | None = None,
        layout: str = "auto",
    ):
        require(layout in get_args(Layout), "layout", f"be one of {get_args(Layout)}", repr(layout))
        h = as_operator("hamiltonian", hamiltonian)
        _require_hermitian(h)
        self.n = h.n
        names, given = listed("jump_ops", jump_ops)
        labels = range(len(given)) if names is None else map(repr, names)
        jumps = [as_operator(f"jump_ops[{label}]", op, h.n) for label, op in zip(labels, given)]
        self._set_hamiltonian_and_jumps(h, jumps, layout)
        ones = np.ones(len(jumps), np.finfo(self.terms.dtype).dtype)
        wanted = ones if rates is None else _rates(rates, len(jumps))
        known = concrete(wanted)
        self.rates = known_array((wanted if known is None else known)[np.asarray(self.order, int)])

    def _set_hamiltonian_and_jumps(self, h: Operator, jumps: list[Operator], layout: str) -> None:
        matrices: list[Any] = [term.matrix for op in (h, *jumps) for term in op.terms if term.base is not None]
        arrays = [m.values if isinstance(m, Diagonals) else m for m in matrices]
        dtype = jnp.result_type(jnp.complex64, *(a.dtype for a in arrays))
        if not matrices:
            dtype = jnp.result_type(complex)
        constant = [term for term in h.terms if term.base is not None and term.envelope is None]
        moving = [term for term in h.terms if term.base is not None and term.envelope is not None]
        plain: list[tuple[Term, ...]] = []
        own_group, functions, order, later = [], [], [], []  # type: ignore[var-annotated]
        envelopes: list[Callable] = []
        for k, op in enumerate(jumps):
            if all(term.base is not None and term.envelope is None for term in op.terms):
                plain.append(op.terms)
                own_group.append(0)
                order.append(k)
            elif len(op.terms) == 1 and op.terms[0].base is not None:
                plain.append(op.terms)
                envelopes.append(op.terms[0].envelope)  # type: ignore[arg-type]
                own_group.append(len(moving) + len(envelopes))
                order.append(k)
            else:
                functions.append(op if len(op.terms) > 1 else op.terms[0].function)
                later.append(k)
        sums = [constant, *([term] for term in moving)]
        summed = lambda ops: [total([term.matrix for term in op], self.n, dtype) for op in ops]
        dense = not _stencil_pays(summed(sums), summed(plain), self.n, layout)
        self.terms = stacked(sums, self.n, dense, dtype)
        self.jumps = stacked(plain, self.n, dense, dtype)
        self.envelopes = tuple(term.envelope for term in moving)  # type: ignore[misc]
        self.jump_envelopes = tuple(envelopes)
        self.functions = tuple(term.function for term in h.terms if term.function is not None)
        self.jump_functions = tuple(functions)  # type: ignore[arg-type]
        self.groups, self.order = tuple(own_group), tuple(order + later)

    # --- what it is --------------------------------------------------------------------------------------------------

    @property
    def dtype(self) -> jnp.dtype:
        """Gives the complex type of its numbers."""
        return self.terms.dtype

    @property
    def is_constant(self) -> bool:
        """Returns True where no term depends on time."""
        return not (self.envelopes or self.jump_envelopes or self.functions or self.jump_functions)

    def gershgorin(self) -> tuple[Array, Array]:
        """Returns the diagonal of the constant H and the sums of the moduli beside it, (n,) each."""
        entries, values = self.terms.entries(), self.terms.values.reshape(-1)
        zeros = jnp.zeros(self.n, self.rates.dtype)
        on = entries.row == entries.column
        diagonal = zeros.at[entries.row[on]].add(values[entries.place[on]].real)
        return diagonal, zeros.at[entries.row[~on]].add(jnp.abs(values[entries.place[~on]]))

    @property
    def has_jumps(self) -> bool:
        """Returns True where anything dissipates, if only at rate 0."""
        return self.jumps.count > 0 or len(self.jump_functions) > 0

    @property
    def is_sum(self) -> bool:
        """Returns True where all terms are matrices times functions of time."""
        return not (self.functions or self.jump_functions)

    @property
    def is_modulated(self) -> bool:
        """Returns True where a matrix is multiplied by a function of time."""
        return bool(self.envelopes or self.jump_envelopes)

    def stops(self, ts: Array) -> Array | None:
        """Gives times at which steps must end, so that no pulse is stepped over; see `pulses`."""
        return None if self.is_constant else pulse_times(self.moving, ts, self.n)

    def moving(self, t: ArrayLike) -> Array:
        """Gives numbers that change where the equation does."""
        values = [jnp.asarray(f(t)).reshape(()) for f in (*self.envelopes, *self.jump_envelopes)]
        found = [value.real[None] for value in values]
        found += [value.imag[None] for value in values if jnp.iscomplexobj(value)]
        mixed = np.cos(np.arange(self.n**2, dtype=float)).reshape(self.n, self.n)
        for f in (*self.functions, *self.jump_functions):
            op = foreign.as_matrix("hamiltonian", f(t), self.n)
            found.append(jnp.stack([jnp.sum(mixed * op.real), jnp.sum(mixed * op.imag)]))
        return jnp.concatenate([part.astype(self.rates.dtype) for part in found])

    def hermiticity_error(self, ts: Array) -> float | None:
        """Gives the largest |H - H†| / |H| at three times of a run that depends on time; None for traced numbers."""
        if self.is_constant or is_traced(self, ts):
            return None
        try:
            return float(_hermiticity_error(self, ts))
        except jax.errors.ConcretizationTypeError:
            # A tracer that hides in a function.
            return None

    @property
    def has_operators(self) -> bool:
        return True

    def effective(self, t: ArrayLike = 0.0) -> Array:
        """Returns -i H - (1/2) sum_k r_k L_k† L_k at time t, (n, n)."""
        return self.ket_generator()(t, jnp.eye(self.n, dtype=self.dtype))

    def whole(self, t: ArrayLike = 0.0) -> Array:
        """Returns L(t) on vec(rho), each element written once."""
        n, one, between = self.n, jnp.eye(self.n, dtype=self.dtype), self.effective(t)
        outer = lambda a, b: (a[:, None, :, None] * b[None, :, None, :]).reshape(n * n, n * n)
        total = outer(between, one) + outer(one, between.conj())
        if not self.has_jumps:
            return total
        rates, jumps = self.jump_channels(t)
        gains = einsum("c,cik,cjl->ijkl", rates.astype(jumps.dtype), jumps, jumps.conj())
        return total + gains.reshape(n * n, n * n)

    def patterned(self, terms: Skeleton, jumps: Skeleton) -> Lindbladian:
        """Returns the same operators in the storage of a plan; what lies outside its patterns is left out."""
        if (self.terms.skeleton, self.jumps.skeleton) == (terms, jumps):
            return self
        families = self.terms.patterned(terms), self.jumps.patterned(jumps)
        return eqx.tree_at(lambda model: (model.terms, model.jumps), self, families)

    def outside(self, terms: Skeleton, jumps: Skeleton) -> ArrayLike:
        """Returns the largest element of an operator that lies outside the patterns of a plan."""
        if (self.terms.skeleton, self.jumps.skeleton) == (terms, jumps):
            return np.zeros((), self.rates.dtype)
        return jnp.maximum(self.terms.outside(terms), self.jumps.outside(jumps))

    @property
    def layout(self) -> str:
        """Says "dense" or "stencil"."""
        return "dense" if self.terms.is_dense else "stencil"

    @property
    def discontinuities(self) -> Sequence[Array]:
        """Gives the known edges of the envelopes and functions, a list of (K,) arrays."""
        found = []
        for f in (*self.envelopes, *self.jump_envelopes, *self.functions, *self.jump_functions):
            found += _edges(f)
        return found

    def hamiltonian(self, t: ArrayLike) -> Array:
        """Returns the dense Hamiltonian at time t, (n, n)."""
        c = self.coefficients(t)
        weights = jnp.ones(1, self.terms.dtype) if c is None else c[: self.terms.count]
        matrix = tensordot(weights, self.terms.dense(), 1)
        return matrix + self._summed(self.functions, t)

    def jump_channels(self, t: ArrayLike) -> tuple[Array, Array]:
        """Returns the rates (K,) and dense operators (K, n, n) at time t."""
        c, k = self.coefficients(t), self.jumps.count
        modulation = 1.0 if c is None else c[np.asarray(self.groups, int)].real
        operators = [self.jumps.dense(), *(self._evaluated(f, t)[None] for f in self.jump_functions)]
        return jnp.concatenate([self.rates[:k] * modulation, self.rates[k:]]), jnp.concatenate(operators)

    # --- dynamics ----------------------------------------------------------------------------------------------------

    def generator(self, y0: Array | None = None, *, hermitian: bool = False) -> Callable[[Any, Array, Any], Array]:
        """Makes the right-hand side, and once what does not depend on time; see `fields` for `hermitian`."""
        parts = self.parts()
        fixed = (parts.both(None), parts.left(None), parts.jumps(None)) if not self.is_modulated else None

        def field(t: ArrayLike, y: Array, args: PyTree = None) -> Array:
            if fixed is None:
                c = self.coefficients(t)
                both, left, jumps = parts.both(c), parts.left(c), parts.jumps(c)
            else:
                both, left, jumps = fixed
            if hermitian:
                y = hermitian_part(y)
                half = left(y) + jumps(y) / 2
                if self.functions or self.jump_functions:
                    half = half + self._functional(t, y) / 2
                return half + half.conj().T
            dy = both(y) + jumps(y)
            return dy + self._functional(t, y) if self.functions or self.jump_functions else dy

        return field

    def ket_generator(self) -> Callable[[Any, Array], Array]:
        """Gives psi -> (-i H - (1/2) sum_k r_k L_k† L_k) psi at time t, for psi (n, m): the motion between jumps."""
        parts = self.parts()

        def field(t: ArrayLike, psi: Array) -> Array:
            d = parts.ket(self.coefficients(t))(psi)
            if self.functions:
                d = d - 1j * matmul(self._summed(self.functions, t), psi)
            for rate, f in zip(self.rates[self.jumps.count :], self.jump_functions):
                op = self._evaluated(f, t)
                lost = matmul(op.conj().T, matmul(op, psi))
                d = d - 0.5 * rate * lost
            return d

        return field

    def parts(self) -> AbstractParts:
        """Makes A and the jumps, once for a run."""
        kind = DenseParts if self.terms.is_dense else StencilParts
        n_groups = 1 + len(self.envelopes) + len(self.jump_envelopes)
        return kind.build(self.terms, self.jumps, self.rates[: self.jumps.count], self.groups, n_groups)

    def coefficients(self, t: ArrayLike) -> Array | None:
        """Returns c_g(t): 1, the envelopes of H, |envelope|^2 of the jumps; None where no term is modulated."""
        if not self.is_modulated:
            return None
        dtype = self.terms.dtype
        found = [f(t) for f in self.envelopes] + [jnp.abs(jnp.asarray(f(t))) ** 2 for f in self.jump_envelopes]
        return jnp.stack([jnp.ones((), dtype), *(jnp.asarray(value, dtype).reshape(()) for value in found)])

    def _functional(self, t: ArrayLike, y: Array) -> Array:
        """Return the share of those operators that are functions of time."""
        h = self._summed(self.functions, t)
        loss = jnp.zeros_like(h)
        gain = jnp.zeros_like(y)
        for rate, f in zip(self.rates[self.jumps.count :], self.jump_functions):
            op = self._evaluated(f, t)
            loss = loss + rate * matmul(op.conj().T, op)
            moved = matmul(op, y)
            gain = gain + rate * matmul(moved, op.conj().T)
        a = -1j * h - loss / 2
        return matmul(a, y) + matmul(y, a.conj().T) + gain

    def _evaluated(self, f: Callable, t: ArrayLike) -> Array:
        return jnp.asarray(foreign.as_matrix("jump_ops", f(t), self.n), self.terms.dtype)

    def _summed(self, functions: tuple[Callable, ...], t: ArrayLike) -> Array:
        empty = jnp.zeros((self.n, self.n), self.terms.dtype)
        return sum((foreign.as_matrix("hamiltonian", f(t), self.n).astype(empty.dtype) for f in functions), empty)


def operators_of(generator: AbstractGenerator) -> Lindbladian:
    """Gives a generator that `has_operators`, with them: where a method that was found to fit goes on to use them."""
    if isinstance(generator, Lindbladian):
        return generator
    must = "Argument `generator` must be a jt.Lindbladian where it says that it has operators"
    raise ValueError(f"{must}, but got {type(generator).__name__}.")


@eqx.filter_jit
def _hermiticity_error(model: Lindbladian, ts: Array) -> Array:
    times = ts[0] + (ts[-1] - ts[0]) * jnp.array([0.0, 0.38, 1.0])
    h = jax.lax.map(model.hamiltonian, times)
    error = jnp.max(jnp.abs(h - h.conj().swapaxes(-1, -2)), (1, 2))
    return jnp.max(error / jnp.maximum(jnp.max(jnp.abs(h), (1, 2)), jnp.finfo(error.dtype).tiny))


def _stencil_pays(members: list, jumps: list, n: int, layout: str) -> bool:
    """Say whether shifted copies are fewer than the multiplications that dense products would do."""
    if layout != "auto":
        return layout == "stencil"
    if n < STENCIL_LEAST:
        return False
    counts = [diagonals_of(m) for m in jumps]
    copies = 2 * sum(diagonals_of(m) for m in members) + sum(k * k for k in counts) + sum(k * k for k in counts)
    kept = sum(k * k for k in counts) * n * n <= STENCIL_ELEMENTS
    return kept and STENCIL_COST * copies < (2 + 2 * len(jumps)) * n


def _rates(rates: Numbers, count: int) -> Array:
    found = real("rates", rates)
    require(found.shape == (count,), "rates", f"have shape ({count},), one for each jump operator", found.shape)
    known = concrete(found)
    good = known is None or bool(np.all(np.isfinite(known) & (known >= 0)))
    require(good, "rates", "be finite and >= 0", rates)
    return found


def _require_hermitian(h: Operator) -> None:
    for term in h.terms:
        if term.base is None or term.envelope is not None:
            continue
        if len(h.terms) > 1 or (known := _known(term.matrix)) is None:
            continue
        error, scale = np.max(np.abs(known - known.conj().T)), np.max(np.abs(known))
        good = error <= np.sqrt(np.finfo(known.dtype).eps) * max(scale, np.finfo(known.dtype).tiny)
        require(bool(good), "hamiltonian", "be Hermitian", f"a matrix with |H - H†| = {error:.1e}")


def _known(matrix: ArrayLike | Diagonals) -> np.ndarray | None:
    """Return the numbers of an operator where they are known, put together without compiled code."""
    if not isinstance(matrix, Diagonals):
        return concrete(matrix)
    values = concrete(matrix.values)
    return None if values is None else dataclasses.replace(matrix, values=values).dense()


@runtime_checkable
class KnowsEdges(Protocol):
    """Declares that a function of time says where it jumps."""

    discontinuities: ArrayLike


def _edges(f: object) -> list[Array]:
    """Find the discontinuities that a function of time, or one that it is made of, knows."""
    nodes = [f] if isinstance(f, KnowsEdges) else jax.tree.leaves(f, is_leaf=lambda node: isinstance(node, KnowsEdges))
    found = [node.discontinuities for node in nodes if isinstance(node, KnowsEdges)]
    # dynamiqs' name for the same.
    found += [f.discontinuity_ts] if isinstance(f, foreign.DynamiqsTime) and f.discontinuity_ts is not None else []
    return [jnp.atleast_1d(jnp.asarray(edges)) for edges in found]
