"""The problems of the case `transformed` against SciPy: jaxtls' answers, plain arrays, dressed bases, slopes."""

import numpy as np
from numpy.testing import assert_allclose

from benchmarks import transformed
from benchmarks.peers_engine import Problem, exact
from benchmarks.peers_transformed import Tuned, of_jaxtls, of_plain_arrays
from benchmarks.settings import Settings

TS = np.linspace(0.0, 0.4, 5)


def by_scipy(problem: Tuned, x: float) -> np.ndarray:
    rho0 = np.outer(problem.psi0, problem.psi0).astype(complex)
    hamiltonian = problem.fixed + x * problem.slope
    return exact(Problem(hamiltonian, problem.jumps, rho0, {"o": problem.observed}, problem.dims), TS)["o"]


def test_problems_are_what_they_say():
    for problem in (transformed.chain(2, TS), transformed.kerr_tuned(6, TS)):
        want = by_scipy(problem, 0.9)
        for answer in (of_jaxtls(problem), of_plain_arrays(problem), of_jaxtls(transformed.rotated(problem))):
            assert_allclose(answer(0.9), want, atol=1e-5)
    assert np.all(transformed.rotated(problem).fixed != 0)


def test_slopes_are_those_of_the_exact_answer():
    problem = transformed.kerr_tuned(5, TS)
    central = (by_scipy(problem, 1.001)[-1] - by_scipy(problem, 0.999)[-1]) / 2e-3
    assert_allclose(transformed.slope_of(problem, 1.0), central, rtol=1e-5)


def test_quick_rows_have_errors():
    rows = list(transformed.times_inside(Settings(quick=True, peers=False)))
    assert [row.name for row in rows] == ["NumPy's times", "made inside jit"]
    assert all(row.error["value"] < 1e-9 for row in rows)
