"""The entropic spring as a generic solver sees it: matrices of 2^N spin states (x) n oscillator levels.

    H = p^2/2M + M omega_0^2 x^2/2 + sum_j (B + d x^2) n_j,   d = M omega^2/(2N),
    jumps sqrt(A(x)) s-_j, sqrt(G(x)) s+_j,   A = gamma (nbar + 1), G = gamma nbar, nbar = 1/(e^(beta (B + d x^2)) - 1).

Oscillator basis: Fock states of the omega_eff oscillator, cut at n levels, functions of x through the position nodes of
that basis; so jaxtls with the same n, n_modes = N and form="lindblad" solves the very same finite problem. `problem` is
plain NumPy; dynamiqs and QuTiP are imported only where they run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from importlib.util import find_spec
from typing import Any

import numpy as np

from jaxtls.quantum.dvr import hermite_dvr

from . import peers_engine

PACKAGES = {"dynamiqs": "dynamiqs>=0.3", "qutip": "qutip>=5"}
# Below this fraction of the largest entry a matrix element is round-off, and would fill sparse layouts.
ROUND_OFF = 1e-14


@dataclass(frozen=True)
class Parameters:
    """One class of equal TLSs; the defaults are those of Wang & Taylor, Fig. 1."""

    n_spins: int
    n_levels: int = 16
    omega: float = float(np.sqrt(1 + np.e))
    splitting: float = 100.0
    gamma: float = 10.0
    beta: float = 0.01
    omega_0: float = 0.0
    mass: float = 1.0
    alpha: float = 1.0


@dataclass(frozen=True)
class Problem:
    """Matrices (D, D), D = 2^N n, spins first (up, down each) and the oscillator last."""

    hamiltonian: np.ndarray
    jumps: list[np.ndarray]
    rho0: np.ndarray
    x: np.ndarray
    x2: np.ndarray
    dims: tuple[int, ...]


FRAMES = ("lab", "rotating")


def problem(p: Parameters, frame: str) -> Problem:
    """The full problem as plain matrices.

    Arguments:
        p: parameters.
        frame: "lab", the Hamiltonian as the paper writes it; or "rotating", which leaves out sum_j B n_j: exact here
            (nothing creates coherence between spin states), and kinder to explicit solvers.
    """
    polarization = 1 / (1 + np.exp(p.beta * p.splitting))
    frequency = np.sqrt(p.omega_0**2 + p.omega**2 * polarization)
    unit = 1 / np.sqrt(p.mass * frequency)
    nodes, v = hermite_dvr(p.n_levels)
    squares = (unit * nodes) ** 2

    def on_nodes(f: np.ndarray) -> np.ndarray:
        return _clean(v.T @ np.diag(f) @ v)

    shift = p.mass * p.omega**2 / (2 * p.n_spins)
    occupation = 1 / np.expm1(p.beta * (p.splitting + shift * squares))
    down, up = on_nodes(np.sqrt(p.gamma * (occupation + 1))), on_nodes(np.sqrt(p.gamma * occupation))
    x2_nodes = on_nodes(squares)

    # The kinetic energy is what the omega_eff oscillator, diagonal in this basis, leaves of it.
    oscillator = np.diag(frequency * (np.arange(p.n_levels) + 0.5))
    bare = oscillator + p.mass * (p.omega_0**2 - frequency**2) / 2 * x2_nodes
    excited, raising = np.diag([1.0, 0.0]), np.array([[0.0, 1.0], [0.0, 0.0]])
    energy = (p.splitting if frame == "lab" else 0.0) * np.eye(p.n_levels) + shift * x2_nodes
    hamiltonian = _embed(p.n_spins, None, None, bare)
    jumps = []
    for j in range(p.n_spins):
        hamiltonian = hamiltonian + _embed(p.n_spins, j, excited, energy)
        jumps += [_embed(p.n_spins, j, raising.T, down), _embed(p.n_spins, j, raising, up)]

    ladder = np.diag(np.sqrt(np.arange(1.0, p.n_levels)), 1)
    # x^2 as measured: matrix elements of x^2 itself, which the square of the cut x misses in the last two levels.
    wide = np.diag(np.sqrt(np.arange(1.0, p.n_levels + 2)), 1)
    x2 = (unit**2 / 2 * (wide + wide.T) @ (wide + wide.T))[: p.n_levels, : p.n_levels]
    spins = reduce(np.kron, [np.diag([polarization, 1 - polarization])] * p.n_spins)
    ket = _coherent(p.n_levels, p.alpha)
    return Problem(
        hamiltonian=_clean(hamiltonian),
        jumps=jumps,
        rho0=np.kron(spins, np.outer(ket, ket)).astype(complex),
        x=_embed(p.n_spins, None, None, unit / np.sqrt(2) * (ladder + ladder.T)),
        x2=_embed(p.n_spins, None, None, x2),
        dims=(2,) * p.n_spins + (p.n_levels,),
    )


def _embed(n_spins: int, site: int | None, spin: np.ndarray | None, oscillator: np.ndarray) -> np.ndarray:
    factors = [spin if j == site else np.eye(2) for j in range(n_spins)]
    return reduce(np.kron, [*factors, oscillator])


def _clean(a: np.ndarray) -> np.ndarray:
    return np.where(np.abs(a) > ROUND_OFF * np.max(np.abs(a)), a, 0.0)


def _coherent(n_levels: int, alpha: float) -> np.ndarray:
    from jaxtls import coherent_state

    return np.asarray(coherent_state(n_levels, alpha)).real


def exact(p: Parameters, ts: np.ndarray) -> dict[str, np.ndarray]:
    """x, x2 and impurity at evenly spaced ts from exp(t L) rho0 in SciPy, L the sparse Lindbladian of `problem`.

    A check of every other answer, practical up to N = 2 at 16 levels.
    """
    made = problem(p, "rotating")
    states = peers_engine.exact_states(made.hamiltonian, made.jumps, made.rho0, ts)
    return {
        "x": np.einsum("tij,ji->t", states, made.x).real,
        "x2": np.einsum("tij,ji->t", states, made.x2).real,
        "impurity": np.array([_impurity(state, p.n_levels) for state in states]),
    }


def _impurity(rho: np.ndarray, n_levels: int) -> float:
    """1 - Tr rho_osc^2."""
    spins = rho.shape[0] // n_levels
    reduced = rho.reshape(spins, n_levels, spins, n_levels).trace(axis1=0, axis2=2)
    return 1 - float(np.sum(np.abs(reduced) ** 2))


# --- the peers -------------------------------------------------------------------------------------------------------

Solve = Callable[[np.ndarray], dict[str, np.ndarray]]


def available() -> tuple[list[str], list[str]]:
    """Installed peers, and one line for each that is missing, with the command that brings it."""
    found = [name for name in PACKAGES if find_spec(name) is not None]
    missing = [
        f"{name} is not installed, its rows are left out: pip install '{PACKAGES[name]}'"
        for name in PACKAGES
        if name not in found
    ]
    return found, missing


def variants(peer: str) -> tuple[str, ...]:
    """Ways of running a peer among which a short measurement chooses.

    dynamiqs' DIA layout is left out: functions of x fill some 30 diagonals here, and at N = 1 it took 139 s to compile
    against 11 s and ran three times slower than dense (dynamiqs 0.3.7, 2 busy CPU cores).
    """
    return {"dynamiqs": ("dense",), "qutip": ("adams", "adams matrix form", "tsit5 matrix form")}[peer]


def solver(peer: str, p: Parameters, variant: str, frame: str, rtol: float, atol: float) -> Solve:
    """A function ts -> observables, with everything that does not depend on ts prepared."""
    return {"dynamiqs": _dynamiqs, "qutip": _qutip}[peer](p, variant, frame, rtol, atol)


def _dynamiqs(p: Parameters, layout: str, frame: str, rtol: float, atol: float) -> Solve:
    import dynamiqs as dq

    dq.set_precision("double")
    made = problem(p, frame)

    def wrap(a: np.ndarray) -> Any:
        return dq.asqarray(a, dims=made.dims, layout=getattr(dq, layout))

    hamiltonian, x, x2 = wrap(made.hamiltonian), wrap(made.x), wrap(made.x2)
    jumps = [wrap(jump) for jump in made.jumps]
    rho0 = dq.asqarray(made.rho0, dims=made.dims)
    method = dq.method.Tsit5(rtol=rtol, atol=atol, max_steps=1_000_000)

    # States are kept and the impurity read off them: with `save_extra` dynamiqs 0.3.7 compiles anew at each call.
    def solve(ts: np.ndarray) -> dict[str, np.ndarray]:
        found = dq.mesolve(hamiltonian, jumps, rho0, ts, exp_ops=[x, x2], method=method, progress_meter=False)
        expects, states = np.asarray(found.expects).real, np.asarray(found.states.to_jax())
        return {"x": expects[0], "x2": expects[1], "impurity": np.array([_impurity(s, p.n_levels) for s in states])}

    return solve


def _qutip(p: Parameters, variant: str, frame: str, rtol: float, atol: float) -> Solve:
    import qutip
    import scipy.sparse as sp

    made = problem(p, frame)
    dims = [list(made.dims)] * 2

    def wrap(a: np.ndarray) -> Any:
        return qutip.Qobj(sp.csr_matrix(a), dims=dims)

    hamiltonian, x, x2 = wrap(made.hamiltonian), wrap(made.x), wrap(made.x2)
    jumps = [wrap(jump) for jump in made.jumps]
    rho0 = wrap(made.rho0)

    def impurity(t: float, rho: Any) -> float:
        del t
        return _impurity(rho.full(), p.n_levels)

    options = {**peers_engine.qutip_options(variant, rtol, atol), "store_states": False}

    def solve(ts: np.ndarray) -> dict[str, np.ndarray]:
        e_ops = {"x": x, "x2": x2, "impurity": impurity}
        found = qutip.mesolve(hamiltonian, rho0, ts, jumps, e_ops=e_ops, options=options)
        return {name: np.asarray(values).real for name, values in found.e_data.items()}

    return solve
