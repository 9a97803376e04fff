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


def test_flops_of_trajectories():
    """Seven products of a full matrix with a ket, and sums of kets, a step."""
    h = np.random.default_rng(0).normal(size=(5, 5))
    problem = Problem(h + h.T, [h], np.eye(5, dtype=complex), {}, (5,))
    assert work.trajectories(problem, 3)["flops"] == 3 * (7 * 8 * 5**2 + 26 * 4 * 5)


def test_what_concurrence_adds_to_the_matrices():
    matrices, none, some = (
        work.pairs_of_a_glass(5, 3, False, 2),
        work.concurrences_of_a_glass(5, 3, False, 0, 2),
        work.concurrences_of_a_glass(5, 3, False, 4, 2),
    )
    assert none["flops"] - matrices["flops"] == 2 * 10 * 3 * 200
    assert some["flops"] - none["flops"] == 2 * 4 * 6000
    assert work.reverse(some) == {name: 4 * amount for name, amount in some.items()}


def test_flops_of_half_of_a_glass_are_those_of_its_eigenvalues_at_last():
    """16/3 n^3 for each of N complex matrices of 2^(N/2), once that is large."""
    for n, excess in ((12, 1.0), (24, 0.02)):
        eigenvalues = n * 16 / 3 * 8 ** (n // 2)
        assert 0 < work.half_system(n, 1)["flops"] / eigenvalues - 1 < excess


def test_flops_of_short_chains_are_those_of_their_solution_at_last():
    """2/3 n^6 for the dense equations of n^2 unknowns, beside the n^2 columns that four products make."""
    n, count = 40, 3
    assert work.fermions(n, count)["flops"] == pytest.approx(count * (2 / 3 * n**6 + 8 * n**5), rel=0.01)


def test_an_equation_of_few_levels_is_counted_as_an_exponential():
    """It has no terms to count."""
    problem = engine.ising(2)
    assert work.constant(problem, {"steps": 10}) == work.exponentials(4, 1, 10)
    stats = {"steps": 10, "terms": 7, "levels": 4}
    assert work.constant(problem, stats) == work.products(problem, 70)
