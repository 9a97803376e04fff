"""The whole check, as CI runs it: lint, format, types, tests. `python -m tests [pytest arguments]`."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ["jaxtls", "tests", "benchmarks"]
# Most of the check is compilation of small problems: without LLVM's optimisations it takes a quarter less. Plain
# `pytest` and the slow tests run what users run.
QUICK_COMPILATION = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def main() -> int:
    steps = [
        ["ruff", "check", *SOURCES],
        ["ruff", "format", "--check", *SOURCES],
        ["mypy"],
        ["pytest", *sys.argv[1:]],
    ]
    flags = f"--xla_force_host_platform_device_count=2 {QUICK_COMPILATION}"
    environment = {"XLA_FLAGS": flags, **os.environ}
    for step in steps:
        print("+", *step, flush=True)
        code = subprocess.run([sys.executable, "-m", *step], cwd=ROOT, env=environment).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
