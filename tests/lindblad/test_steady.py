"""Steady states: against the null vector of the superoperator, detailed balance, derivatives, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.lindblad.resolvent import assembly, levels, linear, sparse
from jaxtls.lindblad.resolvent.elimination import Elimination
from jaxtls.numerics.hermitian import from_unknowns, on_unknowns, unknowns

from .oracle import kerr, null_state, random_problem, superoperator

SZ, SM, SX = np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
KINDS = pytest.mark.parametrize("kind", ["dense", "sparse", "iterative"])


@pytest.fixture
def method(kind, monkeypatch):
    """The argument that gives each kind at any size."""
    monkeypatch.setattr(linear, "FEW", 1e12 if kind == "dense" else 0)
    monkeypatch.setattr(levels, "full", lambda structure: kind == "dense")
    return "iterative" if kind == "iterative" else "direct"


@KINDS
@pytest.mark.parametrize("n", [2, 5])
def test_null_vector_of_random_lindbladians(n, kind, method):
    h, jumps, _ = random_problem(n, 2, seed=n)
    rho, info = jt.steady_state(jt.Lindbladian(h, jumps), method=method, info=True)
    assert_allclose(rho, null_state(superoperator(h, jumps)), atol=1e-10)
    assert_allclose(np.trace(rho), 1.0, atol=1e-13)
    assert np.min(np.linalg.eigvalsh(rho)) > 0
    assert info.method == kind and float(info.residual) < 1e-10


@KINDS
def test_detailed_balance(method):
    """Jumps between the levels of H at rates that a bath fixes leave the Gibbs state."""
    energies, beta = np.array([0.0, 0.7, 1.9, 2.2]), 0.8
    jumps, rates = [], []
    for i in range(4):
        for j in range(4):
            if i != j:
                jump = np.zeros((4, 4))
                jump[i, j] = 1.0
                jumps.append(jump)
                rates.append(np.exp(-beta * (energies[i] - energies[j]) / 2))
    rho = jt.steady_state(jt.Lindbladian(np.diag(energies), jumps, rates), method=method)
    gibbs = np.exp(-beta * energies)
    assert_allclose(rho, np.diag(gibbs / gibbs.sum()), atol=1e-10)


def test_a_state_that_no_jump_leaves():
    """Pure decay ends in the ground state, where the preconditioner alone would be singular."""
    lindbladian = jt.Lindbladian(np.diag(np.arange(24.0)), [np.diag(np.sqrt(np.arange(1.0, 24.0)), 1)])
    for method in ("iterative", "direct"):
        assert_allclose(jt.steady_state(lindbladian, method=method)[0, 0], 1.0, atol=1e-9)


def test_sparse_operators_are_factorised_and_full_ones_iterated(monkeypatch):
    monkeypatch.setattr(linear, "FEW", 0)
    h, jumps, rates = kerr(22)
    rho, info = jt.steady_state(jt.Lindbladian(h, jumps, rates), info=True)
    assert info.method == "sparse" and float(info.residual) < 1e-12
    oracle = superoperator(h, [np.sqrt(rate) * jump for rate, jump in zip(rates, jumps)])
    assert_allclose(oracle @ rho.reshape(-1), 0.0, atol=1e-12)
    assert_allclose(jt.steady_state(jt.Lindbladian(h, jumps, rates), method="iterative"), rho, atol=1e-10)
    h, jumps, _ = random_problem(22, 2, seed=1)
    assert not sparse.pays(sparse.Structure.of(jt.Lindbladian(h, jumps)))


def test_a_batch_of_sparse_steady_states_and_their_derivatives(monkeypatch):
    monkeypatch.setattr(linear, "FEW", 0)
    f, xs = jax.jit(jax.vmap(jax.value_and_grad(thermal(22, "auto")))), jnp.array([[1.2, 0.2], [1.0, 0.1]])
    values, slopes = f(xs)
    for x, value, slope in zip(xs, values, slopes):
        assert_allclose(value, thermal(22, "iterative")(x), rtol=1e-9)
        step = jnp.array([1e-4, 0.0])
        want = (thermal(22, "iterative")(x + step) - thermal(22, "iterative")(x - step)) / 2e-4
        assert_allclose(slope[0], want, rtol=1e-6)


def thermal(n, method):
    """Mean number of a bath's oscillator as a function of (rate down, rate up): up/(down - up) without a cut-off."""

    def number(x):
        h, jumps, _ = kerr(n)
        rho = jt.steady_state(jt.Lindbladian(h, jumps, rates=x), method=method)
        return jnp.sum(jnp.arange(n) * jnp.diagonal(rho).real)

    return number


