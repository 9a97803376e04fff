"""The spring in motion: reference values, conservation laws, sizes, gradients."""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls as jt

FIG1 = dict(omega=np.sqrt(1 + np.e), splitting=100.0, gamma=10.0, beta=0.01)
# Converged values at t = 5 periods, alpha = 1, Wang-Taylor form: an independent program, 120-190 levels.
REFERENCE = {
    20: dict(x=1.4106722, x2=2.7179219, spin_entropy=-0.00988072, impurity=0.3185784),
    1000: dict(x=1.4141738, x2=2.5037651, spin_entropy=-0.00912067, impurity=0.0096229),
}


@pytest.mark.slow
@pytest.mark.parametrize("n_spins", [20, 1000])
def test_figure_1_with_sizes_chosen_by_the_library(n_spins):
    s = jt.EntropicSpring(**FIG1, n_spins=n_spins)
    sol = jt.evolve(s, s.coherent_state(1.0), jnp.linspace(0.0, 10 * np.pi, 26))
    assert bool(sol.success) and not sol.concerns()
    for name, want in REFERENCE[n_spins].items():
        np.testing.assert_allclose(sol.observables[name][-1], want, atol=2e-6, err_msg=name)
    assert sol.diagnostics["trace_error"] < 1e-9


@pytest.mark.slow
def test_a_million_spins_cost_no_digits():
    s = jt.EntropicSpring(**FIG1, n_spins=10**6, n_levels=24)
    sol = jt.evolve(s, s.coherent_state(1.0), jnp.linspace(0.0, 6.0, 4))
    np.testing.assert_allclose(sol.observables["impurity"][-1], 1.772047599e-06, rtol=1e-4)
    # Spins follow x^2: S - S_thermal = -beta M omega_S^2 <x^2>/2 up to the lag 1/Gamma
    static = -0.01 * float(s.entropic_frequency) ** 2 * sol.observables["x2"] / 2
    np.testing.assert_allclose(sol.observables["spin_entropy"][2:], static[2:], rtol=0.1)


@pytest.mark.slow
def test_too_small_a_basis_is_reported():
    s = jt.EntropicSpring(**FIG1, n_spins=3, n_levels=14, n_modes=3)
    with pytest.warns(UserWarning, match="raise n_levels"):
        sol = jt.evolve(s, s.coherent_state(1.0), jnp.linspace(0.0, 6.0, 3))
    assert "n_levels" in repr(sol)
    slow = jt.EntropicSpring(**{**FIG1, "gamma": 0.3}, n_spins=10, n_levels=40, n_modes=1)
    with pytest.warns(UserWarning, match="raise n_modes"):
        jt.evolve(slow, slow.coherent_state(1.0), jnp.linspace(0.0, 3.0, 3))


