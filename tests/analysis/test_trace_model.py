"""The model of a trace against the papers' formula, its geometry, and its gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls as jt

from . import oracle

FORMS = ("notch", "reflection", "transmission")
GOOD = {"f_r": 5e9, "Q_internal": 2e5, "Q_coupling": 1e5, "asymmetry": 0.3, "gain": 0.1, "phase": 1.0, "delay": 4e-8}


def built(form, **changes):
    return jt.ResonatorTrace(**(GOOD | changes), form=form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("phi", [0.0, 0.5, -1.0])
def test_it_is_the_papers_formula(form, phi):
    phi = 0.0 if form == "transmission" else phi
    f = 5e9 + np.linspace(-1e6, 1e6, 41)
    expected = oracle.trace(f, f_r=5e9, Q_i=2e5, Q_c=1e5, phi=phi, a=0.1, alpha=1.0, tau=4e-8, form=form)
    np.testing.assert_allclose(built(form, asymmetry=phi).response(f), expected, rtol=1e-7)


@given(
    Q_i=st.floats(1e3, 1e7),
    Q_c=st.floats(1e3, 1e7),
    phi=st.floats(-1.2, 1.2),
    form=st.sampled_from(["notch", "reflection"]),
)
@settings(max_examples=12, deadline=None)
def test_the_resonance_is_a_circle_through_the_point_of_the_line(Q_i, Q_c, phi, form):
    """All points lie on one circle through 1, whose diameter is Q_l / |Q_c|, twice that in reflection."""
    model = jt.ResonatorTrace(f_r=6e9, Q_internal=Q_i, Q_coupling=Q_c, asymmetry=phi, form=form)
    f = 6e9 + float(model.linewidth) * np.linspace(-3, 3, 31)
    z = np.asarray(model.resonance(f))
    Q_l = 1 / (1 / Q_i + 1 / Q_c)
    diameter = (2 if form == "reflection" else 1) * Q_l / (Q_c * np.cos(phi))
    centre = 1 - diameter / 2 * np.exp(1j * phi)
    np.testing.assert_allclose(np.abs(z - centre), diameter / 2, rtol=1e-6)


@given(Q_i=st.floats(1e3, 1e7), Q_c=st.floats(1e3, 1e7), u=st.floats(-5, 5), form=st.sampled_from(FORMS))
@settings(max_examples=12, deadline=None)
def test_without_asymmetry_it_is_passive(Q_i, Q_c, u, form):
    model = jt.ResonatorTrace(f_r=6e9, Q_internal=Q_i, Q_coupling=Q_c, form=form)
    assert abs(complex(model.resonance(6e9 * (1 + u / Q_i)))) <= 1 + 1e-12


@pytest.mark.parametrize("form", FORMS)
def test_gradients_agree_with_differences(form):
    f = 5e9 + jnp.linspace(-2e5, 2e5, 7)
    names = ["Q_internal", "Q_coupling", "gain", "phase", "delay", "tilt", *(["asymmetry"] if form == "notch" else [])]
    at = GOOD | {"tilt": 10.0}

    def size(values):
        return jnp.sum(jnp.abs(jt.ResonatorTrace(**(at | values), form=form).response(f) - (0.03 + 0.05j)) ** 2)

    values = {name: jnp.asarray(at[name]) for name in names}
    reverse, forward = jax.grad(size)(values), jax.jacfwd(size)(values)
    for name in names:
        step = 1e-6 * at[name]
        up, down = (size(values | {name: values[name] + sign * step}) for sign in (1, -1))
        np.testing.assert_allclose(reverse[name], (up - down) / (2 * step), rtol=2e-5)
        np.testing.assert_allclose(reverse[name], forward[name], rtol=1e-9)


def test_gradients_are_finite_on_resonance_and_under_vmap():
    def depth(q):
        return jnp.abs(jt.ResonatorTrace(f_r=5e9, Q_internal=q, Q_coupling=1e5).response(5e9))

    q = jnp.array([1e4, 1e6])
    np.testing.assert_allclose(jax.vmap(jax.grad(depth))(q), -1e5 / (q + 1e5) ** 2, rtol=1e-9)


@pytest.mark.parametrize(
    "change", [{"f_r": 0.0}, {"Q_internal": -1.0}, {"Q_coupling": np.nan}, {"asymmetry": 1.6}, {"gain": 0.0}]
)
def test_what_is_out_of_range_is_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        built("notch", **change)


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="notch"):
        built("hanger")
