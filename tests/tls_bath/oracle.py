"""Plain NumPy and SciPy: dense matrices and sums over all states; shares no code with what it checks."""

import itertools

import numpy as np
import scipy.linalg


def lorentzians(frequencies, couplings, widths, w):
    return sum(2 * g**2 * d / (d**2 + (w - f) ** 2) for f, g, d in zip(frequencies, couplings, widths))


def amplitude(frequencies, couplings, relaxation, w, ts, kappa=0.0):
    """exp of the arrow matrix."""
    n = len(frequencies)
    a = np.zeros((n + 1, n + 1), complex)
    a[0, 0] = -kappa / 2
    a[range(1, n + 1), range(1, n + 1)] = -1j * (np.asarray(frequencies) - w) - np.broadcast_to(relaxation, n) / 2
    a[0, 1:] = a[1:, 0] = -1j * np.asarray(couplings)
    return np.array([scipy.linalg.expm(a * t)[0, 0] for t in ts])


def populations(exchange, relaxation, ts, kappa, excited, start, thermal):
    """exp of the Solomon matrix, about the equilibrium."""
    n = len(exchange)
    a = np.diag(-np.concatenate([[kappa + np.sum(exchange)], np.broadcast_to(relaxation, n) + exchange]))
    a[0, 1:] = a[1:, 0] = exchange
    x = np.concatenate([[excited], np.broadcast_to(start, n)]) - thermal
    return np.array([thermal + (scipy.linalg.expm(a * t) @ x)[0] for t in ts])


def fluctuating_rate(frequency, coupling, width, shifts, up, down, w, taus):
    """Mean and autocovariance of one TLS's rate over the 2^M states, by the exponential of their master equation."""
    m = len(shifts)
    states = np.array(list(itertools.product([1, -1], repeat=m)))
    rate = np.array([lorentzians([frequency + s @ np.asarray(shifts)], [coupling], [width], w) for s in states])
    generator = np.zeros((2**m, 2**m))
    for i, s in enumerate(states):
        for k in range(m):
            t = s.copy()
            t[k] *= -1
            j = int(np.flatnonzero((states == t).all(axis=1))[0])
            generator[j, i] += up[k] if s[k] < 0 else down[k]
            generator[i, i] -= up[k] if s[k] < 0 else down[k]
    stationary = np.prod([np.where(states[:, k] > 0, up[k], down[k]) / (up[k] + down[k]) for k in range(m)], axis=0)
    mean = rate @ stationary
    both = [rate @ scipy.linalg.expm(generator * abs(tau)) @ (stationary * rate) for tau in taus]
    return mean, np.array(both) - mean**2


def lindblad_qubit_and_tls(g, detuning, relaxation, dephasing, ts):
    """p_q of a qubit without loss and one TLS, from the full 4-level master equation."""
    lower, one = np.array([[0.0, 1.0], [0.0, 0.0]]), np.eye(2)
    q, b = np.kron(lower, one), np.kron(one, lower)
    h = g * (q.T @ b + b.T @ q) + detuning * b.T @ b
    jumps = [np.sqrt(relaxation) * b, np.sqrt(2 * dephasing) * b.T @ b]
    eye = np.eye(4)
    liouvillian = -1j * (np.kron(h, eye) - np.kron(eye, h.T))
    for c in jumps:
        n = c.T @ c
        liouvillian = liouvillian + np.kron(c, c) - (np.kron(n, eye) + np.kron(eye, n.T)) / 2
    rho = np.zeros((4, 4), complex)
    rho[2, 2] = 1.0  # basis (ground, excited), qubit first
    number = q.T @ q
    return np.array(
        [np.trace(number @ (scipy.linalg.expm(liouvillian * t) @ rho.ravel()).reshape(4, 4)).real for t in ts]
    )
