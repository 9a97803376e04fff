"""Reduced density matrices of all pairs at once: O(N) for each element and time, memory bounded by chunks.

An element of rho_ij is a product over the other sites k of what k's relaxation makes of the phase that the coherent
ones among i, j give it. With one of them coherent the factors come from an N x N table; with both,
phi_k = 4 (J_ik ± J_jk), and the products over k are the only loop over pairs x N: at f = 0 of tabulated phases alone,
as e^{-2wt} = e^{-G t} e^{2 i phi t} splits into a factor of i and one of j.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .exponentials import decay
from .relaxation import Sites, kept, traced_out

# Elements of an (N, N, times) table held at once, and of a (rows, N, times) block of the loop over pairs and partners.
_TABLE = 2**18
_BLOCK = 2**15
_LEAST_TIMES = 8


def over_time_chunks(f: Callable[[Array], Array], ts: Array, n_sites: int) -> Array:
    """f(ts) -> (T, ...) on chunks of times that bound its memory, forward and backward."""
    size = max(_TABLE // n_sites**2, min(_LEAST_TIMES, 8 * _TABLE // n_sites**2), 1)
    n_chunks = -(-ts.shape[0] // size)
    if n_chunks <= 1:
        return f(ts)
    size = -(-ts.shape[0] // n_chunks)
    padded = jnp.pad(ts, (0, n_chunks * size - ts.shape[0]), mode="edge").reshape(n_chunks, size)
    out = jax.lax.map(jax.checkpoint(f), padded)
    return out.reshape(n_chunks * size, *out.shape[2:])[: ts.shape[0]]


def one_coherent(sites: Sites, shifts: Array, ts: Array) -> tuple[Array, Array, Array]:
    """Site i coherent, <+|.|->, with j kept up, or down, (N_j, N_i, T) each, and with all others traced out, (N, T)."""
    horizon = jnp.max(ts)
    phi = shifts[:, :, None]
    up, down = kept(sites.along(0, 3), phi, ts, horizon)  # [partner k, coherent i, t]
    itself = jnp.eye(shifts.shape[0], dtype=bool)[:, :, None]
    factor = jnp.where(itself, 1.0, up + down)
    others, everyone = _products_of_the_others(factor)
    coherence = lone_coherence(sites, ts)
    alone = coherence * others
    return alone * up, alone * down, coherence * everyone


def lone_coherence(sites: Sites, ts: Array) -> Array:
    """<+|rho|-> of each site if it had no partners, (N, T)."""
    own = sites.along(0, 2)
    return own.coherence * decay((own.total / 2 - 1j * own.frequencies) * ts)


def _products_of_the_others(factor: Array) -> tuple[Array, Array]:
    """Products over the leading axis without one entry, for each entry, and with all. Never by division."""
    step = lambda product, x: (product * x, product)
    one = jnp.ones_like(factor[0])
    everyone, before = jax.lax.scan(step, one, factor)
    after = jax.lax.scan(step, one, factor, reverse=True)[1]
    return before * after, everyone


def both_coherent(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Products over k of the factors of both-coherent pairs, (N, N, T): i < j for phi_ik + phi_jk, i > j for the
    difference phi_ik - phi_jk."""
    n, n_times = shifts.shape[0], ts.shape[0]
    rows = max(1, min(n, _BLOCK // (n * n_times)))
    n_blocks = -(-n // rows)
    rows = -(-n // n_blocks)
    phases = None
    if not sites.thermal:
        own = sites.along(0, 3)
        phases = decay((own.total / 2 - 2j * shifts[:, :, None]) * ts)
    block = jax.checkpoint(partial(_rows_of_products, sites, shifts, ts, phases))
    index = jnp.minimum(jnp.arange(n_blocks * rows), n - 1).reshape(n_blocks, rows)
    out = jax.lax.map(block, index) if n_blocks > 1 else block(index[0])
    return out.reshape(n_blocks * rows, n, n_times)[:n]


def _rows_of_products(sites: Sites, shifts: Array, ts: Array, phases: Array | None, rows: Array) -> Array:
    """The rows i of `both_coherent`: a scan over k with carry (i, j, t)."""
    partners = jnp.arange(shifts.shape[0])
    plus = rows[:, None] < partners
    phi = shifts[:, rows][:, :, None] + jnp.where(plus, 1.0, -1.0) * shifts[:, None, :]  # [k, i, j]
    rate, amplitude, w = traced_out(sites.along(0, 3), phi, jnp.max(ts))
    k = partners[:, None, None]
    excluded = (k == rows[:, None]) | (k == partners)
    amplitude = jnp.where(excluded, 0.0, amplitude)
    total_rate = jnp.sum(jnp.where(excluded, 0.0, rate), axis=0)

    def step(product, k):
        if phases is None:
            w, amplitude = k
            relaxed = decay(2 * w[:, :, None] * ts)
        else:
            of_i, of_j, amplitude = k
            relaxed = of_i[:, None] * jnp.where(plus[:, :, None], of_j, of_j.conj())
        amplitude = amplitude[:, :, None]
        return product * ((1 - amplitude) + amplitude * relaxed), None

    xs = (w, amplitude) if phases is None else (phases[:, rows], phases, amplitude)
    one = jnp.ones((*total_rate.shape, ts.shape[0]), amplitude.dtype)
    product = jax.lax.scan(step, one, xs)[0]
    return product * decay(-total_rate[:, :, None] * ts)


def populations(sites: Sites, ts: Array) -> tuple[Array, Array]:
    """p+ and p- of each site, (N, T) real."""
    own = sites.along(0, 2)
    return tuple(x.real for x in kept(own, jnp.zeros_like(own.bias), ts, jnp.max(ts)))  # type: ignore[return-value]


def pair_indices(n: int) -> tuple[np.ndarray, np.ndarray]:
    """i < j in lexicographic order, (P,) each."""
    return np.triu_indices(n, 1)


def pair_matrices(sites: Sites, shifts: Array, ts: Array) -> Array:
    """All rho_ij, i < j, as (4, 4, P, T), in the basis ++, +-, -+, --."""
    n = shifts.shape[0]
    i, j = pair_indices(n)
    up, down = populations(sites, ts)
    with_up, with_down, _ = one_coherent(sites, shifts, ts)
    products = both_coherent(sites, shifts, ts)
    coherence = lone_coherence(sites, ts)

    def at(table: Array, first: np.ndarray, second: np.ndarray) -> Array:
        return table.reshape(n * n, -1).at[first * n + second].get(mode="promise_in_bounds")

    diagonal = [x[i] * y[j] + 0j for x in (up, down) for y in (up, down)]
    first_up, first_down = at(with_up, j, i), at(with_down, j, i)
    second_up, second_down = at(with_up, i, j), at(with_down, i, j)
    both = coherence[i] * coherence[j] * at(products, i, j)
    # row j > i of the products has phi_jk - phi_ik, the conjugate of what stands in +- , -+
    opposite = coherence[i] * coherence[j].conj() * at(products, j, i).conj()
    upper = {
        (0, 1): second_up,
        (0, 2): first_up,
        (0, 3): both,
        (1, 2): opposite,
        (1, 3): first_down,
        (2, 3): second_down,
    }
    rows = [
        [diagonal[a] if a == b else upper[a, b] if a < b else upper[b, a].conj() for b in range(4)] for a in range(4)
    ]
    return jnp.stack([jnp.stack(row) for row in rows])
