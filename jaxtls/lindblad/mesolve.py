"""`mesolve` is the familiar entry to `evolve` for a Hamiltonian and jump operators."""

from __future__ import annotations

import dataclasses
from typing import Unpack

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, DTypeLike, PyTree

from .._checks import require
from .._types import Numbers
from ..dynamics.evolve import evolve
from ..dynamics.options import EvolveOptions, known_options
from ..dynamics.solution import Solution
from . import choice as choice
from .equation import MasterEquation, equation_of
from .foreign import as_state, warn_of_no_state
from .generator import AbstractGenerator
from .lindbladian import Lindbladian, operators_of
from .measured import Measured, listed
from .moments import at_outputs, output_times, whole_run
from .operators import OperatorLike, OperatorsLike, StateLike, TimesLike, on_times
from .schroedinger import SchroedingerEquation


class MasterSolution(eqx.Module):
    """Holds the result of `mesolve`; print it to see whether to trust it.

    Attributes:
        solution: the `Solution` of `evolve`, with stats and diagnostics.
        expects: (n_ops, T) complex, Tr(op rho(t)).

    Example:
        >>> sol = jt.mesolve(jnp.zeros((2, 2)), [], jnp.eye(2) / 2, jnp.array([0.0, 1.0]))
        >>> sol.states.shape, sol.expects.shape, bool(sol.success)
        ((2, 2, 2), (0, 2), True)
    """

    solution: Solution
    expects: Array

    @property
    def ts(self) -> Array:
        """Gives output times, (T,)."""
        return self.solution.ts

    @property
    def states(self) -> Array | None:
        """Gives the density matrices, (T, n, n), or None unless they were saved."""
        return self.solution.states

    @property
    def stats(self) -> dict[str, PyTree]:
        """Gives `method`, `why`, `steps`, `layout`; for an expansion its `terms` and the `levels` that were kept."""
        return self.solution.stats

    @property
    def diagnostics(self) -> dict[str, Array]:
        """Gives the largest trace_error and hermiticity_error over the run."""
        return self.solution.diagnostics

    @property
    def success(self) -> Array:
        """Returns True where the solver reached the last time with finite numbers."""
        return self.solution.success

    @property
    def precision(self) -> str:
        """Says "single" or "double": of the numbers that were computed with."""
        return self.solution.precision

    def __repr__(self) -> str:
        return repr(self.solution).replace("Solution", "MasterSolution", 1)


def mesolve(
    hamiltonian: OperatorLike | AbstractGenerator,
    jump_ops: OperatorsLike | None,
    rho0: StateLike,
    tsave: TimesLike,
    exp_ops: OperatorsLike = (),
    *,
    rates: TimesLike | None = None,
    discontinuities: TimesLike | None = None,
    t0: TimesLike | None = None,
    save_states: bool = True,
    layout: str = "auto",
    **evolve_options: Unpack[EvolveOptions],
) -> MasterSolution:
    r"""Solve a Lindblad master equation, hbar = 1.

        d rho/dt = -i [H, rho] + sum_k r_k (L_k rho L_k† - {L_k† L_k, rho}/2)

    Equations that do not depend on time take one matrix exponential up to 8 levels, beyond that an expansion of it
    (`dynamics.faber`) on the blocks between sectors and, outside jit and vmap or with a plan, on the window of levels
    that the state fills. Matrices times functions of time take Magnus steps of all intervals at once up to 3 levels,
    else Tsit5 on the same blocks and window; other functions of time take diffrax. A ket without jump operators moves
    as a ket, as in `sesolve`. `.stats["method"]` says which, `.stats["why"]` why.

    Arguments:
        hamiltonian, jump_ops, rates, layout: as in `Lindbladian`. Any generator may be given as the Hamiltonian, with
            no jump operators. A pair (H1, samples) has a spline through samples at the times `tsave`, as in QuTiP.
        rho0: (n, n) density matrix or (n,) ket; numbers that are none (a trace of 2, a negative population) are warned
            of. For a batch use jax.vmap.
        tsave: (T,) ascending times [1/frequency], or one time with `t0`.
        exp_ops: list or dict of (n, n) operators to record, or one; functions of time are taken at their times.
        discontinuities: (K,) times at which a function of time jumps: steps end there and start anew just behind, so
            that no pulse is stepped over. Those of `piecewise_constant` are added unasked. May be differentiated.
        t0: time of rho0, tsave[0] by default.
        save_states: False keeps the expectation values alone.
        **evolve_options: `method`, `plan`, `rtol`, `atol`, `max_steps`, `max_step`, `progress`, `throw` as in `evolve`;
            `solver`, `adjoint`, `stepsize_controller`, `dt0` ask for a diffrax solver.

    Returns:
        MasterSolution: `.states` (T, n, n), `.expects` (n_ops, T) complex, `.stats`, `.diagnostics`, `.success`.
        jax.grad, jax.jvp and jax.vmap work; operators made of `local` times traced numbers keep their structure. With
        diffrax, for reverse mode on long runs pass diffrax.RecursiveCheckpointAdjoint().

    Raises:
        ValueError: naming the argument, its value and the remedy.
        RuntimeError: the solver did not finish and `throw` is not False.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> ts = jnp.linspace(0.0, 2.0, 3)
        >>> sol = mesolve(jnp.diag(jnp.array([1.0, -1.0])), [lower], jnp.array([1.0, 0.0]), ts, [lower.T @ lower])
        >>> [round(float(p), 4) for p in sol.expects[0].real]
        [1.0, 0.3679, 0.1353]

    Source: G. Lindblad, Commun. Math. Phys. 48, 119 (1976).
    """
    ts, start = output_times(tsave, t0)
    law = as_generator(hamiltonian, jump_ops, rates, layout, ts)
    operators = Measured.read("exp_ops", exp_ops, law.n)
    state = as_state("rho0", rho0, law.n, call="jt.mesolve(hamiltonian, jump_ops, rho0, tsave).states")
    warn_of_no_state("rho0", state)
    plan = known_options(evolve_options).get("plan")
    equation, begin = equation_of(law, state, operators, plan is None or plan.moves(state))
    sol = recorded(equation, begin, whole_run(ts, start), discontinuities, save_states, evolve_options)
    sol = at_outputs(sol, start)
    if isinstance(equation, SchroedingerEquation):
        return _of_kets(sol, operators.count)
    return MasterSolution(sol, expectations(sol, operators.count, begin.dtype))


