"""Every public name explains itself, and every example in a docstring runs."""

import ast
import doctest
import importlib
import inspect
import pathlib
import pkgutil
import re
import warnings
from inspect import ismodule

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
PUBLIC = [name for name in dir(jt) if not name.startswith("_") and not ismodule(getattr(jt, name))]


# Public rooms: jt.plot.traces and the like.
ROOMS = {
    f"{room}.{name}": value
    for room in ("interop", "plot", "quantum")
    for name, value in vars(getattr(jt, room)).items()
    if inspect.isfunction(value) and not name.startswith("_")
}

# Examples that take long to compile.
LONG = (
    "cli.diffusion",
    "damped.oscillator",
    "glass.model",
    "spin_bath.fock",
    "dynamics.evolve",
    "dynamics.planning",
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
        # A module's own names come before ours; what it imports for itself a reader does not have.
        own = {n: v for n, v in vars(module).items() if getattr(v, "__module__", name) == name and not ismodule(v)}
        result = doctest.testmod(module, globs=names | own, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_public_names_have_docstrings_with_an_example():
    texts = {name: inspect.getdoc(getattr(jt, name)) or "" for name in PUBLIC}
    assert [name for name, text in texts.items() if len(text) <= 40 or ">>>" not in text] == []


def test_functions_of_public_rooms_have_docstrings_with_an_example():
    assert [name for name, value in ROOMS.items() if ">>>" not in (inspect.getdoc(value) or "")] == []


# --- one dialect ------------------------------------------------------------------------------------------------------

SECTIONS = ("Attributes", "Arguments", "Returns", "Raises", "Example", "Source")


def _documented():
    """Everything in the package that has a docstring, with its place."""
    for path in sorted(pathlib.Path(jt.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node):
                yield f"{path.name}:{node.lineno} {node.name}", node, ast.get_docstring(node)


def test_docstrings_have_one_dialect():
    """Sections have these names, and stand in this order."""
    headings = re.compile(r"^(\w+):(?:$| )", re.M)
    wrong = []
    for place, _, text in _documented():
        found = [name for name in headings.findall(text) if name in SECTIONS]
        other = [name for name in re.findall(r"^(\w+):$", text, re.M) if name not in SECTIONS]
        if other or found != sorted(found, key=SECTIONS.index):
            wrong.append((place, other or found))
    assert wrong == []


def test_docstrings_that_explain_arguments_say_what_comes_back():
    assert [
        place
        for place, node, text in _documented()
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and "\nArguments:\n" in text
        and not (node.returns is None or isinstance(node.returns, ast.Constant)) and "Returns:" not in text
        and not re.search(r"^(Yields|Returns)", text, re.M)
    ] == []  # fmt: skip


def test_docstrings_begin_with_sentences():
    ends = (".", ":", "?", ")", "...")
    assert [place for place, _, text in _documented() if not text.split("\n\n")[0].rstrip().endswith(ends)] == []


def test_docstrings_begin_with_words():
    """Not with a shape, a unit or a formula in brackets, nor with a word or two."""
    first = lambda text: text.split("\n\n")[0]
    assert [place for place, _, text in _documented() if text[0] in "([{" or len(first(text).split()) < 3] == []
