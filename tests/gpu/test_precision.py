"""Single precision, which is what a GPU is fastest in: each model's error against double, and that results say so."""

import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

from .programs import RHO, SM, SX, SZ, TS, UP, Decay
from .singles import numbers

# One program a model, and the largest error that it may have, over its largest numbers.
MODELS = {
    "mesolve, a constant equation": 1e-5,
    "mesolve, a driven equation": 1e-4,
    "mesolve, a sampled drive": 1e-4,
    "sesolve": 1e-5,
    "limit cycle": 1e-4,
    "steady state of an oscillator": 1e-4,
    "spectrum": 1e-3,
    "correlation": 1e-4,
    "propagator": 1e-5,
    "counting": 1e-4,
    "Bloch-Redfield": 1e-4,
    "spring": 1e-4,
    "heated oscillator": 1e-4,
    "heated oscillator, adiabatic": 1e-4,
    "spin bath, moments": 1e-4,
    "spin bath, levels": 1e-4,
    "damped oscillator": 1e-4,
    "damped, transitions": 1e-5,
    "phase qubit": 1e-5,
    "flux qubit": 1e-5,
    "glass, concurrence": 1e-4,
    "network, coherent": 1e-4,
    "fluctuators, coherence": 1e-4,
    "fluctuators, likelihood": 1e-4,
    "TLS bath, amplitude": 1e-4,
    "TLS bath, populations": 1e-4,
    "resonator": 1e-4,
    "resonator's trace": 1e-2,
    "concurrence": 1e-4,
    "fidelity": 1e-3,
}


@pytest.fixture(scope="module")
def singles(tmp_path_factory):
    """From a session of its own: constants of a program keep the precision that they were made in."""
    path = tmp_path_factory.mktemp("singles") / "found"
    subprocess.run([sys.executable, "-m", "tests.gpu.singles", str(path), *MODELS], check=True)
    return pickle.loads(path.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_model_in_single_precision(name, singles):
    assert not isinstance(singles[name], str), singles[name]
    assert {leaf.dtype for leaf in singles[name]} <= {np.dtype("float32"), np.dtype("complex64")}
    expected = numbers(name)
    # What is small beside a model's other numbers is known to their rounding.
    scale = 0.1 * max(np.max(np.abs(double)) for double in expected)
    for single, double in zip(singles[name], expected, strict=True):
        assert np.all(np.isfinite(single))
        assert np.max(np.abs(single - double)) <= MODELS[name] * max(scale, np.max(np.abs(double)))


LINE = 'precision    single; jax.config.update("jax_enable_x64", True)'


@pytest.mark.filterwarnings("ignore:rtol")
def test_trajectories_in_single_precision_average_to_the_master_equation():
    want = jt.mesolve(SX + SZ, [SM], UP, TS, [SZ]).expects[0].real
    with jax.enable_x64(False):
        found = jt.trajectories(SX + SZ, [SM], np.array([1.0, 0.0]), TS, 4000, jax.random.key(3), [SZ])
    assert found.precision == "single" and found.mean.dtype == np.complex64
    assert np.all(np.abs(found.mean[0] - want) < 4.5 * np.asarray(found.sem[0]) + 1e-5)


def _results():
    """One of each kind: what it says of its precision, and the line that it prints, if it prints a table."""
    data = np.array([0.0, 1.1, 1.9, 3.0])
    network = jt.ThermalNetwork([2.0, 1.0], [1.0, 1.25], [0.1, 0.1], incoherent=0.1 * SX)
    return [
        jt.mesolve(SX + SZ, [SM], RHO, TS, [SZ]),
        jt.counting_statistics(jt.Lindbladian(SX, [SM, SM.T], rates=[0.3, 0.1]), [1.0, -1.0]),
        network.balance(network.steady_state()),
        jt.ensemble(lambda key: jax.random.normal(key), jax.random.key(0), 10, batch_size=5, devices=1),
        jt.fit(lambda m: m.rate * jnp.arange(4.0), Decay(2.0), data, sigma=0.1, free={"rate": jt.Real()}),
    ]


@pytest.mark.filterwarnings("ignore:rtol")
def test_results_say_their_precision():
    for found in _results():
        assert found.precision == "double" and "precision" not in repr(found)
    with jax.enable_x64(False):
        for found in _results():
            assert found.precision == "single"
            assert ("single precision" if type(found) is jt.CountingStatistics else LINE) in repr(found)
