"""Plain NumPy superoperators on the full 4^N space; basis (ground, excited) per site, first site slowest."""

import numpy as np


def lowering(n):
    single = np.array([[0.0, 1.0], [0.0, 0.0]])
    return [np.kron(np.kron(np.eye(2**i), single), np.eye(2 ** (n - 1 - i))) for i in range(n)]


def dissipator(jump):
    """On row-major vectors, real jumps."""
    one = np.eye(len(jump))
    square = jump.T @ jump
    return np.kron(jump, jump) - (np.kron(square, one) + np.kron(one, square)) / 2


def hamiltonian(w, coherent):
    n, a = len(w), lowering(len(w))
    h = sum(w[i] * a[i].T @ a[i] for i in range(n))
    for i in range(n):
        for k in range(i):
            h = h + coherent[i, k] * (a[i].T @ a[k] + a[k].T @ a[i])
    return h


def local_baths(w, beta, rate):
    a = lowering(len(w))
    return [rate[i] * dissipator(a[i]) + rate[i] * np.exp(-beta[i] * w[i]) * dissipator(a[i].T) for i in range(len(w))]


def global_baths(w, beta, rate, coherent):
    """Davies: sigma_x of each site split by Bohr frequency, equal ones together."""
    energies, v = np.linalg.eigh(hamiltonian(w, coherent))
    bohr = energies[None, :] - energies[:, None]
    found = []
    for i, a in enumerate(lowering(len(w))):
        x = v.T @ (a + a.T) @ v
        total = 0
        for released in np.unique(np.round(bohr[np.abs(x) > 1e-12], 9)):
            part = v @ np.where(np.abs(bohr - released) < 1e-8, x, 0.0) @ v.T
            total = total + rate[i] * np.exp(beta[i] * min(released, 0.0)) * dissipator(part)
        found.append(total)
    return found


class Oracle:
    """Steady state and ledger of a network of few sites."""

    def __init__(self, w, beta, rate, incoherent=None, coherent=None, thermalizer="local"):
        self.w, self.beta, n = np.asarray(w), np.asarray(beta), len(w)
        coherent = np.zeros((n, n)) if coherent is None else np.asarray(coherent)
        incoherent = np.zeros((n, n)) if incoherent is None else np.asarray(incoherent)
        self.a = lowering(n)
        self.h = hamiltonian(w, coherent)
        one = np.eye(2**n)
        baths = local_baths(w, beta, rate) if thermalizer == "local" else global_baths(w, beta, rate, coherent)
        noise = np.zeros((4**n, 4**n))
        for i in range(n):
            for k in range(n):
                noise = noise + incoherent[i, k] * dissipator(self.a[i].T @ self.a[k])
        self.baths, self.noise = baths, noise
        self.generator = -1j * (np.kron(self.h, one) - np.kron(one, self.h.T)) + sum(baths) + noise
        # Trace 1 in place of one equation, which the others imply; a second steady state would make this singular.
        equations = self.generator.copy()
        equations[0] = one.reshape(-1)
        rho = np.linalg.solve(equations, np.eye(4**n)[0].astype(complex))
        assert np.max(np.abs(self.generator @ rho)) < 1e-12
        self.rho = rho.reshape(2**n, 2**n)

    def power(self, part):
        return np.trace(self.h @ (part @ self.rho.reshape(-1)).reshape(self.rho.shape)).real

    @property
    def heat(self):
        return np.array([self.power(bath) for bath in self.baths])

    @property
    def work(self):
        return self.power(self.noise)

    @property
    def correlations(self):
        numbers = [np.diagonal(a.T @ a) for a in self.a]
        p = np.diagonal(self.rho).real
        return np.array([[np.sum(p * x * y) for y in numbers] for x in numbers])
