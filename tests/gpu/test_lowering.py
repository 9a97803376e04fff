"""Every public program and its gradient is lowered for an NVIDIA GPU, on a machine without one.

A lowered program names what it calls: no callback to the host, and no kernel library that only a CPU has. Whether it
compiles there, and how fast it is, `python -m benchmarks compiled` asks.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import equinox
import jax
import jax.export
import jax.numpy as jnp
import pytest

import jaxtls as jt
from benchmarks import programs
from benchmarks.program import slope
from benchmarks.programs import MAIN
from jaxtls._platform import tracing_for

from .programs import PUBLIC, A, Program, oscillator

# Where equinox keeps what EQX_ON_ERROR said.
CHECKS = sys.modules[equinox.error_if.__module__]
# What jaxlib brings for CUDA; a callback is a custom call, too, and none of these.
ON_A_GPU = re.compile(
    r"cusolver_(?!geev)\w+|cusparse_\w+|cublas\w*|cu_\w+|Sharding|shape_assertion|annotate_device_placement"
)


def lowered(function: Callable, arguments: tuple) -> str:
    """The program for CUDA, as text."""
    arrays = tuple(jax.tree.map(jnp.asarray, argument) for argument in arguments)
    return jax.export.export(jax.jit(function), platforms=["cuda"])(*arrays).mlir_module()


def calls_of(text: str) -> set[str]:
    return set(re.findall(r"custom_call\s+@\"?([\w$.]+)", text))


def require_a_gpu_alone(text: str) -> None:
    assert "callback" not in text
    strange = {name for name in calls_of(text) if not ON_A_GPU.fullmatch(name)}
    assert not strange


@pytest.fixture(autouse=True, scope="module")
def _fresh():
    """Traced as on a GPU; programs traced otherwise, or with other checks, do not come back."""
    with tracing_for("gpu"):
        yield


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Program], None]:
    """As EQX_ON_ERROR=nan does, for a solver of diffrax, which brings checks of its own; ours have none unasked."""

    def off(program: Program) -> None:
        if program.solver:
            monkeypatch.setattr(CHECKS, "EQX_ON_ERROR", "nan")

    return off


@pytest.mark.parametrize("name", PUBLIC)
def test_a_program(name, checks):
    program = PUBLIC[name]
    checks(program)
    require_a_gpu_alone(lowered(program.function, program.arguments))


@pytest.mark.parametrize("name", [n for n, p in PUBLIC.items() if p.has_gradient])
def test_its_gradient(name, checks):
    program = PUBLIC[name]
    checks(program)
    require_a_gpu_alone(lowered(slope(program.function), program.arguments))


@pytest.mark.slow
@pytest.mark.parametrize("name", MAIN)
def test_a_main_program(name):
    make, has_gradient = MAIN[name]
    program = make(True)
    require_a_gpu_alone(lowered(program.function, program.arguments))
    if has_gradient:
        require_a_gpu_alone(lowered(program.gradient(), program.arguments))


def test_batches_of_them():
    program = programs.springs(2, 8, 1, 3)
    require_a_gpu_alone(lowered(program.function, program.arguments))
    steady = jax.vmap(lambda x: jt.steady_state(oscillator(x)))
    require_a_gpu_alone(lowered(steady, (jnp.array([0.8, 0.9]),)))


@pytest.mark.parametrize(
    "target", ["@xla_ffi_python_gpu_callback", "@lapack_zgeev_ffi", "@cusolver_geev_ffi", '@"somebody.s_own"']
)
def test_what_is_looked_for_is_found(target):
    with pytest.raises(AssertionError):
        require_a_gpu_alone(f"%1 = stablehlo.custom_call {target}(%0) : (tensor<2xf64>) -> tensor<2xf64>")
    require_a_gpu_alone("%1 = stablehlo.custom_call @cusolver_syevd_ffi(%0) : (tensor<2xf64>) -> tensor<2xf64>")


def test_a_library_call_is_seen_and_a_callback_is_not_exported():
    assert calls_of(lowered(jnp.linalg.eigh, (A + A.T,)))
    raising = lambda x: jt.steady_state(oscillator(x), throw=True)
    for function, argument in ((lambda x: jax.pure_callback(lambda y: y, x, x), 1.0), (raising, 0.9)):
        # JAX itself refuses to export some callbacks for another platform, differently from version to version.
        with pytest.raises((AssertionError, ValueError, NotImplementedError), match=r"callback|platform"):
            require_a_gpu_alone(lowered(function, (argument,)))


def test_no_public_name_is_missing():
    """Each public class and function stands in a program, or is named here with the reason."""
    without = {
        # On the host by their nature: files, fits' loops, stores, pictures.
        "ResonatorAnalysis", "ResonatorGroup", "analyse_resonator", "combine_resonators", "Trace", "read_trace",
        "TraceTable", "fit_traces", "TraceFit", "fit_trace", "EnsembleResult", "ensemble", "merge", "FitResult",
        "LikelihoodFit", "fit", "fit_likelihood", "fit_power_law", "propagate", "load", "save", "cite", "interop",
        "plot", "PowerLaw", "fit_random_states", "random_state_concurrence", "quantum", "plan", "sweep",
        # Parameters, results and options of the others.
        "AbstractModel", "AbstractGenerator", "Plan", "Solution", "Splitting", "Fixed", "Interval", "Positive", "Real",
        "CountingStatistics", "NetworkBalance", "TelegraphRecord", "DiscreteSpectralDensity",
    }  # fmt: skip
    source = Path(__file__).with_name("programs.py").read_text()
    public = {name for name in vars(jt) if not name.startswith("_")}
    modules = {name for name in public if isinstance(getattr(jt, name), type(jt))}
    missing = {name for name in public - modules - without if f"jt.{name}" not in source}
    assert not missing
    assert without <= public
