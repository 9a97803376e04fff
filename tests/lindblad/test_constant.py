"""Constant equations: sectors, windows, shifted copies and traced numbers against the exponential of the whole."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.lindblad.methods import faber
from jaxtls.lindblad.methods.structure import for_states
from jaxtls.lindblad.rhs.blocked import BlockPlan
from jaxtls.lindblad.rhs.bounds import spectral_ellipse
from jaxtls.lindblad.rhs.sectors import blocks, distances
from jaxtls.lindblad.rhs.whole import WholeMatrix

from .oracle import kerr, propagate, random_problem, superoperator

SX, SY, SZ = np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]]), np.diag([1.0, -1.0])
SM = np.array([[0.0, 0.0], [1.0, 0.0]])
TS = np.linspace(0.0, 0.6, 4)
TIGHT = {"rtol": 1e-8, "atol": 1e-10}


def chain(n, field=5.0, coupling=2.5, other=None):
    """A transverse Ising chain with loss, which conserves parity; `other` is a second operator on each bond."""
    dims = (2,) * n
    h = sum(field * jt.local(dims, {k: SZ}) for k in range(n))
    h = h + sum(coupling * jt.local(dims, {k: SX, k + 1: SX if other is None else other}) for k in range(n - 1))
    return h, [jt.local(dims, {k: SM}) for k in range(n)]


def plan_of(model, rho):
    h, jumps, n = model.terms.entries(), model.jumps.entries(), model.n
    kept = np.nonzero(distances(h, jumps, n, rho != 0) >= 0)[0]
    return blocks(h, jumps, model.jumps.count, n, rho != 0, kept)


def state(n, kind, seed=0):
    if kind == "ground":
        return np.diag(np.eye(n)[-1]).astype(complex)
    return random_problem(n, 1, seed)[2]


@pytest.mark.parametrize("kind", ["ground", "any"])
@pytest.mark.parametrize("other", [None, pytest.param(SY, marks=pytest.mark.slow)])
def test_parity_blocks_of_a_chain(kind, other):
    h, jumps = chain(4, other=other)
    rho = state(16, kind)
    found = plan_of(jt.Lindbladian(h, jumps), rho)
    # From one parity half of the elements, from any state all of them in any case.
    assert found.states.shape == ((2, 8) if kind == "ground" else (1, 16))
    sol = jt.mesolve(h, jumps, rho, TS, [h(0.0)], **TIGHT)
    want = propagate(superoperator(np.asarray(h(0.0)), [np.asarray(op(0.0)) for op in jumps]), rho, TS)
    assert_allclose(sol.states, want, atol=1e-9)
    assert_allclose(sol.expects[0], np.einsum("ij,tji->t", h(0.0), want), atol=1e-7)
    assert "Faber" in sol.stats["method"] and float(sol.diagnostics["trace_error"]) < 1e-13


@pytest.mark.parametrize(("seed", "density", "hermitian"), [(1, 0.12, True), (2, 0.2, False), (5, 0.5, True)])
def test_the_block_form_is_the_equation(seed, density, hermitian):
    """Random sparse operators, some of them with sectors: the right-hand side on blocks is that on the matrix."""
    rng = np.random.default_rng(seed)
    n = 7
    sparse = lambda: (rng.uniform(size=(n, n)) < density) * (rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))
    h, jumps, rates = sparse(), [sparse(), sparse()], rng.uniform(0, 1, 2)
    h = h + h.conj().T
    lindblad = superoperator(h, jumps, rates)
    rho = np.zeros((n, n), complex)
    rho[seed % n, seed % n] = 1
    for _ in range(3):
        rho = rho + 0.1 * (lindblad @ rho.reshape(-1)).reshape(n, n)
    if not hermitian:
        rho = rho * (1 + 0.5j)
    model = jax.tree.map(np.asarray, jt.Lindbladian(h, jumps, rates))
    plan = BlockPlan.make(model.terms.skeleton, model.jumps.skeleton, plan_of(model, rho))
    field = plan.field(model, hermitian=hermitian).ready()
    moved = jax.jit(lambda z: plan.joined(field(plan.split(z))))(jnp.asarray(plan.pack(rho)))
    found = plan.unpack(moved)
    assert_allclose(found, (lindblad @ rho.reshape(-1)).reshape(n, n), atol=1e-12)
    for form in (plan, WholeMatrix(n)) if hermitian else ():
        packed = for_states(form, True)
        whole = model if isinstance(form, BlockPlan) else jt.Lindbladian(h, jumps, rates)
        field = packed.field(whole, hermitian=True).ready()
        z = jnp.asarray(packed.pack(rho))
        assert_allclose(packed.unpack(jax.jit(lambda z, field=field: field(z))(z)), found, atol=1e-12)
        assert_allclose(jnp.sum(packed.operators(h[None])[0] * z), np.trace(h @ rho), atol=1e-12)


def test_a_jump_moves_by_a_shift_of_the_hamiltonian():
    """Rows of one jump lie on its diagonal or beside it: L†L is diagonal, and H has the shift that the jump makes."""
    n = 12
    jump = np.diag(np.arange(n) % 2 == 0) + np.diag(np.arange(n - 1) % 2 == 1, 1) + 0.0
    h, rho = np.diag(np.arange(1.0, n), 1), np.diag(np.eye(n)[0]) + 0j
    h = h + h.T
    model = jax.tree.map(np.asarray, jt.Lindbladian(h, [jump], layout="stencil"))
    plan = BlockPlan.make(model.terms.skeleton, model.jumps.skeleton, plan_of(model, rho))
    assert not plan.mixed and plan.offsets == (-1, 1) and len(plan.groups) < 4 + plan.n_fed
    rho = np.random.default_rng(0).normal(size=(2, n, n))
    rho = rho[0] + 1j * rho[1]
    want = (superoperator(h, [jump]) @ (rho + rho.conj().T).reshape(-1)).reshape(n, n)
    for form in (plan, for_states(plan, True)):
        field = form.field(model, hermitian=True).ready()
        moved = field(form.split(jnp.asarray(form.pack(rho + rho.conj().T))))
        assert_allclose(form.unpack(form.joined(moved)), want, atol=1e-12)


def test_many_operators_run_in_loops():
    """More shifts than are written out: jumps between all neighbours and next neighbours of a ring, all to all H."""
    n = 24
    rng = np.random.default_rng(5)
    jumps = [np.diag(rng.normal(size=n - d), d) for d in range(1, 20)]
    h = rng.normal(size=(n, n))
    h = h + h.T
    rho = state(n, "any")
    sol = jt.mesolve(h, jumps, rho, TS[:2], layout="stencil", **TIGHT)
    assert_allclose(sol.states, propagate(superoperator(h, jumps), rho, TS[:2]), atol=1e-9)


def test_a_window_is_enough_where_the_state_stays_low():
    n = 120
    h, jumps, rates = kerr(n, drive=1.0)
    a = jumps[0]
    ts = np.linspace(0.0, 4.0, 5)
    sol = jt.mesolve(h, jumps, np.eye(n)[0], ts, [a.T @ a], rates=rates)
    assert sol.stats["levels"] < n and float(sol.diagnostics["truncation"]) < 1e-9
    whole = propagate(superoperator(*kerr(22, drive=1.0)), np.diag(np.eye(22)[0]), ts)
    want = np.einsum("ti,i->t", np.diagonal(whole, axis1=1, axis2=2).real, np.arange(22))
    assert_allclose(sol.expects[0].real, want, atol=1e-6)
    assert_allclose(np.trace(sol.states, axis1=1, axis2=2), 1.0, atol=1e-9)


def test_a_window_grows_until_nothing_leaves_it():
    """A displaced oscillator climbs out of the first window."""
    n = 150
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    h = 7.0 * (a + a.T)
    t = 1.0
    sol = jt.mesolve(h, [], np.eye(n)[0], [0.0, t], [a.T @ a, a])
    assert sol.stats["levels"] == n
    assert_allclose(sol.expects[:, -1], [49.0 * t**2, -7.0j * t], rtol=1e-6)


@pytest.mark.parametrize("problem", ["chain", "random"])
def test_traced_numbers_give_the_same(problem):
    if problem == "chain":
        (h, jumps), rho = chain(3), state(8, "ground")
    else:
        h, jumps, rho = random_problem(4, 2)
    solve = lambda rates, ts: jt.mesolve(h, jumps, rho, ts, rates=rates, **TIGHT).states
    rates = jnp.linspace(0.5, 1.5, len(jumps))
    want = solve(rates, jnp.asarray(TS))
    assert_allclose(jax.jit(solve)(rates, TS), want, atol=1e-9)
    batch = jax.vmap(solve, (0, None))(jnp.stack([rates, 40 * rates]), jnp.asarray(TS))
    assert_allclose(batch[0], want, atol=1e-9)
    assert_allclose(batch[1], solve(40 * rates, jnp.asarray(TS)), atol=1e-8)


@functools.cache
def driven(n=8):
    l = lambda m: jt.local((n,), {0: m})
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    start = np.eye(n)[0]

    def occupation(p):
        h = p[0] * l(a.T @ a) + p[1] * l(a + a.T)
        rates = jnp.stack([p[2] * (1 + p[3]), p[2] * p[3]])
        model = jt.Lindbladian(h, [l(a), l(a.T)], rates, layout="stencil")
        ts = jnp.stack([jnp.zeros(()), p[4]])
        return jt.mesolve(model, [], start, ts, [a.T @ a], **TIGHT).expects[0, -1].real

    return occupation


@pytest.mark.parametrize("compiled", [pytest.param(False, marks=pytest.mark.slow), True])
def test_derivatives_in_everything(compiled):
    """Of structured operators with traced numbers, the times too, n_th = 0 included; forward, reverse, differences."""
    f = driven()
    p = jnp.array([0.7, 0.4, 1.0, 0.0, 0.8])
    wrap = jax.jit if compiled else (lambda g: g)
    reverse = wrap(jax.grad(f))(p)
    directions = jnp.eye(5)
    if not compiled:
        assert_allclose(reverse, jax.jit(jax.grad(f))(p), atol=1e-7)
        return
    f = jax.jit(f)
    forward = [wrap(lambda v: jax.jvp(f, (p,), (v,))[1])(v) for v in (directions[0], directions[3])]
    assert_allclose(forward, reverse[jnp.array([0, 3])], atol=1e-8)
    step = 1e-4
    for k in (0, 1, 2, 4):
        ahead, behind = (f(p + sign * step * directions[k]) for sign in (1, -1))
        assert_allclose(reverse[k], (ahead - behind) / (2 * step), atol=1e-6)
    # From the boundary n_th = 0 to one side.
    up = [f(p.at[3].set(k * step)) for k in (0, 1, 2)]
    assert_allclose(reverse[3], (-3 * up[0] + 4 * up[1] - up[2]) / (2 * step), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("save_states", [True, False])
def test_times_inside_a_macro_step(save_states):
    """Uneven ones, several in each of several steps: values, and slopes in times and operators in both modes."""
    n = 9
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    shares = np.array([0.0, 0.01, 0.02, 0.3, 0.31, 0.6, 0.61, 0.99, 1.0])

    def photons(x):
        h = [x[0] * a.T @ a + 0.5 * a.T @ a.T @ a @ a, (a + a.T, x[1])]
        ts = x[2] * shares
        sol = jt.mesolve(h, [a], np.eye(n)[0], ts, [a.T @ a], save_states=save_states, method=jt.Faber(), **TIGHT)
        states = jnp.trace(sol.states @ a, axis1=1, axis2=2).imag if save_states else 0.0
        return sol.expects[0].real + states

    x, v = jnp.array([0.7, 0.9, 9.0]), jnp.array([0.3, -0.2, 1.1])
    found = jax.jit(photons)(x)
    states = propagate(
        superoperator(0.7 * a.T @ a + 0.5 * a.T @ a.T @ a @ a + 0.9 * (a + a.T), [a]),
        np.diag(np.eye(n)[0]),
        9.0 * shares,
    )
    want = np.einsum("ij,tji->t", a.T @ a, states).real
    want = want + (np.einsum("ij,tji->t", a, states).imag if save_states else 0.0)
    assert_allclose(found, want, atol=1e-8)
    weights = jnp.cos(jnp.arange(9.0))
    total = lambda x: weights @ photons(x)
    slope, step = jax.jit(jax.grad(total))(x), 1e-4
    assert_allclose(jax.jit(lambda x: jax.jvp(total, (x,), (v,))[1])(x), slope @ v, rtol=1e-8)
    ahead, behind = (jax.jit(total)(x + sign * step * v) for sign in (1, -1))
    assert_allclose(slope @ v, (ahead - behind) / (2 * step), rtol=1e-5)


@given(seed=st.integers(0, 10**6), scale=st.floats(0.0, 10.0))
@settings(max_examples=10, deadline=None)
def test_the_ellipse_holds_the_spectrum(seed, scale):
    h, jumps, rho = random_problem(4, 2, seed)
    model = jax.tree.map(np.asarray, jt.Lindbladian(h, jumps, [scale, 1.0]))
    ellipse = spectral_ellipse(model, plan_of(model, rho), 1e-9)
    values = np.linalg.eigvals(superoperator(h, jumps, [scale, 1.0]))
    assert np.min(values.real) > -ellipse.damping and np.max(np.abs(values.imag)) < ellipse.width
    traced = jax.jit(lambda m: spectral_ellipse(m, plan_of(model, rho), 1e-9))(jt.Lindbladian(h, jumps, [scale, 1.0]))
    assert_allclose([traced.damping, traced.width], [ellipse.damping, ellipse.width], rtol=1e-10)


def test_too_few_steps_are_refused_with_the_number_needed():
    with pytest.raises(ValueError, match=r"`max_steps` must be at least the \d+ macro steps"):
        jt.mesolve(1e3 * SZ, [SM], [0.6, 0.8], [0.0, 100.0], max_steps=3, method=jt.Faber())


def test_frequencies_between_which_no_element_is_filled_take_no_steps():
    """An eigenstate of a large H that decays: its populations know nothing of H, its coherences would."""
    ts = np.linspace(0.0, 2.0, 5)
    alone, both = (jt.mesolve(1e3 * SZ, [SM], psi, ts, method=jt.Faber()) for psi in ([1.0, 0.0], [0.6, 0.8]))
    assert int(alone.stats["steps"]) == 1 < int(both.stats["steps"])
    assert_allclose(alone.states[:, 0, 0].real, np.exp(-ts), atol=1e-8)


def test_nothing_moves_without_operators():
    sol = jt.mesolve(np.zeros((2, 2)), [], [0.6, 0.8], [0.0, 5.0])
    assert_allclose(sol.states[-1], np.outer([0.6, 0.8], [0.6, 0.8]), atol=1e-14)


def test_kerr_states_against_the_exponential_at_any_temperature():
    h, jumps, rates = kerr(12)
    rho = state(12, "any")
    sol = jt.mesolve(h, jumps, rho, TS, rates=rates, **TIGHT)
    assert_allclose(sol.states, propagate(superoperator(h, jumps, rates), rho, TS), atol=1e-9)


def test_nothing_is_compiled_again_when_only_numbers_change():
    """Other numbers need other numbers of terms and steps, but no other program."""
    h, jumps = chain(4)
    rho = state(16, "ground")
    before = faber.compiled._cached._cache_size()
    for scale in (1.0, 1.3, 7.0):
        sol = jt.mesolve(scale * h, jumps, rho, TS, rates=scale * jnp.ones(len(jumps)))
        assert bool(sol.success)
    assert faber.compiled._cached._cache_size() - before <= 1


def test_the_derivative_of_a_state_may_fill_what_its_value_leaves_empty():
    """psi = (cos a, sin a) at a = 0: <sx> = sin 2a has slope 2, though the value never leaves the first level."""
    f = lambda a: jt.mesolve(np.zeros((2, 2)), [], jnp.stack([jnp.cos(a), jnp.sin(a)]), [0.0, 1.0], [SX]).expects[0, -1]
    slope = jax.grad(lambda a: f(a).real)
    assert_allclose([slope(0.0), jax.jit(slope)(0.0)], 2.0, rtol=1e-10)


def batch_member(x, **options):
    """Two coupled qubits: <n_0> from a state that is mixed already, at rates and a coupling that x gives."""
    down = jt.local((2, 2), {0: SM})
    swap = jt.local((2, 2), {0: SM, 1: SM.T}) + jt.local((2, 2), {0: SM.T, 1: SM})
    h = x[0] * jt.local((2, 2), {0: SZ}) + 0.4 * swap
    rho = np.diag([0.4, 0.3, 0.2, 0.1]) + 0.05j * (np.eye(4, k=1) - np.eye(4, k=-1))
    return jt.mesolve(
        h, [down, jt.local((2, 2), {1: SM.T})], rho, TS, [np.diag([1.0, 1, 0, 0])], rates=x[1:], **options
    )


def test_small_equations_that_are_traced_are_one_exponential():
    xs = jnp.array([[0.5, 0.3, 0.0], [1.5, 0.0, 0.2]])
    methods = []

    def states(x):
        sol = batch_member(x)
        methods.append(sol.stats["method"])
        return sol.states

    found = jax.jit(jax.vmap(states))(xs)
    assert methods == ["matrix exponential"]
    for x, rho in zip(xs, found):
        assert_allclose(rho, batch_member(x, **TIGHT).states, atol=1e-9)
        assert_allclose(np.trace(rho, axis1=1, axis2=2), 1.0, atol=1e-13)


def test_slopes_of_small_equations():
    """A rate of zero included."""
    f = lambda x: batch_member(x).expects[0, -1].real
    x, v = jnp.array([0.5, 0.3, 0.0]), jnp.array([0.2, -0.4, 0.7])
    slope, step = jax.jit(jax.grad(f))(x), 1e-5 * v.at[2].set(0.0)
    assert_allclose(slope @ step, (f(x + step) - f(x - step)) / 2, rtol=1e-6)
    assert_allclose(jax.jit(lambda x: jax.jvp(f, (x,), (v,))[1])(x), slope @ v, rtol=1e-10)
    assert_allclose(slope, jax.grad(f)(x), rtol=1e-6)


def test_a_small_correlation_inside_jit():
    taus = np.linspace(0.0, 2.0, 5)
    decay = lambda g: jt.correlation(
        jt.Lindbladian(np.zeros((2, 2)), [SM], rates=g[None]), np.diag([1.0, 0]), SM.T, SM, taus
    )
    assert_allclose(jax.jit(decay)(0.7), np.exp(-0.35 * taus), atol=1e-12)


def test_many_output_times_ask_for_no_more_runs_than_few(monkeypatch):
    """The estimate is the error's, not the sum of what each of two thousand steps may err by."""
    n, runs = 12, []
    b = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    hamiltonian = 0.1 * b.T @ b - 0.05 * b.T @ b.T @ b @ b + 0.4 * (b + b.T)
    once = jt.Faber.run
    monkeypatch.setattr(jt.Faber, "run", lambda *given: runs.append(0) or once(*given))

    def solved(count):
        runs.clear()
        ts = np.linspace(0.0, 10.0, count)
        found = jt.mesolve(hamiltonian, [b], np.eye(n)[0], ts, [b.T @ b], method=jt.Faber(), save_states=False)
        return found.expects[0, -1].real, len(runs), float(found.diagnostics["time_error"])

    few, many = solved(21), solved(2001)
    assert many[1] == few[1] <= 2 and many[2] < 30 * 1e-6
    assert_allclose(many[0], few[0], atol=1e-7)
