"""Makes resonator_loss.csv and resonator_shift.csv: a TLS-limited resonator at 6 GHz, plus noise of a kept seed.

Run: python -m jaxtls.cli.data.make_resonator_data [FOLDER]
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import jax
import numpy as np

SEED = 20261121
FREQUENCY = 6e9
NOISE, SHIFT_NOISE = 0.03, 3e-8
TRUTH: dict[str, Any] = {
    "loss_tangent": 2e-6,
    "critical_power": 1.0,
    "temperature_exponent": 0.7,
    "photon_exponent": 0.4,
    "critical_temperature": 6.0,
    "quasiparticle_amplitude": 2.5e-3,
    "constant_loss": 3e-8,
}
TEMPERATURES = np.linspace(0.05, 1.6, 16)
PHOTONS = np.array([1.0, 1e2, 1e4, 1e6])


def make() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Gives T_K, mean_photon_number, Q_internal (64 rows); T_K, fractional_frequency_shift (16), 0 at the first."""
    from jaxtls.models.resonator import ResonatorLoss

    model = ResonatorLoss(frequency=FREQUENCY, quasiparticles="mattis-bardeen", **TRUTH)
    temperature, photons = (grid.ravel() for grid in np.meshgrid(TEMPERATURES, PHOTONS))
    rng = np.random.default_rng(SEED)
    q = np.asarray(model.quality_factor(temperature, photons))
    q = q * np.exp(NOISE * rng.standard_normal(q.shape))
    shift = np.asarray(model.frequency_shift(TEMPERATURES)) + SHIFT_NOISE * rng.standard_normal(len(TEMPERATURES))
    loss = {"T_K": temperature, "mean_photon_number": photons, "Q_internal": q}
    return loss, {"T_K": TEMPERATURES, "fractional_frequency_shift": shift - shift[0]}


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name, columns in zip(("resonator_loss.csv", "resonator_shift.csv"), make(), strict=True):
        rows = (",".join(f"{value:.6g}" for value in row) for row in zip(*columns.values(), strict=True))
        (folder / name).write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
