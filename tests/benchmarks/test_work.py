"""Operations are counted as a plain program would do them."""

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import splu

from benchmarks import engine, heated, work
from benchmarks.peers_engine import Problem, superoperator


def reached(problem: Problem) -> int:
    """Elements that ever differ from zero, by brute force: the closure of rho0 under the superoperator's pattern."""
    pattern = abs(superoperator(abs(problem.hamiltonian) * 1j, [abs(jump) for jump in problem.jumps])) > 1e-12
    found = np.abs(problem.rho0).reshape(-1) > 0
    while True:
        new = found | (pattern @ found)
        if (new == found).all():
            return int(found.sum())
        found = new


@pytest.mark.parametrize(
    "problem", [engine.ising(3), engine.kerr(6), heated.problem(5)], ids=["ising", "kerr", "heated"]
)
def test_elements_that_rho_fills(problem):
    assert work.filled(problem) == reached(problem)


def test_flops_of_a_full_equation():
    """Dense operators on all elements: 8 n^3 for each product with a matrix."""
    rng = np.random.default_rng(0)
    h, jump = rng.normal(size=(2, 4, 4))
    problem = Problem(h + h.T, [jump], np.eye(4, dtype=complex), {}, (4,))
    assert work.products(problem, 10)["flops"] == 10 * 3 * 8 * 4**3
    assert work.products(problem, 10, levels=2)["flops"] == 10 * 3 * 8 * 4**3 / 4


def test_flops_of_a_factorisation():
    """Of a full matrix: n^3/3 products and sums of four operations each, to leading order."""
    n = 60
    factors = splu(sparse.csc_array(np.random.default_rng(0).normal(size=(n, n)) + 0j))
    counts = np.diff(factors.L.indptr), np.diff(factors.U.tocsr().indptr)
    assert work.factorisation(counts)["flops"] == pytest.approx(8 * n**3 / 3, rel=0.1)


def test_flops_of_a_strang_step():
    stats = {"steps": 7, "n_coefficients": 3, "n_levels": 10}
    real = 7 * (4 * 3 * 2 * 10**3 + 2 * 3 * 3 * 10**2 + 4 * 3**2 * 10**2)
    assert work.strang(stats)["flops"] == real
    halves = work.strang({**stats, "n_levels": 20})["flops"]  # parities apart: products cost half
    assert halves == 7 * (4 * 3 * 2 * 20**3 / 2 + 2 * 3 * 3 * 20**2 + 4 * 3**2 * 20**2)
