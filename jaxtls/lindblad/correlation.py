"""Two-time correlations by the regression theorem, and their spectra without a time grid."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._checks import concrete, finite, require
from ..dynamics.evolve import evolve
from ..quantum import dag, to_density_matrix
from ..quantum._arrays import trace_product
from . import foreign
from .equation import MasterEquation
from .generator import AbstractGenerator
from .lindbladian import Lindbladian
from .measured import Measured
from .mesolve import known_edges, stack_operators
from .resolvent.linear import Resolvent, kind_of
from .rhs.fields import HIGHEST
from .steady import require_constant

# Frequencies solved side by side.
BATCH = 8


def correlation(
    lindbladian: Any,
    rho: Any,
    a: Any,
    b: Any,
    taus: Any,
    *,
    t: Any = 0.0,
    discontinuities: Any = None,
    **evolve_options: Any,
) -> Array:
    r"""Correlation function <A(t + tau) B(t)> = Tr[A V(t + tau, t)(B rho)], V the propagator of the equation.

    Arguments:
        lindbladian: the equation; it may depend on time.
        rho: (n, n) state or (n,) ket at time t; the steady state gives the stationary correlation.
        a, b: (n, n) operators A and B.
        taus: (T,) ascending delays >= 0 [1/frequency].
        t: the earlier time, for equations that depend on time.
        discontinuities: times t' (not delays), as in `mesolve`.
        **evolve_options: as in `evolve`; rtol is 1e-8 and atol 1e-10 by default (1e-5 and 1e-7 in single precision).

    Returns:
        (T,) complex.

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> L = jt.Lindbladian(jnp.zeros((2, 2)), [lower])
        >>> C = correlation(L, jnp.array([1.0, 0.0]), lower.T, lower, jnp.array([0.0, 2.0]))
        >>> [round(float(c), 4) for c in C.real]
        [1.0, 0.3679]

    Source: M. Lax, Phys. Rev. 129, 2342 (1963).
    """
    good = isinstance(lindbladian, AbstractGenerator)
    require(good, "lindbladian", "be a generator", type(lindbladian).__name__)
    rho, (a, b) = _state(rho, lindbladian), _operators(a, b, lindbladian.n)
    delays = finite("taus", taus)
    require(delays.ndim == 1 and delays.shape[0] >= 1, "taus", "be one-dimensional", f"shape {delays.shape}")
    known = concrete(delays)
    good = known is None or bool(np.all(known >= 0) and np.all(np.diff(known) > 0))
    require(good, "taus", "be ascending and >= 0", taus, "Negative delays: <A(-tau) B> = conj <B†(tau) A†> at rest.")
    # Traced delays are taken to start at 0 or later; a step of no length is harmless only where it is known.
    lead = known is not None and (known[0] > 0)
    later = jnp.concatenate([jnp.zeros(1, delays.dtype), delays]) if lead else delays
    if later.shape[0] == 1:
        return trace_product(a, jnp.matmul(b, rho, precision=HIGHEST))[None]
    ts = later + jnp.asarray(t, delays.dtype)
    start = jnp.matmul(b, rho, precision=HIGHEST)
    measured = Measured.read("a", [a], lindbladian.n)
    equation = MasterEquation(lindbladian, measured, jnp.trace(start), False)
    single = np.finfo(np.dtype(start.dtype)).eps > 1e-10
    options = {"rtol": 1e-5 if single else 1e-8, "atol": 1e-7 if single else 1e-10, **evolve_options}
    edges = known_edges(lindbladian, discontinuities, ts)
    sol = evolve(equation, start, ts, observables=["expects"], discontinuities=edges, **options)
    return sol.observables["expects"][1 if lead else 0 :, 0]


def spectrum(lindbladian: Any, rho: Any, a: Any, b: Any, omegas: Any, *, method: str = "auto") -> Array:
    r"""Spectrum of the fluctuations of A and B at rest, by one linear equation a frequency.

        S(omega) = int C(tau) e^{-i omega tau} dtau over all tau,   C(tau) = <A(tau) B(0)> - <A><B>

    With X the solution of (i omega - L) X = B rho - <B> rho, the delays tau > 0 give Tr(A X), those below 0 the
    conjugate of the same with B† and A†. For B = A†, S = 2 Re Tr(A X) is the power spectrum; for other pairs S is
    complex and its real part is returned.

    Arguments:
        lindbladian: an equation that does not depend on time.
        rho: its steady state, (n, n).
        a, b: (n, n) operators A and B.
        omegas: (W,) or scalar angular frequencies, real.
        method: as in `steady_state`.

    Returns:
        S: real, of the shape of `omegas` [1/frequency]; QuTiP's sign: <s+(tau) s-(0)> peaks at +omega_0.

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> L = jt.Lindbladian(jnp.diag(jnp.array([1.0, -1.0])), [lower, lower.T], rates=[1.5, 0.5])
        >>> S = spectrum(L, jt.steady_state(L), lower.T, lower, jnp.array([2.0, -2.0]))
        >>> [round(float(s), 4) for s in S]
        [0.5, 0.0294]

    Source: H. J. Carmichael, Statistical Methods in Quantum Optics 1, section 1.5.
    """
    require_constant(lindbladian, "lindbladian")
    rho, (a, b) = _state(rho, lindbladian), _operators(a, b, lindbladian.n)
    frequencies = finite("omegas", omegas)
    resolvent = Resolvent.build(lindbladian, kind_of(lindbladian, method))
    found = _one_sided(resolvent, rho, a, b, frequencies.reshape(-1))
    known_a, known_b = concrete(a), concrete(b)
    if known_a is not None and known_b is not None and np.array_equal(known_b, known_a.conj().T):
        total = 2 * found.real
    else:
        total = (found + _one_sided(resolvent, rho, dag(b), dag(a), frequencies.reshape(-1)).conj()).real
    return total.reshape(frequencies.shape)


@jax.jit
def _one_sided(resolvent: Resolvent, rho: Array, a: Array, b: Array, omegas: Array) -> Array:
    """int_0^inf (<A(tau) B> - <A><B>) e^{-i omega tau} dtau."""
    start = jnp.matmul(b, rho, precision=HIGHEST)
    start = start - jnp.trace(start) * rho
    solve = lambda omega: trace_product(a, resolvent.solve(start, 1j * omega))
    # Padded to whole batches: a last one of another size would run beside the others, and LU factorisations side by
    # side have been seen to wait for each other for ever (JAX 0.10.2, two cores).
    count = omegas.shape[0]
    padded = jnp.pad(omegas, (0, -count % min(BATCH, max(count, 1))), mode="edge")
    return jax.lax.map(solve, padded, batch_size=BATCH)[:count]


def _state(rho: Any, lindbladian: Lindbladian) -> Array:
    found = to_density_matrix(foreign.as_state("rho", rho, lindbladian.n))
    return found.astype(jnp.result_type(found.dtype, lindbladian.dtype))


def _operators(a: Any, b: Any, n: int) -> tuple[Array, Array]:
    return stack_operators("a", [a], n)[0], stack_operators("b", [b], n)[0]
