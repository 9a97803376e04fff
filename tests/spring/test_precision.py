"""What is small in a step keeps its digits in single precision: rounding, the same at each step, would add up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtls.models.spring.hierarchy import spin_generator, symmetric_power_flow

X2 = np.linspace(0.0, 20.0, 7)
# delta = omega^2/2N of two hundred thousand TLSs, p, q, splitting, beta, rates
NUMBERS = (1e-5, 0.2689, 0.7311, 1.0, 1.0, np.full(7, 10.0))


def generator(dtype, rate=NUMBERS[-1]):
    return spin_generator(*(jnp.asarray(v, dtype) for v in (X2, *NUMBERS[:-1], rate)), lindblad=True)


@pytest.mark.parametrize("rate", [NUMBERS[-1], 10.0 * np.exp(-X2 / 50)])
def test_dephasing_by_jumps(rate):
    single, double = generator(jnp.float32, rate), generator(jnp.float64, rate)
    assert single.ss.re.dtype == jnp.float32
    np.testing.assert_allclose(single.ss.re, double.ss.re, rtol=1e-3, atol=1e-5 * np.abs(double.ss.re).max())
    # As the definition has it, which loses digits: sqrt(A A') - (A + A')/2 for emission and absorption.
    delta, p, q, splitting, beta, _ = NUMBERS
    n = 1 / np.expm1(beta * (splitting + delta * X2))
    losses = [np.sqrt(np.outer(a, a)) - (a[:, None] + a[None, :]) / 2 for a in (rate * (n + 1), rate * n)]
    np.testing.assert_allclose(double.ss.re, p * losses[0] + q * losses[1], rtol=1e-4, atol=1e-13)


@pytest.mark.parametrize("h", [0.01, 0.3])
def test_flow_less_the_identity(h):
    flows = [
        symmetric_power_flow(generator(dtype), jnp.asarray(2e5, dtype), jnp.asarray(h, dtype), 3)
        for dtype in (jnp.float32, jnp.float64)
    ]
    (single, _), (double, imaginary) = ((np.asarray(f.re[0, 0]), np.asarray(f.im[0, 0])) for f in flows)
    np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-5 * np.abs(double).max())
    # On the diagonal x = x' the oscillator's part is kept.
    np.testing.assert_allclose(np.diag(double), 0.0, atol=1e-14)
    np.testing.assert_allclose(np.diag(imaginary), 0.0, atol=1e-14)


def test_a_level_past_the_last_excitation_stays_empty():
    flow = symmetric_power_flow(generator(jnp.float64), jnp.asarray(1.0), jnp.asarray(0.1), 3)
    whole = np.asarray(flow.re) + np.eye(3)[:, :, None, None]
    assert not np.any(whole[2]) and not np.any(whole[:, 2]) and np.all(jax.numpy.isfinite(flow.im))
