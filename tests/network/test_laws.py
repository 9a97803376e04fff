"""Closed forms, first-order limits, the two laws, long chains, gradients, motion and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls as jt


def edge(eps, n=2):
    return eps * (jnp.eye(n, k=1) + jnp.eye(n, k=-1))


def factors(w, beta, rate):
    x = np.exp(-np.asarray(beta) * w)
    return x, np.asarray(rate) * (1 + x), x / (1 + x)


# --- closed forms ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("w", [[1.0, 1.0], [2.0, 0.7]])
def test_two_incoherent(w):
    w, beta, rate, eps = np.array(w), [0.4, 1.5], [0.3, 0.8], 0.25
    x, g, f = factors(w, beta, rate)
    j = (f[0] - f[1]) / (1 / g[0] + 1 / g[1] + 1 / eps)
    n = f + np.array([-j, j]) / g
    net = jt.ThermalNetwork(w, beta, rate, incoherent=edge(eps))
    ss = net.steady_state()
    np.testing.assert_allclose(net.populations(ss), n, rtol=1e-13)
    np.testing.assert_allclose(net.heat_currents(ss), [w[0] * j, -w[1] * j], rtol=1e-12)
    np.testing.assert_allclose(net.work_power(ss), (w[1] - w[0]) * j, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(net.entropy_production(ss), j * (beta[1] * w[1] - beta[0] * w[0]), rtol=1e-12)
    both = (rate[0] * x[0] * n[1] + rate[1] * x[1] * n[0]) / np.sum(g)
    np.testing.assert_allclose(net.correlations(ss)[0, 1], both, rtol=1e-12)


def local_pair(w, beta, rate, eps):
    _, g, f = factors(np.asarray(w), beta, rate)
    kappa, d = np.sum(g) / 2, w[0] - w[1]
    k = 2 * eps**2 * kappa / (kappa**2 + d**2)
    j = (f[0] - f[1]) / (1 / g[0] + 1 / g[1] + 1 / k)
    return np.array([w[0] * j - g[0] / 2 * j * d / kappa, -w[1] * j - g[1] / 2 * j * d / kappa])


def global_pair(w, beta, rate, eps):
    energies, v = np.linalg.eigh(np.array([[w[0], eps], [eps, w[1]]]))
    total = 0.0
    for energy, weight in zip(energies, (v**2).T):
        _, g, f = factors(energy, beta, rate)
        total += energy * (f[0] - f[1]) / np.sum(1 / (g * weight))
    return np.array([total, -total])


@pytest.mark.parametrize("eps", [0.05, 1e-7])
def test_two_coherent(eps):
    w, beta, rate = [2.0, 1.0], [1.0, 1.25], [0.1, 0.13]
    for thermalizer, closed in (("local", local_pair), ("global", global_pair)):
        net = jt.ThermalNetwork(w, beta, rate, coherent=edge(eps), thermalizer=thermalizer)
        # the local model keeps its relative accuracy where the current is 1e-14 of the gross flow
        tolerance = dict(rtol=1e-12) if thermalizer == "local" else dict(rtol=1e-12, atol=1e-16)
        np.testing.assert_allclose(net.heat_currents(net.steady_state()), closed(w, beta, rate, eps), **tolerance)


def test_first_order_state_and_current():
    """The slide's formulas, corrected: exact to first order in eps/Gamma, so the error falls as eps^2."""
    w, beta, rate = 1.3, [0.5, 1.4], 1.0
    x, _, _ = factors(w, beta, [rate, rate])
    z = np.prod(1 + x)
    number, one = np.diag([0.0, 1.0]), np.eye(2)
    thermal = [np.diag([1, xi]) / (1 + xi) for xi in x]
    d_a, d_b = (x[0] - x[1]) * np.kron(number, one), (x[1] - x[0]) * np.kron(one, number)
    d = x[0] - x[1]
    product = np.kron(*thermal)
    first = (d**2 * product + d_a @ d_b + 2 * d_a + 2 * d_b) @ np.eye(4)
    errors = []
    for eps in (1e-3, 1e-4):
        net = jt.ThermalNetwork([w, w], beta, [rate, rate], incoherent=edge(eps))
        ss = net.steady_state()
        rho = np.diag(net.density_matrix(ss).real)
        state = np.diag(product - eps / rate * first / (2 + x.sum()) / z)
        current = eps * w * d / z
        errors.append([np.max(np.abs(rho - state)), abs(net.heat_currents(ss)[0] - current)])
    order = np.log10(np.array(errors[0]) / np.array(errors[1]))
    np.testing.assert_allclose(order, 2.0, atol=0.02)


