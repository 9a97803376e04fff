"""Telegraph processes in plain NumPy and SciPy: dense generators over 2^K joint states, sums over all paths."""

import itertools

import numpy as np
from scipy.linalg import expm


def states(k):
    """(2^K, K) of ±1, the first slowest."""
    return np.array(list(itertools.product([-1.0, 1.0], repeat=k)))


def generator(up, down):
    """dp/dt = W p over the joint states."""
    s = states(len(up))
    w = np.zeros((len(s), len(s)))
    for i, j in itertools.permutations(range(len(s)), 2):
        flipped = np.flatnonzero(s[i] != s[j])
        if len(flipped) == 1:
            k = flipped[0]
            w[j, i] = up[k] if s[i, k] < 0 else down[k]
    return w - np.diag(w.sum(0))


def stationary(up, down):
    high = np.asarray(up) / (np.asarray(up) + np.asarray(down))
    return np.prod(np.where(states(len(up)) > 0, high, 1 - high), axis=1)


def coherence(a, up, down, t, pulses):
    """<exp(i int y xi)> by dense exponentials, one for every stretch between pulses."""
    w, xi = generator(up, down), np.diag(states(len(up)) @ np.asarray(a))
    flips = [t * (j + 0.5) / pulses for j in range(pulses)]
    p, y = stationary(up, down).astype(complex), 1
    for stretch in np.diff([0.0, *flips, t]):
        p, y = expm((w + 1j * y * xi) * stretch) @ p, -y
    return p.sum()


def log_likelihood(a, up, down, ts, signal, sigma, offset):
    """ln of the sum over all paths, each path's logarithm kept."""
    s = states(len(up))
    xi, p = s @ np.asarray(a), stationary(up, down)
    w = generator(up, down)
    steps = [expm(w * dt) for dt in np.diff(ts)]
    e = -0.5 * ((signal[:, None] - offset - xi) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    found = []
    for path in itertools.product(range(len(s)), repeat=len(ts)):
        chance = p[path[0]] * np.prod([steps[i][b, a] for i, (a, b) in enumerate(itertools.pairwise(path))])
        if chance > 0:
            found.append(np.log(chance) + sum(e[i, state] for i, state in enumerate(path)))
    return np.logaddexp.reduce(found)
