"""The absorption refrigerator: one quantum current, and the noise of its heat."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

W, BETA, GAMMA = np.array([1.0, 3.0, 2.0]), np.array([1.0, 1.1, 0.2]), np.array([0.05, 0.06, 0.04])


def refrigerator(g=0.03):
    return jt.ThermalNetwork(W, BETA, GAMMA, three_body={(0, 1, 2): g})


def test_steady_state_and_currents_against_numpy():
    """The equation written out with Kronecker products, its null vector, and Tr(H L_n rho)."""
    lower, one = np.array([[0.0, 1.0], [0.0, 0.0]]), np.eye(2)
    at = lambda k, x: np.kron(np.kron(*[x if i == k else one for i in (0, 1)]), x if k == 2 else one)
    h = sum(W[k] * at(k, np.diag([0.0, 1.0])) for k in range(3))
    h[2, 5] += 0.03
    h[5, 2] += 0.03
    eye = np.eye(8)
    baths = []
    for k in range(3):
        baths.append(np.zeros((64, 64)))
        for op, rate in ((at(k, lower), GAMMA[k]), (at(k, lower.T), GAMMA[k] * np.exp(-BETA[k] * W[k]))):
            lost = op.T @ op
            baths[k] += rate * (np.kron(op, op) - (np.kron(lost, eye) + np.kron(eye, lost)) / 2)
    full = sum(baths) - 1j * (np.kron(h, eye) - np.kron(eye, h.T))
    rho = np.linalg.svd(full)[2][-1].conj().reshape(8, 8)
    rho = rho / np.trace(rho)
    net = refrigerator()
    ss = net.steady_state()
    np.testing.assert_allclose(net.density_matrix(ss), rho, atol=1e-9)
    heat = [np.trace(h @ (bath @ rho.reshape(-1)).reshape(8, 8)).real for bath in baths]
    np.testing.assert_allclose(net.heat_currents(ss), heat, atol=1e-10)
    assert heat[0] > 0  # it cools
    np.testing.assert_allclose(heat[0] / heat[2], W[0] / W[2], rtol=1e-8)
    excited = [np.trace(at(k, np.diag([0.0, 1.0])) @ rho).real for k in range(3)]
    np.testing.assert_allclose(net.populations(ss), excited, atol=1e-9)
    np.testing.assert_allclose(net.first_law_residual(ss), 0.0, atol=1e-12)


def test_heat_statistics_and_the_uncertainty_relation():
    """noise_i/w_i^2 is one number, and noise * entropy production >= 2 current^2."""
    net = refrigerator()
    found = net.heat_statistics()
    np.testing.assert_allclose(found.current, net.heat_currents(net.steady_state()), rtol=1e-7)
    np.testing.assert_allclose(found.noise / W**2, float(found.noise[0]) / W[0] ** 2, rtol=1e-8)
    entropy = float(net.entropy_production(net.steady_state()))
    assert np.all(np.asarray(found.noise) * entropy >= 2 * np.asarray(found.current) ** 2)


def test_derivative_of_the_cooling():
    cooling = jax.jit(lambda g: refrigerator(g).heat_statistics().current[0])
    np.testing.assert_allclose(jax.grad(cooling)(0.03), (cooling(0.0301) - cooling(0.0299)) / 2e-4, rtol=1e-5)


def test_two_bath_noise_of_a_coupled_pair():
    """Without three-body couplings the same statistics hold for any local network."""
    net = jt.ThermalNetwork([1.0, 1.0], [0.5, 2.0], [0.3, 0.2], incoherent=[[0.0, 0.1], [0.1, 0.0]])
    found = net.heat_statistics()
    np.testing.assert_allclose(found.current, net.heat_currents(net.steady_state()), rtol=1e-8)
    np.testing.assert_allclose(found.noise[0], found.noise[1], rtol=1e-8)


def test_wrong_input_is_refused_by_name():
    for bad in ({(0, 1): 0.1}, {(0, 1, 1): 0.1}, {(0, 1, 3): 0.1}, {(0, 1, 2): jnp.nan}, [0.1]):
        with pytest.raises(ValueError, match="three_body"):
            jt.ThermalNetwork(W, BETA, GAMMA, three_body=bad)
    with pytest.raises(ValueError, match="three_body"):
        jt.ThermalNetwork(W, BETA, GAMMA, thermalizer="global", three_body={(0, 1, 2): 0.1})


@pytest.mark.slow
def test_energies_of_a_state_in_motion_beside_hops_and_noise():
    """Energy, heat and work of a triple with two-body couplings inside and outside of it: Tr(H L rho) in NumPy."""
    w, betas, rates = np.array([1.0, 3.1, 2.0, 1.2]), np.array([1.0, 1.1, 0.2, 0.7]), np.array([0.3, 0.2, 0.4, 0.1])
    noise = np.zeros((4, 4))
    noise[0, 1], noise[0, 2], noise[1, 2], noise[2, 3], noise[1, 3] = 0.2, 0.15, 0.1, 0.3, 0.25
    hops = np.zeros((4, 4))
    hops[0, 3], hops[1, 2] = 0.4, -0.3
    noise, hops = noise + noise.T, hops + hops.T
    net = jt.ThermalNetwork(w, betas, rates, incoherent=noise, coherent=hops, three_body={(0, 1, 2): 0.5})
    lower, one = np.array([[0.0, 1.0], [0.0, 0.0]]), np.eye(2)
    at = lambda k, x: functools.reduce(np.kron, [x if i == k else one for i in range(4)])
    a = [at(k, lower) for k in range(4)]
    h = sum(w[k] * a[k].T @ a[k] for k in range(4)) + 0.5 * (a[0] @ a[1].T @ a[2] + (a[0] @ a[1].T @ a[2]).T)
    h = h + sum(hops[i, k] * (a[i].T @ a[k] + a[k].T @ a[i]) for i in range(4) for k in range(i))
    lost = lambda rho, op: op @ rho @ op.T - (op.T @ op @ rho + rho @ op.T @ op) / 2
    state = jt.evolve(
        net, net.product_state([0.9, 0.2, 0.7, 0.4]), jnp.array([0.0, 1.3]), save_states=True, rtol=1e-9, atol=1e-11
    ).states
    state = jax.tree.map(lambda x: x[-1], state)
    rho = np.asarray(net.density_matrix(state))
    gains = rates * np.exp(-betas * w)
    heat = [np.trace(h @ (rates[k] * lost(rho, a[k]) + gains[k] * lost(rho, a[k].T))).real for k in range(4)]
    both = [(i, k) for i in range(4) for k in range(i)]
    work = sum(noise[i, k] * np.trace(h @ (lost(rho, a[i].T @ a[k]) + lost(rho, a[k].T @ a[i]))).real for i, k in both)
    np.testing.assert_allclose(np.trace(rho).real, 1.0, atol=1e-9)
    np.testing.assert_allclose(net.energy(state), np.trace(h @ rho).real, atol=1e-12)
    np.testing.assert_allclose(net.heat_currents(state), heat, atol=1e-12)
    np.testing.assert_allclose(net.work_power(state), work, atol=1e-12)
    excited = np.stack([np.diag(a[k].T @ a[k]) for k in range(4)])
    np.testing.assert_allclose(net.correlations(state), (excited * np.diag(rho).real) @ excited.T, atol=1e-12)
