"""Plans and methods: eager, jit, vmap and a plan agree for each method; what a plan lacks is reported."""

import dataclasses
import functools
import warnings

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg as sl
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.dynamics import rule

from .oracle import propagate, superoperator

SX, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
SM = np.array([[0.0, 0.0], [1.0, 0.0]])
TS = np.linspace(0.0, 2.0, 5)
N = 12
A = np.diag(np.sqrt(np.arange(1.0, N)), 1)
STILL = 0.3 * A.T @ A - 0.1 * A.T @ A.T @ A @ A
VACUUM = np.eye(N)[0]
METHODS = {"faber": jt.Faber(), "exponential": jt.MatrixExponential(), "tsit5": diffrax.Tsit5(), "auto": "auto"}
# Those that `test_methods` or other files run, too, are left to the slow tests.
SOME = [k if k == "exponential" else pytest.param(k, marks=pytest.mark.slow) for k in METHODS]


def photons(force, **options):
    terms = [STILL, (A + A.T, force)]
    sol = jt.mesolve(terms, [A], VACUUM, TS, [A.T @ A], rtol=1e-8, atol=1e-10, save_states=False, **options)
    return sol.expects[0].real


@functools.cache
def exact(force):
    states = propagate(superoperator(STILL + force * (A + A.T), [A], [1.0]), np.outer(VACUUM, VACUUM), TS)
    return np.einsum("ij,tji->t", A.T @ A, states).real


@pytest.mark.parametrize("name", SOME)
def test_eager_jit_vmap_and_gradients_agree(name):
    run = functools.partial(photons, method=METHODS[name])
    assert_allclose(run(0.6), exact(0.6), atol=2e-7)
    assert_allclose(jax.jit(run)(0.6), exact(0.6), atol=2e-7)
    last = lambda force: run(force)[-1]
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(last)))(jnp.array([0.2, 0.6]))
    assert_allclose(values, [exact(0.2)[-1], exact(0.6)[-1]], atol=2e-7)
    wanted = (exact(0.6 + 1e-4)[-1] - exact(0.6 - 1e-4)[-1]) / 2e-4
    assert_allclose(slopes[1], wanted, rtol=1e-5)
    assert_allclose(jax.jvp(last, (0.6,), (1.0,))[1], wanted, rtol=1e-5)


DRIVEN = pytest.param([0.2, 0.6], lambda t: jnp.cos(0.5 * t), marks=pytest.mark.slow, id="driven")
# The last is more than a group, of unlike ellipses.
LANES = {"constant": [0.2, 0.6], "groups": [0.2, 0.6, 0.1, 3.0, 1.0, 0.0, 0.3, 0.4, 2.0]}


@pytest.mark.parametrize(
    ("forces", "drive"),
    [
        pytest.param(LANES["constant"], None, marks=pytest.mark.slow, id="constant"),
        pytest.param(LANES["groups"], None, marks=pytest.mark.slow, id="groups"),
        DRIVEN,
    ],
)
def test_lanes_one_after_the_other_give_what_each_gives_alone(monkeypatch, forces, drive):
    """As on a CPU where states are large; in groups that run as one, too."""
    monkeypatch.setattr(rule, "APART_BYTES", 0)
    n = 11
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)

    def last(force, rate):
        term = force if drive is None else lambda t: force * drive(t)
        sol = jt.mesolve([0.3 * a.T @ a, (a + a.T, term)], [a], np.eye(n)[0], TS[:3], [a.T @ a], rates=[rate])
        return sol.expects[0, -1].real

    both = jax.value_and_grad(last, (0, 1))
    forces, rate = jnp.array(forces), 1.1
    found = jax.jit(jax.vmap(both, (0, None)))(forces, rate)
    for k, force in enumerate(forces):
        jax.tree.map(lambda x, y, k=k: assert_allclose(x[k], y, rtol=1e-6), found, jax.jit(both)(force, rate))
    nested = jax.jit(jax.vmap(jax.vmap(last, (None, 0)), (0, None)))(forces, jnp.array([rate]))
    assert_allclose(nested[:, 0], found[0], rtol=1e-9)
    slope = jax.jvp(jax.vmap(lambda force: last(force, rate)), (forces,), (jnp.ones_like(forces),))[1]
    assert_allclose(slope, found[1][0], rtol=1e-6)


