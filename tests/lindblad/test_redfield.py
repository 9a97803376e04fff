"""Bloch-Redfield equations against their tensor written out element by element in NumPy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

SZ, SX, SM = np.diag([1.0, -1.0]), np.array([[0, 1], [1, 0]]), np.array([[0, 0], [1, 0]])


def ohmic(eta, beta):
    """eta w / (1 - e^(-beta w)), smooth at 0."""

    def spectrum(w):
        x = beta * w
        small = jnp.abs(x) < 1e-3
        y = jnp.where(small, 1.0, x)
        return eta / beta * jnp.where(small, 1 + x / 2 + x * x / 12, y / -jnp.expm1(-y))

    return spectrum


def plain(eta, beta):
    """The same for Python floats alone."""
    return lambda w: eta / beta if w == 0 else eta * w / -math.expm1(-beta * w)


def hermitian(n, seed, real=False):
    rng = np.random.default_rng(seed)
    m = rng.normal(size=(n, n)) + (0 if real else 1j * rng.normal(size=(n, n)))
    return (m + m.conj().T) / 2


def oracle(h, couplings, cutoff=None):
    """L as an (n^2, n^2) matrix, from the golden rule's element sums in the eigenbasis."""
    e, v = np.linalg.eigh(h)
    n = len(e)
    w = e[:, None] - e[None, :]
    tensor = np.zeros((n, n, n, n), complex)
    for a_site, s in couplings:
        a = v.conj().T @ a_site @ v
        half = np.array([[s(e[q] - e[p]) / 2 for q in range(n)] for p in range(n)])
        x = a * half
        for p, q, r, t in np.ndindex(n, n, n, n):
            found = a[p, r] * x[q, t].conj() + x[p, r] * a[t, q]
            found -= (q == t) * (a @ x)[p, r] + (p == r) * (a @ x)[q, t].conj()
            tensor[p, q, r, t] += found if cutoff is None or abs(w[p, q] - w[r, t]) <= cutoff + 1e-9 else 0
    rotate = np.kron(v, v.conj())
    return rotate @ (tensor.reshape(n * n, n * n) + np.diag(-1j * w.reshape(-1))) @ rotate.conj().T


@pytest.mark.parametrize("secular", [None, pytest.param(0.4, marks=pytest.mark.slow), "full"])
def test_generator_is_the_tensor(secular):
    h = hermitian(4, 0)
    baths = [(hermitian(4, 1), ohmic(0.3, 1.2)), (hermitian(4, 2), ohmic(0.1, 0.5))]
    found = jt.BlochRedfield(h, baths, secular=secular)
    want = oracle(h, [(a, lambda w, s=s: float(s(w))) for a, s in baths], 0.0 if secular == "full" else secular)
    np.testing.assert_allclose(found.matrix(), want, atol=1e-12)
    rho = hermitian(4, 3)
    np.testing.assert_allclose(found.generator(hermitian=True)(0.0, jnp.asarray(rho)), found.apply(rho), atol=1e-13)
    # The same inside jit, where levels are traced and all elements are kept in a table.
    traced = jax.jit(lambda m: jt.BlochRedfield(m, baths, secular=secular).matrix())(h)
    np.testing.assert_allclose(traced, want, atol=1e-12)


@pytest.mark.parametrize("secular", [None, 0.4, "full"])
def test_covariant_for_complex_couplings(secular):
    """In another basis the equation is the same one (taking the transpose of A, as QuTiP 5.3 does, it would not be)."""
    h, a, rho = hermitian(3, 4), hermitian(3, 5), hermitian(3, 6)
    u = np.linalg.qr(hermitian(3, 7) + 1j * hermitian(3, 8))[0]
    turn = lambda m: u @ m @ u.conj().T
    here = jt.BlochRedfield(h, [(a, ohmic(0.3, 1.2))], secular=secular).apply(rho)
    there = jt.BlochRedfield(turn(h), [(turn(a), ohmic(0.3, 1.2))], secular=secular).apply(turn(rho))
    np.testing.assert_allclose(there, turn(here), atol=1e-13)


