"""Constructors under any numbers, readers under any text, and the public functions in single precision."""

import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls as jt
from jaxtls.cli import resonator_table, spring
from jaxtls.cli.tables import InputError

ANY = st.floats(allow_nan=True, allow_infinity=True)
CONSTRUCTORS = {
    jt.OhmicSpectralDensity: ("gamma_0", "cutoff", "mass"),
    jt.DampedOscillator: ("omega", "damping", "mass", "hbar"),
    jt.TunnellingSolid: ("gamma_l", "gamma_t", "v_l", "v_t", "density", "p_bar"),
    jt.ResonatorLoss: ("frequency", "loss_tangent", "critical_power"),
    jt.ResonatorTrace: ("f_r", "Q_internal", "Q_coupling", "asymmetry", "gain", "phase", "delay", "tilt"),
    jt.PhaseQubit: ("resistance", "capacitance", "critical_current", "bias_current"),
}


@pytest.mark.parametrize("kind", CONSTRUCTORS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_constructor_refuses_or_holds_finite_numbers(kind, data):
    numbers = {name: data.draw(ANY, name) for name in CONSTRUCTORS[kind]}
    try:
        model = kind(**numbers)
    except ValueError as error:
        assert any(f"`{name}" in str(error) for name in numbers), error
    else:
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(model))


TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
CELLS = st.one_of(st.floats().map(str), st.integers().map(str), st.text(max_size=6))
HEADS = st.sampled_from(
    ["time,x,x_error,x2,x2_error", "T_K,mean_photon_number,Q_internal", "T_K,Q_internal,sigma_Q_internal"]
)
TABLES = st.tuples(HEADS, st.lists(st.lists(CELLS, max_size=6), max_size=6)).map(
    lambda parts: "\n".join([parts[0], *(",".join(row) for row in parts[1])])
)


@pytest.mark.parametrize("read", [spring.read, resonator_table.read], ids=["spring", "resonator"])
@given(text=st.one_of(TEXT, TABLES))
@settings(max_examples=60, deadline=None)
def test_a_reader_refuses_with_one_sentence_or_reads_numbers(read, text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_text(text, encoding="utf-8", newline="")
        try:
            table = read(str(path))
        except InputError as error:
            assert 10 < len(str(error)) < 600
        else:
            assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(vars(table)) if np.ndim(leaf))


@pytest.mark.slow
def test_a_session_in_single_precision():
    """Every public function takes its good arguments and gives what it gives in double precision, to three digits."""
    found = subprocess.run([sys.executable, "-m", "tests.reliability.single"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