@pytest.mark.parametrize("kind", ["dense", "sparse", pytest.param("iterative", marks=pytest.mark.slow)])
def test_derivatives_are_implicit(method):
    f, x, direction = thermal(8, method), jnp.array([1.2, 0.2]), jnp.array([0.3, -0.5])
    h = 1e-4
    want = (f(x + h * direction) - f(x - h * direction)) / (2 * h)
    assert_allclose(jax.grad(f)(x) @ direction, want, rtol=1e-6)
    assert_allclose(jax.jvp(f, (x,), (direction,))[1], want, rtol=1e-6)


def test_derivatives_at_rate_zero():
    f = lambda up: jt.steady_state(jt.Lindbladian(SZ, [SM, SM.T], rates=jnp.stack([jnp.ones(()), up])))[0, 0].real
    assert_allclose(jax.grad(f)(0.0), 1.0, rtol=1e-10)
    assert_allclose(jax.jvp(f, (0.0,), (1.0,))[1], 1.0, rtol=1e-10)


def test_batches_and_jit():
    f = lambda up: jt.steady_state(jt.Lindbladian(SZ, [SM, SM.T], rates=jnp.stack([jnp.ones(()), up])))[0, 0].real
    ups = jnp.array([0.1, 0.5])
    assert_allclose(jax.vmap(f)(ups), ups / (1 + ups), rtol=1e-10)
    assert_allclose(jax.jit(f)(0.5), 1 / 3, rtol=1e-10)


def two_sectors(n):
    """Pairs of quanta are lost: parity is conserved."""
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    return jt.Lindbladian(a.T @ a, [a @ a])


@pytest.mark.parametrize("few", [0, pytest.param(5e7, marks=pytest.mark.slow)])
def test_several_steady_states_are_refused(few, monkeypatch):
    monkeypatch.setattr(linear, "FEW", few)
    with pytest.raises(ValueError, match=r"conserved quantity.* states are steady"):
        jt.steady_state(two_sectors(6))
    with pytest.raises(ValueError, match="conserved quantity"):
        jt.steady_state(two_sectors(6), method="iterative")
    with pytest.raises(ValueError, match="conserved quantity"):
        jt.steady_state(two_sectors(24))
    with pytest.raises(ValueError, match="conserved quantity"):
        jt.steady_state(jt.Lindbladian(SZ, []))
    inside = lambda **k: eqx.filter_jit(lambda scale: jt.steady_state(jt.Lindbladian(scale * SZ, []), **k))
    with pytest.raises(eqx.EquinoxRuntimeError, match="conserved quantity"):
        inside(throw=True)(jnp.asarray(1.0))
    assert np.all(np.isnan(inside()(jnp.asarray(1.0)).real))
    _, info = jt.steady_state(two_sectors(6), throw=False, info=True)
    assert float(info.isolation) < 2e-12 and not bool(info.unique)


def test_a_second_steady_state_without_populations_is_refused(monkeypatch):
    """Dephasing along x leaves <sx> as it is: a null vector in a piece of the equation that holds no population."""
    for few in (0, 5e7):
        monkeypatch.setattr(linear, "FEW", few)
        with pytest.raises(ValueError, match="conserved quantity"):
            jt.steady_state(jt.Lindbladian(np.zeros((2, 2)), [SX]), method="direct")


