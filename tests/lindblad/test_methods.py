"""Every method by every way: alone, inside jit and vmap, with a plan, differentiated; and what it says of itself."""

import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.dynamics.methods.base import AbstractMethod
from jaxtls.lindblad.methods.magnus import Magnus
from jaxtls.lindblad.methods.runge_kutta import RungeKutta

TS = np.linspace(0.0, 1.5, 4)
TIGHT = {"rtol": 1e-9, "atol": 1e-11}
PLANNED = 0.6


def ladder(n):
    return np.diag(np.sqrt(np.arange(1.0, n)), 1)


class Cosine(eqx.Module):
    """A drive whose size is a leaf."""

    size: jax.Array

    def __call__(self, t):
        return self.size * jnp.cos(2.0 * t)


def equation(n, envelope, x):
    a = ladder(n)
    still = 0.3 * a.T @ a - 0.1 * a.T @ a.T @ a @ a
    return jt.Lindbladian([still, (a + a.T, envelope(jnp.asarray(x)))], [a], rates=[0.4]), jnp.eye(n)[0]


def spring(x):
    model = jt.EntropicSpring(omega=1.5, splitting=3.0, gamma=x, beta=0.4, n_spins=2, n_modes=2, n_levels=32)
    return model, model.coherent_state(0.3)


class Case(NamedTuple):
    """A method by what `method=` takes, a model and a state made from one number, and the word for it."""

    method: object
    model: Callable
    word: str


still = functools.partial(equation, envelope=lambda x: x)
driven = functools.partial(equation, envelope=Cosine)
CASES = {
    "Splitting": Case(jt.Splitting(), spring, "Strang splitting, order"),
    "Diffrax": Case(diffrax.Tsit5(), lambda x: driven(4, x=x), "Tsit5"),
    "Faber": Case(jt.Faber(), lambda x: still(5, x=x), "Faber expansion"),
    "MatrixExponential": Case(jt.MatrixExponential(), lambda x: still(4, x=x), "matrix exponential"),
    "Magnus": Case(Magnus(), lambda x: driven(2, x=x), "Magnus steps, all intervals at once"),
    "RungeKutta": Case(RungeKutta(), lambda x: driven(5, x=x), "Tsit5 on blocks"),
}

# diffrax' own loops compile for long, and are tested by diffrax; springs are by their own tests.
LONG = {"Diffrax", "Splitting"}
QUICK = [pytest.param(k, marks=pytest.mark.slow) if k in LONG else k for k in CASES]


def concrete(kind):
    for child in kind.__subclasses__():
        yield from concrete(child)
        if not inspect.isabstract(child) and child.__module__.startswith("jaxtls."):
            yield child


def test_every_method_has_a_case():
    assert {kind.__name__ for kind in concrete(AbstractMethod)} == set(CASES)


class Ways(NamedTuple):
    """The same function of one number, by each way; compiled once."""

    by_diffrax: Callable
    alone: Callable
    planned: Callable
    inside: Callable
    side_by_side: Callable
    planned_inside: Callable
    planned_side_by_side: Callable
    slope: Callable
    planned_slope: Callable


@functools.cache
def ways(name):
    case = CASES[name]

    def run(x, **how):
        model, y0 = case.model(x)
        sol = jt.evolve(model, y0, TS, **how, **TIGHT)
        return sol.observables["x2"] if name == "Splitting" else sol.states.real.reshape(len(TS), -1)[:, 0]

    other, alone = (functools.partial(run, method=method) for method in (diffrax.Dopri8(), case.method))
    planned = functools.partial(run, plan=jt.plan(*case.model(PLANNED), TS, method=case.method, **TIGHT))
    last = lambda run: jax.jit(jax.grad(lambda x: run(x)[-1]))
    return Ways(
        other,
        alone,
        planned,
        jax.jit(alone),
        jax.jit(jax.vmap(alone)),
        jax.jit(planned),
        jax.jit(jax.vmap(planned)),
        last(alone),
        last(planned),
    )


@settings(max_examples=3, deadline=None)
@given(x=st.floats(0.3, 0.9))
@pytest.mark.parametrize("name", QUICK)
def test_every_way_gives_the_same(name, x):
    by = ways(name)
    want = by.by_diffrax(x)
    assert np.all(np.isfinite(want)) and np.ptp(want) > 1e-3
    for found in (
        by.alone(x),
        by.planned(x),
        by.inside(x),
        by.planned_inside(x),
        by.side_by_side(jnp.array([0.5, x]))[1],
        by.planned_side_by_side(jnp.array([0.5, x]))[1],
    ):
        assert_allclose(found, want, atol=2e-7)


@pytest.mark.parametrize("name", QUICK)
def test_gradients_are_those_of_finite_differences(name):
    by, h = ways(name), 1e-3
    wanted = (by.alone(PLANNED + h)[-1] - by.alone(PLANNED - h)[-1]) / (2 * h)
    assert_allclose(by.slope(PLANNED), wanted, rtol=1e-4, atol=1e-7)
    assert_allclose(by.planned_slope(PLANNED), wanted, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "name", [k if k == "MatrixExponential" else pytest.param(k, marks=pytest.mark.slow) for k in CASES]
)
def test_a_run_says_which_method_it_took_and_who_asked(name):
    case = CASES[name]
    model, y0 = case.model(PLANNED)
    plan = jt.plan(model, y0, TS, method=case.method)
    assert repr(plan).startswith(f"Plan: {case.word}") and ", asked for by method=\n" in repr(plan)
    by_name = lambda y0: jt.evolve(model, y0, TS, method=case.method)
    by_plan = eqx.filter_vmap(eqx.filter_jit(lambda y0: jt.evolve(model, y0, TS, plan=plan)))
    asked, named = "asked for by method=", "named by plan=, there asked for by method="
    for sol, why in ((by_name(y0), asked), (eqx.filter_jit(by_name)(y0), asked), (by_plan(y0[None]), named)):
        assert sol.stats["method"].startswith(case.word) and sol.stats["why"] == why
        assert f"\n  method       {sol.stats['method']}, {why}\n" in repr(sol)