@functools.cache
def of_three_levels(name):
    """Populations of three levels as a compiled function of all numbers."""

    def run(h, v, jump, x):
        sol = jt.mesolve([h, (v, x)], [jump], np.eye(3)[0], TS, method=METHODS[name], rtol=1e-8, atol=1e-10)
        return jnp.diagonal(sol.states, axis1=1, axis2=2).real

    return run, jax.jit(run), jax.jit(jax.vmap(run, in_axes=(None, None, None, 0)))


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), x=st.floats(-2.0, 2.0), rate=st.floats(0.0, 2.0))
@pytest.mark.parametrize("name", SOME)
def test_random_equations_agree_by_every_way(name, seed, x, rate):
    rng = np.random.default_rng(seed)
    h, v, jump = rng.normal(size=(3, 3, 3)) + 1j * rng.normal(size=(3, 3, 3))
    h, v, jump = h + h.conj().T, v + v.conj().T, np.sqrt(rate) * jump
    states = propagate(superoperator(h + x * v, [jump], [1.0]), np.diag([1.0, 0.0, 0.0]), TS)
    want = np.diagonal(states, axis1=1, axis2=2).real
    eager, compiled, many = of_three_levels(name)
    assert_allclose(eager(h, v, jump, x), want, atol=2e-7)
    assert_allclose(compiled(h, v, jump, x), want, atol=2e-7)
    assert_allclose(many(h, v, jump, jnp.array([0.3, x]))[1], want, atol=2e-7)


def test_a_plan_serves_under_every_transform():
    law = jt.Lindbladian(STILL + 0.6 * (A + A.T), [A])
    plan = jt.plan(law, VACUUM, TS, rtol=1e-8, atol=1e-10)
    assert "Faber" in repr(plan)
    run = functools.partial(photons, plan=plan)
    # A traced factor of a plain array hides its pattern; the plan says it.
    plain = lambda force: jt.mesolve(
        STILL + force * (A + A.T), [A], VACUUM, TS, [A.T @ A], rtol=1e-8, atol=1e-10, plan=plan
    )
    assert_allclose(run(0.6), exact(0.6), atol=2e-7)
    assert_allclose(jax.jit(run)(0.5), exact(0.5), atol=2e-7)
    found = eqx.filter_jit(plain)(0.5)
    assert_allclose(found.expects[0].real, exact(0.5), atol=2e-7)
    assert float(found.diagnostics["pattern_error"]) == 0.0
    slopes = jax.vmap(jax.grad(lambda force: run(force)[-1]))(jnp.array([0.4, 0.6]))
    assert_allclose(slopes[1], (exact(0.6 + 1e-4)[-1] - exact(0.6 - 1e-4)[-1]) / 2e-4, rtol=1e-5)


def test_what_a_plan_lacks_is_reported():
    law = jt.Lindbladian(STILL + 0.6 * (A + A.T), [A])
    plan = jt.plan(law, VACUUM, TS)
    run = lambda extra: jt.mesolve(STILL + 0.6 * (A + A.T) + extra * (A @ A + A.T @ A.T), [A], VACUUM, TS, plan=plan)
    found = eqx.filter_jit(run)(0.3)
    assert_allclose(float(found.diagnostics["pattern_error"]), 0.3 * np.max(np.abs(A @ A)), rtol=1e-6)
    assert any("pattern_error" in text for text in found.solution.concerns())


PULSED = jt.modulated(lambda t: 1.0 + 0.1 * jnp.sin(t), A.T @ A) + 0.05 * A.T @ A.T @ A @ A


@pytest.mark.parametrize(
    "h", [pytest.param(STILL, id="constant"), pytest.param(PULSED, id="driven", marks=pytest.mark.slow)]
)
def test_a_state_without_a_place_in_the_plan_is_reported_or_planned_anew(h):
    """A plan of one number state keeps one diagonal; coherences between two have no place in it."""
    one, both = np.eye(N)[1], (np.eye(N)[0] + np.eye(N)[1]) / np.sqrt(2)
    run = lambda state, **how: jt.mesolve(h, [A], state, TS, [A + A.T], rtol=1e-8, atol=1e-10, **how)
    want = run(both).expects[0].real
    plan = jt.plan(jt.Lindbladian(h, [A]), np.outer(one, one) + 0j, TS, rtol=1e-8, atol=1e-10)
    assert_allclose(run(both, plan=plan).expects[0].real, want, atol=1e-6)  # eagerly another plan is made
    found = eqx.filter_jit(lambda state: run(state, plan=plan))(jnp.asarray(np.outer(both, both) + 0j))
    assert_allclose(float(found.diagnostics["pattern_error"]), 0.5, rtol=1e-12)
    assert any("plan at a point that has them all" in text for text in found.solution.concerns())