@pytest.mark.parametrize("secular", [None, 0.4, "full"])
def test_gibbs_state_is_at_rest(secular):
    h = hermitian(4, 9)
    e, v = np.linalg.eigh(h)
    gibbs = (v * np.exp(-1.3 * (e - e[0]))) @ v.conj().T
    found = jt.BlochRedfield(h, [(hermitian(4, 10), ohmic(0.3, 1.3))], secular=secular)
    np.testing.assert_allclose(found.apply(gibbs), 0, atol=1e-13)


def test_rates_of_a_tls():
    """down = sin^2 S(w0), up = sin^2 S(-w0), 1/T2 = 1/(2 T1) + 2 cos^2 S(0); a spectrum made of math and if."""
    w0, theta, s = 1.4, 0.7, plain(0.2, 1.1)
    found = jt.BlochRedfield(0.5 * w0 * SZ, [(math.cos(theta) * SZ + math.sin(theta) * SX, s)], secular="full")
    up, down = math.sin(theta) ** 2 * s(-w0), math.sin(theta) ** 2 * s(w0)
    matrix = np.asarray(found.matrix())
    np.testing.assert_allclose([matrix[3, 0], matrix[0, 3]], [down, up], atol=1e-14)
    np.testing.assert_allclose(matrix[1, 1], -1j * w0 - (up + down) / 2 - 2 * math.cos(theta) ** 2 * s(0.0), atol=1e-14)


def test_full_keeps_coincident_transitions():
    """Two TLSs have e3 - e2 = e1 - e0: rho_32 feeds rho_10, and the equation is completely positive."""
    h = 0.5 * np.kron(SZ, np.eye(2)) + 0.8 * np.kron(np.eye(2), SZ)
    found = jt.BlochRedfield(h, [(np.kron(SX, np.eye(2)), ohmic(0.3, 1.0))], secular="full")
    rho = np.zeros((4, 4), complex)
    rho[0, 1] = 1.0
    assert abs(found.apply(rho)[2, 3]) > 0.1
    choi = jt.propagator(found, [0.0, 0.3])[1].reshape(4, 4, 4, 4).transpose(0, 2, 1, 3).reshape(16, 16)
    assert np.linalg.eigvalsh(choi).min() > -1e-12


def test_smallest_eigenvalue():
    found = jt.BlochRedfield(SZ, [(SX, ohmic(0.1, 1.0))])
    low = lambda p: found.diagnostics(jnp.diag(jnp.stack([1 - p, p])) + 0j)["smallest_eigenvalue"]
    assert float(low(jnp.asarray(-0.1))) == pytest.approx(-0.1)
    assert float(jax.grad(low)(0.2)) == 0.0


def end(found, t, rho, op):
    return jnp.trace(op @ (jt.propagator(found, jnp.array([0.0, t]))[1] @ rho.reshape(-1)).reshape(op.shape)).real


