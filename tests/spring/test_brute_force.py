"""Hierarchy, exact sectors and classes against the full 2^N x n master equation."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

from .oracle import Oracle, coherent

TS = np.linspace(0.0, 3.0, 7)
BASE = dict(omega=1.6, omega_0=0.6, splitting=2.0, gamma=1.5, beta=0.5)
LEVELS = 12


def spring(n_spins, form, **over):
    return jt.EntropicSpring(**{**BASE, "n_spins": n_spins, "form": form, "n_modes": 8, "n_levels": LEVELS, **over})


def oracle_for(s, n_spins):
    each = float(s.omega) ** 2 / n_spins
    return Oracle(
        np.full(n_spins, each),
        np.full(n_spins, float(s.splitting)),
        np.full(n_spins, float(s.gamma)),
        float(s.beta),
        float(s.omega_0),
        LEVELS,
        s.form,
    )


def assert_equals(full, s):
    """A spring from its own product state against the full space, both from the same coherent oscillator."""
    want = full.run(coherent(LEVELS, 0.4), TS)
    got = jt.evolve(s, s.product_state(jnp.asarray(coherent(LEVELS, 0.4))), TS, rtol=1e-10, atol=1e-12).observables
    # x2 and p2 are left out: in a basis this small the truncated product of two x differs from x^2 at the edge.
    for name in ("x", "p", "impurity", "excitation", "spin_entropy"):
        np.testing.assert_allclose(got[name], want[name], atol=2e-8, err_msg=name)


@pytest.mark.filterwarnings("ignore:truncation")  # both sides share the same small basis
@pytest.mark.parametrize("form", ["wang-taylor", pytest.param("lindblad", marks=pytest.mark.slow)])
@pytest.mark.parametrize("n_spins", [*(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2)), 3])
def test_exact_sectors_equal_the_full_space(n_spins, form):
    """Strong coupling, small basis, beta d x^2 ~ 1: every term of both forms counts."""
    s = spring(n_spins, form)
    assert_equals(oracle_for(s, n_spins), s)


@pytest.mark.filterwarnings("ignore:truncation")
def test_vector_field_equals_the_splitting():
    """The right-hand side given to diffrax and the exact flows describe one equation."""
    import diffrax

    s = spring(3, "lindblad")
    y0 = s.coherent_state(0.4 + 0.3j)
    a = jt.evolve(s, y0, TS, rtol=1e-10, atol=1e-12).observables
    b = jt.evolve(s, y0, TS, solver=diffrax.Dopri8(), rtol=1e-10, atol=1e-12).observables
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=1e-8, err_msg=name)


@pytest.mark.filterwarnings("ignore:truncation")
@pytest.mark.parametrize("form", [pytest.param("wang-taylor", marks=pytest.mark.slow), "lindblad"])
def test_classes_equal_the_full_space(form):
    """One class of two beside another TLS."""
    omega, splitting, gamma, counts = [1.1, 0.8], [2.0, 3.5], [1.5, 0.9], (2, 1)
    s = jt.EntropicSpring(
        omega=omega,
        splitting=splitting,
        gamma=gamma,
        beta=0.5,
        omega_0=0.7,
        n_spins=counts,
        n_levels=LEVELS,
        n_modes=3,
        form=form,
    )
    stiffness = [omega[0] ** 2 / 2, omega[0] ** 2 / 2, omega[1] ** 2]
    assert_equals(Oracle(np.array(stiffness), [2.0, 2.0, 3.5], [1.5, 1.5, 0.9], 0.5, 0.7, LEVELS, form), s)


@pytest.mark.filterwarnings("ignore:truncation")
@pytest.mark.slow
def test_like_classes_equal_one_class():
    """Splitting N = 4 into classes of 1 and 3 of the same TLSs changes nothing."""
    one = spring(4, "wang-taylor")
    shares = np.sqrt(np.array([1.0, 3.0]) / 4) * BASE["omega"]
    two = dataclasses.replace(one, omega=jnp.asarray(shares), n_spins=(1, 3))
    y = lambda s: s.coherent_state(0.4)
    a = jt.evolve(one, y(one), TS, rtol=1e-9).observables
    b = jt.evolve(two, y(two), TS, rtol=1e-9).observables
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=1e-7, err_msg=name)


@pytest.mark.filterwarnings("ignore:truncation")
@pytest.mark.slow
def test_flat_spectral_density_is_gamma():
    flat = spring(2, "wang-taylor", gamma=None, spectral_density=lambda e: 1.5 / (2 * jnp.pi) * jnp.ones_like(e))
    const = spring(2, "wang-taylor")
    a = jt.evolve(flat, flat.coherent_state(0.4), TS).observables["impurity"]
    b = jt.evolve(const, const.coherent_state(0.4), TS).observables["impurity"]
    np.testing.assert_allclose(a, b, atol=1e-10)


@pytest.mark.filterwarnings("ignore:truncation")
def test_sloped_spectral_density_equals_the_full_space():
    """J(E) = .1 E + .05 E^2, at the energy that each position gives the TLSs."""
    J = lambda e: 0.1 * e + 0.05 * e**2
    s = spring(2, "lindblad", gamma=None, spectral_density=J)
    each = BASE["omega"] ** 2 / 2
    gamma = lambda e: 2 * np.pi * J(e)
    full = Oracle([each] * 2, [BASE["splitting"]] * 2, [gamma] * 2, BASE["beta"], BASE["omega_0"], LEVELS, "lindblad")
    assert_equals(full, s)


@pytest.mark.filterwarnings("ignore:truncation")
@pytest.mark.slow
def test_sloped_spectral_density_in_both_integrators():
    import diffrax

    sloped = spring(2, "lindblad", gamma=None, spectral_density=lambda e: 0.1 * e)
    np.testing.assert_allclose(sloped.spin_rates(jnp.zeros(1))[0, 0], 2 * np.pi * 0.1 * 2.0, rtol=1e-12)
    y0 = sloped.coherent_state(0.4)
    a = jt.evolve(sloped, y0, TS, rtol=1e-9).observables["x2"]
    b = jt.evolve(sloped, y0, TS, solver=diffrax.Dopri8(), rtol=1e-9).observables["x2"]
    np.testing.assert_allclose(a, b, atol=1e-7)


@pytest.mark.slow
def test_squares_equal_the_full_space():
    """x2 and p2 need levels enough that x x and x^2 are the same operator where the state is."""
    levels, ts = 40, np.linspace(0.0, 1.0, 3)
    s = spring(1, "lindblad", n_levels=levels, splitting=4.0)
    full = Oracle([BASE["omega"] ** 2], [4.0], [BASE["gamma"]], BASE["beta"], BASE["omega_0"], levels, "lindblad")
    want = full.run(coherent(levels, 0.4), ts)
    got = jt.evolve(s, s.product_state(jnp.asarray(coherent(levels, 0.4))), ts, rtol=1e-10, atol=1e-12).observables
    for name in ("x2", "p2"):
        np.testing.assert_allclose(got[name], want[name], atol=1e-7, err_msg=name)


@pytest.mark.filterwarnings("ignore:truncation")
@pytest.mark.slow
def test_evolve_gathers_like_tlss():
    """Four TLSs given one by one, three of them alike, cost and give what two classes do."""
    omega, splitting, gamma = [0.8, 0.8, 0.8, 0.5], [2.0, 2.0, 2.0, 3.0], [1.5, 1.5, 1.5, 0.7]
    each = jt.EntropicSpring(
        omega=omega, splitting=splitting, gamma=gamma, beta=0.5, omega_0=0.6, n_spins=(1,) * 4, n_levels=LEVELS
    )
    assert each.grouped().n_classes == 2
    y0 = each.coherent_state(0.4)
    y1 = each.grouped().coherent_state(0.4)
    a = jt.evolve(each, y0, TS, rtol=1e-9)
    b = jt.evolve(
        dataclasses.replace(each.grouped(), n_modes=4),
        jnp.pad(y1, ((0, 8 - y1.shape[0]), (0, 0), (0, 0))),
        TS,
        rtol=1e-9,
    )
    assert a.stats["n_coefficients"] == 8
    for name in a.observables:
        np.testing.assert_allclose(a.observables[name], b.observables[name], atol=1e-8, err_msg=name)