# --- elimination ----------------------------------------------------------------------------------------------------


def two_photons(n):
    """Coherences between even and odd levels couple to their mirror images, and to no population."""
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    return 0.3 * a.T @ a + 0.2 * (a @ a + a.T @ a.T), [a, a.T], np.array([1.0, 0.3])


@pytest.mark.parametrize("hermitian", [True, False])
@pytest.mark.parametrize(
    ("equation", "n"),
    [
        pytest.param(kerr, 3, marks=pytest.mark.slow),
        (kerr, 12),
        pytest.param(kerr, 20, marks=pytest.mark.slow),
        (two_photons, 14),
    ],
)
def test_elimination_against_the_whole_matrix(equation, n, hermitian):
    h, jumps, rates = equation(n)
    lindbladian = jt.Lindbladian(h, jumps, rates)
    order = levels.order(sparse.Structure.of(lindbladian), hermitian)
    assert (order.count > 1) == (n > 3)
    s = 0.2 if hermitian else 0.2 + 0.7j
    factors = Elimination.of(assembly.from_operators(lindbladian, sparse.Structure.of(lindbladian), order, 1.0, s))
    matrix = s * np.eye(n * n) - superoperator(h, jumps, rates)
    populations = np.arange(n) * (n + 1)
    matrix[np.ix_(populations, populations)] += 1 / n
    rhs = np.random.default_rng(0).normal(size=(n, n)) + 1j * np.random.default_rng(1).normal(size=(n, n))
    rhs = rhs + rhs.conj().T if hermitian else rhs
    x = order.gathered(factors.solve(order.spread(unknowns(jnp.asarray(rhs), hermitian))))
    assert_allclose(from_unknowns(x, hermitian), np.linalg.solve(matrix, rhs.reshape(-1)).reshape(n, n), atol=1e-11)
    transposed = on_unknowns(jnp.asarray(matrix), n).T if hermitian else matrix.T
    b = np.random.default_rng(2).normal(size=n * n) * (1 if hermitian else 1j)
    x = order.gathered(factors.solve(order.spread(jnp.asarray(b)), transposed=True))
    assert_allclose(transposed @ x, b, atol=1e-11)


def test_blocks_under_every_transform():
    """A ladder of 14 levels: batches, gradients in both modes and batches of them, against finite differences."""
    f, xs = thermal(14, "auto"), jnp.array([[1.2, 0.2], [1.0, 0.1]])
    h, jumps, rates = kerr(14)
    assert jt.steady_state(jt.Lindbladian(h, jumps, rates), info=True)[1].method == "blocks"
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(f)))(xs)
    step = jnp.array([0.0, 1e-4])
    for x, value, slope in zip(xs, values, slopes):
        want = (f(x + step) - f(x - step)) / 2e-4
        assert_allclose(value, f(x), rtol=1e-11)
        assert_allclose(slope[1], want, rtol=1e-6)
    assert_allclose(jax.jit(lambda x: jax.jvp(f, (x,), (step,))[1])(xs[0]), 1e-4 * slopes[0, 1], rtol=1e-9)


@pytest.mark.parametrize("far", [pytest.param(0.0, marks=pytest.mark.slow), 0.3])
def test_plain_arrays_with_a_traced_factor(far, monkeypatch):
    """The program sees whether the array couples neighbours alone; both answers are right."""
    monkeypatch.setattr(linear, "FEW", 0)
    n = 12
    h, jumps, rates = kerr(n)
    v = np.diag(np.arange(n)) + far * (np.eye(n, k=3) + np.eye(n, k=-3))

    def number(x, info=False):
        rho, found = jt.steady_state(jt.Lindbladian(h + x * v, jumps, rates), info=True)
        value = jnp.sum(jnp.arange(n) * jnp.diagonal(rho).real)
        return (value, found) if info else value

    value, found = jax.jit(lambda x: number(x, True))(0.2)
    assert found.method == "banded" and bool(found.unique) and bool(found.converged)
    want = null_state(superoperator(h + 0.2 * v, jumps, rates))
    assert_allclose(value, np.sum(np.arange(n) * np.diagonal(want).real), rtol=1e-9)
    slopes = jax.jit(jax.vmap(jax.grad(number)))(jnp.array([0.2, 0.3]))
    means = [
        null_state(superoperator(h + x * v, jumps, rates)).diagonal().real @ np.arange(n) for x in (0.2001, 0.1999)
    ]
    assert_allclose(slopes[0], (means[0] - means[1]) / 2e-4, rtol=1e-6)


