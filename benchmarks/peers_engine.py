"""Constant Lindblad equations as plain matrices, and the ways in which SciPy, dynamiqs and QuTiP solve them.

`exact_states`, `exact_gradient` and `exact_steady` are the independent answers that errors are held against, from the
sparse superoperator in SciPy. dynamiqs and QuTiP are imported only where they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Answer = dict[str, Array]


@dataclass(frozen=True)
class Problem:
    """H, jumps, rho_0 and the observed operators as (D, D) matrices on subsystems of the given dimensions.

    With `batched` each matrix may have a leading axis of problems.
    """

    hamiltonian: Array
    jumps: Sequence[Array]
    rho0: Array
    observed: Mapping[str, Array]
    dims: tuple[int, ...]

    @property
    def size(self) -> int:
        return self.rho0.shape[-1]

    def member(self, k: int) -> Problem:
        """One problem of a batch."""
        return Problem(self.hamiltonian[k], [jump[k] for jump in self.jumps], self.rho0, self.observed, self.dims)

    def expectations(self, states: Array) -> Answer:
        """Of (..., D, D) states."""
        return {name: np.einsum("...ij,ji->...", states, op).real for name, op in self.observed.items()}


def embed(dims: Sequence[int], factors: Mapping[int, Array]) -> Array:
    """The product of operators on some subsystems, the first one slowest."""
    return reduce(np.kron, [factors.get(k, np.eye(d)) for k, d in enumerate(dims)])


# --- SciPy -----------------------------------------------------------------------------------------------------------


def superoperator(hamiltonian: Array, jumps: Iterable[Array]) -> Any:
    """L as a sparse matrix on the rows of rho laid end to end: A rho B -> (A kron B^T) vec(rho)."""
    import scipy.sparse as sp

    h, eye = sp.csr_matrix(hamiltonian), sp.identity(len(hamiltonian), format="csr")
    generator = -1j * (sp.kron(h, eye) - sp.kron(eye, h.T))
    for jump in jumps:
        c = sp.csr_matrix(jump)
        decay = c.conj().T @ c
        generator = generator + sp.kron(c, c.conj()) - (sp.kron(decay, eye) + sp.kron(eye, decay.T)) / 2
    return generator.tocsc()


def exact_states(hamiltonian: Array, jumps: Iterable[Array], rho0: Array, ts: Array) -> Array:
    """exp(t L) rho_0 at evenly spaced times, (T, D, D)."""
    from scipy.sparse.linalg import expm_multiply

    generator, start = superoperator(hamiltonian, jumps), rho0.reshape(-1).astype(complex)
    states = expm_multiply(generator, start, start=ts[0], stop=ts[-1], num=len(ts), endpoint=True)
    return states.reshape(len(ts), *rho0.shape)


def exact(problem: Problem, ts: Array) -> Answer:
    """The observed expectation values of `exact_states`."""
    return problem.expectations(exact_states(problem.hamiltonian, problem.jumps, problem.rho0, ts))


def exact_gradient(problem: Problem, slopes: Sequence[Array], t: float) -> Answer:
    """Derivatives at t where H changes by each of `slopes`: d exp(t L) is a block of exp(t [[L, dL], [0, L]])."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import expm_multiply

    generator, start = superoperator(problem.hamiltonian, problem.jumps), problem.rho0.reshape(-1)
    changes = []
    for slope in slopes:
        blocks = sp.bmat([[generator, superoperator(slope, [])], [None, generator]], format="csc")
        found = expm_multiply(t * blocks, np.concatenate([0 * start, start]))
        changes.append(found[: len(start)].reshape(problem.rho0.shape))
    return problem.expectations(np.stack(changes))


class Steady(NamedTuple):
    """Expectation values, their derivatives, and the entries of each column of L and each row of U."""

    values: Answer
    slopes: Answer
    filled: tuple[Array, Array]


def exact_steady(problem: Problem, slope: Array) -> Steady:
    """Steady expectation values and their derivatives where H changes by `slope`, by one sparse factorisation."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import splu

    n = problem.size
    generator = superoperator(problem.hamiltonian, problem.jumps).tolil()
    generator[0] = np.eye(n).reshape(1, -1)  # Tr rho = 1 in place of an equation that the others imply
    factors = splu(sp.csc_matrix(generator))
    rho = factors.solve(np.eye(n * n)[0].astype(complex))
    right = -(superoperator(slope, []) @ rho)
    right[0] = 0.0
    answers = [problem.expectations(state.reshape(n, n)) for state in (rho, factors.solve(right))]
    return Steady(*answers, (np.diff(factors.L.indptr), np.diff(factors.U.tocsr().indptr)))


# --- dynamiqs --------------------------------------------------------------------------------------------------------


def _dynamiqs(problem: Problem, ts: Array, layout: str, rtol: float, atol: float) -> Callable[[], Answer]:
    import dynamiqs as dq

    dq.set_precision("double")

    def wrap(a: Array) -> Any:
        return dq.asqarray(a, dims=problem.dims, layout=getattr(dq, layout))

    operators = (
        wrap(problem.hamiltonian),
        [wrap(jump) for jump in problem.jumps],
        dq.asqarray(problem.rho0, problem.dims),
    )
    options = {
        "exp_ops": [wrap(op) for op in problem.observed.values()],
        "method": dq.method.Tsit5(rtol=rtol, atol=atol, max_steps=1_000_000),
        "save_states": False,
        "cartesian_batching": False,
        "progress_meter": False,
    }

    def solve() -> Answer:
        expects = np.asarray(dq.mesolve(*operators, ts, **options).expects).real
        return {name: expects[..., k, :] for k, name in enumerate(problem.observed)}

    return solve


def dynamiqs_gradient(
    parts: Sequence[Array], problem: Problem, ts: Array, layout: str, rtol: float, atol: float
) -> Callable[[Any], Any]:
    """Of the last expectation value in the numbers p of H = sum_k p_k parts_k, with dynamiqs' own default adjoint."""
    import dynamiqs as dq
    import jax

    dq.set_precision("double")

    def wrap(a: Array) -> Any:
        return dq.asqarray(a, dims=problem.dims, layout=getattr(dq, layout))

    terms, jumps, [observed] = [wrap(a) for a in parts], [wrap(a) for a in problem.jumps], problem.observed.values()
    rho0, number = dq.asqarray(problem.rho0, problem.dims), wrap(observed)
    method = dq.method.Tsit5(rtol=rtol, atol=atol, max_steps=100_000)
    options = {"exp_ops": [number], "method": method, "save_states": False, "progress_meter": False}

    def loss(p: Any) -> Any:
        h = sum((x * term for x, term in zip(p[1:], terms[1:])), p[0] * terms[0])
        return dq.mesolve(h, jumps, rho0, ts, **options).expects[0, -1].real

    return jax.jit(jax.grad(loss))


