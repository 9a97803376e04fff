"""Single precision, which is what a GPU is fastest in: each model's error against double, and that results say so."""

import pickle
import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxtls as jt

from .programs import RHO, SM, SX, SZ, TS
from .singles import numbers

# One program a model, and the largest error that it may have, over its largest numbers.
MODELS = {
    "mesolve, a constant equation": 1e-5,
    "sesolve": 1e-5,
    "steady state of an oscillator": 1e-4,
    "spectrum": 1e-3,
    "correlation": 1e-4,
    "propagator": 1e-5,
    "counting": 1e-4,
    "Bloch-Redfield": 1e-4,
    "spring": 1e-4,
    "heated oscillator": 1e-4,
    "spin bath, moments": 1e-4,
    "damped, transitions": 1e-5,
    "phase qubit": 1e-5,
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


@pytest.mark.filterwarnings("ignore:rtol")
def test_a_result_says_its_precision():
    solve = lambda: jt.mesolve(SX + SZ, [SM], RHO, TS, [SZ])
    assert solve().precision == "double" and "precision" not in repr(solve())
    with jax.enable_x64(False):
        found = solve()
    assert found.precision == "single" and "precision    single" in repr(found)
