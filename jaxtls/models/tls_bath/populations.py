r"""Solves the Solomon equations of a qubit and its TLSs: populations without coherence, exact for every stiffness.

    dp_q/dt = -Gq (p_q - pth) - sum G_j (p_q - p_j),   dp_j/dt = -gamma_j (p_j - pth) - G_j (p_j - p_q)

With x = p - pth and l_j = gamma_j + G_j,

    x^_q(s) = [x_q(0) + sum G_j x_j(0)/(s + l_j)]/[s + Gq + sum G_j (s + gamma_j)/(s + l_j)]

All its singularities lie on the negative real axis: one contour of 32 nodes serves a window of times.

Sources: I. Solomon, Phys. Rev. 99, 559 (1955); M. Spiecker, A. I. Pavlov, A. Shnirman & I. M. Pop, arXiv:2307.06900.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array

from . import contour, rates
from .chunks import at_once, over_tls


@partial(jax.jit, static_argnames="most")
def qubit_excess(
    tls: tuple[Array, Array, Array, Array],
    start: Array,
    ts: Array,
    kappa: Array,
    own_width: Array,
    qubit_start: Array,
    most: int,
) -> Array:
    """Gives x_q(t) = p_q - pth, (T,).

    Arguments:
        tls: w - w_j, g_j, half width gamma_j/2 + gphi_j and gamma_j of the TLSs, (J,) each.
        start: x_j(0), (J,).
        ts: (T,) >= 0.
        kappa, own_width, qubit_start: Gq, the qubit's half width and x_q(0).
        most: see `contour.blocks` (static).

    Returns:
        The excess at each time.
    """
    detunings, couplings, widths, relaxation = tls
    exchange = rates.exchange(couplings, widths + own_width, detunings)

    def transform(x: Array, y: Array) -> tuple[Array, Array]:
        def term(rows: tuple[Array, ...]) -> tuple[Array, ...]:
            rate, gamma, excess = (row[:, None] for row in rows)
            u = x + gamma + rate
            share = rate / (u * u + y * y)
            # s + gamma first: G - G²/(s + l) would cancel where gamma << G
            bottom = jnp.sum(share * ((x + gamma) * u + y * y), axis=0), y * jnp.sum(share * rate, axis=0)
            share = share * excess
            return *bottom, jnp.sum(share * u, axis=0), -y * jnp.sum(share, axis=0)

        re, im, top_re, top_im = over_tls(term, (exchange, relaxation, start), (0.0, 1.0, 0.0), at_once())
        re, im, top_re = re + x + kappa, im + y, top_re + qubit_start
        size = re * re + im * im
        return (top_re * re + top_im * im) / size, (top_im * re - top_re * im) / size

    zero = jnp.zeros((), ts.dtype)
    found = contour.invert(transform, ts, zero, zero, most, folded=True)
    slope = -kappa * qubit_start - jnp.sum(exchange * (qubit_start - start))
    return jnp.where(ts > 0, found, qubit_start + slope * ts)
