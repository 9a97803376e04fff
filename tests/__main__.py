"""The whole check, as CI runs it: lint, format, types, tests. `python -m tests [pytest arguments]`."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ["jaxtls", "tests", "benchmarks"]
# Most of the check is compilation of small problems, which takes a third less so. Plain `pytest` and the slow tests run
# what users run. XLA ends a process that it is given a flag unknown to it, and its flags come and go.
DEVICES = "--xla_force_host_platform_device_count=2"
QUICK_COMPILATION = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
)


def main() -> int:
    steps = [
        ["ruff", "check", *SOURCES],
        ["ruff", "format", "--check", *SOURCES],
        ["mypy"],
        ["pytest", *sys.argv[1:]],
    ]
    environment = {"XLA_FLAGS": " ".join([DEVICES, *filter(_known, QUICK_COMPILATION)]), **os.environ}
    for step in steps:
        print("+", *step, flush=True)
        code = subprocess.run([sys.executable, "-m", *step], cwd=ROOT, env=environment).returncode
        if code:
            return code
    return 0


def _known(flag: str) -> bool:
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    environment = {**os.environ, "XLA_FLAGS": flag, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, env=environment, capture_output=True).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
