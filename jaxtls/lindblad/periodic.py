"""`periodic_steady_state` finds the limit cycle of an equation that is driven periodically."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from .._checks import concrete, positive, refused, require, size
from ..dynamics.rule import Kind, ruled
from ..numerics import lapack, magnus
from ..numerics.hermitian import hermitian_part
from ..numerics.products import matmul
from .generator import AbstractGenerator
from .lindbladian import Lindbladian, operators_of
from .methods import affine
from .methods.magnus import fits
from .propagator import propagator

SEVERAL = (
    "periodic_steady_state found no unique cycle: the map of one period keeps several states, or approaches one more "
    "slowly than the precision can tell. A conserved quantity splits them; add the jump that breaks it, or lower rtol."
)
UNFINISHED = (
    "periodic_steady_state did not finish: it ran out of steps or met a number that is not finite (NaN or infinite). "
    "Raise max_steps, loosen rtol, or look at the functions of time."
)
# Intervals of a period, for the numbers of levels that are moved in all of them side by side.
INTERVALS = {2: 96, 3: 64, 4: 48}
# Times at which the equation is compared with itself one period later.
PROBES = 7


def periodic_steady_state(
    generator: AbstractGenerator,
    period: ArrayLike | Sequence,
    *,
    n_times: int = 64,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    max_steps: int | None = None,
    discontinuities: ArrayLike | None = None,
) -> Array:
    r"""Finds the state to which a periodically driven equation settles, over one period.

        rho(t + T) = rho(t):   rho(0) = V(T, 0) rho(0),  Tr rho = 1,   rho(t) = V(t, 0) rho(0)

    Derivatives are those of the implicit function theorem, (1 - V) d rho = dV rho: one linear solve.

    Arguments:
        generator: a `Lindbladian` or another `AbstractGenerator`; its map of one period is an (n^2, n^2) matrix.
        period: T > 0 [1/frequency].
        n_times: how many times of the period are returned.
        rtol, atol, max_steps, discontinuities: as in `propagator`; discontinuities lie in [0, T).

    Returns:
        (n_times, n, n) density matrices at t_k = k T/n_times, k = 0 .. n_times - 1; t = 0 is that of the functions.
        Copies of the steady state for a constant equation.

    Raises:
        ValueError: naming the argument, its value and the remedy; the equation does not have this period; or several
            cycles exist.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> drive = lambda t: 0.2 * (lower * jnp.exp(1j * t) + lower.T * jnp.exp(-1j * t))
        >>> L = jt.Lindbladian(lambda t: jnp.diag(jnp.array([0.5, -0.5])) + drive(t), [lower], rates=[0.3])
        >>> cycle = periodic_steady_state(L, 2 * jnp.pi, n_times=4)
        >>> bool(jnp.all(jnp.abs(cycle[:, 0, 0].real - 0.04 / (0.0225 + 0.08)) < 1e-5))      # on resonance
        True

    Source: H. J. Carmichael, Statistical Methods in Quantum Optics 1 (Springer, 1999), for the driven atom; the fixed
    point of the period's map is Floquet's.
    """
    if not isinstance(generator, AbstractGenerator):
        raise ValueError(
            f"Argument `generator` must be a Lindbladian or another generator, but got {type(generator).__name__}. "
            "Make one with jt.Lindbladian(hamiltonian, jump_ops)."
        )
    duration = positive("period", period)
    require(duration.ndim == 0, "period", "be a number", f"shape {duration.shape}")
    count = size("n_times", n_times)
    _require_period(generator, duration)
    # The map is known to rounding, or to what the solver leaves.
    known_to = 0.0 if generator.is_constant else 10 * rtol
    if generator.has_operators and fits(generator) and generator.n in INTERVALS:
        law = operators_of(generator)
        edges = [jnp.asarray(x).reshape(-1) for x in (*law.discontinuities, discontinuities) if x is not None]
        states, isolation, unfinished = _of_few(law, duration, tuple(edges), count, (rtol, atol), max_steps)
        states = refused(states, unfinished, UNFINISHED, error=RuntimeError)
        return refused(states, _are_several(isolation, known_to, generator.n), SEVERAL)
    ts = duration * jnp.arange(count + 1) / count
    maps = propagator(generator, ts, rtol=rtol, atol=atol, max_steps=max_steps, discontinuities=discontinuities)
    start, isolation = _fixed_point(maps[-1], generator.n)
    start = refused(start, _are_several(isolation, known_to, generator.n), SEVERAL)
    states = matmul(maps[:-1], start).reshape(count, generator.n, generator.n)
    return hermitian_part(states)


def _are_several(isolation: Array, known_to: float, n: int) -> Array:
    return ~(isolation > max(known_to, 100 * n * float(jnp.finfo(isolation.dtype).eps)))


@eqx.filter_jit
def _of_few(
    law: Lindbladian,
    period: Array,
    edges: tuple[Array, ...],
    count: int,
    tolerances: tuple[float, float],
    max_steps: int | None,
) -> tuple[Array, Array, Array]:
    """Find the cycle (count, n, n) by Magnus steps of all intervals at once; how isolated it is; if steps ran out."""
    numbers, rest = eqx.partition((law, period, edges), eqx.is_array)

    def made(numbers: PyTree) -> tuple[affine.Side, Array | None]:
        law, period, edges = eqx.combine(numbers, rest)
        return affine.side_of(law, period * np.arange(count + 1) / count, edges, least=INTERVALS[law.n])

    def run(numbers: PyTree) -> tuple[Array, tuple]:
        side, places = made(numbers)
        walk, turns = affine.searched(side, *tolerances)
        done = jnp.all(affine.are_done(walk.share, jnp.diff(side.knots)))
        found = jax.lax.stop_gradient((turns, walk, ~done | (jnp.sum(walk.steps) > (max_steps or np.inf))))
        return affine.to_outputs(walk.propagators, places, count), found

    def repeated(numbers: PyTree, known: tuple, kind: Kind) -> Array:
        side, places = made(numbers)
        return affine.to_outputs(affine.repeated(side, *tolerances, known[0], known[1], kind), places, count)

    maps, (_, _, unfinished) = ruled(run, repeated, numbers)
    matrix, moved = -maps[:, :-1, -1], maps[:, -1, -1]
    start = lapack.solve(matrix, moved)
    states = magnus.moved(maps[..., :-1], start, jnp.ones((), start.dtype))
    return affine.matrices(states, 1.0), lapack.svdvals(jax.lax.stop_gradient(matrix))[-1], unfinished


@eqx.filter_jit
def _fixed_point(one_period: Array, n: int) -> tuple[Array, Array]:
    """Solve V rho = rho with Tr rho = 1 for vec rho, with the smallest singular value of the equation."""
    one = jnp.eye(n, dtype=one_period.dtype).reshape(-1)
    # A map that keeps the trace has 1 - V with rank n^2 - 1; the trace fills the missing direction.
    matrix = jnp.eye(n * n, dtype=one.dtype) - one_period + jnp.outer(one, one) / n
    start = lapack.solve(matrix, one / n)
    start = start / jnp.sum(one * start)
    return start, lapack.svdvals(jax.lax.stop_gradient(matrix))[-1]


def _require_period(generator: AbstractGenerator, period: Array) -> None:
    """Refuse a period after which the equation is another, where its numbers are known."""
    if generator.is_constant:
        return
    known = concrete(_change(generator, period))
    if known is None:
        return
    apart, scale = known
    eps = float(np.finfo(known.dtype).eps)
    remedy = "Give the time after which all its functions repeat."
    must = "be a period of the generator"
    value = f"{period}, after which it differs by {apart / max(scale, 1e-300):.1e} of its size"
    require(bool(apart <= 1e3 * eps**0.75 * scale), "period", must, value, remedy)


@eqx.filter_jit
def _change(generator: AbstractGenerator, period: Array) -> Array:
    """Tell how far two matrices move otherwise one period later, and how far they move, (2,)."""
    shares = (np.arange(PROBES) + 0.37) / PROBES
    probe = np.random.default_rng(0).normal(size=(2, generator.n, generator.n)).astype(generator.dtype)
    field = generator.generator()
    at = lambda t: jnp.stack([field(t, jnp.asarray(y), None) for y in probe])
    before, after = jax.vmap(at)(period * shares), jax.vmap(at)(period * (shares + 1))
    return jnp.stack([jnp.max(jnp.abs(after - before)), jnp.max(jnp.abs(before))])