def test_single_precision_is_refined_to_its_own_precision():
    h, jumps, rates = kerr(14)
    low = jt.Lindbladian(h.astype(np.complex64), [j.astype(np.complex64) for j in jumps], rates.astype(np.float32))
    rho, info = jt.steady_state(low, info=True)
    assert rho.dtype == np.complex64 and bool(info.unique) and float(info.residual) < 1e-5
    assert_allclose(rho, jt.steady_state(jt.Lindbladian(h, jumps, rates)), atol=1e-5)


def test_a_dark_state_of_three_levels():
    """Coherent population trapping: the coherence that is eliminated first is damped by nothing of its own."""
    h = np.zeros((3, 3))
    h[0, 2] = h[2, 0] = 0.3
    h[1, 2] = h[2, 1] = 0.4
    jumps = [np.outer(np.eye(3)[k], np.eye(3)[2]) for k in (0, 1)]
    dark = np.array([0.8, -0.6, 0.0])
    for method in ("direct", "iterative"):
        rho = jt.steady_state(jt.Lindbladian(h, jumps), method=method)
        assert_allclose(rho, np.outer(dark, dark), atol=1e-9)


def test_no_host_and_no_eig_where_the_platform_is_not_a_cpu():
    f = jax.jit(jax.vmap(jax.grad(thermal(14, "auto"))))
    text = jax.export.export(f, platforms=["cuda"])(jnp.ones((2, 2))).mlir_module()
    assert "callback" not in text and "geev" not in text


# --- slow, several, any generator -----------------------------------------------------------------------------------


def cat(n, slow, seed=1):
    """Pairs of photons gained and lost, single ones lost slowly, in a basis without zeros."""
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]
    dense = lambda x: turn @ x @ turn.T
    return dense(0.1 * a.T @ a + 0.5 * (a @ a + a.T @ a.T)), [dense(a @ a), dense(a)], np.array([0.5, slow])


@pytest.mark.parametrize("slow", [1e-3, 1e-7])
def test_a_slow_rate_in_a_basis_without_zeros(slow, monkeypatch):
    """The iteration gives up, the whole matrix does not; and giving up is not called several states."""
    h, jumps, rates = cat(16, slow)
    monkeypatch.setattr(linear, "FEW", 0)
    monkeypatch.setattr(linear, "MANY", 0)
    monkeypatch.setattr(linear, "ITERATIONS", 20)
    lindbladian = jt.Lindbladian(h, jumps, rates)
    matrix = superoperator(h, jumps, rates)
    matrix[0] = np.eye(16).reshape(-1)
    want = np.linalg.solve(matrix, np.eye(256)[0]).reshape(16, 16)
    rho, info = jt.steady_state(lindbladian, info=True)
    assert info.method == "dense"
    assert_allclose(rho, want, atol=1e-14 / slow + 1e-10)
    with pytest.raises(RuntimeError, match="did not converge"):
        jt.steady_state(lindbladian, method="iterative")


