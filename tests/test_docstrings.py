"""Every public name explains itself, and every example in a docstring runs."""

import doctest
import importlib
import inspect
import pkgutil
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

MODULES = sorted(m.name for m in pkgutil.walk_packages(jt.__path__, "jaxtls.") if "__main__" not in m.name)
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


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_docstrings_with_an_example(name):
    text = inspect.getdoc(getattr(jt, name)) or ""
    assert len(text) > 40, name
    assert ">>>" in text, f"{name} has no example"


@pytest.mark.parametrize("name", ROOMS)
def test_functions_of_public_rooms_have_docstrings_with_an_example(name):
    assert ">>>" in (inspect.getdoc(ROOMS[name]) or ""), f"jt.{name} has no example"