@pytest.mark.slow
def test_a_correlation_by_a_plan_of_another_state_is_none():
    law = jt.Lindbladian(STILL, [A], rates=[0.3])
    rest = np.diag(0.5 ** np.arange(N)) + 0j
    want = jt.correlation(law, rest, A.T, A, TS)
    plan = jt.plan(law, rest, TS)
    assert_allclose(jt.correlation(law, rest, A.T, A, TS, plan=plan), want, atol=1e-6)
    assert np.all(np.isnan(jax.jit(lambda rho: jt.correlation(law, rho, A.T, A, TS, plan=plan))(rest)))
    fit = jt.plan(law, A @ rest, TS)
    assert_allclose(jax.jit(lambda rho: jt.correlation(law, rho, A.T, A, TS, plan=fit))(rest), want, atol=1e-6)


def test_a_plan_of_another_dimension_or_beside_a_method_is_refused():
    plan = jt.plan(jt.Lindbladian(STILL, [A]), VACUUM, TS)
    with pytest.raises(
        ValueError, match="`plan` must be one for states of shape \\(10, 10\\), but got one for \\(12, 12\\)"
    ):
        jt.mesolve(STILL[:10, :10], [A[:10, :10]], VACUUM[:10], TS, plan=plan)
    with pytest.raises(ValueError, match="`method` must be left out"):
        jt.mesolve(STILL, [A], VACUUM, TS, plan=plan, method=jt.Faber())


@pytest.mark.slow
def test_a_plan_of_a_spring_and_of_diffrax():
    spring = jt.EntropicSpring(omega=1.5, splitting=3.0, gamma=0.7, beta=0.4, n_spins=6)
    ts, y0 = jnp.linspace(0.0, 1.0, 4), spring.coherent_state(0.3)
    plan = jt.plan(spring, y0, ts)
    want = jt.evolve(spring, y0, ts).observables["x2"]
    run = lambda gamma: jt.evolve(dataclasses.replace(spring, gamma=gamma), y0, ts, plan=plan).observables["x2"]
    assert_allclose(jax.jit(run)(0.7), want, atol=1e-6)
    step = 1e-4
    slope = jax.jit(jax.grad(lambda gamma: run(gamma)[-1]))(0.7)
    assert_allclose(slope, (run(0.7 + step)[-1] - run(0.7 - step)[-1]) / (2 * step), rtol=1e-4)
    heated = jt.TLSHeatedOscillator(1.0, splitting=2.0, coupling=0.3, gamma=10.0, n_bar=0.5, n_levels=30)
    start = heated.thermal_state(0.1)
    plan = jt.plan(heated, start, ts)
    assert "levels" in repr(plan)
    run = lambda g: jt.evolve(dataclasses.replace(heated, coupling=g), start, ts, plan=plan).observables["n"]
    assert_allclose(jax.jit(run)(0.3), jt.evolve(heated, start, ts).observables["n"], rtol=1e-5)
    with pytest.raises(ValueError, match="known numbers"):
        jax.jit(lambda g: jt.plan(dataclasses.replace(heated, coupling=g), start, ts))(0.3)


class Decay(jt.AbstractGenerator):
    """A qubit that falls, by matrices alone."""

    rate: jax.Array
    n, dtype, is_constant = 2, jnp.dtype(complex), True

    def generator(self, y0=None, *, hermitian=False):
        down, number = jnp.asarray(SM + 0j), jnp.asarray(SM.T @ SM + 0j)
        h = jnp.asarray(0.7 * SZ + 0.4 * SX + 0j)

        def field(t, rho, args=None):
            loss = number @ rho + rho @ number
            return -1j * (h @ rho - rho @ h) + self.rate * (down @ rho @ down.conj().T - loss / 2)

        return field


