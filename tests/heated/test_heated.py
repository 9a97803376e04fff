"""The heated oscillator against Eq. 35 written with dense matrices, its limits, and its gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.models.heated import parity

PARAMETERS = {"omega_0": 1.1, "splitting": 1.7, "coupling": 0.6, "gamma": 3.0, "n_bar": 0.4}


def heated(n_levels=7, **changes):
    return jt.TLSHeatedOscillator(**{**PARAMETERS, **changes}, n_levels=n_levels)


def operators(n):
    a = np.kron(np.eye(2), np.diag(np.sqrt(np.arange(1, n)), 1))
    sx, sz = (np.kron(np.array(s), np.eye(n)) for s in ([[1.0, 0], [0, -1]], [[0.0, 1], [1, 0]]))
    return a, sx, sz, np.kron(np.array([[0.0, 0], [1, 0]]), np.eye(n))


def eq35(model, rho):
    """Eq. 35, letter by letter, in the basis (|+>, |->) of sx."""
    a, sx, sz, lower = operators(model.n_levels)
    W, gap, g, gamma, n_bar = (float(getattr(model, name)) for name in PARAMETERS)
    h = W * a.T @ a + gap / 2 * sx + g * (a + a.T) @ sz
    out = -1j * (h @ rho - rho @ h)
    for rate, jump in ((gamma * (n_bar + 1), lower), (gamma * n_bar, lower.T)):
        number = jump.T @ jump
        out += rate * (jump @ rho @ jump.T - (number @ rho + rho @ number) / 2)
    return out


def random_state(n, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(2 * n, 2 * n)) + 1j * rng.normal(size=(2 * n, 2 * n))
    rho = a @ a.conj().T
    return rho / np.trace(rho)


def test_generator_is_eq_35_in_both_layouts():
    model, n = heated(), 7
    rho = random_state(n)
    y = parity.pack(jnp.asarray(rho).reshape(2, n, 2, n))
    assert_allclose(model.density_matrix(y), rho, atol=1e-15)
    assert_allclose(model.density_matrix(model.vector_field(0.0, y)), eq35(model, rho), atol=1e-13)
    blocks = jnp.stack([y[0, 0], y[1, 1]])
    even = np.asarray(model.density_matrix(blocks))
    _, sx, _, _ = operators(n)
    parity_operator = sx @ np.diag(np.tile((-1.0) ** np.arange(n), 2))
    assert_allclose(parity_operator @ even @ parity_operator, even, atol=1e-15)
    assert_allclose(model.density_matrix(model.vector_field(0.0, blocks)), eq35(model, even), atol=1e-13)


def test_observables_are_traces():
    model, n = heated(9), 9
    rho = random_state(n, seed=3)
    y = parity.pack(jnp.asarray(rho).reshape(2, n, 2, n))
    a, sx, _, _ = operators(n)
    wide, *_ = operators(n + 2)  # x^2 of the oscillator that is not cut
    keep = np.r_[0:n, n + 2 : 2 * n + 2]
    x, p = a + a.T, -1j * (a - a.T)
    squares = [(o @ o)[np.ix_(keep, keep)] for o in (wide + wide.T, -1j * (wide - wide.T))]
    expected = {"n": a.T @ a, "x": x, "p": p, "x2": squares[0], "p2": squares[1], "polarization": sx}
    for name, op in expected.items():
        assert_allclose(model.observables[name](y), np.trace(op @ rho).real, atol=1e-13, err_msg=name)
    even = jnp.stack([y[0, 0], y[1, 1]])
    for name, op in expected.items():
        value = np.trace(op @ np.asarray(model.density_matrix(even))).real
        assert_allclose(model.observables[name](even), value, atol=1e-13, err_msg=name)
    assert_allclose(model.oscillator_state(y), np.trace(rho.reshape(2, n, 2, n), axis1=0, axis2=2), atol=1e-14)


@pytest.mark.filterwarnings("ignore:truncation")
def test_evolution_is_the_exponential_of_the_lindbladian():
    model, n = heated(7, coupling=0.1), 7
    columns = [eq35(model, e.reshape(2 * n, 2 * n)).reshape(-1) for e in np.eye(4 * n * n)]
    lindbladian = np.array(columns).T
    ts = jnp.array([0.0, 0.4, 1.5])
    for y0 in (model.thermal_state(0.3), model.coherent_state(0.4 + 0.2j)):
        sol = jt.evolve(model, y0, ts, save_states=True, rtol=2e-8, atol=1e-11, observables=["n"])
        rho0 = np.asarray(model.density_matrix(y0)).reshape(-1)
        for t, y in zip(ts, sol.states):
            expected = scipy.linalg.expm(lindbladian * float(t)) @ rho0
            assert_allclose(model.density_matrix(y).reshape(-1), expected, atol=1e-7)


def test_states():
    model = heated(24)
    y = model.thermal_state(0.5)
    p = 0.4 / 1.8
    expected = np.kron(np.diag([p, 1 - p]), jt.thermal_state(24, 0.5))
    assert_allclose(model.density_matrix(y), expected, atol=1e-15)
    y = model.coherent_state(0.7j)
    assert_allclose(model.observables["p"](y), 1.4, rtol=1e-9)
    pure = model.product_state(jt.thermal_state(24, 0.0), tls=np.array([[0.5, 0.5], [0.5, 0.5]]))
    assert_allclose(model.observables["polarization"](pure), 0.0, atol=1e-15)
    with pytest.raises(ValueError, match="oscillator"):
        model.product_state(np.eye(3))


@pytest.mark.slow
def test_without_coupling_the_tls_relaxes_and_the_oscillator_stays():
    model = heated(12, coupling=0.0)
    y0 = model.product_state(jt.thermal_state(12, 0.0), tls=np.diag([1.0, 0.0]))
    ts = jnp.linspace(0.0, 1.0, 4)
    sol = jt.evolve(model, y0, ts, rtol=2e-8, atol=1e-10)
    rate, rest = 3.0 * 1.8, -1 / 1.8
    assert_allclose(sol.observables["polarization"], rest + (1 - rest) * np.exp(-rate * ts), atol=1e-6)
    assert_allclose(sol.observables["n"], 0.0, atol=1e-8)


@pytest.mark.slow
def test_adiabatic_limit():
    fast = heated(24, gamma=1000.0, coupling=2.0, n_bar=0.3)
    slow = fast.adiabatic()
    ts = jnp.linspace(0.0, 3.0, 4)
    exact = slow.occupation(ts, 0.2)
    assert_allclose(slow.diffusion, 2 * 4 / (1000 * 1.6))
    sol = jt.evolve(slow, slow.thermal_state(0.2), ts)
    assert_allclose(sol.observables["n"], exact, atol=1e-5)
    full = jt.evolve(fast, fast.thermal_state(0.2), ts).observables["n"]
    assert_allclose(full - 0.2, exact - 0.2, rtol=0.02, atol=1e-4)
    assert_allclose(fast.heating_rate(), 2 * slow.diffusion)


def test_second_order_rates_are_exact_for_weak_coupling():
    model = heated(8, coupling=0.02, gamma=2.0)
    up, down = model.transition_rates()
    ts = jnp.linspace(0.0, 40.0, 3)
    n = jt.evolve(model, model.thermal_state(), ts, rtol=2e-8, atol=1e-12).observables["n"]
    slope = (n[2] - n[1]) / 20.0
    mean = (n[2] + n[1]) / 2
    assert_allclose(slope, model.heating_rate("second-order", mean), rtol=2e-3)
    assert_allclose(model.heating_rate("second-order", mean), up * (mean + 1) - down * mean, rtol=1e-14)
    # detailed balance of the TLS's noise where the lines are narrow: up/down -> p+/p- on resonance
    narrow = heated(8, gamma=1e-3, splitting=1.1)
    up, down = narrow.transition_rates()
    assert_allclose(up / down, 0.4 / 1.4, rtol=1e-5)
    # and Eq. 41 where they are wide
    wide = heated(8, gamma=1e5)
    assert_allclose(wide.transition_rates(), wide.heating_rate() * np.ones(2), rtol=1e-6)


@pytest.mark.slow
def test_errors_of_the_rates_at_gamma_10():
    # What the docstring says of Eq. 41, here of <n> at t = 4.
    model = heated(60, omega_0=1.0, splitting=2.0, coupling=1.0, gamma=10.0, n_bar=0.0)
    n = jt.evolve(model, model.thermal_state(), jnp.linspace(0.0, 4.0, 5)).observables["n"]
    slaved = 4 * float(model.heating_rate()) / float(n[-1]) - 1
    assert 0.3 < slaved < 0.4
    assert float(n[-1]) > 1


@pytest.mark.slow
def test_gradients():
    ts = jnp.linspace(0.0, 1.0, 3)

    def late(v):
        model = jt.TLSHeatedOscillator(*v, n_levels=10)
        return jt.evolve(model, model.thermal_state(0.1), ts, rtol=2e-8, atol=1e-11).observables["n"][-1]

    at = jnp.array([1.1, 1.7, 0.6, 3.0, 0.0])  # n_bar = 0 is an edge
    gradient = jax.jit(jax.grad(late))(at)
    f = jax.jit(late)
    for i in range(4):
        h = 1e-4 * np.eye(5)[i]
        assert_allclose(gradient[i], (f(at + h) - f(at - h)) / 2e-4, rtol=1e-4, atol=1e-7)
    assert_allclose(gradient[4], (4 * f(at.at[4].set(1e-4)) - 3 * f(at) - f(at.at[4].set(2e-4))) / 2e-4, rtol=1e-3)


@pytest.mark.slow
def test_single_precision():
    def slope(model):
        y = model.coherent_state(0.4)
        return y, model.vector_field(0.0, y)

    with jax.enable_x64(False):
        y, single = slope(heated(12))
        assert y.dtype == single.dtype == jnp.float32
        single = np.asarray(single)
    assert_allclose(single, slope(heated(12))[1], atol=2e-5)


def test_truncation_is_reported():
    model = heated(6, coupling=2.0)
    with pytest.warns(UserWarning, match="raise n_levels"):
        jt.evolve(model, model.thermal_state(1.0), jnp.linspace(0.0, 1.0, 3))


@pytest.mark.parametrize(
    "name, value", [("omega_0", 0.0), ("gamma", -1.0), ("n_bar", -0.1), ("n_levels", 3), ("coupling", np.nan)]
)
def test_bad_input(name, value):
    with pytest.raises(ValueError, match=name):
        jt.TLSHeatedOscillator(**{**PARAMETERS, "n_levels": 8, name: value})
    with pytest.raises(ValueError, match="method"):
        heated().heating_rate("third-order")


def test_models_are_pytrees():
    model = heated()
    rates = jax.vmap(lambda g: dataclasses.replace(model, coupling=g).heating_rate())(jnp.array([0.1, 0.2]))
    assert_allclose(rates, [heated(coupling=g).heating_rate() for g in (0.1, 0.2)])


def test_window_holds_the_state():
    model = heated(64)
    ts = jnp.linspace(0.0, 1.0, 3)
    for y0 in (model.thermal_state(0.2), model.coherent_state(1.0)):
        small, start = model.window(y0, ts, 1e-8, 0)
        assert start.shape == (*y0.shape[:-2], small.n_levels, small.n_levels) and small.n_levels < 60
        outside = y0.at[..., : small.n_levels, : small.n_levels].set(0.0)
        assert float(jnp.max(jnp.abs(outside))) < 1e-11
    assert model.window(model.thermal_state(20.0), ts, 1e-8, 0) is None


@pytest.mark.slow
def test_window_changes_nothing():
    # evolve moves as many levels as it needs: the answer is that of all of them, whatever the first guess was
    model = heated(64, omega_0=1.0, splitting=2.0, coupling=0.5, gamma=4.0, n_bar=0.0)
    y0, ts = model.thermal_state(), jnp.linspace(0.0, 2.0, 3)
    small, start = model.window(y0, ts, 1e-8, 0)
    assert small.n_levels < 40 and start.shape == (2, small.n_levels, small.n_levels)
    assert model.window(y0, ts, 1e-8, 10) is None
    found = jt.evolve(model, y0, ts).observables["n"]
    whole = jt.evolve(model, y0, ts, save_states=True, observables=["n"]).observables["n"]
    assert_allclose(found, whole, atol=1e-6)
    # frozen TLS: the rates say nothing of the displacement, the edge does
    frozen = heated(64, omega_0=1.0, splitting=0.0, coupling=1.5, gamma=0.0, n_bar=0.0)
    found = jt.evolve(frozen, frozen.thermal_state(), jnp.linspace(0.0, 3.0, 3)).observables["n"]
    assert_allclose(found, 2 * 1.5**2 * (1 - np.cos([0.0, 1.5, 3.0])), atol=1e-5)
