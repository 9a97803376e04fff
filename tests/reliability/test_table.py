"""What bad input gives is what `tests/README.md` says, and no public function makes a number of NaN."""

import inspect
import subprocess
import sys

import pytest

import jaxtls as jt

from .calls import calls
from .table import FAULTS, lines

QUICK = ["TunnellingSolid", "TLSHeatedOscillator", "ThermalNetwork", "ResonatorLoss", "Lindbladian", "fidelity"]


@pytest.mark.parametrize("names", [QUICK, pytest.param([], marks=pytest.mark.slow)], ids=["some", "all"])
def test_the_table_is_true(names):
    """In a process of its own: users have no shape checks, whose errors would come first."""
    command = [sys.executable, "-m", "tests.reliability.table", "--check", *names]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_nan_never_becomes_a_number():
    column = 3 + FAULTS.index("NaN")
    assert {line.split("|")[column].strip() for line in lines()} <= {"refused", "NaN out", ""}


def test_the_table_names_every_public_function():
    listed = {name.split(".")[0] for name in calls()}
    assert {line.split("`")[1] for line in lines()} == set(calls())
    # Results, transforms and operators are made by functions of the table or checked where they are built.
    others = {
        "CountingStatistics",
        "EnsembleResult",
        "FitResult",
        "PowerLaw",
        "Solution",
        "NetworkBalance",
        "StrangSolver",
    }
    others |= {"Fixed", "Interval", "Positive", "Real", "local", "modulated", "piecewise_constant"}
    # Results again, and a reader of files, whose faults are in `analysis/test_trace_files.py`.
    others |= {"Trace", "TraceFit", "TraceTable", "read_trace"}
    others |= {"LikelihoodFit", "citation", "interop", "plot", "quantum", "save", "load", "propagate"}
    # Functions of a model or of results, whose arguments the model has checked.
    others |= {"constant_rate_moments", "discretize", "exact_bath_moments"}
    others |= {"fit_random_states", "random_state_concurrence"}
    # Whole analyses: what they refuse is in tests/analysis.
    others |= {"ResonatorAnalysis", "ResonatorGroup", "analyse_resonator", "combine_resonators"}
    # What is handed to an engine, and what it gives.
    others |= {"AbstractModel", "AbstractGenerator", "Plan", "Splitting", "Faber", "MatrixExponential"}
    # Its arguments are those of evolve; what `sweep` refuses is in `ensemble/test_sweep.py`.
    others |= {"plan", "sweep"}
    rooms = {"analysis", "cli", "dynamics", "ensemble", "fitting", "jaxtyping", "lindblad", "models", "numerics"}
    public = {name for name in vars(jt) if not name.startswith("_") and not inspect.ismodule(vars(jt)[name])} - rooms
    assert public <= listed | others
