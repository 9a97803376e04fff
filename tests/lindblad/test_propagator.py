"""Propagators against SciPy's exponentials, their composition, and maps of matrices made of maps of kets."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import jaxtls as jt

SZ, SX, SM = np.diag([1.0, -1.0]), np.array([[0, 1], [1, 0]]), np.array([[0, 0], [1, 0]])
TS = np.array([0.3, 0.8, 2.0])


def liouvillian(h, jumps):
    one = np.eye(len(h))
    found = -1j * (np.kron(h, one) - np.kron(one, h.T))
    for op in jumps:
        lost = op.conj().T @ op
        found = found + np.kron(op, op.conj()) - (np.kron(lost, one) + np.kron(one, lost.T)) / 2
    return found


@pytest.mark.parametrize("ts", [TS, np.linspace(0.3, 2.0, 4), np.array([0.0, 1e6])])
def test_constant(ts):
    h, jumps = 0.7 * SZ + 0.2 * SX, [0.5 * SM, 0.3 * SZ]
    found = jt.propagator(jt.Lindbladian(h, jumps), ts)
    want = [scipy.linalg.expm((t - ts[0]) * liouvillian(h, jumps)) for t in ts]
    np.testing.assert_allclose(found, want, atol=1e-9 if ts[-1] > 10 else 1e-13)


def drive(t):
    return 0.7 * SZ + 0.4 * jnp.cos(1.3 * t) * SX


@pytest.mark.slow
def test_time_dependent():
    """A product of 4000 midpoint exponentials, and the law of composition."""
    jumps = [0.5 * SM]
    found = jt.propagator(jt.Lindbladian(drive, jumps), TS)
    steps, want = np.linspace(TS[0], TS[-1], 4001), np.eye(4)
    for a, b in itertools.pairwise(steps):
        want = scipy.linalg.expm((b - a) * liouvillian(np.asarray(drive((a + b) / 2)), jumps)) @ want
    np.testing.assert_allclose(found[-1], want, atol=1e-6)
    later = jt.propagator(jt.Lindbladian(drive, jumps), TS[1:])
    np.testing.assert_allclose(later[-1] @ found[1], found[-1], atol=1e-7)


@pytest.mark.parametrize("h", [0.7 * SZ + 0.2 * SX, drive])
def test_kets_and_matrices(h):
    u, v = jt.propagator(h, TS), jt.propagator(jt.Lindbladian(h, []), TS)
    np.testing.assert_allclose(v, np.einsum("tik,tjl->tijkl", u, u.conj()).reshape(v.shape), atol=1e-7)
    np.testing.assert_allclose(u @ u.conj().mT, np.broadcast_to(np.eye(2), u.shape), atol=1e-7)
    np.testing.assert_array_equal(v[0], np.eye(4))


@pytest.mark.parametrize("driven", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_transforms(driven):
    def f(x):
        h = (lambda t: x * drive(t)) if driven else x * drive(0.4)
        return jt.propagator(jt.Lindbladian(h, [SM], rates=jnp.stack([0.3 * x])), TS)[-1].real.sum()

    f = jax.jit(f)
    want = (f(1.001) - f(0.999)) / 0.002
    values, slopes = jax.vmap(jax.value_and_grad(f))(jnp.array([0.5, 1.0]))
    np.testing.assert_allclose([values[1], slopes[1]], [f(1.0), want], rtol=1e-5)


def test_a_pulse_is_not_stepped_over():
    pulse = jt.piecewise_constant([5.0, 5.1], [np.pi / 0.2], SX)
    np.testing.assert_allclose(jt.propagator(pulse, [0.0, 10.0])[1], -1j * SX, atol=1e-7)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "name, args",
    [
        ("generator", ("sz", TS)),
        ("generator", (np.zeros((2, 3)), TS)),
        ("generator", (SM, TS)),
        (r"\bts\b", (SZ, TS[::-1])),
        (r"\bts\b", (SZ, np.zeros((2, 2)))),
    ],
)
def test_wrong_input_is_refused_by_name(name, args):
    with pytest.raises(ValueError, match=name):
        jt.propagator(*args)