def test_incoherent_chain_profile_and_correlations():
    n, w, eps, beta, rate = 9, 1.1, 0.2, (0.5, 2.0), (1.0, 0.6)
    _, g, f = factors(w, beta, rate)
    rates, betas = np.zeros(n), np.ones(n)
    rates[[0, -1]], betas[[0, -1]] = rate, beta
    net = jt.ThermalNetwork(np.full(n, w), betas, rates, incoherent=edge(eps, n))
    ss = net.steady_state()
    j = (f[0] - f[1]) / (1 / g[0] + 1 / g[1] + (n - 1) / eps)
    np.testing.assert_allclose(net.heat_currents(ss)[0], w * j, rtol=1e-12)
    np.testing.assert_allclose(net.populations(ss), f[0] - j / g[0] - np.arange(n) * j / eps, rtol=1e-12)
    a, b = eps / g
    i, k = np.triu_indices(n, 1)
    c = -((f[0] - f[1]) ** 2) * (i + a) * (n - 1 - k + b) / ((n - 1 + a + b) ** 2 * (n - 2 + a + b))
    m = net.populations(ss)
    np.testing.assert_allclose(net.correlations(ss)[i, k] - m[i] * m[k], c, rtol=1e-9)


def test_thousand_sites():
    n, w, eps = 1000, 1.0, 0.2
    rates = np.zeros(n)
    rates[[0, -1]] = 1.0, 0.5
    betas = np.linspace(0.5, 2.0, n)
    _, g, f = factors(w, betas[[0, -1]], rates[[0, -1]])
    net = jt.ThermalNetwork(np.ones(n), betas, rates, incoherent=edge(eps, n))
    ss = net.steady_state()
    exact = (f[0] - f[1]) / (1 / g[0] + 1 / g[1] + (n - 1) / eps)
    np.testing.assert_allclose(net.heat_currents(ss)[0], exact, rtol=1e-9)
    np.testing.assert_allclose(net.first_law_residual(ss), 0.0, atol=1e-14)


def test_coherent_chain_is_ballistic():
    """100 resonant sites carry what 2 do: j = (fL - fR)/(1/gL + 1/gR + (gL + gR)/(4 eps^2)), whatever the length."""
    eps, beta, rate = 0.2, [0.5, 2.0], [0.3, 0.5]
    _, g, f = factors(1.0, beta, rate)
    exact = (f[0] - f[1]) / (1 / g[0] + 1 / g[1] + np.sum(g) / (4 * eps**2))
    for n in (2, 100):
        rates, betas = np.zeros(n), np.ones(n)
        rates[[0, -1]], betas[[0, -1]] = rate, beta
        net = jt.ThermalNetwork(np.ones(n), betas, rates, coherent=edge(eps, n))
        expected = (
            exact if n == 2 else (f[0] - f[1]) / (1 / g[0] + 1 / g[1] + g[0] / (4 * eps**2) + g[1] / (4 * eps**2))
        )
        np.testing.assert_allclose(net.heat_currents(net.steady_state())[0], expected, rtol=1e-9)


# --- laws ------------------------------------------------------------------------------------------------------------

positive = st.floats(0.1, 3.0)
triple = st.tuples(positive, positive, positive)


