"""What users of other solvers bring along: one time and t0, operators in any form, kets in plans, three operators."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose

import jaxtls as jt

SX, SZ, SM = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]])
UP, RHO = np.array([1.0, 0.0]), np.diag([0.7, 0.3])
TS = np.linspace(0.0, 2.0, 5)


@pytest.mark.parametrize(
    "h",
    [
        pytest.param(0.5 * SX, id="constant"),
        pytest.param(jt.modulated(jnp.cos, SX), marks=pytest.mark.slow, id="driven"),
    ],
)
def test_one_time_and_t0(h):
    want = jt.mesolve(h, [SM], RHO, TS, [SZ], rtol=1e-9, atol=1e-11)
    for tsave in (2.0, [2.0], TS[-1:]):
        one = jt.mesolve(h, [SM], RHO, tsave, [SZ], t0=0.0, rtol=1e-9, atol=1e-11)
        assert one.states.shape == (1, 2, 2) and one.expects.shape == (1, 1) and one.ts.tolist() == [2.0]
        assert_allclose(one.states[0], want.states[-1], atol=1e-8)
    later = jt.mesolve(h, [SM], RHO, TS[2:], [SZ], t0=0.0, rtol=1e-9, atol=1e-11)
    assert_allclose(later.expects, want.expects[:, 2:], atol=1e-8)
    assert jt.mesolve(h, [SM], RHO, TS, t0=0.0, save_states=False).ts.shape == TS.shape
    ket = jt.sesolve(h, UP, TS, [SZ], rtol=1e-9, atol=1e-11)
    assert_allclose(jt.sesolve(h, UP, 2.0, t0=0.0, rtol=1e-9, atol=1e-11).states[0], ket.states[-1], atol=1e-8)
    assert_allclose(
        jt.mesolve(h, [], UP, 2.0, [SZ], t0=0.0, rtol=1e-9, atol=1e-11).expects[0], ket.expects[0, -1:], atol=1e-8
    )
    end = lambda t0: jt.sesolve(h, UP, 2.0, [SZ], t0=t0, rtol=1e-9, atol=1e-11).expects[0, 0].real
    assert_allclose(jax.jit(end)(0.3), end(0.3), atol=1e-8)
    assert_allclose(jax.grad(end)(0.3), (end(0.3 + 1e-5) - end(0.3 - 1e-5)) / 2e-5, rtol=1e-5)


@pytest.mark.parametrize("run", [jt.mesolve, lambda h, _, psi, ts, **k: jt.sesolve(h, psi, ts, **k)], ids=["me", "se"])
def test_times_that_do_not_fit_are_refused(run):
    with pytest.raises(ValueError, match=r"`tsave` .*t0=0\.0"):
        run(SZ, [], UP, 2.0)
    with pytest.raises(ValueError, match="`t0` must not lie behind"):
        run(SZ, [], UP, TS, t0=0.5)
    with pytest.raises(ValueError, match="`t0`"):
        run(SZ, [], UP, TS, t0=[0.0, 1.0])


def test_operators_in_any_form():
    want = jt.mesolve(SX, [SM], RHO, TS, [SZ]).expects
    sparse = scipy.sparse.csr_array
    for jumps in (
        SM,
        sparse(SM),
        [sparse(SM)],
        {"decay": SM},
        SM[None],
        lambda t: jnp.asarray(SM),
        jt.local((2,), {0: SM}),
    ):
        for measured in (SZ, [sparse(SZ)], {"z": sparse(SZ)}, sparse(SZ)):
            assert_allclose(jt.mesolve(sparse(SX), jumps, RHO, TS, measured).expects, want, atol=1e-5)
    none = jt.mesolve(SX, [], RHO, TS, [SZ]).expects
    for empty in (None, (), {}):
        assert_allclose(jt.mesolve(SX, empty, RHO, TS, [SZ]).expects, none, atol=1e-12)
    assert_allclose(jt.mesolve(jt.Lindbladian(SX, SM), None, RHO, TS, [SZ]).expects, want, atol=1e-12)
    with pytest.raises(ValueError, match=r"jump_ops\['decay'\]"):
        jt.mesolve(SX, {"decay": np.eye(3)}, RHO, TS)


def test_a_batch_of_states_is_told_how_to_be_mapped():
    told = r"`rho0` .*jax\.vmap\(lambda rho0: jt\.mesolve\(hamiltonian, jump_ops, rho0, tsave\)\.states\)\(rho0\)"
    with pytest.raises(ValueError, match=told):
        jt.mesolve(SX, [SM], np.stack([RHO] * 3), TS)
    with pytest.raises(ValueError, match=r"`psi0` .*jax\.vmap\(lambda psi0: jt\.sesolve"):
        jt.sesolve(SX, np.ones((3, 2)), TS)
    with pytest.raises(ValueError, match=r"`psi0` .*jt\.mesolve"):
        jt.sesolve(SX, RHO, TS)
    with pytest.raises(ValueError, match=r"`psi0` .*jax\.vmap\(lambda psi0: jt\.trajectories"):
        jt.trajectories(SX, SM, np.ones((3, 2)), TS, 2, jax.random.key(0))
    with pytest.raises(ValueError, match=r"`hamiltonian` .*jt\.mesolve"):
        jt.sesolve(jt.Lindbladian(SX, SM), UP, TS)
    assert_allclose(jt.sesolve(jt.Lindbladian(SX, []), UP, TS).states, jt.sesolve(SX, UP, TS).states, atol=1e-12)
    qutip = pytest.importorskip("qutip")
    with pytest.raises(ValueError, match=r"shape \(2, 2\).*jax\.vmap"):
        jt.sesolve(SX, [qutip.basis(2, 0), qutip.basis(2, 1)], TS)
    found = jax.vmap(lambda rho0: jt.mesolve(SX, [SM], rho0, TS).states)(np.stack([RHO] * 3))
    assert_allclose(found[1], jt.mesolve(SX, [SM], RHO, TS).states, atol=1e-9)


def test_a_batch_of_solutions_is_a_solution():
    """Under `filter_vmap`, as the page on performance says; plain `vmap` returns no words."""
    run = lambda w: jt.mesolve(w * SX, [SM], RHO, TS, [SZ])
    both = eqx.filter_vmap(run)(jnp.array([1.0, 2.0]))
    assert_allclose(both.expects, jnp.stack([run(1.0).expects, run(2.0).expects]), atol=1e-7)
    assert both.stats["method"] == run(1.0).stats["method"]


@pytest.mark.parametrize("n", [2, pytest.param(70, marks=pytest.mark.slow)])
@pytest.mark.parametrize("driven", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_plan_of_a_ket_moves_kets(n, driven):
    rng = np.random.default_rng(n)
    h = rng.normal(size=(n, n)) / np.sqrt(n)
    h = h + h.T
    psi = np.eye(n)[0]
    law = jt.Lindbladian(jt.modulated(jnp.cos, h) if driven else h, [])
    plan = jt.plan(law, psi, TS)
    run = lambda a: jt.mesolve(law, [], a * psi, TS, plan=plan)
    want = jt.sesolve(jt.modulated(jnp.cos, h) if driven else h, psi, TS)
    assert_allclose(run(1.0).states, np.einsum("ti,tj->tij", want.states, want.states.conj()), atol=1e-5)
    assert_allclose(jax.jit(lambda a: run(a).states)(1.0), run(1.0).states, atol=1e-5)
    jaxpr = jax.make_jaxpr(lambda a: jt.mesolve(law, [], a * psi, TS, [h], plan=plan, save_states=False).expects)(1.0)
    if n > 2 and not driven:
        # Kets in loops, no density matrices: nothing that is moved has n^2 elements but H itself.
        assert "Faber" in repr(plan) or "Faber" in plan.chosen
        assert f"c128[{n},{n},2]" not in str(jaxpr)
    whole = jt.plan(law, np.outer(psi, psi), TS)
    assert_allclose(jt.mesolve(law, [], psi, TS, plan=whole).states, run(1.0).states, atol=1e-5)
    assert_allclose(jt.sesolve(law_hamiltonian(h, driven), psi, TS, plan=plan).states, want.states, atol=1e-5)


def law_hamiltonian(h, driven):
    return jt.modulated(jnp.cos, h) if driven else h


def test_three_operators():
    """g2 of resonance fluorescence in closed form, and a generic triple against QuTiP."""
    rabi, gamma = 1.3, 0.8
    law = jt.Lindbladian(0.5 * rabi * SX, [SM], rates=[gamma])
    rho, light, taus = jt.steady_state(law), SM.T @ SM, np.linspace(0.0, 8.0, 9)
    g2 = jt.correlation(law, rho, light, SM, taus, c=SM.T) / rho[0, 0] ** 2
    m = np.sqrt(rabi**2 - gamma**2 / 16)
    want = 1 - np.exp(-0.75 * gamma * taus) * (np.cos(m * taus) + 0.75 * gamma / m * np.sin(m * taus))
    assert_allclose(g2, want, atol=1e-7)
    with pytest.raises(ValueError, match="`c`"):
        jt.correlation(law, rho, light, SM, taus, c=np.eye(3))
    qutip = pytest.importorskip("qutip")
    q = lambda m: qutip.Qobj(np.asarray(m))
    a, b, c = SX + 0.3 * SZ, SM, SZ + 0.2 * SM.T
    theirs = qutip.correlation_3op_1t(
        q(0.5 * rabi * SX),
        q(rho),
        taus,
        [np.sqrt(gamma) * q(SM)],
        q(a),
        q(b),
        q(c),
        options={"rtol": 1e-10, "atol": 1e-12},
    )
    assert_allclose(jt.correlation(law, rho, b, c, taus, c=a), theirs, atol=1e-7)


PAIR = jt.Fluctuators([1.0], [1.0], [2.0])
SPREAD = {"slowest": 1e-3, "fastest": 1.0, "amplitude": 0.01}
DRAWS = {
    "trajectories": lambda key: jt.trajectories(SZ, [SM], UP, TS, 2, key),
    "ensemble": lambda key: jt.ensemble(jax.random.normal, key, 2),
    "fluctuators": lambda key: PAIR.sample(key, TS),
    "bath of fluctuators": lambda key: jt.Fluctuators.sample_bath(key, 2, **SPREAD),
    "record": lambda key: jt.TelegraphRecord(PAIR, 0.1).sample(key, TS),
    "bath": lambda key: jt.TLSBath.sample(key, 2, band=(4.0, 6.0), max_coupling=0.1, relaxation=0.1),
    "bath in time": lambda key: jt.TLSBath([5.0], [0.1], 0.2, shifts=[[0.3]], rates_up=1.0, rates_down=1.0).rate_trace(
        key, TS, 5.0
    ),
    "glass": lambda key: jt.TLSGlass.sample(key, 3),
    "states": lambda key: jt.random_bloch_vectors(key, 3),
    "concurrence": lambda key: jt.random_state_concurrence(key, 2, 10),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_what_is_no_random_key_is_refused_by_name(draw):
    wrong = [None, 3, "seed", np.zeros(2), [0, 1]]
    for key in wrong:
        with pytest.raises(ValueError, match=r"`key` must be a JAX random key.*jax\.random\.key\(seed\)"):
            draw(key)
    with pytest.raises(ValueError, match=r"`key` must be a single key"):
        draw(jax.random.split(jax.random.key(0)))


@pytest.mark.usefixtures("unchecked")
def test_random_keys_of_every_kind_draw():
    vectors = lambda key: jt.random_bloch_vectors(key, 3)
    typed, raw = jax.random.key(7), jax.random.PRNGKey(7)
    for key in (raw, np.asarray(raw)):
        assert_allclose(vectors(key), vectors(typed), rtol=1e-15)
    assert_allclose(jax.jit(vectors)(raw), vectors(typed), rtol=1e-15)
    keys = jax.random.split(typed, 2)
    assert_allclose(jax.vmap(vectors)(keys)[1], vectors(keys[1]), rtol=1e-15)
    fast = jax.random.key(7, impl="rbg")
    assert vectors(fast).shape == (3, 3)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "dims, factors, told",
    [
        (None, {0: SZ}, r"`dims` must list .*None.*\(2, 2\)"),
        (2, {0: SZ}, "`dims` must list .*2"),
        ((2, 2), None, r"`factors` must be a mapping.*None.*\{0: op\}"),
        ((2, 2), [SZ], "`factors` must be a mapping"),
    ],
)
def test_local_says_what_it_wants(dims, factors, told):
    with pytest.raises(ValueError, match=told):
        jt.local(dims, factors)


DECAY = np.array([[0.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("rho0", "words"),
    [
        (np.array([1.0, 1.0]), r"`rho0` has squared norm 2, not 1.* Divide it by 1.41421\. What"),
        (np.diag([2.0, 1.0]), r"`rho0` has trace 3, not 1.* Divide it by 3\. What"),
        (np.diag([1.0, -1.0]), r"`rho0` has trace 0, not 1, and so has every expectation value this factor\. What"),
        (np.diag([2.0, -1.0]), "has a population of -1"),
        (np.array([[0.5, 0.6], [0.6, 0.5]]), "coherences larger than its populations allow"),
    ],
)
def test_what_is_no_state_is_warned_of(rho0, words):
    with pytest.warns(UserWarning, match=words) as seen:
        jt.mesolve(np.diag([0.0, 1.0]), [DECAY], rho0, [0.0, 1.0])
    assert seen[0].filename == __file__
    with pytest.warns(UserWarning, match="`psi0` has squared norm 4"):
        jt.sesolve(np.diag([0.0, 1.0]), np.array([2.0, 0.0]), [0.0, 1.0])


def test_half_of_a_correlation_function_is_no_slip():
    """What is not Hermitian moves unwarned, and linearly."""
    half = np.array([[0.0, 0.5], [0.0, 0.5]])
    moved = jt.mesolve(np.diag([0.0, 1.0]), [DECAY], half, [0.0, 1.0]).states[-1]
    assert_allclose(moved[0, 1], 0.5 * np.exp(1j - 0.5), rtol=1e-6)