@pytest.mark.slow
def test_a_users_own_generator_is_one_like_any_other():
    own, same = Decay(jnp.asarray(0.5)), jt.Lindbladian(0.7 * SZ + 0.4 * SX, [SM], rates=[0.5])
    assert_allclose(own.matrix(), superoperator(0.7 * SZ + 0.4 * SX, [SM], [0.5]), atol=1e-13)
    up = np.array([1.0, 0.0])
    assert_allclose(jt.mesolve(own, [], up, TS).states, jt.mesolve(same, [], up, TS).states, atol=1e-9)
    rest = jt.steady_state(own)
    assert_allclose(rest, jt.steady_state(same), atol=1e-9)
    assert_allclose(jt.correlation(own, rest, SM.T, SM, TS), jt.correlation(same, rest, SM.T, SM, TS), atol=1e-7)
    omegas = np.array([-1.0, 0.3])
    assert_allclose(jt.spectrum(own, rest, SM.T, SM, omegas), jt.spectrum(same, rest, SM.T, SM, omegas), atol=1e-7)
    slope = jax.grad(lambda r: jt.mesolve(Decay(r), [], up, TS, [SM.T @ SM]).expects[0, -1].real)(0.5)
    run = lambda r: float(jt.mesolve(Decay(jnp.asarray(r)), [], up, TS, [SM.T @ SM]).expects[0, -1].real)
    assert_allclose(slope, (run(0.5 + 1e-5) - run(0.5 - 1e-5)) / 2e-5, rtol=1e-5)


def test_evolve_and_mesolve_of_a_generator_are_one_run():
    law = jt.Lindbladian(STILL + 0.6 * (A + A.T), [A])
    whole, sol = jt.evolve(law, VACUUM, TS), jt.mesolve(law, [], VACUUM, TS)
    assert whole.stats["method"] == sol.stats["method"] == "Faber expansion"
    assert_allclose(whole.states, sol.states, atol=1e-14)


def test_inside_jit_too_evolve_and_mesolve_see_what_is_known_of_a_state():
    """A state that is known stays known: Hermitian, and so moved by Magnus steps, as `mesolve` moves it."""
    rho = np.diag([1.0, 0.0]) + 0j
    law = lambda x: jt.Lindbladian([0.5 * SZ, (SX, lambda t: x * jnp.cos(t))], [SM])
    whole = eqx.filter_jit(lambda x: jt.evolve(law(x), rho, TS))(jnp.asarray(0.3))
    sol = eqx.filter_jit(lambda x: jt.mesolve(law(x), [], rho, TS))(jnp.asarray(0.3))
    assert whole.stats["method"] == sol.stats["method"] == "Magnus steps, all intervals at once"
    assert_allclose(whole.states, sol.states, atol=1e-14)


@pytest.mark.parametrize(
    "driven", [pytest.param(False, id="Faber"), pytest.param(True, marks=pytest.mark.slow, id="RungeKutta")]
)
def test_a_window_that_is_too_small_is_reported(driven):
    """The plan of a weak force keeps half of the levels; a strong one fills more."""
    n = 96
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    force = jt.modulated(jnp.cos, a + a.T) if driven else jt.local((n,), {0: a + a.T})
    law = lambda x: jt.Lindbladian([0.1 * a.T @ a, x * force], [a])
    vacuum, ts = np.eye(n)[0], np.linspace(0.0, 1.0, 3)
    plan = jt.plan(law(0.01), vacuum, ts)
    run = eqx.filter_jit(lambda x: jt.mesolve(law(x), [], vacuum, ts, plan=plan).solution)
    weak, strong = run(jnp.asarray(0.01)), run(jnp.asarray(8.0))
    assert weak.stats["levels"] < n and weak.concerns() == []
    assert any(text.startswith("truncation") for text in strong.concerns())


def test_too_few_excitation_levels_are_reported():
    spring = lambda omega: jt.EntropicSpring(omega, splitting=1.0, gamma=1.0, beta=1.0, n_spins=30, n_levels=16)
    y0 = spring(0.2).coherent_state(0.5)
    plan = jt.plan(spring(0.2), y0, TS)
    run = lambda omega: jt.evolve(spring(omega), y0, TS, plan=plan)
    assert any(text.startswith("hierarchy") for text in eqx.filter_jit(run)(jnp.asarray(3.0)).concerns())


