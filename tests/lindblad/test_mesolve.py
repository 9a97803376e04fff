"""`mesolve`: known systems, random ones against the exponential, pulses, derivatives, options, refusals."""

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt

from .oracle import kerr, propagate, random_problem, superoperator

SZ, SM, SX = np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
UP, DOWN = np.array([1.0, 0.0]), np.array([0.0, 1.0])
TIGHT = {"rtol": 1e-9, "atol": 1e-11}
# The longest compilation is that of the derivatives: Tsit5, with few stages, keeps it short.
SHORT = {"rtol": 2e-8, "atol": 1e-10}


class DampedQubit:
    """H = w sz/2, energy relaxation at g (nb + 1) and g nb: closed forms of state, observables and gradients."""

    w, g, nb = 1.3, 0.4, 0.2

    def parts(self, g=None, nb=None):
        g, nb = self.g if g is None else g, self.nb if nb is None else nb
        return 0.5 * self.w * SZ, [SM, SM.T], jnp.stack([jnp.asarray(g * (nb + 1)), jnp.asarray(g * nb)])

    def excited(self, t, g=None, nb=None):
        g, nb = self.g if g is None else g, self.nb if nb is None else nb
        late = nb / (2 * nb + 1)
        return late + (1 - late) * jnp.exp(-g * (2 * nb + 1) * t)


def test_damped_qubit_and_its_gradients():
    system, ts = DampedQubit(), jnp.linspace(0.0, 3.0, 7)
    h, jumps, rates = system.parts()
    sol = jt.mesolve(h, jumps, UP, ts, [SM.T @ SM, SZ], rates=rates, **TIGHT)
    assert sol.states.shape == (7, 2, 2) and sol.expects.shape == (2, 7)
    assert_allclose(sol.expects[0], system.excited(ts), atol=1e-8)
    assert_allclose(sol.states[:, 0, 0], system.excited(ts), atol=1e-8)
    assert bool(sol.success) and sol.stats["layout"] == "dense" and "expects" in repr(sol)
    assert float(sol.diagnostics["trace_error"]) < 1e-12

    def late(x):
        h, jumps, rates = system.parts(g=x[0], nb=x[1])
        return jt.mesolve(h, jumps, UP, jnp.array([0.0, 1.5]), [SM.T @ SM], rates=rates, **SHORT).expects[0, -1].real

    x = jnp.array([0.4, 0.2])
    want = jax.grad(lambda x: system.excited(1.5, x[0], x[1]))(x)
    assert_allclose(jax.grad(late)(x), want, rtol=1e-5)
    assert_allclose(jax.jvp(late, (x,), (jnp.ones(2),))[1], want.sum(), rtol=1e-5)


def test_gradient_at_zero_temperature_is_finite():
    system = DampedQubit()

    def late(nb):
        h, jumps, rates = system.parts(nb=nb)
        return jt.mesolve(h, jumps, UP, jnp.array([0.0, 1.5]), [SM.T @ SM], rates=rates, **SHORT).expects[0, -1].real

    want = jax.grad(lambda nb: system.excited(1.5, nb=nb))(0.0)
    assert_allclose(jax.grad(late)(0.0), want, rtol=1e-5)


@pytest.mark.parametrize(("n", "layout"), [(3, "dense"), (5, "stencil")])
def test_random_lindbladians_against_the_exponential(n, layout):
    h, jumps, rho = random_problem(n, 2, seed=n)
    ts = np.linspace(0.2, 0.9, 5)
    sol = jt.mesolve(h, jumps, rho, ts, [h], layout=layout, **TIGHT)
    want = propagate(superoperator(h, jumps), rho, ts)
    assert_allclose(sol.states, want, atol=1e-8)
    assert_allclose(sol.expects[0], np.einsum("ij,tji->t", h, want), atol=1e-7)
    assert_allclose(np.trace(sol.states, axis1=1, axis2=2), 1.0, atol=1e-12)
    assert np.min(np.linalg.eigvalsh(sol.states)) > -1e-9


def test_a_matrix_that_is_no_state_moves_as_well():
    h, jumps, rho = random_problem(3, 1)
    ts, start = np.linspace(0.0, 0.5, 3), h @ rho
    sol = jt.mesolve(h, jumps, start, ts, **TIGHT)
    assert_allclose(sol.states, propagate(superoperator(h, jumps), start, ts), atol=1e-8)


def test_driven_kerr_oscillator():
    h, jumps, rates = kerr(12)
    ts, rho = np.linspace(0.0, 2.0, 3), np.diag(np.eye(12)[0])
    sol = jt.mesolve(h, jumps, rho, ts, [jumps[1] @ jumps[0]], rates=rates, save_states=False, **TIGHT)
    want = propagate(superoperator(h, jumps, rates), rho, ts)
    assert_allclose(sol.expects[0], np.einsum("i,tii->t", np.arange(12), want), atol=1e-7)
    assert sol.states is None


def test_rabi_oscillations_from_a_modulated_drive():
    """H = f(t) sx turns the spin by the integral of f."""
    ts = jnp.linspace(0.0, 4.0, 9)
    sol = jt.mesolve(jt.modulated(jnp.cos, SX), [], UP, ts, [SZ], **TIGHT)
    assert_allclose(sol.expects[0], jnp.cos(2 * jnp.sin(ts)), atol=1e-8)
    same = jt.mesolve(lambda t: jnp.cos(t) * SX, [], UP, ts, [SZ], **TIGHT)
    assert_allclose(same.expects, sol.expects, atol=1e-9)


def area(width, strength):
    return lambda t: jnp.where((t > 50.0) & (t < 50.0 + width), strength, 0.0) * SX


