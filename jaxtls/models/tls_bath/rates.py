r"""Computes golden-rule relaxation into TLSs, at rest, in given states of their fluctuators, and averaged over them.

    Gamma_1(w) = sum_j 2 g_j² G_j/(G_j² + (w - w_j)²),   G_j = gamma_j/2 + gphi_j

Source: C. Mueller, J. H. Cole & J. Lisenfeld, Rep. Prog. Phys. 82, 124501 (2019).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...numerics.products import einsum, matmul
from .chunks import at_once, over_tls

ELEMENTS = 2**7  # of an array of TLSs times frequencies times states, for each TLS of a chunk


def chunk_for(elements: int) -> int:
    """Counts TLSs in a chunk where each needs so many numbers."""
    return max(1, min(at_once(), ELEMENTS * at_once() // max(elements, 1)))


def exchange(couplings: Array, widths: Array, detunings: Array) -> Array:
    """Gives 2 g² G/(G² + detuning²), the rate between two levels whose coherence decays at G; shapes broadcast."""
    return 2 * couplings**2 * widths / (widths**2 + detunings**2)


def table_of_states(count: int) -> np.ndarray:
    """Lists all states of so many fluctuators, (2^count, count) of ±1; the first fluctuator is the slowest index."""
    bits = (np.arange(2**count)[:, None] >> np.arange(count)[::-1]) & 1
    return 1 - 2 * bits


@jax.jit
def at_rest(frequencies: Array, couplings: Array, widths: Array, w: Array) -> Array:
    """Gives Gamma_1 at frequencies w (W,), (W,)."""

    def term(rows: tuple[Array, ...]) -> Array:
        f, g, width = (row[:, None] for row in rows)
        return jnp.sum(exchange(g, width, w[None, :] - f), axis=0)

    return over_tls(term, (frequencies, couplings, widths), (0.0, 0.0, 1.0), chunk_for(w.size))


@jax.jit
def in_states(frequencies: Array, couplings: Array, widths: Array, shifts: Array, states: Array, w: Array) -> Array:
    """Gives Gamma_1 in states (S, J, M) at frequencies w (W,), (S, W)."""

    def term(rows: tuple[Array, ...]) -> Array:
        f, g, width, shift, state = rows
        moved = f[:, None] + jnp.sum(shift[:, None] * state, axis=-1)
        return jnp.sum(exchange(g[:, None, None], width[:, None, None], w - moved[..., None]), axis=0)

    rows = frequencies, couplings, widths, shifts, jnp.swapaxes(states, 0, 1)
    size = chunk_for(w.size * states.shape[0])
    return over_tls(term, rows, (0.0, 0.0, 1.0, 0.0, 1.0), size)


@jax.jit
def averaged(
    frequencies: Array, couplings: Array, widths: Array, shifts: Array, up: Array, down: Array, w: Array
) -> Array:
    """Gives Gamma_1 averaged over stationary fluctuators (J, M) at frequencies w (W,), (W,)."""
    table = jnp.asarray(table_of_states(shifts.shape[1]), shifts.dtype)

    def term(rows: tuple[Array, ...]) -> Array:
        f, g, width, shift, u, d = rows
        moved = f[:, None] + matmul(shift, table.T)
        likely = u / (u + d)
        weights = jnp.prod(jnp.where(table > 0, likely[:, None], 1 - likely[:, None]), axis=-1)
        return einsum("js,jsw->w", weights, exchange(g[:, None, None], width[:, None, None], w - moved[..., None]))

    rows = frequencies, couplings, widths, shifts, up, down
    return over_tls(term, rows, (0.0, 0.0, 1.0, 0.0, 1.0, 1.0), chunk_for(w.size * len(table)))


@jax.jit
def autocovariance(
    frequencies: Array,
    couplings: Array,
    widths: Array,
    shifts: Array,
    up: Array,
    down: Array,
    w: Array,
    taus: Array,
) -> Array:
    r"""Gives Gamma_1's autocovariance, (W, T): sum_j sum_A c_jA² e^{-Gamma_A |tau|}, A the non-empty sets of
    fluctuators.

    c_jA is a mean over the fluctuators outside A and a difference f(+) - f(-) over those in A, times sqrt(p+ p-) of
    each. Squared, it has no root, so a fluctuator that is frozen (p+ p- = 0) drops out with finite derivatives.
    """
    count = shifts.shape[1]
    table = table_of_states(count)
    members = jnp.asarray(table < 0, shifts.dtype)

    def term(rows: tuple[Array, ...]) -> Array:
        f, g, width, shift, u, d = rows
        moved = f[:, None] + matmul(shift, jnp.asarray(table, shift.dtype).T)
        total = u + d
        likely = u / total
        c = exchange(g[:, None, None], width[:, None, None], w - moved[..., None])
        for m in range(count):
            c = c.reshape(-1, 2**m, 2, 2 ** (count - m - 1), w.size)
            p = likely[:, m, None, None, None]
            mean, difference = p * c[:, :, 0] + (1 - p) * c[:, :, 1], c[:, :, 0] - c[:, :, 1]
            c = jnp.stack([mean, difference], axis=2)
        both = likely * (d / total)
        weights = jnp.prod(jnp.where(members > 0, both[:, None], 1.0), axis=-1)[:, 1:]
        decay = jnp.exp(-matmul(total, members.T)[:, 1:, None] * jnp.abs(taus))
        return einsum("ja,jaw,jat->wt", weights, c.reshape(-1, 2**count, w.size)[:, 1:] ** 2, decay)

    rows = frequencies, couplings, widths, shifts, up, down
    return over_tls(term, rows, (0.0, 0.0, 1.0, 0.0, 1.0, 1.0), chunk_for((w.size + taus.size) * len(table)))
