"""Brute force for the glass in plain NumPy: the superoperator on the full 2^N state, exponentiated by SciPy."""

from __future__ import annotations

from functools import reduce

import numpy as np
from scipy.linalg import expm

SX, SY, S0 = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
PLUS = SX + 1j * SY  # S+ = 2 |+><-|, |+> the first basis state


def at(i, op, n):
    return reduce(np.kron, [op if k == i else np.eye(2) for k in range(n)])


def superoperator(nu, J, Y, f, eps, flip_flop=None, pair_flip=None):
    """d rho/dt on rho read row by row, term by term as Eqs. 10-12 of the paper have it."""
    n = len(nu)
    H = -0.5 * sum(nu[i] * at(i, S0, n) for i in range(n))
    H = H + sum(J[i][j] * at(i, S0, n) @ at(j, S0, n) for i in range(n) for j in range(n) if i != j)
    for i in range(n):
        for j in range(i + 1, n):
            for strength, second in ((flip_flop, PLUS.conj().T), (pair_flip, PLUS)):
                if strength is not None:
                    term = strength[i][j] * at(i, PLUS, n) @ at(j, second, n)
                    H = H + term + term.conj().T
    one = np.eye(2**n)
    left, right = lambda a: np.kron(a, one), lambda a: np.kron(one, a.T)
    L = -1j * (left(H) - right(H))
    f = np.broadcast_to(f, n)
    for i in range(n):
        for op, rate in ((at(i, PLUS, n), eps * Y[i] * (f[i] + 1)), (at(i, PLUS.conj().T, n), eps * Y[i] * f[i])):
            number = op.conj().T @ op
            L = L + rate * (np.kron(op, op.conj()) - (left(number) + right(number)) / 2)
    return L


def product_state(bloch):
    return reduce(np.kron, [(np.eye(2) + v[0] * SX + v[1] * SY + v[2] * S0) / 2 for v in bloch])


def evolve(L, bloch, t):
    rho = product_state(bloch)
    return (expm(L * t) @ rho.reshape(-1)).reshape(rho.shape)


def reduced(rho, sites):
    n = int(np.log2(rho.shape[0]))
    rest = [k for k in range(n) if k not in sites]
    order = [*sites, *rest]
    split = rho.reshape([2] * (2 * n)).transpose([*order, *(n + k for k in order)])
    k = len(sites)
    split = split.reshape(2**k, 2 ** (n - k), 2**k, 2 ** (n - k))
    return np.einsum("iaja->ij", split)


def entropy(rho):
    p = np.linalg.eigvalsh(rho)
    p = p[p > 0]
    return float(-np.sum(p * np.log(p)))
