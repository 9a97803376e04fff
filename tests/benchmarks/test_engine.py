"""The engine's benchmark: its matrices are the equations that jaxtls is given, and its parts run without peers."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from benchmarks import engine, peers_engine, peers_spring

from .runs import rows


def dense_superoperator(problem):
    h, one = problem.hamiltonian, np.eye(problem.size)
    total = -1j * (np.kron(h, one) - np.kron(one, h.T))
    for c in problem.jumps:
        decay = c.conj().T @ c
        total = total + np.kron(c, c.conj()) - (np.kron(decay, one) + np.kron(one, decay.T)) / 2
    return total


def random_problem(n=3):
    rng = np.random.default_rng(0)
    matrices = rng.normal(size=(4, n, n)) + 1j * rng.normal(size=(4, n, n))
    h, rho = matrices[0] + matrices[0].conj().T, matrices[1] @ matrices[1].conj().T
    return peers_engine.Problem(h, list(matrices[2:]), rho / np.trace(rho), {"p": np.diag(np.eye(n)[0])}, (n,))


def test_sparse_answers_are_those_of_dense_matrices():
    problem, slope = random_problem(), np.diag([1.0, 0.0, -2.0])
    ts = np.linspace(0.0, 0.7, 4)
    generator = dense_superoperator(problem)
    evolve = lambda s, t: (expm(t * s) @ problem.rho0.reshape(-1)).reshape(3, 3)[0, 0].real
    np.testing.assert_allclose(peers_engine.exact(problem, ts)["p"], [evolve(generator, t) for t in ts], atol=1e-12)
    change = -1j * (np.kron(slope, np.eye(3)) - np.kron(np.eye(3), slope))
    h = 1e-5
    difference = (evolve(generator + h * change, 0.7) - evolve(generator - h * change, 0.7)) / (2 * h)
    np.testing.assert_allclose(peers_engine.exact_gradient(problem, [slope], 0.7)["p"], [difference], atol=1e-9)

    def steady(s):
        state = np.linalg.svd(s)[2][-1].conj().reshape(3, 3)
        return (state / np.trace(state))[0, 0].real

    value, derivative, _ = peers_engine.exact_steady(problem, slope)
    np.testing.assert_allclose(value["p"], steady(generator), atol=1e-12)
    difference = (steady(generator + h * change) - steady(generator - h * change)) / (2 * h)
    np.testing.assert_allclose(derivative["p"], difference, atol=1e-9)


@pytest.mark.parametrize("model", ["ising", "kerr", "pair"])
def test_what_jaxtls_is_given_is_what_peers_are_given(model):
    pairs = engine.Pairs.draw(1)
    if model == "ising":
        problem, terms, numbers = engine.ising(3), engine.ising_terms(3), (engine.FIELD, engine.BOND)
    elif model == "kerr":
        problem, numbers = engine.kerr(5), (engine.DELTA, engine.KERR, engine.DRIVE)
        terms = [[{0: term}] for term in engine.kerr_terms(5)]
    else:
        problem = pairs.problem().member(0)
        h, jumps = pairs.operators(*pairs.splittings[0], pairs.exchange[0])
        np.testing.assert_allclose(h(0.0), problem.hamiltonian, atol=1e-15)
        scaled = [np.sqrt(rate) * jump for rate, jump in zip(pairs.rates[0], jumps)]
        np.testing.assert_allclose(scaled, problem.jumps, atol=1e-15)
        return
    forms = engine._both_forms(problem, terms, numbers)
    for h, jumps in forms.values():
        np.testing.assert_allclose(jnp.asarray(h(0.0) if callable(h) else h), problem.hamiltonian, atol=1e-12)
        for found, jump in zip(jumps, problem.jumps, strict=True):
            np.testing.assert_allclose(jnp.asarray(found(0.0) if callable(found) else found), jump, atol=1e-15)


def test_a_peer_that_would_take_too_long():
    assert engine._extrapolated([], 64) == 0.0
    np.testing.assert_allclose(engine._extrapolated([(4, 1.0)], 8), 4.0)
    np.testing.assert_allclose(engine._extrapolated([(4, 1.0), (8, 8.0)], 16), 64.0)
    np.testing.assert_allclose(engine._extrapolated([(4, 1.0), (8, 1.5)], 16), 6.0)


@pytest.mark.slow
def test_without_peers_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(peers_spring, "find_spec", lambda name: None)
    [ours] = rows("engine", "kerr-gradient", tmp_path)
    assert ours["name"] == "jaxtls" and ours["ratio"] == 1.0 and max(ours["error"].values()) < 1e-5
    said = capsys.readouterr().out
    assert "pip install 'dynamiqs" in said and "pip install 'qutip" in said


@pytest.mark.slow
def test_quick_steady(tmp_path):
    found = rows("engine", "steady", tmp_path, "--no-peers")
    assert [row["name"] for row in found] == ["SciPy sparse LU with gradient", "jaxtls", "jaxtls with gradient"] * 2
    assert [set(row["error"]) for row in found if row["name"] == "jaxtls with gradient"] == [
        {"sz", "dsz/dJx"},
        {"n", "dn/dDelta"},
    ]
    assert all(max(row["error"].values()) < 1e-8 for row in found if row["error"])


@pytest.mark.slow
@pytest.mark.parametrize("part, cases", [("ising", 3), ("kerr", 2), ("batch", 1)])
def test_quick_solving(part, cases, tmp_path):
    found = rows("engine", part, tmp_path, "--no-peers")
    assert len({row["case"] for row in found}) == cases
    assert all(max(row["error"].values()) < (1e-8 if "check" in row["case"] else 1e-5) for row in found)


@pytest.mark.slow
def test_quick_trajectories(tmp_path):
    found = rows("engine", "trajectories", tmp_path, "--no-peers")
    assert len(found) == 2 and all(row["error"]["up" if k == 0 else "n"] < 0.5 for k, row in enumerate(found))
    assert all("sem" in row["error"] for row in found)
