"""Quantum jumps: kets that move without jumps until a drawn norm is reached, at a time that is solved for.

Between jumps d psi/dt = A psi, and |psi|^2 is the probability that none happened. A jump comes when |psi|^2 falls to a
uniform random number. Each turn of the loop makes one Runge-Kutta step for every trajectory, whatever it is at: an
ordinary step under error control; or, once a step has crossed the drawn norm, a shorter step from the same start whose
length is Newton's guess (held in its bracket) for the crossing. So a jump costs three or four steps, and a batch
never waits for a branch.

Source: J. Dalibard, Y. Castin, K. Mølmer, Phys. Rev. Lett. 68, 580 (1992).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._checks import concrete, require, size, times
from . import foreign
from .lindbladian import Lindbladian
from .mesolve import as_lindbladian, known_edges, stack_operators
from .rhs.fields import HIGHEST

# Dormand & Prince, J. Comput. Appl. Math. 6, 19 (1980): nodes, stages, and weights of the error estimate.
NODES = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
MAX_STEPS = 2**20
# Most complex numbers that a batch of trajectories keeps.
BATCH_ELEMENTS = 2**24


class TrajectoriesResult(eqx.Module):
    """Averages over quantum trajectories.

    Attributes:
        ts: (T,) times.
        mean: (n_ops, T) complex averages of the expectation values.
        sem: (n_ops, T) real standard errors of the means.
        jumps: (n,) number of jumps of each trajectory.
        steps: (n,) Runge-Kutta steps of each trajectory.
        success: True where all trajectories reached the last time.
    """

    ts: Array
    mean: Array
    sem: Array
    jumps: Array
    steps: Array
    success: Array

    @property
    def count(self) -> int:
        """Number of trajectories."""
        return self.jumps.shape[-1]


def trajectories(
    hamiltonian: Any,
    jump_ops: Any,
    psi0: Any,
    tsave: Any,
    n: int,
    key: Any,
    exp_ops: Any = (),
    *,
    rates: Any = None,
    discontinuities: Any = None,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_steps: int = MAX_STEPS,
    batch_size: int | None = None,
    layout: Any = "auto",
    throw: bool = True,
) -> TrajectoriesResult:
    r"""Average expectation values over quantum-jump trajectories, which tend to those of `mesolve` as 1/sqrt(n).

        d psi/dt = (-i H - (1/2) sum_k r_k L_k† L_k) psi,  with jumps psi -> L_k psi at the rates r_k |L_k psi|^2

    Jump times are solved for, so they depend neither on the output times nor on a step size. Trajectory i draws from
    jax.random.fold_in(key, i): results do not depend on the batch size, and more trajectories extend fewer. Not
    differentiable in reverse mode, nor usefully forward: jumps are random events.

    Arguments:
        hamiltonian, jump_ops, rates, layout, discontinuities: as in `mesolve`.
        psi0: (n_levels,) ket; it is normalised.
        tsave: (T,) ascending times.
        n: number of trajectories, static.
        key: a JAX random key.
        exp_ops: list of (n_levels, n_levels) operators.
        rtol, atol: of the steps.
        max_steps: most steps of one trajectory.
        batch_size: trajectories side by side; None fits them into memory.
        throw: raise where a trajectory runs out of steps.

    Returns:
        TrajectoriesResult: `.mean`, `.sem` (n_ops, T), `.jumps`.

    Raises:
        ValueError: naming the argument, its value and the remedy.
        RuntimeError: a trajectory ran out of steps and `throw` is True.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> ts, up = jnp.linspace(0.0, 2.0, 3), jnp.array([1.0, 0.0])
        >>> tr = trajectories(jnp.zeros((2, 2)), [lower], up, ts, 200, jax.random.key(0), [lower.T @ lower])
        >>> bool(jnp.all(jnp.abs(tr.mean[0].real - jnp.exp(-ts)) <= 5 * tr.sem[0]))
        True

    Source: J. Dalibard, Y. Castin, K. Mølmer, Phys. Rev. Lett. 68, 580 (1992).
    """
    ts = times("tsave", tsave)
    count, limit = size("n", n, least=2), size("max_steps", max_steps)
    for name, value in (("rtol", rtol), ("atol", atol)):
        require(isinstance(value, int | float) and value > 0, name, "be a positive Python number", repr(value))
    model = as_lindbladian(hamiltonian, jump_ops, rates, layout)
    psi = foreign.as_state("psi0", psi0, model.n, ket=True)
    psi = psi.astype(jnp.result_type(psi.dtype, model.terms.values.dtype))
    known = concrete(psi)
    good = known is None or bool(np.all(np.isfinite(known)) and np.any(known != 0))
    require(good, "psi0", "be finite and not 0", psi0)
    ts = ts.astype(psi.real.dtype)
    operators = stack_operators("exp_ops", exp_ops, model.n).astype(psi.dtype)
    wanted = operators.shape[0]
    # jax.lax.map cannot stack empty arrays.
    operators = operators if wanted else jnp.zeros((1, model.n, model.n), psi.dtype)
    edges = known_edges(model, discontinuities, ts)
    room = model.n * 16 + operators.shape[0] * ts.shape[0] * 2
    batch = min(count, max(1, BATCH_ELEMENTS // room)) if batch_size is None else size("batch_size", batch_size)
    problem = _Problem(model, operators, ts, edges, jnp.asarray(rtol, ts.dtype), jnp.asarray(atol, ts.dtype))
    found, jumps, steps, success = _run(problem, psi / jnp.linalg.norm(psi), key, count, batch, limit)
    remedy = "A trajectory ran out of steps. Raise max_steps, shorten the run, or pass throw=False."
    found = found[:, :wanted]
    mean, sem = _mean_and_sem(found)
    result = TrajectoriesResult(ts, mean, sem, jumps, steps, jnp.all(success))
    if throw and concrete(result.success) is None:
        return eqx.error_if(result, ~result.success, remedy)
    if throw and not bool(np.all(np.asarray(result.success))):
        raise RuntimeError(remedy)
    return result


@jax.jit
def _mean_and_sem(found: Array) -> tuple[Array, Array]:
    count = found.shape[0]
    mean = jnp.mean(found, 0)
    return mean, jnp.sqrt(jnp.sum(jnp.abs(found - mean) ** 2, 0) / (count - 1)) / np.sqrt(count)


class _Problem(eqx.Module):
    model: Lindbladian
    operators: Array
    ts: Array
    edges: Array | None
    rtol: Array
    atol: Array


class _Lane(eqx.Module):
    """One trajectory on its way."""

    t: Array
    psi: Array
    h: Array
    # Index of the next stop; the drawn norm; jumps so far; steps so far.
    stop: Array
    threshold: Array
    jumps: Array
    steps: Array
    # Step lengths known to end before and behind the jump that is being located, and the next to try; high = 0: none.
    low: Array
    high: Array
    trial: Array
    values: Array


@eqx.filter_jit
def _run(problem: _Problem, psi: Array, key: Any, count: int, batch: int, limit: int) -> tuple[Array, ...]:
    model, ts = problem.model, problem.ts
    field = model.ket_generator()
    step = _stepper(lambda t, y: field(t, y[:, None])[:, 0])
    stops, output, is_edge = _stops(ts, problem.edges)
    close = jnp.maximum(1e-4 * problem.rtol, 8 * jnp.finfo(ts.dtype).eps)

    def draw(seed: Any, jumps: Array) -> Array:
        tiny = jnp.finfo(ts.dtype).tiny
        return jax.random.uniform(jax.random.fold_in(seed, jumps), (2,), ts.dtype, minval=tiny)

    def expects(y: Array) -> Array:
        norm = jnp.sum(jnp.abs(y) ** 2)
        return jnp.einsum("i,kij,j->k", y.conj(), problem.operators, y, precision=HIGHEST) / norm

    def jumped(seed: Any, t: Array, y: Array, jumps: Array) -> Array:
        weights, operators = model.jump_channels(t)
        after = jnp.einsum("kij,j->ki", operators, y, precision=HIGHEST)
        chances = jnp.cumsum(weights * jnp.sum(jnp.abs(after) ** 2, 1))
        # The draw that set this jump's time also names its channel, by its second number.
        channel = jnp.searchsorted(chances, draw(seed, jumps)[1] * chances[-1], side="left")
        y = after[jnp.clip(channel, 0, weights.shape[0] - 1)]
        return y / jnp.linalg.norm(y)

    def turn(seed: Any, lane: _Lane) -> _Lane:
        locating = lane.high > 0
        remaining = jnp.maximum(stops[lane.stop] - lane.t, 0)
        dt = jnp.where(locating, lane.trial, jnp.minimum(lane.h, remaining))
        y, slope, error = step(lane.t, lane.psi, dt)
        ratio = error / (problem.atol + problem.rtol * jnp.linalg.norm(lane.psi))
        factor = jnp.clip(0.9 * jnp.maximum(ratio, 1e-10) ** -0.2, 0.2, 5.0)
        accurate = locating | (ratio <= 1)
        excess = jnp.sum(jnp.abs(y) ** 2) - lane.threshold
        # Newton's guess of the crossing from where this step ended.
        decay = 2 * jnp.sum(y.conj() * slope).real
        low = jnp.where(excess > 0, dt, lane.low)
        high = jnp.where(excess > 0, lane.high, dt)
        guess = dt - excess / jnp.where(decay < 0, decay, -1.0)
        guess = jnp.where((guess > low) & (guess < high), guess, (low + high) / 2)
        narrow = (high - low) <= 4 * jnp.finfo(ts.dtype).eps * jnp.maximum(jnp.abs(lane.t), dt)
        jump = locating & ((jnp.abs(excess) <= close) | narrow)
        search = accurate & ~jump & (locating | (excess < 0))
        forward = accurate & ~locating & (excess >= 0)
        arrived = forward & (dt >= remaining)

        t = jnp.where(arrived, stops[lane.stop], jnp.where(forward | jump, lane.t + dt, lane.t))
        t = jnp.where(arrived & is_edge[lane.stop], eqxi.nextafter(t), t)
        if model.rates.shape[0]:
            # A real branch where no trajectory of the batch jumps: the predicate is one for all.
            leap = lambda y: jumped(seed, lane.t + dt, y, lane.jumps)
            after = jax.lax.cond(eqxi.unvmap_any(jump), leap, lambda y: y, y)
        else:
            after = y
        psi = jnp.where(jump, after, jnp.where(forward, y, lane.psi))
        h = jnp.where(accurate & (dt < lane.h), jnp.maximum(lane.h, dt * factor), dt * factor)
        jumps = lane.jumps + jump
        column = jnp.where(arrived, output[lane.stop], -1)
        kept = jnp.where(column >= 0, expects(y), lane.values[:, column])
        return _Lane(
            t=t,
            psi=psi,
            h=jnp.where(locating, lane.h, h),
            stop=lane.stop + arrived,
            threshold=jnp.where(jump, draw(seed, jumps)[0], lane.threshold),
            jumps=jumps,
            steps=lane.steps + 1,
            low=jnp.where(search, low, 0.0),
            high=jnp.where(search, high, 0.0),
            trial=jnp.where(search, guess, 0.0),
            values=lane.values.at[:, column].set(kept),
        )

    def one(index: Array) -> tuple[Array, ...]:
        seed = jax.random.fold_in(key, index)
        zero = jnp.zeros((), ts.dtype)
        rate = jnp.linalg.norm(field(ts[0], psi[:, None]))
        h = jnp.minimum(ts[-1] - ts[0], 0.1 / jnp.maximum(rate, 0.1 / (ts[-1] - ts[0])))
        values = jnp.zeros((problem.operators.shape[0], ts.shape[0]), psi.dtype).at[:, 0].set(expects(psi))
        whole = jnp.zeros((), int)
        lane = _Lane(ts[0], psi, h, whole, draw(seed, whole)[0], whole, whole, zero, zero, zero, values)
        if problem.edges is not None:
            begin = jnp.where(jnp.any(problem.edges == ts[0]), eqxi.nextafter(ts[0]), ts[0])
            lane = eqx.tree_at(lambda x: x.t, lane, begin)
        wanted = lambda lane: (lane.stop < stops.shape[0]) & (lane.steps < limit)
        lane = jax.lax.while_loop(wanted, lambda lane: turn(seed, lane), lane)
        return lane.values, lane.jumps, lane.steps, lane.stop >= stops.shape[0]

    return jax.lax.map(one, jnp.arange(count), batch_size=batch)


def _stops(ts: Array, edges: Array | None) -> tuple[Array, Array, Array]:
    """Times at which steps end: outputs but the first, and edges. For each its column among the outputs (or -1), and
    whether it is an edge."""
    later = ts[1:]
    column = jnp.arange(1, ts.shape[0])
    if edges is None:
        return later, column, jnp.zeros(later.shape, bool)
    inside = jnp.clip(edges, ts[0], ts[-1])
    stops = jnp.concatenate([later, inside])
    order = jnp.argsort(stops, stable=True)
    columns = jnp.concatenate([column, jnp.full(edges.shape, -1)])
    flags = jnp.concatenate([jnp.zeros(later.shape, bool), inside == edges])
    return stops[order], columns[order], flags[order]


def _stepper(field: Callable[[Array, Array], Array]) -> Callable[[Array, Array, Array], tuple[Array, Array, Array]]:
    """A step of Dormand & Prince: (t, y, dt) -> y(t + dt), its slope, and the norm of the error estimate."""

    def step(t: Array, y: Array, dt: Array) -> tuple[Array, Array, Array]:
        slopes, end = [field(t, y)], y
        for node, row in zip(NODES[1:], STAGES):
            end = y + dt * sum((a * k for a, k in zip(row, slopes) if a), jnp.zeros_like(y))
            slopes.append(field(t + node * dt, end))
        error = dt * sum((e * k for e, k in zip(ERROR, slopes) if e), jnp.zeros_like(y))
        return end, slopes[-1], jnp.linalg.norm(error)

    return step
