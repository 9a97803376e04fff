"""`BlochRedfield` is weak coupling to baths that are given by their spectra."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import concrete, in_transformation, is_traced, require
from ..dynamics.model import VectorField
from ..numerics import lapack
from ..numerics.hermitian import hermitian_part
from ..numerics.products import matmul
from . import foreign
from .generator import AbstractGenerator
from .operators import Operator, constant_matrix
from .secular import AbstractRelaxation, WholeRelaxation, secular_relaxation
from .transitions import Numbers, frequencies, levels, weighted

# Up to this many frequencies a function is called with plain floats, before it is asked for arrays.
FLOATS = 64
# What a function says that cannot work on arrays.
UNTRACEABLE = (TypeError, ValueError, AttributeError)
# A negative eigenvalue of a state that is worth a warning.
NEGATIVE = -1e-6


class BlochRedfield(AbstractGenerator):
    r"""Couples a system with Hamiltonian H weakly by A_k (x) B_k to independent baths; hbar = 1, no Lamb shift.

        d rho/dt = -i [H, rho] - sum_k [A_k, X_k rho - rho X_k†],   (X_k)_ab = (A_k)_ab S_k(e_b - e_a)/2

    in the eigenbasis of H, S_k(w) = int <B_k(t) B_k(0)> e^(iwt) dt: the golden rule's rate from c to a is
    |A_ac|^2 S(e_c - e_a), S(w > 0) for energy given to the bath; thermal baths have S(-w) = S(w) e^(-w/T). The form
    holds for complex A and H in any basis. With one bath the Gibbs state is exactly at rest.

    The whole equation may make a state slightly negative: `diagnostics` names its smallest eigenvalue. With
    `secular="full"` it is Davies', completely positive. There, coincidences of frequencies are kept together to 1e-9 of
    the width of the spectrum, and derivatives are those at which no level parts from an equal one.

    Arguments:
        hamiltonian: (n, n) Hermitian and constant [frequency]: an array, an `Operator` or a QuTiP `Qobj`.
        couplings: list of pairs (A, S): A (n, n) Hermitian, S a function of one real number -> [frequency], >= 0. It is
            called with Python floats where everything is known (any function will do) and traced by JAX otherwise;
            where H is differentiated it must be smooth, at 0 too where levels are equal.
        secular: None keeps all elements; a number keeps rho_cd -> rho_ab where |w_ab - w_cd| is at most that
            [frequency]; "full" is 0. (QuTiP's `sec_cutoff` is that number over the smallest gap.)

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> bath = lambda w: 0.1 * w / (1 - jnp.exp(-w / 0.5)) if w else 0.05       # Ohmic, at temperature 0.5
        >>> G = BlochRedfield(jnp.diag(jnp.array([0.5, -0.5])), [(jnp.array([[0, 1], [1, 0]]), bath)])
        >>> gibbs = jnp.diag(jnp.exp(jnp.array([-1.0, 1.0])) / (2 * jnp.cosh(1.0)))
        >>> bool(jnp.max(jnp.abs(G.apply(gibbs))) < 1e-6)
        True

    Source: A. G. Redfield, Adv. Magn. Reson. 1, 1 (1965); E. B. Davies, Commun. Math. Phys. 39, 91 (1974); H.-P.
    Breuer and F. Petruccione, The Theory of Open Quantum Systems, ch. 3. Derivatives at equal levels are ours
    (`lindblad.transitions`).
    """

    hamiltonian: Array
    operators: Array
    relaxation: AbstractRelaxation
    cutoff: Array | None
    n: int = eqx.field(static=True)
    is_constant: bool = eqx.field(static=True)

    def __init__(
        self,
        hamiltonian: object,
        couplings: object,
        secular: object = None,
    ):
        h = _hermitian("hamiltonian", hamiltonian)
        self.n, self.is_constant = int(h.shape[0]), True
        baths = _pairs(couplings, self.n)
        cutoff = _cutoff(secular)
        dtype = jnp.result_type(h.dtype, *(a.dtype for a, _ in baths))
        known = concrete(h)
        vectors, blocks = levels(jnp.asarray(h, dtype)) if known is None else _known_levels(known.astype(dtype))
        turned = [matmul(matmul(vectors.conj().T, jnp.asarray(a, dtype)), vectors) for a, _ in baths]
        parts = [_weighted(k, s, blocks, a, known is not None) / 2 for k, ((_, s), a) in enumerate(zip(baths, turned))]
        empty = jnp.zeros((0, self.n, self.n), dtype)
        stack = lambda found: jnp.stack([jnp.asarray(m, dtype) for m in found]) if found else empty
        self.hamiltonian, self.operators = jnp.asarray(h, dtype), stack([a for a, _ in baths])
        self.cutoff = None if cutoff is None else jnp.asarray(cutoff)
        if cutoff is None:
            back = matmul(matmul(vectors, stack(parts)), vectors.conj().T)
            self.relaxation = WholeRelaxation(self.operators, back)
        else:
            energies = np.diagonal(blocks).real if known is not None else jnp.diagonal(blocks).real
            self.relaxation = secular_relaxation(jnp.asarray(vectors), energies, stack(turned), stack(parts), cutoff)

    @property
    def dtype(self) -> jnp.dtype:
        """Gives the complex type of its numbers."""
        return self.hamiltonian.dtype

    def generator(self, y0: Array | None = None, *, hermitian: bool = False) -> VectorField:
        """Returns t, rho, args -> L rho for any (n, n) matrix."""

        def field(t: ArrayLike, rho: Array, args: None = None) -> Array:
            turn = matmul(self.hamiltonian, rho) - matmul(rho, self.hamiltonian)
            return -1j * turn + self.relaxation(rho)

        return field

    def diagnostics(self, rho: Array) -> dict[str, Array]:
        """Gives `smallest_eigenvalue` of a Hermitian state, not below 0 for a positive one; not differentiated."""
        fixed = jax.lax.stop_gradient(hermitian_part(rho))
        return {"smallest_eigenvalue": lapack.eigvalsh(fixed)[0]}

    @property
    def diagnostic_limits(self) -> dict[str, float]:
        return {"smallest_eigenvalue": NEGATIVE}

    def __repr__(self) -> str:
        kept = "all elements" if self.cutoff is None else f"elements within {self.cutoff}"
        return f"BlochRedfield({self.n} levels, {self.operators.shape[0]} baths, {kept})"


def _hermitian(name: str, value: object, n: int | None = None) -> Numbers:
    """Read a constant Hermitian matrix, NumPy's where known."""
    remedy = "Bloch-Redfield equations are built in the eigenbasis of a constant H."
    plain = isinstance(value, Operator) or not foreign.is_callable(value)
    require(plain, name, "be a constant matrix", "a function of time", remedy)
    matrix = constant_matrix(name, value, n)
    known = concrete(matrix)
    if known is not None:
        error, scale = np.max(np.abs(known - known.conj().T)), np.max(np.abs(known))
        good = error <= np.sqrt(np.finfo(known.dtype).eps) * scale
        require(bool(good), name, "be Hermitian", f"a matrix with |M - M†| = {error:.1e}")
        matrix = hermitian_part(known)
    return matrix


def _pairs(couplings: object, n: int) -> list[tuple[Numbers, Callable]]:
    if not isinstance(couplings, list | tuple):
        kind = type(couplings).__name__
        raise ValueError(f"Argument `couplings` must be a list of pairs (A, spectrum), but got {kind}.")
    found = []
    for k, pair in enumerate(couplings):
        name = f"couplings[{k}]"
        good = isinstance(pair, list | tuple) and len(pair) == 2
        require(good, name, "be a pair (A, spectrum)", type(pair).__name__)
        a = _hermitian(f"{name}[0]", pair[0], n)
        remedy = "Write a constant spectrum as lambda w: 0.3."
        require(foreign.is_callable(pair[1]), f"{name}[1]", "be a function of the frequency", repr(pair[1]), remedy)
        found.append((a, pair[1]))
    return found


def _cutoff(secular: object) -> Numbers | None:
    """Return the absolute cutoff; None keeps all."""
    if secular is None:
        return None
    must = 'be None, "full", or a frequency >= 0'
    if isinstance(secular, str):
        require(secular == "full", "secular", must, repr(secular))
        return np.zeros(())
    if isinstance(secular, bool) or not isinstance(secular, int | float | np.number | jax.Array | np.ndarray):
        raise ValueError(f"Argument `secular` must {must}, but got {secular!r}.")
    known = concrete(secular)
    if known is None:
        return jnp.asarray(secular)
    good = known.ndim == 0 and known.dtype.kind in "iuf" and bool(np.isfinite(known) & (known >= 0))
    require(good, "secular", must, secular)
    return known


def _known_levels(hamiltonian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find `levels` of known numbers, which stay known inside jit."""
    energies, vectors = np.linalg.eigh(hamiltonian)
    return vectors, np.diag(energies).astype(vectors.dtype)


def _weighted(k: int, spectrum: Callable, blocks: Numbers, matrix: Numbers, known: bool) -> Array:
    """Return A_ab S(e_b - e_a)."""
    name = f"couplings[{k}][1]"
    if known:
        with jax.ensure_compile_time_eval():
            released = np.asarray(frequencies(np.diagonal(blocks).real))
        return jnp.asarray(_evaluated(name, spectrum, released) * matrix)
    try:
        return weighted(spectrum, jnp.asarray(blocks), jnp.asarray(matrix))
    except UNTRACEABLE as error:
        raise ValueError(_untraceable(name)) from error


def _evaluated(name: str, spectrum: Callable, released: np.ndarray) -> Numbers:
    """Evaluate S at known frequencies: by plain floats where that is quick or needed, else all at a time."""
    distinct, where = np.unique(released, return_inverse=True)
    try:
        # A function that holds traced numbers is evaluated once, not once a frequency.
        if in_transformation() or len(distinct) > FLOATS:
            with suppress(*UNTRACEABLE):
                values = jax.vmap(lambda w: jnp.asarray(spectrum(w)).reshape(()))(jnp.asarray(distinct))
                return _checked(name, values)[where].reshape(released.shape)
        found = [spectrum(float(w)) for w in distinct]
    except UNTRACEABLE as error:
        if not in_transformation():
            raise
        raise ValueError(_untraceable(name)) from error
    listed = jnp.stack([jnp.asarray(v) for v in found]) if is_traced(found) else np.asarray(found)
    return _checked(name, listed)[where].reshape(released.shape)


def _checked(name: str, values: Numbers) -> Numbers:
    require(values.ndim == 1 and values.dtype.kind in "iuf", name, "return a real number", f"shape {values.shape[1:]}")
    known = concrete(values)
    if known is not None:
        bad = ~(np.isfinite(known) & (known >= 0))
        require(not bad.any(), name, "be finite and >= 0 at each transition frequency", f"{known[bad][:3]}")
    return values


def _untraceable(name: str) -> str:
    return (
        f"Argument `{name}` must be a function that JAX can trace where the Hamiltonian or its own numbers are being "
        "traced (jit, grad, vmap), but it is not: write it with jax.numpy and jnp.where in place of math and if."
    )
