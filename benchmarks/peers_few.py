"""Few defects by brute force: dense exponentials in NumPy and SciPy over all joint states, and QuTiP's solvers.

Nothing here shares a formula with jaxtls: the equations are written out as matrices.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
from scipy.linalg import expm

from .peers_tls import Bath

QUTIP = {"rtol": 1e-8, "atol": 1e-10, "nsteps": 10**6, "progress_bar": ""}


def amplitude_matrix(bath: Bath, w: float) -> np.ndarray:
    """A of dc/dt = A c, (J+1, J+1): the qubit first, its frequency taken off."""
    a = np.diag(np.r_[0.0, -1j * (bath.frequencies - w) - bath.relaxation / 2])
    a[0, 1:] = a[1:, 0] = -1j * bath.couplings
    return a


def amplitude(bath: Bath, w: float, ts: np.ndarray) -> np.ndarray:
    """|c(t)|² at even times from 0, by one dense exponential and its powers."""
    step, state = expm(amplitude_matrix(bath, w) * (ts[1] - ts[0])), np.eye(len(bath.couplings) + 1)[0]
    states = itertools.accumulate(ts[1:], lambda c, _: step @ c, initial=state)
    return np.array([abs(c[0]) ** 2 for c in states])


def qutip_amplitude(bath: Bath, w: float, ts: np.ndarray) -> np.ndarray:
    """|c(t)|² by QuTiP: Schroedinger's equation with the decay in the Hamiltonian, norm not restored."""
    import qutip

    h = qutip.Qobj(1j * amplitude_matrix(bath, w)).to("csr")
    start = qutip.basis(h.shape[0], 0)
    options = QUTIP | {"normalize_output": False}
    return np.asarray(qutip.sesolve(h, start, ts, e_ops=[start.proj()], options=options).expect[0]).real


def population_matrix(bath: Bath, w: float) -> np.ndarray:
    """M of dp/dt = -M p, (J+1, J+1): real and symmetric."""
    widths = bath.relaxation / 2 + bath.dephasing
    rate = 2 * bath.couplings**2 * widths / (widths**2 + (w - bath.frequencies) ** 2)
    m = np.diag(np.r_[rate.sum(), bath.relaxation + rate])
    m[0, 1:] = m[1:, 0] = -rate
    return m


def populations(bath: Bath, w: float, ts: np.ndarray) -> np.ndarray:
    """p_q(t) by one dense exponential for each time."""
    m = population_matrix(bath, w)
    return np.array([expm(-m * t)[0, 0] for t in ts])


def populations_by_modes(bath: Bath, w: float, ts: np.ndarray) -> np.ndarray:
    """p_q(t) by the modes of the symmetric matrix."""
    rates, modes = np.linalg.eigh(population_matrix(bath, w))
    return np.exp(-np.multiply.outer(ts, rates)) @ modes[0] ** 2


def joint(a: np.ndarray, up: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generator of dp/dt = W p over 2^K joint states, xi of each, and their stationary weights."""
    pairs = [np.array([[-u, d], [u, -d]]) for u, d in zip(up, down)]
    k = range(len(a))
    spread = lambda parts: functools.reduce(np.kron, parts)
    w = sum(spread([pairs[j] if j == i else np.eye(2) for j in k]) for i in k)
    xi = sum(a[i] * spread([np.array([-1.0, 1.0]) if j == i else np.ones(2) for j in k]) for i in k)
    return np.asarray(w), np.asarray(xi), spread([np.array([d, u]) / (u + d) for u, d in zip(up, down)])


def coherence(a: np.ndarray, up: np.ndarray, down: np.ndarray, ts: np.ndarray, echo: bool) -> np.ndarray:
    """D(t) at even times from 0, over 2^K joint states: one dense exponential, applied from both ends for an echo."""
    w, xi, p = joint(a, up, down)
    step = expm((w + 1j * np.diag(xi)) * (ts[1] - ts[0]) / (2 if echo else 1))
    left, right, found = np.ones(len(xi), complex), p.astype(complex), []
    for _ in ts:
        found.append(left @ right)
        right = step @ right
        if echo:  # the second half with the other sign
            left = left @ step.conj()
    return np.array(found)


def qutip_coherence(a: np.ndarray, up: np.ndarray, down: np.ndarray, ts: np.ndarray) -> np.ndarray:
    """Ramsey's D(t) by QuTiP: a qubit that K spins shift, each with jumps up and down."""
    import qutip

    k, one, z = len(a), qutip.qeye(2), qutip.sigmaz()

    def at(place: int, operator: Any) -> Any:
        return qutip.tensor([operator if j == place else one for j in range(k + 1)])

    # the lower state is the first of `basis` with this sigma_z, whose value is +1
    h = sum(-a[j] / 2 * at(0, z) * at(j + 1, z) for j in range(k))
    jumps = [np.sqrt(down[j]) * at(j + 1, qutip.basis(2, 1) * qutip.basis(2, 0).dag()) for j in range(k)]
    jumps += [np.sqrt(up[j]) * at(j + 1, qutip.basis(2, 0) * qutip.basis(2, 1).dag()) for j in range(k)]
    shares = [qutip.Qobj(np.diag([up[j], down[j]]) / (up[j] + down[j])) for j in range(k)]
    plus = (qutip.basis(2, 0) + qutip.basis(2, 1)).unit().proj()
    coherent = at(0, qutip.basis(2, 1) * qutip.basis(2, 0).dag())
    found = qutip.mesolve(h, qutip.tensor([plus, *shares]), ts, jumps, e_ops=[coherent], options=QUTIP)
    return 2 * np.asarray(found.expect[0])
