"""`counting_statistics` gives mean and noise of a weighted count of quantum jumps."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import finite, is_traced, precision_of, refused, require
from ..numerics import lapack
from ..numerics.hermitian import hermitian_part
from ..numerics.products import matmul, tensordot
from .lindbladian import Lindbladian
from .resolvent.linear import Kind, Resolvent, kind_of
from .steady import SEVERAL, steady_state

# Up to this many levels the generator is a dense matrix.
DENSE_LEVELS = 10


class CountingStatistics(eqx.Module):
    """Holds the long-time statistics of a count N of jumps; print it.

    Attributes:
        current: d<N>/dt [weight * frequency].
        noise: d Var N/dt [weight^2 * frequency], the two-sided noise at zero frequency; that of a Poisson process of
            weight 1 is its current.

    Example:
        >>> CountingStatistics(jnp.array(2.0), jnp.array(1.0))
        CountingStatistics(current 2, noise 1, fano 0.5)
    """

    current: Array
    noise: Array

    @property
    def fano(self) -> Array:
        """Gives noise / |current|."""
        return self.noise / jnp.abs(self.current)

    @property
    def precision(self) -> str:
        """Says "single" or "double": of the numbers that were computed with."""
        return precision_of(self.current)

    def __repr__(self) -> str:
        if is_traced(self.current, self.noise):
            return "CountingStatistics(traced)"
        named = {"current": self.current, "noise": self.noise, "fano": self.fano}
        shown = [f"{name} {np.array2string(np.asarray(v), precision=6, threshold=8)}" for name, v in named.items()]
        if np.ndim(self.current) == 0:
            shown = [f"{name} {float(v):.6g}" for name, v in named.items()]
        if self.precision == "single":
            shown.append("single precision")
        return f"CountingStatistics({', '.join(shown)})"


def counting_statistics(lindbladian: object, weights: ArrayLike | Sequence) -> CountingStatistics:
    r"""Gives current, noise and Fano factor of N(t), the sum of weights w_k of the jumps so far, in the steady state.

        current = Tr J rho,   noise = Tr J2 rho - 2 Tr[J L^D (J rho - current rho)],   L^D the Drazin inverse,
        J rho = sum_k w_k r_k L_k rho L_k†,   J2 with w_k^2: the first two derivatives of the leading eigenvalue of

    L + sum_k (e^(xi w_k) - 1) r_k L_k . L_k† at xi = 0. Two linear solves with L, dense for a few levels.

    Arguments:
        lindbladian: a `Lindbladian` that does not depend on time, with one steady state.
        weights: (K,) real, one for each jump operator in the order given: 1 or -1 for quanta in and out of a bath,
            their energies for heat, 0 for jumps that are not counted.

    Returns:
        CountingStatistics: `.current`, `.noise`, `.fano`. jax.grad, jax.jvp and jax.vmap work.

    Raises:
        ValueError: naming the argument, its value and the remedy; or several steady states.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> dot = jt.Lindbladian(jnp.zeros((2, 2)), [lower.T, lower], rates=[1.0, 3.0])     # in at 1, out at 3
        >>> r = counting_statistics(dot, [0.0, 1.0])
        >>> [round(float(x), 4) for x in (r.current, r.fano)]                                # (1 + 9)/16
        [0.75, 0.625]

    Source: L. Mandel, Opt. Lett. 4, 205 (1979); J. H. Davies et al., Phys. Rev. B 46, 9620 (1992); C. Flindt, thesis
    (DTU, 2007).
    """
    if not isinstance(lindbladian, Lindbladian):
        kind = type(lindbladian).__name__
        raise ValueError(f"Argument `lindbladian` must be a Lindbladian, whose jumps are counted, but got {kind}.")
    remedy = "Average over a period, or count jumps of trajectories."
    require(lindbladian.is_constant, "lindbladian", "not depend on time", "time-dependent terms", remedy)
    given = finite("weights", weights)
    count = len(lindbladian.order)
    require(given.shape == (count,), "weights", f"have shape ({count},), one for each jump operator", given.shape)
    found = several_counts(lindbladian, given[None])
    return CountingStatistics(found.current[0], found.noise[0])


def several_counts(lindbladian: Lindbladian, weights: Array) -> CountingStatistics:
    """Does what `counting_statistics` does, for weights (R, K): R counts, by one steady state and one factorization."""
    rows = weights[:, np.asarray(lindbladian.order, int)] if lindbladian.order else weights
    if lindbladian.n > DENSE_LEVELS:
        resolved = kind_of(lindbladian, "auto", hermitian=True)
        return CountingStatistics(*_count(lindbladian, rows, steady_state(lindbladian), resolved))
    rho, isolation = _dense_rest(lindbladian)
    several = ~(isolation > 20 * lindbladian.n * float(jnp.finfo(lindbladian.dtype).eps))
    return CountingStatistics(*_count(lindbladian, rows, refused(rho, several, SEVERAL), None))


@eqx.filter_jit
def _count(model: Lindbladian, weights: Array, rho: Array, kind: Kind | None) -> tuple[Array, Array]:
    rates, operators = model.jump_channels(0.0)
    moved = matmul(matmul(operators, rho), operators.conj().mT)
    # Tr J x = Tr Q x.
    lost = matmul(operators.conj().mT, operators)
    weighted = lambda powers, what: tensordot((powers * rates).astype(rho.dtype), what, 1)
    q = weighted(weights, lost)
    trace = lambda a, b: jnp.sum(a * b.mT, axis=(-2, -1)).real
    current, second = trace(q, rho), trace(weighted(weights**2, lost), rho)
    sources = weighted(weights, moved) - current[:, None, None] * rho
    # M x = -L x + m Tr(x)/n on a source without trace: x = -L^D source. One factorization serves all rows.
    if kind is None:
        x = lapack.solve(_dense_matrix(model)[0], sources.reshape(len(sources), -1).T).T.reshape(sources.shape)
    else:
        x = kind.where_it_runs(lambda chosen: jax.lax.map(Resolvent.build(model, chosen).solve, sources))
    return current, second + 2 * trace(q, x)


def _dense_matrix(model: Lindbladian) -> tuple[Array, Array]:
    """Return M = -L + m |1><1|/n, regular where the steady state is unique, and m, a typical rate."""
    matrix = model.matrix()
    one = jnp.eye(model.n, dtype=matrix.dtype).reshape(-1)
    scale = jnp.linalg.norm(jax.lax.stop_gradient(matrix)) / model.n
    scale = jnp.where(scale > 0, scale, 1.0)
    return scale * jnp.outer(one, one) / model.n - matrix, scale


def _dense_solve(matrix: Array, rhs: Array) -> Array:
    return lapack.solve(matrix, rhs.reshape(-1)).reshape(rhs.shape)


@eqx.filter_jit
def _dense_rest(model: Lindbladian) -> tuple[Array, Array]:
    """Return the steady state, and the smallest singular value of M over m."""
    matrix, scale = _dense_matrix(model)
    rho = hermitian_part(_dense_solve(matrix, scale / model.n * jnp.eye(model.n, dtype=matrix.dtype)))
    isolation = lapack.svdvals(jax.lax.stop_gradient(matrix))[-1] / scale
    return rho / jnp.trace(rho).real, isolation