def _dynamiqs_jumps(problem: Problem, ts: Array, psi0: Array, count: int) -> Callable[[], Answer]:
    import dynamiqs as dq
    import jax
    import optimistix

    dq.set_precision("double")
    operators = [dq.asqarray(a, problem.dims) for a in (problem.hamiltonian, *problem.jumps)]
    state = dq.asqarray(psi0[:, None], problem.dims)
    [(name, op)] = problem.observed.items()
    keys = jax.random.split(jax.random.key(1), count)
    # Without one, click times are as coarse as the steps; QuTiP's own tolerance of them is 1e-6 too.
    method = dq.method.Event(root_finder=optimistix.Newton(rtol=1e-6, atol=1e-6))
    options = {"exp_ops": [dq.asqarray(op, problem.dims)], "method": method, "save_states": False}

    def solve() -> Answer:
        found = dq.jssesolve(operators[0], operators[1:], state, ts, keys, **options)
        values = np.asarray(found.expects).real[:, 0]
        return {name: values.mean(0), "sem": values.std(0) / np.sqrt(count)}

    return solve


# --- QuTiP -----------------------------------------------------------------------------------------------------------


def _qobj(problem: Problem, a: Array) -> Any:
    import qutip
    import scipy.sparse as sp

    return qutip.Qobj(sp.csr_matrix(a), dims=[list(problem.dims)] * 2)


def qutip_options(variant: str, rtol: float, atol: float) -> dict[str, Any]:
    """QuTiP's options for a variant: a method, "matrix form" behind it or not."""
    return {
        "method": variant.split()[0],
        "matrix_form": variant.endswith("matrix form"),
        "rtol": rtol,
        "atol": atol,
        "nsteps": 10_000_000,
        "progress_bar": "",
    }


def _qutip(problem: Problem, ts: Array, variant: str, rtol: float, atol: float) -> Callable[[], Answer]:
    import qutip

    h, rho0, *jumps = (_qobj(problem, a) for a in (problem.hamiltonian, problem.rho0, *problem.jumps))
    e_ops = {name: _qobj(problem, op) for name, op in problem.observed.items()}
    options = qutip_options(variant, rtol, atol)

    def solve() -> Answer:
        found = qutip.mesolve(h, rho0, ts, jumps, e_ops=e_ops, options=options)
        return {name: np.asarray(values).real for name, values in found.e_data.items()}

    return solve


def _qutip_jumps(problem: Problem, ts: Array, psi0: Array, count: int) -> Callable[[], Answer]:
    import qutip

    h, *jumps = (_qobj(problem, a) for a in (problem.hamiltonian, *problem.jumps))
    ket = qutip.Qobj(psi0[:, None], dims=[list(problem.dims), [1] * len(problem.dims)])
    [(name, op)] = problem.observed.items()
    e_ops, options = [_qobj(problem, op)], {"progress_bar": "", "map": "serial"}

    def solve() -> Answer:
        found = qutip.mcsolve(h, ket, ts, jumps, e_ops=e_ops, ntraj=count, seeds=1, options=options)
        spread = np.asarray(found.std_expect[0]).real
        return {name: np.asarray(found.average_expect[0]).real, "sem": spread / np.sqrt(count)}

    return solve


def qutip_steady(problem: Problem) -> Callable[[], Answer]:
    """QuTiP's direct steady state, which is not differentiable."""
    import qutip

    h, *jumps = (_qobj(problem, a) for a in (problem.hamiltonian, *problem.jumps))
    return lambda: problem.expectations(qutip.steadystate(h, jumps, method="direct").full())


def solver(name: str, problem: Problem, ts: Array, rtol: float, atol: float) -> Callable[[], Answer]:
    """Of "dynamiqs dia", "qutip adams" and the like, with everything prepared that does not depend on the run."""
    peer, variant = name.split(maxsplit=1)
    return {"dynamiqs": _dynamiqs, "qutip": _qutip}[peer](problem, ts, variant, rtol, atol)


def jumps(peer: str, problem: Problem, ts: Array, psi0: Array, count: int) -> Callable[[], Answer]:
    """Quantum-jump averages and their standard errors, at its default tolerances."""
    return {"dynamiqs": _dynamiqs_jumps, "qutip": _qutip_jumps}[peer](problem, ts, psi0, count)
