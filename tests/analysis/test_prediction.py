"""The searches' NumPy is the model: values and derivatives beside `ResonatorLoss` and its automatic derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from jaxtls.analysis.resonator.curves import Curves
from jaxtls.analysis.resonator.measured import collect
from jaxtls.analysis.resonator.prediction import NAMES, Prediction
from jaxtls.models.resonator import FORMS

F = 5e9
T, N = np.tile([0.01, 0.1, 0.5, 1.0, 1.4], 3), np.repeat([0.0, 3.0, 1e5], 5)
COLD = np.linspace(0.1, 1.4, 6)
VALUES = np.array([[2e-6, 10.0, 0.7, 0.6, 9.0, 1e-2, 1e-7, 3e-8], [1e-6, 1e3, 0.2, 1.1, 5.0, 3e-2, 1e-8, -3e-8]])


def measured():
    return collect(T, N, np.full(15, 1e5), None, F, (COLD, 1e-6 * COLD, None))


# Both laws of quasiparticles with one form of saturation; each form with the quicker law.
PAIRS = [
    *((form, "dilute") for form in FORMS),
    (FORMS[0], "mattis-bardeen"),
    *(pytest.param(form, "mattis-bardeen", marks=pytest.mark.slow) for form in FORMS[1:]),
]


@pytest.mark.parametrize(("form", "quasiparticles"), PAIRS)
def test_values_and_derivatives_are_the_models(form, quasiparticles):
    prediction, jacobian = Prediction(measured(), quasiparticles)(form, VALUES)

    def of_model(v):
        model = jt.ResonatorLoss(frequency=F, saturation=form, quasiparticles=quasiparticles, **dict(zip(NAMES, v)))
        return jnp.concatenate([jnp.log(model.quality_factor(T, N)), model.frequency_shift(COLD)])

    for i, v in enumerate(VALUES):
        np.testing.assert_allclose(prediction[i], of_model(v), rtol=1e-9, atol=5e-15)  # of a shift near 0
        exact = np.asarray(jax.jacfwd(of_model)(jnp.asarray(v)))
        size = np.abs(exact).max(axis=0) + 1e-300
        np.testing.assert_allclose(jacobian[i] / size, exact / size, atol=1e-9)


def test_curves_of_a_picture_are_the_models():
    model = jt.ResonatorLoss(
        frequency=F, saturation="standard", quasiparticles="mattis-bardeen", **dict(zip(NAMES, VALUES[0]))
    )
    curves, t, n = Curves(model, measured()), np.linspace(0.05, 1.4, 37), np.geomspace(0.1, 1e4, 37)
    np.testing.assert_allclose(curves.tls_loss(t, n), model.tls_loss(t, n), rtol=1e-12)
    np.testing.assert_allclose(curves.quasiparticle_loss(t), model.quasiparticle_loss(t), rtol=1e-9, atol=1e-30)
    np.testing.assert_allclose(curves.tls_shift(t), model.tls_shift(t), rtol=1e-12)
    np.testing.assert_allclose(curves.quasiparticle_shift(t), model.quasiparticle_shift(t), rtol=1e-6, atol=1e-15)
