"""Makes the hierarchy's right-hand side, for any diffrax solver (the default splitting needs no derivative).

dc_m/dt = -i[p^2/2M + M omega_eff^2 x^2/2, c_m] + sum over classes of
    ((N-m) ss + m ww) c_m + (N-m+1) ws c_(m-1) + (m+1) sw c_(m+1),   elementwise on position nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ...numerics.products import matmul
from ...quantum.dvr import hermite_dvr
from .pairs import Pair
from .parameters import AbstractSpring


def hierarchy_generator(spring: AbstractSpring, y0: Array) -> Callable[[Any, Array, Any], Array]:
    """Gives vector_field(t, y, args) for states of y0's shape; constants are computed here, once."""
    n_levels = y0.shape[-1]
    nodes, transform = hermite_dvr(n_levels)
    frequency = spring.effective_frequency
    generators = spring.spin_generators(jnp.asarray(nodes**2) / (spring.mass * frequency))
    exponents = spring.indices_of_size(y0.shape[0]).exponents
    rows = {tuple(row): i for i, row in enumerate(exponents)}
    counts = [jnp.asarray(n, spring.omega.dtype) for n in spring.spin_counts]
    # d c_m/dt: diagonal, from m_c - 1 (ws) and from m_c + 1 (sw), for each class
    diagonal = sum(
        (counts[c] - exponents[:, c])[:, None, None] * _complex(g.ss) + exponents[:, c][:, None, None] * _complex(g.ww)
        for c, g in enumerate(generators)
    )
    moves = []
    for row, target in rows.items():
        for c in range(spring.n_classes):
            for shift in (-1, 1):
                source = rows.get((*row[:c], row[c] + shift, *row[c + 1 :]))
                if source is not None:
                    moves.append((target, source, c, counts[c] - row[c] + 1 if shift < 0 else row[c] + 1.0, shift < 0))
    targets = np.array([m[0] for m in moves], int)
    sources = np.array([m[1] for m in moves], int)
    which = np.array([2 * m[2] + m[4] for m in moves], int)
    factors = jnp.stack([jnp.asarray(m[3], spring.omega.dtype) for m in moves]) if moves else jnp.zeros(0)
    stacked = jnp.stack([part for g in generators for part in (_complex(g.sw), _complex(g.ws))])
    couplings = factors[:, None, None] * stacked[which]
    phases = -1j * frequency * np.subtract.outer(np.arange(n_levels), np.arange(n_levels))
    v = jnp.asarray(transform, spring.omega.dtype)

    def vector_field(t: ArrayLike, y: Array, args: PyTree) -> Array:
        z = matmul(matmul(v, y), v.T)
        dz = diagonal * z
        dz = dz.at[targets].add(couplings * z[sources])
        return phases * y + matmul(matmul(v.T, dz), v)

    return vector_field


def _complex(pair: Pair) -> Array:
    return pair.re + 1j * pair.im
