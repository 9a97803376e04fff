"""The glass's benchmark: its peers' matrices are jaxtls's model, and each part runs small and without peers."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from benchmarks import glass, peers_glass, peers_spring

from .runs import rows


@pytest.mark.slow
@pytest.mark.parametrize("occupation", [0.0, glass.HOT])
def test_matrices_are_the_models(occupation):
    """exp(t L) of the operators that the peers are given, and the plain NumPy closed form, against jaxtls."""
    model, bloch, plain = glass._draw(3, occupation)
    ts = np.array([0.0, 3e-3, 0.2])
    h, jumps, rho0 = peers_glass._operators(plain)
    one = np.eye(8)
    left, right = lambda a: np.kron(a, one), lambda a: np.kron(one, a.T)
    superoperator = -1j * (left(h) - right(h))
    for rate, op in jumps:
        number = op.conj().T @ op
        superoperator = superoperator + rate * (np.kron(op, op.conj()) - (left(number) + right(number)) / 2)
    states = np.stack([(expm(superoperator * t) @ rho0.reshape(-1)).reshape(8, 8) for t in ts])
    found = model.pair_density_matrices(bloch, jnp.asarray(ts))
    np.testing.assert_allclose(found, peers_glass._all_pairs(states, 3), atol=1e-12)
    np.testing.assert_allclose(found, peers_glass.numpy_pairs(plain, ts), atol=1e-12)
    concurrence = peers_glass.numpy_concurrence(np.asarray(found)).sum(1) / 3
    # eigenvalues of rho rho~ have lost half of the digits
    np.testing.assert_allclose(model.concurrence(bloch, jnp.asarray(ts)), concurrence, atol=1e-6)


@pytest.mark.slow
def test_without_peers_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(peers_spring, "find_spec", lambda name: None)
    [ours] = rows("glass", "peers", tmp_path)
    assert ours["name"] == "jaxtls" and ours["error"]["max"] < 1e-11
    said = capsys.readouterr().out
    assert "pip install 'dynamiqs" in said and "pip install 'qutip" in said


@pytest.mark.slow
def test_quick_realization(tmp_path):
    found = rows("glass", "realization", tmp_path, "--no-peers")
    assert [(row["name"], row["size"]["f"]) for row in found] == [
        (name, f) for f in (0.0, glass.HOT) for _ in range(2) for name in ("jaxtls", "NumPy")
    ]
    assert all(row["ratio_to"] == "jaxtls" for row in found if row["name"] == "NumPy")
    assert all(row["error"]["max"] < 1e-6 for row in found if row["name"] == "jaxtls")
    assert found[0]["work"]["flops"] == 20 * 12**3 * 6


@pytest.mark.slow
@pytest.mark.parametrize(
    "part, sizes", [("throughput", {"batch": [1, 4]}), ("size", {"N": [6, 12], "pairs": [15, 66]})]
)
def test_quick_sweeps(part, sizes, tmp_path):
    found = rows("glass", part, tmp_path, "--no-peers")
    assert {name: [row["size"][name] for row in found[:2]] for name in sizes} == sizes


@pytest.mark.slow
def test_quick_gradient(tmp_path):
    found = rows("glass", "gradient", tmp_path, "--no-peers")
    assert [row["name"] for row in found] == ["value", "value and gradient"] * 2
    assert all(row["error"]["d eps"] < 1e-5 for row in found if row["name"] == "value and gradient")
