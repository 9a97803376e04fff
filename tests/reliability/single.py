"""`python -m tests.reliability.single`: the good calls in a session without x64 against one with it."""

import pickle
import subprocess
import sys
import warnings
from typing import Any

import jax
import numpy as np

from .calls import calls

# By design: 1e45 needs double precision, and says so.
REFUSED = {"TunnellingSolid": "jax_enable_x64", "TLSBath.from_solid": "jax_enable_x64"}
# Draws differ between the precisions.
RANDOM = (
    "TLSGlass.sample",
    "TLSBath.sample",
    "TLSBath.rate_trace",
    "Fluctuators.sample",
    "Fluctuators.sample_bath",
    "TelegraphRecord.sample",
    "random_bloch_vectors",
    "TLSGlass.half_system_entropy",
    "trajectories",
    "ensemble",
    "ensemble in parts",
    "merge",
)
SMALL = 1e-3


def results() -> dict[str, Any]:
    """name -> arrays, or the message of what was raised."""
    found: dict[str, Any] = {}
    for name, (function, good) in calls().items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                leaves = jax.tree.leaves(function(**good))
            except Exception as error:
                found[name] = f"{type(error).__name__}: {error}"
                continue
        found[name] = [np.asarray(x) for x in leaves if np.issubdtype(getattr(x, "dtype", int), np.inexact)]
    return found


def wrong(name: str, single: Any, double: Any) -> str:
    if name in REFUSED:
        return "" if isinstance(single, str) and REFUSED[name] in single else f"not refused: {single}"
    if isinstance(single, str) or isinstance(double, str):
        return f"{single} | {double}" if isinstance(single, str) else str(double)
    if not all(np.all(np.isfinite(x)) for x in single):
        return "not finite"
    if name in RANDOM:
        return ""
    far = [
        np.max(np.abs(a - b)) / (np.max(np.abs(b)) + 1e-30)
        for a, b in zip(single, double)
        # Diagnostics are rounding: the smaller, the less they say.
        if a.size and np.max(np.abs(b)) > SMALL
    ]
    return f"off by {max(far):.1e}" if far and max(far) > SMALL else ""


if __name__ == "__main__":
    if sys.argv[1:] == ["--dump"]:
        jax.config.update("jax_enable_x64", True)
        sys.stdout.buffer.write(pickle.dumps(results()))
        sys.exit(0)
    other = subprocess.run(
        [sys.executable, "-m", "tests.reliability.single", "--dump"], capture_output=True, check=True
    )
    double, single = pickle.loads(other.stdout), results()
    faults = {name: said for name in single if (said := wrong(name, single[name], double[name]))}
    for name, said in faults.items():
        print(f"{name}: {said}")
    sys.exit(1 if faults else 0)
