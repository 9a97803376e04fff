"""`Lindbladian`: all forms of the right-hand side agree with each other and with the superoperator."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt

from .oracle import kerr, random_problem, superoperator

SZ, SM, SX = np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])


def some_matrix(n, seed=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))


def ising(n_sites, build):
    """The dissipative Ising chain from `build(site -> factor)`."""
    h = sum(5.0 * build({k: SZ}) for k in range(n_sites))
    h = h + sum(2.5 * build({k: SX, k + 1: SX}) for k in range(n_sites - 1))
    jumps = [build({k: SM}) for k in range(n_sites)] + [build({0: SZ, 1: SX}) + build({1: SZ})]
    return h, jumps


def full(dims):
    def build(factors):
        out = np.eye(1)
        for site, d in enumerate(dims):
            out = np.kron(out, factors.get(site, np.eye(d)))
        return out

    return build


@pytest.mark.parametrize("layout", ["dense", "stencil"])
@pytest.mark.parametrize("n_jumps", [0, 3])
def test_right_hand_side_is_the_superoperators(layout, n_jumps):
    h, jumps, rho = random_problem(4, n_jumps)
    rates = np.array([0.3, 0.0, 2.0])[:n_jumps]
    lindbladian = jt.Lindbladian(h, jumps, rates, layout=layout)
    assert lindbladian.layout == layout
    y = some_matrix(4)
    want = (superoperator(h, jumps, rates) @ y.reshape(-1)).reshape(4, 4)
    assert_allclose(lindbladian.vector_field(0.0, y), want, atol=1e-12)
    want = (superoperator(h, jumps, rates) @ rho.reshape(-1)).reshape(4, 4)
    assert_allclose(lindbladian.generator(hermitian=True)(0.0, jnp.asarray(rho)), want, atol=1e-12)


def test_structured_operators_are_the_kronecker_products():
    dims = (2, 3, 2)
    factors = {0: some_matrix(2, 1), 1: some_matrix(3, 2), 2: SX}
    assert_allclose(jt.local(dims, factors)(), full(dims)(factors), atol=1e-14)
    op = 2j * jt.local(dims, {1: some_matrix(3)}) - jt.local(dims, {2: SM})
    want = 2j * full(dims)({1: some_matrix(3)}) - full(dims)({2: SM})
    assert_allclose(op(), want, atol=1e-14)
    assert_allclose(op.dag()(), want.conj().T, atol=1e-14)
    assert_allclose((np.eye(12) - op)(), np.eye(12) - want, atol=1e-14)


def test_structured_and_dense_forms_agree():
    n = 5
    dims = (2,) * n
    structured = jt.Lindbladian(*ising(n, lambda f: jt.local(dims, f)))
    dense = jt.Lindbladian(*ising(n, full(dims)), layout="dense")
    assert (structured.layout, dense.layout) == ("stencil", "dense")
    y = some_matrix(2**n)
    want = dense.vector_field(0.0, y)
    scale = np.max(np.abs(want))
    assert_allclose(structured.vector_field(0.0, y) / scale, want / scale, atol=1e-13)
    hermitian = jnp.asarray(y + y.conj().T)
    want = dense.vector_field(0.0, hermitian) / scale
    assert_allclose(structured.generator(hermitian=True)(0.0, hermitian) / scale, want, atol=1e-13)


@pytest.mark.slow
def test_the_stencil_survives_traced_numbers():
    dims = (2,) * 5

    def rate(strength, layout):
        h = strength * jt.local(dims, {0: SX, 1: SX}) + jt.local(dims, {2: SZ})
        lindbladian = jt.Lindbladian(h, [jt.local(dims, {k: SM}) for k in range(5)], layout=layout)
        assert lindbladian.layout == ("stencil" if layout == "auto" else "dense")
        return jnp.abs(lindbladian.vector_field(0.0, some_matrix(32)))[3].sum()

    assert_allclose(jax.grad(rate)(0.7, "auto"), jax.grad(rate)(0.7, "dense"), rtol=1e-12)


def test_dense_operators_with_few_diagonals_become_a_stencil():
    h, jumps, rates = kerr(60)
    lindbladian = jt.Lindbladian(h, jumps, rates)
    assert lindbladian.layout == "stencil"
    y = some_matrix(60)
    want = jt.Lindbladian(h, jumps, rates, layout="dense").vector_field(0.0, y)
    assert_allclose(lindbladian.vector_field(0.0, y), want, atol=1e-12 * np.max(np.abs(want)))
    assert jt.Lindbladian(*random_problem(30, 1)[:2]).layout == "dense"


@pytest.mark.parametrize("layout", ["dense", "stencil"])
def test_terms_that_depend_on_time(layout):
    h, (l0, l1), _ = random_problem(3, 2)
    f, g = lambda t: jnp.cos(t), lambda t: 2.0 + 1j * t
    ham = h + jt.modulated(f, SX3) + jt.modulated(f, jt.modulated(f, H3)) + (lambda t: t * SX3)
    jumps = [jt.modulated(g, l0), l1, lambda t: t * l0, jt.modulated(f, l0) + l1]
    rates = np.array([0.5, 0.25, 0.125, 2.0])
    lindbladian = jt.Lindbladian(ham, jumps, rates, layout=layout)
    t = 0.8
    plain = h + np.cos(t) * SX3 + np.cos(t) ** 2 * H3 + t * SX3
    plain_jumps = [(2 + 1j * t) * l0, l1, t * l0, np.cos(t) * l0 + l1]
    y = some_matrix(3)
    want = (superoperator(plain, plain_jumps, rates) @ y.reshape(-1)).reshape(3, 3)
    assert_allclose(lindbladian.vector_field(t, y), want, atol=1e-12)
    y = y + y.conj().T
    want = (superoperator(plain, plain_jumps, rates) @ y.reshape(-1)).reshape(3, 3)
    assert_allclose(lindbladian.generator(hermitian=True)(t, jnp.asarray(y)), want, atol=1e-12)
    assert_allclose(lindbladian.hamiltonian(t), plain, atol=1e-13)
    losses = sum(r * op.conj().T @ op for r, op in zip(rates, plain_jumps))
    psi = some_matrix(3)
    want = (-1j * plain - losses / 2) @ psi
    assert_allclose(lindbladian.ket_generator()(t, jnp.asarray(psi)), want, atol=1e-12)
    weights, found = lindbladian.jump_channels(t)
    assert_allclose(jnp.einsum("k,kji,kjl->il", weights, found.conj(), found), losses, atol=1e-12)


SX3 = np.array([[0, 1, 0], [1, 0, 1j], [0, -1j, 0]])
H3 = np.diag([1.0, 2.0, -1.0])


def test_trace_and_hermiticity_are_kept_and_errors_do_not_grow():
    h, jumps, rates = kerr(40)
    lindbladian = jt.Lindbladian(h, jumps, rates)
    rho = some_matrix(40)
    rho = jnp.asarray(rho @ rho.conj().T / np.trace(rho @ rho.conj().T))
    for hermitian in (False, True):
        d = lindbladian.generator(hermitian=hermitian)(0.0, rho)
        assert abs(jnp.trace(d)[()]) < 1e-12
        assert_allclose(d, d.conj().T, atol=1e-12)
    crooked = rho + 1e-3 * (some_matrix(40) - some_matrix(40).conj().T)
    d = lindbladian.generator(hermitian=True)(0.0, crooked)
    assert float(jnp.max(jnp.abs(d - d.conj().T))) == 0.0


def test_code_does_not_grow_with_the_number_of_operators():
    def equations(n_jumps, layout):
        h, jumps, _ = random_problem(6, n_jumps)
        jumps = [np.diag(np.arange(1.0, 6.0), k % 2 * 2 - 1) for k in range(n_jumps)]
        lindbladian = jt.Lindbladian(h, jumps, layout=layout)
        return len(jax.make_jaxpr(lambda l, y: l.vector_field(0.0, y))(lindbladian, jnp.eye(6) + 0j).eqns)

    for layout in ("dense", "stencil"):
        assert equations(40, layout) == equations(4, layout)
    sizes = []
    for n in (5, 7):
        lindbladian = jt.Lindbladian(*ising(n, lambda f, n=n: jt.local((2,) * n, f)))
        closed = jax.make_jaxpr(lambda l, y: l.vector_field(0.0, y))(lindbladian, jnp.eye(2**n) + 0j)
        sizes.append(len(closed.eqns))
    assert sizes[0] == sizes[1]


def test_gradients_at_rate_zero_are_finite():
    def flow(rate):
        return jt.Lindbladian(SZ, [SM], rates=[rate]).vector_field(0.0, jnp.eye(2) / 2)[0, 0].real

    assert_allclose(jax.grad(flow)(0.0), -0.5)
    assert_allclose(jax.jvp(flow, (0.0,), (1.0,))[1], -0.5)


def test_operators_of_other_libraries():
    class Qobj:
        def full(self):
            return SZ

        def __call__(self, psi):
            raise AssertionError("a Qobj is not a function of time")

    class QArray:
        def to_jax(self):
            return jnp.asarray(SM)

    rho = jnp.asarray([[0.3, 0.1], [0.1, 0.7]])
    found = jt.Lindbladian(Qobj(), [QArray(), lambda t: QArray()]).vector_field(0.0, rho)
    assert_allclose(found, jt.Lindbladian(SZ, [SM, SM]).vector_field(0.0, rho), atol=1e-15)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: jt.Lindbladian(np.zeros((2, 3)), []), "hamiltonian"),
        (lambda: jt.Lindbladian("energy", []), "hamiltonian"),
        (lambda: jt.Lindbladian(SM, []), "hamiltonian"),
        (lambda: jt.Lindbladian(np.full((2, 2), np.nan), []), "hamiltonian"),
        (lambda: jt.Lindbladian(lambda t: jnp.zeros(3), []), "hamiltonian"),
        (lambda: jt.Lindbladian(SZ, 3.0), "jump_ops"),
        (lambda: jt.Lindbladian(SZ, [SM, np.eye(3)]), r"jump_ops\[1\]"),
        (lambda: jt.Lindbladian(SZ, [lambda t: jnp.eye(3)]), r"jump_ops\[0\]"),
        (lambda: jt.Lindbladian(SZ, [SM], rates=[1.0, 2.0]), "rates"),
        (lambda: jt.Lindbladian(SZ, [SM], rates=[-1.0]), "rates"),
        (lambda: jt.Lindbladian(SZ, [SM], layout="sparse"), "layout"),
        (lambda: jt.local((2, 2), {2: SM}), "factors"),
        (lambda: jt.local((2, 3), {1: SM}), r"factors\[1\]"),
        (lambda: jt.local((), {}), "dims"),
        (lambda: jt.modulated(3.0, SM), "envelope"),
        (lambda: jt.modulated(lambda t: t * jnp.ones(2), SM), "envelope"),
        (lambda: jt.piecewise_constant([0.0, 2.0, 1.0], [1.0, 1.0], SM), "times"),
        (lambda: jt.piecewise_constant([0.0, 1.0], [1.0, 1.0], SM), "values"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, name):
    with pytest.raises(ValueError, match=rf"`{name}`"):
        call()


def test_it_is_a_pytree_that_jit_takes():
    h, jumps, rates = kerr(5)
    lindbladian = jt.Lindbladian(h, jumps, rates)
    y = some_matrix(5)
    inside = eqx.filter_jit(lambda l, y: l.vector_field(0.0, y))(lindbladian, y)
    assert_allclose(inside, lindbladian.vector_field(0.0, y), rtol=1e-12)