@settings(max_examples=25, deadline=None)
@given(w=triple, beta=triple, rate=triple, eps=st.tuples(*[st.floats(0.01, 0.05)] * 3), kind=st.sampled_from("ig"))
def test_laws_of_incoherent_and_global_networks(w, beta, rate, eps, kind):
    couplings = np.zeros((3, 3))
    couplings[[0, 0, 1], [1, 2, 2]] = eps
    couplings = couplings + couplings.T
    options = dict(incoherent=couplings) if kind == "i" else dict(coherent=couplings, thermalizer="global")
    net = jt.ThermalNetwork(w, beta, rate, **options)
    found = net.balance(net.steady_state())
    assert not bool(found.violates_second_law) and found.reason == ""
    assert float(found.entropy_production) > -1e-13
    assert abs(float(found.first_law_residual)) < 1e-13
    if kind == "g":
        assert float(found.work_power) == 0.0


def test_violation_is_flagged_and_crosses_over_with_detuning():
    kw = dict(betas=[1.0, 1.25], rates=[0.1, 0.1])
    produced = []
    for w in (1.0, 1.5, 1.9, 2.0, 2.5):
        local = jt.ThermalNetwork([2.0, w], coherent=edge(0.05), **kw)
        balance = local.balance(local.steady_state())
        violated = bool(balance.violates_second_law)
        assert violated == (w < 1.6)  # the sign of w_A beta_A - w_B beta_B
        assert ("detuned by up to" in repr(balance)) == violated
        produced.append(float(balance.entropy_production))
        for other in (dict(incoherent=edge(0.05)), dict(coherent=edge(0.05), thermalizer="global")):
            net = jt.ThermalNetwork([2.0, w], **kw, **other)
            assert not bool(net.balance(net.steady_state()).violates_second_law)
    assert produced[0] < 0 < produced[3]


def test_equal_temperatures_carry_nothing():
    for options in (dict(incoherent=edge(0.3, 3)), dict(coherent=edge(0.1, 3), thermalizer="global")):
        net = jt.ThermalNetwork([1.0] * 3, [0.8] * 3, [0.3, 0.1, 0.2], **options)
        balance = net.balance(net.steady_state())
        np.testing.assert_allclose(balance.heat_currents, 0.0, atol=1e-16)
        assert not bool(balance.violates_second_law)


# --- derivatives and batches -----------------------------------------------------------------------------------------


SLOW = [pytest.param("coherent", thermalizer, marks=pytest.mark.slow) for thermalizer in ("local", "global")]


@pytest.mark.parametrize("kind, thermalizer", [("incoherent", "local"), *SLOW])
def test_gradients(kind, thermalizer):
    """Of all currents in every parameter, reverse and forward; finite at zero coupling and equal temperatures."""
    n = 3
    rest = jnp.array([1.0, 1.3, 0.8, 0.5, 1.0, 2.0, 0.3, 0.4, 0.2])
    weights = jnp.array([0.3, -1.0, 0.7])

    @jax.jit
    def current(theta):
        k = jnp.zeros((n, n)).at[jnp.array([0, 0, 1]), jnp.array([1, 2, 2])].set(theta[9:])
        net = jt.ThermalNetwork(theta[:3], theta[3:6], theta[6:9], thermalizer=thermalizer, **{kind: k + k.T})
        return weights @ net.heat_currents(net.steady_state())

    gradient = jax.jit(jax.grad(current))
    assert bool(jnp.all(jnp.isfinite(gradient(jnp.concatenate([rest, jnp.zeros(3)])))))
    equal = jnp.concatenate([jnp.ones(6), rest[6:], jnp.full(3, 0.1)])
    assert bool(jnp.all(jnp.isfinite(gradient(equal))))
    theta, h = jnp.concatenate([rest, jnp.full(3, 0.1)]), 1e-5
    steps = h * jnp.eye(len(theta))
    values = jnp.stack([current(theta + s) - current(theta - s) for s in steps])
    reverse = gradient(theta)
    np.testing.assert_allclose(reverse, values / (2 * h), atol=2e-9)
    direction = jnp.cos(jnp.arange(len(theta)))
    np.testing.assert_allclose(jax.jvp(current, (theta,), (direction,))[1], reverse @ direction, rtol=1e-9)
    # a batch of networks is the loop over them
    batch = jnp.stack([theta, 1.1 * theta])
    np.testing.assert_allclose(jax.vmap(current)(batch), [current(t) for t in batch], rtol=1e-10)