@settings(max_examples=6, deadline=None)
@given(
    omega=st.floats(0.5, 1.5),
    omega_0=st.floats(0.3, 1.5),
    splitting=st.floats(0.5, 3.0),
    gamma=st.floats(0.5, 5.0),
    beta=st.floats(0.2, 1.0),
)
@pytest.mark.parametrize("form", ["wang-taylor", "lindblad"])
def test_x_and_p_move_by_the_hamiltonian_alone(form, omega, omega_0, splitting, gamma, beta):
    """Eq. 22: d<x>/dt = <p>/M and d<p>/dt = -M omega_0^2 <x> - 2 d <x k>; in the Lindblad form too, as the jumps depend
    on x. For p^2 the forms part: Wang-Taylor keeps -i<[p^2, H]>, Lindblad adds diffusion."""
    n = 40
    s = jt.EntropicSpring(
        omega=omega,
        omega_0=omega_0,
        splitting=splitting,
        gamma=gamma,
        beta=beta,
        n_spins=4,
        n_modes=4,
        n_levels=n,
        form=form,
    )
    # a random Hermitian hierarchy state, well inside the basis
    rng = np.random.default_rng(0)
    y = np.zeros((5, n, n), complex)
    inner = rng.normal(size=(5, 7, 7)) + 1j * rng.normal(size=(5, 7, 7))
    y[:, :7, :7] = inner + inner.conj().swapaxes(-1, -2)
    dy, got = _slope_and_observables(s, jnp.asarray(y))
    w = float(s.effective_frequency)
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    x = (a + a.T) / np.sqrt(2 * w)
    p = 1j * np.sqrt(w / 2) * (a.T - a)
    # <O k> = N p <O> + Tr O c_1
    weighted = lambda op: 4 * float(s.polarization) * np.trace(op @ y[0]) + np.trace(op @ y[1])
    d = omega**2 / 8
    np.testing.assert_allclose(got["x"], np.trace(p @ y[0]).real, atol=1e-8)
    force = -(omega_0**2) * np.trace(x @ y[0]) - 2 * d * weighted(x)
    np.testing.assert_allclose(got["p"], force.real, atol=1e-6)
    work = -(omega_0**2) * np.trace((x @ p + p @ x) @ y[0]) - 2 * d * weighted(x @ p + p @ x)
    if form == "wang-taylor":
        np.testing.assert_allclose(got["p2"], work.real, atol=1e-7)
    assert abs(float(jnp.trace(dy[0]).real)) < 1e-10
    np.testing.assert_allclose(dy, np.conj(np.swapaxes(dy, -1, -2)), atol=1e-9)


@jax.jit
def _slope_and_observables(s, y):
    dy = s.vector_field(0.0, y)
    return dy, {name: s.observables[name](dy) for name in ("x", "p", "p2")}


@pytest.mark.filterwarnings("ignore:truncation")
@pytest.mark.slow
def test_lindblad_form_stays_positive_where_wang_taylor_does_not():
    """physics: b = B = 1, omega = 2, omega_0 = 1, N = 2: Eq. 21 leaves the physical states."""
    lowest = {}
    for form in ("wang-taylor", "lindblad"):
        s = jt.EntropicSpring(
            omega=2.0, omega_0=1.0, splitting=1.0, gamma=5.0, beta=1.0, n_spins=2, n_levels=40, n_modes=2, form=form
        )
        y0, ts = s.coherent_state(1.0), jnp.linspace(0.0, 6.0, 13)
        sol = jt.evolve(s, y0, ts, observables=["smallest_eigenvalue"], rtol=1e-7)
        lowest[form] = float(jnp.min(sol.observables["smallest_eigenvalue"]))
    assert lowest["wang-taylor"] < -0.01
    assert lowest["lindblad"] > -1e-5


@pytest.mark.slow
def test_gradients_forward_reverse_and_by_differences():
    ts = jnp.array([0.0, 1.0, 2.5])

    def f(q):
        s = jt.EntropicSpring(
            omega=q["omega"],
            omega_0=0.6,
            splitting=q["B"],
            gamma=q["gamma"],
            beta=q["beta"],
            n_spins=10,
            n_modes=3,
            n_levels=24,
        )
        sol = jt.evolve(
            s, s.coherent_state(q["alpha"]), ts, rtol=1e-9, observables=["x", "x2", "impurity", "spin_entropy"]
        )
        weights = {"x": 1.0, "x2": 0.7, "impurity": 2.0, "spin_entropy": 30.0}
        return sum(w * jnp.sum(sol.observables[k][1:]) for k, w in weights.items())

    q = {k: jnp.asarray(v) for k, v in dict(omega=1.6, B=20.0, gamma=6.0, beta=0.05, alpha=0.8).items()}
    f = jax.jit(f)
    reverse, forward = jax.grad(f)(q), jax.jacfwd(f)(q)
    for name in q:
        h = 1e-4 * float(q[name])
        slope = (f({**q, name: q[name] + h}) - f({**q, name: q[name] - h})) / (2 * h)
        np.testing.assert_allclose(reverse[name], forward[name], rtol=1e-8, err_msg=name)
        np.testing.assert_allclose(reverse[name], slope, rtol=2e-6, err_msg=name)


