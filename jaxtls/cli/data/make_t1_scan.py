"""Makes t1_scan.csv: T1 of a qubit over frequency and time beside a TLS that diffuses, with noise of a kept seed.

The diffusion is that of Klimov et al., arXiv:1809.01043: sigma = 2 D sqrt(t), D = 2.5 MHz/sqrt(h). The seed is the
first that was drawn.

Run: python -m jaxtls.cli.data.make_t1_scan [FILE]
"""

from __future__ import annotations

import math
import pathlib
import sys

import numpy as np

SEED = 20261129
NOISE = 0.07  # of each T1
DIFFUSION = 2.5  # MHz/sqrt(h)
TRUTH: dict[str, float] = {"coupling": 0.1, "width": 1.2, "background": 0.02}  # MHz, MHz, 1/us


def make() -> dict[str, np.ndarray]:
    """Gives columns time_h, frequency_MHz, T1_us, T1_error_us (25 scans over 4 h, 31 frequencies)."""
    rng = np.random.default_rng(SEED)
    ts, frequencies = np.linspace(0.0, 4.0, 25), np.linspace(5100.0, 5160.0, 31)
    steps = 2 * DIFFUSION * np.sqrt(np.diff(ts)) * rng.standard_normal(len(ts) - 1)
    centres = 5130.0 + np.concatenate([[0.0], np.cumsum(steps)])
    g, width = 2 * math.pi * TRUTH["coupling"], 2 * math.pi * TRUTH["width"]
    detuning = 2 * math.pi * (frequencies - centres[:, None])
    t1 = 1 / (TRUTH["background"] + 2 * g**2 * width / (width**2 + detuning**2)).ravel()
    return {
        "time_h": np.repeat(ts, len(frequencies)),
        "frequency_MHz": np.tile(frequencies, len(ts)),
        "T1_us": t1 * np.exp(NOISE * rng.standard_normal(t1.size)),
        "T1_error_us": NOISE * t1,
    }


def main() -> None:
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("t1_scan.csv"))
    columns = make()
    rows = (",".join(f"{value:.6g}" for value in row) for row in zip(*columns.values(), strict=True))
    path.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