# --- "auto" -----------------------------------------------------------------------------------------------------------

SX, SZ = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])
A = ladder(12)
TURN = [A.T @ A, (A + A.T, jnp.cos)]


class Falling(eqx.Module):
    """Known by its right-hand side alone."""

    def vector_field(self, t, y, args=None):
        return -y


def of(hamiltonian, jumps, state, ts=TS, **how):
    return lambda: jt.mesolve(hamiltonian, jumps, state, ts, **how)


def pulled(**how):
    return lambda: jt.evolve(*spring(0.7), TS, **how)


def fall(**how):
    return lambda: jt.evolve(Falling(), jnp.ones(2), TS, **how)


class Unknown(jt.AbstractGenerator):
    """A generator that tells nothing of its structure."""

    n: int
    dtype, is_constant = jnp.dtype(complex), True

    def generator(self, y0=None, *, hermitian=False):
        return lambda t, rho, args=None: jnp.trace(rho) * jnp.eye(self.n) / self.n - rho


CONSTANT = "because the equation is constant and"
UP, VACUUM, MIXED = np.array([1.0, 0.0]), np.eye(12)[0], np.eye(12) / 12
AUTO = [
    (of(SX, [SZ], UP), "matrix exponential", f"{CONSTANT} has 2 levels (at most 8)"),
    (of(A.T @ A, [A], VACUUM), "Faber expansion", f"{CONSTANT} 12 levels are too many for a matrix exponential"),
    (of(Unknown(12), [], MIXED), "Tsit5", "nothing bounds the spectrum of this generator"),
    (of(SX, [], UP), "matrix exponential", f"{CONSTANT} the ket has 2 levels (at most 64)"),
    (of(np.eye(65), [], np.eye(65)[0]), "Faber expansion", "the 65 levels of a ket are too many"),
    (of([SZ, (SX, jnp.cos)], [SZ], UP), "Magnus steps", "because functions of time move 2 levels (at most 3)"),
    (of(TURN, [A], VACUUM), "Tsit5 on blocks", "functions of time and 12 levels are too many for Magnus steps"),
    (of(TURN, [], VACUUM), "Tsit5 on blocks", "because coefficients are functions of time"),
    (of(SX, [SZ], UP, discontinuities=[0.5]), "matrix exponential", f"{CONSTANT} has 2 levels (at most 8)"),
    pytest.param(
        *(of(TURN, [A], VACUUM, np.linspace(0, 1, 401)), "Tsit5", "401 output times (more than 400) are read off"),
        marks=pytest.mark.slow,
    ),
    (of(lambda t: SX * t, [SZ], UP), "Tsit5", "because the equation is not a sum of matrices times functions of time"),
    (of(SX, [SZ], UP, method=jt.Faber()), "Faber expansion", "asked for by method="),
    (of(SX, [SZ], UP, solver=diffrax.Dopri5()), "Dopri5", "asked for by solver="),
    (of(SX, [SZ], UP, adjoint=diffrax.DirectAdjoint()), "Tsit5", "because adjoint= is for diffrax"),
    (pulled(), "Strang splitting", "because the model splits into parts that are solved exactly"),
    pytest.param(
        *(pulled(discontinuities=[0.5]), "Tsit5", "because steps must end at the discontinuities, and those of the"),
        marks=pytest.mark.slow,
    ),
    (fall(), "Tsit5", "because the model is known by its right-hand side alone"),
    (fall(rtol=1e-9), "Dopri8", "right-hand side alone; of order 8, as rtol <= 1e-08"),
]


@pytest.mark.parametrize(("run", "method", "why"), AUTO)
def test_a_run_says_why_it_took_its_method(run, method, why):
    sol = run()
    assert sol.stats["method"].startswith(method) and why in sol.stats["why"]
    line = next(line for line in repr(sol).splitlines() if line.startswith("  method"))
    assert line == f"  method       {sol.stats['method']}, {sol.stats['why']}"
    assert "method" not in next(line for line in repr(sol).splitlines() if line.startswith("  stats"))


def test_what_is_traced_says_it_too():
    seen = []

    def run(x):
        sol = jt.mesolve(x * SX, [SZ], UP, TS)
        seen.append(repr(sol))
        return sol.states[-1]

    jax.jit(run)(1.0)
    assert f"traced; matrix exponential, {CONSTANT} has 2 levels (at most 8)" in seen[0]


def test_plans_say_it_too():
    plan = jt.plan(jt.Lindbladian(A.T @ A, [A]), VACUUM, TS)
    assert repr(plan).startswith(f"Plan: Faber expansion, {CONSTANT} 12 levels are too many")
    sol = jt.mesolve(A.T @ A, [A], VACUUM, TS, plan=plan)
    assert sol.stats["why"] == f"named by plan=, there {plan.why}"


def test_a_misspelt_option_is_named():
    with pytest.raises(TypeError, match="rtoll"):
        jt.evolve(*spring(0.7), TS, rtoll=1e-3)
    with pytest.raises(TypeError, match="unexpected option rtoll; there are method, plan"):
        jt.plan(*spring(0.7), TS, rtoll=1e-3)
