"""`evolve` with a user's own model, through diffrax: accuracy, derivatives, diagnostics, refusals."""

from collections.abc import Callable
from functools import partial

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

from ..battery.models import ROWS


class Decay(eqx.Module):
    """A qubit losing energy: rho_ee(t) = exp(-gamma t), coherence exp(-gamma t/2 - i omega t)."""

    gamma: jax.Array
    omega: jax.Array

    def vector_field(self, t, rho, args):
        h = 0.5 * self.omega * jnp.diag(jnp.array([1.0, -1.0]))
        lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
        loss = lower.T @ lower
        return -1j * (h @ rho - rho @ h) + self.gamma * (lower @ rho @ lower.T - (loss @ rho + rho @ loss) / 2)

    @property
    def observables(self):
        return {"excited": lambda rho: rho[0, 0].real, "coherence": lambda rho: rho[0, 1]}

    def diagnostics(self, rho):
        return {"trace_error": jnp.abs(jnp.trace(rho) - 1)}


MODEL = Decay(jnp.asarray(0.7), jnp.asarray(1.3))
PLUS = jnp.full((2, 2), 0.5 + 0j)
TS = jnp.linspace(0.0, 4.0, 9)


@pytest.mark.parametrize("solver", [None, diffrax.Dopri8(), pytest.param(diffrax.Kvaerno5(), marks=pytest.mark.slow)])
def test_a_users_module_is_a_model(solver):
    sol = jt.evolve(MODEL, PLUS, TS, solver=solver, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(sol.observables["excited"], 0.5 * np.exp(-0.7 * TS), atol=1e-8)
    np.testing.assert_allclose(sol.observables["coherence"], 0.5 * np.exp((-0.35 - 1.3j) * TS), atol=1e-8)
    assert sol.states is None and bool(sol.success)
    assert sol.diagnostics["trace_error"] < 1e-12
    text = repr(sol)
    assert "9 times" in text and "excited" in text and "trace_error" in text


def test_states_and_custom_observables():
    double = {"twice": lambda rho: 2 * rho[0, 0].real}
    sol = jt.evolve(MODEL, PLUS, TS, observables=double, save_states=True)
    assert sol.states.shape == (9, 2, 2)
    np.testing.assert_allclose(sol.observables["twice"], 2 * sol.states[:, 0, 0].real, rtol=1e-12)
    assert list(jt.evolve(MODEL, PLUS, TS, observables=["excited"]).observables) == ["excited"]


def test_a_model_without_observables_keeps_its_states():
    class Spiral(eqx.Module):
        def vector_field(self, t, y, args):
            return {"z": 1j * y["z"], "r": -y["r"]}

    sol = jt.evolve(Spiral(), {"z": 1.0 + 0j, "r": 1.0}, TS)
    np.testing.assert_allclose(sol.states["z"], np.exp(1j * np.asarray(TS)), atol=1e-5)
    np.testing.assert_allclose(sol.states["r"], np.exp(-np.asarray(TS)), atol=1e-5)


@pytest.mark.slow
def test_one_default_serves_grad_and_jvp():
    f = lambda g: jt.evolve(Decay(g, MODEL.omega), PLUS, TS, rtol=1e-9, atol=1e-11).observables["excited"][-1]
    want = -4.0 * 0.5 * np.exp(-0.7 * 4.0)
    np.testing.assert_allclose(jax.grad(f)(0.7), want, rtol=1e-6)
    np.testing.assert_allclose(jax.jvp(f, (0.7,), (1.0,))[1], want, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(f))(jnp.array([0.7, 0.7]))[1], want, rtol=1e-6)


SLOPES = [pytest.param(jax.grad, id="reverse", marks=pytest.mark.slow), pytest.param(jax.jacfwd, id="forward")]


@pytest.mark.slow
@pytest.mark.parametrize("slope", [jax.grad, jax.jacfwd], ids=["reverse", "forward"])
def test_functions_may_close_over_what_is_differentiated(slope):
    spring = jt.EntropicSpring(1.0, splitting=1.0, gamma=0.1, beta=1.0, n_spins=99, n_levels=24, n_modes=6)

    def observed(model, y0, a):
        square = lambda y: a**2 * jnp.sum(y).real
        return jt.evolve(model, y0, TS, observables={"a": partial(lambda f, y: f(y), square)}).observables["a"][-1]

    for model, y0 in ((MODEL, PLUS), (spring, spring.coherent_state(0.3))):
        one = observed(model, y0, 1.0)
        np.testing.assert_allclose(slope(partial(observed, model, y0))(1.5), 3 * one, rtol=1e-12)

    def moved(gamma):
        class Inner(eqx.Module):
            def vector_field(self, t, y, args):
                return -gamma * y

        return jt.evolve(Inner(), jnp.ones(2), TS).states[-1, 0]

    def driven(gamma):
        return jt.evolve(Driven(lambda t: gamma), jnp.ones(2), TS).states[-1, 0]

    def partially(gamma):
        return jt.evolve(Driven(jax.tree_util.Partial(lambda t: gamma)), jnp.ones(2), TS).states[-1, 0]

    for run in (moved, driven, partially):
        np.testing.assert_allclose(slope(run)(0.5), -4.0 * np.exp(-2.0), rtol=1e-5)


