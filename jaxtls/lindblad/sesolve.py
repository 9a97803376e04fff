"""`sesolve` solves Schroedinger's equation, where kets stay kets."""

from __future__ import annotations

from typing import Unpack

from .._checks import require
from ..dynamics.options import EvolveOptions
from . import choice as choice
from .foreign import as_state, warn_of_no_state
from .lindbladian import Lindbladian
from .measured import Measured
from .mesolve import MasterSolution, as_lindbladian, expectations, recorded
from .moments import at_outputs, output_times, whole_run
from .operators import OperatorLike, OperatorsLike, StateLike, TimesLike
from .schroedinger import ket_equation


def sesolve(
    hamiltonian: OperatorLike | Lindbladian,
    psi0: StateLike,
    tsave: TimesLike,
    exp_ops: OperatorsLike = (),
    *,
    discontinuities: TimesLike | None = None,
    t0: TimesLike | None = None,
    save_states: bool = True,
    layout: str = "auto",
    **evolve_options: Unpack[EvolveOptions],
) -> MasterSolution:
    r"""Solve Schroedinger's equation, hbar = 1; neither phase nor norm of the ket is touched.

        i d psi/dt = H(t) psi

    A constant H takes one matrix exponential up to 64 levels and Chebyshev's expansion beyond; matrices times
    functions of time take Tsit5, other functions of time diffrax.

    Arguments:
        hamiltonian: as in `Lindbladian`, Hermitian; or a `Lindbladian` without jump operators.
        psi0: (n,) ket. For a batch use jax.vmap.
        tsave: (T,) ascending times [1/frequency], or one time with `t0`.
        exp_ops: list or dict of operators, or one, whose expectation values <psi|O(t)|psi> are recorded, not divided by
            <psi|psi>.
        discontinuities, t0, save_states, layout, **evolve_options: as in `mesolve`.

    Returns:
        MasterSolution: `.states` (T, n), `.expects` (n_ops, T) complex, `.stats`, `.diagnostics`, `.success`.

    Raises:
        ValueError: naming the argument, its value and the remedy.
        RuntimeError: the solver did not finish and `throw` is not False.

    Example:
        >>> sol = sesolve(jnp.array([[0.0, 1.0], [1.0, 0.0]]), jnp.array([1.0, 0.0]), jnp.array([0.0, jnp.pi / 2]))
        >>> sol.states[-1].round(6).tolist()
        [0j, -1j]

    Source: E. Schroedinger, Ann. Phys. 386, 109 (1926).
    """
    ts, start = output_times(tsave, t0)
    law = as_lindbladian(hamiltonian, None, None, layout, ts)
    remedy = "Use jt.mesolve, or jt.trajectories, which keeps kets."
    require(not law.has_jumps, "hamiltonian", "have no jump operators", "a Lindbladian with some", remedy)
    operators = Measured.read("exp_ops", exp_ops, law.n)
    call = "jt.sesolve(hamiltonian, psi0, tsave).states"
    state = as_state("psi0", psi0, law.n, ket=True, call=call)
    warn_of_no_state("psi0", state)
    equation, psi = ket_equation(law, state, operators)
    sol = recorded(equation, psi, whole_run(ts, start), discontinuities, save_states, evolve_options)
    sol = at_outputs(sol, start)
    return MasterSolution(sol, expectations(sol, operators.count, psi.dtype))