@pytest.mark.slow
def test_vmap_over_parameters_equals_a_loop():
    """Lanes of a vmap take different numbers of steps; none may disturb another."""
    ts = jnp.array([0.0, 0.7, 3.0])

    def f(gamma):
        s = jt.EntropicSpring(**{**FIG1, "gamma": gamma}, n_spins=20, n_modes=2, n_levels=24)
        return jt.evolve(s, s.coherent_state(1.0), ts, observables=["impurity"]).observables["impurity"]

    gammas = jnp.array([1.0, 10.0, 60.0])
    batch = jax.vmap(f)(gammas)
    for i, gamma in enumerate(gammas):
        np.testing.assert_allclose(batch[i], jax.jit(f)(gamma), atol=1e-11)


@pytest.mark.slow
def test_odd_basis_states_and_oscillator_state():
    s = jt.EntropicSpring(**FIG1, n_spins=100, n_levels=25, n_modes=2)
    t = dataclasses.replace(s, n_levels=26)
    ts = jnp.linspace(0.0, 2.0, 3)
    a = jt.evolve(s, s.coherent_state(0.5j), ts, save_states=True)
    b = jt.evolve(t, t.coherent_state(0.5j), ts)
    np.testing.assert_allclose(a.observables["p"], b.observables["p"], atol=1e-8)
    assert a.states.shape == (3, 3, 25, 25)
    rho = s.oscillator_state(a.states[-1])
    assert rho.shape == (25, 25)
    np.testing.assert_allclose(jt.purity(rho), 1 - a.observables["impurity"][-1], atol=1e-9)
    xs = jnp.linspace(-6.0, 6.0, 61)
    W = s.wigner(a.states[-1], xs, xs)
    np.testing.assert_allclose(jnp.sum(W) * 0.04, 1.0, atol=1e-6)


def test_many_unlike_tlss_cap_the_hierarchy_or_are_refused():
    g = jnp.linspace(0.02, 0.05, 30)
    s = jt.EntropicSpring.from_couplings(g, jnp.linspace(0.5, 2.0, 30), omega_p=1.0, beta=1.0, gamma=3.0, n_levels=16)
    assert s.coherent_state(0.5).shape[0] <= 500
    many = jt.EntropicSpring.from_couplings(
        jnp.full(600, 0.001), jnp.linspace(0.5, 2.0, 600), omega_p=1.0, beta=1.0, gamma=3.0, n_levels=16
    )
    assert np.isfinite(float(many.entropic_ratio))
    with pytest.raises(ValueError, match=r"`n_spins`.*601 coefficients"):
        many.coherent_state(0.5)


@pytest.mark.slow
def test_n_spins_may_be_data_below_the_levels_kept():
    """With N traced, levels beyond N are kept but must stay empty."""
    base = dict(omega=1.9, splitting=20.0, gamma=3.0, beta=0.05, n_levels=20)
    ts = jnp.linspace(0.0, 1.2, 3)

    @jax.jit
    def run(n):
        s = jt.EntropicSpring(**base, n_spins=n, n_modes=5)
        return jt.evolve(s, s.coherent_state(0.3), ts).observables

    exact = jt.EntropicSpring(**base, n_spins=3, n_modes=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = jt.evolve(exact, exact.coherent_state(0.3), ts).observables
    got = run(3.0)
    for name in want:
        np.testing.assert_allclose(got[name], want[name], atol=1e-8, err_msg=name)


def test_other_numbers_of_spins_take_the_same_program():
    from jaxtls.dynamics.methods.splitting import _run

    ts = jnp.linspace(0.0, 0.5, 3)
    before = _run._cached._cache_size()
    found = []
    for n in (4, 30, 10**6):
        spring = jt.EntropicSpring(**FIG1, n_spins=n, n_levels=16, n_modes=3)
        found.append(jt.evolve(spring, spring.coherent_state(0.2), ts).observables["x2"][-1])
    assert _run._cached._cache_size() - before == 1
    assert found[0] != found[1] != found[2]