class Driven(eqx.Module):
    rate: Callable

    def vector_field(self, t, y, args):
        return -self.rate(t) * y


class Scaled(eqx.Module):
    factor: jax.Array

    def __call__(self, y):
        return self.factor * jnp.sum(y).real


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize(
    "function",
    [
        Scaled,
        pytest.param(lambda a: lambda y, a=a: a * jnp.sum(y).real, marks=pytest.mark.slow),
        pytest.param(lambda a: Scaled(a).__call__, marks=pytest.mark.slow),
        pytest.param(lambda a: jax.jit(lambda y: a * jnp.sum(y).real), marks=pytest.mark.slow),
        pytest.param(lambda a: lambda y, table={1: a, "b": 2.0}: table[1] * jnp.sum(y).real, marks=pytest.mark.slow),
    ],
    ids=["module", "default", "method", "jitted", "table of keys without order"],
)
def test_whatever_holds_what_is_differentiated(function, slope):
    last = lambda a: jt.evolve(MODEL, PLUS, TS, observables={"a": function(a)}).observables["a"][-1]
    np.testing.assert_allclose(slope(last)(1.5), last(1.0), rtol=1e-12)


@pytest.mark.parametrize(
    "solver", [pytest.param(None, id="splitting"), pytest.param(diffrax.Tsit5(), marks=pytest.mark.slow, id="diffrax")]
)
def test_parameters_in_single_precision_and_times_in_double(solver):
    """As from a file of float32 in a session with x64: computed in double precision."""
    numbers = {"omega": 1.0, "splitting": 1.0, "gamma": 1.0, "beta": 1.0}
    kw = {"n_spins": 3, "n_levels": 24, "n_modes": 3}
    ts = np.linspace(0.0, 0.5, 3)
    single = jt.EntropicSpring(**{name: jnp.float32(value) for name, value in numbers.items()}, **kw)
    double = jt.EntropicSpring(**numbers, **kw)
    found, want = (
        jt.evolve(m, m.coherent_state(0.3), ts, solver=solver, observables=["x"]).observables["x"]
        for m in (single, double)
    )
    assert found.dtype == jnp.float64
    np.testing.assert_allclose(found, want, atol=1e-5)


@pytest.mark.slow
def test_the_reverse_only_adjoint_agrees():
    def f(g):
        adjoint = diffrax.RecursiveCheckpointAdjoint()
        sol = jt.evolve(Decay(g, MODEL.omega), PLUS, TS, rtol=1e-9, atol=1e-11, adjoint=adjoint)
        return sol.observables["excited"][-1]

    np.testing.assert_allclose(jax.grad(f)(0.7), -4.0 * 0.5 * np.exp(-2.8), rtol=1e-6)


def test_running_out_of_steps_is_told():
    with pytest.raises(RuntimeError, match="max_steps"):
        jt.evolve(MODEL, PLUS, TS, max_steps=3)
    with pytest.warns(UserWarning, match="did not finish"):
        sol = jt.evolve(MODEL, PLUS, TS, max_steps=3, throw=False)
    assert not bool(sol.success) and "WARNING" in repr(sol)
    inside = eqx.filter_jit(lambda g, **how: jt.evolve(Decay(g, MODEL.omega), PLUS, TS, max_steps=3, **how))
    told = inside(jnp.asarray(0.7))
    assert not bool(told.success) and np.all(np.isnan(told.observables["excited"]))
    with pytest.raises(eqx.EquinoxRuntimeError, match="max_steps"):
        inside(jnp.asarray(0.7), throw=True)
    with pytest.raises(RuntimeError, match="max_steps"):
        jax.grad(lambda g: jt.evolve(Decay(g, MODEL.omega), PLUS, TS, max_steps=3).observables["excited"][-1])(0.7)
    batch = jax.vmap(lambda g: jt.evolve(Decay(g, MODEL.omega), PLUS, TS, max_steps=60, throw=False).success)
    assert batch(jnp.array([0.7, 500.0])).tolist() == [True, False]


@pytest.mark.slow
def test_progress_shows_a_bar(capsys):
    jt.evolve(MODEL, PLUS, TS, progress=True)
    s = jt.EntropicSpring(omega=1.0, splitting=1.0, gamma=1.0, beta=1.0, n_spins=100, n_levels=16, n_modes=3)
    jt.evolve(s, s.coherent_state(0.1), jnp.linspace(0, 1, 4), progress=True)
    assert "%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"ts": jnp.array([0.0, 2.0, 1.0])}, "ts"),
        ({"ts": jnp.array([0.0, 0.0, 1.0])}, "ts"),
        ({"ts": jnp.array([0.0, jnp.nan])}, "ts"),
        ({"ts": jnp.array([1.0])}, "ts"),
        ({"ts": jnp.zeros((2, 2))}, "ts"),
        ({"rtol": 0.0}, "rtol"),
        ({"atol": "small"}, "atol"),
        ({"max_steps": 0}, "max_steps"),
        ({"model": object()}, "model"),
        ({"observables": ["energy"]}, "observables"),
        ({"observables": "x"}, "observables"),
        ({"observables": {"x": 3.0}}, "observables"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, name):
    call = {"model": MODEL, "y0": PLUS, "ts": TS, **change}
    model, y0, ts = call.pop("model"), call.pop("y0"), call.pop("ts")
    with pytest.raises(ValueError, match=rf"`{name}`"):
        jt.evolve(model, y0, ts, **call)


