r"""Computes the exact amplitude of a single excitation among many TLSs at T = 0, without pure dephasing.

    i dc/dt = -i(kappa/2) c + sum g_j b_j,   i db_j/dt = (w_j - w - i gamma_j/2) b_j + g_j c,   c(0) = 1, b(0) = 0
    c^(s) = 1/[s + kappa/2 + sum g_j²/(s + gamma_j/2 + i(w_j - w))]

The eigenvalues of this arrow matrix lie at Re <= 0, with imaginary parts in the numerical range of its Hermitian part,
so an inverse Laplace transform along a path about that strip is exact. No time steps, no eigenvectors: exceptional
points and degenerate TLSs are nothing special, and loss, however large, costs nothing.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import is_traced
from . import contour
from .chunks import at_once, over_tls


def strip(lowest: Array, highest: Array, norm: Array, w: Array) -> tuple[Array, Array]:
    """Gives centre and half height of the eigenvalues' imaginary parts in the frame of w.

    Arguments:
        lowest, highest: of the TLSs' frequencies.
        norm: root of the sum of g².
        w: of the qubit, any shape.

    Returns:
        Centre and half height, of the shape of w.
    """
    # -Im of the eigenvalues of [[0, g], [g, diag(w_j - w)]]
    low, high = jnp.minimum(lowest - w, 0.0) - norm, jnp.maximum(highest - w, 0.0) + norm
    return -(low + high) / 2, (high - low) / 2


def bounds(frequencies: Array, couplings: Array) -> tuple[Array, Array, Array]:
    """Gives the lowest and highest frequency and the root of the sum of g², without derivatives."""
    frequencies, couplings = jax.lax.stop_gradient((frequencies, couplings))
    return jnp.min(frequencies), jnp.max(frequencies), jnp.sqrt(jnp.sum(couplings**2))


def blocks(frequencies: Array, couplings: Array, w: Array, ts: Array | np.ndarray) -> int:
    """Lists blocks of nodes for the widest strip over w (any shape), see `contour.blocks`."""
    known = [contour.undifferentiated(x) for x in (frequencies, couplings, w)]
    if is_traced(*known):
        return contour.MOST_BLOCKS
    with jax.ensure_compile_time_eval():
        widest = _widest(*known)
    return contour.blocks(ts, widest)


@jax.jit
def _widest(frequencies: Array, couplings: Array, w: Array) -> Array:
    return jnp.max(strip(*bounds(frequencies, couplings), w)[1], initial=0.0)


@partial(jax.jit, static_argnames="most")
def amplitudes(
    frequencies: Array, couplings: Array, half_widths: Array, w: Array, ts: Array, kappa: Array, most: int
) -> Array:
    """Gives c(t) for one w, (T,) complex.

    Arguments:
        frequencies, couplings, half_widths: w_j, g_j, gamma_j/2, (J,).
        w: (), the qubit's frequency.
        ts: (T,) >= 0.
        kappa: (), its own relaxation rate.
        most: see `contour.blocks` (static).

    Returns:
        The amplitude at each time.
    """
    centre, half_height = strip(*bounds(frequencies, couplings), w)
    detunings, squares = frequencies - w, couplings**2

    def resolvent(x: Array, y: Array) -> tuple[Array, Array]:
        def term(rows: tuple[Array, ...]) -> tuple[Array, Array]:
            square, half, detuning = (row[:, None] for row in rows)
            u, v = x + half, y + detuning
            share = square / (u * u + v * v)
            return jnp.sum(share * u, axis=0), -jnp.sum(share * v, axis=0)

        re, im = over_tls(term, (squares, half_widths, detunings), (0.0, 1.0, 0.0), at_once())
        re, im = x + kappa / 2 + re, y + im
        size = re * re + im * im
        return re / size, -im / size

    found = contour.invert(resolvent, ts, half_height, centre, most)
    # the first order in t keeps the derivative by t right at 0
    return jnp.where(ts > 0, found, 1 - kappa / 2 * ts)


@partial(jax.jit, static_argnames="most")
def swaps(
    frequencies: Array, couplings: Array, half_widths: Array, w: Array, ts: Array, kappa: Array, most: int
) -> Array:
    """Gives |c(t)|² for each w, (W, T); few frequencies at once where the TLSs are many."""

    def one(w: Array) -> Array:
        c = amplitudes(frequencies, couplings, half_widths, w, ts, kappa, most)
        return c.real**2 + c.imag**2

    if w.shape[0] * ts.shape[0] == 0:
        return jnp.zeros((w.shape[0], ts.shape[0]), ts.dtype)
    together = max(1, 4 * at_once() // frequencies.shape[0])
    return jax.lax.map(jax.checkpoint(one), w, batch_size=min(together, w.shape[0]))
