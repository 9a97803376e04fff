"""Brute force for the entropic spring in plain NumPy: the master equation on the full 2^N x n space, no symmetry used.

Both forms are written literally (Eq. 21 of the paper, and its Lindblad version), with functions of x from the
eigenvectors of the truncated position operator, and integrated by the exponential of the superoperator acting on the
state.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import expm_multiply


def kron(*factors):
    return reduce(np.kron, factors)


def _kron(a, b):
    """A sparse Kronecker product of arrays."""
    return sp.kron(sp.coo_array(a), sp.coo_array(b))


class Oracle:
    """TLSs given one by one: omega_j^2 (its share of the stiffness, delta_j = M omega_j^2/2), B_j, gamma_j (a number,
    or a function of the energy)."""

    def __init__(self, stiffness, splittings, gammas, beta, omega_0, n_levels, form, mass=1.0, softening=0.0):
        n_spins = len(stiffness)
        p = 1 / (1 + np.exp(beta * np.asarray(splittings)))
        eff = np.sqrt(omega_0**2 - softening + np.sum(stiffness * p))
        a = np.diag(np.sqrt(np.arange(1.0, n_levels)), 1)
        nodes, vectors = np.linalg.eigh((a + a.T) / np.sqrt(2 * mass * eff))
        function = lambda f: vectors @ np.diag(f(nodes)) @ vectors.T
        eye, up = np.eye(n_levels), np.diag([1.0, 0.0])
        raising = np.array([[0.0, 1.0], [0.0, 0.0]])

        def at(j, op, osc):
            return kron(*[op if i == j else np.eye(2) for i in range(n_spins)], osc)

        # p^2/2M + M omega_0^2 x^2/2 as the omega_eff oscillator plus the rest of the potential
        number = np.diag(np.arange(n_levels) + 0.5)
        bare = eff * number + function(lambda x: mass * (omega_0**2 - softening - eff**2) * x**2 / 2)
        H = kron(np.eye(2**n_spins), bare)
        terms = []
        for j in range(n_spins):
            energy = lambda x, j=j: splittings[j] + mass * stiffness[j] * x**2 / 2
            H = H + at(j, up, function(energy))
            occupation = lambda x, e=energy: 1 / np.expm1(beta * e(x))
            gamma = lambda x, j=j, e=energy: gammas[j](e(x)) if callable(gammas[j]) else gammas[j]
            down = lambda x, g=gamma, o=occupation: g(x) * (o(x) + 1)
            rise = lambda x, g=gamma, o=occupation: g(x) * o(x)
            terms.append((at(j, raising.T, eye), function(down), function(lambda x, d=down: np.sqrt(d(x)))))
            terms.append((at(j, raising, eye), function(rise), function(lambda x, r=rise: np.sqrt(r(x)))))
        dim = H.shape[0]
        big = np.eye(dim)
        L = -1j * (_kron(H, big) - _kron(big, H.T))
        for s, rate, root in terms:
            R = kron(np.eye(2**n_spins), rate)
            K = s.conj().T @ s @ R
            L = L - (_kron(K, big) + _kron(big, K.T)) / 2
            if form == "lindblad":
                J = s @ kron(np.eye(2**n_spins), root)
                L = L + _kron(J, J.conj())
            else:
                L = L + (_kron(s @ R, s.conj()) + _kron(s, (R @ s.conj().T).T)) / 2
        self.generator = sp.csr_matrix(L)
        self.n_levels, self.n_spins, self.dim = n_levels, n_spins, dim
        self.x = np.real(function(lambda x: x))
        self.p = 1j * np.sqrt(mass * eff / 2) * (a.T - a)
        self.gibbs = kron(*[np.diag([q, 1 - q]) for q in p])

    def run(self, oscillator, ts):
        """Dictionary of observables at ts (uniform), from Gibbs spins (x) `oscillator`."""
        rho0 = np.kron(self.gibbs, oscillator).reshape(-1).astype(complex)
        rhos = expm_multiply(self.generator, rho0, start=ts[0], stop=ts[-1], num=len(ts), endpoint=True)
        out = {name: [] for name in ("x", "p", "x2", "p2", "impurity", "excitation", "spin_entropy")}
        s0 = entropy(self.gibbs)
        for rho in rhos.reshape(len(ts), 2**self.n_spins, self.n_levels, 2**self.n_spins, self.n_levels):
            osc = np.einsum("iaib->ab", rho)
            spins = np.einsum("iaja->ij", rho)
            mean = lambda op, osc=osc: np.real(np.trace(op @ osc))
            out["x"].append(mean(self.x))
            out["p"].append(mean(self.p))
            out["x2"].append(mean(self.x @ self.x))
            out["p2"].append(mean(self.p @ self.p))
            out["impurity"].append(1 - np.real(np.trace(osc @ osc)))
            diagonal = np.real(np.diag(spins)).reshape((2,) * self.n_spins)
            up = [np.sum(np.take(diagonal, 0, axis=j)) for j in range(self.n_spins)]
            out["excitation"].append(np.mean(up))
            out["spin_entropy"].append(entropy(spins) - s0)
        return {k: np.array(v) for k, v in out.items()}


def entropy(rho):
    w = np.linalg.eigvalsh(rho)
    w = w[w > 1e-15]
    return -np.sum(w * np.log(w))


def coherent(n_levels, alpha):
    k = np.arange(n_levels)
    amplitudes = np.exp(-(abs(alpha) ** 2) / 2) * alpha**k / np.sqrt(np.cumprod(np.r_[1.0, k[1:]]))
    return np.outer(amplitudes, amplitudes.conj())