def test_list_form_takes_functions_too():
    drive = [0.5 * SZ, (SX, jnp.cos), [SX, 0.2]]
    found = jt.mesolve(drive, [[(SM, 0.3)]], np.array([0.0, 1.0]), TS, rtol=1e-9, atol=1e-11).states
    h = jt.modulated(jnp.cos, SX) + (0.5 * SZ + 0.2 * SX)
    assert_allclose(found, jt.mesolve(h, [0.3 * SM], np.array([0.0, 1.0]), TS, rtol=1e-9, atol=1e-11).states, atol=1e-8)
    with pytest.raises(ValueError, match=r"hamiltonian\[1\]"):
        jt.mesolve([0.5 * SZ, (SX, np.ones(3))], [], np.array([0.0, 1.0]), TS)


def test_times_made_inside_jit_keep_the_method():
    seen = []

    def run(span):
        sol = jt.mesolve(SX, [SM], np.array([0.0, 1.0]), jnp.linspace(0.0, span, 5), [SZ])
        seen.append(sol.stats["method"])
        return sol.expects[0].real

    want = jt.mesolve(SX, [SM], np.array([0.0, 1.0]), TS, [SZ])
    assert_allclose(jax.jit(run)(2.0), want.expects[0].real, atol=1e-9)
    assert seen[-1] == want.stats["method"] == "matrix exponential"


@pytest.mark.parametrize("levels", [4, 70])
def test_kets_stay_kets(levels):
    rng = np.random.default_rng(levels)
    h = rng.normal(size=(levels, levels))
    h = (h + h.T) / np.sqrt(levels)
    psi = rng.normal(size=levels) + 1j * rng.normal(size=levels)
    psi /= np.linalg.norm(psi)
    sol = jt.sesolve(h, psi, TS, [h], rtol=1e-9, atol=1e-11)
    want = np.stack([sl.expm(-1j * t * h) @ psi for t in TS])
    assert sol.stats["method"] == ("matrix exponential" if levels == 4 else "Faber expansion")
    assert_allclose(sol.states, want, atol=1e-7)
    assert_allclose(sol.expects[0], np.vdot(psi, h @ psi), rtol=1e-7)


def test_late_pulses_are_seen_and_nan_ends_a_run_at_once():
    pulse = lambda t: jnp.pi / 2 * jnp.exp(-(((t - 70.0) / 0.1) ** 2) / 2) / (0.1 * np.sqrt(2 * np.pi))
    sol = jt.mesolve(jt.modulated(pulse, SX), [], np.array([1.0, 0.0]), [0.0, 100.0], [SZ])
    assert_allclose(sol.expects[0, -1], -1.0, atol=1e-5)
    with pytest.raises(RuntimeError, match=r"not finite .* at t = 0\.5"):
        jt.mesolve(jt.modulated(lambda t: jnp.sqrt(0.5 - t), SX), [], np.array([1.0, 0.0]), [0.0, 1.0])


def test_half_a_drive_is_named():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        jt.mesolve(jt.modulated(lambda t: jnp.exp(1j * t), SM), [], np.array([1.0, 0.0]), [0.0, 0.1])
    assert any("not Hermitian" in str(w.message) for w in told)


REAL = 0.3 * A.T @ A + 0.5 * (A + A.T)
TURNED = 0.3 * A.T @ A + 0.5j * (A - A.T)
FINE = {"rtol": 1e-8, "atol": 1e-10}


def by_any(run, *given):
    """Eagerly, and inside jit: the numbers, or the words of a refusal; NaN or a concern count as words."""
    found = []
    for call in (run, eqx.filter_jit(run)):
        try:
            sol = call(*given)
        except ValueError as error:
            assert "`plan`" in str(error)
            found.append(None)
            continue
        said = not np.all(np.isfinite(sol.expects)) or any("plan at" in text for text in sol.solution.concerns())
        found.append(None if said else np.asarray(sol.expects))
    return found


