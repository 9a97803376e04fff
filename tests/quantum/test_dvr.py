"""The position basis: nodes, weights and signs against Gauss-Hermite quadrature and Hermite functions."""

import numpy as np
import pytest

from jaxtls.quantum import hermite_dvr, parity_dvr


def hermite_function_table(n, x):
    """phi_k(x), k < n, by the stable recurrence, with the weight taken in logs to survive large x."""
    phi = np.zeros((n, len(x)))
    phi[0] = np.pi**-0.25 * np.exp(-(x**2) / 2)
    phi[1] = np.sqrt(2) * x * phi[0]
    for k in range(2, n):
        phi[k] = np.sqrt(2 / k) * x * phi[k - 1] - np.sqrt((k - 1) / k) * phi[k - 2]
    return phi


@pytest.mark.parametrize("n", [4, 5, 40, 101, 200])
def test_rows_are_hermite_functions_on_gauss_nodes(n):
    nodes, v = hermite_dvr(n)
    phi = hermite_function_table(n, nodes)
    weights = 1 / np.sum(phi**2, axis=0)
    np.testing.assert_allclose(v, (np.sqrt(weights) * phi).T, atol=1e-11)
    np.testing.assert_allclose(v @ v.T, np.eye(n), atol=1e-12)
    np.testing.assert_allclose(nodes, -nodes[::-1], atol=1e-14)


@pytest.mark.parametrize("n", [4, 5, 40, 101])
def test_parity_blocks_hold_functions_of_x_squared(n):
    nodes, v = hermite_dvr(n)
    half_nodes, blocks = parity_dvr(n)
    full = v.T @ np.diag(np.cos(nodes**2)) @ v
    for parity in (0, 1):
        size = len(range(parity, n, 2))
        block = (blocks[parity].T @ np.diag(np.cos(half_nodes**2)) @ blocks[parity])[:size, :size]
        np.testing.assert_allclose(block, full[parity::2, parity::2], atol=1e-12)
    assert np.all(np.abs(full[0::2, 1::2]) < 1e-12)
