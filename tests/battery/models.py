"""Every public model once: how it is made of numbers, and one thing that is computed from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

import jaxtls as jt

SX, SZ, LOWER = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]])
EDGE = 0.05 * SX
TS = np.array([0.0, 0.3, 1.1])
BLOCH = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.8, 0.0, 0.6]])


@dataclasses.dataclass(frozen=True)
class Row:
    """A model in the battery.

    Args:
        make: numbers by name -> model; sizes are its own.
        numbers: all of them are scaled together; what is a matrix stays.
        compute: model -> real array.
        needs_double: its numbers are beyond single precision, and it says so.
        absolute: error of single precision, of the largest value.
    """

    make: Callable[..., object]
    numbers: Mapping[str, ArrayLike]
    compute: Callable[..., Array]
    needs_double: bool = False
    absolute: float = 1e-3


def _ohmic() -> jt.OhmicSpectralDensity:
    return jt.OhmicSpectralDensity(gamma_0=0.05, cutoff=5.0)


def _noise(w: ArrayLike) -> Array:
    """One function for all: another one would be another program."""
    return 0.05 * (1 + jnp.asarray(w) ** 2 / (1 + jnp.asarray(w) ** 2))


def _excited(m: jt.AbstractGenerator) -> Array:
    return jt.mesolve(m, [], np.diag([0.2, 0.8]), TS, [SZ]).expects.real


ROWS: dict[str, Row] = {
    "EntropicSpring": Row(
        lambda **p: jt.EntropicSpring(**p, n_spins=10, n_levels=16, n_modes=2),
        {"omega": 1.93, "splitting": 100.0, "gamma": 10.0, "beta": 0.01},
        lambda m: jnp.stack([m.entropic_ratio, m.relaxation_rate()]),
    ),
    "OhmicSpectralDensity": Row(
        lambda **p: jt.OhmicSpectralDensity(**p),
        {"gamma_0": 0.05, "cutoff": 5.0},
        lambda m: m(jnp.array([0.5, 1.0, 2.0])),
    ),
    "DiscreteSpectralDensity": Row(
        lambda **p: jt.DiscreteSpectralDensity(**p),
        {"couplings": [0.1, 0.2], "tunnellings": [0.8, 1.5], "asymmetries": [0.6, 0.1]},
        lambda m: m.weights / m.splittings,
    ),
    "SpinBathOscillator": Row(
        lambda **p: jt.SpinBathOscillator(spectral_density=_ohmic(), **p),
        {"omega_0": 1.0, "temperature": 0.5, "mass": 1.0},
        lambda m: m.steady_state(),
    ),
    "TLSHeatedOscillator": Row(
        lambda **p: jt.TLSHeatedOscillator(**p, n_levels=10),
        {"omega_0": 1.0, "splitting": 2.0, "coupling": 1.0, "gamma": 10.0, "n_bar": 0.2},
        lambda m: m.heating_rate("second-order"),
    ),
    "ThermalNetwork": Row(
        lambda **p: jt.ThermalNetwork(**p, incoherent=EDGE),
        {"frequencies": [2.0, 1.0], "betas": [1.0, 1.25], "rates": [0.1, 0.2]},
        lambda m: m.heat_currents(m.steady_state()),
    ),
    "TunnellingSolid": Row(
        lambda **p: jt.TunnellingSolid(**p),
        {"gamma_l": 1.04, "gamma_t": 0.65, "v_l": 5.8e3, "v_t": 3.8e3, "density": 2.2e3, "p_bar": 7.8e44},
        lambda m: m.internal_friction(6.3e7, jnp.array([0.01, 1.0])),
        needs_double=True,
    ),
    "ResonatorLoss": Row(
        lambda **p: jt.ResonatorLoss(**p),
        {"frequency": 5e9, "loss_tangent": 1e-6, "critical_power": 1.0},
        lambda m: m.loss(jnp.array([0.05, 0.3]), 10.0) * 1e6,
    ),
    "ResonatorTrace": Row(
        lambda **p: jt.ResonatorTrace(**p),
        {"f_r": 5e9, "Q_internal": 1e5, "Q_coupling": 5e4},
        lambda m: jnp.abs(m.response(m.f_r * (1 + jnp.array([-1e-5, 0.0, 2e-5])))),
        # 1e-5 of the frequency is a hundred of single precision's last digits
        absolute=3e-2,
    ),
    "TLSGlass": Row(
        lambda **p: jt.TLSGlass(**p, occupation=0.2, dissipation=1.0),
        {"frequencies": [1.0, 2.0, 3.0], "couplings": np.ones((3, 3)) - np.eye(3), "rates": [0.1, 0.2, 0.3]},
        lambda m: m.polarization(BLOCH, np.array([0.1, 0.3])),
    ),
    "DampedOscillator": Row(
        lambda **p: jt.DampedOscillator(**p),
        {"omega": 1.0, "damping": 0.3, "mass": 1.0, "hbar": 1.0},
        lambda m: m.transition_probabilities(TS[1:], initial=0, n_max=4),
    ),
    "PhaseQubit": Row(
        lambda **p: jt.PhaseQubit(**p),
        {"resistance": 500.0, "capacitance": 1e-12, "critical_current": 1e-6, "bias_current": 9e-7},
        lambda m: m.omega * 1e-10,
    ),
    "FluxQubit": Row(
        lambda **p: jt.FluxQubit(**p),
        {"resistance": 1e3, "capacitance": 1e-13, "critical_current": 1e-6, "inductance": 1e-10, "flux": 1e-16},
        lambda m: m.omega * 1e-11,
    ),
    "Fluctuators": Row(
        lambda **p: jt.Fluctuators(**p),
        {"amplitudes": [1.0, 0.5], "rates_up": [0.3, 2.0], "rates_down": [0.5, 1.0]},
        lambda m: m.spectrum(jnp.array([0.1, 1.0, 5.0])),
    ),
    "TelegraphRecord": Row(
        lambda **p: jt.TelegraphRecord(jt.Fluctuators([1.0], p["up"], p["down"]), p["offset"], p["noise"]),
        {"up": [0.3], "down": [0.5], "offset": 0.1, "noise": 0.2},
        lambda m: m.log_likelihood(jnp.arange(5.0), jnp.array([0.1, 0.9, 1.2, 0.0, 0.2])),
    ),
    "TLSBath": Row(
        lambda **p: jt.TLSBath(**p),
        {"frequencies": [5.0, 5.6], "couplings": [0.1, 0.2], "relaxation": 0.4, "dephasing": 0.1},
        lambda m: m.relaxation_rate(jnp.array([4.9, 5.3])),
    ),
    "Lindbladian": Row(
        lambda **p: jt.Lindbladian([(SZ, p["z"]), (SX, p["x"])], [LOWER], rates=p["rates"]),
        {"z": 0.7, "x": 0.4, "rates": [0.3]},
        _excited,
    ),
    "BlochRedfield": Row(
        lambda **p: jt.BlochRedfield(p["x"] * SX + p["z"] * SZ, [(SZ, _noise)]),
        {"x": 0.4, "z": 0.7},
        _excited,
    ),
}

# Public modules that are no models: contracts, methods, plans, transforms of a fit, answers.
OTHERS = {
    "AbstractGenerator",
    "AbstractModel",
    "CountingStatistics",
    "Faber",
    "Fixed",
    "Interval",
    "MatrixExponential",
    "NetworkBalance",
    "Plan",
    "Positive",
    "Real",
    "Solution",
    "Splitting",
    "StrangSolver",
}


def make(name: str, factor: float = 1.0, kind: object = None) -> object:
    """A model with its numbers scaled."""
    row = ROWS[name]
    scaled = {key: np.asarray(value) * (factor if np.ndim(value) < 2 else 1.0) for key, value in row.numbers.items()}
    return row.make(**{key: jnp.asarray(value, kind) for key, value in scaled.items()})