def recorded(
    equation: MasterEquation | SchroedingerEquation,
    state: ArrayLike,
    ts: Array,
    discontinuities: Numbers | None,
    save_states: bool,
    options: EvolveOptions,
) -> Solution:
    """Returns the run of an equation through all its times, the start included."""
    options = known_options(options)
    wanted = ["expects"] if equation.operators.count else ()
    return evolve(
        equation, state, ts, observables=wanted, save_states=save_states, discontinuities=discontinuities, **options
    )


def expectations(sol: Solution, count: int, dtype: DTypeLike) -> Array:
    """Returns the expectation values that were recorded, (K, T)."""
    return sol.observables["expects"].T if count else jnp.zeros((0, sol.ts.shape[0]), dtype)


def _of_kets(sol: Solution, count: int) -> MasterSolution:
    """Return the solution of a master equation without jumps from that of its ket."""
    states = None if sol.states is None else sol.states[:, :, None] * sol.states[:, None, :].conj()
    expects = expectations(sol, count, complex)
    named = lambda found: {"trace_error" if k == "norm_error" else k: v for k, v in found.items()}
    sol = dataclasses.replace(sol, states=states, diagnostics=named(sol.diagnostics), limits=named(sol.limits))
    return MasterSolution(sol, expects)


def as_generator(
    hamiltonian: OperatorLike | AbstractGenerator,
    jump_ops: OperatorsLike | None,
    rates: TimesLike | None = None,
    layout: str = "auto",
    ts: Array | None = None,
) -> AbstractGenerator:
    """Takes a generator as it is, or makes a Lindbladian of its parts; pairs (operator, samples) have them at `ts`."""
    names, jumps = listed("jump_ops", jump_ops)
    if isinstance(hamiltonian, AbstractGenerator):
        good = not jumps and rates is None
        require(good, "jump_ops", "be empty where `hamiltonian` is a generator", f"{len(jumps)} operators")
        return hamiltonian
    h = hamiltonian if ts is None else on_times("hamiltonian", hamiltonian, ts)
    if ts is not None:
        jumps = [on_times(f"jump_ops[{k}]", op, ts) for k, op in enumerate(jumps)]
    return Lindbladian(h, jumps if names is None else dict(zip(names, jumps)), rates, layout)


def as_lindbladian(
    hamiltonian: OperatorLike | AbstractGenerator,
    jump_ops: OperatorsLike | None,
    rates: TimesLike | None = None,
    layout: str = "auto",
    ts: Array | None = None,
) -> Lindbladian:
    """Takes a `Lindbladian` as it is, or makes one of its parts."""
    found = as_generator(hamiltonian, jump_ops, rates, layout, ts)
    require(found.has_operators, "hamiltonian", "be an operator or a Lindbladian", type(found).__name__)
    return operators_of(found)
