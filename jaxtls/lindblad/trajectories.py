"""`trajectories` gives averages over quantum jumps, which need kets where the master equation needs matrices."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import concrete, positive, precision_of, random_key, refused, require, size, tolerances
from ..dynamics.posing import known_edges
from .jumps.averages import Averages, averages
from .jumps.initial import Start
from .jumps.lane import Problem
from .lindbladian import Lindbladian
from .measured import Measured
from .mesolve import as_lindbladian
from .moments import output_times
from .operators import OperatorLike, OperatorsLike, StateLike, TimesLike

MAX_STEPS = 2**20
# Most complex numbers that a batch of trajectories keeps.
BATCH_ELEMENTS = 2**24
# Jumps of one trajectory that there is room for at first, where their number is not said.
FIRST_WIDTH = 32
OUT_OF_STEPS = "Where a trajectory ran out of steps raise max_steps, shorten the run, or pass throw=False."
TOO_MANY = "Where a record did not fit raise max_jumps, or pass throw=False for the first jumps of each."
NOT_FINITE = "Where a function of time is not finite shorten the run or mend the function."


class TrajectoriesResult(eqx.Module):
    """Holds averages over quantum trajectories.

    Attributes:
        ts: (T,) times.
        mean: (n_ops, T) complex averages of the expectation values, in the order of `exp_ops`.
        sem: (n_ops, T) real standard errors of the means; inf where n = 1, which shows no spread.
        jumps: (n,) number of jumps of each trajectory.
        steps: (n,) Runge-Kutta steps of each trajectory.
        success: True where all trajectories reached the last time, and their records fit.
        jump_times: (n, K) ascending, inf behind the last jump; None without `record`.
        jump_channels: (n, K) places in `jump_ops`, -1 behind the last jump; None without `record`.
        no_jump_probability: share of the average that was computed rather than sampled; 0 without `improved_sampling`.
    """

    ts: Array
    mean: Array
    sem: Array
    jumps: Array
    steps: Array
    success: Array
    jump_times: Array | None = None
    jump_channels: Array | None = None
    no_jump_probability: ArrayLike = 0.0

    @property
    def count(self) -> int:
        """Counts the trajectories."""
        return self.jumps.shape[-1]

    @property
    def precision(self) -> str:
        """Says "single" or "double": of the numbers that were computed with."""
        return precision_of(self.mean)


def trajectories(
    hamiltonian: OperatorLike | Lindbladian,
    jump_ops: OperatorsLike | None,
    psi0: StateLike,
    tsave: TimesLike,
    n: int,
    key: Array,
    exp_ops: OperatorsLike = (),
    *,
    rates: TimesLike | None = None,
    discontinuities: TimesLike | None = None,
    t0: TimesLike | None = None,
    record: bool = False,
    max_jumps: int | None = None,
    improved_sampling: bool = False,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    max_step: float | None = None,
    max_steps: int = MAX_STEPS,
    batch_size: int | None = None,
    layout: str = "auto",
    throw: bool | None = None,
) -> TrajectoriesResult:
    r"""Averages expectation values over quantum-jump trajectories, which tend to those of `mesolve` as 1/sqrt(n).

        d psi/dt = (-i H - (1/2) sum_k r_k L_k† L_k) psi,  with jumps psi -> L_k psi at the rates r_k |L_k psi|^2

    Jump times are solved for, so they depend neither on the output times nor on a step size. The rates are integrated
    beside psi, never read off its norm, which an integrator's error moves, too: where no channel is open nothing jumps.
    Trajectory i draws from jax.random.fold_in(key, i): results do not depend on the batch size, and more trajectories
    extend fewer. Not differentiable in reverse mode, nor usefully forward: jumps are random events.

    Functions of time are sampled at 4096 times of the run: steps end where one starts to move after it rested. What is
    narrower has to be named by `discontinuities` or `max_step`.

    Arguments:
        hamiltonian, jump_ops, rates, layout, discontinuities: as in `mesolve`; one jump operator or a dict will do.
        psi0: (n_levels,) ket, or (n_levels, n_levels) density matrix, of which each trajectory draws an eigenvector;
            normalised.
        tsave: (T,) ascending times, or one time with `t0`.
        n: number of trajectories, static.
        key: a JAX random key.
        exp_ops: list or dict of (n_levels, n_levels) operators, or one; those of time are taken at their times.
        t0: time of psi0, tsave[0] by default.
        record: keep the times and channels of jumps.
        max_jumps: most jumps of a record, K: required inside jit; else records are as wide as the longest.
        improved_sampling: run the trajectory without a jump once, weigh it by its probability, and spend all n on those
            that jump at least once. No bias, and a smaller `sem` where jumps are rare. `.jumps` and records are then of
            trajectories that jump. Off by default, so that these are fair samples.
        rtol, atol: of the steps.
        max_step: longest step.
        max_steps: most steps of one trajectory.
        batch_size: trajectories side by side; None fits them into memory.
        throw: raise where a trajectory runs out of steps, meets a number that is not finite, or jumps too often: None
            does in eager calls, and gives NaN inside jit; True also inside jit, False never.

    Returns:
        TrajectoriesResult: `.mean`, `.sem` (n_ops, T), `.jumps`; with `record` `.jump_times`, `.jump_channels` (n, K).

    Raises:
        ValueError: naming the argument, its value and the remedy.
        RuntimeError: a trajectory did not finish, or its record did not fit, and `throw` is not False.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> ts, up = jnp.linspace(0.0, 2.0, 3), jnp.array([1.0, 0.0])
        >>> h, key, excited = jnp.zeros((2, 2)), jax.random.key(0), lower.T @ lower
        >>> tr = jt.trajectories(h, [lower], up, ts, 200, key, [excited], record=True)
        >>> bool(jnp.all(jnp.abs(tr.mean[0].real - jnp.exp(-ts)) <= 5 * tr.sem[0])), tr.jump_times.shape
        (True, (200, 1))

    Source: J. Dalibard, Y. Castin, K. Mølmer, Phys. Rev. Lett. 68, 580 (1992).
    """
    ts, start = output_times(tsave, t0)
    count, limit = size("n", n), size("max_steps", max_steps)
    key = random_key("key", key)
    tolerances(rtol, atol)
    longest = jnp.inf if max_step is None else positive("max_step", max_step)
    require(record or max_jumps is None, "max_jumps", "be left out without record=True", max_jumps)
    width = FIRST_WIDTH if max_jumps is None else size("max_jumps", max_jumps)
    model = as_lindbladian(hamiltonian, jump_ops, rates, layout, ts)
    begin = Start.read("psi0", psi0, model.n, model.dtype)
    measured = Measured.read("exp_ops", exp_ops, model.n).astype(begin.kets.dtype)
    kind = begin.kets.real.dtype
    problem = Problem(
        model=model,
        measured=measured,
        ts=ts.astype(kind),
        start=(ts[0] if start is None else start).astype(kind),
        edges=known_edges(model, discontinuities, ts.astype(kind)),
        rtol=jnp.asarray(rtol, kind),
        atol=jnp.asarray(atol, kind),
        max_step=jnp.asarray(longest, kind),
        limit=limit,
        starts_at_output=start is None,
    )
    room = model.n * 16 + max(measured.count, 1) * ts.shape[0] * 2
    batch = min(count, max(1, BATCH_ELEMENTS // room)) if batch_size is None else size("batch_size", batch_size)
    # No batch is nearly empty.
    batch = -(-count // -(-count // batch))
    run = lambda width: averages(problem, begin, key, count, batch, width, bool(improved_sampling))
    found = run(width if record and (model.order or max_jumps is not None) else 0)
    return _result(problem.ts, found, record, max_jumps, run, throw)


def _result(
    ts: Array, found: Averages, record: bool, max_jumps: int | None, run: Callable[[int], Averages], throw: bool | None
) -> TrajectoriesResult:
    """Give what was found, run again where the records of jumps had too little room, and refused where it failed."""
    times, channels = (found.jump_times, found.jump_channels) if record else (None, None)
    if record and max_jumps is None and found.jump_times.shape[1]:
        jumps = concrete(found.jumps)
        remedy = "Inside jit a shape cannot depend on how often a trajectory jumps."
        if jumps is None:
            require(False, "max_jumps", "be given with record=True inside jit and vmap", max_jumps, remedy)
            raise AssertionError
        longest = int(np.max(jumps))
        # Not a better plan: averages are right as they are, the lists of jumps alone were cut.
        if longest > found.jump_times.shape[1]:
            found = run(2 ** (longest - 1).bit_length())
        times, channels = found.jump_times[:, :longest], found.jump_channels[:, :longest]
    result = TrajectoriesResult(
        ts, found.mean, found.sem, found.jumps, found.steps, found.success, times, channels, found.no_jump
    )
    if throw is False:
        return result
    if concrete(result.success) is None:
        why = f"{OUT_OF_STEPS} {TOO_MANY} {NOT_FINITE}"
        kept = refused((result.mean, result.sem), ~result.success, why, throw, RuntimeError)
        return eqx.tree_at(lambda r: (r.mean, r.sem), result, kept)
    if not bool(np.all(np.asarray(result.success))):
        raise RuntimeError(_reason(found, max_jumps))
    return result


def _reason(found: Averages, max_jumps: int | None) -> str:
    broken, longest = float(np.min(np.asarray(found.broken))), int(np.max(np.asarray(found.jumps)))
    if np.isfinite(broken):
        return f"The Hamiltonian or a jump operator is not finite (NaN or infinite) at t = {broken:.6g}. {NOT_FINITE}"
    if max_jumps is not None and longest > max_jumps:
        return f"A trajectory jumped {longest} times, max_jumps = {max_jumps}. {TOO_MANY}"
    return f"A trajectory ran out of steps. {OUT_OF_STEPS}"
