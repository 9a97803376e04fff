"""Makes swap_map.csv: swap spectroscopy of a qubit beside two TLSs, with noise of a kept seed, the first drawn.

The populations are those of dense matrix exponentials, not of the contour integral that is fitted to them.

Run: python -m jaxtls.cli.data.make_swap_map [FILE]
"""

from __future__ import annotations

import math
import pathlib
import sys

import numpy as np
import scipy.linalg

SEED = 20261129
NOISE = 0.03
TRUTH: dict[str, list[float]] = {
    "frequencies": [5003.2, 5007.1],  # MHz
    "couplings": [0.42, 0.21],  # MHz
    "relaxation": [0.6, 0.25],  # 1/us
    "loss": [0.05],  # 1/us
    "contrast": [0.92],
    "offset": [0.03],
}


def make() -> dict[str, np.ndarray]:
    """Gives columns frequency_MHz, time_us, population, population_error (31 frequencies, 41 times)."""
    frequencies, ts = np.linspace(5000.0, 5010.0, 31), np.linspace(0.0, 3.0, 41)
    rows = []
    for f in frequencies:
        a = np.diag([-TRUTH["loss"][0] / 2 + 0j, 0, 0])
        for k in range(2):
            detuning = 2 * math.pi * (TRUTH["frequencies"][k] - f)
            a[k + 1, k + 1] = -1j * detuning - TRUTH["relaxation"][k] / 2
            a[0, k + 1] = a[k + 1, 0] = -2j * math.pi * TRUTH["couplings"][k]
        rows.append([abs(scipy.linalg.expm(a * t)[0, 0]) ** 2 for t in ts])
    clean = TRUTH["offset"][0] + TRUTH["contrast"][0] * np.array(rows).ravel()
    rng = np.random.default_rng(SEED)
    return {
        "frequency_MHz": np.repeat(frequencies, len(ts)),
        "time_us": np.tile(ts, len(frequencies)),
        "population": clean + NOISE * rng.standard_normal(clean.size),
        "population_error": np.full(clean.size, NOISE),
    }


def main() -> None:
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("swap_map.csv"))
    columns = make()
    rows = (",".join(f"{value:.7g}" for value in row) for row in zip(*columns.values(), strict=True))
    path.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
