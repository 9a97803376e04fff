"""Both ends of the versions that are declared: `python -m tests.versions [lowest] [newest] [-- pytest arguments]`.

`lowest` installs the oldest of each package that `pyproject.toml` allows on the oldest Python, `newest` the newest of
everything on the newest Python at hand, each in a fresh environment that `uv` makes (`pip install uv`). The lowest end
runs the tests alone, as old stubs and linters say other things; the newest runs the whole check, with deprecations as
errors. To be run before a release.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
OLDEST = "3.11"
PYTHONS = ("3.14", "3.13", "3.12", OLDEST)  # newest first
DEPRECATED = ("-W", "error::DeprecationWarning", "-W", "error::FutureWarning")


def run(*command: str) -> int:
    """Say a command and run it in the project's root."""
    print("+", *command, flush=True)
    return subprocess.run(command, cwd=ROOT).returncode


def newest() -> str:
    """The newest Python of this machine."""
    for version in PYTHONS:
        found = subprocess.run(["uv", "python", "find", "--no-project", version], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.strip()
    raise SystemExit(f"There is no Python {OLDEST} or newer.")


def end(name: str, arguments: list[str]) -> int:
    """Install one end and test it."""
    low = name == "lowest"
    with tempfile.TemporaryDirectory() as folder:
        python = str(pathlib.Path(folder, "bin", "python"))
        install = ["uv", "pip", "install", "--quiet", "--python", python]
        resolution = ["--resolution", "lowest-direct"] if low else ["--upgrade"]
        steps = [
            ["uv", "venv", "--quiet", "--python", OLDEST if low else newest(), folder],
            [*install, *resolution, "--editable", ".[test]"],
            ["uv", "pip", "freeze", "--quiet", "--python", python],
            [python, "-m", "pytest", *arguments] if low else [python, "-m", "tests", *DEPRECATED, *arguments],
        ]
        return next((code for code in (run(*step) for step in steps) if code), 0)


def main() -> int:
    if shutil.which("uv") is None:
        raise SystemExit("This needs uv: pip install uv.")
    own = sys.argv[1:]
    at = own.index("--") if "--" in own else len(own)
    ends, arguments = own[:at] or ["lowest", "newest"], own[at + 1 :]
    if unknown := set(ends) - {"lowest", "newest"}:
        raise SystemExit(f"{', '.join(sorted(unknown))}: must be lowest or newest.")
    codes = {name: end(name, arguments) for name in ends}
    print(*(f"{name}: {'passed' if code == 0 else 'FAILED'}" for name, code in codes.items()), sep="\n")
    return max(codes.values())


if __name__ == "__main__":
    sys.exit(main())
