"""Brute force in plain NumPy and SciPy: the (n^2, n^2) superoperator and its exponential."""

import numpy as np
import scipy.linalg


def superoperator(h, jumps, rates=None):
    """L as a matrix on the rows of rho laid end to end."""
    n = len(h)
    one = np.eye(n)
    rates = np.ones(len(jumps)) if rates is None else rates
    s = -1j * (np.kron(h, one) - np.kron(one, h.T))
    for r, op in zip(rates, jumps):
        loss = op.conj().T @ op
        s = s + r * (np.kron(op, op.conj()) - 0.5 * (np.kron(loss, one) + np.kron(one, loss.T)))
    return s


def propagate(s, rho, ts):
    n = len(rho)
    return np.stack([(scipy.linalg.expm(s * (t - ts[0])) @ rho.reshape(-1)).reshape(n, n) for t in ts])


def null_state(s):
    vector = np.linalg.svd(s)[2][-1].conj()
    n = int(np.sqrt(len(vector)))
    state = vector.reshape(n, n)
    return state / np.trace(state)


def random_problem(n, n_jumps, seed=0):
    rng = np.random.default_rng(seed)
    h = rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))
    jumps = [rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)) for _ in range(n_jumps)]
    psi = rng.normal(size=n) + 1j * rng.normal(size=n)
    return (h + h.conj().T) / 2, jumps, np.outer(psi, psi.conj()) / np.vdot(psi, psi)


def kerr(n, detuning=0.1, kerr=-0.05, drive=0.5, n_th=0.2, gamma=1.0):
    """A driven Kerr oscillator in its bath: H, jumps, rates."""
    a = np.diag(np.sqrt(np.arange(1, n)), 1) + 0j
    h = detuning * a.T @ a + kerr / 2 * a.T @ a.T @ a @ a + drive * (a + a.T)
    return h, [a, a.T], np.array([gamma * (1 + n_th), gamma * n_th])
