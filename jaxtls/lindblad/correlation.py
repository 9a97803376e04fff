"""Computes two-time correlations by the regression theorem."""

from __future__ import annotations

from typing import Unpack

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import concrete, finite, refused, require
from ..dynamics.evolve import evolve
from ..dynamics.options import EvolveOptions, known_options
from ..numerics.products import matmul
from ..quantum import to_density_matrix
from ..quantum._arrays import trace_product
from . import foreign
from .equation import MasterEquation
from .generator import AbstractGenerator
from .measured import Measured
from .operators import OperatorLike, StateLike, TimesLike, constant_matrix


def correlation(
    lindbladian: object,
    rho: StateLike,
    a: OperatorLike,
    b: OperatorLike,
    taus: TimesLike,
    *,
    c: OperatorLike | None = None,
    t: ArrayLike = 0.0,
    discontinuities: TimesLike | None = None,
    **evolve_options: Unpack[EvolveOptions],
) -> Array:
    r"""Returns the correlation function of two operators, or of three, V the propagator of the equation.

        <A(t + tau) B(t)> = Tr[A V(t + tau, t)(B rho)],   <C(t) A(t + tau) B(t)> = Tr[A V(t + tau, t)(B rho C)]

    With A = s+ s-, B = s-, C = s+ the latter, over <s+ s->^2, is the intensity correlation g2(tau) of a qubit's light.

    Arguments:
        lindbladian: the equation; it may depend on time.
        rho: (n, n) state or (n,) ket at time t; the steady state gives the stationary correlation.
        a, b: (n, n) operators A and B.
        taus: (T,) ascending delays >= 0 [1/frequency].
        c: (n, n) operator C that stands to the left, at the earlier time; none by default.
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
        >>> driven = jt.Lindbladian(jnp.array([[0.0, 1.0], [1.0, 0.0]]), [lower])
        >>> rho, light = jt.steady_state(driven), lower.T @ lower
        >>> g2 = correlation(driven, rho, light, lower, jnp.array([0.0, 30.0]), c=lower.T) / rho[0, 0] ** 2
        >>> [round(abs(float(g)), 4) for g in g2.real]                    # one photon at a time; later independent
        [0.0, 1.0]

    Source: M. Lax, Phys. Rev. 129, 2342 (1963); R. J. Glauber, Phys. Rev. 130, 2529 (1963) (g2).
    """
    good = isinstance(lindbladian, AbstractGenerator)
    require(good, "lindbladian", "be a generator", type(lindbladian).__name__)
    assert isinstance(lindbladian, AbstractGenerator)
    rho, (a, b) = _state(rho, lindbladian), _operators(lindbladian.n, a=a, b=b)
    start = matmul(b, rho)
    if c is not None:
        start = matmul(start, *_operators(lindbladian.n, c=c))
    delays = finite("taus", taus)
    require(delays.ndim == 1 and delays.shape[0] >= 1, "taus", "be one-dimensional", f"shape {delays.shape}")
    known = concrete(delays)
    good = known is None or bool(np.all(known >= 0) and np.all(np.diff(known) > 0))
    require(good, "taus", "be ascending and >= 0", taus, "Negative delays: <A(-tau) B> = conj <B†(tau) A†> at rest.")
    # Traced delays are taken to start at 0 or later; a step of no length is harmless only where it is known.
    lead = known is not None and (known[0] > 0)
    later = jnp.concatenate([jnp.zeros(1, delays.dtype), delays]) if lead else delays
    if later.shape[0] == 1:
        return trace_product(a, start)[None]
    ts = later + jnp.asarray(t, delays.dtype)
    measured = Measured.read("a", [a], lindbladian.n)
    equation = MasterEquation(lindbladian, measured, jnp.trace(start), False, False)
    single = np.finfo(np.dtype(start.dtype)).eps > 1e-10
    tight: EvolveOptions = {"rtol": 1e-5 if single else 1e-8, "atol": 1e-7 if single else 1e-10}
    options: EvolveOptions = {**tight, **known_options(evolve_options)}
    sol = evolve(equation, start, ts, observables=["expects"], discontinuities=discontinuities, **options)
    lacking = sol.diagnostics.get("pattern_error", 0.0) > sol.limits.get("pattern_error", np.inf)
    found = refused(sol.observables["expects"], lacking, "The plan has no place for B rho: plan at that state.")
    return found[1 if lead else 0 :, 0]


def _state(rho: object, lindbladian: AbstractGenerator) -> Array:
    found = to_density_matrix(foreign.as_state("rho", rho, lindbladian.n))
    return found.astype(jnp.result_type(found.dtype, lindbladian.dtype))


def _operators(n: int, **given: OperatorLike) -> list[Array]:
    return [jnp.asarray(constant_matrix(name, op, n)) for name, op in given.items()]
