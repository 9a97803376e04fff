"""TLSs under a strong field, against their limit cycle, and the hole that they leave in a flat bath."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

close = np.testing.assert_allclose
SZ, SM = np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]])
BATH = {"frequencies": [5.0, 5.03, 4.9], "couplings": [0.01, 0.02, 0.05], "relaxation": [0.02, 0.1, 0.05]}


def limit_cycle(frequency, coupling, relaxation, dephasing, pump, photons, thermal):
    """The TLS with the field turning in the laboratory's frame."""
    turn = lambda t: jnp.exp(1j * pump * t)
    drive = coupling * np.sqrt(photons)
    h = jt.modulated(lambda t: jnp.conj(turn(t)), drive * SM.T) + jt.modulated(turn, drive * SM)
    rates = [relaxation * (1 - thermal), relaxation * thermal, dephasing / 2]
    law = jt.Lindbladian(h + 0.5 * frequency * SZ, [SM, SM.T, SZ], rates=rates)
    cycle = jt.periodic_steady_state(law, 2 * np.pi / pump, n_times=2)
    return np.asarray(cycle[:, 0, 0].real)


@pytest.mark.parametrize(
    ("photons", "dephasing", "thermal"), [pytest.param(0.7, 0.0, 0.0, marks=pytest.mark.slow), (9.0, 0.03, 0.2)]
)
def test_populations_are_those_of_the_limit_cycle(photons, dephasing, thermal):
    bath = jt.TLSBath(**{k: jnp.array(v) for k, v in BATH.items()}, dephasing=dephasing)
    found = bath.saturation(4.98, photons, thermal=thermal)
    for p, w, g, gamma in zip(found, *BATH.values()):
        close(limit_cycle(w, g, gamma, dephasing, 4.98, photons, thermal), float(p), atol=1e-7)


def test_the_hole_in_a_flat_bath():
    """1 - [S/sqrt(1+S)] (1 + sqrt(1+S)) G²/(G² (1 + sqrt(1+S))² + x²): two Lorentzians, one over the other."""
    count, gamma, gphi, g, photons = 40001, 0.02, 0.01, 1e-4, 1e5
    width = gamma / 2 + gphi
    bath = jt.TLSBath(jnp.linspace(-20.0, 20.0, count), jnp.full(count, g), gamma, gphi)
    probes = np.array([0.0, 0.01, 0.05, 0.3])
    burnt = bath.relaxation_rate(probes, excited=bath.saturation(0.0, photons))
    root = np.sqrt(1 + 4 * g**2 * photons / (gamma * width))
    wide = width * (1 + root)
    hole = (root**2 - 1) / root * width * wide / (wide**2 + probes**2)
    flat = 2 * np.pi * g**2 * (count - 1) / 40.0
    close((bath.relaxation_rate(probes) - burnt) / flat, hole, atol=1e-4)
    close(hole[0], 1 - 1 / root, rtol=1e-12)


def test_no_field_no_hole_and_derivatives():
    bath = jt.TLSBath(**{k: jnp.array(v) for k, v in BATH.items()})
    close(bath.saturation(5.0, 0.0, thermal=0.1), 0.1)
    close(bath.relaxation_rate(5.0, excited=0.0), bath.relaxation_rate(5.0), rtol=1e-14)
    close(bath.relaxation_rate(5.0, excited=0.5), 0.0)
    lost = lambda n: bath.relaxation_rate(5.01, excited=bath.saturation(5.0, n))
    for n in (0.0, 2.0):
        step = 1e-6
        close(jax.grad(lost)(n), (lost(n + 2 * step) - lost(n)) / (2 * step), rtol=1e-4)
    # A TLS that nothing relaxes is half excited by any field.
    close(jt.TLSBath([5.0], [0.1], 0.0, 0.1).saturation(5.2, 0.01), 0.5)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda b: b.saturation([5.0], 1.0), "pump"),
        (lambda b: b.saturation(5.0, -1.0), "photons"),
        (lambda b: b.saturation(5.0, 1.0, thermal=2.0), "thermal"),
        (lambda b: b.relaxation_rate(5.0, excited=0.7), "excited"),
        (lambda b: b.relaxation_rate(5.0, excited=[0.1, 0.1]), "excited"),
    ],
)
def test_wrong_input_is_refused_by_name(call, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        call(jt.TLSBath(**{k: jnp.array(v) for k, v in BATH.items()}))
