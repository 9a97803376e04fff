"""Makes starting points that fill a unit cube evenly."""

from __future__ import annotations

import jax
import numpy as np
from jaxtyping import Array


def hypercube(n_points: int, n_dims: int, key: Array | None = None, n_tries: int = 16) -> np.ndarray:
    r"""Gives a centred Latin hypercube of `n_points` in $(0, 1)^\mathrm{n\_dims}$, widest spaced of `n_tries` shuffles.

    Every coordinate takes each of the values $(i + 1/2) / n$ once, so one parameter alone gets a uniform grid.

    Source: M. D. McKay, R. J. Beckman, W. J. Conover, Technometrics 21, 239 (1979).
    """
    grid = (np.arange(n_points) + 0.5) / max(n_points, 1)
    if n_dims == 1 or n_points < 2:
        return np.repeat(grid[:, None], n_dims, axis=1)
    key = jax.random.key(0) if key is None else key
    rng = np.random.default_rng(np.asarray(jax.random.bits(key, (4,))))

    def spacing(points: np.ndarray) -> float:
        sample = points[:256]  # the spacing of a part ranks the shuffles well enough
        distance = np.sum((sample[:, None] - sample[None]) ** 2, axis=-1)
        return float(np.min(distance[np.triu_indices(len(sample), 1)]))

    tries = [np.stack([rng.permutation(grid) for _ in range(n_dims)], axis=1) for _ in range(n_tries)]
    return max(tries, key=spacing)
