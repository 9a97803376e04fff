"""The glass as others would do it: the closed form in plain NumPy, the 4^N master equation in QuTiP and dynamiqs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

_PAULI = (np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0]))


@dataclass(frozen=True)
class Glass:
    """Arrays of one glass and its initial Bloch vectors."""

    nu: np.ndarray
    J: np.ndarray
    Y: np.ndarray
    f: float
    eps: float
    bloch: np.ndarray


def numpy_pairs(g: Glass, ts: np.ndarray) -> np.ndarray:
    """All rho_ij, i < j, (T, P, 4, 4): the formulas as one writes them down, vectorised over pairs and times."""
    n = len(g.nu)
    down, up = 4 * g.eps * g.Y * g.f, 4 * g.eps * g.Y * (1 + g.f)  # G-, G+
    total = up + down
    p_up, p_down = (1 + g.bloch[:, 2]) / 2, (1 - g.bloch[:, 2]) / 2
    c = (g.bloch[:, 0] - 1j * g.bloch[:, 1]) / 2
    c = c[:, None] * np.exp((1j * g.nu - total / 2)[:, None] * ts)

    def moved(k: Any, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """e^{Mt} p of sites k (broadcast) for phases phi (..., 1)."""
        a, b = up[k][..., None], down[k][..., None]
        pu, pd = p_up[k][..., None], p_down[k][..., None]
        if g.f == 0:
            phase, r = np.exp(-1j * phi * ts), a / (a - 2j * phi)
            last = pd * np.exp(-a * ts) / phase
            return phase * (pu + r * pd) - r * last, last
        beta = (a - b) / 2 - 1j * phi
        w = np.sqrt(beta**2 + a * b)
        rise, fall = np.exp((w - (a + b) / 2) * ts), np.exp(-(w + (a + b) / 2) * ts)  # cosh would overflow
        ch, s = (rise + fall) / 2, (rise - fall) / (2 * w)
        return (ch + beta * s) * pu + a * s * pd, b * s * pu + (ch - beta * s) * pd

    phi = 4 * g.J + 1e-300 * np.eye(n)
    site = np.broadcast_to(np.arange(n), (n, n))
    v_up, v_down = moved(site, phi[:, :, None])  # [coherent i, kept j, t]
    table = v_up + v_down
    table[np.arange(n), np.arange(n)] = 1
    before, after = np.ones_like(table), np.ones_like(table)
    for k in range(1, n):
        before[:, k] = before[:, k - 1] * table[:, k - 1]
        after[:, n - 1 - k] = after[:, n - k] * table[:, n - k]
    others = c[:, None] * before * after
    single = {+1: others * v_up, -1: others * v_down}

    i, j = np.triu_indices(n, 1)
    both = {}
    for sign in (1, -1):
        product = np.ones((len(i), len(ts)), complex)
        for k in range(n):
            u, d = moved(np.full(len(i), k), (phi[i, k] + sign * phi[j, k])[:, None])
            product *= np.where(((i == k) | (j == k))[:, None], 1, u + d)
        both[sign] = product * c[i] * (c[j] if sign > 0 else c[j].conj())
    rest = moved(np.arange(n), np.full((n, 1), 1e-300))
    rho = np.zeros((len(ts), len(i), 4, 4), complex)
    for a in range(4):
        rho[:, :, a, a] = (rest[a // 2][i] * rest[a % 2][j]).real.T
    for (a, b), value in {
        (0, 1): single[1][j, i],
        (0, 2): single[1][i, j],
        (0, 3): both[1],
        (1, 2): both[-1],
        (1, 3): single[-1][i, j],
        (2, 3): single[-1][j, i],
    }.items():
        rho[:, :, a, b], rho[:, :, b, a] = value.T, value.conj().T
    return rho


def numpy_concurrence(rho: np.ndarray) -> np.ndarray:
    """Wootters' formula by eigenvalues of rho rho~."""
    flip = np.fliplr(np.diag([-1.0, 1.0, 1.0, -1.0]))
    values = np.linalg.eigvals(rho @ flip @ rho.conj() @ flip)
    s = np.sort(np.sqrt(np.maximum(values.real, 0)), axis=-1)
    return np.maximum(0, s[..., 3] - s[..., :3].sum(-1))


def _operators(g: Glass) -> tuple[np.ndarray, list[tuple[float, np.ndarray]], np.ndarray]:
    n = len(g.nu)
    at = lambda op, *sites: reduce(np.kron, [op if k in sites else np.eye(2) for k in range(n)])
    h = -0.5 * sum(g.nu[i] * at(_PAULI[2], i) for i in range(n))
    h = h + sum(g.J[i, j] * at(_PAULI[2], i) @ at(_PAULI[2], j) for i in range(n) for j in range(n) if i != j)
    raising = _PAULI[0] + 1j * _PAULI[1]
    jumps = [(g.eps * g.Y[i] * (1 + g.f), at(raising, i)) for i in range(n)]
    jumps += [(g.eps * g.Y[i] * g.f, at(raising.conj().T, i)) for i in range(n) if g.f]
    rho0 = reduce(np.kron, [(np.eye(2) + sum(x * s for x, s in zip(v, _PAULI))) / 2 for v in g.bloch])
    return h, jumps, rho0


def _all_pairs(states: np.ndarray, n: int) -> np.ndarray:
    rows = []
    for i in range(n):
        for j in range(i + 1, n):
            split = states.reshape(len(states), *(2,) * (2 * n))
            kept = [i, j]
            rest = [k for k in range(n) if k not in kept]
            order = [0, *(1 + k for k in kept + rest), *(1 + n + k for k in kept + rest)]
            split = split.transpose(order).reshape(len(states), 4, 2 ** (n - 2), 4, 2 ** (n - 2))
            rows.append(np.einsum("taxbx->tab", split))
    return np.stack(rows, axis=1)


def solver(peer: str, g: Glass, rtol: float, atol: float) -> Callable[[np.ndarray], np.ndarray]:
    """mesolve of a peer with the pair density matrices as output, (T, P, 4, 4)."""
    h, jumps, rho0 = _operators(g)
    n = len(g.nu)
    if peer == "qutip":
        import qutip

        dims = [[2] * n, [2] * n]
        hq, rq = qutip.Qobj(h, dims=dims).to("csr"), qutip.Qobj(rho0, dims=dims)
        ops = [np.sqrt(rate) * qutip.Qobj(op, dims=dims).to("csr") for rate, op in jumps]
        options = {"rtol": rtol, "atol": atol, "nsteps": 10**7, "progress_bar": ""}

        def run(ts: np.ndarray) -> np.ndarray:
            states = qutip.mesolve(hq, rq, ts, ops, options=options).states
            return _all_pairs(np.stack([s.full() for s in states]), n)

        return run
    import dynamiqs as dq

    dq.set_precision("double")
    dims = (2,) * n
    hd, rd = dq.asqarray(h, dims=dims), dq.asqarray(rho0, dims=dims)
    ops = [dq.asqarray(np.sqrt(rate) * op, dims=dims) for rate, op in jumps]
    method = dq.method.Tsit5(rtol=rtol, atol=atol, max_steps=10**7)

    def run(ts: np.ndarray) -> np.ndarray:
        states = dq.mesolve(hd, ops, rd, ts, method=method, progress_meter=False).states
        return _all_pairs(np.asarray(states.to_jax()), n)

    return run
