"""Makes spring_trace.csv: the exact entropic spring of Wang and Taylor's Fig. 1 (ten TLSs), plus noise of a kept seed.

Run: python -m jaxtls.cli.data.make_spring_trace [FILE]
"""

from __future__ import annotations

import math
import pathlib
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SEED = 20261120
NOISE: dict[str, float] = {"x": 0.01, "x2": 0.02}
TRUTH: dict[str, Any] = {"omega": math.sqrt(1 + math.e), "splitting": 100.0, "gamma": 10.0}
KNOWN: dict[str, Any] = {"beta": 0.01, "n_spins": 10}
ALPHA = 1.0


def make() -> dict[str, np.ndarray]:
    """Gives columns time, x, x_error, x2, x2_error (81 rows over two periods)."""
    from jaxtls.dynamics import evolve
    from jaxtls.models.spring import EntropicSpring

    spring = EntropicSpring(**TRUTH, **KNOWN)
    ts = jnp.linspace(0.0, 4 * jnp.pi, 81)
    sol = evolve(spring, spring.coherent_state(ALPHA), ts, observables=list(NOISE))
    rng = np.random.default_rng(SEED)
    columns = {"time": np.asarray(ts)}
    for name, noise in NOISE.items():
        columns[name] = np.asarray(sol.observables[name]) + noise * rng.standard_normal(len(ts))
        columns[f"{name}_error"] = np.full(len(ts), noise)
    return columns


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("spring_trace.csv"))
    columns = make()
    rows = (",".join(f"{value:.6f}" for value in row) for row in zip(*columns.values(), strict=True))
    path.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
