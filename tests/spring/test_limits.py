"""The spring's closed limits: moments at constant rates, and first order in 1/N, both against `evolve`."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from numpy.testing import assert_allclose

from jaxtls import EntropicSpring, evolve
from jaxtls.models.spring.limits import constant_rate_moments, weak_coupling_rates

ALPHA = 0.6 + 0.3j
MOMENTS = ("x", "p", "x2", "p2")
FIG1 = {"omega": float(np.sqrt(1 + np.e)), "splitting": 100.0, "gamma": 10.0, "beta": 0.01}
# Another omega_eff and mass, a slower bath.
OTHER = {"omega": 1.3, "omega_0": 1.2, "splitting": 10.0, "gamma": 2.0, "beta": 0.05, "mass": 0.6}


# --- constant rates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "n_spins, n_levels, form",
    [
        (3, 64, "wang-taylor"),
        pytest.param(20, 48, "wang-taylor", marks=pytest.mark.slow),
        pytest.param(20, 48, "lindblad", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_moments_agree_with_evolve(n_spins, n_levels, form):
    spring = EntropicSpring(
        omega=1.9, omega_0=0.3, splitting=1e8, gamma=3.0, beta=1e-8, mass=1.3, n_spins=n_spins,
        n_levels=n_levels, n_modes=min(n_spins, 6), form=form,
    )  # fmt: skip
    ts = jnp.linspace(0.0, 1.2, 3)
    sol = evolve(spring, spring.coherent_state(ALPHA), ts, observables=MOMENTS, rtol=1e-8)
    moments = constant_rate_moments(spring, ALPHA, ts)
    for name in MOMENTS:
        assert_allclose(sol.observables[name], getattr(moments, name), atol=1e-7, err_msg=name)


def random_switching(spring, alpha, ts):
    """<x>, <x^2> by another road: moments joint with k, the number of spins up, of a master equation for k."""
    n, p = int(spring.n_spins), float(spring.polarization)
    gamma, mass = float(spring.relaxation_rate()), float(spring.mass)
    k = np.arange(n + 1)
    down, up = gamma * (1 - p) * k, gamma * p * (n - k)
    jump = np.diag(-(down + up)) + np.diag(down[1:], 1) + np.diag(up[:-1], -1)
    stiffness = mass * float(spring.omega_0) ** 2 + mass * float(spring.omega) ** 2 * k / n
    one, zero = np.eye(n + 1), np.zeros((n + 1, n + 1))
    generator = np.block(
        [
            [jump, 2 / mass * one, zero],
            [-np.diag(stiffness), jump, one / mass],
            [zero, -2 * np.diag(stiffness), jump],
        ]
    )
    weights = scipy.stats.binom.pmf(k, n, p)
    m_omega = mass * float(spring.effective_frequency)
    x, momentum = np.sqrt(2 / m_omega) * alpha.real, np.sqrt(2 * m_omega) * alpha.imag
    start = np.concatenate(
        [(x**2 + 1 / (2 * m_omega)) * weights, x * momentum * weights, (momentum**2 + m_omega / 2) * weights]
    )
    return np.array([(scipy.linalg.expm(generator * t) @ start)[: n + 1].sum() for t in ts])


@pytest.mark.parametrize("n_spins", [1, 2, 15])
def test_moments_are_those_of_a_randomly_switched_stiffness(n_spins):
    spring = EntropicSpring(**OTHER, n_spins=n_spins)
    ts = np.linspace(0.0, 20.0, 5)
    assert_allclose(constant_rate_moments(spring, ALPHA, ts).x2, random_switching(spring, ALPHA, ts), rtol=1e-10)


@pytest.mark.slow
def test_moments_in_many_ways():
    spring = EntropicSpring(**OTHER, n_spins=6)
    ts = jnp.linspace(0.0, 30.0, 3)
    exact = constant_rate_moments(spring, ALPHA, ts)
    assert_allclose(exact.x2[0], exact.x[0] ** 2 + 1 / (2 * 0.6 * spring.effective_frequency), rtol=1e-14)
    # N as a traced number: rows past N are never reached.
    traced = jax.jit(lambda n: constant_rate_moments(dataclasses.replace(spring, n_spins=n), ALPHA, ts))(6.0)
    jax.tree.map(lambda a, b: assert_allclose(a, b, rtol=1e-9, atol=1e-9), exact, traced)
    # Fewer levels converge; derivatives agree with differences; times of any shape.
    assert_allclose(constant_rate_moments(spring, ALPHA, ts, n_modes=5).x2, exact.x2, rtol=1e-2)
    assert constant_rate_moments(spring, ALPHA, jnp.ones((2, 3))).p2.shape == (2, 3)

    def final(omega):
        return constant_rate_moments(dataclasses.replace(spring, omega=omega), ALPHA, jnp.array(5.0)).x2

    slope = (final(1.3 + 1e-5) - final(1.3 - 1e-5)) / 2e-5
    assert_allclose(jax.grad(final)(1.3), slope, rtol=1e-6)


# --- first order in 1/N ----------------------------------------------------------------------------------------------


LEVELS = np.arange(32)
READ = {
    "a": lambda y: jnp.sum(np.sqrt(LEVELS[1:]) * jnp.diagonal(y[0], -1)),
    "a2": lambda y: jnp.sum(np.sqrt(LEVELS[1:-1] * LEVELS[2:]) * jnp.diagonal(y[0], -2)),
    "n": lambda y: jnp.sum(LEVELS * jnp.diagonal(y[0]).real),
    "impurity": lambda y: 1 - jnp.sum(jnp.abs(y[0]) ** 2),
}


def measured(spring, alpha, first=1, last=3, per_period=16):
    """The rates of `weak_coupling_rates` from a run: differences between means over one period and a later one."""
    frequency = float(spring.effective_frequency)
    tau = 2 * np.pi / frequency
    ts = np.arange((last + 1) * per_period) * tau / per_period
    sol = evolve(spring, spring.coherent_state(alpha), jnp.asarray(ts), observables=READ, rtol=1e-9)
    found = {name: np.asarray(values) for name, values in sol.observables.items()}

    def slope(values):
        mean = [np.mean(values[i * per_period : (i + 1) * per_period]) for i in (first, last)]
        return (mean[1] - mean[0]) / ((last - first) * tau)

    a = np.log(found["a"] * np.exp(1j * frequency * ts))
    return {
        "energy_growth": slope(np.log(found["n"] + 0.5)),
        "position_damping": -slope(a.real),
        "second_moment_damping": -slope(np.log(np.abs(found["a2"]))),
        "impurity_slope": slope(found["impurity"]),
        "frequency_shift": -slope(a.imag),
    }


@pytest.mark.parametrize("form", ["wang-taylor", pytest.param("lindblad", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_first_order_in_one_over_n(form):
    # What is left falls as 1/N; the largest part is the state's own impurity.
    for parameters, n_spins in ((FIG1, 500.0), (FIG1, 5000.0), (OTHER, 500.0), (OTHER, 5000.0)):
        parameters = {"omega_0": 0.0, "mass": 1.0, **parameters}
        spring = EntropicSpring(**parameters, n_spins=jnp.asarray(n_spins), n_levels=32, n_modes=2, form=form)
        theory = weak_coupling_rates(spring, ALPHA)
        for name, value in measured(spring, ALPHA).items():
            assert_allclose(getattr(theory, name), value, rtol=7.5 / n_spins, err_msg=f"{name}, N = {n_spins:g}")


def test_fast_bath_limit():
    """For Gamma >> Omega and beta -> 0: the forms of an overdamped, classical noise."""
    spring = EntropicSpring(omega=1.3, omega_0=0.8, splitting=1e6, gamma=1e5, beta=1e-6, n_spins=100)
    rates = weak_coupling_rates(spring, 2.0)
    strength = rates.diffusion / rates.relaxation
    assert_allclose(rates.impurity_slope / strength, 4 * (2 * 4.0 + 0.5), rtol=1e-4)
    assert_allclose(rates.energy_growth / strength, 4.0, rtol=1e-4)
    assert_allclose(rates.second_moment_damping / strength, 2.0, rtol=1e-4)


def test_rates_transform():
    spring = EntropicSpring(**FIG1, n_spins=100)
    assert weak_coupling_rates(spring, jnp.array([0.5, 1.0])).energy_growth.shape == (2,)
    slope = jax.grad(lambda n: weak_coupling_rates(dataclasses.replace(spring, n_spins=n), 1.0).impurity_slope)(100.0)
    assert_allclose(slope, -weak_coupling_rates(spring, 1.0).impurity_slope / 100, rtol=1e-12)


@pytest.mark.parametrize("function", [weak_coupling_rates, lambda s, a: constant_rate_moments(s, a, 1.0)])
def test_one_class_only(function):
    spring = EntropicSpring(omega=[1.0, 2.0], splitting=1.0, gamma=1.0, beta=1.0, n_spins=(3, 4))
    with pytest.raises(ValueError, match="`spring` must have one class of TLSs, but got 2 classes"):
        function(spring, 1.0)