@pytest.mark.parametrize(
    "planned, given",
    [
        ((REAL, [A]), (TURNED, [A])),
        pytest.param((REAL, [A]), (REAL, [np.exp(0.7j) * (A + A @ A)]), marks=pytest.mark.slow),
        ((REAL, [A]), (REAL, [A, 0.7 * A])),
        pytest.param((REAL, [A, 0.7 * A]), (REAL, [A]), marks=pytest.mark.slow),
        ((REAL, [A, (0.5 * A @ A, jnp.cos)]), (REAL, [(A, jnp.cos), 0.5 * A @ A])),
        (([REAL, (A + A.T, jnp.cos)], [A]), ([REAL, (A + A.T, lambda t: jnp.exp(2j * t) * 0.3)], [A])),
    ],
    ids=["imaginary H", "imaginary jump", "more jumps", "fewer jumps", "another jump driven", "complex drive"],
)
@pytest.mark.filterwarnings("ignore:the Hamiltonian", "ignore:hermiticity", "ignore:trace")
def test_a_plan_of_another_equation_gives_no_wrong_number(planned, given):
    """What it has no place for is refused, reported, or planned anew: never left out in silence."""
    vacuum = np.eye(N)[0]
    plan = jt.plan(jt.Lindbladian(*planned), vacuum, TS, **FINE)
    run = lambda rho: jt.mesolve(*given, rho, TS, [A.T @ A, A + A.T], plan=plan, **FINE)
    want = jt.mesolve(*given, vacuum, TS, [A.T @ A, A + A.T], **FINE).expects
    for found in by_any(run, jnp.asarray(np.outer(vacuum, vacuum) + 0j)):
        if found is not None:
            assert_allclose(found, want, atol=1e-6)


def test_a_plan_of_few_driven_levels_serves_states_that_are_not_known():
    sx, sm = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    h, up = [np.diag([1.0, -1.0]), (sx, jnp.cos)], np.array([1.0, 0.0])
    plan = jt.plan(jt.Lindbladian(h, [sm]), up, TS)
    assert plan.chosen.startswith("Magnus")
    run = lambda rho: jt.mesolve(h, [sm], rho, TS, [sx], plan=plan)
    found = eqx.filter_jit(run)(jnp.asarray(np.outer(up, up) + 0j))
    assert_allclose(found.expects, run(up).expects, atol=1e-6)
    assert "not as planned (Magnus" in found.stats["why"]
    rest = np.diag([0.25, 0.75]) + 0j
    law = jt.Lindbladian(h, [sm])
    assert_allclose(jt.correlation(law, rest, sx, sm, TS, plan=plan), jt.correlation(law, rest, sx, sm, TS), atol=1e-6)


def test_with_and_without_recorded_operators_it_is_one_run():
    """Of `evolve`, too."""
    law, vacuum, ts = jt.Lindbladian(REAL, [A]), np.eye(N)[0], np.linspace(0.0, 1.0, 41)
    alone, beside = jt.mesolve(law, [], vacuum, ts), jt.mesolve(law, [], vacuum, ts, [A])
    other = jt.evolve(law, vacuum, ts)
    for name in ("steps", "method", "levels"):
        assert alone.stats[name] == beside.stats[name] == other.stats[name]


def test_what_is_not_hermitian_of_a_state_is_dropped_evenly():
    """Up to what counts as rounding: the Hermitian part moves as it does alone."""
    rng = np.random.default_rng(0)
    rho = np.diag(0.5 ** np.arange(N)).astype(complex)
    rho /= np.trace(rho)
    left = 2e-7 * rng.normal(size=(N, N))
    run = lambda rho: jt.mesolve(REAL, [A], rho, TS, [A + A.T, A.T @ A], rtol=1e-9, atol=1e-11).expects.real
    assert_allclose(run(rho + left - left.T), run(rho), atol=1e-9)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:truncation")
def test_a_model_that_is_known_inside_jit_is_run_by_its_first_plan():
    """Its sizes are those that are guessed from its numbers: what a run finds is not known while jit traces."""
    spring = jt.EntropicSpring(3.0, splitting=1.0, gamma=1.0, beta=1.0, n_spins=30, n_levels=16)
    y0 = spring.coherent_state(0.5)
    run = lambda scale: scale * jt.evolve(spring, y0, TS).observables["x"]
    assert_allclose(jax.jit(run)(2.0), run(2.0), atol=1e-6)
    assert_allclose(jax.jacfwd(jax.jit(run))(2.0), run(1.0), atol=1e-6)
