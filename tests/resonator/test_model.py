"""ResonatorLoss against closed forms written with SciPy, its limits, and its gradients."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose

from jaxtls.models.resonator import BOLTZMANN, PLANCK, ResonatorLoss

PARAMETERS = {
    "frequency": 5.62e9,
    "loss_tangent": 1.5e-6,
    "critical_power": 0.7,
    "temperature_exponent": 0.6,
    "photon_exponent": 0.3,
    "critical_temperature": 6.0,
    "quasiparticle_amplitude": 2e-3,
    "constant_loss": 1.5e-8,
}
FORMS = ["crowley", "standard", "none"]
TEMPERATURES = np.array([0.02, 0.1, 0.5, 1.0, 1.7, 4.0])
PHOTONS = np.array([0.0, 1.35, 1e2, 1e4, 1e8, 1e12])


def resonator(**changes):
    return ResonatorLoss(**{**PARAMETERS, **changes})


def reference(p, T, n, form):
    x = PLANCK * p["frequency"] / (2 * BOLTZMANN * T)
    saturation = {
        "crowley": n ** p["photon_exponent"] / (p["critical_power"] * T ** p["temperature_exponent"]) * np.tanh(x),
        "standard": (n / p["critical_power"]) ** p["photon_exponent"],
        "none": 0.0,
    }[form]
    tls = p["loss_tangent"] * np.tanh(x) / np.sqrt(1 + saturation)
    gap = np.exp(-1.76 * p["critical_temperature"] / T) * np.sinh(x) * scipy.special.k0(x)
    return tls + p["quasiparticle_amplitude"] * gap + p["constant_loss"]


@pytest.mark.parametrize("form", FORMS)
def test_loss_is_the_documented_equation(form):
    model = resonator(saturation=form)
    expected = reference(PARAMETERS, TEMPERATURES[:, None], PHOTONS, form) + 0 * PHOTONS
    assert_allclose(model.loss(TEMPERATURES[:, None], PHOTONS), expected, rtol=1e-12)
    assert_allclose(model.quality_factor(TEMPERATURES[:, None], PHOTONS), 1 / expected, rtol=1e-12)


def test_frequency_shift_is_the_digamma_form():
    expected = PARAMETERS["loss_tangent"] / np.pi * (
        scipy.special.digamma(0.5 + PLANCK * PARAMETERS["frequency"] / (2j * np.pi * BOLTZMANN * TEMPERATURES)).real
        - np.log(PLANCK * PARAMETERS["frequency"] / (2 * np.pi * BOLTZMANN * TEMPERATURES))
    )  # fmt: skip
    assert_allclose(resonator().tls_shift(TEMPERATURES), expected, rtol=1e-10)


def test_quasiparticle_shift_is_the_loss_of_one_conductivity():
    # sigma_1 and sigma_2 of Mattis and Bardeen to first order in n_qp, kinetic inductance fraction alpha: 1/Q = alpha
    # sigma_1/sigma_2, df/f = (alpha/2) d sigma_2/sigma_2, each in units of sigma_n.
    alpha, gap = 0.3, 1.76 * BOLTZMANN * 6.0
    T = np.array([0.8, 1.7])
    kT, hf = BOLTZMANN * T, PLANCK * 5.62e9
    x = hf / (2 * kT)
    density = np.sqrt(2 * np.pi * kT * gap) * np.exp(-gap / kT)  # n_qp / 2 N_0
    sigma_1 = 2 * gap / hf * density / np.sqrt(2 * np.pi * kT * gap) * 2 * np.sinh(x) * scipy.special.k0(x)
    sigma_2 = np.pi * gap / hf
    relative = -density / gap * (1 + np.sqrt(2 * gap / (np.pi * kT)) * np.exp(-x) * scipy.special.i0(x))
    model = resonator(quasiparticle_amplitude=4 * alpha / np.pi)
    assert_allclose(model.quasiparticle_loss(T), alpha * sigma_1 / sigma_2, rtol=1e-10)
    # thin films: sigma_2 moves half of f through L_k ~ 1/sigma_2
    assert_allclose(model.quasiparticle_shift(T), alpha / 2 * relative / 2 * 2, rtol=1e-10)
    assert_allclose(
        resonator(shift_offset=1e-7).frequency_shift(T),
        resonator().tls_shift(T) + resonator().quasiparticle_shift(T) + 1e-7,
        rtol=1e-12,
    )


def test_loss_and_shift_obey_kramers_kronig():
    # With the loss tanh(h f'/2kT) at every f', the pull is (1/pi) P int df' f' [1 - tanh(h f'/2kT)] / (f'^2 - f^2).
    T, f = 0.3, 5.62e9
    model = resonator(loss_tangent=1.0, saturation="none", quasiparticle_amplitude=0.0, constant_loss=0.0)
    scale = PLANCK / (2 * BOLTZMANN * T)

    # A grid symmetric about f in ln f' takes the principal value; 1 - tanh decays, so its range is finite.
    v = (np.arange(400000) + 0.5) * 1e-4
    up, down = f * np.exp(v), f * np.exp(-v)

    def integrand(g):
        return (1 - np.tanh(scale * g)) * g * g / (g**2 - f**2)

    integral = np.sum(integrand(up) + integrand(down)) * 1e-4
    assert_allclose(model.frequency_shift(T), integral / np.pi, rtol=1e-4)


@pytest.mark.parametrize("form", FORMS)
def test_limits(form):
    model = resonator(saturation=form)
    # Cold and weak: F delta + c; hot: tanh(x) -> x; strong: what is not TLS.
    assert_allclose(model.loss(0.0, 0.0), PARAMETERS["loss_tangent"] + PARAMETERS["constant_loss"], rtol=1e-12)
    assert_allclose(model.loss(1e-4, 0.0), model.loss(0.0, 0.0), rtol=1e-12)
    if form != "none":
        assert model.tls_loss(0.1, 1e60) < 1e-6 * model.tls_loss(0.1, 0.0)
        n_c = model.critical_photon_number(TEMPERATURES)
        assert_allclose(model.tls_loss(TEMPERATURES, n_c), model.tls_loss(TEMPERATURES, 0.0) / np.sqrt(2), rtol=1e-12)
    else:
        assert np.all(np.isinf(model.critical_photon_number(TEMPERATURES)))
    assert_allclose(model.tls_loss(50.0, 0.0) / model.tls_loss(100.0, 0.0), 2.0, rtol=1e-4)


def test_pull_has_its_minimum_below_half_hf_over_k():
    ratio = jnp.linspace(0.01, 2, 2000)
    shift = resonator().tls_shift(ratio * PLANCK * 5.62e9 / BOLTZMANN)
    assert 0.42 < ratio[jnp.argmin(shift)] < 0.46
    assert resonator().frequency_shift(0.0) == 0


@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_finite_everywhere(form):
    def total(model, T, n):
        return model.loss(T, n) + model.frequency_shift(T)

    T, n = (grid.ravel() for grid in jnp.meshgrid(jnp.array([0.0, 1e-9, 0.1, 2.0]), jnp.array([0.0, 1e-30, 1e3])))
    gradients = jax.vmap(jax.grad(total, argnums=(0, 1)), in_axes=(None, 0, 0))(resonator(saturation=form), T, n)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("form", FORMS[:2])
def test_gradients_are_central_differences(form):
    @jax.jit
    def f(logs):
        values = {name: PARAMETERS[name] * jnp.exp(log) for name, log in zip(PARAMETERS, logs)}
        return jnp.log(ResonatorLoss(**values, saturation=form).loss(jnp.array([0.1, 1.2]), 300.0))

    step = 1e-5
    at = jnp.zeros(len(PARAMETERS))
    gradient = jax.jacobian(f)(at)
    for i in range(len(at)):
        difference = (f(at.at[i].set(step)) - f(at.at[i].set(-step))) / (2 * step)
        assert_allclose(gradient[:, i], difference, rtol=1e-6, atol=1e-9)


def test_is_a_pytree_that_transforms():
    model = resonator()
    jitted = jax.jit(lambda m: m.loss(TEMPERATURES, 10.0))(model)
    assert_allclose(jitted, model.loss(TEMPERATURES, 10.0), rtol=1e-13)
    tangents = jnp.array([1e-6, 2e-6])
    batch = jax.vmap(lambda d: dataclasses.replace(model, loss_tangent=d).loss(0.1, 1.0))(tangents)
    loop = [resonator(loss_tangent=d).loss(0.1, 1.0) for d in tangents]
    assert_allclose(batch, loop, rtol=1e-14)
    # Arrays as fields: one resonator a frequency.
    many = resonator(frequency=jnp.array([1e9, 5e9]))
    assert_allclose(many.loss(0.1, 1.0)[1], resonator(frequency=5e9).loss(0.1, 1.0), rtol=1e-14)


@pytest.mark.parametrize(
    "changes",
    [
        {"frequency": 0.0},
        {"loss_tangent": -1e-6},
        {"critical_power": 0.0},
        {"photon_exponent": np.nan},
        {"saturation": "x"},
    ],
)
def test_bad_arguments_are_named(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"Argument `{name}` must"):
        resonator(**changes)


def test_negative_temperature_and_photons_are_refused():
    with pytest.raises(ValueError, match="`temperature`"):
        resonator().loss(-0.1, 1.0)
    with pytest.raises(ValueError, match="`photon_number`"):
        resonator().loss(0.1, -1.0)
