"""The whole check, as CI runs it: lint, format, types, tests. `python -m tests [pytest arguments]`."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ["jaxtls", "tests", "benchmarks"]


def main() -> int:
    steps = [
        ["ruff", "check", *SOURCES],
        ["ruff", "format", "--check", *SOURCES],
        ["mypy"],
        ["pytest", *sys.argv[1:]],
    ]
    for step in steps:
        print("+", *step, flush=True)
        code = subprocess.run([sys.executable, "-m", *step], cwd=ROOT).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