def test_pulses_are_hit():
    ts = jnp.linspace(0.0, 100.0, 3)
    strength = jnp.pi / 0.2
    called = jt.mesolve(area(0.1, strength), [], DOWN, ts, [SM.T @ SM], discontinuities=[50.0, 50.1])
    known = jt.mesolve(jt.piecewise_constant([50.0, 50.1], [strength], SX), [], DOWN, ts, [SM.T @ SM])
    for sol in (called, known):
        assert_allclose(sol.expects[0, -1], 1.0, atol=1e-5)
    assert int(known.stats["steps"]) < 300


@pytest.mark.parametrize("edge", [pytest.param(0.0, marks=pytest.mark.slow), 0.5])
def test_edges_are_left_with_the_right_hand_limit(edge):
    """A pulse with strict inequalities is 0 on its edge, which may be the first time or an output time."""
    pulse = lambda t: jnp.where((t > edge) & (t < edge + 0.1), jnp.pi / 0.2, 0.0) * SX
    sol = jt.mesolve(pulse, [], DOWN, [0.0, 0.5, 40.0], [SM.T @ SM], discontinuities=[edge, edge + 0.1])
    assert_allclose(sol.expects[0, -1], 1.0, atol=1e-5)
    assert_allclose(sol.ts, [0.0, 0.5, 40.0])


@pytest.mark.slow
def test_derivatives_with_respect_to_the_edges_of_a_pulse():
    def excited(width):
        sol = jt.mesolve(
            area(width, 2.0),
            [],
            DOWN,
            [0.0, 60.0],
            [SM.T @ SM],
            discontinuities=jnp.stack([50.0, 50.0 + width]),
            **SHORT,
        )
        return sol.expects[0, -1].real

    width = jnp.asarray(0.3)
    assert_allclose(excited(width), np.sin(0.6) ** 2, atol=1e-7)
    assert_allclose(jax.grad(excited)(width), 2 * np.sin(1.2), rtol=1e-5)


def test_derivatives_through_functions_that_close_over_parameters():
    def late(strength):
        sol = jt.mesolve(lambda t: strength * jnp.cos(t) * SX, [], UP, [0.0, 1.0], [SZ], **SHORT)
        return sol.expects[0, -1].real

    want = -2 * np.sin(1.0) * np.sin(2 * 0.7 * np.sin(1.0))
    assert_allclose(jax.jvp(late, (0.7,), (1.0,))[1], want, rtol=1e-5)


@pytest.mark.slow
def test_batches_and_adjoints_agree():
    def late(rate, **options):
        ts = jnp.array([0.0, 1.0])
        return jt.mesolve(SZ, [SM], UP, ts, [SM.T @ SM], rates=rate[None], **SHORT, **options).expects[0, -1].real

    rates = jnp.array([0.3, 0.7])
    assert_allclose(jax.vmap(late)(rates), jnp.exp(-rates), rtol=1e-6)
    adjoint = diffrax.RecursiveCheckpointAdjoint()
    assert_allclose(jax.grad(lambda r: late(r, adjoint=adjoint))(rates[0]), -jnp.exp(-0.3), rtol=1e-5)


def test_nothing_is_traced_again_when_only_numbers_change():
    count = 0

    class Drive(eqx.Module):
        strength: jax.Array

        def __call__(self, t):
            nonlocal count
            count += 1
            return self.strength * jnp.cos(t)

    def run(x):
        h = SZ + jt.modulated(Drive(jnp.asarray(x)), SX)
        jt.mesolve(h, [x * SM], UP, jnp.array([0.0, x]), [x * SZ], discontinuities=[x / 2])
        return count

    first = run(1.0)
    # Checking the arguments calls the envelope once.
    assert run(1.5) == first + 1


def test_single_precision_is_warned_of_and_works():
    single = lambda a: jnp.asarray(a, jnp.complex64)
    parts = single(SZ), [single(SM)], single(UP), jnp.array([0.0, 1.0], jnp.float32), [single(SM.T @ SM)]
    with pytest.warns(UserWarning, match="x64"):
        sol = jt.mesolve(*parts, rtol=1e-7)
    assert sol.states.dtype == jnp.complex64
    assert_allclose(sol.expects[0, -1], np.exp(-1.0), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"tsave": [0.0, 2.0, 1.0]}, "tsave"),
        ({"tsave": [0.0]}, "tsave"),
        ({"rho0": np.ones(3)}, "rho0"),
        ({"rho0": np.ones((3, 2, 2))}, "rho0"),
        ({"rho0": np.full((2, 2), np.nan)}, "rho0"),
        ({"exp_ops": [np.eye(3)]}, r"exp_ops\[0\]"),
        ({"exp_ops": "sz"}, "exp_ops"),
        ({"jump_ops": [np.zeros((3, 3))]}, r"jump_ops\[0\]"),
        ({"hamiltonian": np.zeros((2, 3))}, "hamiltonian"),
        ({"discontinuities": [np.nan]}, "discontinuities"),
        ({"rtol": -1.0}, "rtol"),
        ({"rates": [1.0, 2.0]}, "rates"),
        ({"hamiltonian": jt.Lindbladian(SZ, [])}, "jump_ops"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, name):
    call = {"hamiltonian": SZ, "jump_ops": [SM], "rho0": UP, "tsave": [0.0, 1.0], **change}
    with pytest.raises(ValueError, match=rf"`{name}`"):
        jt.mesolve(**call)


def test_a_misspelt_option_is_named():
    with pytest.raises(TypeError, match="unexpected option rtoll; there are method, plan, solver"):
        jt.mesolve(SZ, [SM], UP, [0.0, 1.0], rtoll=1e-3)
