"""Makes telegraph.csv: T1 of a qubit [us] against time [s] while one defect switches nearby, with a kept seed.

In plain NumPy, by waiting times, so that it is no check of jaxtls against itself. The record has a gap.

Run: python -m jaxtls.cli.data.make_telegraph [FILE]
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np

SEED = 20261129
TRUTH: dict[str, float] = {"amplitudes": 9.0, "rates_up": 0.002, "rates_down": 0.005, "offset": 58.0, "sigma": 6.0}
STEP, ROWS, GAP = 30.0, 900, (9000.0, 3600.0)  # s; the gap's start and length


def make() -> dict[str, np.ndarray]:
    """Gives columns time [s] and signal [us]."""
    rng = np.random.default_rng(SEED)
    ts = STEP * np.arange(ROWS) + rng.uniform(-3.0, 3.0, ROWS)
    ts = ts + np.where(ts > GAP[0], GAP[1], 0.0) - ts[0]
    up, down = TRUTH["rates_up"], TRUTH["rates_down"]
    state = 1.0 if rng.random() < up / (up + down) else -1.0
    switchings, states = [0.0], [state]
    while switchings[-1] < ts[-1]:
        switchings.append(switchings[-1] + rng.exponential(1 / (up if states[-1] < 0 else down)))
        states.append(-states[-1])
    s = np.array(states)[np.searchsorted(switchings, ts, side="right") - 1]
    noise = TRUTH["sigma"] * rng.standard_normal(ROWS)
    return {"time": ts, "signal": TRUTH["offset"] + TRUTH["amplitudes"] * s + noise}


def main() -> None:
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("telegraph.csv"))
    columns = make()
    rows = (f"{t:.3f},{y:.4f}" for t, y in zip(*columns.values(), strict=True))
    path.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
