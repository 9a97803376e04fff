"""Imports run one way, and importing jaxtls changes nothing."""

import ast
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

import jaxtls

ROOT = pathlib.Path(jaxtls.__file__).parent
ROOMS = ("quantum", "dynamics", "lindblad", "models", "ensemble", "fitting")
# Each room may import those named; files at the top of the package come last.
ALLOWED = {
    "citation": set(),
    "numerics": set(),
    "quantum": {"numerics"},
    "dynamics": {"numerics", "quantum"},
    "lindblad": {"numerics", "quantum", "dynamics"},
    "models": {"numerics", "quantum", "dynamics", "lindblad"},
    "ensemble": set(),
    "fitting": set(),
    "analysis": {"models", "ensemble", "fitting"},
    "plot": {"quantum", "fitting", "analysis"},
    "interop": {"quantum", "dynamics", "lindblad", "models", "ensemble", "fitting", "analysis"},
    "reproduce": {"quantum", "dynamics", "lindblad", "models", "ensemble", "fitting", "plot", "interop"},
    "docs": {"reproduce"},
    "cli": {*ROOMS, "analysis", "plot", "reproduce", "docs"},
}
SHARED = {"_checks", "_progress"}
PUBLIC = {n for n in dir(jaxtls) if not inspect.ismodule(getattr(jaxtls, n))}


def imported_rooms(path):
    depth = len(path.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")
            if node.level == depth:
                yield from ([module[0]] if module[0] else [alias.name for alias in node.names])
            elif node.level == 0 and module[0] == "jaxtls" and len(module) > 1:
                yield module[1]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path):
    room = path.relative_to(ROOT).parts[0]
    if room not in ALLOWED:
        return
    for target in imported_rooms(path):
        # the figures and the command line are made from public names
        outside = PUBLIC if room in ("reproduce", "cli") else set()
        assert target in ALLOWED[room] | SHARED | {room} | outside, f"{path.name} imports {target}"


def test_only_one_file_meets_diffrax():
    users = [p.name for p in ROOT.rglob("*.py") if re.search(r"^import diffrax$", p.read_text(), re.M)]
    assert users == ["diffrax.py"]


def test_only_one_file_meets_tqdm():
    users = [p.name for p in ROOT.rglob("*.py") if re.search(r"^(import|from) tqdm", p.read_text(), re.M)]
    assert users == ["_progress.py"]


def test_import_changes_no_flag_and_starts_no_device():
    code = """
import jax
before = {k: v for k, v in jax.config.values.items()}
import jaxtls
assert {k: v for k, v in jax.config.values.items()} == before
from jax._src import xla_bridge
assert not xla_bridge._backends, "importing jaxtls started a device"
import sys
assert "matplotlib" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
