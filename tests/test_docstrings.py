"""Every public name explains itself, and every example in a docstring runs."""

import doctest
import importlib
import inspect
import pathlib
import pkgutil
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

ROOT = pathlib.Path(jt.__file__).parent


def _text(name: str) -> str:
    path = ROOT.joinpath(*name.split(".")[1:])
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


# Those with examples, read as text: nothing is imported twice, and a module without one is no case.
MODULES = sorted(
    m.name for m in pkgutil.walk_packages([str(ROOT)], "jaxtls.") if "__main__" not in m.name and ">>>" in _text(m.name)
)
PUBLIC = [name for name in dir(jt) if not name.startswith("_") and not inspect.ismodule(getattr(jt, name))]


# Public rooms: jt.plot.traces and the like.
ROOMS = {
    f"{room}.{name}": value
    for room in ("interop", "plot", "quantum")
    for name, value in vars(getattr(jt, room)).items()
    if inspect.isfunction(value) and not name.startswith("_")
}

# Examples that take long to compile.
LONG = (
    "damped.oscillator",
    "glass.model",
    "spin_bath.fock",
    "dynamics.evolve",
    "lindblad.correlation",
    "network.model",
    "tls_bath.model",
)
SORTED = [pytest.param(n, marks=pytest.mark.slow) if n.endswith(LONG) else n for n in MODULES]


@pytest.mark.parametrize("name", SORTED)
def test_examples_run(name):
    module = importlib.import_module(name)
    names = {**{n: getattr(jt, n) for n in PUBLIC}, "jt": jt, "jnp": jnp, "np": np, "jax": jax}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = doctest.testmod(module, extraglobs=names, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_public_names_have_docstrings_with_an_example():
    texts = {name: inspect.getdoc(getattr(jt, name)) or "" for name in PUBLIC}
    assert [name for name, text in texts.items() if len(text) <= 40 or ">>>" not in text] == []


def test_functions_of_public_rooms_have_docstrings_with_an_example():
    assert [name for name, value in ROOMS.items() if ">>>" not in (inspect.getdoc(value) or "")] == []
