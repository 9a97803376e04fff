"""`mesolve`: the familiar entry to `evolve` for a Hamiltonian and jump operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._checks import concrete, finite, require, times
from ..dynamics.solution import Solution
from . import foreign
from .equation import MasterEquation, solve
from .lindbladian import Lindbladian
from .operators import Operator


class MasterSolution(eqx.Module):
    """The result of `mesolve`; print it to see whether to trust it.

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
        """Output times, (T,)."""
        return self.solution.ts

    @property
    def states(self) -> Array | None:
        """Density matrices, (T, n, n), or None unless they were saved."""
        return self.solution.states

    @property
    def stats(self) -> dict[str, Any]:
        """`method`, `steps`, `layout`; for an expansion also its `terms` and the `levels` that were kept."""
        return self.solution.stats

    @property
    def diagnostics(self) -> dict[str, Array]:
        """Largest trace_error and hermiticity_error over the run."""
        return self.solution.diagnostics

    @property
    def success(self) -> Array:
        """True where the solver reached the last time with finite numbers."""
        return self.solution.success

    def __repr__(self) -> str:
        return repr(self.solution).replace("Solution", "MasterSolution", 1)


def mesolve(
    hamiltonian: Any,
    jump_ops: Any,
    rho0: Any,
    tsave: Any,
    exp_ops: Any = (),
    *,
    rates: Any = None,
    discontinuities: Any = None,
    save_states: bool = True,
    layout: Any = "auto",
    **evolve_options: Any,
) -> MasterSolution:
    r"""Solve a Lindblad master equation, hbar = 1.

        d rho/dt = -i [H, rho] + sum_k r_k (L_k rho L_k† - {L_k† L_k, rho}/2)

    Equations that do not depend on time are moved by an expansion of their exponential (`dynamics.faber`), on the
    blocks between sectors and, outside jit and vmap, the window of levels that the state fills. Inside them those of up
    to 8 levels take one matrix exponential, if the times are known and equally spaced. Others go to diffrax;
    `.stats["method"]` says which.

    Arguments:
        hamiltonian, jump_ops, rates, layout: as in `Lindbladian`. A `Lindbladian` may be given as the Hamiltonian, with
            an empty list of jump operators.
        rho0: (n, n) density matrix or (n,) ket. For a batch use jax.vmap.
        tsave: (T,) ascending times [1/frequency].
        exp_ops: list of (n, n) operators whose expectation values are recorded.
        discontinuities: (K,) times at which a function of time jumps: steps end there and start anew just behind, so
            that no pulse is stepped over. Those of `piecewise_constant` are added unasked. May be differentiated.
        save_states: False keeps the expectation values alone.
        **evolve_options: `rtol`, `atol`, `max_steps`, `progress`, `throw` as in `evolve`; `solver`, `adjoint`,
            `stepsize_controller`, `dt0` ask for a diffrax solver.

    Returns:
        MasterSolution: `.states` (T, n, n), `.expects` (n_ops, T) complex, `.stats`, `.diagnostics`, `.success`.
        jax.grad, jax.jvp and jax.vmap work; operators made of `local` times traced numbers keep their structure. With
        diffrax, for reverse mode on long runs pass diffrax.RecursiveCheckpointAdjoint().

    Raises:
        ValueError: naming the argument, its value and the remedy.
        RuntimeError: the solver did not finish and `throw` is True.

    Example:
        >>> lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        >>> ts = jnp.linspace(0.0, 2.0, 3)
        >>> sol = mesolve(jnp.diag(jnp.array([1.0, -1.0])), [lower], jnp.array([1.0, 0.0]), ts, [lower.T @ lower])
        >>> [round(float(p), 4) for p in sol.expects[0].real]
        [1.0, 0.3679, 0.1353]

    Source: G. Lindblad, Commun. Math. Phys. 48, 119 (1976).
    """
    ts = times("tsave", tsave)
    model = as_lindbladian(hamiltonian, jump_ops, rates, layout)
    n = model.n
    state = foreign.as_state("rho0", rho0, n)
    rho = state if state.ndim == 2 else state[:, None] * state.conj()
    rho = rho.astype(jnp.result_type(rho.dtype, model.terms.values.dtype))
    known = concrete(rho)
    require(known is None or bool(np.all(np.isfinite(known))), "rho0", "be finite", rho0)
    edges = known_edges(model, discontinuities, ts)
    # A matrix that is not Hermitian (half of a correlation function) has no mirror to save work with.
    hermitian = known is not None and bool(np.all(np.abs(known - known.conj().T) <= 1e-5 * np.max(np.abs(known))))
    equation = MasterEquation(model, stack_operators("exp_ops", exp_ops, n), jnp.asarray(rho.trace()), hermitian)
    sol = solve(equation, rho, ts, save_states=save_states, discontinuities=edges, **evolve_options)
    expects = sol.observables["expects"].T if len(exp_ops) else jnp.zeros((0, ts.shape[0]), rho.dtype)
    sol = eqx.tree_at(lambda s: s.stats, sol, {"layout": model.layout, **sol.stats})
    return MasterSolution(sol, expects)


def as_lindbladian(hamiltonian: Any, jump_ops: Any, rates: Any = None, layout: Any = "auto") -> Lindbladian:
    """A `Lindbladian` as it is, or one made from its parts."""
    if isinstance(hamiltonian, Lindbladian):
        good = len(jump_ops) == 0 and rates is None
        require(good, "jump_ops", "be empty where `hamiltonian` is a Lindbladian", f"{len(jump_ops)} operators")
        return hamiltonian
    return Lindbladian(hamiltonian, jump_ops, rates, layout)


def known_edges(model: Lindbladian, discontinuities: Any, ts: Array) -> Array | None:
    """The user's discontinuities and those that the model knows, as one array of the times' type."""
    edges = [*model.discontinuities]
    if discontinuities is not None:
        edges.append(jnp.atleast_1d(finite("discontinuities", discontinuities)))
    return jnp.concatenate([edge.reshape(-1).astype(ts.dtype) for edge in edges]) if edges else None


def stack_operators(name: str, ops: Any, n: int) -> Array:
    """(K, n, n) dense operators."""
    require(
        isinstance(ops, Sequence) or getattr(ops, "ndim", 0) == 3, name, "be a list of operators", type(ops).__name__
    )
    dense = [foreign.as_matrix(f"{name}[{k}]", _constant(op), n) for k, op in enumerate(ops)]
    return jnp.stack(dense) if dense else jnp.zeros((0, n, n), jnp.result_type(complex))


def _constant(op: Any) -> Any:
    return op(0.0) if isinstance(op, Operator) else op