def test_declared_zeros_keep_chains_small_under_tracing():
    n = 40

    @jax.jit
    def current(rate, eps):
        rates = jnp.zeros(n).at[0].set(rate).at[-1].set(0.4)
        net = jt.ThermalNetwork(
            jnp.ones(n),
            jnp.linspace(0.5, 2, n),
            rates,
            coherent=edge(eps, n),
            baths=[0, n - 1],
            edges=zip(range(n), range(1, n)),
        )
        return net.heat_currents(net.steady_state())[0]

    found = jax.grad(current, (0, 1))(0.3, 0.2)
    h = 1e-5
    for slope, da, db in zip(found, (h, 0), (0, h)):
        difference = (current(0.3 + da, 0.2 + db) - current(0.3 - da, 0.2 - db)) / (2 * h)
        np.testing.assert_allclose(slope, difference, rtol=1e-6)


# --- motion ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        dict(incoherent=edge(0.3, 3)),
        pytest.param(
            dict(coherent=edge(0.3, 3) + 0.1 * (jnp.eye(3, k=2) + jnp.eye(3, k=-2)), thermalizer="global"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_evolution_reaches_the_steady_state(options):
    net = jt.ThermalNetwork([1.0, 1.2, 0.9], [0.5, 1.0, 2.0], [0.5, 0.3, 0.4], **options)
    sol = jt.evolve(net, net.thermal_state(betas=0.1), jnp.linspace(0.0, 60.0, 4), rtol=1e-8, atol=1e-10)
    ss = net.steady_state()
    np.testing.assert_allclose(sol.observables["populations"][0], 1 / (1 + np.exp(0.1 * net.frequencies)), rtol=1e-12)
    np.testing.assert_allclose(sol.observables["populations"][-1], net.populations(ss), atol=1e-7)
    np.testing.assert_allclose(sol.observables["heat_currents"][-1], net.heat_currents(ss), atol=1e-7)


# --- refusals --------------------------------------------------------------------------------------------------------


def test_refusals():
    kw = dict(frequencies=[1.0, 1.0, 1.0], betas=[1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="without a bath"):
        jt.ThermalNetwork(
            rates=[0.1, 0.0, 0.0], coherent=edge(0.1, 3).at[1, 2].set(0).at[2, 1].set(0), **kw
        ).steady_state()
    star = jnp.zeros((3, 3)).at[0, 1:].set(0.1).at[1:, 0].set(0.1)
    for thermalizer in ("local", "global"):
        dark = jt.ThermalNetwork(rates=[0.1, 0.0, 0.0], coherent=star, thermalizer=thermalizer, **kw)
        with pytest.raises(ValueError, match="not unique"):
            dark.steady_state()
    with pytest.raises(ValueError, match="be symmetric"):
        jt.ThermalNetwork(rates=[0.1] * 3, incoherent=jnp.eye(3, k=1), **kw)
    with pytest.raises(ValueError, match="be zero off the declared baths"):
        jt.ThermalNetwork(rates=[0.1] * 3, baths=[0], **kw)
    n = 30
    large = jt.ThermalNetwork([1.0] * n, [1.0] * n, [0.1] * n, coherent=edge(0.1, n))
    with pytest.raises(ValueError, match="GiB"):
        large.steady_state()
    noisy = jt.ThermalNetwork([1.0] * n, [1.0] * n, [0.1] * n, incoherent=edge(0.1, n))
    with pytest.raises(ValueError, match="GiB"):
        noisy.density_matrix(noisy.steady_state())
    with pytest.raises(ValueError, match="steady_state"):
        noisy.correlations(noisy.thermal_state())
    hotter = jt.ThermalNetwork([1.0] * n, [0.5] * n, [0.1] * n, incoherent=edge(0.1, n))
    with pytest.raises(ValueError, match="of this network"):
        hotter.correlations(noisy.steady_state())


def test_zero_temperature_and_unequal_baths():
    net = jt.ThermalNetwork([1.0, 1.0], [jnp.inf, 1.0], [0.1, 0.2], incoherent=edge(0.1))
    ss = net.steady_state()
    assert float(net.entropy_production(ss)) == np.inf and net.heat_currents(ss)[0] < 0
    ground = jt.ThermalNetwork([1.0, 1.2], [jnp.inf] * 2, [0.1, 0.2], coherent=edge(0.1), thermalizer="global")
    np.testing.assert_allclose(ground.populations(ground.steady_state()), 0.0, atol=1e-15)


@pytest.mark.slow
def test_refrigerators_that_share_a_site():
    """Hot for one is cold for the next: 5 TLSs, by the steady state and by counting; each coupling one current."""
    frequencies, betas = [1.0, 3.0, 2.0, 3.0, 1.0], [1.1, 1.0, 0.2, 1.0, 1.1]
    net = jt.ThermalNetwork(frequencies, betas, [0.05] * 5, three_body={(0, 1, 2): 0.03, (2, 3, 4): 0.03})
    ss = net.steady_state()
    heat, counted = np.asarray(net.heat_currents(ss)), net.heat_statistics()
    np.testing.assert_allclose(counted.current, heat, rtol=1e-6)
    first, second = heat[0] / 1.0, heat[4] / 1.0
    np.testing.assert_allclose(heat, [first, -3 * first, 2 * (first + second), -3 * second, second], rtol=1e-6)
    assert first > 0 and abs(float(net.first_law_residual(ss))) < 1e-12
    produced = float(net.entropy_production(ss))
    assert np.all(produced * np.asarray(counted.noise) / heat**2 > 2)
    # The elements that the populations reach are those of the whole equation, and nothing else is there.
    whole = jt.steady_state(net.lindbladian())
    np.testing.assert_allclose(net.density_matrix(ss), whole, atol=1e-9)
    jumps = np.kron(np.diag(frequencies), [-1.0, 1.0]).reshape(5, 10)
    for k in (0, 2):
        alone = jt.counting_statistics(net.lindbladian(), jumps[k])
        np.testing.assert_allclose([counted.current[k], counted.noise[k]], [alone.current, alone.noise], rtol=1e-6)
    slope = lambda g: (
        jt.ThermalNetwork(frequencies, betas, [0.05] * 5, three_body={(0, 1, 2): g, (2, 3, 4): 0.03})
        .heat_statistics()
        .noise[2]
    )
    np.testing.assert_allclose(jax.grad(slope)(0.03), (slope(0.0301) - slope(0.0299)) / 2e-4, rtol=1e-4)


@pytest.mark.slow
def test_four_refrigerators_in_a_row():
    """9 TLSs, 262144 elements of which the populations reach 1424: each coupling carries one current."""
    n = 9
    frequencies, betas = ([1.0, 3.0, 2.0, 3.0] * 3)[:n], ([1.1, 1.0, 0.2, 1.0] * 3)[:n]
    net = jt.ThermalNetwork(frequencies, betas, [0.05] * n, three_body={(k, k + 1, k + 2): 0.03 for k in (0, 2, 4, 6)})
    found = net.heat_statistics()
    heat = np.asarray(found.current)
    quanta = -heat[1::2] / 3.0  # what each coupling turns
    shared = np.array([quanta[0], quanta[0] + quanta[1], quanta[1] + quanta[2], quanta[2] + quanta[3], quanta[3]])
    np.testing.assert_allclose(heat[::2], shared * np.array(frequencies[::2]), rtol=1e-7)
    assert np.all(quanta > 0) and np.all(np.asarray(found.noise) > 0)
    np.testing.assert_allclose(net.heat_currents(net.steady_state()), heat, rtol=1e-7)
