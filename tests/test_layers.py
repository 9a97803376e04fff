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
SHARED = {"_checks", "_nearest", "_platform", "_progress", "_types"}
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


def imported_files(root):
    """File -> those of the package that it imports, at its top or in a function, for types alone or not."""
    files = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        files[parts[:-1] if parts[-1] == "__init__" else parts] = path
    found = {}
    for name, path in files.items():
        package = name if path.name == "__init__.py" else name[:-1]
        found[path] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [tuple(a.name.split("."))[1:] for a in node.names if a.name.split(".")[0] == root.name]
            elif isinstance(node, ast.ImportFrom):
                words = tuple(node.module.split(".")) if node.module else ()
                if node.level == 0 and words[:1] != (root.name,):
                    continue
                base = package[: len(package) - node.level + 1] + words if node.level else words[1:]
                modules = [(*base, a.name) if (*base, a.name) in files else base for a in node.names]
            else:
                continue
            # A folder's __init__ hands its files' names on, and is none of the files that the names live in.
            targets = {files[m] for m in modules if m in files}
            found[path] |= {t for t in targets if t.name != "__init__.py"} - {path}
    return found


def circles(imports):
    """Files that import one another, directly or through others."""
    reached = {path: set(targets) for path, targets in imports.items()}
    for middle in reached:
        for targets in reached.values():
            if middle in targets:
                targets |= reached[middle]
    return sorted(path for path, targets in reached.items() if path in targets)


def test_no_files_import_each_other():
    assert [str(p.relative_to(ROOT)) for p in circles(imported_files(ROOT))] == []


CIRCLE = {
    "direct": {"a.py": "from .b import y", "b.py": "from .a import x"},
    "for types": {
        "a.py": "from .b import y",
        "b.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .a import x",
    },
    "in a function": {"a.py": "from . import b", "b.py": "def f():\n    from .a import x\n    return x"},
    "through a third": {"a.py": "from .room.b import y", "room/b.py": "from ..c import z", "c.py": "from pkg import a"},
    "absolute": {"a.py": "import pkg.b", "b.py": "from pkg.a import x"},
}


@pytest.mark.parametrize("kind", CIRCLE)
def test_the_look_for_circles_finds_one(kind, tmp_path):
    root = tmp_path / "pkg"
    for name, text in {**CIRCLE[kind], "__init__.py": "from .a import x", "free.py": "from .a import x"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    found = {p.relative_to(root).as_posix() for p in circles(imported_files(root))}
    assert found == set(CIRCLE[kind])


def test_only_one_file_meets_diffrax():
    users = [p.name for p in ROOT.rglob("*.py") if re.search(r"^(import|from) diffrax\b", p.read_text(), re.M)]
    assert users == ["diffrax.py"]


def test_no_file_asks_what_an_object_happens_to_have():
    """Contracts are base classes or protocols; `interop` alone meets objects of other libraries without one."""
    asking = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        if "interop" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "hasattr"
    ]
    assert asking == []


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


def test_products_ask_for_full_precision_in_one_file():
    """A GPU would round the operands of any other product in single precision."""
    # xp is NumPy or jnp, as it happens.
    product = re.compile(r"\b(jnp|xp)\.(matmul|einsum|tensordot|dot|vdot|inner)\b|precision=(HIGHEST|\"highest|jax)")
    written = [path for path in ROOT.rglob("*.py") if product.search(path.read_text())]
    assert [str(path.relative_to(ROOT)) for path in written] == ["numerics/products.py"]


def test_engine_rooms_write_products_of_host_arrays_alone_with_the_operator():
    """`@` between arrays on a device takes its default precision: only these files, of NumPy and SciPy, have it."""
    host = {
        "lindblad/resolvent/host.py",
        "lindblad/resolvent/levels.py",
        "lindblad/resolvent/sparse.py",
        "lindblad/rhs/sectors.py",
        "models/glass/random_states.py",
        "models/network/sectors.py",
        "numerics/powers.py",
    }
    written = {
        str(path.relative_to(ROOT))
        for room in ("numerics", "quantum", "dynamics", "lindblad", "models")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.MatMult)
    }
    assert written == host


def test_no_method_looks_at_the_class_of_a_generator():
    """`AbstractGenerator` has a hook for what it wants to know."""
    looks = [path for path in ROOT.rglob("*.py") if re.search(r"isinstance\([^()]*\bLindbladian\b", path.read_text())]
    assert sorted(str(path.relative_to(ROOT)) for path in looks) == ["lindblad/counting.py", "lindblad/lindbladian.py"]


def test_one_place_makes_solutions_and_one_loop_goes_again():
    """One file asks a method to judge, one puts solutions together."""
    places = {"solutions": re.compile(r"(?<![\w.])Solution\("), "judgement": re.compile(r"\.judge\(")}
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in ROOT.rglob("*.py")}
    made = {
        name: sorted(
            path
            for path, text in texts.items()
            for line in text.splitlines()
            if seen.search(line) and not re.search(r"^class |\"Solution|'Solution", line.strip())
        )
        for name, seen in places.items()
    }
    assert made == {"solutions": ["dynamics/problem.py"], "judgement": ["dynamics/methods/base.py"]}


def _functions():
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path.relative_to(ROOT), node


def test_bodies_of_functions_fit_on_a_screen():
    """Sixty lines at most, without the docstring."""
    long = []
    for path, node in _functions():
        first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
        if node.end_lineno - first.lineno + 1 > 60:
            long.append(f"{path}: {node.name}")
    assert long == []


def test_few_arguments_may_be_anything():
    """`Any` tells neither a reader nor a type checker what is wanted."""
    arguments = [
        argument.annotation
        for _, node in _functions()
        for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        if argument.annotation is not None
    ]
    anything = [a for a in arguments if isinstance(a, ast.Name) and a.id == "Any"]
    assert len(anything) < 0.03 * len(arguments)