@pytest.mark.parametrize(
    "secular", [None, pytest.param(0.4, marks=pytest.mark.slow), pytest.param("full", marks=pytest.mark.slow)]
)
def test_derivatives(secular):
    """Of the spectrum, the coupling and the Hamiltonian, in both modes, against differences."""
    h, dh, a, rho, op = (jnp.asarray(hermitian(3, k)) for k in range(20, 25))

    def f(x):
        return end(jt.BlochRedfield(h + x[0] * dh, [((1 + x[1]) * a, ohmic(0.2 + x[2], 1.1))], secular), 2.0, rho, op)

    f = jax.jit(f)
    zero, step = jnp.zeros(3), 1e-5
    want = np.array([(f(step * row) - f(-step * row)) / (2 * step) for row in np.eye(3)])
    np.testing.assert_allclose(jax.jit(jax.jacrev(f))(zero), want, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(jax.jvp(f, (zero,), (jnp.ones(3),))[1], want.sum(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("secular", [None, pytest.param(0.5, marks=pytest.mark.slow)])
def test_derivative_at_equal_levels(secular):
    """A perturbation that parts two equal levels: eigh's derivative is nan there."""
    h = jnp.diag(jnp.array([1.0, 0.0, 0.0, -1.2])) + 0j
    dh, a, rho, op = (jnp.asarray(hermitian(4, k)) for k in range(30, 34))
    f = jax.jit(lambda x: end(jt.BlochRedfield(h + x * dh, [(a, ohmic(0.2, 1.1))], secular), 2.0, rho, op))
    want = (8 * (f(1e-3) - f(-1e-3)) - (f(2e-3) - f(-2e-3))) / 12e-3
    np.testing.assert_allclose(jax.grad(f)(0.0), want, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("secular", [None, 0.5])
def test_second_derivatives_at_equal_levels(secular):
    """Against differences of first ones; the directions do not commute among the equal levels."""
    h = jnp.diag(jnp.array([1.0, 0.0, 0.0, 0.0])) + 0j
    first, second, a, rho, op = (jnp.asarray(hermitian(4, k)) for k in range(30, 35))

    def f(x):
        return end(jt.BlochRedfield(h + x[0] * first + x[1] * second, [(a, ohmic(0.2, 1.1))], secular), 2.0, rho, op)

    zero, step, rows = jnp.zeros(2), 2e-3, np.eye(2)
    slope = jax.jit(jax.grad(f))
    want = [
        (8 * (slope(step * r) - slope(-step * r)) - slope(2 * step * r) + slope(-2 * step * r)) / (12 * step)
        for r in rows
    ]
    found = jax.jit(jax.hessian(f))(zero)
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(jax.jit(jax.jacrev(jax.grad(f)))(zero), found, rtol=1e-9, atol=1e-12)


def test_derivative_of_scale_at_equal_levels():
    h = jnp.diag(jnp.array([1.0, 0.0, 0.0, -1.2])) + 0j
    a, rho, op = (jnp.asarray(hermitian(4, k)) for k in range(31, 34))
    f = jax.jit(lambda x: end(jt.BlochRedfield((1 + x) * h, [(a, ohmic(0.2, 1.1))], "full"), 2.0, rho, op))
    np.testing.assert_allclose(jax.grad(f)(0.0), (f(1e-4) - f(-1e-4)) / 2e-4, rtol=1e-6)


def test_many_levels_take_the_spectrum_at_once_or_one_by_one():
    h, a = hermitian(12, 40), hermitian(12, 41)
    found = [jt.BlochRedfield(h, [(a, s(0.1, 0.7))], secular="full") for s in (ohmic, plain)]
    np.testing.assert_allclose(found[0].matrix(), found[1].matrix(), atol=1e-12)
    assert found[0].relaxation.gains.ndim == 1


def test_wrong_input_is_refused_by_name():
    s = ohmic(0.1, 1.0)
    wrong = [
        ("couplings", (SZ, [(SM, s)])),
        ("couplings", (SZ, [(np.eye(3), s)])),
        ("couplings", (SZ, [(SX, 0.3)])),
        ("couplings", (SZ, [SX])),
        ("couplings", (SZ, (SX, s))),
        ("couplings", (SZ, [(SX, lambda w: w)])),  # negative
        ("couplings", (SZ, [(SX, lambda w: 1j)])),
        ("couplings", (SZ, [(SX, lambda w: math.inf)])),
        ("hamiltonian", (np.zeros((2, 3)), [(SX, s)])),
        ("hamiltonian", (SM, [(SX, s)])),
        ("hamiltonian", (lambda t: SZ, [(SX, s)])),
        ("hamiltonian", (jt.modulated(jnp.cos, SZ), [(SX, s)])),
        ("secular", (SZ, [(SX, s)], -1.0)),
        ("secular", (SZ, [(SX, s)], "half")),
        ("secular", (SZ, [(SX, s)], True)),
    ]
    for name, args in wrong:
        with pytest.raises(ValueError, match=name):
            jt.BlochRedfield(*args)
    with pytest.raises(ValueError, match=r"couplings\[0\].*trace"):
        jax.jit(lambda w: jt.BlochRedfield(w * SZ, [(SX, plain(0.1, 1.0))]).matrix())(1.0)
