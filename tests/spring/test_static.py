"""Equilibrium: Eqs. 3-7 and 28 written out, and the constructor's refusals."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls as jt

FIG1 = dict(omega=np.sqrt(1 + np.e), splitting=100.0, gamma=10.0, beta=0.01)
positive = st.floats(0.05, 5.0)


@settings(max_examples=40, deadline=None)
@given(omega=positive, omega_0=st.floats(0.0, 3.0), splitting=positive, beta=positive, mass=positive)
def test_frequencies_are_the_papers(omega, omega_0, splitting, beta, mass):
    s = jt.EntropicSpring(omega=omega, omega_0=omega_0, splitting=splitting, gamma=1.0, beta=beta, mass=mass, n_spins=7)
    boltzmann = np.exp(beta * splitting)
    p = 1 / (1 + boltzmann)
    eff = np.sqrt(omega_0**2 + omega**2 * p)
    entropic = omega * np.sqrt(beta * splitting * boltzmann) / (1 + boltzmann)
    np.testing.assert_allclose(s.polarization, p, rtol=1e-12)
    np.testing.assert_allclose(s.effective_frequency, eff, rtol=1e-12)
    np.testing.assert_allclose(s.entropic_frequency, entropic, rtol=1e-12)
    np.testing.assert_allclose(s.entropic_ratio, entropic / eff, rtol=1e-12)


def test_eq_28_from_couplings():
    rng = np.random.default_rng(0)
    g, e = 0.1 * rng.normal(size=12), rng.uniform(0.3, 2.0, 12)
    s = jt.EntropicSpring.from_couplings(couplings=g, energies=e, omega_p=1.3, beta=0.8, gamma=1.0, mass=1.7)
    w2, u = 4 * g**2 / (1.7 * e), 0.8 * e
    want = np.sum(w2 * u * np.exp(u) / (1 + np.exp(u)) ** 2) / (1.3**2 - np.sum(w2 * np.tanh(u / 2)) / 2)
    np.testing.assert_allclose(s.entropic_ratio, np.sqrt(want), rtol=1e-12)


def test_free_energy_and_entropy_agree_by_finite_differences():
    s = jt.EntropicSpring(**FIG1, n_spins=50)
    at = lambda T, f=0.3: float(dataclasses.replace(s, beta=jnp.asarray(1 / T)).free_energy(f))
    T, h = 100.0, 0.01
    np.testing.assert_allclose(s.entropy(0.3), -(at(T + h) - at(T - h)) / (2 * h), rtol=1e-6)
    # the force changes A by -f^2 / (2 M omega_eff^2) ...
    np.testing.assert_allclose(s.free_energy(0.3) - s.free_energy(), -(0.3**2) / 2, rtol=1e-9)
    # ... and S by the paper's -beta^2 B e^(beta B) omega^2 f^2 / (2 (1 + e^(beta B))^2 M omega_eff^4)
    want = -(0.01**2) * 100 * np.e * (1 + np.e) * 0.3**2 / (2 * (1 + np.e) ** 2)
    np.testing.assert_allclose(s.entropy(0.3) - s.entropy(), want, rtol=1e-6)


def test_partition_function_against_the_sum_over_sectors():
    """Eq. 3 drops O(1/N): the exact sum over N + 1 sectors approaches it as 1/N."""
    errors = []
    for n in (100, 200):
        s = jt.EntropicSpring(omega=1.2, splitting=1.0, gamma=1.0, beta=0.7, n_spins=n)
        k = np.arange(n + 1)
        from scipy.special import gammaln, logsumexp

        w = np.sqrt(1.2**2 * np.maximum(k, 1e-9) / n)
        log_terms = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) - 0.7 * k - np.log(2 * np.sinh(0.35 * w))
        errors.append(float(s.partition_function()) - logsumexp(log_terms[1:]))
    assert abs(errors[0]) < 0.05
    assert 1.6 < errors[0] / errors[1] < 2.5


def test_entropic_force_is_hookes_law_with_omega_s():
    s = jt.EntropicSpring(**FIG1, n_spins=10_000)
    np.testing.assert_allclose(s.entropic_force(0.5), -(float(s.entropic_frequency) ** 2) * 0.5, rtol=1e-4)
    # Eq. 5: S(x) - S(0) -> -beta omega_S^2 M x^2 / 2
    drop = s.spin_entropy_at(0.5) - s.spin_entropy_at(0.0)
    np.testing.assert_allclose(drop, -0.01 * float(s.entropic_frequency) ** 2 * 0.25 / 2, rtol=1e-4)


def test_static_ratio_ignores_gamma_and_has_exact_gradients():
    ratio = lambda q: jt.EntropicSpring(**{**FIG1, **q}, n_spins=20).entropic_ratio
    q = {"gamma": jnp.asarray(10.0), "splitting": jnp.asarray(100.0), "omega": jnp.asarray(1.9)}
    g = jax.grad(ratio)(q)
    assert float(g["gamma"]) == 0.0
    h = 1e-4
    slope = (ratio({**q, "splitting": 100.0 + h}) - ratio({**q, "splitting": 100.0 - h})) / (2 * h)
    np.testing.assert_allclose(g["splitting"], slope, rtol=1e-6)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"beta": -1.0}, "beta"),
        ({"beta": float("inf")}, "beta"),
        ({"splitting": 0.0}, "splitting"),
        ({"gamma": -1.0}, "gamma"),
        ({"gamma": None}, "gamma"),
        ({"omega": float("nan")}, "omega"),
        ({"omega": 1.0 + 1j}, "omega"),
        ({"omega": [1.0, 2.0]}, "omega"),
        ({"omega": 0.0}, "omega_0"),
        ({"mass": 0.0}, "mass"),
        ({"n_spins": 0}, "n_spins"),
        ({"n_spins": (3, 0)}, "n_spins"),
        ({"n_levels": 2}, "n_levels"),
        ({"n_levels": 20.0}, "n_levels"),
        ({"n_modes": -1}, "n_modes"),
        ({"form": "redfield"}, "form"),
        ({"spectral_density": lambda e: e}, "gamma"),
        ({"gamma": None, "spectral_density": 3.0}, "spectral_density"),
        ({"gamma": "fast"}, "gamma"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, name):
    with pytest.raises(ValueError, match=rf"`{name}`"):
        jt.EntropicSpring(**{**FIG1, "n_spins": 5, **change})


def test_a_model_is_a_pytree_of_its_parameters():
    s = jt.EntropicSpring(**FIG1, n_spins=5, n_levels=8)
    assert s.n_spins == 5
    many = jax.vmap(lambda b: dataclasses.replace(s, splitting=b))(jnp.array([50.0, 100.0]))
    ratios = jax.vmap(lambda m: m.entropic_ratio)(many)
    np.testing.assert_allclose(ratios[1], s.entropic_ratio, rtol=1e-12)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(s))
