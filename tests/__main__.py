"""The whole check, as CI runs it: lint, format, types, tests. `python -m tests [pytest arguments]`."""

import os
import pathlib
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ["jaxtls", "tests", "benchmarks"]
# Most of the check is compilation of small problems, which takes a third less so, and a seventh less again where a
# program is compiled in one part: each core has a worker already. Plain `pytest` and the slow tests run what users run.
# XLA ends a process that it is given a flag unknown to it, and its flags come and go.
DEVICES = "--xla_force_host_platform_device_count=2"
QUICK_COMPILATION = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
    "--xla_cpu_parallel_codegen_split_count=1",
)


def main() -> int:
    environment = {"XLA_FLAGS": " ".join([DEVICES, *filter(_known, QUICK_COMPILATION)]), **os.environ}
    first = [["ruff", "check", *SOURCES], ["ruff", "format", "--check", *SOURCES]]
    for step in first:
        if code := _begun(step, environment).wait():
            return code
    # mypy keeps one core busy for a minute from nothing; beside the tests it takes half of that.
    with _begun(["mypy"], environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as types:
        code = _begun(["pytest", *sys.argv[1:]], environment).wait()
        print("+ mypy", types.communicate()[0], sep="\n", flush=True)
    return code or types.returncode


def _begun(step: list[str], environment: dict[str, str], **more: Any) -> subprocess.Popen:
    print("+", *step, flush=True)
    return subprocess.Popen([sys.executable, "-m", *step], cwd=ROOT, env=environment, **more)


def _known(flag: str) -> bool:
    command = [sys.executable, "-c", "import jax; jax.devices()"]
    environment = {**os.environ, "XLA_FLAGS": flag, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, env=environment, capture_output=True).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