def test_from_an_initial_state_where_there_are_several():
    """Pairs are lost: each parity keeps its weight, and the coherence between 0 and 1 its conserved part."""
    lindbladian, n = two_sectors(6), 6
    h, jumps = (
        np.diag(np.arange(6.0)),
        [np.diag(np.sqrt(np.arange(1.0, 6)), 1) @ np.diag(np.sqrt(np.arange(1.0, 6)), 1)],
    )
    psi = np.arange(1.0, 7.0)
    psi /= np.linalg.norm(psi)
    # Without a Hamiltonian nothing oscillates, and the limit is that of the exponential.
    still = jt.Lindbladian(0 * h, jumps)
    late = scipy.linalg.expm(300 * superoperator(0 * h, jumps)) @ np.outer(psi, psi).reshape(-1)
    assert_allclose(jt.steady_state(still, psi), late.reshape(n, n), atol=1e-8)
    # With one the coherence turns for ever, and its mean is 0.
    found, info = jt.steady_state(lindbladian, psi, info=True)
    even = np.sum(psi[::2] ** 2)
    assert_allclose(found, np.diag([even, 1 - even, 0, 0, 0, 0]), atol=1e-8)
    assert bool(info.unique) and bool(info.converged)


def test_the_limit_is_differentiable():
    """Decay from the middle of three levels into two at rest: populations are branching ratios."""
    down, up = np.zeros((3, 3)), np.zeros((3, 3))
    down[0, 1], up[2, 1] = 1.0, 1.0
    share = lambda g: (
        jt.steady_state(
            jt.Lindbladian(np.zeros((3, 3)), [down, up], rates=jnp.stack([g, jnp.asarray(0.5)])),
            np.array([0.0, 1.0, 0.0]),
        )[0, 0].real
    )
    assert_allclose(jax.jit(share)(1.5), 0.75, atol=1e-9)
    assert_allclose(jax.grad(share)(1.5), 0.5 / 4.0, rtol=1e-6)
    assert_allclose(jax.jvp(share, (1.5,), (1.0,))[1], 0.5 / 4.0, rtol=1e-6)


class OwnGenerator(jt.AbstractGenerator):
    """A user's generator: a Lindblad equation written by hand."""

    h: jax.Array
    jump: jax.Array
    n: int = eqx.field(static=True)
    is_constant = True
    dtype = jnp.dtype(complex)

    def generator(self, y0=None, *, hermitian=False):
        loss = self.jump.conj().T @ self.jump

        def field(t, y, args=None):
            gain = self.jump @ y @ self.jump.conj().T
            return -1j * (self.h @ y - y @ self.h) + gain - 0.5 * (loss @ y + y @ loss)

        return field


@pytest.mark.parametrize("method", ["auto", "direct", pytest.param("iterative", marks=pytest.mark.slow)])
def test_any_generator(method):
    h, jumps, _ = random_problem(4, 1, seed=3)
    own = OwnGenerator(jnp.asarray(h), jnp.asarray(jumps[0]), 4)
    want = jt.steady_state(jt.Lindbladian(h, jumps))
    assert_allclose(jt.steady_state(own, method=method), want, atol=1e-9)
    assert_allclose(jt.steady_state(2.0 * own + own, method=method), want, atol=1e-9)
    a, omegas = np.diag(np.ones(3), 1), jnp.array([-1.0, 0.4])
    spectra = [jt.spectrum(L, want, a.T, a, omegas, method=method) for L in (own, jt.Lindbladian(h, jumps))]
    assert_allclose(*spectra, rtol=1e-7)


def test_models_with_a_steady_state_of_their_own():
    bath = jt.SpinBathOscillator(1.0, jt.OhmicSpectralDensity(gamma_0=0.05, cutoff=5.0), temperature=0.5)
    assert_allclose(jt.steady_state(bath), bath.steady_state())


def test_refusals():
    moving = jt.Lindbladian(jt.modulated(jnp.cos, SZ), [SM])
    with pytest.raises(ValueError, match="`model`"):
        jt.steady_state(moving)
    with pytest.raises(ValueError, match="`model`"):
        jt.steady_state(object())
    with pytest.raises(ValueError, match="`rho0`"):
        jt.steady_state(jt.Lindbladian(SZ, [SM]), np.eye(3) / 3)
    with pytest.raises(ValueError, match="`method`"):
        jt.steady_state(jt.Lindbladian(SZ, [SM]), method="exact")
