"""What the algorithms have to do: operations and bytes, from what a solution says it did.

Counted are arithmetic operations (a complex product with its sum: 8) and the least traffic (each array of a pass read
or written once, wherever it lies), of the algorithm and not of what a compiler makes of it. `harness` holds them
against the machine's ceilings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from jaxtls.models.glass.pairs import PARTNERS
from jaxtls.models.spring.splitting import sector_dvr

from .peers_engine import Problem

Work = dict[str, float]


def strang(stats: Mapping[str, Any]) -> Work:
    """The spring's splitting: products with a real change of basis, phases, and the spins' flow at each (x, x')."""
    steps, m = int(stats["steps"]), int(stats["n_coefficients"])
    sectors, h, _ = sector_dvr(int(stats["n_levels"]))[1].shape
    state = sectors**2 * m * h**2
    transforms, phases, flow = 8 * h * state, 6 * state, 4 * m * state
    tables = 2 * sectors**2 * h**2 + 2 * m**2 * h**2
    return _work(steps * (transforms + phases + flow), steps * 8 * (7 * 2 * state + tables))


def products(problem: Problem, count: float, levels: int | None = None) -> Work:
    """`count` applications of a Lindblad equation to the elements that rho0 leads to, on some of the levels."""
    kept = 1.0 if levels is None else levels / problem.size
    elements = filled(problem) * kept**2
    decay = sum(jump.conj().T @ jump for jump in problem.jumps)
    row = np.count_nonzero(problem.hamiltonian - 0.5j * decay) + 2 * sum(map(np.count_nonzero, problem.jumps))
    return _work(8 * count * elements * row / problem.size, 3 * 16 * count * elements)


def expansion(problem: Problem, stats: Mapping[str, Any]) -> Work:
    """Faber's: `terms` applications a step."""
    return products(problem, int(stats["steps"]) * int(stats["terms"]), int(stats["levels"]))


def constant(problem: Problem, stats: Mapping[str, Any]) -> Work:
    """What solved an equation that does not depend on time: an expansion, or one exponential of few levels."""
    return expansion(problem, stats) if "terms" in stats else exponentials(problem.size, 1, int(stats["steps"]))


def runge_kutta(problem: Problem, stats: Mapping[str, Any], stages: int, levels: int | None = None) -> Work:
    """An explicit method of some stages, rejected steps among its steps."""
    return products(problem, int(stats["steps"]) * stages, levels)


def exponentials(dimension: int, count: int, steps: int) -> Work:
    """`count` matrix exponentials by Pade 13 and some five squarings (11 products and a solve), then steps of them."""
    d = dimension**2
    return _work(count * (12 * 2 * d**3 + steps * 2 * d**2), count * 8 * (12 * 3 * d**2 + steps * d**2))


def factorisation(filled: tuple[np.ndarray, np.ndarray], solutions: int = 1) -> Work:
    """A complex LU with so many entries in each column of L and each row of U, as SciPy's has of the same equation."""
    lower, upper = (np.asarray(counts, float) for counts in filled)
    entries = np.sum(lower + upper)
    return _work(8 * np.sum(lower * upper) + 8 * solutions * entries, 16 * (1 + solutions) * entries)


def reverse(forward: Work) -> Work:
    """A gradient in reverse mode that keeps few states: forward twice, and two products for each one backward."""
    return {name: 4 * amount for name, amount in forward.items()}


def trajectories(problem: Problem, steps: float) -> Work:
    """Steps of all quantum-jump trajectories: seven slopes by Dormand & Prince of a ket, and their sums."""
    decay = sum(jump.conj().T @ jump for jump in problem.jumps)
    filled, sums = np.count_nonzero(problem.hamiltonian - 0.5j * decay), 20 + 6  # a_ij and the error's weights
    return _work(steps * (7 * 8 * filled + 4 * sums * problem.size), steps * 16 * problem.size * (2 * 7 + sums))


def fermions(n: int, count: int) -> Work:
    """Steady states of `count` short chains: modes of n sites, the dense equations of n^2 unknowns, heat currents."""
    modes, columns, solution = (9 + 6 * 2) * n**3, n**2 * 4 * 2 * n**3, 2 * n**6 / 3 + 4 * n**4
    return _work(count * (modes + columns + solution), count * 8 * (2 * n**4 + 6 * n**2))


def half_system(n: int, n_times: int) -> Work:
    """Around each site: 3^k products over the others, a matrix of 2^k from them, its eigenvalues; k = N/2."""
    k = n // 2
    table, matrix, eigenvalues = 3**k * (2 * n * k + 30 * (n - k)), 4**k * 6 * k, 16 / 3 * 8**k
    return _work(n * n_times * (table + matrix + eigenvalues), n * n_times * 16 * (3**k * n + 4**k * (2 * k + 2)))


def pairs_of_a_glass(n: int, n_times: int, thermal: bool, count: int = 1) -> Work:
    """The loop over pairs and partners: a product of two tabulated phases, or an exponential; a factor, its product."""
    turns = count * n**3 * n_times
    return _work(turns * (60 if thermal else 20), turns * 2 * 16 / (PARTNERS if thermal else 1))


def concurrences_of_a_glass(n: int, n_times: int, thermal: bool, entangled: float, count: int = 1) -> Work:
    """From the sites to C of all pairs: a determinant for each; a factor and 24 rotations where it does not clear C.

    `entangled`: how many pairs and times of one glass these are.
    """
    matrices, pairs = pairs_of_a_glass(n, n_times, thermal, count), count * n * (n - 1) / 2 * n_times
    left = count * entangled
    flops, traffic = 200 * pairs + 6000 * left, 16 * 8 * pairs + 16 * 16 * 30 * left
    return _work(matrices["flops"] + flops, matrices["bytes"] + traffic)


def filled(problem: Problem) -> int:
    """How many elements of rho ever differ from zero, by the connected components of H and where jumps lead."""
    decay = sum(np.abs(jump.conj().T @ jump) for jump in problem.jumps)
    count, label = connected_components(sparse.csr_array((np.abs(problem.hamiltonian) + decay) > 0), directed=False)
    leads: list[set[tuple[int, int]]] = [
        set(zip(label[np.nonzero(j)[1]], label[np.nonzero(j)[0]])) for j in problem.jumps
    ]
    found = set(zip(*(label[index] for index in np.nonzero(problem.rho0))))
    new = found
    while new:
        reached = {(c, d) for a, b in new for jump in leads for x, c in jump if x == a for y, d in jump if y == b}
        new = reached - found
        found = found | new
    size = np.bincount(label, minlength=count)
    return int(sum(size[a] * size[b] for a, b in found))


def _work(flops: float, traffic: float) -> Work:
    return {"flops": float(flops), "bytes": float(traffic)}
