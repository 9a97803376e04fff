"""`spectrum` says what an equation at rest radiates and absorbs, without a time grid."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._checks import concrete, finite, require
from ..numerics.products import matmul
from ..quantum import dag, to_density_matrix
from ..quantum._arrays import trace_product
from . import foreign
from .generator import AbstractGenerator
from .operators import OperatorLike, StateLike, TimesLike, constant_matrix
from .resolvent.linear import Kind, Resolvent, kind_of
from .steady import METHODS, require_constant

# Frequencies solved side by side.
BATCH = 8
# |L rho| over a typical rate above which rho is said to move, over the square root of the precision.
MOVES = 100
# Corrections of a solution with damped factors.
CORRECTIONS = 2


def spectrum(
    lindbladian: AbstractGenerator,
    rho: StateLike,
    a: OperatorLike,
    b: OperatorLike,
    omegas: TimesLike,
    *,
    method: str = "auto",
) -> Array:
    r"""Gives the spectrum of the fluctuations of A and B at rest, by one linear equation a frequency.

        S(omega) = int C(tau) e^{-i omega tau} dtau over all tau,   C(tau) = <A(tau) B(0)> - <A><B>

    With X the solution of (i omega - L) X = B rho - <B> rho, the delays tau > 0 give Tr(A X), those below 0 the
    conjugate of the same with B† and A†. For B = A†, S = 2 Re Tr(A X) is the power spectrum; for other pairs S is
    complex and its real part is returned.

    Coherences that nothing damps, of an idle level or subsystem, do no harm where A or B does not see them. One that
    both see is a line without width, C(tau) oscillates for ever: it is drawn with a width of 1e-8 of the typical rate.

    Arguments:
        lindbladian: a `Lindbladian` or another `AbstractGenerator` that does not depend on time.
        rho: a state at rest, (n, n): the steady state, or one of them.
        a, b: (n, n) operators A and B.
        omegas: (W,) or scalar angular frequencies, real.
        method: as in `steady_state`.

    Returns:
        S: real, of the shape of `omegas` [1/frequency]; QuTiP's sign: <s+(tau) s-(0)> peaks at +omega_0.

    Raises:
        ValueError: naming the argument, its value and the remedy; where numbers are known, also if `rho` moves.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> L = jt.Lindbladian(jnp.diag(jnp.array([1.0, -1.0])), [lower, lower.T], rates=[1.5, 0.5])
        >>> S = jt.spectrum(L, jt.steady_state(L), lower.T, lower, jnp.array([2.0, -2.0]))
        >>> [round(float(s), 4) for s in S]
        [0.5, 0.0294]

    Source: H. J. Carmichael, Statistical Methods in Quantum Optics 1, section 1.5.
    """
    require_constant(lindbladian, "lindbladian")
    require(method in METHODS, "method", f"be one of {METHODS}", repr(method))
    n, dtype = lindbladian.n, lindbladian.dtype
    state = to_density_matrix(foreign.as_state("rho", rho, n)).astype(dtype)
    first, second = (_operator(name, op, n, dtype) for name, op in (("a", a), ("b", b)))
    frequencies = finite("omegas", omegas)
    resolvent = Resolvent.build(lindbladian, kind_of(lindbladian, method, hermitian=False))
    _require_rest(resolvent, state)
    waves = frequencies.reshape(-1)
    found = _one_sided(resolvent, state, first, second, waves)
    known_a, known_b = concrete(first), concrete(second)
    if known_a is not None and known_b is not None and np.array_equal(known_b, known_a.conj().T):
        total = 2 * found.real
    else:
        total = (found + _one_sided(resolvent, state, dag(second), dag(first), waves).conj()).real
    return total.reshape(frequencies.shape)


@jax.jit
def _one_sided(resolvent: Resolvent, rho: Array, a: Array, b: Array, omegas: Array) -> Array:
    """Integrate (<A(tau) B> - <A><B>) e^{-i omega tau} over tau from 0 on."""
    start = matmul(b, rho)
    start = start - jnp.trace(start) * rho
    floor = float(jnp.finfo(start.dtype).eps) ** 0.5
    # Plain corrections, no minimal residual: what only A or only B sees of an undamped coherence stays out of Tr(A X).
    # Padded to whole batches, so that one program serves them all and none runs beside another.
    count = omegas.shape[0]
    padded = jnp.pad(omegas, (0, -count % min(BATCH, max(count, 1))), mode="edge")

    def by(kind: Kind) -> Array:
        chosen = dataclasses.replace(resolvent, kind=kind)
        solve = lambda omega: trace_product(a, chosen.solve(start, 1j * omega, floor=floor, steps=CORRECTIONS))
        return jax.lax.map(solve, padded, batch_size=BATCH)

    return resolvent.kind.where_it_runs(by)[:count]


def _require_rest(resolvent: Resolvent, rho: Array) -> None:
    """Refuse a state that moves, where that is known."""
    known = concrete(_motion(resolvent, rho))
    if known is None:
        return
    limit = MOVES * float(np.finfo(known.dtype).eps) ** 0.5
    require(
        bool(np.all(known <= limit)),
        "rho",
        "be at rest, L rho = 0",
        f"a state with |L rho| = {float(np.max(known)):.2g} of a typical rate",
        "Use jt.steady_state(lindbladian), or correlation for a state that moves.",
    )


@jax.jit
def _motion(resolvent: Resolvent, rho: Array) -> Array:
    return jnp.linalg.norm(resolvent.model.generator()(0.0, rho, None)) / resolvent.scale


def _operator(name: str, op: OperatorLike, n: int, dtype: jnp.dtype) -> Array:
    return jnp.asarray(constant_matrix(name, op, n)).astype(dtype)
