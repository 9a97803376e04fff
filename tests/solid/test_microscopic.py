"""Eq. 26 against Eq. 27: where the transformed Hamiltonian holds, and that its couplings are the entropic spring's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.models.solid import effective_hamiltonian, microscopic_hamiltonian


def levels(build, *arguments, count=4, **options):
    return np.linalg.eigvalsh(np.asarray(build(*arguments, **options)))[:count]


def test_microscopic_hamiltonian_is_eq_26():
    n = 5
    h = microscopic_hamiltonian(1.3, [20.0, 30.0], [0.4, 0.5], [0.2, -0.1], n_levels=n, mass=2.0)
    a = np.diag(np.sqrt(np.arange(1, n)), 1)
    x = (a + a.T) / np.sqrt(2 * 2.0 * 1.3)
    sz, sx, one, eye = np.diag([1.0, -1]), np.array([[0.0, 1], [1, 0]]), np.eye(2), np.eye(n)
    expected = np.kron(np.eye(4), 1.3 * (a.T @ a + eye / 2))
    expected += np.kron(np.kron(10 * sz, one) + np.kron(one, 15 * sz), eye)
    expected += np.kron(np.kron(0.4 * sx + 0.2 * sz, one) + np.kron(one, 0.5 * sx - 0.1 * sz), x)
    assert_allclose(h, expected, atol=1e-13)


@pytest.mark.parametrize("g_z, first", [(0.0, 0.06), (0.3, 0.2)])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_effective_spectrum_converges_for_stiff_tls(count, g_z, first):
    """At fixed w_j (g_x ~ sqrt e) the error of the phonon's frequency falls as omega_p/e."""
    spread = np.array([1.0, 1.4, 2.1])[:count]
    errors = []
    for e in (20.0, 80.0):
        energies = e * spread
        arguments = (1.0, energies, np.sqrt(energies / (10 * count)), np.full(count, g_z))
        found = [levels(b, *arguments, count=3, n_levels=18) for b in (microscopic_hamiltonian, effective_hamiltonian)]
        exact, effective = (e[1:] - e[0] for e in found)
        assert exact[0] < 0.995  # softer than the bare phonon
        errors.append(np.max(np.abs(exact - effective)) / (1 - exact[0]))
    assert errors[0] < first and errors[1] < errors[0] / 2.5
    # the polaron's energy is that of the softened oscillator, wbar^2 = 0.4, not of the bare one as in Eq. 27
    missing = (count * g_z) ** 2 / 2 * (1 / 0.8 - 1)
    assert_allclose(found[0][0] - found[1][0], -missing, atol=3e-3)


@pytest.mark.parametrize("e, error", [(10.0, 0.022), (80.0, 0.0042)])
def test_error_that_the_docstring_states(e, error):
    arguments = (1.0, [e], [np.sqrt(0.4 * e / 4)], [0.0])
    exact, effective = (
        levels(b, *arguments, count=2, n_levels=24) for b in (microscopic_hamiltonian, effective_hamiltonian)
    )
    shift = 1 - (exact[1] - exact[0])
    assert_allclose((exact[1] - exact[0] - effective[1] + effective[0]) / shift, error, rtol=0.03)


def test_spin_state_decides_the_stiffness():
    """A TLS that is up stiffens the phonon by as much as one that is down softens it, as Eq. 27 has it."""
    e, g = 60.0, 1.2
    exact = levels(microscopic_hamiltonian, 1.0, [e], [g], [0.0], count=200, n_levels=16)
    square = 4 * g**2 / e
    down = exact[1] - exact[0]
    upper = exact[exact > 0][:2]
    assert_allclose(down, np.sqrt(1 - square / 2), rtol=2e-3)
    assert_allclose(upper[1] - upper[0], np.sqrt(1 + square / 2), rtol=2e-3)
    spring = jt.EntropicSpring.from_couplings([g], [e], omega_p=1.0, beta=1e3, gamma=1.0)
    assert_allclose(spring.effective_frequency, np.sqrt(1 - square / 2), rtol=1e-9)


def test_ising_term_is_the_polaron_energy():
    arguments = (1.0, [50.0, 60.0], [0.0, 0.0], [0.3, -0.2])
    exact = levels(microscopic_hamiltonian, *arguments, count=1, n_levels=30)[0]
    assert_allclose(levels(effective_hamiltonian, *arguments, count=1, n_levels=30)[0], exact, rtol=1e-10)
    without = levels(effective_hamiltonian, *arguments, count=1, n_levels=30, ising=False)[0]
    assert_allclose(without - exact, 0.1**2 / 2, rtol=1e-6)


def test_bad_input():
    with pytest.raises(ValueError, match="g_x"):
        microscopic_hamiltonian(1.0, [1.0, 2.0], [0.1], [0.1, 0.2], n_levels=4)
    with pytest.raises(ValueError, match="1 to 6"):
        effective_hamiltonian(1.0, np.ones(7), np.ones(7), np.ones(7), n_levels=4)
