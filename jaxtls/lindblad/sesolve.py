"""`sesolve`: Schroedinger's equation, where kets stay kets."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._checks import times
from ..dynamics.evolve import evolve, known_options
from . import choice as choice
from .foreign import as_state
from .lindbladian import Lindbladian
from .measured import Measured
from .mesolve import MasterSolution, known_edges, warn_of_half_drives
from .schroedinger import ket_equation


def sesolve(
    hamiltonian: PyTree,
    psi0: PyTree,
    tsave: PyTree,
    exp_ops: PyTree = (),
    *,
    discontinuities: PyTree = None,
    save_states: bool = True,
    layout: PyTree = "auto",
    **evolve_options: PyTree,
) -> MasterSolution:
    r"""Solve Schroedinger's equation, hbar = 1; neither phase nor norm of the ket is touched.

        i d psi/dt = H(t) psi

    A constant H takes one matrix exponential up to 64 levels and Chebyshev's expansion beyond; others go to diffrax.

    Arguments:
        hamiltonian: as in `Lindbladian`, Hermitian.
        psi0: (n,) ket. For a batch use jax.vmap.
        tsave: (T,) ascending times [1/frequency].
        exp_ops: operators whose expectation values <psi|O(t)|psi> are recorded, not divided by <psi|psi>.
        discontinuities, save_states, layout, **evolve_options: as in `mesolve`.

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
    evolve_options = known_options(evolve_options)
    ts = times("tsave", tsave)
    law = Lindbladian(hamiltonian, [], layout=layout)
    operators = Measured.read("exp_ops", exp_ops, law.n)
    equation, psi = ket_equation(law, as_state("psi0", psi0, law.n, ket=True), operators)
    warn_of_half_drives(law, ts)
    edges = known_edges(law, discontinuities, ts)
    wanted = ["expects"] if operators.count else {}
    sol = evolve(
        equation, psi, ts, observables=wanted, save_states=save_states, discontinuities=edges, **evolve_options
    )
    return MasterSolution(sol, _expects(sol.observables, operators.count, ts, psi))


def _expects(observables: dict[str, Array], count: int, ts: Array, psi: Array) -> Array:
    return observables["expects"].T if count else jnp.zeros((0, ts.shape[0]), psi.dtype)
