"""`jaxtls info` prints versions, devices and precision, to paste in a bug report."""

from __future__ import annotations

import argparse
import os
import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("jaxtls", "jax", "jaxlib", "diffrax", "equinox", "optax", "numpy", "scipy")
OPTIONAL = ("matplotlib", "xarray", "zarr", "distributed", "dynamiqs", "qutip")
FLAGS = ("jax_enable_x64", "jax_default_matmul_precision", "jax_numpy_dtype_promotion", "jax_disable_jit")
ENVIRONMENT = ("JAX_PLATFORMS", "JAX_ENABLE_X64", "XLA_FLAGS", "CUDA_VISIBLE_DEVICES", "XLA_PYTHON_CLIENT_PREALLOCATE")


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command to argparse's subparsers."""
    info = commands.add_parser(
        "info",
        help="versions, devices and precision, for a bug report",
        description="Print versions, devices and precision flags, to paste in a bug report.",
    )
    info.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what `lines` finds."""
    del options
    print("\n".join(lines()))
    return 0


def lines() -> list[str]:
    """Gives one line for each package, then the machine as JAX sees it.

    Example:
        >>> lines()[0].split()[0]
        'jaxtls'
    """
    import jax

    found = [(name, installed(name)) for name in PACKAGES]
    found += [(name, installed(name)) for name in OPTIONAL]
    found += [("python", f"{platform.python_version()} ({platform.python_implementation()})")]
    found += [("platform", f"{platform.platform()}, {platform.machine()}, {os.cpu_count()} CPUs")]
    try:
        devices = jax.devices()
        kinds = [
            f"{kind} x {[d.device_kind for d in devices].count(kind)}" for kind in {d.device_kind for d in devices}
        ]
        found += [("devices", f"{jax.default_backend()}: {', '.join(sorted(kinds))}")]
    except RuntimeError as error:
        # A broken driver is what a bug report is about.
        found += [("devices", f"none: {error}")]
    # Flags that a newer JAX has dropped are left out.
    flags = jax.config.values
    found += [(flag, str(flags[flag])) for flag in FLAGS if flag in flags]
    found += [(name, os.environ[name]) for name in ENVIRONMENT if name in os.environ]
    width = max(len(name) for name, _ in found)
    return [f"{name:<{width}}  {value}" for name, value in found]


def installed(name: str) -> str:
    """Returns the version of an installed package, or "not installed"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