def test_tolerances_below_the_precision_are_warned_of():
    single = Decay(jnp.float32(0.7), jnp.float32(1.3))
    with pytest.warns(UserWarning, match="x64"):
        sol = jt.evolve(single, PLUS.astype(jnp.complex64), TS.astype(jnp.float32), rtol=1e-7)
    np.testing.assert_allclose(sol.observables["excited"], 0.5 * np.exp(-0.7 * TS), atol=1e-5)


@pytest.mark.parametrize("entry", [jt.evolve, jt.plan, jax.jit(lambda *given: jt.evolve(*given, rtol=1e-7).success)])
def test_warnings_point_at_the_line_of_the_user(entry):
    given = Decay(jnp.float32(0.7), jnp.float32(1.3)), PLUS.astype(jnp.complex64), TS.astype(jnp.float32)
    options = {} if entry not in (jt.evolve, jt.plan) else {"rtol": 1e-7}
    with pytest.warns(UserWarning, match="x64") as seen:
        entry(*given, **options)
    assert {warning.filename for warning in seen} == {__file__}


def test_single_precision_times_are_raised_to_the_state():
    sol = jt.evolve(MODEL, PLUS, TS.astype(jnp.float32), rtol=1e-9)
    np.testing.assert_allclose(sol.observables["excited"], 0.5 * np.exp(-0.7 * TS), atol=1e-7)


def test_nothing_is_traced_again_when_only_numbers_change():
    count = 0

    class Counted(eqx.Module):
        rate: jax.Array

        def vector_field(self, t, y, args):
            nonlocal count
            count += 1
            return -self.rate * y

    jt.evolve(Counted(jnp.asarray(1.0)), jnp.asarray(1.0), TS)
    first = count
    jt.evolve(Counted(jnp.asarray(2.0)), jnp.asarray(3.0), 2 * TS)
    assert count == first


def spring_run(gamma, beta=0.01):
    spring = jt.EntropicSpring(1.93, splitting=100.0, gamma=gamma, beta=beta, n_spins=10, n_levels=16, n_modes=3)
    return jt.evolve(spring, spring.coherent_state(0.3), jnp.linspace(0.0, 1.0, 3), observables=["x"])


@pytest.mark.parametrize("numbers", [(jnp.nan,), (-10.0,), (jnp.inf,), (10.0, -0.01)])
def test_what_an_eager_call_refuses_is_nan_and_no_success_in_a_compiled_one(numbers):
    found = jax.jit(spring_run)(*numbers)
    assert not found.success and bool(jnp.all(jnp.isnan(found.observables["x"])))
    with pytest.raises(ValueError, match="must be finite and > 0"):
        spring_run(*numbers)


def test_lanes_with_bad_numbers_leave_the_others_alone():
    found = jax.vmap(spring_run)(jnp.array([10.0, -10.0]))
    assert found.success.tolist() == [True, False]
    assert jnp.allclose(found.observables["x"][0], spring_run(10.0).observables["x"], rtol=1e-9)


def test_a_compiled_function_returns_the_whole_solution():
    found = jax.jit(spring_run)(10.0)
    assert found.stats["method"].startswith("Strang") and "success True" in repr(found)
    master = jax.jit(lambda rate: jt.mesolve(jnp.eye(2), [(jnp.eye(2), rate)], jnp.eye(2) / 2, TS))(0.5)
    assert master.success and isinstance(master.stats["method"], str)
    many = jax.vmap(lambda omega: jt.evolve(Decay(jnp.asarray(0.7), omega), PLUS, TS))(jnp.array([1.0, 2.0]))
    assert many.stats["steps"].shape == (2,) and isinstance(many.stats["why"], str)


OWN = ["EntropicSpring", "SpinBathOscillator", "TLSHeatedOscillator", "ThermalNetwork", "DampedOscillator"]


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("shape", [(3,), (2, 5), (3, 4, 5)])
def test_a_state_of_another_form_is_refused_by_name(name, shape):
    model = ROWS[name].make(**ROWS[name].numbers)
    with pytest.raises(ValueError, match=r"`y0` must (have shape|be a state)"):
        jt.evolve(model, jnp.ones(shape), TS)


def test_a_pair_with_its_number_first_is_refused_by_name():
    for h, jumps in ((jnp.eye(2), [(0.5, jnp.eye(2))]), ([jnp.eye(2), (0.5, jnp.eye(2))], [])):
        with pytest.raises(ValueError, match="must have the operator first"):
            jt.mesolve(h, jumps, jnp.eye(2) / 2, TS)
