"""Measures of kets and of other libraries' states."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxtls import quantum as jq

BELL = np.array([1.0, 0.0, 0.0, 1.0]) / np.sqrt(2)
MIXED = 0.6 * np.outer(BELL, BELL) + 0.1 * np.eye(4)


def test_kets_count_as_their_projectors():
    whole = jq.to_density_matrix(BELL)
    for measure in (jq.purity, jq.von_neumann_entropy, jq.concurrence, lambda s: jq.negativity(s, (2, 2))):
        assert_allclose(measure(BELL), measure(whole), atol=1e-10)
    for measure in (jq.relative_entropy, jq.trace_distance, jq.fidelity):
        assert_allclose(measure(BELL, MIXED), measure(whole, MIXED), atol=1e-7)
        assert_allclose(measure(MIXED, BELL), measure(MIXED, whole), rtol=1e-7)
    assert_allclose(jq.trace_distance(BELL, np.eye(4)[0]), np.sqrt(0.5), atol=1e-10)


def test_qutips_states_are_taken():
    qutip = pytest.importorskip("qutip")
    ket, rho = qutip.Qobj(BELL[:, None], dims=[[2, 2], [1, 1]]), qutip.Qobj(MIXED, dims=[[2, 2], [2, 2]])
    for state, array in ((ket, BELL), (rho, MIXED)):
        for measure in (
            jq.purity, jq.von_neumann_entropy, jq.concurrence, lambda s: jq.negativity(s, (2, 2)),
            lambda s: jq.partial_trace(s, (2, 2), 0), lambda s: jq.expect(np.kron(jq.sigma_z(), np.eye(2)), s),
            lambda s: jq.fidelity(s, MIXED), lambda s: jq.trace_distance(MIXED, s), jq.to_density_matrix,
        ):  # fmt: skip
            assert_allclose(measure(state), measure(array), atol=1e-10)
    assert_allclose(jq.concurrence(rho), qutip.concurrence(rho), atol=1e-7)
    assert_allclose(jq.purity([ket, ket]), [1.0, 1.0], atol=1e-12)
    assert_allclose(jq.expect(qutip.sigmaz(), qutip.basis(2, 1)), -1.0)


def test_dynamiqs_states_are_taken():
    dq = pytest.importorskip("dynamiqs")
    assert_allclose(jq.von_neumann_entropy(dq.asqarray(jnp.asarray(MIXED), dims=(2, 2))), jq.von_neumann_entropy(MIXED))
    assert_allclose(jq.purity(dq.basis(4, 1)), 1.0)
